//! `noema-bench`: how fast, beside the software that one would use otherwise.
#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};
use noema_bench::{admit, calls, encoder, gas, gemm, metering, ops, prices, state, trees};

/// Measures Noema beside other software, interleaved in one run, and prints ratios.
#[derive(Parser)]
#[command(version, after_help = "Example: noema-bench gemm --threads 1,2")]
struct Arguments {
    /// Print exactly one line of JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Admission and compilation, beside plain compilation of the same module.
    Admit(admit::Options),
    /// Calls and compilation, beside plain wasmtime.
    Calls(calls::Options),
    /// How long what is priced takes: picoseconds for each unit of gas.
    Gas(gas::Options),
    /// The int8 matrix product, beside candle in f32 and Q8_0 and rten's u8*i8.
    Gemm(gemm::Options),
    /// Gas, stack limit and canonical NaN, beside plain wasmtime with none of them and with its fuel.
    Metering(metering::Options),
    /// A sentence encoder of integers, beside the original by candle and onnxruntime.
    Model(encoder::Options),
    /// Tree ensembles, single rows and batches, beside LightGBM.
    Trees(trees::Options),
    /// Opcodes, beside candle's functions of floats, copying and reading.
    Ops(ops::Options),
    /// Reading and writing a store on disk: picoseconds for each unit of gas.
    State(state::Options),
    /// Random arguments of every opcode: picoseconds for each unit of gas.
    Prices(prices::Options),
    /// Products on the first CUDA device, beside PyTorch in bf16 (needs feature `cuda`).
    #[cfg(feature = "cuda")]
    Gpu(noema_bench::gpu::Options),
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let report = match &arguments.bench {
        Bench::Admit(options) => admit::run(options)?,
        Bench::Calls(options) => calls::run(options)?,
        Bench::Gas(options) => gas::run(options)?,
        Bench::Gemm(options) => gemm::run(options)?,
        Bench::Metering(options) => metering::run(options)?,
        Bench::Model(options) => encoder::run(options)?,
        Bench::Trees(options) => trees::run(options)?,
        Bench::Ops(options) => ops::run(options)?,
        Bench::Prices(options) => prices::run(options)?,
        Bench::State(options) => state::run(options)?,
        #[cfg(feature = "cuda")]
        Bench::Gpu(options) => noema_bench::gpu::run(options)?,
    };
    if arguments.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.table());
    }
    Ok(())
}
