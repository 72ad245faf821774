//! From a file's bytes to its text in blocks. Synchronous, without I/O and bounded in memory; the caller gives it a thread, a
//! deadline and a net for panics of the readers of formats.

mod archive;
mod csv;
mod decode;
mod detect;
mod docx;
mod email;
mod epub;
mod html;
mod json;
mod lines;
mod markdown;
mod office;
mod pdf;
mod plain;
mod pptx;
mod source;
mod table;
mod xlsx;
mod xml;

use std::sync::Arc;

pub use self::{detect::Format, lines::LineMap, source::Comments};

/// Characters that a file may hold, about 8,000 printed pages; beyond that it is refused, since its chunks are held in memory.
pub const MAX_CHARACTERS: usize = 20_000_000;

/// The text of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Extracted {
    pub title: Option<String>,
    /// The type that was detected, not the one that was declared.
    pub content_type: &'static str,
    /// In reading order; none has an empty text.
    pub blocks: Vec<Block>,
}

/// A piece of text that belongs together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    pub text: String,
    pub kind: BlockKind,
    /// The first line is the header of a table; it is repeated wherever the table is cut.
    pub has_header: bool,
    /// From 1, where the format has pages or slides.
    pub page: Option<u32>,
    /// The sheet of a spreadsheet.
    pub sheet: Option<Arc<str>>,
    /// The lines of the file, where the format has lines.
    pub lines: LineMap,
}

impl Block {
    /// A block that does not know where it stands.
    pub fn new(kind: BlockKind, text: impl Into<String>) -> Self {
        Self { text: text.into(), kind, has_header: false, page: None, sheet: None, lines: LineMap::default() }
    }
}

/// What a block is. Lines mean something in code, tables and lists, and nothing in the other two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BlockKind {
    /// The level, 1 to 6.
    Heading(u8),
    Paragraph,
    /// A program or a drawing in a document.
    Code,
    /// A piece of a program: a function, a type, or what stands between.
    Source,
    /// Comments of a program that stand alone.
    Comment,
    /// A record of data, one field a line; kept in one piece where it fits.
    Record,
    /// One line a row, cells parted by ` | `.
    Table,
    List,
}

/// Why a file has no text for us. The texts are for the person who uploaded it.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    #[error("the file is empty")]
    Empty,
    #[error("{found} files are not supported; supported are {}", detect::SUPPORTED)]
    Unsupported { found: &'static str },
    #[error("no text was found in the file")]
    NoText,
    #[error("the PDF has {pages} pages but no text layer; run text recognition (OCR) on it first, with ocrmypdf for one")]
    NoTextLayer { pages: usize },
    #[error("the PDF is protected by a password; save it without the password, with `qpdf --decrypt` for one")]
    Encrypted,
    #[error("the PDF is broken: {what}; open it in a viewer and save or print it as a new PDF")]
    Broken { what: String },
    #[error("the {format} file is protected by a password; save it without the password")]
    Locked { format: &'static str },
    #[error("the {format} file is broken: {what}; open it in the program that made it and save it anew")]
    BrokenFile { format: &'static str, what: String },
    #[error("the {format} is broken: {what}; mend it there, or name the file .txt to have it read as plain text")]
    BrokenData { format: &'static str, what: String },
    #[error("the {format} file {what} and is refused as a possible attack; save it anew, or split it")]
    Bomb { format: &'static str, what: &'static str },
    #[error("a tag of the page has more than {most} attributes; repair the page, or save it as plain text", most = html::MOST_ATTRIBUTES)]
    TooManyAttributes,
    #[error("the file holds more than {MAX_CHARACTERS} characters of text; split it")]
    TooLong,
}

/// Reads the text of a file. Its format is told by the first bytes, then by the name, then by the declared type.
///
/// # Errors
/// See [`ExtractError`]; each is the file's own fault, and trying again does not help.
pub fn extract(bytes: &[u8], filename: &str, content_type: Option<&str>) -> Result<Extracted, ExtractError> {
    if bytes.is_empty() {
        return Err(ExtractError::Empty);
    }
    let format = detect::format(bytes, filename, content_type)?;
    let (title, blocks) = match format {
        Format::Pdf => pdf::blocks(bytes)?,
        Format::Markdown => markdown::blocks(&decode::text(bytes)?),
        Format::Html => html::blocks(bytes, content_type)?,
        Format::Plain => (None, plain::blocks(&decode::text(bytes)?)),
        Format::Docx => docx::blocks(bytes)?,
        Format::Pptx => pptx::blocks(bytes)?,
        Format::Xlsx => xlsx::blocks(bytes)?,
        Format::Epub => epub::blocks(bytes)?,
        Format::Email => email::blocks(bytes)?,
        Format::Csv => (None, csv::blocks(&decode::text(bytes)?)?),
        Format::Json => (None, json::blocks(&decode::text(bytes)?)?),
        Format::JsonLines => (None, json::lines(&decode::text(bytes)?)?),
        Format::Source(comments) => (None, source::blocks(&decode::text(bytes)?, comments)),
    };
    if blocks.is_empty() {
        return Err(ExtractError::NoText);
    }
    Ok(Extracted { title, content_type: format.content_type(), blocks })
}
