//! How far a command is, on standard error and only where that is a terminal: nothing of it reaches a pipe, a file or a log.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two turns of what turns.
const TURN: Duration = Duration::from_millis(120);
/// Without colours, which not everybody wants.
const COUNTED: &str = "{spinner} {msg} [{bar:30}] {human_pos}/{human_len} {elapsed}, {eta} left";
const WEIGHED: &str = "{spinner} {msg} [{bar:30}] {bytes}/{total_bytes} {elapsed}, {eta} left";
const TURNING: &str = "{spinner} {msg} {elapsed}";

/// The bar of a command. Its clones are the same bar.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// Hidden until something begins.
    bar: ProgressBar,
    /// Whether somebody looks on.
    seen: bool,
}

impl Progress {
    /// A bar for a person who looks on; a quiet command has none.
    pub(super) fn new(quiet: bool) -> Self {
        // A terminal that cannot go back in a line would be filled with bars.
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { seen: !quiet && !is_dumb && std::io::stderr().is_terminal(), ..Self::none() }
    }

    pub(super) fn none() -> Self {
        Self { bar: ProgressBar::hidden(), seen: false }
    }

    /// Begins something that has no measure.
    pub(super) fn turning(&self, what: &'static str) {
        self.stage(what, None, TURNING);
    }

    /// Begins something that goes one by one.
    pub(super) fn counted(&self, what: &'static str, total: u64) {
        self.stage(what, Some(total), COUNTED);
    }

    /// Begins something that goes byte by byte.
    pub(super) fn weighed(&self, what: &'static str, total_bytes: u64) {
        self.stage(what, Some(total_bytes), WEIGHED);
    }

    pub(super) fn advance(&self, by: u64) {
        self.bar.inc(by);
    }

    pub(super) fn place(&self) -> u64 {
        self.bar.position()
    }

    pub(super) fn go_to(&self, place: u64) {
        self.bar.set_position(place);
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }

    /// Does something while no bar is on the screen.
    pub(super) fn aside<T>(&self, act: impl FnOnce() -> T) -> T {
        self.bar.suspend(act)
    }

    fn stage(&self, what: &'static str, total: Option<u64>, template: &str) {
        if !self.seen {
            return;
        }
        let style = ProgressStyle::with_template(template).expect("the templates are constants");
        // What is set is drawn at once: a bar that is half set would be seen.
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
        self.bar.set_style(style.progress_chars("=> "));
        self.bar.reset();
        self.bar.set_message(what);
        match total {
            Some(total) => self.bar.set_length(total),
            None => self.bar.unset_length(),
        }
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.bar.enable_steady_tick(TURN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_read() {
        for template in [COUNTED, WEIGHED, TURNING] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
