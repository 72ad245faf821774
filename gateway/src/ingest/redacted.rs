//! Takes personal data and secrets out of a file's text before it is cut, so that no chunk, vector or posting has ever held them. The
//! bytes of the file stay as they came.

use std::sync::Arc;

use super::extract::{Block, Extracted, LineMap};
use crate::redact::{Counts, Redactor};

/// Takes out of blocks, names of sheets and the title what the redactor looks for. Headings are blocks; whatever is lengthened or
/// shortened keeps its lines.
pub(super) fn redact(extracted: &mut Extracted, redactor: &Redactor) -> Counts {
    let mut counts = Counts::default();
    if redactor.is_off() {
        return counts;
    }
    let Extracted { title, content_type: _, blocks } = extracted;
    if let Some(title) = title {
        counts.add(replace(title, &mut LineMap::default(), redactor));
    }
    let mut last_sheet: Option<(Arc<str>, Arc<str>)> = None;
    for block in blocks {
        let Block { text, kind: _, has_header: _, page: _, sheet, lines } = block;
        counts.add(replace(text, lines, redactor));
        let Some(sheet) = sheet else { continue };
        match &last_sheet {
            Some((before, after)) if Arc::ptr_eq(before, sheet) => *sheet = Arc::clone(after),
            Some(_) | None => {
                let redacted = redactor.redact(sheet);
                counts.add(redacted.counts);
                let after: Arc<str> = redacted.text.as_ref().into();
                last_sheet = Some((Arc::clone(sheet), Arc::clone(&after)));
                *sheet = after;
            }
        }
    }
    counts
}

fn replace(text: &mut String, lines: &mut LineMap, redactor: &Redactor) -> Counts {
    let redacted = redactor.redact_telling(text, |found| {
        lines.replaced(found.iter().map(|found| (found.range.clone(), found.kind.placeholder().len())));
    });
    let counts = redacted.counts;
    if counts != Counts::default() {
        *text = redacted.text.into_owned();
    }
    counts
}

#[cfg(test)]
mod tests {
    use ragline_config::Redaction;

    use super::*;
    use crate::ingest::extract::extract;

    #[test]
    fn values_are_gone_and_lines_are_right() {
        let text = "card,note\n4111 1111 1111 1111,first\n4111 1111 1111 1111,second\n";
        let mut extracted = extract(text.as_bytes(), "cards.csv", None).unwrap();
        let counts = redact(&mut extracted, &Redactor::new(&Redaction::default()));
        assert_eq!(counts.of(crate::redact::Kind::Card), 2);
        let block = &extracted.blocks[0];
        assert_eq!(block.text, "card | note\n[CARD] | first\n[CARD] | second");
        let lines = ["card", "first", "second"].map(|word| block.lines.at(block.text.find(word).unwrap()));
        assert_eq!(lines, [Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn a_heading_is_redacted_as_all_else() {
        let mut extracted = extract(b"# Card 4111111111111111\n\nText.\n", "a.md", None).unwrap();
        redact(&mut extracted, &Redactor::new(&Redaction::default()));
        assert_eq!(extracted.title.as_deref(), Some("Card [CARD]"));
        assert_eq!(extracted.blocks[0].text, "Card [CARD]");
    }
}
