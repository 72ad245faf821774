//! Integration tests on a real PostgreSQL and Valkey, which [`database`] starts. One module per area.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends by a panic, and so do the helpers of tests")]

mod database;
mod database_servers;
mod env;
mod env_fixture;
mod env_tls;
mod http_client;
mod http_errors;
mod http_fakes;
mod http_fixture;
mod http_fuzz;
mod http_live;
mod http_live_fixture;
mod http_models;
mod http_routes;
mod http_serve;
mod index_growth;
mod ingest_job;
mod lexical_fixture;
mod model;
mod providers;
mod store_fixture;
mod store_isolation;
mod store_jobs;
mod store_lexical;
mod store_lexical_merge;
mod store_migrate;
mod store_publish;
mod store_search;
mod text_fuzz;
mod text_pdf;
mod unanswerable;
mod verify;
mod verify_fixture;
