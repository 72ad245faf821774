//! A server that takes its time to take a connection.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ragline_gateway::{
    backends::pgvector::Store,
    traits::search::{Directory, StoreError},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::database::fresh;

/// Passes on no byte of a connection until it is opened, and none at all of a connection that comes later.
struct Door {
    port: u16,
    opened: Arc<AtomicBool>,
    open: watch::Sender<bool>,
}

impl Door {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = Self { port: listener.local_addr().unwrap().port(), opened: Arc::default(), open: watch::Sender::new(false) };
        let (opened, open) = (Arc::clone(&door.opened), door.open.clone());
        tokio::spawn(async move {
            let mut too_late = Vec::new();
            while let Ok((mut client, _)) = listener.accept().await {
                if opened.load(Ordering::SeqCst) {
                    too_late.push(client);
                    continue;
                }
                let mut open = open.subscribe();
                tokio::spawn(async move {
                    open.wait_for(|open| *open).await.unwrap();
                    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    copy_bidirectional(&mut client, &mut server).await.ok();
                });
            }
        });
        door
    }

    fn open(&self) {
        self.opened.store(true, Ordering::SeqCst);
        self.open.send_replace(true);
    }
}

#[tokio::test]
async fn a_connection_outlives_the_request_that_could_not_wait_for_it() {
    let mut database = fresh().await;
    database.config.pool_size = 1;
    let mut url = url::Url::parse(database.url("DATABASE_URL").expose_secret()).unwrap();
    let door = Door::before(url.port().unwrap()).await;
    url.set_port(Some(door.port)).unwrap();
    let store = Store::connect(&database.config, &SecretString::from(String::from(url)), database.space.clone()).unwrap();
    let error = store.workspace("default").await.unwrap_err();
    assert!(matches!(error, StoreError::PoolExhausted), "{error:?}");
    door.open();
    assert!(store.workspace("default").await.unwrap().is_some());
}
