//! What keeps the house tidy: sizes, first lines, arrows between packages, the fence around the pure parts, the commands.
//! Reads files only.

mod arrows;
mod commands;
mod fences;
mod files;
mod sources;
