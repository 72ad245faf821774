//! Certificates are kept as long as they do, and a client that trusts the authority accepts them.

use ragline_crds::{
    RagPipeline, RagPipelineSpec,
    spec::{Cache, ManagedCache, ManagedTls},
};

use super::*;
use crate::plan::{build, credentials::Credentials, names::Component, objects::Object, pipeline::Defaults, validate::validate};

const DAY: i64 = 24 * 3_600;

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + day * DAY).unwrap()
}

fn pipeline(name: &str, tls: bool) -> Pipeline {
    let tls = Some(ManagedTls { enabled: Some(tls), issuer_ref: None });
    let cache = Cache { managed: Some(ManagedCache { tls, ..ManagedCache::default() }), ..Cache::default() };
    let mut pipeline = RagPipeline::new(name, RagPipelineSpec { cache: Some(cache), ..RagPipelineSpec::default() });
    pipeline.metadata.namespace = Some("team".to_owned());
    validate(&pipeline, &Defaults::of_tests()).unwrap()
}

fn made(pipeline: &Pipeline, day: i64) -> Certificates {
    keep(pipeline, &BTreeMap::new(), at(day)).unwrap()
}

/// The Secrets that certificates are kept in.
fn kept(pipeline: &Pipeline, certificates: &Certificates) -> BTreeMap<String, Secret> {
    let credentials = Credentials { certificates: certificates.clone(), ..Credentials::placeholders() };
    let objects = build::build(pipeline, &credentials);
    let secrets = objects.iter().filter_map(|object| match object {
        Object::Secret(secret) => Some((secret.metadata.name.clone().unwrap(), (**secret).clone())),
        _ => None,
    });
    secrets.collect()
}

/// The certificates of Valkey and of the authority.
fn pems(certificates: &Certificates) -> (String, String) {
    let authority = certificates.authority.as_ref().unwrap();
    (certificates.parts[&Component::Cache].certificate.clone(), authority.certificate.clone())
}

/// What a client says that trusts `authority`.
fn trusts(authority: &str, certificate: &str, name: &str, now: Timestamp) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().cast_unsigned()));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier.verify_server_cert(&certificate, &[], &name, &[], now).map(drop)
}

#[test]
fn nothing_is_made_where_nothing_speaks_tls() {
    let certificates = made(&pipeline("a", false), 0);
    assert!(certificates.authority.is_none() && certificates.parts.is_empty());
}

#[test]
fn a_client_that_trusts_the_authority_accepts_the_certificate_by_each_name_until_it_ends() {
    let (certificate, authority) = pems(&made(&pipeline("a", true), 0));
    for name in ["a-valkey", "a-valkey.team", "a-valkey.team.svc", "a-valkey.team.svc.cluster.local"] {
        trusts(&authority, &certificate, name, at(0)).unwrap();
        trusts(&authority, &certificate, name, at(DAYS - 1)).unwrap();
    }
    trusts(&authority, &certificate, "b-valkey", at(0)).unwrap_err();
    trusts(&authority, &certificate, "a-valkey", at(DAYS + 1)).unwrap_err();
    let (_, other) = pems(&made(&pipeline("a", true), 0));
    trusts(&other, &certificate, "a-valkey", at(0)).unwrap_err();
}

#[test]
fn the_longest_names_fit() {
    made(&pipeline(&"p".repeat(ragline_crds::NAME_LENGTH_MAX), true), 0);
}

#[test]
fn what_is_there_is_kept_until_a_third_is_left_and_the_authority_for_good() {
    let pipeline = pipeline("a", true);
    let first = made(&pipeline, 0);
    let secrets = kept(&pipeline, &first);
    let same = keep(&pipeline, &secrets, at(DAYS - DAYS_LEFT - 2)).unwrap();
    assert_eq!(pems(&same), pems(&first));
    for later in [DAYS - DAYS_LEFT + 1, 5 * DAYS, 100 * DAYS] {
        let renewed = keep(&pipeline, &secrets, at(later)).unwrap();
        let ((old, authority), (new, same_authority)) = (pems(&first), pems(&renewed));
        assert!(old != new && authority == same_authority, "after {later} days");
        trusts(&authority, &new, "a-valkey", at(later)).unwrap();
    }
}

