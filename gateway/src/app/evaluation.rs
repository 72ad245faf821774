//! The parts of an evaluation: those of a gateway that serves, without a cache, so that every question is searched for and no key
//! stays behind.

use std::sync::Arc;

use ragline_config::CacheMode;

use super::{App, background};
use crate::{
    backends::pgvector::{evaluation::EvalWorkspace, pool},
    eval::EvalParts,
    settings::Settings,
};

impl App {
    /// Opens what `eval` works with.
    ///
    /// # Errors
    /// As [`App::build`]; a missing DATABASE_OWNER_URL.
    pub fn eval_parts(mut settings: Settings) -> anyhow::Result<EvalParts> {
        settings.config.cache.mode = CacheMode::Disabled;
        let owner = pool::owner(&settings.config.database, &settings.database_owner_url()?)?;
        let app = Self::build(settings)?;
        let ingestion = background::ingestion(&app);
        Ok(EvalParts {
            workspace: EvalWorkspace::new(owner),
            directory: Arc::new(app.store.clone()),
            searcher: Arc::new(app.store),
            ingestion,
            answerer: app.answerer,
            config: app.settings.config,
        })
    }
}
