//! The master that Sentinels name. All of them are asked at once, and the first one wins that names a server which says itself that
//! it is the master, since a Sentinel may be behind.

use std::sync::Arc;

use futures::{FutureExt, future::select_ok};
use ragline_config::ServerAddress;
use redis::{Client, ErrorKind, RedisConnectionInfo, RedisError, RedisResult, Value, aio::MultiplexedConnection};

use super::{Dial, lazy::Lazy};

/// Where to look for the master, and how to call it.
pub(super) struct Search {
    /// At least one.
    pub(super) sentinels: Vec<Client>,
    pub(super) master_name: String,
    pub(super) dial: Dial,
    pub(super) server: RedisConnectionInfo,
}

/// A connection to whoever is the master when it is opened.
pub(super) fn master(search: Arc<Search>) -> Lazy<MultiplexedConnection> {
    Lazy::new(move || {
        let search = Arc::clone(&search);
        async move { Ok(select_ok(search.sentinels.iter().map(|sentinel| search.ask(sentinel).boxed())).await?.0) }
    })
}

impl Search {
    async fn ask(&self, sentinel: &Client) -> RedisResult<MultiplexedConnection> {
        let mut connection = self.dial.connect(sentinel).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("get-master-addr-by-name").arg(&self.master_name);
        let found: Option<(String, u16)> = question.query_async(&mut connection).await?;
        let (host, port) = found.ok_or_else(|| unfit("the Sentinel knows no such master", &self.master_name))?;
        let at = ServerAddress { host, port };
        let mut master = self.dial.connect(&self.dial.client(&at, self.server.clone())?).await?;
        let role: Vec<Value> = redis::cmd("ROLE").query_async(&mut master).await?;
        let is_master = matches!(role.first(), Some(Value::BulkString(role)) if role == b"master");
        if is_master { Ok(master) } else { Err(unfit("the server that the Sentinel names is not the master", &at.to_string())) }
    }
}

fn unfit(what: &'static str, which: &str) -> RedisError {
    RedisError::from((ErrorKind::Io, what, which.to_owned()))
}
