//! Comma-separated values. What parts them is found out; the rows may differ in length.

use ::csv::{ReaderBuilder, StringRecord};

use super::{Block, ExtractError, table::Rows};

const FORMAT: &str = "CSV";
/// What may part values, by preference.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Rows that are looked at to find it.
const ROWS_TO_TRY: usize = 20;

/// The table of a text; none if it is empty.
pub(super) fn blocks(text: &str) -> Result<Vec<Block>, ExtractError> {
    let mut reader = reader(delimiter(text)).from_reader(text.as_bytes());
    let mut rows = Rows::default();
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => rows.push(&record.iter().collect::<Vec<_>>(), line(text, &record))?,
            Ok(false) => return Ok(rows.end().into_iter().collect()),
            Err(error) => return Err(ExtractError::BrokenData { format: FORMAT, what: error.to_string() }),
        }
    }
}

/// The line of a record, whose position is before the empty lines above it.
fn line(text: &str, record: &StringRecord) -> u32 {
    let Some(position) = record.position() else { return 1 };
    let rest = usize::try_from(position.byte()).ok().and_then(|byte| text.get(byte..)).unwrap_or_default();
    let empty = rest.bytes().take_while(|byte| *byte == b'\n').count() as u64;
    u32::try_from(position.line() + empty).unwrap_or(u32::MAX)
}

fn reader(delimiter: u8) -> ReaderBuilder {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter);
    builder
}

/// The one that gives the first rows the same number of cells, and the more cells the better.
fn delimiter(text: &str) -> u8 {
    let rank = |delimiter: &u8| {
        let mut reader = reader(*delimiter).from_reader(text.as_bytes());
        let counts: Vec<usize> = reader.records().take(ROWS_TO_TRY).flatten().map(|record| record.len()).collect();
        let first = counts.first().copied().unwrap_or(0);
        let same = counts.iter().filter(|count| **count == first).count();
        (first > 1, same * 100 / counts.len().max(1), first)
    };
    // The last of the best is taken.
    DELIMITERS.into_iter().rev().max_by_key(rank).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        blocks(text).unwrap().remove(0).text
    }

    #[test]
    fn commas_semicolons_and_tabs_are_told_apart() {
        for text in ["a,b\n1,2\n", "a;b\n1;2\n", "a\tb\n1\t2\n", "a|b\n1|2"] {
            assert_eq!(read(text), "a | b\n1 | 2");
        }
        assert_eq!(read("Name;Price\nTea;2,50\nCake, dry;3,10\n"), "Name | Price\nTea | 2,50\nCake, dry | 3,10");
    }

    #[test]
    fn quotes_and_rows_of_other_lengths_are_read() {
        let block = blocks("name,note\n\"a, b\",\"say \"\"hi\"\"\nthere\"\n\nc\n").unwrap().remove(0);
        assert_eq!(block.text, "name | note\na, b | say \"hi\" there\nc");
        let line = |word| block.lines.at(block.text.rfind(word).unwrap());
        assert_eq!([line("name"), line("say"), line("c")], [Some(1), Some(2), Some(5)]);
    }
}
