//! Every row, called well and badly, on a frame that remembers.

mod crypto;
mod extension;
mod fake;
mod hostile;
mod models;
mod opcodes;
mod rows;
mod scene;
