//! Word documents (Office Open XML): paragraphs, headings by their styles, lists, tables, text boxes, foot- and endnotes. Text that was
//! deleted under tracking, running heads and comments are left out.

mod numbering;
mod styles;
mod writer;

use self::{numbering::Numbering, styles::Styles, writer::Writer};
use super::{
    Block, BlockKind, ExtractError, MAX_CHARACTERS,
    archive::Archive,
    office,
    xml::{self, Node},
};

pub(super) const FORMAT: &str = "Word";

/// The blocks of a document, and its title.
pub(super) fn blocks(bytes: &[u8]) -> Result<(Option<String>, Vec<Block>), ExtractError> {
    let mut archive = Archive::open(bytes, FORMAT)?;
    let document = archive.required("word/document.xml")?;
    let styles = archive.read("word/styles.xml")?.map_or_else(|| Ok(Styles::default()), |xml| Styles::read(&xml))?;
    let numbering = archive.read("word/numbering.xml")?.map_or_else(|| Ok(Numbering::default()), |xml| Numbering::read(&xml))?;
    let title = office::title(&mut archive)?;
    let mut writer = Writer::new(styles, numbering);
    read(&document, &mut writer)?;
    for notes in ["word/footnotes.xml", "word/endnotes.xml"] {
        if let Some(notes) = archive.read(notes)? {
            read(&notes, &mut writer)?;
        }
    }
    let blocks = writer.end();
    let title = title
        .or_else(|| blocks.iter().take(10).find(|block| block.kind == BlockKind::Heading(1)).map(|block| block.text.clone()));
    Ok((title, blocks))
}

/// Reads one part.
fn read(part: &[u8], writer: &mut Writer) -> Result<(), ExtractError> {
    // Depth inside of an element that is left out.
    let mut skipped = 0_usize;
    let mut in_text = false;
    let mut in_properties = 0_usize;
    xml::walk(FORMAT, part, |node| {
        match node {
            Node::Open(_) if skipped > 0 => skipped += 1,
            Node::Close(_) if skipped > 0 => skipped -= 1,
            Node::Open(element) => match element.name() {
                // The second form of what stands before it; text that is gone; how a character is said; a style that is gone.
                "Fallback" | "moveFrom" | "rt" | "instrText" | "del" | "pPrChange" => skipped = 1,
                "p" => writer.begin_paragraph(),
                "pPr" | "rPr" | "tblPr" | "sectPr" => in_properties += 1,
                "pStyle" => writer.style(element.attribute("val")),
                "outlineLvl" if in_properties > 0 => writer.outline(element.attribute("val")),
                "ilvl" => writer.level(element.attribute("val")),
                "numId" => writer.list(element.attribute("val")),
                "t" => in_text = true,
                "tab" | "ptab" if in_properties == 0 => writer.push(" "),
                "br" if element.attribute("type").is_none_or(|kind| kind == "textWrapping") => writer.push("\n"),
                "cr" => writer.push("\n"),
                "noBreakHyphen" => writer.push("-"),
                "tbl" => writer.begin_table(),
                "tc" => writer.begin_cell(),
                _ => {}
            },
            Node::Text(text) if in_text && skipped == 0 => writer.push(&text),
            Node::Text(_) => {}
            Node::Close(name) => match name {
                "p" => writer.end_paragraph(),
                "pPr" | "rPr" | "tblPr" | "sectPr" => in_properties = in_properties.saturating_sub(1),
                "t" => in_text = false,
                "tr" => writer.end_row(),
                "tbl" => writer.end_table(),
                _ => {}
            },
        }
        if writer.characters() > MAX_CHARACTERS { Err(ExtractError::TooLong) } else { Ok(()) }
    })
}
