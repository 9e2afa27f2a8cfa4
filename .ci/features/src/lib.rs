//! Nothing but a list of dependencies.
//!
//! Cargo chooses the features of a dependency from the packages that one command builds, so
//! `cargo test -p noema-vm`, `cargo build --bin noema` and `cargo test --workspace` would each compile
//! wasmtime and candle again. Every crate here names this one (libraries only for their tests), and
//! so they all choose the same features and share one build.
#![forbid(unsafe_code)]
