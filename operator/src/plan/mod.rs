//! Decides what a pipeline needs and what is to be said of it. Values in, values out: no client, no clock, no randomness, no
//! files; those come in as arguments. The lint below and `clippy.toml` keep it so.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod build;
pub mod certificates;
pub mod class;
pub mod credentials;
pub mod encryption;
pub mod gate;
pub mod manifest;
pub mod models;
pub mod names;
pub mod objects;
pub mod observed;
pub mod pipeline;
pub mod quantity;
pub mod render;
pub mod rotation;
pub mod settled;
pub mod stage;
pub mod status;
pub mod validate;
