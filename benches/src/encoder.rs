//! `noema-bench model`: a sentence encoder from a Hugging Face folder, one core, beside
//!
//! - `candle-f32`: the original, by candle's float products in this process;
//! - `onnxruntime-f32` and `onnxruntime-int8` (with `--python`): the original by onnxruntime, as it is and dynamically quantised by
//!   its own tool (`benches/peers/onnxruntime/peer.py`).
//!
//! Before anything is timed the embeddings of both are compared. And what it costs to open the container where a node has it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use noema_import::FloatEncoder;
use noema_model::Model;
use noema_tensor::{Kernels, Level, Shape, Tensor};

use crate::measure::{Contender, Effort, compare};
use crate::peers::Peer;
use crate::report::{Report, Row, Sense};
use crate::threads;

mod opening;

/// Arguments of `noema-bench model`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The folder of the original.
    #[arg(long)]
    pub folder: PathBuf,
    /// The container that `noema model import` made of it.
    #[arg(long)]
    pub container: PathBuf,
    /// A Python with onnxruntime, onnx, numpy and safetensors; without it onnxruntime is left out.
    #[arg(long)]
    pub python: Option<PathBuf>,
    /// The encoder as an ONNX file for onnxruntime, which otherwise gets one made from the folder.
    #[arg(long, requires = "python")]
    pub onnx: Option<PathBuf>,
    /// Lengths of sentences, in tokens.
    #[arg(long, value_delimiter = ',', default_values_t = [128, 16])]
    pub tokens: Vec<u32>,
    /// Our kernel level; the best one of this machine unless given.
    #[arg(long)]
    pub level: Option<Level>,
    /// How much to measure.
    #[command(flatten)]
    pub effort: Effort,
}

/// Measures every length.
///
/// # Errors
/// A file that cannot be read, models that do not belong together, a level that this machine does not have.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let level = options.level.unwrap_or_else(Level::best);
    let mut report = Report::new("model");
    report.note(format!("our level: {level}; {} time; one sentence at a time", options.effort.clock));
    report.extend(threads::for_each(&[1], |_| {
        let float = FloatEncoder::read(&options.folder, None)?;
        let bytes = std::fs::read(&options.container).with_context(|| options.container.display().to_string())?;
        let model = Model::from_bytes(bytes)?;
        let kernels = Kernels::new(level, 1)?;
        let mut peers = onnxruntimes(options)?;
        let mut rows = Vec::new();
        for tokens in &options.tokens {
            rows.extend(one_length(*tokens, &float, &model, &kernels, &mut peers, options.effort)?);
        }
        if let Some(tokens) = options.tokens.iter().min() {
            let ids = Tensor::from_vec(Shape::new(&[1, *tokens])?, vec![0; usize::try_from(*tokens)?])?;
            let length = Tensor::from_vec(Shape::new(&[1])?, vec![tokens.cast_signed()])?;
            let run = || model.run(&kernels, &[&ids, &length]);
            rows.extend(opening::rows(&model, &format!("{tokens} tokens"), run, options.effort)?);
        }
        Ok(rows)
    })?);
    Ok(report)
}

/// onnxruntime in both kinds, where there is a Python for it.
fn onnxruntimes(options: &Options) -> anyhow::Result<Vec<(String, Peer)>> {
    let Some(python) = &options.python else { return Ok(vec![]) };
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "peers", "onnxruntime", "peer.py"].iter().collect();
    let kinds = ["f32", "int8"].into_iter().map(|kind| {
        let mut command = Command::new(python);
        command.arg(&script).arg(kind).arg(&options.folder);
        if let Some(onnx) = &options.onnx {
            command.arg("--onnx").arg(onnx);
        }
        let name = format!("onnxruntime-{kind}");
        let mut peer = Peer::start(&name, &mut command)?;
        eprintln!("model: {}", peer.ask("version")?);
        Ok((name, peer))
    });
    kinds.collect()
}

fn one_length(
    tokens: u32,
    float: &FloatEncoder,
    model: &Model,
    kernels: &Kernels,
    peers: &mut [(String, Peer)],
    effort: Effort,
) -> anyhow::Result<Vec<Row>> {
    ensure!((2..=model.longest()).contains(&tokens), "{tokens} tokens, the model takes 2 to {}", model.longest());
    // As many words as make that many tokens.
    let text = "every node computes the same bits of what this sentence means ".repeat(50);
    let ids = float.tokens(&text)?;
    let (last, first) = (ids[ids.len() - 1], &ids[..usize::try_from(tokens)? - 1]);
    let ids = [first, &[last]].concat();
    let values: Vec<i32> = ids.iter().map(|id| id.cast_signed()).collect();
    let input = Tensor::from_vec(Shape::new(&[1, tokens])?, values)?;
    let length = Tensor::from_vec(Shape::new(&[1])?, vec![tokens.cast_signed()])?;
    let ours = model.run(kernels, &[&input, &length])?[0].to_vec::<i16>()?;
    let theirs = float.embed(&ids)?;
    ensure_near("noema", &theirs, ours.iter().map(|x| f64::from(*x) / 32_768.0))?;
    let words: Vec<String> = ids.iter().map(u32::to_string).collect();
    for (name, peer) in peers.iter_mut() {
        let answer = peer.ask(&format!("tokens {}", words.join(" ")))?;
        let numbers: Result<Vec<f64>, _> = answer.split(' ').map(str::parse).collect();
        ensure_near(name, &theirs, numbers.with_context(|| format!("{name} says `{answer}`"))?)?;
    }
    let mut contenders = vec![
        Contender::new("noema", || model.run(kernels, &[&input, &length])),
        Contender::new("candle-f32", || float.embed(&ids)),
    ];
    for (name, peer) in peers {
        let time = |clock, times| peer.time(clock, times).expect("it did so before");
        contenders.push(Contender::timed(name.clone(), time));
    }
    let ratios = compare(effort, &mut contenders);
    let rows = contenders[1..].iter().zip(ratios).map(|(peer, ratio)| Row {
        case: format!("{tokens} tokens"),
        peer: peer.name().to_owned(),
        threads: 1,
        sense: Sense::Speed,
        ratio,
    });
    Ok(rows.collect())
}

/// That an embedding is that of the original, whatever it was quantised to.
fn ensure_near(name: &str, original: &[f32], embedding: impl IntoIterator<Item = f64>) -> anyhow::Result<()> {
    let cosine: f64 = embedding.into_iter().zip(original).map(|(a, b)| a * f64::from(*b)).sum();
    eprintln!("model: cosine of {name} to the original: {cosine:.5}");
    ensure!(cosine > 0.9, "{name} computes another embedding: its cosine to that of the original is {cosine}");
    Ok(())
}
