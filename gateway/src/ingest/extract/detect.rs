//! Which format a file has: by its first bytes, then by its name, then by what the sender declared. Reads nothing of the text.

use super::{BlockKind, ExtractError};

/// The formats that can be read, for people.
pub(super) const SUPPORTED: &str = "plain text (programs, CSV and JSON too), Markdown, HTML and PDF";

/// A format that can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Plain,
    Markdown,
    Html,
    Pdf,
    /// Text whose lines mean something: programs, tables.
    Lines(BlockKind),
}

impl Format {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Plain | Self::Lines(_) => "text/plain",
            Self::Html => "text/html",
            Self::Markdown => "text/markdown",
            Self::Pdf => "application/pdf",
        }
    }
}

/// First bytes of formats that hold no plain text, with their names for people.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "ZIP and Office"),
    (b"\xD0\xCF\x11\xE0", "old Office"),
    (b"\x1F\x8B", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xFD7zXZ\0", "xz"),
    (b"7z\xBC\xAF\x27\x1C", "7-Zip"),
    (b"\x89PNG", "PNG image"),
    (b"\xFF\xD8\xFF", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"II*\0", "TIFF image"),
    (b"MM\0*", "TIFF image"),
    (b"\x7FELF", "program"),
    (b"{\\rtf", "RTF"),
    (b"%!PS", "PostScript"),
    (b"SQLite format 3\0", "SQLite"),
];

/// Tells the format.
///
/// # Errors
/// The bytes are those of a format that is not supported.
pub(super) fn format(bytes: &[u8], filename: &str, declared: Option<&str>) -> Result<Format, ExtractError> {
    if is_pdf(bytes) {
        return Ok(Format::Pdf);
    }
    if let Some((_, found)) = FOREIGN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(ExtractError::Unsupported { found });
    }
    if is_html(bytes) {
        return Ok(Format::Html);
    }
    let extension = filename.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    Ok(extension.as_deref().and_then(by_extension).or_else(|| declared.and_then(by_type)).unwrap_or(Format::Plain))
}

fn is_pdf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"%PDF-")
}

fn is_html(bytes: &[u8]) -> bool {
    let head = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let head = String::from_utf8_lossy(&head[..head.len().min(1_024)]).to_ascii_lowercase();
    let is_xhtml = || head.starts_with("<?xml") && head.contains("<html");
    head.starts_with("<!doctype html") || head.starts_with("<html") || is_xhtml()
}

fn by_extension(extension: &str) -> Option<Format> {
    match extension {
        "md" | "markdown" | "mdown" | "mkd" => Some(Format::Markdown),
        "pdf" => Some(Format::Pdf),
        "html" | "htm" | "xhtml" => Some(Format::Html),
        "txt" | "text" | "log" | "rst" | "adoc" => Some(Format::Plain),
        "csv" | "tsv" => Some(Format::Lines(BlockKind::Table)),
        "c" | "cc" | "cpp" | "cs" | "css" | "go" | "h" | "hpp" | "java" | "js" | "json" | "jsonl" | "kt" | "lua" | "php"
        | "pl" | "proto" | "py" | "rb" | "rs" | "scala" | "sh" | "sql" | "swift" | "toml" | "ts" | "tsx" | "xml" | "yaml"
        | "yml" => Some(Format::Lines(BlockKind::Code)),
        _ => None,
    }
}

fn by_type(declared: &str) -> Option<Format> {
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "text/markdown" | "text/x-markdown" => Some(Format::Markdown),
        "application/pdf" => Some(Format::Pdf),
        "text/html" | "application/xhtml+xml" => Some(Format::Html),
        "text/csv" | "text/tab-separated-values" => Some(Format::Lines(BlockKind::Table)),
        "application/json" | "application/xml" | "text/xml" | "application/yaml" => Some(Format::Lines(BlockKind::Code)),
        "text/plain" => Some(Format::Plain),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_beat_the_name_and_the_name_beats_the_declared_type() {
        assert_eq!(format(b"%PDF-1.7", "a.txt", Some("text/html")).unwrap(), Format::Pdf);
        assert_eq!(format(b"\n<!DOCTYPE HTML>", "a.txt", None).unwrap(), Format::Html);
        assert_eq!(format(b"<p>", "a.md", Some("text/html")).unwrap(), Format::Markdown);
        assert_eq!(format(b"<p>", "a", Some("Text/HTML; charset=utf-8")).unwrap(), Format::Html);
        assert_eq!(format(b"words", "README", None).unwrap(), Format::Plain);
        assert_eq!(format(b"fn main() {}", "main.rs", None).unwrap(), Format::Lines(BlockKind::Code));
    }

    #[test]
    fn a_format_that_is_not_supported_is_named_with_those_that_are() {
        let error = format(b"PK\x03\x04...", "a.docx", None).unwrap_err().to_string();
        assert_eq!(
            error,
            "ZIP and Office files are not supported; supported are plain text (programs, CSV and JSON too), Markdown, HTML and PDF"
        );
    }
}
