//! Fonts as the reader can bear them: widths written out, character maps that would grow without bound left out.

use pdf_extract::{Dictionary, Document, Object, ObjectId};

/// What tells one font of a file from another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Identity {
    Object(ObjectId),
    /// A font that is written out in the resources; its address there.
    Inline(usize),
}

/// Characters of a font.
const MOST_CODES: i64 = 65_536;
/// Characters that a map may define.
const MOST_MAPPED: u64 = 200_000;

/// The font of this name.
pub(super) fn find<'a>(document: &'a Document, resources: &'a Dictionary, name: &[u8]) -> Option<(Identity, &'a Dictionary)> {
    let fonts = document.dereference(resources.get(b"Font").ok()?).ok()?.1.as_dict().ok()?;
    let object = fonts.get(name).ok()?;
    let font = document.dereference(object).ok()?.1.as_dict().ok()?;
    let identity = object.as_reference().map_or(Identity::Inline(std::ptr::from_ref(font).addr()), Identity::Object);
    Some((identity, font))
}

/// Content that makes the reader load a font.
pub(super) fn trial(name: &[u8]) -> Vec<u8> {
    [b"BT /", name, b" 10 Tf ( ) Tj ET"].concat()
}

/// A font that the reader can bear; `None`: it lacks what every font has.
pub(super) fn checked(document: &Document, font: &Dictionary) -> Option<Dictionary> {
    let mut font = font.clone();
    let subtype = name(document, &font, b"Subtype")?;
    let map = font.get(b"ToUnicode").ok().and_then(|map| document.dereference(map).ok()).map(|(_, map)| map);
    let is_sane = match map {
        None => true,
        Some(Object::Stream(map)) => map.get_plain_content().is_ok_and(|map| mapped(&map) <= MOST_MAPPED),
        Some(Object::Name(name)) => name == b"Identity-H",
        Some(_) => false,
    };
    if !is_sane {
        font.remove(b"ToUnicode");
    }
    if subtype == b"Type0" {
        let descendants = document.dereference(font.get(b"DescendantFonts").ok()?).ok()?.1.as_array().ok()?;
        let mut descendant = document.dereference(descendants.first()?).ok()?.1.as_dict().ok()?.clone();
        let widths = descendant.get(b"W").ok().and_then(|widths| document.dereference(widths).ok()).map(|(_, widths)| widths);
        let widths = widths.and_then(|widths| widths.as_array().ok()).map(|widths| written_out(document, widths));
        descendant.remove(b"W");
        if let Some(widths) = widths {
            descendant.set("W", Object::Array(widths));
        }
        font.set("DescendantFonts", Object::Array(vec![Object::Dictionary(descendant)]));
    } else if subtype != b"Type3" && name(document, &font, b"BaseFont").is_none() {
        font.set("BaseFont", Object::Name(b"Unknown".to_vec()));
    }
    Some(font)
}

fn name(document: &Document, dictionary: &Dictionary, key: &[u8]) -> Option<Vec<u8>> {
    Some(document.dereference(dictionary.get(key).ok()?).ok()?.1.as_name().ok()?.to_vec())
}

/// Widths of the form `first last width` as `first [width …]`; the reader takes the former for something else.
fn written_out(document: &Document, widths: &[Object]) -> Vec<Object> {
    let resolved: Vec<&Object> =
        widths.iter().filter_map(|object| document.dereference(object).ok().map(|(_, object)| object)).collect();
    let mut out = Vec::new();
    let mut room = MOST_CODES;
    let mut rest = resolved.as_slice();
    loop {
        rest = match rest {
            [Object::Integer(first), Object::Array(widths), rest @ ..] => {
                let widths: Vec<Object> = widths.iter().filter(|width| width.as_float().is_ok()).cloned().collect();
                room -= widths.len() as i64;
                out.extend([Object::Integer(*first), Object::Array(widths)]);
                rest
            }
            [Object::Integer(first), Object::Integer(last), width, rest @ ..] if width.as_float().is_ok() => {
                let count = last.saturating_sub(*first).saturating_add(1).clamp(0, room.max(0));
                room -= count;
                out.extend([Object::Integer(*first), Object::Array(vec![(*width).clone(); count as usize])]);
                rest
            }
            _ => return out,
        };
        if room <= 0 {
            return out;
        }
    }
}

/// Characters that the ranges of a map define: triples of the first code, the last and where they map to, which may be a list.
fn mapped(map: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(map);
    let ranges = text.split("beginbfrange").skip(1).filter_map(|part| part.split("endbfrange").next());
    let mut count = 0_u64;
    for range in ranges {
        let without_lists: String =
            range.split('[').map(|part| part.rsplit(']').next().unwrap_or_default()).collect::<Vec<_>>().join("<0>");
        let mut codes = without_lists.split('<').skip(1).map(|code| {
            let digits: String = code.split('>').next().unwrap_or_default().split_whitespace().collect();
            u64::from_str_radix(&digits, 16).unwrap_or(u64::MAX)
        });
        while let (Some(low), Some(high), Some(_)) = (codes.next(), codes.next(), codes.next()) {
            count = count.saturating_add(high.saturating_sub(low)).saturating_add(1);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_with_and_without_lists_are_counted() {
        let map = b"2 beginbfrange <0000> <0009> <0041> <0010><0011> [<00660069> <0066006C>] endbfrange";
        assert_eq!(mapped(map), 12);
        assert!(mapped(b"1 beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange") > MOST_MAPPED);
    }

    #[test]
    fn width_ranges_are_written_out_within_bounds() {
        let document = Document::new();
        let widths = [
            Object::Integer(3),
            Object::Integer(5),
            Object::Integer(500),
            Object::Integer(9),
            Object::Array(vec![Object::Integer(7)]),
        ];
        let out = written_out(&document, &widths);
        assert_eq!(out[1], Object::Array(vec![Object::Integer(500); 3]));
        assert_eq!(out.len(), 4);
        let huge = [Object::Integer(0), Object::Integer(i64::MAX), Object::Integer(500)];
        assert!(matches!(&written_out(&document, &huge)[1], Object::Array(widths) if widths.len() == 65_536));
    }
}
