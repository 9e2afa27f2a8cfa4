//! `noema-bench model`: a sentence encoder from a Hugging Face folder, one core, beside
//!
//! - `candle-f32`: the original, by candle's float products in this process.
//!
//! Before anything is timed the embeddings of both are compared.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use noema_import::FloatEncoder;
use noema_model::Model;
use noema_tensor::{Kernels, Level, Shape, Tensor};

use crate::measure::{Contender, Effort, compare};
use crate::report::{Report, Row, Sense};
use crate::threads;

/// Arguments of `noema-bench model`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The folder of the original.
    #[arg(long)]
    pub folder: PathBuf,
    /// The container that `noema model import` made of it.
    #[arg(long)]
    pub container: PathBuf,
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
        options.tokens.iter().map(|tokens| one_length(*tokens, &float, &model, &kernels, options.effort)).collect()
    })?);
    Ok(report)
}

fn one_length(
    tokens: u32,
    float: &FloatEncoder,
    model: &Model,
    kernels: &Kernels,
    effort: Effort,
) -> anyhow::Result<Row> {
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
    let cosine: f64 = ours.iter().zip(&theirs).map(|(a, b)| f64::from(*a) / 32_768.0 * f64::from(*b)).sum();
    ensure!(cosine > 0.98, "the models do not belong together: their cosine is {cosine}");
    let mut contenders = [
        Contender::new("noema", || model.run(kernels, &[&input, &length])),
        Contender::new("candle-f32", || float.embed(&ids)),
    ];
    let ratio = compare(effort, &mut contenders).remove(0);
    Ok(Row { case: format!("{tokens} tokens"), peer: "candle-f32".to_owned(), threads: 1, sense: Sense::Speed, ratio })
}
