//! PDF: the text layer, page by page. A page is first flattened to its text operators, since the reader of fonts panics on what it
//! does not know and can be led into endless recursion; what is left of its panics costs one page.

mod bombs;
mod flatten;
mod fonts;
mod furniture;
mod glyphs;
mod lines;
mod page;
mod paragraphs;

use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{Document, LoadOptions, Object, OutputError};

use self::{glyphs::Glyphs, lines::Line, page::PageMaker};
use super::{Block, BlockKind, ExtractError, MAX_CHARACTERS};

/// Pages that are read; the time to find one in a file grows with their number.
const MOST_PAGES: usize = 50_000;

/// One page.
#[derive(Debug)]
struct Page {
    /// From 1.
    number: u32,
    /// In reading order.
    lines: Vec<Line>,
}

/// The blocks of a PDF, and its title.
pub(super) fn blocks(bytes: &[u8]) -> Result<(Option<String>, Vec<Block>), ExtractError> {
    let mut document = open(bytes)?;
    let title = title(&document);
    let pages: Vec<_> = document.page_iter().take(MOST_PAGES).collect();
    if pages.is_empty() {
        return Err(ExtractError::Broken { what: "it has no pages".to_owned() });
    }
    let count = pages.len();
    let mut maker = PageMaker::new(&mut document);
    let mut read = Vec::with_capacity(count);
    let mut characters = 0;
    let mut unreadable = 0;
    for (number, page) in (1..).zip(pages) {
        match maker.read(page, MAX_CHARACTERS - characters) {
            Read::Lines(lines) => {
                characters += lines.iter().map(|line| line.characters).sum::<usize>();
                read.push(Page { number, lines });
            }
            Read::Unreadable => unreadable += 1,
            Read::TooLong => return Err(ExtractError::TooLong),
        }
    }
    if unreadable == count {
        return Err(ExtractError::Broken { what: "none of its pages can be read".to_owned() });
    }
    if unreadable > 0 {
        tracing::warn!(pages = count, unreadable, "{unreadable} of {count} pages of a PDF cannot be read and are left out");
    }
    furniture::remove(&mut read);
    let blocks = paragraphs::blocks(read);
    if blocks.is_empty() {
        return Err(ExtractError::NoTextLayer { pages: count });
    }
    let title = title
        .or_else(|| blocks.iter().take(10).find(|block| block.kind == BlockKind::Heading(1)).map(|block| block.text.clone()));
    Ok((title, blocks))
}

/// What came of one page.
enum Read {
    Lines(Vec<Line>),
    Unreadable,
    TooLong,
}

/// Opens the file; an empty password is tried, since many files are encrypted against changes only.
fn open(bytes: &[u8]) -> Result<Document, ExtractError> {
    let broken = |what: String| ExtractError::Broken { what };
    if bombs::in_structure(bytes) {
        return Err(broken("its tables unpack to an absurd size".to_owned()));
    }
    let loaded =
        catch_unwind(AssertUnwindSafe(|| Document::load_mem_with_options(bytes, LoadOptions::with_filter(without_images))));
    let mut document = match loaded {
        Ok(Ok(document)) => document,
        Ok(Err(pdf_extract::Error::InvalidPassword | pdf_extract::Error::Decryption(_))) => return Err(ExtractError::Encrypted),
        Ok(Err(error)) => return Err(broken(error.to_string())),
        Err(_) => return Err(broken("its structure cannot be read".to_owned())),
    };
    if document.is_encrypted() {
        let decrypted = catch_unwind(AssertUnwindSafe(|| document.decrypt("")));
        if !matches!(decrypted, Ok(Ok(()))) {
            return Err(ExtractError::Encrypted);
        }
    }
    bombs::defuse(&mut document);
    Ok(document)
}

/// Images are most of the bytes of many files, and hold no text for us. The library takes what is returned for objects inside of
/// tables, where no stream can be, and of the others only looks whether something is returned.
fn without_images(id: (u32, u16), object: &mut Object) -> Option<((u32, u16), Object)> {
    match object {
        Object::Stream(stream) => {
            let is_image = stream.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|name| name == b"Image");
            (!is_image).then_some((id, Object::Null))
        }
        _ => Some((id, object.clone())),
    }
}

/// The title in the file's properties, unless a program put its own words there.
fn title(document: &Document) -> Option<String> {
    let info = document.trailer.get(b"Info").ok()?;
    let (_, info) = document.dereference(info).ok()?;
    let (_, title) = document.dereference(info.as_dict().ok()?.get(b"Title").ok()?).ok()?;
    let title = pdf_extract::decode_text_string(title).ok()?;
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ").replace('\0', "");
    let lower = title.to_lowercase();
    let is_noise =
        lower.is_empty() || lower.starts_with("untitled") || lower.starts_with("microsoft word -") || lower.ends_with(".dvi");
    (!is_noise).then(|| title.chars().take(300).collect())
}
