//! The texts that are taken in for the while of a verification. Their facts are invented, so that no other document has them.

/// A temporary document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    /// The end of its source.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

/// Long enough for several chunks.
pub(super) const LIGHTHOUSE: Text = Text { name: "lighthouse.md", text: include_str!("documents/lighthouse.md") };
pub(super) const BREAD: Text = Text { name: "bread.md", text: include_str!("documents/bread.md") };
pub(super) const TRAMWAY: Text = Text { name: "tramway.md", text: include_str!("documents/tramway-before.md") };
/// The same document, changed in one fact.
pub(super) const TRAMWAY_CHANGED: Text = Text { name: "tramway.md", text: include_str!("documents/tramway-after.md") };

/// What is taken in at first.
pub(super) const FIRST: [Text; 3] = [LIGHTHOUSE, BREAD, TRAMWAY];

/// A question, and where its answer is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) text: &'static str,
    pub(super) answered_by: Text,
    /// In the passage that answers.
    pub(super) fact: &'static str,
}

/// Questions that say it in other words than the text does.
pub(super) const PARAPHRASED: [Question; 3] = [
    Question {
        text: "At what age did the man who looked after the beacon retire?",
        answered_by: LIGHTHOUSE,
        fact: "seventy-four",
    },
    Question { text: "How do I know that the dough culture is hungry?", answered_by: BREAD, fact: "nail varnish" },
    Question { text: "May I bring my bike on board the streetcar?", answered_by: TRAMWAY, fact: "rear platform" },
];

/// A question that the context answers.
pub(super) const ANSWERABLE: Question = Question {
    text: "How many steps does the spiral staircase of the Harrow Point lighthouse have?",
    answered_by: LIGHTHOUSE,
    fact: "217 steps",
};

/// A question that no temporary document answers.
pub(super) const UNANSWERABLE: &str = "What is the boiling point of tungsten hexafluoride?";

/// A question whose answer changes with the document.
pub(super) const BEFORE: Question =
    Question { text: "When does the last tram leave the fish market?", answered_by: TRAMWAY, fact: "23:40" };
pub(super) const AFTER: Question = Question { text: BEFORE.text, answered_by: TRAMWAY_CHANGED, fact: "00:25" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_is_in_the_text_that_answers_and_in_no_other() {
        let all = [LIGHTHOUSE, BREAD, TRAMWAY, TRAMWAY_CHANGED];
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for question in PARAPHRASED.iter().chain([&ANSWERABLE, &BEFORE, &AFTER]) {
            assert!(plain(question.answered_by.text).contains(question.fact), "{}", question.text);
            for other in all.iter().filter(|other| other.name != question.answered_by.name) {
                assert!(!plain(other.text).contains(question.fact), "{}", question.text);
            }
        }
        assert!(!plain(TRAMWAY_CHANGED.text).contains(BEFORE.fact));
        assert!(!plain(TRAMWAY.text).contains(AFTER.fact));
    }
}
