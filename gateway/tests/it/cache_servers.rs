//! Servers of Valkey and of Redis that one test starts, stops and has for itself. They end with the thread that started them.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use redis::{
    Client, ConnectionAddr, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo, TlsCertificates, aio::MultiplexedConnection,
};
use tempfile::TempDir;

/// What all servers of a test ask for, and what its Sentinels do.
pub(crate) const PASSWORD: &str = "the-password-of-the-servers";
pub(crate) const SENTINEL_PASSWORD: &str = "the-password-of-the-sentinels";
/// A busy machine starts a server, and elects one, in this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Program {
    Valkey,
    /// Of Debian, which has TLS, unlike the other one.
    Redis,
}

impl Program {
    fn path(self) -> &'static PathBuf {
        static PROGRAMS: OnceLock<[PathBuf; 2]> = OnceLock::new();
        let [valkey, redis] = PROGRAMS.get_or_init(|| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/servers/caches.sh");
            let output = Command::new(script).output().unwrap();
            assert!(output.status.success(), "caches.sh failed: {}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            let paths: Vec<_> = text.lines().map(PathBuf::from).collect();
            paths.try_into().unwrap()
        });
        match self {
            Self::Valkey => valkey,
            Self::Redis => redis,
        }
    }
}

/// An authority, and a certificate of it for this machine.
pub(crate) struct Certificates {
    pub(crate) folder: TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::default();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        // Servers take a certificate of its issuer's name for one that signed itself.
        authority.distinguished_name.push(rcgen::DnType::CommonName, "the authority of a test");
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        write("ca.crt", authority.self_signed(&key).unwrap().pem());
        let issuer = rcgen::Issuer::new(authority, key);
        let key = rcgen::KeyPair::generate().unwrap();
        let server = rcgen::CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        write("tls.crt", server.signed_by(&key, &issuer).unwrap().pem());
        write("tls.key", key.serialize_pem());
        Self { folder }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The lines of a server's configuration that make it speak nothing but TLS.
    fn lines(&self, port: u16) -> String {
        let file = |name| self.file(name);
        format!(
            "port 0\ntls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients no\n\
             tls-replication yes\n",
            file("tls.crt"),
            file("tls.key"),
            file("ca.crt")
        )
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    program: Program,
    pub(crate) port: u16,
    roots: Option<Vec<u8>>,
    password: &'static str,
    sentinel: bool,
    folder: TempDir,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    /// A server with data and these lines on top of its configuration.
    pub(crate) async fn start(program: Program, tls: Option<&Certificates>, more: &str) -> Self {
        let port = free_port();
        let lines =
            format!("{}masterauth {PASSWORD}\nsave \"\"\nappendonly no\nmaxmemory-policy allkeys-lru\n{more}", speak(port, tls));
        Self::start_with(program, port, tls, PASSWORD, &lines).await
    }

    /// A Sentinel that watches the master `main` at this port.
    pub(crate) async fn start_sentinel(program: Program, tls: Option<&Certificates>, master: u16) -> Self {
        let port = free_port();
        let lines = format!(
            "{}sentinel sentinel-pass {SENTINEL_PASSWORD}\nsentinel monitor main 127.0.0.1 {master} 2\nsentinel auth-pass main {PASSWORD}\n\
             sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n",
            speak(port, tls)
        );
        Self::start_with(program, port, tls, SENTINEL_PASSWORD, &lines).await
    }

    async fn start_with(program: Program, port: u16, tls: Option<&Certificates>, password: &'static str, lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let common =
            format!("bind 127.0.0.1\nrequirepass {password}\ndir {}\nlogfile {}\n", path.display(), path.join("log").display());
        std::fs::write(path.join("server.conf"), common + lines).unwrap();
        let sentinel = password == SENTINEL_PASSWORD;
        let child = spawn(program, &folder, sentinel);
        let roots = tls.map(|certificates| std::fs::read(certificates.file("ca.crt")).unwrap());
        let server = Self { program, port, roots, password, sentinel, folder, child };
        server.answers().await;
        server
    }

    async fn answers(&self) {
        eventually("the server answers", async || {
            let Ok(mut connection) = self.try_connect().await else { return false };
            redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
        })
        .await;
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Starts it again where it was.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(self.program, &self.folder, self.sentinel);
        self.answers().await;
    }

    async fn try_connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let (host, port) = ("127.0.0.1".to_owned(), self.port);
        let address = match &self.roots {
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            None => ConnectionAddr::Tcp(host, port),
        };
        let account = RedisConnectionInfo::default().set_password(self.password);
        let info = address.into_connection_info()?.set_redis_settings(account);
        let client = match &self.roots {
            Some(roots) => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(roots.clone()) })?,
            None => Client::open(info)?,
        };
        client.get_multiplexed_async_connection().await
    }

    /// The reply to a command.
    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.try_connect().await.unwrap();
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
    }
}

fn speak(port: u16, tls: Option<&Certificates>) -> String {
    tls.map_or_else(|| format!("port {port}\n"), |certificates| certificates.lines(port))
}

/// The kernel ends the server with the thread of the test, however that ends.
fn spawn(program: Program, folder: &TempDir, sentinel: bool) -> Child {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program.path()).arg(folder.path().join("server.conf"));
    if sentinel {
        command.arg("--sentinel");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Asks until it is so.
pub(crate) async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    while !is_so().await {
        ticks.tick().await;
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
    }
}
