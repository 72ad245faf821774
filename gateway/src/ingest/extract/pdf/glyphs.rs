//! Glyphs, as they are drawn, become lines.

use pdf_extract::{MediaBox, OutputDev, OutputError, Transform};

use super::lines::{self, Line};

/// A gap wider than this share of the letters' size is a blank.
const BLANK: f64 = 0.15;
/// A base line may move by this share of the size, for indices and exponents.
const SAME_LINE: f64 = 0.6;

/// Collects one page.
pub(super) struct Glyphs {
    lines: Vec<Line>,
    line: Option<Line>,
    /// Where the next glyph stands if no gap is left.
    next: f64,
    room: usize,
}

impl Glyphs {
    pub(super) fn new(most_characters: usize) -> Self {
        Self { lines: Vec::new(), line: None, next: 0.0, room: most_characters }
    }

    pub(super) fn lines(mut self) -> Vec<Line> {
        self.finish();
        self.lines
    }

    fn finish(&mut self) {
        let Some(mut line) = self.line.take() else { return };
        line.text = lines::tidied(&line.text);
        if !line.text.is_empty() && !self.lines.last().is_some_and(|last| last.repeats(&line)) {
            self.lines.push(line);
        }
    }
}

impl OutputDev for Glyphs {
    fn output_character(&mut self, at: &Transform, width: f64, spacing: f64, size: f64, glyph: &str) -> Result<(), OutputError> {
        let scale = at.m11.hypot(at.m12);
        let (x, y) = (at.m11 / scale, at.m12 / scale);
        let Some(turn) = turn(x, y) else { return Ok(()) };
        let (along, base) = (at.m31 * x + at.m32 * y, at.m32 * x - at.m31 * y);
        let height = (size * at.m21.hypot(at.m22)).abs();
        let end = along + (width * size + spacing) * scale;
        if !(along + base + height + end).is_finite() || height <= 0.0 {
            return Ok(());
        }
        let goes_on = self.line.as_ref().is_some_and(|line| {
            let largest = line.size.max(height);
            line.turn == turn && (line.base - base).abs() < largest * SAME_LINE && along > self.next - largest
        });
        if !goes_on {
            self.finish();
            self.next = along;
        }
        let line = self.line.get_or_insert_with(|| Line {
            text: String::new(),
            characters: 0,
            start: along,
            end,
            base,
            size: height,
            turn,
        });
        if along - self.next > BLANK * height {
            line.text.push(' ');
        }
        let before = line.text.len();
        lines::push(&mut line.text, glyph);
        let added = line.text[before..].chars().count();
        // The only way to stop the reader.
        self.room = self.room.checked_sub(added).ok_or(OutputError::FormatError(std::fmt::Error))?;
        let count = line.characters as f64;
        line.size = (line.size * count + height * added as f64) / (count + added as f64).max(1.0);
        line.characters += added;
        line.end = line.end.max(end);
        self.next = end;
        Ok(())
    }

    fn begin_page(&mut self, _: u32, _: &MediaBox, _: Option<(f64, f64, f64, f64)>) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

/// Quarter turns of a direction; `None` for what runs askew, such as watermarks.
fn turn(x: f64, y: f64) -> Option<u8> {
    const STRAIGHT: f64 = 0.97;
    match (x, y) {
        (x, _) if x > STRAIGHT => Some(0),
        (_, y) if y > STRAIGHT => Some(1),
        (x, _) if x < -STRAIGHT => Some(2),
        (_, y) if y < -STRAIGHT => Some(3),
        _ => None,
    }
}
