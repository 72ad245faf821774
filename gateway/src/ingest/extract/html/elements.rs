//! What the elements of HTML are.

use html5ever::{Attribute, LocalName};

/// Has no content and no end tag.
pub(super) fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "source"
            | "track"
            | "wbr"
            | "param"
    )
}

/// Whether the last open element ends where another begins, its end tag having been left out.
pub(super) fn is_ended_by(last: &str, next: &str) -> bool {
    match last {
        "p" => is_block(next),
        "li" => next == "li",
        "dt" | "dd" => matches!(next, "dt" | "dd"),
        "td" | "th" => matches!(next, "td" | "th" | "tr" | "tbody" | "tfoot"),
        "tr" => matches!(next, "tr" | "tbody" | "tfoot"),
        "option" => matches!(next, "option" | "optgroup"),
        _ => false,
    }
}

/// Stands on lines of its own.
pub(super) fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "dir"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hgroup"
            | "hr"
            | "html"
            | "legend"
            | "li"
            | "main"
            | "menu"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "summary"
            | "table"
            | "tr"
            | "ul"
    )
}

/// The level of a heading.
pub(super) fn heading(name: &str) -> Option<u8> {
    match name.as_bytes() {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}

/// Whether readers do not see the element, or do not read it.
pub(super) fn is_left_out(name: &str, attributes: &[Attribute], open: &[LocalName]) -> bool {
    match name {
        "script" | "style" | "noscript" | "template" | "nav" | "svg" | "iframe" | "object" | "canvas" | "audio" | "video"
        | "select" | "button" | "textarea" | "noembed" | "noframes" | "datalist" => return true,
        "footer" => {
            return !open.iter().rev().take(100).any(|open| matches!(&**open, "article" | "main" | "section" | "blockquote"));
        }
        _ => {}
    }
    attributes.iter().any(|Attribute { name, value }| match &*name.local {
        "hidden" => !value.eq_ignore_ascii_case("until-found"),
        "aria-hidden" => value.eq_ignore_ascii_case("true"),
        "role" => matches!(value.to_ascii_lowercase().as_str(), "navigation" | "search" | "menu" | "menubar" | "toolbar"),
        "class" => value.split_whitespace().any(|class| class == "headerlink"),
        "style" => {
            let style: String = value.to_ascii_lowercase().split_whitespace().collect();
            style.contains("display:none") || style.contains("visibility:hidden")
        }
        _ => false,
    })
}
