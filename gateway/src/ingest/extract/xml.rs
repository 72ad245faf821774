//! XML as a stream of tags and texts: no tree is built, nesting is bounded, entities other than XML's own five stand for nothing, and
//! nothing outside the text is looked up.

use std::borrow::Cow;

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

use super::ExtractError;

/// Elements inside of each other.
const MOST_DEPTH: usize = 1_000;

/// What comes next in a text.
pub(super) enum Node<'a> {
    Open(Element<'a>),
    Text(Cow<'a, str>),
    /// The local name.
    Close(&'a str),
}

/// The begin of an element.
pub(super) struct Element<'a>(BytesStart<'a>);

impl Element<'_> {
    /// Its name without a prefix.
    pub(super) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// An attribute by its name without a prefix.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        self.find(|local, _| local == name)
    }

    /// An attribute that has a prefix, as references to other parts have.
    pub(super) fn reference(&self, name: &str) -> Option<String> {
        self.find(|local, has_prefix| local == name && has_prefix)
    }

    fn find(&self, wanted: impl Fn(&str, bool) -> bool) -> Option<String> {
        // The check for doubles is quadratic.
        let mut attributes = self.0.attributes();
        let mut attributes = attributes.with_checks(false).flatten();
        let found =
            attributes.find(|attribute| wanted(attribute.key.local_name().into_inner(), attribute.key.prefix().is_some()))?;
        found.normalized_value(XmlVersion::Implicit1_0).ok().map(Cow::into_owned)
    }
}

/// Hands the nodes of a text to `visit`, in order.
pub(super) fn walk(
    format: &'static str,
    bytes: &[u8],
    mut visit: impl FnMut(Node<'_>) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    let broken = |what: String| ExtractError::BrokenFile { format, what };
    let (text, _, _) = encoding_rs::UTF_8.decode(bytes);
    let mut reader = Reader::from_str(&text);
    reader.config_mut().expand_empty_elements = true;
    let mut depth = 0_usize;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                depth += 1;
                if depth > MOST_DEPTH {
                    return Err(broken(format!("its parts are nested more than {MOST_DEPTH} deep")));
                }
                visit(Node::Open(Element(start)))?;
            }
            Ok(Event::End(end)) => {
                depth = depth.saturating_sub(1);
                visit(Node::Close(end.local_name().into_inner()))?;
            }
            Ok(Event::Text(text)) => visit(Node::Text(text.xml10_content()))?,
            Ok(Event::CData(text)) => visit(Node::Text(text.xml10_content()))?,
            Ok(Event::GeneralRef(reference)) => {
                let character = reference.resolve_char_ref().ok().flatten().filter(|character| *character != '\0');
                let text = character.map(String::from).or_else(|| resolve_predefined_entity(&reference).map(str::to_owned));
                visit(Node::Text(text.unwrap_or_default().into()))?;
            }
            Ok(Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
            Ok(Event::Eof) if depth > 0 => return Err(broken("a part of it ends too early".to_owned())),
            Ok(Event::Eof) => return Ok(()),
            Err(error) => return Err(broken(error.to_string())),
        }
    }
}
