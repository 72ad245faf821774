//! Damaged and invented files: whatever the bytes, reading ends without a panic and within its bounds.

use proptest::prelude::*;
use ragline_gateway::ingest::extract::{ExtractError, Extracted, extract};

use crate::{
    text_formats::{SAMPLES, archive},
    text_pdf::{Line, bytes, pdf},
};

/// What every result has in common.
fn check(result: Result<Extracted, ExtractError>) {
    match result {
        Ok(extracted) => {
            assert!(!extracted.blocks.is_empty());
            for block in &extracted.blocks {
                assert!(!block.text.trim().is_empty());
                assert!(!block.text.contains('\0'), "PostgreSQL refuses NUL");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn page() -> Vec<Line<'static>> {
    vec![(740, 18, "A heading"), (700, 10, "Some words (in brackets) that stand on a page."), (688, 10, "More of them.")]
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)
}

fn damaged(bytes: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, byte) in
        changes.iter().filter(|_| !bytes.is_empty()).map(|(at, byte)| (at.index(bytes.len()), *byte)).collect::<Vec<_>>()
    {
        bytes[at] = byte;
    }
    bytes
}

/// The members of an archive with their names.
fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let count = zip.len();
    let read = |number| {
        let mut member = zip.by_index(number).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut member, &mut bytes).unwrap();
        (member.name().unwrap().into_owned(), bytes)
    };
    (0..count).map(read).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_pdfs_do_not_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut in any::<prop::sample::Index>(), is_cut in prop::bool::weighted(0.2)) {
        let mut file = bytes(pdf(&[page(), page()]));
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if is_cut {
            file.truncate(cut.index(file.len()).max(1));
        }
        check(extract(&file, "a.pdf", None));
    }

    #[test]
    fn invented_html_does_not_panic(parts in prop::collection::vec(prop_oneof![
        "</?(p|div|li|ul|ol|table|tr|td|pre|h[1-6]|nav|script|style|title|svg|a|br|textarea)( hidden| class=x)?/?>",
        "[a-z &<>;é]{0,12}",
        Just("<!--".to_owned()),
        Just("<![CDATA[".to_owned()),
    ], 0..80)) {
        check(extract(format!("<html>{}", parts.concat()).as_bytes(), "a.html", None));
    }

    #[test]
    fn invented_markdown_does_not_panic(parts in prop::collection::vec(prop_oneof![
        "(#{1,7} |[-*+] |[0-9]{1,3}[.] |> |```|\\| a \\| b \\||---|<div>|\\[x\\]: |  |\\$\\$)",
        "[a-z *_`\\[\\]()!é]{0,12}",
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
    ], 0..80)) {
        check(extract(parts.concat().as_bytes(), "a.md", None));
    }

    #[test]
    fn damaged_samples_do_not_panic(number in 0..SAMPLES.len(), changes in changes(), cut in any::<prop::sample::Index>(), is_cut in prop::bool::weighted(0.1)) {
        let (name, bytes) = SAMPLES[number];
        let mut file = damaged(bytes, &changes);
        if is_cut {
            file.truncate(cut.index(file.len()).max(1));
        }
        check(extract(&file, name, None));
    }

    // A damaged archive is mostly refused as a whole, so its members are damaged, too.
    #[test]
    fn damaged_members_do_not_panic(number in 0..4_usize, member in any::<prop::sample::Index>(), changes in changes()) {
        let (name, bytes) = SAMPLES[number];
        let mut members = members(bytes);
        let member = member.index(members.len());
        members[member].1 = damaged(&members[member].1, &changes);
        let members: Vec<_> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        check(extract(&archive(&members), name, None));
    }

    #[test]
    fn invented_data_does_not_panic(parts in prop::collection::vec(prop_oneof![
        "[\\[\\]{}:,;|\"\t #/*<>=-]{1,3}",
        "[a-z0-9 é]{0,8}",
        Just("\n".to_owned()),
        Just("\"a\": ".to_owned()),
        Just("null".to_owned()),
    ], 0..80), name in "a[.](csv|json|jsonl|rs|py|sql|xml|eml|ini)") {
        check(extract(parts.concat().as_bytes(), &name, None));
    }

    #[test]
    fn any_bytes_under_any_name_do_not_panic(file in prop::collection::vec(any::<u8>(), 0..400), name in "a[.](txt|md|html|pdf|csv|bin|json|eml|docx|xlsx|rs)", declared in prop::option::of("[a-z]{1,8}/[a-z;= -]{1,16}")) {
        check(extract(&file, &name, declared.as_deref()));
    }
}

#[test]
fn a_stream_that_unpacks_to_gigabytes_is_dropped() {
    use std::io::Write;
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..300 {
        packer.write_all(&zeros).unwrap();
    }
    let packed = packer.finish().unwrap();
    let mut document = pdf(&[page(), page()]);
    let first = document.page_iter().next().unwrap();
    let content = document.get_page_contents(first)[0];
    let mut dictionary = pdf_extract::Dictionary::new();
    dictionary.set("Filter", pdf_extract::Object::Name(b"FlateDecode".to_vec()));
    document.objects.insert(content, pdf_extract::Object::Stream(pdf_extract::Stream::new(dictionary, packed)));
    let extracted = extract(&bytes(document), "bomb.pdf", None).unwrap();
    assert!(extracted.blocks.iter().all(|block| block.page == Some(2)));
}
