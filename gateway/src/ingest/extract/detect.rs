//! Which format a file has: by its first bytes, then by its name, then by what the sender declared. Reads nothing of the text.

use super::{ExtractError, archive, email, source::Comments};

/// The formats that can be read, for people.
pub(super) const SUPPORTED: &str = "plain text, Markdown, HTML, PDF, Word (.docx), PowerPoint (.pptx), Excel (.xlsx), CSV, JSON, \
     JSON Lines, e-mail (.eml), EPUB and programs";

/// A format that can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Plain,
    Markdown,
    Html,
    Pdf,
    Docx,
    Pptx,
    Xlsx,
    Epub,
    Email,
    /// Values parted by commas, semicolons or tabs.
    Csv,
    Json,
    JsonLines,
    /// A program, or data that is written like one.
    Source(Comments),
}

impl Format {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Plain | Self::Source(_) => "text/plain",
            Self::Html => "text/html",
            Self::Markdown => "text/markdown",
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Epub => "application/epub+zip",
            Self::Email => "message/rfc822",
            Self::Csv => "text/csv",
            Self::Json => "application/json",
            Self::JsonLines => "application/x-ndjson",
        }
    }
}

/// First bytes of formats that hold no plain text, with their names for people.
const FOREIGN: &[(&[u8], &str)] = &[
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

/// The container of Office before 2007, and of files with a password since.
const COMPOUND: &[u8] = b"\xD0\xCF\x11\xE0";
/// The stream in it that holds a file with a password, in UTF-16.
const ENCRYPTED: &str = "EncryptedPackage";

/// Tells the format.
///
/// # Errors
/// The bytes are those of a format that is not supported.
pub(super) fn format(bytes: &[u8], filename: &str, declared: Option<&str>) -> Result<Format, ExtractError> {
    if is_pdf(bytes) {
        return Ok(Format::Pdf);
    }
    if bytes.starts_with(COMPOUND) {
        let name: Vec<u8> = ENCRYPTED.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let is_locked = bytes.windows(name.len()).any(|window| window == name);
        return Err(if is_locked {
            ExtractError::Locked { format: "Office" }
        } else {
            ExtractError::Unsupported { found: "old Office (.doc, .xls, .ppt)" }
        });
    }
    let extension = filename.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let named = extension.as_deref().and_then(by_extension).or_else(|| by_name(filename));
    if archive::is_zip(bytes) {
        return archive::format(bytes, named);
    }
    if let Some((_, found)) = FOREIGN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(ExtractError::Unsupported { found });
    }
    if is_html(bytes) {
        return Ok(Format::Html);
    }
    if let Some(format) = named {
        return Ok(format);
    }
    if email::is_email(bytes) {
        return Ok(Format::Email);
    }
    Ok(declared
        .and_then(by_type)
        .or_else(|| bytes.starts_with(b"#!").then_some(Format::Source(Comments::Hash)))
        .unwrap_or(Format::Plain))
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
    Some(match extension {
        "md" | "markdown" | "mdown" | "mkd" => Format::Markdown,
        "pdf" => Format::Pdf,
        "html" | "htm" | "xhtml" => Format::Html,
        "txt" | "text" | "log" | "rst" | "adoc" => Format::Plain,
        "docx" | "docm" | "dotx" => Format::Docx,
        "pptx" | "pptm" | "ppsx" => Format::Pptx,
        "xlsx" | "xlsm" | "xltx" => Format::Xlsx,
        "epub" => Format::Epub,
        "eml" => Format::Email,
        "csv" | "tsv" | "tab" => Format::Csv,
        "json" | "geojson" | "ipynb" => Format::Json,
        "jsonl" | "ndjson" => Format::JsonLines,
        _ => return Comments::of_extension(extension).map(Format::Source),
    })
}

fn by_name(filename: &str) -> Option<Format> {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_program = ["Dockerfile", "Containerfile", "Makefile", "Justfile", "Jenkinsfile", "Vagrantfile"].contains(&name);
    is_program.then_some(Format::Source(Comments::Hash))
}

fn by_type(declared: &str) -> Option<Format> {
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(match essence.as_str() {
        "text/markdown" | "text/x-markdown" => Format::Markdown,
        "application/pdf" => Format::Pdf,
        "text/html" | "application/xhtml+xml" => Format::Html,
        "text/csv" | "text/tab-separated-values" => Format::Csv,
        "application/json" => Format::Json,
        "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => Format::JsonLines,
        "message/rfc822" => Format::Email,
        "application/xml" | "text/xml" => Format::Source(Comments::Markup),
        "application/yaml" | "application/x-yaml" | "text/x-python" | "application/x-sh" => Format::Source(Comments::Hash),
        "text/javascript" | "application/javascript" | "text/x-rust" | "text/x-c" | "text/x-java" => {
            Format::Source(Comments::Slashes)
        }
        "text/plain" => Format::Plain,
        _ => return None,
    })
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
        assert_eq!(format(b"fn main() {}", "main.rs", None).unwrap(), Format::Source(Comments::Slashes));
        assert_eq!(format(b"#!/bin/sh\nls", "run", None).unwrap(), Format::Source(Comments::Hash));
        assert_eq!(format(b"{}", "a.json", None).unwrap(), Format::Json);
    }

    #[test]
    fn a_format_that_is_not_supported_is_named_with_those_that_are() {
        let error = format(b"\xD0\xCF\x11\xE0...", "a.doc", None).unwrap_err().to_string();
        assert!(error.starts_with("old Office (.doc, .xls, .ppt) files are not supported; supported are plain text"), "{error}");
    }

    #[test]
    fn an_office_file_with_a_password_is_told_from_an_old_one() {
        let stream: Vec<u8> = ENCRYPTED.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let error = format(&[COMPOUND, b"....", &stream].concat(), "a.docx", None).unwrap_err();
        assert!(matches!(error, ExtractError::Locked { .. }));
    }
}
