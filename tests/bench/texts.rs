//! Texts for the benchmark: made up, the same in every run, and different from each other so that nothing is deduplicated.

const WORDS: &str = "water river stone bridge market winter summer letter number column index vector search engine valley mountain \
    farmer teacher doctor painter window kitchen garden forest animal horse pigeon silver copper iron paper pencil school church \
    station railway harbour island sailor captain storm signal mirror candle shadow silence music violin theatre actor story chapter \
    history question answer reason language grammar sentence memory measure weight distance hour minute journey traveller village \
    machine wheel motor pressure temperature energy current battery circuit sensor network packet server client request response \
    carries follows opens closes builds measures finds loses keeps brings changes shows turns reaches holds leaves returns crosses \
    small large quick slow bright dark old new early late narrow wide gentle steep quiet distant familiar foreign";

/// Words of a document: about 25 chunks.
const DOCUMENT_WORDS: usize = 18_000;
const SENTENCE_WORDS: usize = 14;
const PARAGRAPH_SENTENCES: usize = 6;
/// Words of a question.
const QUESTION_WORDS: usize = 8;
/// Questions that are asked in turn.
const QUESTIONS: u64 = 64;

/// A document of its own for each number.
pub(crate) fn document(number: u64) -> String {
    let mut words = Words::new(number + 1);
    let mut text = format!("# Report {number}\n\n");
    for n in 0..DOCUMENT_WORDS / SENTENCE_WORDS {
        text.push_str(&words.sentence(SENTENCE_WORDS));
        text.push_str(if n % PARAGRAPH_SENTENCES == PARAGRAPH_SENTENCES - 1 { ".\n\n" } else { ". " });
    }
    text
}

pub(crate) fn questions() -> Vec<String> {
    (0..QUESTIONS).map(|n| question(1_000_000 + n)).collect()
}

/// A question of its own for each number.
pub(crate) fn question(number: u64) -> String {
    format!("{}?", Words::new(number).sentence(QUESTION_WORDS))
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    /// 31 bits.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33
    }

    /// At least 0 and below 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.next() as f64 / (1_u64 << 31) as f64
    }
}

/// A sequence of words that depends on its seed alone.
struct Words {
    list: Vec<&'static str>,
    chance: Chance,
}

impl Words {
    fn new(seed: u64) -> Self {
        Self { list: WORDS.split_whitespace().collect(), chance: Chance::new(seed) }
    }

    fn next(&mut self) -> &'static str {
        let index = usize::try_from(self.chance.next()).unwrap_or_default();
        self.list[index % self.list.len()]
    }

    fn sentence(&mut self, words: usize) -> String {
        (0..words).map(|_| self.next()).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_the_same_in_every_run_and_differ_from_each_other() {
        assert_eq!(document(3), document(3));
        assert_ne!(document(3)[20..], document(4)[20..]);
        assert_eq!(questions().len(), 64);
    }
}
