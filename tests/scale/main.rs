//! How the operator does with many pipelines, on a real API server and etcd whose nodes and pods KWOK simulates: how long a
//! reconcile takes, what it weighs, what it asks of the API server, and how soon all is well, also after the operator was killed.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement ends by a panic and tells by printing")]

mod figures;
mod operator;
mod pipelines;

use std::time::{Duration, Instant};

use self::{
    figures::{Figures, Phase},
    operator::{Operator, Sample},
    pipelines::Pipelines,
};

/// A setting of the run.
fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let count: usize = setting("RAGLINE_SCALE_PIPELINES", "100").parse().unwrap();
    let rest = Duration::from_secs(setting("RAGLINE_SCALE_REST_SECONDS", "130").parse().unwrap());
    let pipelines = Pipelines::new(count).await;
    pipelines.prepare().await;

    let operator = Operator::start(count).await;
    let empty = operator.sample().await;
    let begun = Instant::now();
    pipelines.create().await;
    let created = begun.elapsed();
    println!("  {count} pipelines created in {:.1} s", created.as_secs_f64());
    pipelines.all_ready(&operator).await;
    let ready = begun.elapsed();
    println!("  all {count} Ready after {:.1} s", ready.as_secs_f64());
    let first = operator.quiet().await;
    println!("  a look at rest for {} s", rest.as_secs());
    tokio::time::sleep(rest).await;
    let rested = operator.sample().await;
    println!("  {} writes at rest", rested.writes() - first.writes());
    let versions = pipelines.versions().await;

    operator.kill();
    let again = Operator::start(count).await;
    let begun = Instant::now();
    again.all_told().await;
    let converged = begun.elapsed();
    println!("  another operator has looked at all {count} after {:.1} s", converged.as_secs_f64());
    let second = again.quiet().await;
    assert_eq!(pipelines.versions().await, versions, "the pipelines were written by the operator that came after");
    again.kill();

    let mut figures = Figures::new(count);
    figures.add("all created", created.as_secs_f64(), "s");
    figures.add("all Ready", ready.as_secs_f64(), "s");
    figures.phase("until all are Ready", &Phase { before: &empty, after: &first, pipelines: count });
    figures.phase("at rest", &Phase { before: &first, after: &rested, pipelines: count });
    figures.add("seconds at rest", rest.as_secs_f64(), "s");
    figures.add("all looked at after a restart", converged.as_secs_f64(), "s");
    figures.phase("after a restart", &Phase { before: &Sample::default(), after: &second, pipelines: count });
    figures.memory("until all are Ready", &first);
    figures.memory("at rest", &rested);
    figures.memory("after a restart", &second);
    figures.keep();
    let (at_rest, restarted) = (rested.writes() - first.writes(), second.writes());
    assert!(at_rest == 0.0, "{at_rest} writes at rest");
    assert!(restarted == 0.0, "{restarted} writes after a restart");
}
