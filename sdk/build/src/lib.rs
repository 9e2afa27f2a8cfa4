//! Builds a contract crate to WebAssembly.
//!
//! ```text
//! crate folder -> cargo metadata -> a toolchain that can -> cargo rustc --crate-type cdylib -> wasm
//!                                   1 the target is installed
//!                                   2 rustup installs it
//!                                   3 one with the library's source (Debian's packages): -Zbuild-std
//! ```
//!
//! The custom section `noema.build` says which compiler it was ([`BuildRecord`]).
//!
//! The same sources, lock file and compiler give the same bytes in every folder: paths are
//! remapped, and the flags are those of this crate alone, whatever `RUSTFLAGS` or a configuration
//! file say. Output goes to `noema/` under cargo's target folder, beside the builds for the host and
//! never mixed with them; a second build of unchanged sources takes as long as cargo takes to look.
//!
//! ```no_run
//! use noema_build::{BuildOptions, build_contract};
//!
//! let built = build_contract(&BuildOptions::new("examples/screening"))?;
//! println!("{} bytes, by {}", built.wasm.len(), built.toolchain);
//! # Ok::<(), noema_build::BuildError>(())
//! ```
#![forbid(unsafe_code)]

mod compile;
mod error;
mod metadata;
mod record;
mod toolchain;

use std::path::{Path, PathBuf};

pub use error::BuildError;
pub use record::{BuildRecord, RECORD_SECTION};
pub use toolchain::{Toolchain, Way};

/// The target of contracts.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Pages of 64 KiB that the memory of a contract may have, unless its manifest says `memory-pages` in
/// `[package.metadata.noema]`. In a memory of so many, loads cost the least (`docs/spec/gas.md`).
pub const MEMORY_PAGES: u32 = 16;

/// What to build, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BuildOptions {
    /// The folder of the crate, which holds its `Cargo.toml`.
    pub crate_dir: PathBuf,
    /// Cargo's target folder; without it the one that cargo would use, `CARGO_TARGET_DIR` included.
    pub target_dir: Option<PathBuf>,
    /// The one way to use; without it the first that works.
    pub way: Option<Way>,
    /// Whether to keep names and DWARF, for tools that show places in the source. The code has the same operators, some of them
    /// with more bytes, so that this is not what one deploys.
    pub debug: bool,
}

impl BuildOptions {
    /// Builds the crate in this folder in the first way that works.
    pub fn new(crate_dir: impl AsRef<Path>) -> BuildOptions {
        BuildOptions { crate_dir: crate_dir.as_ref().to_path_buf(), target_dir: None, way: None, debug: false }
    }
}

/// A contract that was built.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BuiltContract {
    /// Its code.
    pub wasm: Vec<u8>,
    /// The file that holds it.
    pub path: PathBuf,
    /// The compiler, for people.
    pub toolchain: String,
    package: String,
}

impl BuiltContract {
    /// The name of the package.
    #[must_use]
    pub fn package(&self) -> &str {
        &self.package
    }
}

/// A cargo that works in the crate in this folder and hears nothing of the build that this process may be part of.
///
/// # Errors
/// [`BuildError::NoCargo`].
pub fn cargo(crate_dir: &Path) -> Result<std::process::Command, BuildError> {
    let program = metadata::program("cargo").ok_or(BuildError::NoCargo)?;
    let mut command = metadata::command(&program, crate_dir);
    if let Some(target_dir) = std::env::var_os("CARGO_TARGET_DIR") {
        command.env("CARGO_TARGET_DIR", target_dir);
    }
    Ok(command)
}

/// Builds a contract crate.
///
/// # Errors
/// [`BuildError`] says what is wrong with the crate, or what to install.
pub fn build_contract(options: &BuildOptions) -> Result<BuiltContract, BuildError> {
    let package = metadata::read(&options.crate_dir)?;
    let toolchain = toolchain::find(&package, options.way)?;
    let target_dir = options.target_dir.clone().unwrap_or_else(|| package.target_dir.clone());
    let built = compile::compile(&package, &toolchain, &target_dir.join("noema"), options.debug)?;
    tracing::info!(package = package.name, bytes = built.wasm.len(), toolchain = %toolchain.name, "contract built");
    Ok(built)
}

/// The toolchains of this machine that can build the crate now, without installing anything, in the
/// order in which they would be tried.
///
/// # Errors
/// Where the folder holds no contract crate.
pub fn toolchains(crate_dir: &Path) -> Result<Vec<Toolchain>, BuildError> {
    let package = metadata::read(crate_dir)?;
    Ok(toolchain::ready(&package, &mut Vec::new()))
}
