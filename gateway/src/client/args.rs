//! What can be said on the command line.

use std::{ops::RangeInclusive, path::PathBuf};

use clap::{Args, ValueEnum};
use ragline_config::{SearchMode, env};
use serde_json::Value;
use url::Url;

/// Where the gateway is and how to get in.
#[derive(Args, Clone, Debug)]
pub struct ConnectionArgs {
    /// Address of the gateway.
    #[arg(long, env = "RAGLINE_URL", default_value = "http://127.0.0.1:8080", value_parser = address)]
    pub url: Url,
    /// File that holds the API key; without it the key is taken from RAGLINE_API_KEY.
    #[arg(long, env = KEY_FILE, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The API key. Only from the environment, so that no list of processes shows it.
    #[arg(skip = std::env::var(env::API_KEY).ok())]
    pub key: Option<String>,
    /// PEM certificates to trust beside the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// The variable that names the key's file, as for every secret.
const KEY_FILE: &str = "RAGLINE_API_KEY_FILE";

/// Sends files and folders.
#[derive(Args, Clone, Debug)]
pub struct IngestArgs {
    /// Files and folders. A folder is walked in sorted order; hidden files are left out.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Metadata of every document; may be repeated. A value that reads as JSON is one, else it is text.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub metadata: Vec<(String, Value)>,
    /// Wait until the files can be searched (the default).
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,
    /// Return once the files are handed over.
    #[arg(long, overrides_with = "wait")]
    pub no_wait: bool,
    /// Seconds to wait at most.
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    pub timeout: u64,
    /// Print nothing for files that succeed, and show no progress.
    #[arg(long, short)]
    pub quiet: bool,
    /// Print JSON Lines: an object `file` for each file as it ends, and an object `summary` last.
    #[arg(long)]
    pub json: bool,
}

/// Has documents cut anew that were cut with other settings.
#[derive(Args, Clone, Debug)]
pub struct RechunkArgs {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Return once the job is made.
    #[arg(long)]
    pub no_wait: bool,
    /// Seconds to wait at most.
    #[arg(long, default_value_t = 86_400, value_name = "SECONDS")]
    pub timeout: u64,
    /// Print nothing for documents that succeed, and show no progress.
    #[arg(long, short)]
    pub quiet: bool,
    /// Print JSON Lines, as `ingest` does.
    #[arg(long)]
    pub json: bool,
}

/// Asks a question.
#[derive(Args, Clone, Debug)]
pub struct AskArgs {
    /// The question.
    #[arg(required = true, value_name = "QUESTION")]
    pub question: Vec<String>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Passages to answer from, 1 to 20.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub limit: Option<u32>,
    /// Show no progress.
    #[arg(long, short)]
    pub quiet: bool,
    /// Print the gateway's JSON.
    #[arg(long)]
    pub json: bool,
}

/// Searches.
#[derive(Args, Clone, Debug)]
pub struct SearchArgs {
    /// What to look for.
    #[arg(required = true, value_name = "QUERY")]
    pub query: Vec<String>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Passages wanted, 1 to 100.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub limit: Option<u32>,
    /// Leave passages out whose score is lower, 0 to 1.
    #[arg(long, value_parser = score)]
    pub threshold: Option<f32>,
    /// Show no progress.
    #[arg(long, short)]
    pub quiet: bool,
    /// Print the gateway's JSON.
    #[arg(long)]
    pub json: bool,
}

/// Evaluates a collection.
#[derive(Args, Clone, Debug)]
pub struct EvalArgs {
    /// Folder in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/test.tsv.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Address of a gateway to evaluate, with an administrator's key; without it, this process opens the configured database itself,
    /// with DATABASE_URL and DATABASE_OWNER_URL.
    #[arg(long, value_parser = address)]
    pub url: Option<Url>,
    /// File that holds the API key; without it the key is taken from RAGLINE_API_KEY.
    #[arg(long, env = KEY_FILE, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The API key, as for the other commands.
    #[arg(skip = std::env::var(env::API_KEY).ok())]
    pub key: Option<String>,
    /// PEM certificates to trust beside the system's.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub ca_file: Option<PathBuf>,
    /// Ways of searching to measure; without it, all that are available.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub modes: Vec<ModeArg>,
    /// The score whose precision and recall as a threshold are told, 0 to 1.
    #[arg(long, default_value_t = 0.7, value_name = "SCORE", value_parser = score)]
    pub threshold: f32,
    /// Writes the first ten hits of each question to this file, as JSON Lines with their values and whether they are relevant.
    #[arg(long, value_name = "FILE")]
    pub hits: Option<PathBuf>,
    /// Show no progress.
    #[arg(long, short)]
    pub quiet: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A way of searching on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ModeArg {
    Vector,
    Lexical,
    Hybrid,
}

impl EvalArgs {
    /// The ways of searching asked for, each once.
    pub fn modes(&self) -> Vec<SearchMode> {
        let mut modes = Vec::new();
        for mode in &self.modes {
            let mode = match mode {
                ModeArg::Vector => SearchMode::Vector,
                ModeArg::Lexical => SearchMode::Lexical,
                ModeArg::Hybrid => SearchMode::Hybrid,
            };
            if !modes.contains(&mode) {
                modes.push(mode);
            }
        }
        modes
    }
}

/// What a score can be.
const SCORES: RangeInclusive<f32> = 0.0..=1.0;

fn score(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(score) if SCORES.contains(&score) => Ok(score),
        Ok(_) | Err(_) => Err("it must be a number from 0 to 1".to_owned()),
    }
}

fn address(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Ok(url),
        Ok(_) | Err(_) => Err("it must begin with http:// or https:// and name a host".to_owned()),
    }
}

/// Metadata: a value that reads as JSON is one, else it is text.
fn pair(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("it has no key".to_owned()),
        Some((key, value)) => {
            Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))))
        }
        None => Err("it is no KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_that_reads_as_json_is_json() {
        let cases = [
            ("year=2024", "year", json!(2024)),
            ("team=legal", "team", json!("legal")),
            ("tags=[\"a\"]", "tags", json!(["a"])),
            ("note=a=b", "note", json!("a=b")),
        ];
        for (text, key, value) in cases {
            assert_eq!(pair(text), Ok((key.to_owned(), value)), "{text}");
        }
        assert!(pair("plain").is_err() && pair("=1").is_err());
    }

    #[test]
    fn a_score_is_a_number_from_0_to_1() {
        assert_eq!((score("0"), score("0.7"), score("1")), (Ok(0.0), Ok(0.7), Ok(1.0)));
        for text in ["-0.1", "1.1", "70", "NaN", "inf", ""] {
            assert!(score(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_one_of_http() {
        assert!(address("http://127.0.0.1:8080").is_ok() && address("https://rag.example/gateway").is_ok());
        for text in ["127.0.0.1:8080", "ftp://a", "http://", "unix:/a"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
