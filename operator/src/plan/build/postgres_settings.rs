//! PostgreSQL's settings, derived from the memory it may use and from how many will connect.

use std::{collections::BTreeMap, fmt::Write};

use ragline_config::ports;

use crate::plan::{
    certificates::{self, CERTIFICATE_KEY, PRIVATE_KEY},
    pipeline::{ManagedPostgres, Pipeline},
    quantity::{self, MIB},
};

/// Connections of a gateway beside its pool: one listens for changes, one answers probes, one watches the server beside its replicas.
/// The last is counted without replicas too: the first one must not restart the primary.
const BESIDE_THE_POOL: u32 = 3;
/// Connections that schema and index Jobs may hold.
const JOBS: u32 = 12;
/// Connections for people, monitoring and the superuser.
const RESERVE: u32 = 10;
/// The number of connections goes up in steps, since a change restarts PostgreSQL.
const CONNECTION_STEP: u32 = 100;

/// Memory for building an index: a quarter of what there is.
pub(super) fn maintenance_memory_bytes(postgres: &ManagedPostgres) -> u64 {
    const MOST: u64 = 8 << 30;
    (postgres.resources.memory_bytes / 4).min(MOST) / MIB * MIB
}

/// Connections that PostgreSQL takes: those of all gateways and workers, one more of each during a roll-out, and the rest.
pub(super) fn max_connections(pipeline: &Pipeline) -> u32 {
    let gateways = pipeline.gateway.scale.most() + 1;
    let workers = pipeline.workers.as_ref().map_or(0, |workers| workers.replicas + 1);
    let needed = (gateways + workers) * (pipeline.config.database.pool_size + BESIDE_THE_POOL) + JOBS + RESERVE;
    needed.div_ceil(CONNECTION_STEP) * CONNECTION_STEP
}

/// What follows from memory, volume and callers.
fn derived(pipeline: &Pipeline, postgres: &ManagedPostgres) -> BTreeMap<&'static str, String> {
    let memory = postgres.resources.memory_bytes;
    let megabytes = |bytes: u64| format!("{}MB", bytes / MIB);
    let storage = quantity::bytes(&postgres.storage_size).unwrap_or_default();
    BTreeMap::from([
        ("max_connections", max_connections(pipeline).to_string()),
        ("shared_buffers", megabytes(memory / 4)),
        ("effective_cache_size", megabytes(memory / 2)),
        ("maintenance_work_mem", megabytes(maintenance_memory_bytes(postgres))),
        ("autovacuum_work_mem", megabytes((memory / 16).clamp(16 * MIB, 256 * MIB))),
        ("work_mem", megabytes((memory / 256).clamp(4 * MIB, 64 * MIB))),
        ("max_wal_size", megabytes((storage / 10).clamp(128 * MIB, 4_096 * MIB))),
        ("min_wal_size", "80MB".to_owned()),
        ("random_page_cost", "1.1".to_owned()),
        ("jit", "off".to_owned()),
        // A gateway that vanished must not hold its locks for hours.
        ("tcp_keepalives_idle", "60".to_owned()),
        ("tcp_keepalives_interval", "10".to_owned()),
        ("tcp_keepalives_count", "6".to_owned()),
    ])
}

/// A tenth of the volume: the log beside it takes as much.
fn kept_for_replicas(postgres: &ManagedPostgres) -> u64 {
    const MOST: u64 = 16 << 30;
    (quantity::bytes(&postgres.storage_size).unwrap_or_default() / 10).clamp(128 * MIB, MOST)
}

/// The settings of an instance that CloudNativePG runs. The user's win.
pub(super) fn of_cloud_native_pg(pipeline: &Pipeline, postgres: &ManagedPostgres) -> BTreeMap<String, String> {
    let derived = derived(pipeline, postgres).into_iter().map(|(name, value)| (name.to_owned(), value));
    // Its operator loads the library where one of its settings is there.
    let statistics = ("pg_stat_statements.track".to_owned(), "top".to_owned());
    derived.chain([statistics]).chain(postgres.parameters.clone()).collect()
}

/// The file `postgresql.conf`. The user's settings come last and win.
pub(super) fn file(pipeline: &Pipeline, postgres: &ManagedPostgres) -> String {
    let mut settings: BTreeMap<&str, String> = derived(pipeline, postgres);
    settings.extend([
        ("listen_addresses", "*".to_owned()),
        ("port", ports::POSTGRES.to_string()),
        ("unix_socket_directories", "/var/run/postgresql".to_owned()),
        ("password_encryption", "scram-sha-256".to_owned()),
        // Settings come from here alone; one left behind by ALTER SYSTEM could keep the server from starting.
        ("allow_alter_system", "off".to_owned()),
        ("shared_preload_libraries", "pg_stat_statements".to_owned()),
        // What is kept for a read replica that is away; one that is away for longer is copied anew.
        ("max_slot_wal_keep_size", format!("{}MB", kept_for_replicas(postgres) / MIB)),
        ("log_line_prefix", "%m [%p] %q%u@%d ".to_owned()),
        ("log_timezone", "UTC".to_owned()),
        ("timezone", "UTC".to_owned()),
    ]);
    if postgres.tls.is_some() {
        settings.extend([
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", certificates::file(CERTIFICATE_KEY)),
            ("ssl_key_file", certificates::file(PRIVATE_KEY)),
        ]);
    }
    for (name, value) in &postgres.parameters {
        settings.insert(name, value.clone());
    }
    let mut file = "# Written by the operator; change spec.postgres.managed.parameters instead.\n".to_owned();
    for (name, value) in settings {
        writeln!(file, "{name} = {}", quoted(&value)).expect("text takes text");
    }
    file
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', "''"))
}
