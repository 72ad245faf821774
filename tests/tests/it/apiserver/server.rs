//! The API server that these tests share: one that is there, or one of their own, which is stopped with the last test that uses
//! it.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use k8s_openapi::{api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition};
use kube::{
    Api, Client, Config,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::ApiResource,
    runtime::{conditions, wait::await_condition},
};
use ragline_crds::{RagPipeline, RagPipelineClass, class_definition, definition};
use serde_json::json;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/apiserver.sh");

/// An API server of RAGLINE_APISERVER_KUBECONFIG, or one that was started here.
pub(super) enum Server {
    There(PathBuf),
    Own(tempfile::TempDir),
}

/// The server that runs now, if any does.
static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    /// The shared server, with both resources defined and served.
    pub(super) async fn shared() -> Arc<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let server = tokio::task::spawn_blocking(Self::start).await.unwrap();
        let client = server.client().await;
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        let apply = PatchParams::apply("test").force();
        for definition in [definition(), class_definition()] {
            let name = definition.metadata.name.clone().unwrap();
            definitions.patch(&name, &apply, &Patch::Apply(definition)).await.unwrap();
            let established = await_condition(definitions.clone(), &name, conditions::is_crd_established());
            tokio::time::timeout(Duration::from_secs(30), established).await.unwrap().unwrap();
        }
        served(&Api::all_with(client.clone(), &ApiResource::erase::<RagPipeline>(&()))).await;
        served(&Api::all_with(client, &ApiResource::erase::<RagPipelineClass>(&()))).await;
        server
    }

    fn start() -> Arc<Self> {
        // Held while it starts, so that two tests do not start two.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(match std::env::var_os("RAGLINE_APISERVER_KUBECONFIG") {
            Some(kubeconfig) => Self::There(kubeconfig.into()),
            None => {
                let folder = tempfile::tempdir().unwrap();
                let status = Command::new(SCRIPT).arg("start").arg(folder.path()).status().unwrap();
                assert!(status.success(), "{SCRIPT} start: {status}");
                Self::Own(folder)
            }
        });
        *shared = Arc::downgrade(&server);
        server
    }

    /// How the server is reached.
    pub(super) async fn config(&self) -> Config {
        let file = match self {
            Self::There(file) => file.clone(),
            Self::Own(folder) => folder.path().join("kubeconfig"),
        };
        let file = Kubeconfig::read_from(file).unwrap();
        Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap()
    }

    pub(super) async fn client(&self) -> Client {
        Client::try_from(self.config().await).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Own(folder) = self {
            let stopped = Command::new(SCRIPT).arg("stop").arg(folder.path()).status();
            assert!(stopped.is_ok_and(|status| status.success()), "{SCRIPT} stop failed");
        }
    }
}

/// An established definition is served a moment later.
async fn served(api: &Api<DynamicObject>) {
    for _ in 0..100 {
        if api.list(&ListParams::default()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the resource is not served after ten seconds");
}

/// A new namespace whose name begins with `what`.
pub(super) async fn namespace(client: &Client, what: &str) -> String {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"generateName": format!("{what}-")}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap().metadata.name.unwrap()
}
