//! The programs that are measured: `benches/kernels`, compiled as contracts are.

use std::path::Path;

use anyhow::Context;

/// Their names, by number.
pub const KERNELS: [&str; 13] = [
    "sha256",
    "keccak",
    "quicksort",
    "sieve",
    "matrix i64",
    "matrix f64",
    "fibonacci",
    "json",
    "modular power",
    "map of balances",
    "trait objects",
    "interpreter",
    "simd dot",
];

/// Where in memory the number of the kernel is expected, and where its result is left.
pub(crate) const WHICH: usize = 16;
pub(super) const RESULT: usize = 8;

/// The module with all of them.
///
/// # Errors
/// Where the compiler for WebAssembly is missing: it says what to install.
pub fn module() -> anyhow::Result<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let built = noema_build::build_contract(&noema_build::BuildOptions::new(&folder));
    Ok(built.with_context(|| format!("cannot compile {}", folder.display()))?.wasm)
}
