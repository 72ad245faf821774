//! What holds of the chunks of any text: sizes, overlap, coverage, and that the same text gives the same chunks.

mod pieces;

use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::ingest::extract::{Block, BlockKind};

/// The tokens of OpenAI's models, some of which begin with a blank.
#[derive(Debug)]
struct Cl100k;

impl Tokenizer for Cl100k {
    fn offsets(&self, text: &str) -> Vec<Range<usize>> {
        let tokenizer = bpe_openai::cl100k_base();
        let mut end = 0;
        let tokens = tokenizer.encode(text).into_iter().map(|token| {
            let start = end;
            end += tokenizer.bpe.token_len(token);
            start..end
        });
        tokens.collect()
    }
}

/// A token for every four bytes of a word.
#[derive(Debug)]
struct Quarters;

impl Tokenizer for Quarters {
    fn offsets(&self, text: &str) -> Vec<Range<usize>> {
        let mut tokens = Vec::new();
        for word in text.split_whitespace() {
            let mut from = word.as_ptr() as usize - text.as_ptr() as usize;
            let end = from + word.len();
            while from < end {
                let to = (from + 4..=end).find(|at| text.is_char_boundary(*at)).unwrap_or(end);
                tokens.push(from..to);
                from = to;
            }
        }
        tokens
    }
}

