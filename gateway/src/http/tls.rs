//! The certificate that the API is served with. Its files are looked at again now and then, so a renewed one takes effect without a
//! restart; one that cannot be read leaves the old one in force.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use ragline_config::Server;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// What is spoken on top, most wanted first.
const PROTOCOLS: [&[u8]; 1] = [b"http/1.1"];

/// Why the API cannot be served over TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path} cannot be read; correct server.tlsCertificateFile and server.tlsKeyFile")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} holds no usable PEM")]
    Pem {
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("the certificate and the key cannot be used together")]
    Pair(#[source] rustls::Error),
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    stamps: [SystemTime; 2],
    looked: Instant,
}

impl Tls {
    /// The configured certificate, `None` where the API is served without TLS.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit each other.
    pub fn load(server: &Server) -> Result<Option<Arc<Self>>, TlsError> {
        let (Some(certificate), Some(key)) = (&server.tls_certificate_file, &server.tls_key_file) else { return Ok(None) };
        let stamps = stamps(certificate, key)?;
        let current = Current { config: read(certificate, key)?, stamps, looked: Instant::now() };
        Ok(Some(Arc::new(Self { certificate: certificate.clone(), key: key.clone(), current: Mutex::new(current) })))
    }

    /// The certificate for a connection that begins now.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current();
        if current.looked.elapsed() >= LOOK_EVERY {
            self.renew(&mut current);
        }
        Arc::clone(&current.config)
    }

    fn renew(&self, current: &mut Current) {
        current.looked = Instant::now();
        let renewed = stamps(&self.certificate, &self.key).and_then(|stamps| {
            if stamps == current.stamps {
                Ok(None)
            } else {
                read(&self.certificate, &self.key).map(|config| Some((config, stamps)))
            }
        });
        match renewed {
            Ok(None) => {}
            Ok(Some((config, stamps))) => {
                (current.config, current.stamps) = (config, stamps);
                tracing::info!("the API is served with a renewed certificate");
            }
            Err(error) => {
                tracing::warn!(error.cause = ?error, "a renewed certificate cannot be used; the old one stays in force");
            }
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // What is inside is replaced whole, so a panic cannot leave it half done.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamps(certificate: &Path, key: &Path) -> Result<[SystemTime; 2], TlsError> {
    let stamp = |path: &Path| {
        let modified = std::fs::metadata(path).and_then(|about| about.modified());
        modified.map_err(|source| TlsError::Read { path: path.to_owned(), source })
    };
    Ok([stamp(certificate)?, stamp(key)?])
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let text = |path: &Path| std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source });
    let unusable = |path: &Path| {
        let path = path.to_owned();
        |source| TlsError::Pem { path, source }
    };
    let chain =
        CertificateDer::pem_slice_iter(&text(certificate)?).collect::<Result<Vec<_>, _>>().map_err(unusable(certificate))?;
    let key = PrivateKeyDer::from_pem_slice(&text(key)?).map_err(unusable(key))?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).map_err(TlsError::Pair)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}