#[test]
fn what_is_broken_or_does_not_belong_together_is_made_anew() {
    let pipeline = pipeline("a", true);
    let first = made(&pipeline, 0);
    let good = kept(&pipeline, &first);
    let other = kept(&pipeline, &made(&pipeline, 0));
    let broken = |secret: &str, key: &str, value: Option<&[u8]>| {
        let mut secrets = good.clone();
        let data = secrets.get_mut(secret).unwrap().data.as_mut().unwrap();
        let value = value.map_or_else(|| other[secret].data.as_ref().unwrap()[key].clone(), |value| ByteString(value.to_vec()));
        data.insert(key.to_owned(), value);
        pems(&keep(&pipeline, &secrets, at(0)).unwrap())
    };
    let (certificate, authority) = pems(&first);
    let nonsense: Option<&[u8]> = Some(b"\xff");
    for (key, value) in [(PRIVATE_KEY, None), (CERTIFICATE_KEY, None), (CERTIFICATE_KEY, nonsense), (PRIVATE_KEY, nonsense)] {
        let (new, same) = broken("a-valkey-tls", key, value);
        assert!(new != certificate && same == authority, "{key}");
        let (new, other) = broken("a-ca", key, value);
        assert!(new != certificate && other != authority, "{key}");
        trusts(&other, &new, "a-valkey", at(0)).unwrap();
    }
}

/// A pipeline of this spec.
fn checked(spec: serde_json::Value) -> Pipeline {
    let mut pipeline = RagPipeline::new("a", serde_json::from_value(spec).unwrap());
    pipeline.metadata.namespace = Some("team".to_owned());
    validate(&pipeline, &Defaults::of_tests()).unwrap()
}

#[test]
fn every_part_is_known_by_the_names_that_it_is_called_by() {
    let tls = serde_json::json!({"enabled": true});
    let certificates = |replicas: u32| {
        let pipeline = checked(serde_json::json!({
            "postgres": {"managed": {"tls": tls, "replicas": replicas}}, "gateway": {"tls": tls},
        }));
        made(&pipeline, 0)
    };
    let all = certificates(1);
    let authority = all.authority.clone().unwrap().certificate;
    for (part, name) in [
        (Component::Postgres, "a-postgres.team"),
        (Component::Replica, "a-replica-0.a-replica.team"),
        (Component::Replica, "a-replica-2.a-replica.team.svc"),
        (Component::Gateway, "a-gateway.team.svc"),
    ] {
        trusts(&authority, &all.parts[&part].certificate, name, at(0)).unwrap();
        assert!(trusts(&authority, &all.parts[&part].certificate, "a-valkey.team", at(0)).is_err());
    }
    assert_eq!(all.authority_of(Component::Gateway), Some(authority.as_str()));
    assert_eq!((all.authority_of(Component::Cache), all.parts.len()), (None, 3));
    assert_eq!(certificates(0).parts.keys().collect::<Vec<_>>(), [&Component::Postgres, &Component::Gateway]);
}

#[test]
fn what_cert_manager_issues_is_taken_as_it_is_once_it_is_whole() {
    let tls = serde_json::json!({"enabled": true, "issuerRef": {"name": "company"}});
    let pipeline =
        checked(serde_json::json!({"postgres": {"managed": {"tls": tls}}, "cache": {"managed": {"tls": {"enabled": true}}}}));
    let filled = |keys: &[&str]| {
        let data = keys.iter().map(|key| ((*key).to_owned(), ByteString(b"text".to_vec()))).collect();
        BTreeMap::from([("a-postgres-tls".to_owned(), Secret { data: Some(data), ..Secret::default() })])
    };
    for lacking in [filled(&[]), filled(&["tls.crt", "tls.key"]), filled(&["tls.crt", "ca.crt"])] {
        let certificates = keep(&pipeline, &lacking, at(0)).unwrap();
        assert_eq!(certificates.unissued(&pipeline), ["a-postgres-tls"]);
    }
    let certificates = keep(&pipeline, &filled(&["tls.crt", "tls.key", "ca.crt"]), at(0)).unwrap();
    assert_eq!(certificates.unissued(&pipeline), Vec::<String>::new());
    assert_eq!(certificates.authority_of(Component::Postgres), Some("text"));
    // The cache has a certificate of the pipeline's own, and only that is kept by us.
    assert_eq!(kept(&pipeline, &certificates).keys().filter(|name| name.contains("-tls") || name.ends_with("-ca")).count(), 2);
    assert_eq!(certificates.parts.keys().collect::<Vec<_>>(), [&Component::Cache]);
}
