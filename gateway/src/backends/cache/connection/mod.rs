//! A connection to Valkey, whatever it consists of: one server, the master that Sentinels name, or a cluster. It is opened by the
//! first command and again after it was lost, never more than one at a time, and nobody has to wait for it to the end.

mod lazy;
mod nodes;
mod sentinel;

use std::{path::PathBuf, sync::Arc, time::Duration};

use ragline_config::{Cache as CacheConfig, CacheCluster, CacheSentinel, ServerAddress};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use secrecy::{ExposeSecret, SecretString};

use self::{lazy::Lazy, nodes::Nodes};

/// Commands under way at once over one connection.
const MOST_UNDER_WAY: usize = 1_024;
/// A connection takes at least this long before it counts as refused.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);
/// What was sent must have been received within this time, or the connection has ended: a server whose node is cut off, or whose pod
/// went to another node, does not end it.
#[cfg(target_os = "linux")]
const RECEIVED_WITHIN: Duration = Duration::from_secs(5);
/// A connection that was idle for so long is tried, and again this often.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// Codes by which a Valkey that is well refuses a command: no reason to do without the cache.
const REFUSALS: [&str; 4] = ["ERR", "NOPERM", "OOM", "MISCONF"];
/// The code of a server that is no master.
const READ_ONLY: &str = "READONLY";

/// Why no connection can ever be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the certificates in {path} (cache.tlsCaFile) cannot be read")]
    ReadCertificates {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("no connection can be made to Valkey at {place}; check its addresses under cache and the certificates")]
    Address {
        place: String,
        #[source]
        source: RedisError,
    },
}

/// What Valkey asks for.
#[derive(Clone, Debug, Default)]
pub struct Passwords {
    pub server: Option<SecretString>,
    /// Of the Sentinels.
    pub sentinel: Option<SecretString>,
}

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Single(ConnectionManager),
    Sentinel(Lazy<MultiplexedConnection>),
    Cluster(Nodes),
}

impl Connection {
    /// The connection that is configured. Does not connect yet.
    ///
    /// # Errors
    /// An address or certificate that no connection can be made of.
    pub(super) fn new(config: &CacheConfig, passwords: &Passwords) -> Result<Self, ConnectError> {
        let address = |source| ConnectError::Address { place: config.place(), source };
        let dial = Dial::new(config)?;
        let server = dial.server(config, passwords.server.as_ref());
        match (&config.sentinel, &config.cluster) {
            (Some(CacheSentinel { addresses, master_name }), _) => {
                let sentinel = Dial::account(passwords.sentinel.as_ref());
                let sentinels = addresses.iter().map(|at| dial.client(at, sentinel.clone())).collect::<RedisResult<_>>();
                let search =
                    sentinel::Search { sentinels: sentinels.map_err(address)?, master_name: master_name.clone(), dial, server };
                Ok(Self::Sentinel(sentinel::master(Arc::new(search))))
            }
            (None, Some(CacheCluster { addresses })) => {
                Ok(Self::Cluster(Nodes::new(addresses, &dial, &server).map_err(address)?))
            }
            (None, None) => {
                let at = ServerAddress { host: config.host.clone(), port: config.port };
                let options = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(dial.connect_within()))
                    .set_response_timeout(Some(dial.timeout))
                    .set_number_of_retries(1)
                    .set_concurrency_limit(MOST_UNDER_WAY);
                let client = dial.client(&at, server).map_err(address)?;
                Ok(Self::Single(ConnectionManager::new_lazy_with_config(client, options).map_err(address)?))
            }
        }
    }

    /// The reply to a command.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self {
            Self::Single(connection) => command.query_async(&mut connection.clone()).await,
            Self::Sentinel(master) => {
                master.with(|mut connection| async move { command.query_async(&mut connection).await }, is_no_master).await
            }
            Self::Cluster(nodes) => nodes.query(command).await,
        }
    }

    /// Sends commands together whose replies do not matter.
    pub(super) async fn send(&self, commands: &[Cmd]) -> RedisResult<()> {
        let pipeline = || {
            let mut pipeline = redis::pipe();
            for command in commands {
                pipeline.add_command(command.clone()).ignore();
            }
            pipeline
        };
        match self {
            Self::Single(connection) => pipeline().query_async(&mut connection.clone()).await,
            Self::Sentinel(master) => {
                let pipeline = pipeline();
                master.with(|mut connection| async move { pipeline.query_async(&mut connection).await }, is_no_master).await
            }
            Self::Cluster(nodes) => nodes.send(commands).await,
        }
    }

    /// What INFO says, of each master.
    pub(super) async fn info(&self) -> RedisResult<Vec<String>> {
        let command = redis::cmd("INFO");
        match self {
            Self::Single(_) | Self::Sentinel(_) => Ok(vec![self.query(&command).await?]),
            Self::Cluster(nodes) => nodes.info(&command).await,
        }
    }

    /// Whether a server that is well does not want to do this.
    pub(super) fn is_refusal(&self, error: &RedisError) -> bool {
        // Of several servers, one that only reads is the wrong one.
        let reads = matches!(self, Self::Single(_)).then_some(READ_ONLY);
        error.code().is_some_and(|code| REFUSALS.into_iter().chain(reads).any(|refusal| refusal == code))
    }
}

