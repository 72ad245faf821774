//! One life of an operator: it has its own memory and its own way to the API server, and works trip by trip.

use std::{sync::Arc, time::Duration};

use kube::core::DeserializeGuard;
use ragline_crds::RagPipeline;
use ragline_operator::{
    cluster::{index::Readings, shared::Classes},
    context::Context,
    metrics::Metrics,
    reconcile::{ReconcileError, reconcile},
};

use super::door::Door;
use crate::specs::defaults;

/// How a trip ended.
#[derive(Debug)]
pub(super) enum Trip {
    /// It came to its end; so many of its requests were to change something.
    Done {
        writes: usize,
    },
    Failed(ReconcileError),
    /// The operator was killed.
    Crashed,
}

/// See above.
pub(super) struct Operator {
    context: Arc<Context>,
    pub(super) door: Arc<Door>,
}

impl Operator {
    pub(super) fn new(door: Arc<Door>) -> Self {
        Self::patient(door, Duration::from_secs(20))
    }

    /// One that waits so long for an answer.
    pub(super) fn patient(door: Arc<Door>, deadline: Duration) -> Self {
        let metrics = Metrics::new().unwrap();
        let context = Context::new(door.client(), metrics, Readings::default(), defaults(), Some(Classes::default()));
        Self { context: Arc::new(context.with_deadline(deadline)), door }
    }

    /// One trip for the pipeline as it is.
    pub(super) async fn trip(&self, pipeline: DeserializeGuard<RagPipeline>) -> Trip {
        let before = self.door.writes();
        tokio::select! {
            // What the operator was at is dropped, with every request under way.
            () = self.door.crash() => Trip::Crashed,
            ended = reconcile(Arc::new(pipeline), Arc::clone(&self.context)) => match ended {
                Ok(_) => Trip::Done { writes: self.door.writes() - before },
                Err(error) => Trip::Failed(error),
            },
        }
    }
}
