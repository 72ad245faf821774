//! The parts of a verification: those of a gateway that serves, with every use of the cache recorded.

use std::sync::Arc;

use super::App;
use crate::{
    settings::Settings,
    traits::cache::Cache,
    verify::{RecordedCache, VerifyParts},
};

impl App {
    /// Opens what `verify` works with.
    ///
    /// # Errors
    /// As [`App::build`].
    pub fn verify_parts(settings: Settings) -> anyhow::Result<VerifyParts> {
        let mut recorded = None;
        let app = Self::build_around(settings, |cache| {
            let recording = Arc::new(RecordedCache::new(cache));
            recorded = Some(Arc::clone(&recording));
            recording as Arc<dyn Cache>
        })?;
        let store = Arc::new(app.store.clone());
        Ok(VerifyParts {
            inspector: Arc::clone(&store) as _,
            searcher: Arc::clone(&store) as _,
            directory: Arc::clone(&store) as _,
            blobs: Arc::clone(&store) as _,
            jobs: Arc::clone(&store) as _,
            documents: store,
            cutter: Arc::new(app.cutter()),
            embedder: app.embedder,
            answerer: app.answerer,
            cache: recorded.expect("the closure has run"),
            valkey: app.valkey,
            config: app.settings.config,
        })
    }
}
