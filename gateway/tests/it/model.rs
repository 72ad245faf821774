//! The built-in model for tests: fetched once, loaded once.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Arc, LazyLock},
};

use ragline_gateway::backends::builtin::BuiltinEmbedder;

/// The folder of the weights; fetches them on first use.
pub(crate) fn directory() -> PathBuf {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(directory) = std::env::var_os("RAGLINE_MODEL_DIR") {
            return directory.into();
        }
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("model");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/servers/fetch_model.sh");
        let status = Command::new(script).arg(&directory).status().expect("fetch_model.sh runs");
        assert!(status.success(), "fetch_model.sh could not get the model");
        directory
    });
    DIRECTORY.clone()
}

/// The model, shared by all tests of the process.
pub(crate) fn builtin() -> Arc<BuiltinEmbedder> {
    static MODEL: LazyLock<Arc<BuiltinEmbedder>> =
        LazyLock::new(|| Arc::new(BuiltinEmbedder::load(&directory(), None).expect("the fetched model loads")));
    Arc::clone(&MODEL)
}
