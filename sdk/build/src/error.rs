//! Why a build fails.

use std::path::PathBuf;

/// Why a contract was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The folder is not a crate that cargo can read.
    #[error("{} is not a crate: {reason}", dir.display())]
    NotACrate {
        /// The folder.
        dir: PathBuf,
        /// What cargo said.
        reason: String,
    },
    /// The crate is not a library.
    #[error("the crate `{package}` has no library (src/lib.rs): a contract is a library")]
    NoLibrary {
        /// The package.
        package: String,
    },
    /// Cargo itself is missing.
    #[error("cargo is not on the PATH: install Rust from https://rustup.rs, or run . \"$HOME/.cargo/env\"")]
    NoCargo,
    /// No compiler here can build for WebAssembly.
    #[error(
        "no Rust toolchain here can compile for wasm32-unknown-unknown. Install it in one of these ways:\n  \
         with rustup:            rustup target add wasm32-unknown-unknown\n  \
         on Debian and Ubuntu:   sudo apt-get install rustc-web cargo-web rust-web-src lld\n\
         What was tried:{}",
        list(tried)
    )]
    NoToolchain {
        /// What was tried, and why it did not do.
        tried: Vec<String>,
    },
    /// The crate does not compile.
    #[error("the contract `{package}` does not compile with {toolchain}:\n{output}{}", hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default())]
    Compile {
        /// The package.
        package: String,
        /// The compiler.
        toolchain: String,
        /// What cargo and the compiler wrote.
        output: String,
        /// What to do, where that is known.
        hint: Option<&'static str>,
    },
    /// A program did not start or a file could not be read.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  - {line}")).collect()
}

impl BuildError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> BuildError {
        let what = what.into();
        |source| BuildError::Io { what, source }
    }
}