fn extracted(blocks: Vec<(BlockKind, String)>) -> Extracted {
    let blocks = blocks.into_iter().map(|(kind, text)| Block::new(kind, text));
    Extracted { title: None, content_type: "text/plain", blocks: blocks.filter(|block| !block.text.trim().is_empty()).collect() }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// All words in order, none cut, sizes within bounds, overlap of 10 to 20 percent of the chunk before; the same again.
fn check(document: &Extracted, settings: &Chunking, tokenizer: &dyn Tokenizer) {
    let chunks = chunk(document, settings, tokenizer);
    assert_eq!(chunks, chunk(document, settings, tokenizer), "the same document gave other chunks");
    let all: Vec<&str> = document.blocks.iter().flat_map(|block| words(&block.text)).collect();
    let mut covered = 0;
    for (number, chunk) in chunks.iter().enumerate() {
        let its = words(&chunk.text);
        assert_eq!(chunk.position as usize, number);
        // The text begins with what the chunk before ends with.
        let overlap = if number == 0 { 0 } else { words_of_tokens(&its, chunk.overlap_tokens, tokenizer) };
        let from = covered - overlap;
        assert_eq!(its, all[from..from + its.len()], "chunk {number} does not go on where the one before ends");
        covered = from + its.len();
        if chunks.len() > 1 {
            let real = u32::try_from(tokenizer.count(&chunk.text)).unwrap();
            assert!(real <= chunk.tokens && chunk.tokens - real <= 4, "{real} tokens were counted as {}", chunk.tokens);
            assert!(real >= settings.min_tokens && real <= settings.max_tokens, "chunk {number} of {} has {real}", chunks.len());
        }
        if let Some(before) = number.checked_sub(1).map(|before| &chunks[before]) {
            let share = f64::from(chunk.overlap_tokens) / f64::from(before.tokens);
            assert!((0.1..=0.2).contains(&share), "chunk {number} repeats {share} of the one before");
        }
    }
    assert_eq!(covered, all.len());
}

/// How many of the first words make so many tokens.
fn words_of_tokens(words: &[&str], tokens: u32, tokenizer: &dyn Tokenizer) -> usize {
    let mut counted = 0;
    words
        .iter()
        .take_while(|word| {
            counted += tokenizer.count(word) as u32;
            counted <= tokens
        })
        .count()
}

fn blocks() -> impl Strategy<Value = Vec<(BlockKind, String)>> {
    let sentence = prop::collection::vec("[a-z]{1,14}", 1..40).prop_map(|words| format!("X{}. ", words.join(" ")));
    let text = prop::collection::vec(sentence, 1..20).prop_map(|sentences| sentences.concat());
    let kind = prop_oneof![
        6 => Just(BlockKind::Paragraph),
        1 => Just(BlockKind::List),
        1 => Just(BlockKind::Code),
        1 => (1..=6_u8).prop_map(BlockKind::Heading),
    ];
    let block = (kind, text).prop_map(|(kind, text)| match kind {
        BlockKind::Heading(_) => (kind, text.chars().take(30).collect()),
        BlockKind::List | BlockKind::Code | BlockKind::Source | BlockKind::Comment | BlockKind::Record | BlockKind::Table => {
            (kind, text.replace(". ", ".\n"))
        }
        BlockKind::Paragraph => (kind, text),
    });
    prop::collection::vec(block, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_word_is_covered_in_chunks_of_the_right_size_and_overlap(blocks in blocks(), overlap_percent in 10..=20_u32) {
        check(&extracted(blocks), &Chunking { overlap_percent, ..Chunking::default() }, &Quarters);
    }

    #[test]
    fn small_chunks_obey_too(blocks in blocks()) {
        check(&extracted(blocks), &Chunking { min_tokens: 100, max_tokens: 256, overlap_percent: 15 }, &Quarters);
    }

    #[test]
    fn whatever_the_text_every_chunk_has_its_most_tokens_and_all_is_covered(text in "\\PC{0,4000}", max in 64..200_u32) {
        let document = extracted(vec![(BlockKind::Paragraph, text)]);
        let chunks = chunk(&document, &Chunking { min_tokens: 32, max_tokens: max, overlap_percent: 10 }, &Quarters);
        for chunk in &chunks {
            prop_assert!(chunk.tokens <= max);
            prop_assert!(chunk.overlap_tokens < chunk.tokens);
        }
        let fresh: u32 = chunks.iter().map(|chunk| chunk.tokens - chunk.overlap_tokens).sum();
        // A word that holds the end of a sentence is counted in two pieces.
        prop_assert!(fresh as usize >= document.blocks.first().map_or(0, |block| Quarters.count(&block.text)));
    }
}

#[test]
fn the_tokens_of_openai_are_obeyed() {
    let sentence = "The quick brown fox, who has 3 dogs (or 4?), doesn't jump over `x += 1`; it's lazy. ";
    let blocks = (0..40).map(|number| match number % 5 {
        0 => (BlockKind::Heading(2), format!("Section {number}")),
        1 => (BlockKind::Code, "let x = 1;\n    if x > 0 { y(); }\n".repeat(number % 7 + 1)),
        _ => (BlockKind::Paragraph, sentence.repeat(number % 11 + 1)),
    });
    let document = extracted(blocks.collect());
    let settings = Chunking::default();
    let chunks = chunk(&document, &settings, &Cl100k);
    assert!(chunks.len() > 3);
    for chunk in &chunks {
        let real = Cl100k.count(&chunk.text) as u32;
        assert!((settings.min_tokens..=settings.max_tokens).contains(&real), "{real}");
    }
}

#[test]
fn a_short_document_is_one_chunk_and_an_empty_one_none() {
    let document = extracted(vec![(BlockKind::Heading(1), "Title".to_owned()), (BlockKind::Paragraph, "Few words.".to_owned())]);
    let chunks = chunk(&document, &Chunking::default(), &Quarters);
    assert_eq!(chunks.len(), 1);
    assert_eq!(chunks[0].text, "Title\n\nFew words.");
    assert_eq!(chunks[0].heading_path, ["Title"]);
    assert_eq!(chunk(&extracted(Vec::new()), &Chunking::default(), &Quarters), []);
}

#[test]
fn cuts_fall_on_headings_and_name_them() {
    let body = "One sentence of eight words stands here now. ".repeat(45);
    let document = extracted(vec![
        (BlockKind::Heading(1), "Manual".to_owned()),
        (BlockKind::Heading(2), "First".to_owned()),
        (BlockKind::Paragraph, body.clone()),
        (BlockKind::Heading(2), "Second".to_owned()),
        (BlockKind::Paragraph, body.clone()),
        (BlockKind::Heading(2), "Third".to_owned()),
        (BlockKind::Paragraph, body),
    ]);
    let chunks = chunk(&document, &Chunking::default(), &Quarters);
    let paths: Vec<_> = chunks.iter().map(|chunk| chunk.heading_path.join(" > ")).collect();
    assert_eq!(paths, ["Manual > First", "Manual > Second", "Manual > Third"]);
    assert!(chunks[1].text.starts_with("One sentence"), "{}", chunks[1].text);
}

#[test]
fn a_word_is_cut_only_when_it_is_longer_than_a_chunk() {
    let url = format!("https://example.org/{}", "a".repeat(400));
    let document = extracted(vec![(BlockKind::Paragraph, format!("{}{url} {}", "word ".repeat(600), "word ".repeat(600)))]);
    let chunks = chunk(&document, &Chunking::default(), &Quarters);
    assert!(chunks.iter().any(|chunk| chunk.text.contains(&url)));
    let document = extracted(vec![(BlockKind::Paragraph, "x".repeat(20_000))]);
    let chunks = chunk(&document, &Chunking::default(), &Quarters);
    assert!(chunks.len() > 4 && chunks.iter().all(|chunk| (512..=1_024).contains(&chunk.tokens)), "{:?}", chunks.len());
}

#[test]
fn settings_and_model_make_the_fingerprint() {
    let settings = Chunking::default();
    let other = Chunking { overlap_percent: 10, ..settings.clone() };
    assert_eq!(fingerprint(&settings, "a"), fingerprint(&settings, "a"));
    assert_ne!(fingerprint(&settings, "a"), fingerprint(&settings, "b"));
    assert_ne!(fingerprint(&settings, "a"), fingerprint(&other, "a"));
}
