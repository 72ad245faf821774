//! Bytes to characters: UTF-8, UTF-16 with a byte order mark, else Windows-1252, the superset of Latin-1 that the web agreed on.
//! Binary data is refused.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::{ExtractError, MAX_CHARACTERS};

/// Control characters, per thousand bytes, from which data counts as binary. Old texts hold form feeds and escape sequences.
const MOST_CONTROLS_PER_THOUSAND: usize = 20;

/// Decodes a text that says nothing about its encoding.
pub(super) fn text(bytes: &[u8]) -> Result<String, ExtractError> {
    let encoding = Encoding::for_bom(bytes).map_or_else(|| guess(bytes), |(encoding, _)| Ok(encoding))?;
    text_in(bytes, encoding)
}

/// Decodes by `encoding`, or by the byte order mark if there is one. What cannot be decoded becomes U+FFFD.
pub(super) fn text_in(bytes: &[u8], encoding: &'static Encoding) -> Result<String, ExtractError> {
    let (text, _, _) = encoding.decode(bytes);
    if text.len() > MAX_CHARACTERS && text.chars().count() > MAX_CHARACTERS {
        return Err(ExtractError::TooLong);
    }
    Ok(if text.contains(['\0', '\r', '\u{feff}']) { tidied(&text) } else { text.into_owned() })
}

/// UTF-8 when all of it is; else, when it looks like text, Windows-1252.
fn guess(bytes: &[u8]) -> Result<&'static Encoding, ExtractError> {
    if looks_binary(bytes) {
        return Err(ExtractError::Unsupported { found: "binary" });
    }
    Ok(if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1252 })
}

fn looks_binary(bytes: &[u8]) -> bool {
    let controls = bytes.iter().filter(|byte| **byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C | 0x1B)).count();
    bytes.contains(&0) || controls * 1_000 > bytes.len() * MOST_CONTROLS_PER_THOUSAND
}

/// Line ends become `\n`; NUL, which PostgreSQL refuses, and byte order marks are dropped.
fn tidied(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace(['\0', '\u{feff}'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_8_utf_16_and_windows_1252_are_told_apart() {
        let utf_16: Vec<u8> = "\u{feff}Größe €".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in ["Größe €".as_bytes(), "\u{feff}Größe €".as_bytes(), &utf_16, b"Gr\xF6\xDFe \x80"] {
            assert_eq!(text(bytes).unwrap(), "Größe €");
        }
    }

    #[test]
    fn binary_data_is_refused() {
        let error = text(b"some\0thing").unwrap_err();
        assert_eq!(error.to_string().split(';').next(), Some("binary files are not supported"));
    }

    #[test]
    fn line_ends_become_newlines() {
        assert_eq!(text(b"a\r\nb\rc").unwrap(), "a\nb\nc");
    }
}
