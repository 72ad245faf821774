//! PostgreSQL's own load generator on the very transaction of a search: what no gateway can beat.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context, ensure};
use ragline_gateway::traits::inspect::Explained;
use secrecy::ExposeSecret;

use crate::{load::Rate, surroundings::Surroundings};

/// Vectors that are searched in turn, by pgbench and by the gateway's store: few enough for a command line, more than a cache likes.
pub(crate) const VECTORS: usize = 64;

/// The rate of the transaction with so many clients.
pub(crate) fn rate(
    around: &Surroundings,
    schema: &str,
    explained: &Explained,
    vectors: &[Vec<f32>],
    clients: usize,
) -> anyhow::Result<Rate> {
    let folder = around.folder.join("work/pgbench");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let seconds = around.lasts.as_secs().to_string();
    let (clients, threads) = (clients.to_string(), clients.min(2).to_string());
    let mut command = Command::new(&around.pgbench);
    command
        .current_dir(&folder)
        .env("PGOPTIONS", format!("-c plan_cache_mode=force_custom_plan -c jit=off -c search_path={schema},public,pg_temp"));
    command.args(["-n", "-M", "prepared", "-c", &clients, "-j", &threads, "-T", &seconds, "--log", "--log-prefix=times"]);
    for (n, vector) in vectors.iter().enumerate() {
        let file = format!("search{n}.sql");
        fs::write(folder.join(&file), transaction(explained, n))?;
        let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
        command.args(["-f", &file, "-D", &format!("v{n}=[{}]", numbers.join(","))]);
    }
    let output = command.arg(around.database_urls[2].expose_secret()).output().context("pgbench cannot be run")?;
    ensure!(output.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
    let mut times_ms = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("times.")) {
            let log = fs::read_to_string(path)?;
            times_ms.extend(log.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok()).map(|us| us / 1_000.0));
        }
    }
    Rate::of(times_ms, around.lasts.max(Duration::from_secs(1)))
}

/// What a search sends: the snapshot, the opening, the search, the end.
fn transaction(explained: &Explained, vector: usize) -> String {
    let (workspace, windows) = (explained.parameters[1], explained.parameters.get(4).copied().unwrap_or(40));
    let mut search = explained.statement.clone();
    // From the last on, so that $1 does not spoil $10.
    for (n, parameter) in explained.parameters.iter().enumerate().rev() {
        search = search.replace(&format!("${}", n + 2), &parameter.to_string());
    }
    let search = search.replace("$1", &format!(":v{vector}"));
    let open = format!("SELECT relation_id, store_version, kind FROM open_search({workspace}, {windows});");
    format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n{open}\n{search};\nCOMMIT;\n")
}

#[cfg(test)]
mod tests {
    use ragline_gateway::traits::search::SearchPlan;

    use super::*;

    #[test]
    fn the_places_of_the_statement_are_filled() {
        let explained = Explained {
            plan: SearchPlan::Exact,
            index_names: Vec::new(),
            statement: "SELECT $1::vector FROM t WHERE a = $2 AND b = $3 AND c = $4 LIMIT $5".to_owned(),
            parameters: vec![7, 8, 9, 5],
        };
        let sql = transaction(&explained, 3);
        assert!(sql.contains("SELECT :v3::vector FROM t WHERE a = 7 AND b = 8 AND c = 9 LIMIT 5;\n"), "{sql}");
        assert!(sql.contains("open_search(8, 40)"), "{sql}");
    }
}
