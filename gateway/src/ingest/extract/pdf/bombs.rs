//! A few kilobytes of a PDF can unpack to gigabytes. What would is found by unpacking into nothing, and dropped.

use std::io::Read;

use flate2::read::ZlibDecoder;
use pdf_extract::{Document, Object, Stream};

/// Largest size of one unpacked stream.
const MOST_BYTES: u64 = 128 << 20;
/// Largest size of all unpacked tables of a file.
const MOST_BYTES_OF_STRUCTURE: u64 = 512 << 20;
/// What deflate makes of one byte at most.
const DEFLATE_RATIO: u64 = 1_032;
/// Packed by LZW, which grows faster.
const MOST_BYTES_OF_LZW: usize = 48 << 10;
/// A dictionary is looked for in so many bytes before its stream.
const DICTIONARY_BYTES: usize = 512;

/// Whether the tables, which are unpacked as the file is opened, are too large.
pub(super) fn in_structure(bytes: &[u8]) -> bool {
    let mut room = MOST_BYTES_OF_STRUCTURE;
    let mut from = 0;
    while let Some(at) = find(&bytes[from..], b"stream") {
        let keyword = from + at;
        from = keyword + 6;
        let dictionary = &bytes[keyword.saturating_sub(DICTIONARY_BYTES)..keyword];
        let is_table = find(dictionary, b"/XRef").is_some() || find(dictionary, b"/ObjStm").is_some();
        if !is_table || dictionary.ends_with(b"end") {
            continue;
        }
        let packed = &bytes[from..];
        let packed = packed.strip_prefix(b"\r\n").or_else(|| packed.strip_prefix(b"\n")).unwrap_or(packed);
        room = room.saturating_sub(unpacked(packed, room));
        if room == 0 {
            return true;
        }
    }
    false
}

/// Empties the streams that unpack to too much.
pub(super) fn defuse(document: &mut Document) {
    for object in document.objects.values_mut() {
        if let Object::Stream(stream) = object
            && is_bomb(stream)
        {
            stream.set_content(Vec::new());
        }
    }
}

fn is_bomb(stream: &Stream) -> bool {
    let filters = stream.filters().unwrap_or_default();
    let packed = |filter: &&[u8]| matches!(*filter, b"FlateDecode" | b"LZWDecode");
    match filters.iter().copied().filter(|filter| packed(filter)).collect::<Vec<_>>()[..] {
        [] => false,
        [b"FlateDecode"] => {
            let may_be = stream.content.len() as u64 * DEFLATE_RATIO > MOST_BYTES;
            may_be && unpacked(&stream.content, MOST_BYTES) >= MOST_BYTES
        }
        [_] => stream.content.len() > MOST_BYTES_OF_LZW,
        // Packed twice: nobody does that but to blow up.
        _ => true,
    }
}

/// Unpacked bytes, counted up to `most`.
fn unpacked(packed: &[u8], most: u64) -> u64 {
    std::io::copy(&mut ZlibDecoder::new(packed).take(most), &mut std::io::sink()).unwrap_or(0)
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}
