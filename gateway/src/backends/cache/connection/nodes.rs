//! A cluster. Where the slots are is learnt from its nodes, and again when one of them says that a slot has moved.

use std::collections::HashMap;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use ragline_config::ServerAddress;
use redis::{
    Cmd, ErrorKind, FromRedisValue, RedisConnectionInfo, RedisError, RedisResult, TlsMode, cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
};

use super::{Dial, MOST_UNDER_WAY, lazy::Lazy};

/// Times that a command is sent again, as after a redirection, and the longest pause before it, in milliseconds.
const RETRIES: u32 = 2;
const MOST_PAUSE_MS: u64 = 20;
/// Commands that are sent at once of those that belong together.
const TOGETHER: usize = 64;

/// The nodes. Clones share their connections.
#[derive(Clone)]
pub(in super::super) struct Nodes(Lazy<ClusterConnection>);

impl Nodes {
    /// `addresses` are some of the nodes, at least one.
    pub(super) fn new(addresses: &[ServerAddress], dial: &Dial, account: &RedisConnectionInfo) -> RedisResult<Self> {
        let nodes = addresses.iter().map(|at| dial.address(at, account.clone())).collect::<RedisResult<Vec<_>>>()?;
        let mut builder = ClusterClientBuilder::new(nodes)
            .connection_timeout(dial.connect_within())
            .response_timeout(dial.timeout)
            .overall_response_timeout(Some(dial.timeout.saturating_mul(2)))
            .retries(RETRIES)
            .min_retry_wait(1)
            .max_retry_wait(MOST_PAUSE_MS)
            .connection_concurrency_limit(MOST_UNDER_WAY)
            .tcp_settings(Dial::tcp());
        if dial.tls {
            builder = builder.tls(TlsMode::Secure);
        }
        if let Some(certificates) = dial.certificates() {
            builder = builder.certs(certificates);
        }
        let client = builder.build()?;
        Ok(Self(Lazy::new(move || {
            let client = client.clone();
            async move { client.get_async_connection().await }
        })))
    }

    /// Keys of several slots are asked of the nodes that have them, and the reply is put together.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        self.0.with(|mut connection| async move { command.query_async(&mut connection).await }, is_lost).await
    }

    /// A pipeline could go to one node only, so each command goes by itself.
    pub(super) async fn send(&self, commands: &[Cmd]) -> RedisResult<()> {
        let send = |connection: ClusterConnection| async move {
            // Made before the first one is sent, since a closure that is kept while waiting would have to work for every lifetime.
            let mut each = Vec::with_capacity(commands.len());
            for command in commands {
                let mut connection = connection.clone();
                each.push(async move { command.query_async::<()>(&mut connection).await }.boxed());
            }
            stream::iter(each).buffer_unordered(TOGETHER).try_collect::<()>().await
        };
        self.0.with(send, is_lost).await
    }

    /// The replies of all masters.
    pub(super) async fn info(&self, command: &Cmd) -> RedisResult<Vec<String>> {
        let replies: HashMap<String, String> = self.query(command).await?;
        Ok(replies.into_values().collect())
    }
}

/// Whether not even one node is left to learn of the others from. Single nodes are called again by the connection itself.
fn is_lost(error: &RedisError) -> bool {
    error.kind() == ErrorKind::ClusterConnectionNotFound || error.is_unrecoverable_error()
}
