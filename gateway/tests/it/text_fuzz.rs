//! Damaged and invented files: whatever the bytes, reading ends without a panic and within its bounds.

use proptest::prelude::*;
use ragline_gateway::ingest::extract::{ExtractError, Extracted, extract};

use crate::text_pdf::{Line, bytes, pdf};

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
    fn any_bytes_under_any_name_do_not_panic(file in prop::collection::vec(any::<u8>(), 0..400), name in "a[.](txt|md|html|pdf|csv|bin)", declared in prop::option::of("[a-z]{1,8}/[a-z;= -]{1,16}")) {
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
