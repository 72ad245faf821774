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
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar for a person who looks on; a quiet command has none.
    pub(super) fn new(quiet: bool) -> Self {
        // A terminal that cannot go back in a line would be filled with bars.
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if quiet || is_dumb || !std::io::stderr().is_terminal() {
            return Self::none();
        }
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()))
    }

    pub(super) fn none() -> Self {
        Self(ProgressBar::hidden())
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
        self.0.inc(by);
    }

    pub(super) fn place(&self) -> u64 {
        self.0.position()
    }

    pub(super) fn go_to(&self, place: u64) {
        self.0.set_position(place);
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.0.disable_steady_tick();
        self.0.finish_and_clear();
    }

    /// Does something while no bar is on the screen.
    pub(super) fn aside<T>(&self, act: impl FnOnce() -> T) -> T {
        self.0.suspend(act)
    }

    fn stage(&self, what: &'static str, total: Option<u64>, template: &str) {
        if self.0.is_hidden() {
            return;
        }
        let style = ProgressStyle::with_template(template).expect("the templates are constants");
        // The style comes first: what is set after it is drawn at once.
        self.0.set_style(style.progress_chars("=> "));
        self.0.reset();
        self.0.set_message(what);
        match total {
            Some(total) => self.0.set_length(total),
            None => self.0.unset_length(),
        }
        self.0.enable_steady_tick(TURN);
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
