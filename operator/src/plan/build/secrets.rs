//! The Secrets that the operator generates. Each part mounts only what it needs, so each role has a Secret of its own.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use ragline_config::{env, ports};
use secrecy::{ExposeSecret, SecretString};

use super::meta;
use crate::plan::{
    certificates::{AUTHORITY_KEY, CERTIFICATE_KEY, Certificates, PRIVATE_KEY, Pair},
    credentials::{
        API_KEY_KEY, Application, Credentials, NEXT_PASSWORD_KEY, NEXT_URL_KEY, ORIGIN_KEY, PASSWORD_KEY, ROTATION_KEY, USER_KEY,
    },
    names::{self, Component},
    pipeline::{Pipeline, Postgres},
};

/// The database.
pub const DATABASE: &str = "ragline";
/// The superuser.
pub const SUPERUSER: &str = "postgres";
/// The role that owns the tables.
pub const OWNER: &str = "ragline_owner";

/// The role that read replicas copy the primary with; `pg_hba.conf` and the scripts know it too.
pub const REPLICATION: &str = "ragline_replication";

/// All of them.
pub fn secrets(pipeline: &Pipeline, credentials: &Credentials) -> Vec<Secret> {
    let Credentials { superuser, owner, application, replication, valkey, api_key, certificates } = credentials;
    let name = &pipeline.name;
    let key = [(API_KEY_KEY, api_key.expose_secret().to_owned())];
    let mut secrets = vec![secret(pipeline, names::api_key_secret(name), Component::Gateway, key)];
    if pipeline.managed_postgres().is_some() {
        secrets.push(role(pipeline, names::superuser_secret(name), SUPERUSER, env::DATABASE_BOOTSTRAP_URL, superuser));
        // Also without read replicas, so that the first one finds the primary as it is.
        let data = [(USER_KEY, REPLICATION.to_owned()), (PASSWORD_KEY, replication.expose_secret().to_owned())];
        secrets.push(secret(pipeline, names::replication_secret(name), Component::Postgres, data));
    }
    if pipeline.own_postgres().is_some() {
        secrets.extend([
            role(pipeline, names::owner_secret(name), OWNER, env::DATABASE_OWNER_URL, owner),
            application_secret(pipeline, application),
        ]);
    }
    if pipeline.managed_cache().is_some() {
        let password = valkey.expose_secret().to_owned();
        secrets.push(secret(pipeline, names::valkey_secret(name), Component::Cache, [(PASSWORD_KEY, password)]));
    }
    secrets.extend(certificate_secrets(pipeline, certificates));
    secrets
}

/// The authority's, which no pod mounts, and one for each part. They go with the pipeline: nothing that is kept needs them.
fn certificate_secrets(pipeline: &Pipeline, certificates: &Certificates) -> Vec<Secret> {
    // What cert-manager issues is its own to keep.
    let Certificates { authority: Some(authority), parts, issued: _ } = certificates else { return Vec::new() };
    let of = |name: String, part: Component, pair: &Pair, more: Option<(&str, String)>| {
        let Pair { certificate, key } = pair;
        let data = [(CERTIFICATE_KEY, certificate.clone()), (PRIVATE_KEY, key.expose_secret().to_owned())];
        Secret {
            metadata: meta::owned(pipeline, name, part),
            data: Some(bytes(data.into_iter().chain(more))),
            type_: Some("kubernetes.io/tls".to_owned()),
            ..Secret::default()
        }
    };
    let name = &pipeline.name;
    let mut secrets = vec![of(names::authority_secret(name), Component::Gateway, authority, None)];
    secrets.extend(parts.iter().map(|(part, pair)| {
        let more = Some((AUTHORITY_KEY, authority.certificate.clone()));
        of(names::certificate_secret(name, *part), *part, pair, more)
    }));
    secrets
}

/// Hosts of the read replicas: each replica of its own, or CloudNativePG's address of all standbys. None where there are none.
pub(super) fn replica_hosts(pipeline: &Pipeline) -> Vec<String> {
    let (name, namespace) = (&pipeline.name, &pipeline.namespace);
    match &pipeline.postgres {
        Postgres::Managed(postgres) => {
            let set = names::replica(name);
            (0..postgres.replicas).map(|number| format!("{set}-{number}.{set}.{namespace}")).collect()
        }
        Postgres::CloudNativePg { instances, .. } if *instances > 1 => {
            vec![format!("{}.{namespace}", names::cloud_native_pg_standbys(name))]
        }
        Postgres::CloudNativePg { .. } | Postgres::External { .. } => Vec::new(),
    }
}

/// The Secret of the role that the gateways log in with: its URLs, those of the read replicas too where there are any, and how far
/// its rotations are.
fn application_secret(pipeline: &Pipeline, application: &Application) -> Secret {
    let Application { login, password, next, rotation, origin } = application;
    let mut secret = role(pipeline, names::application_secret(&pipeline.name), login.name(), env::DATABASE_URL, password);
    let mut more = Vec::new();
    let urls = replica_hosts(pipeline).into_iter().map(|host| url(login.name(), password, &host)).collect::<Vec<_>>();
    if !urls.is_empty() {
        more.push((env::DATABASE_REPLICA_URLS, urls.join(",")));
    }
    if let Some(next) = next {
        more.push((NEXT_PASSWORD_KEY, next.expose_secret().to_owned()));
        more.push((NEXT_URL_KEY, url(login.other().name(), next, &primary(pipeline))));
    }
    if let Some(rotation) = rotation {
        more.extend([(ROTATION_KEY, rotation.clone()), (ORIGIN_KEY, origin.clone())]);
    }
    secret.data.get_or_insert_default().extend(bytes(more));
    secret
}

/// The host of the primary.
fn primary(pipeline: &Pipeline) -> String {
    let by_cloud_native_pg = matches!(pipeline.postgres, Postgres::CloudNativePg { .. });
    let host = if by_cloud_native_pg { names::cloud_native_pg_primary(&pipeline.name) } else { names::postgres(&pipeline.name) };
    format!("{host}.{}", pipeline.namespace)
}

fn url(user: &str, password: &SecretString, host: &str) -> String {
    format!("postgresql://{user}:{}@{host}:{}/{DATABASE}", password.expose_secret(), ports::POSTGRES)
}

/// A role of the database: who, with what, and where, the last under the name of the variable that takes it.
fn role(pipeline: &Pipeline, name: String, user: &str, url_key: &str, password: &SecretString) -> Secret {
    let url = url(user, password, &primary(pipeline));
    let data = [(USER_KEY, user.to_owned()), (PASSWORD_KEY, password.expose_secret().to_owned()), (url_key, url)];
    let secret = secret(pipeline, name, Component::Postgres, data);
    if !matches!(pipeline.postgres, Postgres::CloudNativePg { .. }) {
        return secret;
    }
    // CloudNativePG takes passwords from Secrets of this type.
    Secret { type_: Some("kubernetes.io/basic-auth".to_owned()), ..secret }
}

fn secret<const N: usize>(pipeline: &Pipeline, name: String, component: Component, data: [(&str, String); N]) -> Secret {
    Secret {
        metadata: meta::kept(pipeline, name, component),
        data: Some(bytes(data)),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

fn bytes<'a>(data: impl IntoIterator<Item = (&'a str, String)>) -> BTreeMap<String, ByteString> {
    data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes()))).collect()
}
