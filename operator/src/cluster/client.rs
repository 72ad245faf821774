//! The door to the Kubernetes API. Every request names a row of the access table and is refused here when the table does not
//! grant it; every request and every write is counted; none waits longer than its deadline.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http;
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams, PartialObjectMeta, Patch, PatchParams, PostParams},
    client::Body,
    core::{Request, request},
};
use serde_json::Value;
use tokio::time::timeout;
use tracing::debug;

use super::{
    access::{Access, Verb},
    warnings::{self, Warning},
};
use crate::metrics::Metrics;

/// The one field manager of everything that the operator writes.
pub const FIELD_MANAGER: &str = "ragline-operator";
/// The field manager that holds a number of replicas between the operator and an autoscaler.
const REPLICAS_MANAGER: &str = "ragline-operator-replicas";
/// One request may take this long where nothing else is said.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Objects of one page of a list.
const PAGE: u32 = 500;

/// Names, labels and owners of an object, without what it says.
pub(super) type ObjectInfo = PartialObjectMeta<DynamicObject>;

/// Why a request to the API server failed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("cannot {verb} {resource} {name:?}", verb = .verb.word())]
    Refused { verb: Verb, resource: String, name: String, source: Box<kube::Error> },
    #[error("the API server did not answer in {} s: {} {resource} {name:?}", .waited.as_secs(), .verb.word())]
    Silent { verb: Verb, resource: String, name: String, waited: Duration },
    #[error("the operator has no business to {} {resource}", .verb.word())]
    NotInTable { verb: Verb, resource: String },
}

impl RequestError {
    /// The API server's word for the refusal, such as `Forbidden`, with its message.
    pub fn answer(&self) -> Option<(u16, &str)> {
        match self {
            Self::Refused { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some((status.code, status.message.as_str())),
                _ => None,
            },
            Self::Silent { .. } | Self::NotInTable { .. } => None,
        }
    }

    /// Whether the API server knows no such object, or no such kind.
    pub fn is_absence(&self) -> bool {
        self.answer().is_some_and(|(code, _)| code == 404)
    }
}

