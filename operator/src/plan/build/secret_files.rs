//! Values of Secrets as files in the pods that run the gateway's program, and the variables that name them.

use k8s_openapi::api::core::v1::EnvVar;

use super::pod::{Mounted, SecretFile};
use crate::plan::{
    certificates,
    names::{self, Component},
    pipeline::{Pipeline, Postgres, SecretUser, UserSecret},
};

/// One file of a Secret with the variable that names it, kept while a pod is put together.
#[derive(Clone, Debug)]
pub(super) struct OwnedFile {
    folder: &'static str,
    secret: String,
    key: String,
    variable: Option<&'static str>,
}

impl OwnedFile {
    pub(super) fn mounted(&self) -> Mounted {
        self.borrowed().mounted()
    }

    pub(super) fn variable(&self) -> Option<EnvVar> {
        self.variable.map(|name| self.borrowed().variable(name))
    }

    fn borrowed(&self) -> SecretFile<'_> {
        SecretFile { name: self.folder, secret: &self.secret, key: &self.key }
    }
}

/// A value that the operator drew, under the name of the variable that takes it.
pub(super) fn generated(folder: &'static str, secret: String, variable: &'static str) -> OwnedFile {
    OwnedFile { folder, secret, key: variable.to_owned(), variable: Some(variable) }
}

/// A value that the operator drew, under another key than the variable's name.
pub(super) fn generated_key(folder: &'static str, secret: String, key: &str, variable: &'static str) -> OwnedFile {
    OwnedFile { key: key.to_owned(), ..generated(folder, secret, variable) }
}

/// The certificate of the authority that PostgreSQL is known by: CloudNativePG's, or the pipeline's own.
pub(super) fn database_ca(pipeline: &Pipeline) -> Option<OwnedFile> {
    let name = &pipeline.name;
    let secret = match &pipeline.postgres {
        Postgres::CloudNativePg { .. } => names::cloud_native_pg_ca(name),
        Postgres::Managed(postgres) if postgres.tls.is_some() => names::certificate_secret(name, Component::Postgres),
        Postgres::Managed(_) | Postgres::External { .. } => return None,
    };
    let key = certificates::AUTHORITY_KEY.to_owned();
    Some(OwnedFile { folder: names::DATABASE_CA_FOLDER, secret, key, variable: None })
}

/// The certificate of the pipeline's own authority, where the managed Valkey is known by it.
pub(super) fn cache_ca(pipeline: &Pipeline) -> Option<OwnedFile> {
    pipeline.has_cache_tls().then(|| OwnedFile {
        folder: names::VALKEY_CA_FOLDER,
        secret: names::certificate_secret(&pipeline.name, Component::Cache),
        key: certificates::AUTHORITY_KEY.to_owned(),
        variable: None,
    })
}

/// Those of the Secrets that the spec names which these pods mount.
pub(super) fn of_user(pipeline: &Pipeline, users: &[SecretUser]) -> impl Iterator<Item = OwnedFile> {
    pipeline.secrets.iter().filter(|named| users.contains(&named.user)).map(|named| {
        let UserSecret { field: _, folder, variable, user: _, secret } = named;
        OwnedFile { folder, secret: secret.name.clone(), key: secret.key.clone(), variable: *variable }
    })
}
