//! The Secrets that a spec names: what each is for, and which pods mount it.

use std::path::PathBuf;

use ragline_config::{env, paths};
use ragline_crds::{RagPipelineSpec, spec::SecretKeyRef};

use crate::plan::{
    certificates, models, names,
    pipeline::{SecretUser, UserSecret},
};

/// Folder of the certificates that the identity provider's is checked with.
const OIDC_CA: &str = "oidc-ca";
/// Folder of the certificates that the collector's of traces is checked with.
const TRACING_CA: &str = "tracing-ca";

/// All of them, in the order in which they are missed.
pub(super) fn secrets(spec: &RagPipelineSpec) -> Vec<UserSecret> {
    let (mut embedding, mut generation, mut rerank) = (spec.embedding.clone(), spec.generation.clone(), spec.rerank.clone());
    let servers = models::servers(embedding.as_mut(), generation.as_mut(), rerank.as_mut()).into_iter();
    let keys = servers.filter_map(|server| {
        let field = format!("{}.secretRef", server.field);
        let (folder, variable, user) = (server.folder, Some(server.variable), SecretUser::Serving);
        server.secret_ref.take().map(|secret| UserSecret { field, folder, variable, user, secret })
    });
    let mut found: Vec<_> = keys.collect();
    let mut add = |field: &str, folder, variable, user, secret: Option<SecretKeyRef>| {
        found.extend(secret.map(|secret| UserSecret { field: field.to_owned(), folder, variable, user, secret }));
    };
    if let Some(external) = spec.postgres.as_ref().and_then(|postgres| postgres.external.as_ref()) {
        let url = |key: &str| Some(SecretKeyRef { name: external.secret_name.clone(), key: key.to_owned() });
        let field = "spec.postgres.external.secretName";
        add(field, "database", Some(env::DATABASE_URL), SecretUser::All, url(env::DATABASE_URL));
        add(field, "owner", Some(env::DATABASE_OWNER_URL), SecretUser::Jobs, url(env::DATABASE_OWNER_URL));
        let field = "spec.postgres.external.caSecretRef";
        add(field, names::DATABASE_CA_FOLDER, None, SecretUser::All, external.ca_secret_ref.clone());
    }
    if let Some(external) = spec.cache.as_ref().and_then(|cache| cache.external.as_ref()) {
        let field = "spec.cache.external.secretRef";
        add(field, "valkey", Some(env::VALKEY_PASSWORD), SecretUser::Serving, external.secret_ref.clone());
        let field = "spec.cache.external.caSecretRef";
        add(field, names::VALKEY_CA_FOLDER, None, SecretUser::All, external.ca_secret_ref.clone());
        let field = "spec.cache.external.sentinel.secretRef";
        let sentinel = external.sentinel.as_ref().and_then(|sentinel| sentinel.secret_ref.clone());
        add(field, "valkey-sentinel", Some(env::VALKEY_SENTINEL_PASSWORD), SecretUser::Serving, sentinel);
    }
    let oidc = spec.auth.as_ref().and_then(|auth| auth.oidc.as_ref()?.ca_secret_ref.clone());
    add("spec.auth.oidc.caSecretRef", OIDC_CA, None, SecretUser::Serving, oidc);
    if let Some(tracing) = &spec.tracing {
        let variable = Some(env::OTEL_EXPORTER_OTLP_HEADERS);
        let headers = tracing.headers_secret_ref.clone();
        add("spec.tracing.headersSecretRef", "tracing-headers", variable, SecretUser::Serving, headers);
        add("spec.tracing.caSecretRef", TRACING_CA, None, SecretUser::Serving, tracing.ca_secret_ref.clone());
    }
    found
}

/// Where the certificate of the authority is mounted that PostgreSQL is known by, be it CloudNativePG's or the pipeline's own.
pub(super) fn own_database_ca() -> PathBuf {
    PathBuf::from(format!("{}/{}/{}", paths::SECRETS_DIR, names::DATABASE_CA_FOLDER, certificates::AUTHORITY_KEY))
}

/// Where the certificates for PostgreSQL are mounted.
pub(super) fn database_ca(secret: &SecretKeyRef) -> PathBuf {
    PathBuf::from(format!("{}/{}/{}", paths::SECRETS_DIR, names::DATABASE_CA_FOLDER, secret.key))
}

/// Where the certificates for Valkey are mounted.
pub(super) fn valkey_ca(secret: &SecretKeyRef) -> PathBuf {
    PathBuf::from(format!("{}/{}/{}", paths::SECRETS_DIR, names::VALKEY_CA_FOLDER, secret.key))
}

/// Where the certificate of the pipeline's own authority is mounted for Valkey.
pub(super) fn managed_valkey_ca() -> PathBuf {
    PathBuf::from(format!("{}/{}/{}", paths::SECRETS_DIR, names::VALKEY_CA_FOLDER, certificates::AUTHORITY_KEY))
}

/// Where the certificates for the identity provider are mounted.
pub(super) fn oidc_ca(secret: &SecretKeyRef) -> PathBuf {
    PathBuf::from(format!("{}/{OIDC_CA}/{}", paths::SECRETS_DIR, secret.key))
}

/// Where the certificates for the collector of traces are mounted.
pub(super) fn tracing_ca(secret: &SecretKeyRef) -> PathBuf {
    PathBuf::from(format!("{}/{TRACING_CA}/{}", paths::SECRETS_DIR, secret.key))
}
