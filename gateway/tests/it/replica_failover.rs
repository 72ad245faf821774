//! A standby takes the place of a primary that is lost, behind two addresses: one of the primary and one of the standbys, as those of
//! CloudNativePG.

use std::{sync::Arc, time::Duration};

use reqwest::Method;

use crate::{
    fault_askers::{Askers, search},
    fault_fixture::{ended, gateway, numbered, stored_whole_and_once, text, upload},
    fault_provider::{DIMENSIONS, MODEL, Provider},
    replica_fixture::{AWAY, HEALTHY, LOOKS, Replicated, number, runs, shows, until},
    replica_services::Service,
};

const BACK: &str = "the primary is back";
const END_CONNECTIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ragline_app'";
const MOMENT: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn a_standby_that_takes_the_primarys_place_fails_no_search_and_loses_nothing() {
    let mut servers = Replicated::start(1, MODEL, DIMENSIONS).await;
    let provider = Provider::start().await;
    let primary = Service::of(&servers.application).await;
    let standbys = Service::of(&servers.replicas[0]).await;
    let replica_url = standbys.url(&servers.replicas[0]);
    let variables = [("ENABLE_VECTOR_CACHE", "false"), ("DATABASE_REPLICA_URLS", replica_url.as_str())];
    let gateway = Arc::new(gateway(&primary.url(&servers.application), &provider, &variables).await);
    let before = ("before.txt".to_owned(), text("before.txt", 3));
    ended(&gateway, &upload(&gateway, std::slice::from_ref(&before)).await).await;
    shows(&gateway, HEALTHY, |healthy| healthy == 1.0).await;
    let askers = Askers::start(&gateway);
    askers.succeed(50).await;

    // The primary is lost. The standby is promoted while neither address leads to it.
    servers.crash_primary().await;
    primary.lead_to(None);
    until("the primary is known to be away", || async { !gateway.logged(AWAY).is_empty() }).await;
    standbys.lead_to(None);
    let next = servers.promote(0).await;
    askers.succeed(100).await;
    let ready = gateway.request(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 200, "a gateway that searches must not be taken out of its Service");

    // It ends its connections, as CloudNativePG has it do, and for a moment nothing leads to it.
    runs(&servers.superuser_of(0), END_CONNECTIONS).await;
    tokio::time::sleep(MOMENT).await;
    primary.lead_to(Some(&servers.replicas[0]));
    until("the primary is known to be back", || async { !gateway.logged(BACK).is_empty() }).await;
    let documents = numbered(3, 2);
    let job = ended(&gateway, &upload(&gateway, &documents).await).await;
    assert_eq!((job["status"].as_str(), job["failed"].as_u64()), (Some("completed"), Some(0)), "{job}");
    shows(&gateway, HEALTHY, |healthy| healthy == 0.0).await;
    askers.succeed(50).await;

    // Another standby follows, and the searches go there.
    standbys.lead_to(Some(&servers.replicas[next]));
    shows(&gateway, HEALTHY, |healthy| healthy == 1.0).await;
    let looks = number(&servers.superuser_of(next), LOOKS).await;
    until("the new standby looked at chunks", || async {
        search(&gateway, "before").await;
        number(&servers.superuser_of(next), LOOKS).await > looks
    })
    .await;
    let answers = askers.end().await;
    let failed: Vec<_> = answers.iter().filter(|answered| answered.status != 200).collect();
    assert!(failed.is_empty(), "{} of {}: {:?}\n{}", failed.len(), answers.len(), failed.first(), gateway.log());
    let all: Vec<_> = documents.into_iter().chain([before]).collect();
    stored_whole_and_once(&servers.superuser_of(0), &all).await;
}
