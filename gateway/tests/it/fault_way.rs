//! A way to a server that can be cut, as when the network of its node fails: what goes over it then stands still, and nobody is told.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// The way. Connections that stood when it was cut, or were begun while it was, stand still for ever.
pub(crate) struct Way {
    port: u16,
    cut: watch::Sender<bool>,
    _task: AbortOnDropHandle<()>,
}

impl Way {
    /// To the server of a URL.
    pub(crate) async fn to(url: &str) -> Self {
        let port = Url::parse(url).unwrap().port().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (own, cut) = (listener.local_addr().unwrap().port(), watch::Sender::new(false));
        let is_cut = cut.subscribe();
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, port, is_cut.clone()));
            }
        });
        Self { port: own, cut, _task: AbortOnDropHandle::new(task) }
    }

    /// The URL with this way in it.
    pub(crate) fn url(&self, url: &str) -> String {
        let mut url = Url::parse(url).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }

    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Lets new connections through.
    pub(crate) fn mend(&self) {
        self.cut.send_replace(false);
    }
}

async fn carry(mut client: TcpStream, port: u16, mut cut: watch::Receiver<bool>) {
    let stands_still = async {
        cut.wait_for(|cut| *cut).await.ok();
    };
    let carried = async {
        if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
            copy_bidirectional(&mut client, &mut server).await.ok();
        }
    };
    tokio::pin!(carried);
    tokio::select! {
        biased;
        () = stands_still => {}
        () = &mut carried => return,
    }
    // Both ends stay open.
    std::future::pending::<()>().await;
}
