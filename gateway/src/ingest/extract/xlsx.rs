//! Spreadsheets (Office Open XML): each sheet a heading and a table, cell by cell as they are stored, so that an empty sheet that claims
//! to be huge costs nothing. Hidden sheets are left out; of formulas the last result is read.

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use calamine::{Cell, DataRef, ExcelDateTime, Reader, SheetVisible, Xlsx, XlsxError};

use super::{Block, BlockKind, ExtractError, MAX_CHARACTERS, archive::Archive, office, table::Rows};

const FORMAT: &str = "Excel";
/// Empty cells that are kept between two that are not.
const MOST_GAP: usize = 64;
/// Tags in the lists of styles, sheets and references, each. Excel makes 65,490 styles at most.
const MOST_STYLES: usize = 500_000;
/// Tags in the list of texts.
const MOST_TAGS_OF_STRINGS: usize = 8_000_000;

/// The blocks of a workbook, and its title.
pub(super) fn blocks(bytes: &[u8]) -> Result<(Option<String>, Vec<Block>), ExtractError> {
    let mut archive = Archive::open(bytes, FORMAT)?;
    // The library unpacks what it wants without bounds.
    archive.check(most_tags)?;
    let title = office::title(&mut archive)?;
    // The library has panicked on broken files before.
    let blocks = catch_unwind(AssertUnwindSafe(|| sheets(bytes)));
    let broken = |_| ExtractError::BrokenFile { format: FORMAT, what: "its structure cannot be read".to_owned() };
    Ok((title, blocks.map_err(broken)??))
}

/// The visible sheets, one after the other.
fn sheets(bytes: &[u8]) -> Result<Vec<Block>, ExtractError> {
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| failed(&error))?;
    let sheets: Vec<String> = workbook
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.visible == SheetVisible::Visible)
        .map(|sheet| sheet.name.clone())
        .collect();
    let mut blocks = Vec::new();
    let mut characters = 0;
    for name in sheets {
        let sheet: Arc<str> = name.as_str().into();
        let Some(rows) = rows(&mut workbook, &sheet, MAX_CHARACTERS - characters)? else { continue };
        characters += rows.len();
        if let Some(table) = rows.end() {
            blocks.push(Block { sheet: Some(sheet), ..Block::new(BlockKind::Heading(1), name) });
            blocks.push(table);
        }
    }
    Ok(blocks)
}

/// Tags that a member may have: the library keeps much memory for each of some. `None`: it never opens it.
fn most_tags(name: &str) -> Option<usize> {
    if name.starts_with("xl/media/") || name.starts_with("xl/embeddings/") {
        return None;
    }
    let file = name.rsplit('/').next().unwrap_or_default();
    Some(match file {
        "styles.xml" => MOST_STYLES,
        "sharedstrings.xml" => MOST_TAGS_OF_STRINGS,
        file if file.ends_with(".rels") || file.contains("workbook") => MOST_STYLES,
        _ => usize::MAX,
    })
}

/// The rows of a sheet; `None` for one without cells, as a chart is.
fn rows(workbook: &mut Xlsx<Cursor<&[u8]>>, sheet: &Arc<str>, most_characters: usize) -> Result<Option<Rows>, ExtractError> {
    let mut cells = match workbook.worksheet_cells_reader(sheet) {
        Ok(cells) => cells,
        Err(XlsxError::NotAWorksheet(_) | XlsxError::WorksheetNotFound(_)) => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let mut rows = Rows::of_sheet(Arc::clone(sheet));
    let mut row = Vec::new();
    let mut number = 0;
    while let Some(cell) = cells.next_cell().map_err(|error| failed(&error))? {
        let (at, column) = cell.get_position();
        if at != number && !row.is_empty() {
            rows.push(&row, number.saturating_add(1))?;
            row.clear();
        }
        number = at;
        let text = text(&cell);
        if text.is_empty() {
            continue;
        }
        let gap = (column as usize).saturating_sub(row.len()).min(MOST_GAP);
        row.extend(std::iter::repeat_n(String::new(), gap));
        row.push(text);
        if rows.len() > most_characters || row.len() > MAX_CHARACTERS {
            return Err(ExtractError::TooLong);
        }
    }
    rows.push(&row, number.saturating_add(1))?;
    Ok(Some(rows))
}

fn text(cell: &Cell<DataRef<'_>>) -> String {
    match cell.get_value() {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(is_true) => if *is_true { "TRUE" } else { "FALSE" }.to_owned(),
        DataRef::DateTime(time) => date(time),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

/// A day, a time of the day, or both; a length of time in hours.
fn date(time: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    let value = time.as_f64();
    if time.is_duration() {
        let seconds = (value * 86_400.0).round().clamp(0.0, 1e15) as u64;
        return format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    if value < 1.0 {
        clock
    } else if value.fract() == 0.0 {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:04}-{month:02}-{day:02} {clock}")
    }
}

fn failed(error: &XlsxError) -> ExtractError {
    match error {
        XlsxError::Password => ExtractError::Locked { format: FORMAT },
        error => ExtractError::BrokenFile { format: FORMAT, what: error.to_string() },
    }
}
