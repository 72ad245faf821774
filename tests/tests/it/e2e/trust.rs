//! How a caller comes to trust a pipeline's gateways: by the authority of their certificate, where they have one.

use std::net::SocketAddr;

use k8s_openapi::api::core::v1::Secret;
use reqwest::{Certificate, ClientBuilder, tls::TlsInfo};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::world::World;

/// The gateways at an address.
pub(crate) struct Trusted {
    pub(crate) url: String,
    /// Trusts them by their name, and nobody else.
    pub(crate) client: ClientBuilder,
}

/// The gateways of a pipeline at `address`: by HTTPS where the pipeline has a certificate for them.
pub(crate) async fn trusted(world: &World, pipeline: &str, address: SocketAddr) -> Trusted {
    let client = reqwest::Client::builder();
    let Some(secret) = world.api::<Secret>().get_opt(&format!("{pipeline}-gateway-tls")).await.unwrap() else {
        return Trusted { url: format!("http://{address}"), client };
    };
    let authority = Certificate::from_pem(&secret.data.unwrap()["ca.crt"].0).unwrap();
    let name = format!("{pipeline}-gateway.{}.svc", world.namespace);
    let url = format!("https://{name}:{}", address.port());
    Trusted { url, client: client.tls_certs_only([authority]).resolve(&name, address).tls_info(true) }
}

/// Whether an answer came by a connection with this certificate.
pub(crate) fn came_with(reply: &reqwest::Response, pem: &str) -> bool {
    let wanted = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    reply.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate).is_some_and(|served| served == wanted.as_ref())
}
