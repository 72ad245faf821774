//! Markdown: headings, paragraphs, lists, tables and code. Marks of emphasis and the targets of links are left out.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Block, BlockKind, LineMap, html};

/// The title is the first heading.
pub(super) fn blocks(text: &str) -> (Option<String>, Vec<Block>) {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    let mut writer = Writer::default();
    let mut line = 1;
    let mut counted = 0;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        // The end of a block names the block's beginning again.
        if let Some(passed) = text.get(counted..range.start) {
            line += passed.bytes().filter(|byte| *byte == b'\n').count();
            counted = range.start;
        }
        writer.line = u32::try_from(line).unwrap_or(u32::MAX);
        writer.take(event);
    }
    writer.end(BlockKind::Paragraph);
    let title = writer.blocks.iter().find(|block| matches!(block.kind, BlockKind::Heading(_))).map(|block| block.text.clone());
    (title, writer.blocks)
}

/// Collects the text of one top-level block after the other.
#[derive(Default)]
struct Writer {
    blocks: Vec<Block>,
    text: String,
    lists: Vec<Option<u64>>,
    /// Inside front matter, which is dropped.
    skipped: bool,
    cell: bool,
    /// The line of the file that is being read, and those of the text so far.
    line: u32,
    lines: LineMap,
    /// The HTML block that is being read.
    html: String,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.finish(tag),
            Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) => self.push(&text),
            Event::Code(code) => {
                self.push("`");
                self.push(&code);
                self.push("`");
            }
            Event::SoftBreak => self.push(" "),
            Event::HardBreak => self.push("\n"),
            Event::TaskListMarker(done) => self.push(if done { "[x] " } else { "[ ] " }),
            Event::Html(text) => self.html.push_str(&text),
            Event::InlineHtml(tag) if tag.starts_with("<br") => self.push("\n"),
            Event::InlineHtml(_) | Event::FootnoteReference(_) => {}
            Event::Rule => self.end(BlockKind::Paragraph),
        }
    }

    fn push(&mut self, text: &str) {
        if self.skipped {
            return;
        }
        // An end of a line in a text is one of the file's.
        let mut at = self.text.len();
        for (number, line) in (self.line..).zip(text.split_inclusive('\n')) {
            self.lines.mark(at, number);
            at += line.len();
        }
        self.text.push_str(text);
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::MetadataBlock(_) => self.skipped = true,
            Tag::Heading { .. } | Tag::CodeBlock(_) | Tag::Table(_) | Tag::Paragraph if self.lists.is_empty() => {
                self.end(BlockKind::Paragraph);
            }
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.end(BlockKind::Paragraph);
                }
                self.lists.push(*first);
            }
            Tag::Item => self.item(),
            Tag::Paragraph | Tag::CodeBlock(_) | Tag::Heading { .. } | Tag::Table(_) => self.line(),
            Tag::TableCell => {
                if self.cell {
                    self.push(" | ");
                }
                self.cell = true;
            }
            Tag::BlockQuote(_)
            | Tag::HtmlBlock
            | Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::TableHead
            | Tag::TableRow
            | Tag::Emphasis
            | Tag::Strong
            | Tag::Strikethrough
            | Tag::Superscript
            | Tag::Subscript
            | Tag::Link { .. }
            | Tag::Image { .. } => {}
        }
    }

    fn finish(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::MetadataBlock(_) => self.skipped = false,
            TagEnd::Heading(level) if self.lists.is_empty() => self.end(BlockKind::Heading(level as u8)),
            TagEnd::Paragraph | TagEnd::FootnoteDefinition if self.lists.is_empty() => self.end(BlockKind::Paragraph),
            TagEnd::HtmlBlock => self.html(),
            TagEnd::CodeBlock if self.lists.is_empty() => self.end(BlockKind::Code),
            TagEnd::Table if self.lists.is_empty() => self.end(BlockKind::Table),
            TagEnd::TableHead | TagEnd::TableRow => {
                self.line();
                self.cell = false;
            }
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.end(BlockKind::List);
                }
            }
            TagEnd::Heading(_) | TagEnd::Paragraph | TagEnd::CodeBlock | TagEnd::Table => self.line(),
            _ => {}
        }
    }

    fn html(&mut self) {
        // Such a block is no text.
        let (_, blocks) = html::of_text(&std::mem::take(&mut self.html)).unwrap_or_default();
        if self.lists.is_empty() {
            self.end(BlockKind::Paragraph);
            self.blocks.extend(blocks);
        } else {
            for block in blocks {
                self.line();
                self.push(&block.text);
            }
        }
    }

    /// A bullet or number, indented by the depth of the list.
    fn item(&mut self) {
        self.line();
        let depth = self.lists.len().saturating_sub(1).min(8);
        let bullet = match self.lists.last_mut() {
            Some(Some(number)) => {
                let bullet = format!("{number}. ");
                *number = number.saturating_add(1);
                bullet
            }
            Some(None) | None => "- ".to_owned(),
        };
        self.push(&"  ".repeat(depth));
        self.push(&bullet);
    }

    /// Begins a new line, unless the text stands at one or right after a bullet.
    fn line(&mut self) {
        let last = self.text.rsplit('\n').next().unwrap_or_default();
        let bullet = last.trim_start();
        let is_bare = bullet == "- " || bullet.strip_suffix(". ").is_some_and(|n| n.bytes().all(|byte| byte.is_ascii_digit()));
        if !last.is_empty() && !is_bare {
            self.text.push('\n');
        }
    }

    fn end(&mut self, kind: BlockKind) {
        let text = std::mem::take(&mut self.text);
        let lines = std::mem::take(&mut self.lines);
        let text = if kind == BlockKind::Code { text.trim_end().trim_start_matches('\n') } else { text.trim() };
        if !text.trim().is_empty() {
            let has_header = kind == BlockKind::Table && text.contains('\n');
            self.blocks.push(Block { has_header, lines, ..Block::new(kind, text) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        BlockKind::{Code, Heading, List, Paragraph, Table},
        *,
    };

    fn read(text: &str) -> Vec<(BlockKind, String)> {
        blocks(text).1.into_iter().map(|block| (block.kind, block.text)).collect()
    }

    #[test]
    fn headings_paragraphs_lists_tables_and_code_are_told_apart() {
        let text = "---\ntitle: x\n---\n# Set *up*\n\nOne [two](http://x)\nthree `f()`.\n\n- a\n- b\n  1. c\n\n\
                    | k | v |\n|---|---|\n| 1 | 2 |\n\n```sh\n# no heading\nls\n```\n\nTail\n----\n";
        let wanted = [
            (Heading(1), "Set up"),
            (Paragraph, "One two three `f()`."),
            (List, "- a\n- b\n  1. c"),
            (Table, "k | v\n1 | 2"),
            (Code, "# no heading\nls"),
            (Heading(2), "Tail"),
        ];
        assert_eq!(read(text), wanted.map(|(kind, text)| (kind, text.to_owned())));
        assert_eq!(blocks(text).0.as_deref(), Some("Set up"));
    }

    #[test]
    fn html_in_markdown_is_read_as_html() {
        let text = "<p align=center>Hello <b>you</b></p>\n\n<!-- no -->\n\nEnd.";
        assert_eq!(read(text), [(Paragraph, "Hello you".to_owned()), (Paragraph, "End.".to_owned())]);
    }
}
