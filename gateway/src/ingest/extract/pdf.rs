//! PDF: the text layer, page by page.

use super::{Block, BlockKind, ExtractError};

pub(super) fn blocks(bytes: &[u8]) -> Result<(Option<String>, Vec<Block>), ExtractError> {
    let pages =
        pdf_extract::extract_text_from_mem_by_pages(bytes).map_err(|error| ExtractError::Broken { what: error.to_string() })?;
    let mut blocks = Vec::new();
    for (page, text) in (1..).zip(&pages) {
        let paragraphs = text.split("\n\n").map(str::trim).filter(|text| !text.is_empty());
        blocks.extend(paragraphs.map(|text| Block { text: text.to_owned(), kind: BlockKind::Paragraph, page: Some(page) }));
    }
    if blocks.is_empty() { Err(ExtractError::NoTextLayer { pages: pages.len() }) } else { Ok((None, blocks)) }
}
