//! JSON and JSON Lines as text that reads: one line a value, with the path to it. Written while the file is read, so that no tree of it
//! is ever held.

mod record;

use self::record::Writer;
use super::{Block, BlockKind, ExtractError, LineMap, MAX_CHARACTERS};

/// The records of a JSON file: the elements of a list, or the parts of an object. Several values in a row are read too.
pub(super) fn blocks(text: &str) -> Result<Vec<Block>, ExtractError> {
    let mut writer = Writer::new(MAX_CHARACTERS);
    let mut values = serde_json::Deserializer::from_str(text);
    loop {
        match values.end() {
            Ok(()) => break,
            Err(error) if error.is_eof() => break,
            Err(_) => writer.value(&mut values).map_err(|error| broken("JSON", &error.to_string(), &writer))?,
        }
    }
    Ok(writer.end().into_iter().map(|record| Block::new(BlockKind::Record, record)).collect())
}

/// The records of JSON Lines, one a line.
pub(super) fn lines(text: &str) -> Result<Vec<Block>, ExtractError> {
    let mut blocks = Vec::new();
    let mut room = MAX_CHARACTERS;
    for (number, line) in (1_u32..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let mut writer = Writer::new(room);
        let mut value = serde_json::Deserializer::from_str(line);
        let read = writer.record(&mut value).and_then(|()| value.end());
        read.map_err(|error| broken("JSON Lines", &format!("line {number}: {error}"), &writer))?;
        for record in writer.end() {
            room = room.saturating_sub(record.len());
            let mut lines = LineMap::default();
            lines.mark(0, number);
            blocks.push(Block { lines, ..Block::new(BlockKind::Record, record) });
        }
    }
    Ok(blocks)
}

fn broken(format: &'static str, what: &str, writer: &Writer) -> ExtractError {
    if writer.is_full() { ExtractError::TooLong } else { ExtractError::BrokenData { format, what: what.to_owned() } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        blocks(text).unwrap().into_iter().map(|block| block.text).collect()
    }

    #[test]
    fn the_elements_of_a_list_are_records_with_paths() {
        let text = r#"[{"name": "a", "address": {"city": "Bern", "zip": 3000}, "tags": ["x", "y"], "none": null},
                      {"name": "b", "parts": [{"id": 1}, {"id": 2}]}, 7]"#;
        assert_eq!(
            read(text),
            ["name: a\naddress.city: Bern\naddress.zip: 3000\ntags: x, y", "name: b\nparts[0].id: 1\nparts[1].id: 2", "7",]
        );
    }

    #[test]
    fn an_object_is_parted_into_its_parts_and_the_elements_of_its_lists() {
        let text = r#"{"version": 2, "by": "me", "users": [{"id": 1}, {"id": 2}], "limits": {"most": 1.5, "on": true}}"#;
        assert_eq!(read(text), ["version: 2\nby: me", "users[0].id: 1", "users[1].id: 2", "limits.most: 1.5\nlimits.on: true"]);
    }

    #[test]
    fn what_is_broken_is_named_with_its_place() {
        let error = blocks("{\"a\": 1,\n oops}").unwrap_err().to_string();
        assert!(error.starts_with("the JSON is broken: ") && error.contains("line 2 column 2"), "{error}");
        let error = lines("{\"a\": 1}\n\n{\"a\": }\n").unwrap_err().to_string();
        assert!(error.contains("line 3: "), "{error}");
        assert!(blocks(&"[".repeat(10_000)).is_err());
    }

    #[test]
    fn each_line_is_a_record() {
        let blocks = lines("{\"a\": 1, \"b\": {\"c\": [1, 2]}}\n\n{\"a\": \"two\\nlines\"}\n").unwrap();
        let texts: Vec<_> = blocks.iter().map(|block| (block.text.as_str(), block.lines.at(0))).collect();
        assert_eq!(texts, [("a: 1\nb.c: 1, 2", Some(1)), ("a: two lines", Some(3))]);
    }
}
