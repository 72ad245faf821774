//! A stand-in for a Valkey that speaks TLS: takes TLS off and passes everything on to the real one, which has none.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Where it listens, and the certificate to trust it by.
pub(crate) struct StandIn {
    pub(crate) port: u16,
    pub(crate) certificate: NamedTempFile,
}

/// Serves `localhost` until the test process ends.
pub(crate) async fn stand_in(valkey_port: u16) -> StandIn {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = NamedTempFile::new().unwrap();
    std::fs::write(certificate.path(), made.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut caller) = acceptor.accept(caller).await else { return };
                let mut valkey = TcpStream::connect(("127.0.0.1", valkey_port)).await.unwrap();
                tokio::io::copy_bidirectional(&mut caller, &mut valkey).await.ok();
            });
        }
    });
    StandIn { port, certificate }
}
