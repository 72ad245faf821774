//! Which format a file has: by its first bytes, then by its name, then by what the sender declared. Reads nothing of the text.

use super::ExtractError;

/// The formats that can be read, for people.
pub(super) const SUPPORTED: &str = "plain text, Markdown and PDF";

/// A format that can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Plain,
    Markdown,
    Pdf,
}

impl Format {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain",
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
    let extension = filename.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    Ok(extension.as_deref().and_then(by_extension).or_else(|| declared.and_then(by_type)).unwrap_or(Format::Plain))
}

/// Readers accept a PDF whose header is preceded by up to 1,024 bytes of something else.
fn is_pdf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"%PDF-")
}

fn by_extension(extension: &str) -> Option<Format> {
    match extension {
        "md" | "markdown" | "mdown" | "mkd" => Some(Format::Markdown),
        "pdf" => Some(Format::Pdf),
        "txt" | "text" | "log" | "rst" => Some(Format::Plain),
        _ => None,
    }
}

fn by_type(declared: &str) -> Option<Format> {
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "text/markdown" | "text/x-markdown" => Some(Format::Markdown),
        "application/pdf" => Some(Format::Pdf),
        "text/plain" => Some(Format::Plain),
        _ => None,
    }
}