/// Whether whoever answered is not, or no longer, the master, or nobody did.
fn is_no_master(error: &RedisError) -> bool {
    let codes = [READ_ONLY, "MASTERDOWN", "LOADING"];
    let unfit = |code: &str| codes.contains(&code);
    let in_pipeline = || error.clone().into_server_errors().is_some_and(|errors| errors.iter().any(|(_, e)| unfit(e.code())));
    error.is_io_error() || error.is_connection_dropped() || error.code().map_or_else(in_pipeline, unfit)
}

/// How servers are called.
#[derive(Clone)]
pub(super) struct Dial {
    tls: bool,
    /// PEM of the authorities; `None`: the public ones.
    roots: Option<Vec<u8>>,
    /// Within which a command is answered.
    timeout: Duration,
}

impl Dial {
    fn new(config: &CacheConfig) -> Result<Self, ConnectError> {
        let read =
            |path: &PathBuf| std::fs::read(path).map_err(|source| ConnectError::ReadCertificates { path: path.clone(), source });
        let roots = config.tls_ca_file.as_ref().filter(|_| config.tls).map(read).transpose()?;
        Ok(Self { tls: config.tls, roots, timeout: Duration::from_millis(config.timeout_ms) })
    }

    fn connect_within(&self) -> Duration {
        self.timeout.max(CONNECT_WITHIN)
    }

    /// Who logs in at the servers with data.
    fn server(&self, config: &CacheConfig, password: Option<&SecretString>) -> RedisConnectionInfo {
        Self::account(password).set_db(i64::from(config.database))
    }

    fn account(password: Option<&SecretString>) -> RedisConnectionInfo {
        let account = RedisConnectionInfo::default();
        match password {
            Some(password) => account.set_password(password.expose_secret()),
            None => account,
        }
    }

    fn certificates(&self) -> Option<TlsCertificates> {
        self.roots.clone().map(|roots| TlsCertificates { client_tls: None, root_cert: Some(roots) })
    }

    fn address(&self, at: &ServerAddress, account: RedisConnectionInfo) -> RedisResult<ConnectionInfo> {
        let ServerAddress { host, port } = at.clone();
        let address = match self.tls {
            true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            false => ConnectionAddr::Tcp(host, port),
        };
        Ok(address.into_connection_info()?.set_redis_settings(account).set_tcp_settings(Self::tcp()))
    }

    pub(super) fn tcp() -> TcpSettings {
        let (time, interval) = KEEP_ALIVE;
        let keep_alive = TcpKeepalive::new().with_time(time).with_interval(interval);
        let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keep_alive);
        #[cfg(target_os = "linux")]
        let settings = settings.set_user_timeout(RECEIVED_WITHIN);
        settings
    }

    fn client(&self, at: &ServerAddress, account: RedisConnectionInfo) -> RedisResult<Client> {
        let address = self.address(at, account)?;
        match self.certificates() {
            Some(certificates) => Client::build_with_tls(address, certificates),
            None => Client::open(address),
        }
    }

    async fn connect(&self, client: &Client) -> RedisResult<MultiplexedConnection> {
        let options = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_within()))
            .set_response_timeout(Some(self.timeout))
            .set_concurrency_limit(MOST_UNDER_WAY);
        client.get_multiplexed_async_connection_with_config(&options).await
    }
}
