//! `ragline-gateway eval DIR`: how well a collection with judged questions is searched, on the real path: its documents go through
//! the queue, the cutter and the model into a workspace of its own, and its questions through the search. The workspace is removed
//! in the end, also after a failure, a panic or Ctrl-C.

pub mod dataset;
mod local;
pub mod metrics;
mod report;
mod run;
pub(crate) mod target;

pub use self::{
    local::EvalParts,
    report::{AtThreshold, IndexRecall, ModeReport, Outcome, Report},
    run::{Choice, JudgedHit, run},
    target::{EvalError, Found, Hit, Target, Told},
};
