//! What must hold for any bytes at all: one function for each way that bytes come in.
//!
//! Each takes bytes and panics where something does not hold that should. They are called from two sides: the tests in
//! `tests/` run each with its seeds, mutated thousands of times with a fixed generator, so that a regression shows in the
//! ordinary suite; and the targets in `fuzz_targets/` hand them to libFuzzer, which looks for inputs that reach new code
//! (`make fuzz-smoke`, `docs/fuzzing.md`).
//!
//! | function | bytes are | holds |
//! |---|---|---|
//! | [`module`] | a WebAssembly module | admission answers; what it admits runs to the same receipt on two machines |
//! | [`execute`] | choices of a generator of valid modules | the same, for modules that get far |
//! | [`host`] | host calls with any arguments, tensors and models among them | two machines agree; no fault of the node |
//! | [`journal`] | storage, transfers, events and nested calls, some of which fail | state as in a map that can undo |
//! | [`opcode`] | an opcode and its arguments | every kernel level answers as the reference |
//! | [`model`] | a model and its inputs | every kernel level answers as the reference |
//! | [`container`] | a model | what decodes encodes to the same bytes |
//! | [`onnx`] | an ONNX file | the importer answers |
//! | [`lightgbm`] | a text file of LightGBM | the importer answers; integers decide as floats do |
//! | [`xgboost`] | a JSON file of XGBoost | the same |
//! | [`transaction`] | a signed transaction | what decodes encodes to the same bytes |
//!
//! A new entry is a function here, a row of [`ENTRIES`] with its seeds, and a target: a line under `bin` in `Cargo.toml` and
//! a file like the others in `fuzz_targets/`. The tests say what is missing.
#![forbid(unsafe_code)]

mod container;
mod contract;
mod cursor;
mod execute;
mod host;
mod journal;
mod model;
mod module;
mod mutate;
mod opcode;
pub mod seeds;
mod text;
mod trees;

pub use container::container;
pub use execute::execute;
pub use host::host;
pub use journal::journal;
pub use model::model;
pub use module::module;
pub use mutate::Mutator;
pub use opcode::opcode;
pub use text::{onnx, transaction};
pub use trees::{lightgbm, xgboost};

/// A way that bytes come in.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name, which is that of its target.
    pub name: &'static str,
    /// What must hold.
    pub run: fn(&[u8]),
    /// Inputs to begin from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every entry.
pub const ENTRIES: &[Entry] = &[
    Entry { name: "module", run: module, seeds: seeds::modules },
    Entry { name: "execute", run: execute, seeds: seeds::arbitrary },
    Entry { name: "host", run: host, seeds: seeds::arbitrary },
    Entry { name: "journal", run: journal, seeds: seeds::arbitrary },
    Entry { name: "opcode", run: opcode, seeds: seeds::arbitrary },
    Entry { name: "model", run: model, seeds: seeds::models },
    Entry { name: "container", run: container, seeds: seeds::containers },
    Entry { name: "onnx", run: onnx, seeds: seeds::onnx_files },
    Entry { name: "lightgbm", run: lightgbm, seeds: seeds::lightgbm_files },
    Entry { name: "xgboost", run: xgboost, seeds: seeds::xgboost_files },
    Entry { name: "transaction", run: transaction, seeds: seeds::transactions },
];

/// Hands the entry of this name to libFuzzer: the whole of a file in `fuzz_targets/`.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        libfuzzer_sys::fuzz_target!(init: $crate::seeds::write(stringify!($name)), |bytes: &[u8]| {
            $crate::$name(bytes);
        });
    };
}
