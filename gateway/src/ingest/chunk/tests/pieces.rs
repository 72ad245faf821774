//! Tables, records and programs in chunks: what is repeated, what is kept together, and what a chunk says of its place.

use super::*;
use crate::{
    ingest::extract::{LineMap, extract},
    traits::place::Lines,
};

fn chunks_of(name: &str, text: &str) -> Vec<Chunk> {
    chunk(&extract(text.as_bytes(), name, None).unwrap(), &Chunking::default(), &Quarters)
}

fn csv(rows: usize) -> String {
    let rows = (0..rows).map(|row| format!("name{row:04},street{row:04},town{row:04}\n"));
    format!("Name,Street,Town\n{}", rows.collect::<String>())
}

#[test]
fn each_chunk_of_a_table_begins_with_its_header_and_says_its_lines() {
    let settings = Chunking::default();
    let chunks = chunks_of("a.csv", &csv(1_000));
    assert!(chunks.len() > 5);
    let mut next = 1;
    for chunk in &chunks {
        let lines: Vec<_> = chunk.text.lines().collect();
        assert_eq!(lines[0], "Name | Street | Town");
        assert!(lines[1].starts_with("name") && lines.iter().all(|line| line.split(" | ").count() == 3), "{:?}", lines[1]);
        assert_eq!(Quarters.count(&chunk.text), chunk.tokens as usize);
        assert!((settings.min_tokens..=settings.max_tokens).contains(&chunk.tokens), "{}", chunk.tokens);
        let Lines { from, to } = chunk.place.lines.unwrap();
        assert!(from <= next && to > next, "{from} to {to} after {next}");
        let last = format!("name{:04}", to - 2);
        assert!(lines.last().unwrap().starts_with(&last), "{last}");
        next = to + 1;
    }
    assert_eq!(next, 1_002);
    for pair in chunks.windows(2) {
        let share = f64::from(pair[1].overlap_tokens) / f64::from(pair[0].tokens);
        assert!((0.1..=0.2).contains(&share), "{share}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_the_rows_no_chunk_of_a_table_is_too_large(rows in prop::collection::vec("[a-z]{1,90}( \\| [a-z ]{1,60}){0,6}", 2..60), max in 64..200_u32) {
        let block = Block { has_header: true, ..Block::new(BlockKind::Table, rows.join("\n")) };
        let document = Extracted { title: None, content_type: "text/csv", blocks: vec![block] };
        for chunk in chunk(&document, &Chunking { min_tokens: 32, max_tokens: max, overlap_percent: 10 }, &Quarters) {
            prop_assert!(chunk.tokens <= max);
            prop_assert!(Quarters.count(&chunk.text) <= chunk.tokens as usize + 1);
        }
    }
}

#[test]
fn a_header_that_would_fill_the_chunks_is_not_repeated() {
    let wide = format!("{}\n{}", vec!["column"; 300].join(","), csv(500));
    let chunks = chunks_of("a.csv", &wide);
    assert!(chunks.len() > 3);
    assert!(chunks[2..].iter().all(|chunk| !chunk.text.starts_with("column")));
}

#[test]
fn a_record_that_fits_is_never_cut() {
    let sizes = [500, 600, 30, 790, 700, 100, 650, 2_000, 40, 300];
    let record = |number: usize, fields: usize| {
        let fields: Vec<_> = (0..fields / 3).map(|field| format!("\"r{number}f{field}\": \"v{field}\"")).collect();
        format!("{{{}}}", fields.join(", "))
    };
    let records: Vec<_> = sizes.iter().enumerate().map(|(number, size)| record(number, *size)).collect();
    let text = records.join("\n");
    let document = extract(text.as_bytes(), "a.jsonl", None).unwrap();
    let chunks = chunk(&document, &Chunking::default(), &Quarters);
    for (number, block) in document.blocks.iter().enumerate() {
        let fits = Quarters.count(&block.text) <= 819;
        assert_eq!(fits, chunks.iter().any(|chunk| chunk.text.contains(&block.text)), "record {number}");
    }
    assert!(chunks.iter().all(|chunk| chunk.tokens <= 1_024));
    assert_eq!(chunks[0].place.lines, Some(Lines { from: 1, to: 1 }));
}

#[test]
fn programs_comments_and_documents_are_told_apart() {
    let comment = "// A sentence that explains at length what all of this is for.\n".repeat(60);
    let function = format!("fn f() {{\n{}}}\n\n", "    call(argument, another_argument);\n".repeat(70));
    let chunks = chunks_of("a.rs", &format!("{comment}\n{function}{function}"));
    let kinds: Vec<_> = chunks.iter().map(|chunk| chunk.kind).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), (ChunkKind::Comment, ChunkKind::Code), "{kinds:?}");
    assert_eq!(chunks[0].place.lines.map(|lines| lines.from), Some(1));
    assert_eq!(chunks_of("a.md", "```\nlet a = 1;\n```\n")[0].kind, ChunkKind::Doc);
}

#[test]
fn the_sheet_and_the_page_are_those_of_the_text() {
    let place = |text: &str, sheet: &str, page| Block {
        sheet: Some(sheet.into()),
        page: Some(page),
        lines: LineMap::default(),
        ..Block::new(BlockKind::Paragraph, text)
    };
    let text = "One sentence of eight words stands here now. ".repeat(45);
    let blocks = vec![place(&text, "Staff", 1), place(&text, "Stock", 2)];
    let document = Extracted { title: None, content_type: "text/plain", blocks };
    let places: Vec<_> = chunk(&document, &Chunking::default(), &Quarters)
        .into_iter()
        .map(|chunk| (chunk.place.page, chunk.place.sheet))
        .collect();
    // The second begins with what it repeats of the first page.
    assert_eq!(places, [(Some(1), Some("Staff".to_owned())), (Some(1), Some("Stock".to_owned()))]);
}
