//! An address that leads to one server after another, as a Service of Kubernetes does: connections stay with the server that they were
//! made to.

use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The address, and where it leads: a port of this machine, or nowhere.
pub(crate) struct Service {
    port: u16,
    leads_to: watch::Sender<Option<u16>>,
}

impl Service {
    /// Leads to the server of a URL.
    pub(crate) async fn of(url: &SecretString) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let leads_to = watch::Sender::new(Some(port_of(url)));
        tokio::spawn(lead(listener, leads_to.subscribe()));
        Self { port, leads_to }
    }

    /// New connections go there, or are closed at once.
    pub(crate) fn lead_to(&self, url: Option<&SecretString>) {
        self.leads_to.send_replace(url.map(port_of));
    }

    /// The same URL, by this address.
    pub(crate) fn url(&self, of: &SecretString) -> String {
        let mut url = url::Url::parse(of.expose_secret()).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }
}

fn port_of(url: &SecretString) -> u16 {
    url::Url::parse(url.expose_secret()).unwrap().port().unwrap()
}

async fn lead(listener: TcpListener, to: watch::Receiver<Option<u16>>) {
    loop {
        let Ok((mut caller, _)) = listener.accept().await else { return };
        let Some(port) = *to.borrow() else { continue };
        tokio::spawn(async move {
            if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
                copy_bidirectional(&mut caller, &mut server).await.ok();
            }
        });
    }
}
