//! Starts the servers once per test process, and has them removed when the process ends, however it ends.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// Addresses and passwords of the servers.
#[derive(Debug)]
pub(crate) struct Servers {
    values: HashMap<String, String>,
}

impl Servers {
    /// A value of the servers' env file, such as `VALKEY_PORT`.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.values.get(name).unwrap_or_else(|| panic!("the servers' env file has no {name}"))
    }

    /// One of the database URLs with another database.
    pub(crate) fn url(&self, name: &str, database: &str) -> String {
        let mut url = url::Url::parse(self.value(name)).unwrap();
        url.set_path(database);
        url.into()
    }
}

/// The servers; the first call starts them. RAGLINE_TEST_SERVERS may name the env file of servers that run already.
pub(crate) fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| match std::env::var_os("RAGLINE_TEST_SERVERS") {
        Some(file) => read(Path::new(&file)),
        None => start(),
    })
}

fn start() -> Servers {
    let (script, folder) = (script(), folder("servers"));
    guard(&script, &folder);
    run(&script, &folder)
}

/// Servers that one test has for itself, so that it may kill them.
#[derive(Debug)]
pub(crate) struct OwnServers {
    pub(crate) servers: Servers,
    folder: PathBuf,
}

impl OwnServers {
    pub(crate) fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (script, folder) = (script(), folder(&format!("own-{}", NEXT.fetch_add(1, Ordering::Relaxed))));
        guard(&script, &folder);
        Self { servers: run(&script, &folder), folder }
    }

    /// Starts a read replica of the PostgreSQL, or of one of its replicas, or starts it again, and gives its URL of the application role.
    pub(crate) fn replica(&self, number: usize, of: Option<usize>) -> String {
        let number = number.to_string();
        let of = of.map(|of| of.to_string());
        let output = Command::new(script()).arg("replica").arg(&self.folder).arg(&number).args(of).output().unwrap();
        assert!(output.status.success(), "servers.sh failed: {}", String::from_utf8_lossy(&output.stderr));
        read(&self.folder.join(format!("replica-{number}"))).value("DATABASE_URL").to_owned()
    }

    /// Starts what was killed, on the same ports and with the same data.
    pub(crate) fn start_again(&self) {
        let again = run(&script(), &self.folder);
        assert_eq!(again.values, self.servers.values, "the servers came back elsewhere");
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/servers/servers.sh")
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

fn run(script: &Path, folder: &Path) -> Servers {
    let output = Command::new(script).arg("start").arg(folder).output().unwrap();
    assert!(output.status.success(), "servers.sh failed: {}", String::from_utf8_lossy(&output.stderr));
    read(&folder.join("env"))
}

/// A process that waits for the end of this one, seen by the closing of its standard input, and then removes the servers.
fn guard(script: &Path, folder: &Path) {
    let child = Command::new("setsid")
        .args(["bash", "-c", "read -r _; \"$1\" remove \"$2\"; rm -rf \"$2\"", "guard"])
        .arg(script)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The pipe must stay open for as long as this process lives.
    std::mem::forget(child);
}

fn read(file: &Path) -> Servers {
    let text = fs::read_to_string(file).unwrap();
    let values =
        text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Servers { values }
}
