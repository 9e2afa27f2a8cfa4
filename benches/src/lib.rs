//! How fast, beside the software that one would use otherwise.
//!
//! The program `noema-bench` has a subcommand for each subject:
//!
//! ```text
//!   main.rs       the command line: one line for each subcommand
//!   admit.rs      admission and compilation beside plain compilation
//!   calls/        calls and compilation beside plain wasmtime
//!   gas/          time for each unit of gas, of hostile and ordinary programs
//!   gemm/         the int8 matrix product beside candle and rten
//!   metering/     gas, stack limit and canonical NaN beside plain wasmtime and its fuel
//!   trees/        tree ensembles beside LightGBM's C interface
//!   encoder.rs    a sentence encoder beside candle and onnxruntime
//!   ops.rs        opcodes beside candle's functions, copying and reading
//!   state.rs      what reading and writing a store on disk takes for its gas
//!   prices.rs     a random search for opcodes whose price is wrong
//!   gpu/          products on a CUDA device beside PyTorch (feature `cuda`)
//!   clock.rs      wall time or processor time
//!   measure.rs    interleaved rounds, medians of ratios        what every
//!   threads.rs    a process for each thread count              subcommand is
//!   peers.rs      other software in programs of its own        made of
//!   report.rs     the table for people, the line of JSON
//! ```
//!
//! A new subject is a module with `Options` (clap's arguments) and `run(&Options) -> anyhow::Result<Report>`, and a
//! line in `main.rs`. It makes a [`Contender`](measure::Contender) of each party, ours first, lets
//! [`measure::compare`] time them and pushes what comes back to a [`Report`](report::Report).
//!
//! Only ratios are reported: times differ between machines, and between two minutes on one machine. Criterion benches of
//! our own calls and products, for working on them, run with `cargo bench -p noema-bench`.
#![deny(unsafe_code)]

pub mod admit;
pub mod calls;
pub mod clock;
pub mod deployed;
pub mod encoder;
pub mod gas;
pub mod gemm;
#[cfg(feature = "cuda")]
pub mod gpu;
pub mod measure;
pub mod metering;
pub mod ops;
pub mod peers;
pub mod prices;
pub mod report;
pub mod screening;
pub mod state;
pub mod threads;
pub mod trees;
