//! The HTTP API. Handlers are thin: take the request apart, call, render. No SQL, no model, no decision about an answer in here.

pub mod answers;
pub mod answers_stream;
pub mod documents;
pub mod error;
pub mod ids;
pub mod keys;
pub mod rerank;
pub mod routes;
pub mod search;
pub mod serve;
pub mod state;
pub mod tls;
pub mod views;
pub mod workspaces;

mod auth;
mod body;
mod connections;
mod filter;
mod form;
mod gate;
mod guard;
mod health;
mod held;
mod index;
mod jobs;
mod limits;
mod mcp;
mod metered;
mod observe;
mod openai;
mod openapi;
mod params;
mod remains;
mod scopes;
mod tokens;
mod upload;
