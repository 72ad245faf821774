//! PostgreSQL over TLS: what is accepted, what is not, and that a renewed certificate takes no restart. TLS is taken off before the real
//! server, which has none.

use std::sync::{Arc, Mutex};

use ragline_config::TlsMode;
use ragline_gateway::{backends::pgvector::Store, traits::search::StoreError};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use secrecy::{ExposeSecret, SecretString};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::database::{TestDatabase, default_workspace, fresh};

/// What a client begins with that wants TLS, and what it is told then.
const TLS_WANTED: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const TLS_SPOKEN: &[u8] = b"S";

/// A PostgreSQL that speaks nothing but TLS.
struct Server {
    port: u16,
    current: Arc<Mutex<Arc<ServerConfig>>>,
    /// Certificates that the gateway trusts.
    trusted: NamedTempFile,
}

fn config(name: &str) -> (String, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    (made.cert.pem(), Arc::new(config))
}

impl Server {
    /// Known by `name`, and trusted.
    async fn start(database: &TestDatabase, name: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let postgres = url::Url::parse(database.url("DATABASE_URL").expose_secret()).unwrap().port().unwrap();
        let (pem, config) = config(name);
        let current = Arc::new(Mutex::new(config));
        let trusted = NamedTempFile::new().unwrap();
        std::fs::write(trusted.path(), pem).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = Arc::clone(&current);
        tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                let config = Arc::clone(&serving.lock().unwrap());
                tokio::spawn(async move {
                    let mut begin = [0; 8];
                    if caller.read_exact(&mut begin).await.is_err() || begin != TLS_WANTED {
                        return;
                    }
                    caller.write_all(TLS_SPOKEN).await.unwrap();
                    let Ok(mut caller) = TlsAcceptor::from(config).accept(caller).await else { return };
                    let mut server = TcpStream::connect(("127.0.0.1", postgres)).await.unwrap();
                    copy_bidirectional(&mut caller, &mut server).await.ok();
                });
            }
        });
        Self { port, current, trusted }
    }

    /// Connections that come now are served with another certificate.
    fn renew(&self, name: &str) -> String {
        let (pem, config) = config(name);
        *self.current.lock().unwrap() = config;
        pem
    }

    fn store(&self, database: &TestDatabase, tls_mode: TlsMode) -> Store {
        let mut url = url::Url::parse(database.url("DATABASE_URL").expose_secret()).unwrap();
        url.set_host(Some("localhost")).unwrap();
        url.set_port(Some(self.port)).unwrap();
        let tls_ca_file = Some(self.trusted.path().to_owned());
        let config = ragline_config::Database { tls_mode, tls_ca_file, ..database.config.clone() };
        Store::connect(&config, &SecretString::from(String::from(url)), database.space.clone()).unwrap()
    }
}

#[tokio::test]
async fn a_server_of_a_trusted_authority_and_the_right_name_is_served_with() {
    let database = fresh().await;
    let server = Server::start(&database, "localhost").await;
    server.store(&database, TlsMode::VerifyFull).prove().await.unwrap();
    let plain = server.store(&database, TlsMode::Disable).prove().await;
    assert!(plain.is_err(), "the stand-in takes TLS alone");
}

#[tokio::test]
async fn a_server_of_another_name_or_authority_is_not_spoken_to() {
    let database = fresh().await;
    let server = Server::start(&database, "elsewhere.example").await;
    let misnamed = server.store(&database, TlsMode::VerifyFull).prove().await;
    assert!(matches!(misnamed, Err(StoreError::Unreachable(_) | StoreError::Failed { .. })), "{misnamed:?}");
    server.store(&database, TlsMode::VerifyCa).prove().await.unwrap();
    server.renew("localhost");
    assert!(server.store(&database, TlsMode::VerifyFull).prove().await.is_err(), "nobody that is trusted signed it");
}

#[tokio::test]
async fn a_renewed_certificate_and_another_authority_take_no_restart() {
    let database = fresh().await;
    let server = Server::start(&database, "localhost").await;
    let store = server.store(&database, TlsMode::VerifyFull);
    store.prove().await.unwrap();
    for _ in 0..3 {
        std::fs::write(server.trusted.path(), server.renew("localhost")).unwrap();
        // What stands goes on; what is made from now on is held against the file as it is.
        default_workspace(&store).await;
        while store.pool().num_idle() > 0 {
            store.pool().acquire().await.unwrap().close().await.unwrap();
        }
        default_workspace(&store).await;
    }
}
