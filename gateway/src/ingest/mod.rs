//! Trip two: a document becomes chunks. [`job`] is the trip, one function; [`worker`] is the loop that claims files for it.

pub mod chunk;
pub mod cut;
pub mod digest;
pub mod extract;
pub mod job;
pub mod joined;
pub mod metadata;
pub mod settings;
pub mod text;
pub mod upload;
pub mod window;
pub mod worker;

mod blocking;
mod failure;
mod lease;
mod redacted;
