//! `noema-bench trees`: 100 trees of depth 6 over 30 features, one core, beside
//!
//! - `lightgbm` (with `--lightgbm`): its C interface, `LGBM_BoosterPredictForMatSingleRowFast` for a row and
//!   `LGBM_BoosterPredictForMat` for many;
//! - `portable`: our own level without vectors.
//!
//! Our side is a whole run of the model that the importer made of LightGBM's text: checks, arena, outputs, and for two classes also
//! probabilities and the class; LightGBM gives the probability. Two models: `full`, in which every tree has 63 decisions at
//! random, and with the library `trained`, which it learns here. Before anything is timed the scores of both are compared.

mod forest;
#[allow(unsafe_code, reason = "calls of a C library")]
mod lightgbm;

use std::path::PathBuf;

use anyhow::ensure;
use noema_import::{TreeOptions, import_lightgbm};
use noema_model::Model;
use noema_tensor::{Kernels, Level, Shape, Tensor};

use crate::measure::{Contender, Effort, Ring, Spread, compare};
use crate::report::{Report, Row, Sense};
use crate::threads;
use forest::{BITS, FEATURES, Rows};
use lightgbm::{Booster, LightGbm};

/// Arguments of `noema-bench trees`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The library of LightGBM: `lib_lightgbm.so` of its Python wheel.
    #[arg(long, value_name = "FILE")]
    pub lightgbm: Option<PathBuf>,
    /// Rows of a batch.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rows: u32,
    /// Our kernel level; the best one of this machine unless given.
    #[arg(long)]
    pub level: Option<Level>,
    /// How much to measure.
    #[command(flatten)]
    pub effort: Effort,
}

/// Trees of a model.
const TREES: usize = 100;
/// Decisions on a way through a tree, at most.
const DEPTH: u32 = 6;

/// Measures single rows and batches of each model.
///
/// # Errors
/// A library that cannot be loaded or says no, scores that differ, a level that this machine does not have.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let level = options.level.unwrap_or_else(Level::best);
    let mut report = Report::new("trees");
    report.note(format!(
        "our level: {level}; {} time; {TREES} trees of depth {DEPTH}, {FEATURES} features",
        options.effort.clock
    ));
    match &options.lightgbm {
        Some(path) => report.note(format!("LightGBM: {}", path.display())),
        None => report.note("LightGBM is left out: --lightgbm names its library (lib_lightgbm.so of the Python wheel)"),
    }
    report.extend(threads::for_each(&[1], |_| {
        let library = options.lightgbm.as_deref().map(LightGbm::load).transpose()?;
        let kernels = [Kernels::new(level, 1)?, Kernels::new(Level::Portable, 1)?];
        let rows = Rows::new(usize::try_from(options.rows)?);
        let mut models = vec![("full", forest::text(TREES, DEPTH))];
        if let Some(library) = &library {
            models.push(("trained", library.train(TREES, DEPTH)?));
        }
        let mut measured = vec![];
        for (name, text) in models {
            let booster = library.as_ref().map(|library| library.booster(&text)).transpose()?;
            measured.extend(one_model(name, &text, booster.as_ref(), &kernels, &rows, options.effort)?);
        }
        Ok(measured)
    })?);
    Ok(report)
}

fn one_model(
    name: &str,
    text: &str,
    booster: Option<&Booster<'_>>,
    kernels: &[Kernels; 2],
    rows: &Rows,
    effort: Effort,
) -> anyhow::Result<Vec<Row>> {
    let options = TreeOptions { input_fraction_bits: Some(BITS), ..TreeOptions::new(name, "CC0-1.0") };
    let model = Model::from_bytes(import_lightgbm(text.as_bytes(), &options)?.container)?;
    let count = u32::try_from(rows.real.len() / FEATURES)?;
    let width = u32::try_from(FEATURES)?;
    let batch = Tensor::from_vec(Shape::new(&[count, width])?, rows.integers.clone())?;
    if let Some(booster) = booster {
        same_scores(&model, &kernels[0], &batch, &booster.raw(&rows.real)?)?;
    }
    // Rows in turn: the ways through the trees of one row would soon be known to the branch predictor.
    let singles = rows.integers.chunks(FEATURES).map(|row| Tensor::from_vec(Shape::new(&[1, width])?, row.to_vec()));
    let singles = singles.collect::<Result<Vec<_>, _>>()?;
    let (mut mine, mut portable) = (Ring::new(singles.iter().collect()), Ring::new(singles.iter().collect()));
    let mut theirs = Ring::new(rows.real.chunks(FEATURES).collect());
    let fast = booster.map(Booster::single_row).transpose()?;
    let mut contenders = vec![
        Contender::new("noema", || model.run(&kernels[0], &[mine.take()])),
        Contender::new("portable", || model.run(&kernels[1], &[portable.take()])),
    ];
    if let Some(fast) = &fast {
        contenders.push(Contender::new("lightgbm", || fast.predict(theirs.take())));
    }
    let single = compare(effort, &mut contenders);
    drop(contenders);

    let mut out = vec![0.0; rows.real.len() / FEATURES];
    let mut contenders = vec![
        Contender::new("noema", || model.run(&kernels[0], &[&batch])),
        Contender::new("portable", || model.run(&kernels[1], &[&batch])),
    ];
    if let Some(booster) = booster {
        contenders.push(Contender::new("lightgbm", || booster.predict(&rows.real, &mut out)));
    }
    let many = compare(effort, &mut contenders);
    let row = |case: String, peer: &str, ratio: Spread| Row {
        case,
        peer: peer.to_owned(),
        threads: 1,
        sense: Sense::Speed,
        ratio,
    };
    let of = |case: String, spreads: Vec<Spread>| {
        let peers = ["portable", "lightgbm"].into_iter().zip(spreads);
        peers.map(move |(peer, ratio)| row(case.clone(), peer, ratio)).collect::<Vec<_>>()
    };
    Ok([of(format!("{name}, one row"), single), of(format!("{name}, {count} rows"), many)].concat())
}

/// Whether our scores are the library's, up to the rounding of leaves and logits.
fn same_scores(model: &Model, kernels: &Kernels, batch: &Tensor, raw: &[f64]) -> anyhow::Result<()> {
    let outputs = model.run(kernels, &[batch])?;
    let unit = 0.5_f64.powi(model.manifest().outputs[0].fraction_bits.into());
    let scores = outputs[0].to_vec::<i32>()?;
    for (row, (ours, theirs)) in scores.as_chunks::<2>().0.iter().zip(raw).enumerate() {
        let score = f64::from(ours[1]) * unit;
        ensure!((score - theirs).abs() <= unit, "row {row}: our score is {score}, that of LightGBM {theirs}");
    }
    Ok(())
}
