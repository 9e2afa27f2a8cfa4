//! Expected bytes. What a host function, a price, a receipt or an id is on one machine it must be on all, and tomorrow:
//! this crate says what they are and finds whoever disagrees.
//!
//! | what | where | checked by |
//! |---|---|---|
//! | what the rows of the table answer, and whole models | `vectors/` | [`vectors`], on every kernel level and thread count |
//! | what opcodes answer to random arguments | drawn from a seed | [`random`], every level against the reference |
//! | what random contracts do | drawn from a seed | [`engines`], every engine against Cranelift |
//! | the table itself | `golden/abi.lock` | [`lock`] |
//! | whole receipts, for each protocol version | `golden/v*/` | [`golden`] |
//! | the page that describes the table | `docs/reference/host-functions.md` | [`mod@reference`] |
//!
//! The program `noema-conformance` prints the same checks and, where a change is meant, writes the new files
//! (`--bless`), so that the change is seen in review.
#![forbid(unsafe_code)]

pub mod coverage;
pub mod engines;
pub mod golden;
pub mod lock;
pub mod models;
pub mod ops;
pub mod random;
pub mod reference;
mod report;
mod sample;
pub mod scenario;
pub mod vectors;

pub use report::{ConformanceError, Difference, Report};
pub use sample::model as sample_model;

use std::path::{Path, PathBuf};

/// The directory of this crate, where its data files are.
#[must_use]
pub fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    home().parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
