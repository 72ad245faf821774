//! Presentations (Office Open XML): slide by slide in the order of the show, each with its title, texts, tables and speaker's notes.

use super::{
    Block, BlockKind, ExtractError, MAX_CHARACTERS,
    archive::Archive,
    office::{self, one_line},
    xml::{self, Node},
};

const FORMAT: &str = "PowerPoint";
const PRESENTATION: &str = "ppt/presentation.xml";
/// Indentation that is kept.
const MOST_INDENT: usize = 8;

/// The blocks of a presentation, and its title.
pub(super) fn blocks(bytes: &[u8]) -> Result<(Option<String>, Vec<Block>), ExtractError> {
    let mut archive = Archive::open(bytes, FORMAT)?;
    let title = office::title(&mut archive)?;
    let mut blocks = Vec::new();
    let mut characters = 0;
    for (number, name) in (1..).zip(slides(&mut archive)?) {
        let Some(slide) = archive.read(&name)? else { continue };
        let mut texts = read(&slide, MAX_CHARACTERS - characters)?;
        if !texts.iter().any(|block| matches!(block.kind, BlockKind::Heading(_))) {
            texts.insert(0, Block::new(BlockKind::Heading(1), format!("Slide {number}")));
        }
        let references = office::references(&mut archive, FORMAT, &name)?;
        if let Some(notes) = references.into_values().find(|target| target.kind == "notesSlide")
            && let Some(notes) = archive.read(&notes.name)?
        {
            let notes = read(&notes, MAX_CHARACTERS - characters)?;
            texts.extend(notes.into_iter().map(|block| Block { text: format!("Notes: {}", block.text), ..block }));
        }
        characters += texts.iter().map(|block| block.text.len()).sum::<usize>();
        if characters > MAX_CHARACTERS {
            return Err(ExtractError::TooLong);
        }
        // A slide that says nothing has only the heading that was made up for it.
        if texts.len() > 1 || texts.iter().any(|block| block.text != format!("Slide {number}")) {
            blocks.extend(texts.into_iter().map(|block| Block { page: Some(number), ..block }));
        }
    }
    Ok((title, blocks))
}

/// The names of the slides, in order.
fn slides(archive: &mut Archive<'_>) -> Result<Vec<String>, ExtractError> {
    let presentation = archive.required(PRESENTATION)?;
    let targets = office::references(archive, FORMAT, PRESENTATION)?;
    let mut slides = Vec::new();
    xml::walk(FORMAT, &presentation, |node| {
        if let Node::Open(element) = node
            && element.name() == "sldId"
            && let Some(target) = element.reference("id").and_then(|id| targets.get(&id))
        {
            slides.push(target.name.clone());
        }
        Ok(())
    })?;
    Ok(slides)
}

/// What a shape is for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Role {
    #[default]
    Body,
    Title,
    /// Numbers, dates, running heads, and the picture of the slide above its notes.
    Furniture,
}

/// One slide, or its notes, as it is read.
#[derive(Debug, Default)]
struct Slide {
    blocks: Vec<Block>,
    role: Role,
    /// The paragraphs of the shape with their indentation.
    paragraphs: Vec<(usize, String)>,
    text: String,
    indent: usize,
    rows: String,
    cells: Vec<String>,
    in_table: bool,
    characters: usize,
}

fn read(part: &[u8], most_characters: usize) -> Result<Vec<Block>, ExtractError> {
    let mut slide = Slide::default();
    let mut skipped = 0_usize;
    let mut in_text = false;
    xml::walk(FORMAT, part, |node| {
        match node {
            Node::Open(_) if skipped > 0 => skipped += 1,
            Node::Close(_) if skipped > 0 => skipped -= 1,
            Node::Open(element) => match element.name() {
                "Fallback" => skipped = 1,
                "sp" | "graphicFrame" => slide.role = Role::Body,
                "ph" => slide.role = role(element.attribute("type").as_deref()),
                "pPr" => slide.indent = element.attribute("lvl").and_then(|level| level.parse().ok()).unwrap_or(0),
                "br" => slide.push("\n"),
                "tab" => {}
                "t" => in_text = true,
                "tbl" => slide.in_table = true,
                "tc" => slide.cells.push(String::new()),
                _ => {}
            },
            Node::Text(text) if in_text && skipped == 0 => slide.push(&text),
            Node::Text(_) => {}
            Node::Close(name) => match name {
                "t" => in_text = false,
                "p" => slide.end_paragraph(),
                "sp" => slide.end_shape(),
                "tr" => slide.end_row(),
                "tbl" => slide.end_table(),
                _ => {}
            },
        }
        if slide.characters > most_characters { Err(ExtractError::TooLong) } else { Ok(()) }
    })?;
    slide.end_shape();
    Ok(slide.blocks)
}

fn role(placeholder: Option<&str>) -> Role {
    match placeholder {
        Some("title" | "ctrTitle") => Role::Title,
        Some("sldNum" | "dt" | "ftr" | "hdr" | "sldImg") => Role::Furniture,
        Some(_) | None => Role::Body,
    }
}

impl Slide {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.characters += text.len();
    }

    fn end_paragraph(&mut self) {
        let text = std::mem::take(&mut self.text);
        let indent = std::mem::take(&mut self.indent).min(MOST_INDENT);
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if !self.in_table {
            self.paragraphs.push((indent, text.to_owned()));
        } else if let Some(cell) = self.cells.last_mut() {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(&one_line(text));
        }
    }

    fn end_shape(&mut self) {
        let paragraphs = std::mem::take(&mut self.paragraphs);
        match (self.role, &paragraphs[..]) {
            (Role::Furniture, _) | (_, []) => {}
            (Role::Title, paragraphs) => {
                let texts: Vec<_> = paragraphs.iter().map(|(_, text)| one_line(text)).collect();
                // The title is read first, wherever it stands.
                self.blocks.insert(0, Block::new(BlockKind::Heading(1), texts.join(" ")));
            }
            (Role::Body, [(_, text)]) => self.blocks.push(Block::new(BlockKind::Paragraph, text.as_str())),
            (Role::Body, paragraphs) => {
                let items: Vec<_> =
                    paragraphs.iter().map(|(indent, text)| format!("{}- {}", "  ".repeat(*indent), one_line(text))).collect();
                self.blocks.push(Block::new(BlockKind::List, items.join("\n")));
            }
        }
        self.role = Role::Body;
    }

    fn end_row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        if cells.iter().any(|cell| !cell.is_empty()) {
            if !self.rows.is_empty() {
                self.rows.push('\n');
            }
            self.rows.push_str(cells.join(" | ").trim_end_matches([' ', '|']));
        }
    }

    fn end_table(&mut self) {
        self.in_table = false;
        let rows = std::mem::take(&mut self.rows);
        if !rows.is_empty() {
            self.blocks.push(Block { has_header: rows.contains('\n'), ..Block::new(BlockKind::Table, rows) });
        }
    }
}
