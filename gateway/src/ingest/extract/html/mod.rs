//! HTML, from the stream of its tags: no tree is built, so that neither depth nor broken nesting can hurt. What is no text for readers
//! (scripts, navigation, hidden elements) is left out.

mod attributes;
mod charset;
mod elements;
mod writer;

use std::cell::RefCell;

use html5ever::{
    Attribute, LocalName,
    tendril::StrTendril,
    tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, states::RawKind},
};

pub(super) use self::attributes::MOST_ATTRIBUTES;
use self::writer::Writer;
use super::{Block, ExtractError, decode};

/// Open elements that are remembered; deeper ones count as closed.
const MOST_DEPTH: usize = 2_000;
/// An end tag closes an element at most so far up.
const MOST_LEVELS_CLOSED: usize = 100;

/// The blocks of a page, and its title.
pub(super) fn blocks(bytes: &[u8], declared: Option<&str>) -> Result<(Option<String>, Vec<Block>), ExtractError> {
    of_text(&decode::text_in(bytes, charset::of(bytes, declared))?)
}

/// The blocks of a decoded page.
pub(super) fn of_text(text: &str) -> Result<(Option<String>, Vec<Block>), ExtractError> {
    // Written as XML, as the chapters of books are, an element can be closed where it begins.
    let is_xml = text.trim_start().starts_with("<?xml");
    attributes::check(text, is_xml)?;
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(text));
    let tokenizer =
        Tokenizer::new(Sink { state: RefCell::new(State::default()), is_xml }, html5ever::tokenizer::TokenizerOpts::default());
    // The sink never stops the tokenizer.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    Ok(tokenizer.sink.state.into_inner().writer.end())
}

struct Sink {
    state: RefCell<State>,
    is_xml: bool,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line_number: u64) -> TokenSinkResult<()> {
        let mut state = self.state.borrow_mut();
        match token {
            Token::TagToken(Tag { kind: TagKind::StartTag, name, attrs, self_closing, .. }) => {
                let depth = state.open.len();
                state.start(name.clone(), &attrs, self_closing);
                if self.is_xml && self_closing {
                    if state.open.len() > depth {
                        state.pop();
                    }
                    return TokenSinkResult::Continue;
                }
                return raw(&name).map_or(TokenSinkResult::Continue, TokenSinkResult::RawData);
            }
            Token::TagToken(Tag { kind: TagKind::EndTag, name, .. }) => state.close(&name),
            Token::CharacterTokens(text) if state.skipped_from.is_none() => state.writer.text(&text),
            Token::CharacterTokens(_)
            | Token::DoctypeToken(_)
            | Token::CommentToken(_)
            | Token::NullCharacterToken
            | Token::EOFToken
            | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

/// Elements whose content has no tags.
fn raw(name: &str) -> Option<RawKind> {
    match name {
        "script" => Some(RawKind::ScriptData),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => Some(RawKind::Rawtext),
        "title" | "textarea" => Some(RawKind::Rcdata),
        _ => None,
    }
}

#[derive(Default)]
struct State {
    open: Vec<LocalName>,
    /// The depth of the element that is left out with all it holds.
    skipped_from: Option<usize>,
    writer: Writer,
}

impl State {
    fn start(&mut self, name: LocalName, attributes: &[Attribute], self_closing: bool) {
        // An item, a cell or a paragraph ends where the next begins.
        if let Some(last) = self.open.last()
            && elements::is_ended_by(last, &name)
        {
            self.pop();
        }
        let is_skipped = self.skipped_from.is_some();
        if elements::is_void(&name) {
            if !is_skipped {
                self.writer.void(&name);
            }
            return;
        }
        // Only foreign elements close themselves; those are left out.
        if self_closing && is_skipped {
            return;
        }
        if self.open.len() >= MOST_DEPTH {
            return;
        }
        if !is_skipped {
            if elements::is_left_out(&name, attributes, &self.open) {
                self.skipped_from = Some(self.open.len());
            } else {
                self.writer.start(&name, attributes);
            }
        }
        self.open.push(name);
    }

    fn close(&mut self, name: &str) {
        let Some(levels) = self.open.iter().rev().take(MOST_LEVELS_CLOSED).position(|open| open == name) else {
            // The end of a paragraph that was never begun still parts two.
            if name == "p" && self.skipped_from.is_none() {
                self.writer.finish(name);
            }
            return;
        };
        for _ in 0..=levels {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let Some(name) = self.open.pop() else { return };
        match self.skipped_from {
            Some(depth) if depth >= self.open.len() => self.skipped_from = None,
            Some(_) => {}
            None => self.writer.finish(&name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::BlockKind::{Code, Heading, List, Paragraph, Table},
        *,
    };

    fn read(html: &str) -> Vec<(super::super::BlockKind, String)> {
        of_text(html).unwrap().1.into_iter().map(|block| (block.kind, block.text)).collect()
    }

    #[test]
    fn headings_paragraphs_lists_tables_and_code_are_told_apart() {
        let html = "<h2>Set <b>up</b></h2><p>One\n  two<br>three</p><ul><li>a<li>b<ol><li>c</ol></ul>\
                    <table><tr><th>k<th>v<tr><td>1<td>2</table><pre>if x:\n  y\n</pre>tail";
        let wanted = [
            (Heading(2), "Set up"),
            (Paragraph, "One two\nthree"),
            (List, "- a\n- b\n  1. c"),
            (Table, "k | v\n1 | 2"),
            (Code, "if x:\n  y"),
            (Paragraph, "tail"),
        ];
        assert_eq!(read(html), wanted.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn what_readers_do_not_see_is_left_out() {
        let html = "<head><title>A &amp; B</title><style>p{}</style><script>if (a<b) {}</script></head><nav><p>menu</p></nav>\
                    <p hidden>no</p><p style='display: none'>no</p><div aria-hidden=true><p>no</div><svg><title>no</title></svg>\
                    <h1>Yes<a class=headerlink href=#>¶</a></h1><footer>no</footer><article><footer>by me</footer></article>";
        assert_eq!(read(html), [(Heading(1), "Yes".to_owned()), (Paragraph, "by me".to_owned())]);
        assert_eq!(of_text(html).unwrap().0.as_deref(), Some("A & B"));
    }

    #[test]
    fn an_element_that_is_closed_where_it_begins_swallows_nothing_in_xml() {
        let html = "<?xml version='1.0'?><html><head><title/><script src='a'/></head><body><p>a</p><nav/><p>b</p></body></html>";
        assert_eq!(read(html), [(Paragraph, "a".to_owned()), (Paragraph, "b".to_owned())]);
    }

    #[test]
    fn broken_nesting_loses_nothing() {
        assert_eq!(
            read("</div><p>a<div>b</p>c</div></b>d").into_iter().map(|(_, text)| text).collect::<Vec<_>>(),
            ["a", "b", "c", "d"]
        );
        let deep = "<div>".repeat(100_000) + "deep";
        assert_eq!(read(&deep), [(Paragraph, "deep".to_owned())]);
    }
}
