//! The encoding of a page: what the sender says, then what the page says, then what fits.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// A page names its encoding within so many bytes.
const PRESCAN_BYTES: usize = 1_024;

/// A byte order mark, which wins over all of it, is looked at as the page is decoded.
pub(super) fn of(bytes: &[u8], declared: Option<&str>) -> &'static Encoding {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(PRESCAN_BYTES)]).to_ascii_lowercase();
    let named = declared.map(str::to_ascii_lowercase).as_deref().and_then(|declared| label(declared, "charset"));
    let named = named
        .or_else(|| label(&head, "charset"))
        .or_else(|| head.starts_with("<?xml").then(|| label(&head, "encoding")).flatten());
    match named {
        // A page that could be read so far is not in two bytes a letter.
        Some(encoding) if encoding.is_ascii_compatible() => encoding,
        Some(_) => UTF_8,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => WINDOWS_1252,
    }
}

/// The encoding behind `key=`.
fn label(text: &str, key: &str) -> Option<&'static Encoding> {
    text.match_indices(key).find_map(|(at, _)| {
        let value = text[at + key.len()..].trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        let end = value
            .find(|character: char| !(character.is_ascii_alphanumeric() || "-_:.".contains(character)))
            .unwrap_or(value.len());
        Encoding::for_label(&value.as_bytes()[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sender_page_and_guess_are_asked_in_turn() {
        let page = b"<meta http-equiv=content-type content='text/html; charset=ISO-8859-2'>";
        assert_eq!(of(page, Some("text/html; charset=koi8-r")).name(), "KOI8-R");
        assert_eq!(of(page, Some("text/html")).name(), "ISO-8859-2");
        assert_eq!(of(b"<meta charset = \"shift_jis\">", None).name(), "Shift_JIS");
        assert_eq!(of(b"<?xml version='1.0' encoding='EUC-JP'?><html>", None).name(), "EUC-JP");
        assert_eq!(of("<p>ä".as_bytes(), None).name(), "UTF-8");
        assert_eq!(of(b"<p>\xE4", None).name(), "windows-1252");
    }
}
