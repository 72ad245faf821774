//! The budget: what of a conversation and of the passages a model can read beside the rest, and how much it may write. Pure.

use super::prompt::visible;
use crate::traits::{
    embedder::Tokenizer,
    generator::{Speaker, Turn},
};

/// Of the tokens for passages and conversation, the share that the conversation may take.
const HISTORY_SHARE: usize = 4;
/// Other models cut text otherwise than the tokenizer that counts here, and their formats cost tokens as well.
const SPARE_PERCENT: usize = 10;
/// A turn cut to fewer tokens than this says too little.
const LEAST_TOKENS: usize = 16;

/// What may be spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means {
    /// Tokens that the model reads and writes at most, where that is known.
    pub(super) window: Option<u32>,
    /// Tokens of passages and conversation that are wanted at most.
    pub(super) context: u32,
    /// Tokens of the answer that are wanted at most.
    pub(super) answer: u32,
    /// Tokens of what must be there: the instructions, the template, the question.
    pub(super) fixed: usize,
}

/// How it is spent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Budget {
    pub(super) history: Vec<Turn>,
    pub(super) history_tokens: usize,
    /// What the conversation may have, where a part of it was left out.
    pub(super) history_bound: Option<usize>,
    pub(super) context_tokens: usize,
    pub(super) max_tokens: u32,
}

/// The answer's tokens first, half of the window at most; then what must be there; the conversation gets up to a quarter of the rest, its
/// latest turns; the passages get what is left.
pub(super) fn budget(means: Means, history: &[Turn], tokenizer: &dyn Tokenizer) -> Budget {
    let Means { window, context, answer, fixed } = means;
    let context = usize::try_from(context).unwrap_or(usize::MAX);
    let (max_tokens, room) = match window {
        None => (answer, context),
        Some(window) => {
            let answer = answer.min(window / 2).max(1);
            let usable = usize::try_from(window).unwrap_or(usize::MAX) / 100 * (100 - SPARE_PERCENT);
            let taken = usize::try_from(answer).unwrap_or(usize::MAX).saturating_add(fixed);
            (answer, context.min(usable.saturating_sub(taken)))
        }
    };
    let most = room / HISTORY_SHARE;
    let (kept, history_tokens, whole) = latest(history, most, tokenizer);
    let history_bound = (!whole).then_some(most);
    Budget { history: kept, history_tokens, history_bound, context_tokens: room - history_tokens, max_tokens }
}

/// The latest turns that find room, beginning with one of the user's; the one that crosses the border keeps its beginning. Also their tokens,
/// and whether all found room.
fn latest(history: &[Turn], room: usize, tokenizer: &dyn Tokenizer) -> (Vec<Turn>, usize, bool) {
    let mut whole = true;
    let mut kept: Vec<(Turn, usize)> = Vec::new();
    let mut left = room;
    for Turn { speaker, text } in history.iter().rev() {
        let mut text = visible(text);
        let tokens = tokenizer.offsets(&text);
        let count = tokens.len().min(left);
        if count < tokens.len() {
            whole = false;
            if left < LEAST_TOKENS {
                break;
            }
            text.truncate(tokens[count - 1].end);
        }
        left -= count;
        kept.push((Turn { speaker: *speaker, text }, count));
    }
    kept.reverse();
    let first = kept.iter().position(|(turn, _)| turn.speaker == Speaker::User).unwrap_or(kept.len());
    let kept = kept.split_off(first);
    let tokens = kept.iter().map(|(_, count)| count).sum();
    (kept.into_iter().map(|(turn, _)| turn).collect(), tokens, whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::fixtures::Spaces;

    const MEANS: Means = Means { window: None, context: 400, answer: 100, fixed: 50 };

    fn turns(words: &[usize]) -> Vec<Turn> {
        let speakers = [Speaker::User, Speaker::Assistant].into_iter().cycle();
        speakers.zip(words).map(|(speaker, &count)| Turn { speaker, text: "word ".repeat(count).trim().into() }).collect()
    }

    #[test]
    fn without_a_window_the_context_alone_bounds() {
        let found = budget(MEANS, &[], &Spaces);
        assert_eq!((found.context_tokens, found.max_tokens, found.history.len()), (400, 100, 0));
    }

    #[test]
    fn everything_fits_the_window() {
        for (window, answer, context, max_tokens) in
            [(1_000, 100, 400, 100), (500, 100, 300, 100), (400, 300, 110, 200), (100, 100, 0, 50)]
        {
            let found = budget(Means { window: Some(window), answer, ..MEANS }, &[], &Spaces);
            assert_eq!((found.context_tokens, found.max_tokens), (context, max_tokens), "{window}");
        }
    }

    #[test]
    fn the_latest_turns_stay_and_the_first_is_the_users() {
        let found = budget(MEANS, &turns(&[30, 30, 30, 30]), &Spaces);
        assert_eq!((found.history.len(), found.history_tokens, found.context_tokens), (2, 60, 340));
        assert_eq!(found.history_bound, Some(100));
        assert_eq!(budget(MEANS, &turns(&[50, 50]), &Spaces).history_bound, None);
        assert_eq!(found.history[0].speaker, Speaker::User);
        let found = budget(MEANS, &turns(&[500]), &Spaces);
        assert_eq!((found.history.len(), found.history_tokens), (1, 100));
    }
}
