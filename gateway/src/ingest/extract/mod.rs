//! From a file's bytes to its text in blocks. Synchronous, without I/O and bounded in memory; the caller gives it a thread, a
//! deadline and a net for panics of the readers of formats.

mod decode;
mod detect;
mod html;
mod markdown;
mod pdf;
mod plain;

pub use detect::Format;

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
    /// From 1, where the format has pages.
    pub page: Option<u32>,
}

/// What a block is. Lines mean something in code, tables and lists, and nothing in the other two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BlockKind {
    /// The level, 1 to 6.
    Heading(u8),
    Paragraph,
    Code,
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
        Format::Lines(kind) => (None, plain::lines(&decode::text(bytes)?, kind)),
    };
    if blocks.is_empty() {
        return Err(ExtractError::NoText);
    }
    Ok(Extracted { title, content_type: format.content_type(), blocks })
}
