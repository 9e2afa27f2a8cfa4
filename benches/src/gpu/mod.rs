//! `noema-bench gpu`: exact products and encoders on the first CUDA device, beside PyTorch in bf16 on the same device
//! (`benches/peers/torch/peer.py`, a Python that has `torch`).
//!
//! Times are those of the device alone, between events: weights and activations lie on it. `checked` rows include
//! Freivalds' check of every product, which a node makes.

mod ours;

use anyhow::{Context, ensure};
use noema_tensor::{
    cuda::{Cuda, Options as CudaOptions},
    program::Extent,
};

use self::ours::Encoder;
use crate::clock::Clock;
use crate::gemm::Shape;
use crate::measure::{Contender, Effort, compare};
use crate::peers::Peer;
use crate::report::{Report, Row, Sense};

/// Arguments of `noema-bench gpu`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Products to measure: rows x inputs x outputs.
    #[arg(long, value_delimiter = ',', default_values_t = [
        Shape { m: 4096, k: 4096, n: 4096 },
        Shape { m: 8192, k: 8192, n: 8192 },
        Shape { m: 16_384, k: 384, n: 1536 },
        Shape { m: 16_384, k: 2048, n: 8192 },
    ])]
    pub shapes: Vec<Shape>,
    /// The Python that runs PyTorch.
    #[arg(long, default_value = "python3")]
    pub python: String,
    /// How much to measure.
    #[command(flatten)]
    pub effort: Effort,
}

/// Measures.
///
/// # Errors
/// There is no device, no PyTorch, or ours computes something else on the device than on the CPU.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    ensure!(options.effort.clock == Clock::Wall, "a device has no processor time");
    let open = |check_products| {
        Cuda::open(0, CudaOptions { check_products, ..CudaOptions::default() })
            .context("cannot open the first CUDA device")
    };
    let (plain, checked) = (open(false)?, open(true)?);
    let script = [env!("CARGO_MANIFEST_DIR"), "peers", "torch", "peer.py"].iter().collect::<std::path::PathBuf>();
    let mut torch = Peer::start("torch", std::process::Command::new(&options.python).arg(script))?;
    let mut report = Report::new("gpu");
    report.note(format!("device: {}; peer: {}", device_name(&plain), torch.ask("version")?));
    for shape in &options.shapes {
        let Shape { m, k, n } = *shape;
        for requantised in [false, true] {
            let case = if requantised { "linear" } else { "product" };
            eprintln!("gpu: {case} {shape}");
            let program = ours::product(*shape, requantised);
            let input = ours::bytes(m * k, 2);
            let mut rows = Vec::new();
            for (cuda, suffix) in [(&plain, ""), (&checked, " checked")] {
                let loaded = cuda.load_program(&program)?;
                ours::check(&loaded, *shape, requantised, &input)?;
                let answer = torch.ask(&format!("case {case} {m} {k} {n}"))?;
                ensure!(answer == "ok", "PyTorch says: {answer}");
                let ours = Contender::timed("noema", |_, times| {
                    ours::time(&loaded, Extent::of_rows(m), &input, times).expect("it did so before")
                });
                let theirs =
                    Contender::timed("torch-bf16", |clock, times| torch.time(clock, times).expect("it did so before"));
                let ratio = compare(options.effort, &mut [ours, theirs])[0];
                let case = format!("{case}{suffix} {shape}");
                rows.push(Row { case, peer: "torch-bf16".to_owned(), threads: 1, sense: Sense::Speed, ratio });
            }
            report.extend(rows);
        }
    }
    for sides in ENCODERS {
        let Encoder { name, batch, tokens, layers, width, heads, inner } = sides;
        eprintln!("gpu: encoder {name}");
        let program = ours::encoder(sides);
        let input = ours::bytes(batch * tokens * width, 3);
        for (cuda, suffix) in [(&plain, ""), (&checked, " checked")] {
            let loaded = cuda.load_program(&program)?;
            let answer = torch.ask(&format!("case encoder {batch} {tokens} {layers} {width} {heads} {inner}"))?;
            ensure!(answer == "ok", "PyTorch says: {answer}");
            let extent = Extent { rows: batch, length: tokens };
            let ours = Contender::timed("noema", |_, times| {
                ours::time(&loaded, extent, &input, times).expect("it did so before")
            });
            let theirs =
                Contender::timed("torch-bf16", |clock, times| torch.time(clock, times).expect("it did so before"));
            let ratio = compare(options.effort, &mut [ours, theirs])[0];
            let case = format!("encoder{suffix} {name} {batch}x{tokens}");
            report.extend([Row { case, peer: "torch-bf16".to_owned(), threads: 1, sense: Sense::Speed, ratio }]);
        }
    }
    Ok(report)
}

/// MiniLM-L6's sides, and those of an encoder with a thousand million parameters; a small one, whose launches would
/// cost more than its work.
const ENCODERS: [Encoder; 3] = [
    Encoder { name: "MiniLM", batch: 128, tokens: 128, layers: 6, width: 384, heads: 12, inner: 1536 },
    Encoder { name: "1B", batch: 32, tokens: 512, layers: 24, width: 1792, heads: 28, inner: 7168 },
    Encoder { name: "MiniLM", batch: 1, tokens: 16, layers: 6, width: 384, heads: 12, inner: 1536 },
];

fn device_name(cuda: &Cuda) -> String {
    use noema_tensor::device::Device as _;
    cuda.name()
}