/// The API of one namespace.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    metrics: Metrics,
    namespace: String,
    deadline: Duration,
    warnings: Arc<Mutex<Vec<Warning>>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Cluster {
    /// `deadline` is the longest that one request may take.
    pub fn new(client: Client, metrics: Metrics, namespace: &str, deadline: Duration) -> Self {
        Self { client, metrics, namespace: namespace.to_owned(), deadline, warnings: Arc::default() }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The client itself, for the watches of the controller and for Events.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// One object by name, or nothing.
    ///
    /// # Errors
    /// The request failed for another reason than the object's absence.
    pub async fn get(&self, access: &Access, name: &str) -> Result<Option<DynamicObject>, RequestError> {
        let api = self.api(access);
        self.ask(access, Verb::Get, name, api.get_opt(name)).await
    }

    /// The objects with these labels.
    ///
    /// # Errors
    /// The request failed.
    pub async fn list(&self, access: &Access, labels: &str) -> Result<Vec<DynamicObject>, RequestError> {
        self.list_by(access, ListParams::default().labels(labels)).await
    }

    /// The objects with these fields.
    ///
    /// # Errors
    /// The request failed.
    pub async fn list_by_fields(&self, access: &Access, fields: &str) -> Result<Vec<DynamicObject>, RequestError> {
        self.list_by(access, ListParams::default().fields(fields)).await
    }

    /// All objects of a kind that belongs to the whole cluster.
    ///
    /// # Errors
    /// The request failed.
    pub async fn list_of_cluster(&self, access: &Access) -> Result<Vec<DynamicObject>, RequestError> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &access.resource());
        let params = ListParams::default().limit(PAGE);
        self.ask(access, Verb::List, "", api.list(&params)).await.map(|list| list.items)
    }

    /// All objects with these labels, page by page, of the namespace or of all.
    ///
    /// # Errors
    /// A request failed.
    pub(super) async fn list_all(
        &self,
        access: &Access,
        labels: &str,
        everywhere: bool,
    ) -> Result<Vec<ObjectInfo>, RequestError> {
        let resource = access.resource();
        let api: Api<ObjectInfo> = match everywhere {
            true => Api::all_with(self.client.clone(), &resource),
            false => Api::namespaced_with(self.client.clone(), &self.namespace, &resource),
        };
        let mut params = ListParams::default().labels(labels).limit(PAGE);
        let mut found = Vec::new();
        loop {
            let page = self.ask(access, Verb::List, "", api.list(&params)).await?;
            found.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(found),
            }
        }
    }

    async fn list_by(&self, access: &Access, params: ListParams) -> Result<Vec<DynamicObject>, RequestError> {
        let api = self.api(access);
        let params = params.limit(PAGE);
        self.ask(access, Verb::List, "", api.list(&params)).await.map(|list| list.items)
    }

    /// Makes the object hold what `object` says, by server-side apply; makes it where it is not.
    ///
    /// # Errors
    /// The request failed.
    pub async fn apply(&self, access: &Access, name: &str, object: &Value) -> Result<DynamicObject, RequestError> {
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let request = Request::new(self.api(access).resource_url()).patch(name, &params, &Patch::Apply(object));
        self.write(access, Verb::Patch, name, request).await
    }

    /// What was said of objects that were applied or made since the last call.
    pub fn take_warnings(&self) -> Vec<Warning> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has another manager own the number of replicas as it is, so that giving it up does not reset it.
    ///
    /// # Errors
    /// The request failed.
    pub async fn hand_over_replicas(&self, access: &Access, name: &str, object: &Value) -> Result<(), RequestError> {
        let api = self.api(access);
        let params = PatchParams::apply(REPLICAS_MANAGER).force();
        self.ask(access, Verb::Patch, name, api.patch(name, &params, &Patch::Apply(object))).await.map(drop)
    }

    /// Writes the status by server-side apply.
    ///
    /// # Errors
    /// The request failed.
    pub async fn apply_status(&self, access: &Access, name: &str, object: &Value) -> Result<DynamicObject, RequestError> {
        let api = self.api(access);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.ask(access, Verb::Patch, name, api.patch_status(name, &params, &Patch::Apply(object))).await
    }

    /// Makes an object that must not be there yet.
    ///
    /// # Errors
    /// The request failed; 409 where the object is there.
    pub async fn create(&self, access: &Access, object: &DynamicObject) -> Result<DynamicObject, RequestError> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let body = serde_json::to_vec(object).map_err(request::Error::SerializeBody);
        let request = body.and_then(|body| Request::new(self.api(access).resource_url()).create(&params, body));
        self.write(access, Verb::Create, name, request).await
    }

    /// Sends an object, and keeps what the API server says of it beside taking it.
    async fn write(
        &self,
        access: &Access,
        verb: Verb,
        name: &str,
        request: Result<http::Request<Vec<u8>>, request::Error>,
    ) -> Result<DynamicObject, RequestError> {
        let answer = async { self.client.send(request.map_err(kube::Error::BuildRequest)?.map(Body::from)).await };
        let (object, said) = self.ask(access, verb, name, warnings::read(answer)).await?;
        let warning = |text| Warning { kind: access.kind, name: name.to_owned(), text };
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).extend(said.into_iter().map(warning));
        Ok(object)
    }

    /// Deletes an object; one that is gone already is no error. `uid` keeps a namesake made meanwhile.
    ///
    /// # Errors
    /// The request failed.
    pub async fn delete(&self, access: &Access, name: &str, uid: Option<String>) -> Result<(), RequestError> {
        let api = self.api(access);
        let preconditions = uid.map(|uid| kube::api::Preconditions { uid: Some(uid), resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::background() };
        match self.ask(access, Verb::Delete, name, api.delete(name, &params)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_absence() => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn api(&self, access: &Access) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &access.resource())
    }

    async fn ask<T>(
        &self,
        access: &Access,
        verb: Verb,
        name: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, RequestError> {
        let resource = access.role_resource();
        if !access.allows(verb) {
            return Err(RequestError::NotInTable { verb, resource });
        }
        self.metrics.api_requests.with_label_values(&[resource.as_str(), verb.word()]).inc();
        if verb.writes() {
            debug!(namespace = %self.namespace, resource, name, verb = verb.word(), "write to the API");
            self.metrics.api_writes.with_label_values(&[resource.as_str()]).inc();
        }
        match timeout(self.deadline, request).await {
            Ok(answer) => {
                answer.map_err(|source| RequestError::Refused { verb, resource, name: name.to_owned(), source: Box::new(source) })
            }
            Err(_) => Err(RequestError::Silent { verb, resource, name: name.to_owned(), waited: self.deadline }),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use serde_json::json;

    use super::*;
    use crate::cluster::access;

    /// An API server that takes everything and advises against it.
    fn cluster() -> Cluster {
        let said = ([("warning", r#"299 - "use another""#)], r#"{"metadata": {"name": "a"}}"#);
        let client = Client::new(Router::new().fallback(move || async move { said }), "n");
        Cluster::new(client, Metrics::new().unwrap(), "n", REQUEST_TIMEOUT)
    }

    #[tokio::test]
    async fn what_is_said_of_an_object_is_kept_whether_it_is_applied_or_made() {
        let cluster = cluster();
        let object = |kind| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}});
        cluster.apply(&access::CONFIG_MAPS, "a", &object("ConfigMap")).await.unwrap();
        cluster.create(&access::JOBS, &serde_json::from_value(object("Job")).unwrap()).await.unwrap();
        let warning = |kind| Warning { kind, name: "a".to_owned(), text: "use another".to_owned() };
        assert_eq!(cluster.take_warnings(), ["ConfigMap", "Job"].map(warning));
        assert_eq!(cluster.take_warnings(), []);
    }
}
