//! Values as lines of text, written as the reader meets them.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

/// Bytes of a path; deeper values are written with their own name only.
const MOST_PATH_BYTES: usize = 200;

/// Collects records.
#[derive(Debug)]
pub(super) struct Writer {
    records: Vec<String>,
    text: String,
    path: String,
    /// A list of plain values goes on in the last line.
    in_list: bool,
    /// Bytes that may still be written.
    room: usize,
    is_full: bool,
}

impl Writer {
    pub(super) fn new(room: usize) -> Self {
        Self { records: Vec::new(), text: String::new(), path: String::new(), in_list: false, room, is_full: false }
    }

    /// Reads a value whose elements or parts are records.
    pub(super) fn value<'de, D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        Seed { writer: self, part: Part::Whole, index: None }.deserialize(value)?;
        self.part();
        Ok(())
    }

    /// Reads a value that is one record.
    pub(super) fn record<'de, D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        Seed { writer: self, part: Part::Inner, index: None }.deserialize(value).map(|_| ())
    }

    /// The records, none of them empty.
    pub(super) fn end(mut self) -> Vec<String> {
        self.part();
        self.records
    }

    /// Whether it stopped for want of room.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Ends a record.
    fn part(&mut self) {
        self.in_list = false;
        let text = std::mem::take(&mut self.text);
        if !text.trim().is_empty() {
            self.records.push(text);
        }
    }

    /// Writes a plain value, which is `true`.
    fn scalar<E: Error>(&mut self, value: &str) -> Result<bool, E> {
        let from = self.text.len();
        if self.in_list {
            self.text.push_str(", ");
        } else {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            if !self.path.is_empty() {
                self.text.push_str(&self.path);
                self.text.push_str(": ");
            }
        }
        for (number, word) in value.split_whitespace().enumerate() {
            if number > 0 {
                self.text.push(' ');
            }
            self.text.extend(word.chars().filter(|character| *character != '\0'));
        }
        self.room = match self.room.checked_sub(self.text.len() - from) {
            Some(room) => room,
            None => {
                self.is_full = true;
                return Err(E::custom("too long"));
            }
        };
        Ok(true)
    }
}

/// What a value is of the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// All of it: its elements are records, or its entries.
    Whole,
    /// An entry of the object that is all of it: if it is a list, its elements are records.
    Entry,
    /// An element of such a list.
    Element,
    /// Something inside of a record.
    Inner,
}

/// Reads a value; says whether it was a plain one, neither a list nor an object.
struct Seed<'w> {
    writer: &'w mut Writer,
    part: Part,
    /// Its number in a list, which is named unless it is plain.
    index: Option<usize>,
}

impl Seed<'_> {
    /// Begins a list or an object. Returns the length of the path to it.
    fn begin(&mut self) -> usize {
        let Self { writer, part, index } = self;
        writer.in_list = false;
        if matches!(part, Part::Entry | Part::Element) {
            writer.part();
        }
        if let Some(index) = index
            && writer.path.len() < MOST_PATH_BYTES
        {
            writer.path.push_str(&format!("[{index}]"));
        }
        writer.path.len()
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        self.writer.scalar(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        self.writer.scalar(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        self.writer.scalar(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        self.writer.scalar(&value.to_string())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<bool, E> {
        if value.trim().is_empty() { Ok(true) } else { self.writer.scalar(value) }
    }

    /// A null says nothing.
    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<bool, A::Error> {
        let length = self.begin();
        let Self { writer, part, index: _ } = self;
        for index in 0.. {
            let before = writer.text.len();
            let (inner, named) = match part {
                Part::Whole => (Part::Inner, None),
                Part::Entry => (Part::Element, Some(index)),
                Part::Element | Part::Inner => (Part::Inner, Some(index)),
            };
            let Some(is_plain) = elements.next_element_seed(Seed { writer: &mut *writer, part: inner, index: named })? else {
                break;
            };
            writer.path.truncate(length);
            match part {
                Part::Whole => writer.part(),
                Part::Entry if !is_plain => writer.part(),
                Part::Entry | Part::Element | Part::Inner => {
                    writer.in_list = is_plain && (writer.in_list || writer.text.len() > before);
                }
            }
        }
        writer.in_list = false;
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<bool, A::Error> {
        let length = self.begin();
        let Self { writer, part, index: _ } = self;
        while let Some(key) = entries.next_key::<String>()? {
            if length < MOST_PATH_BYTES {
                let key = key.trim().replace(['\0', '\n'], " ");
                writer.path.push_str(if length > 0 { "." } else { "" });
                writer.path.push_str(&key[..key.floor_char_boundary(MOST_PATH_BYTES)]);
            }
            let inner = if part == Part::Whole { Part::Entry } else { Part::Inner };
            let is_plain = entries.next_value_seed(Seed { writer: &mut *writer, part: inner, index: None })?;
            writer.path.truncate(length);
            if part == Part::Whole && !is_plain {
                writer.part();
            }
        }
        Ok(false)
    }
}
