//! `noema-bench gemm`: the exact int8 matrix product with packed weights, beside
//!
//! - `candle-f32`: candle's float product, with the weights in whichever of its two layouts is faster;
//! - `candle-q8_0`: candle's quantised product (weights in blocks of 32 with a scale, activations quantised on the way);
//! - `rten-u8i8`: the `u8 * i8` product of rten-gemm, weights packed beforehand (for a single row packed or not, whichever is
//!   fastest).
//!
//! Before anything is timed each party's product is compared with ours.

mod candle;
mod operands;
mod ours;
mod rten;

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, ensure};
use noema_tensor::Level;

use crate::measure::{Contender, Effort, compare};
use crate::report::{Report, Row, Sense};
use crate::threads;
use operands::Operands;

/// Arguments of `noema-bench gemm`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Products to measure: rows x inputs x outputs.
    #[arg(long, value_delimiter = ',', default_values_t = Shape::USUAL)]
    pub shapes: Vec<Shape>,
    /// Thread counts.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2], value_parser = thread_count)]
    pub threads: Vec<usize>,
    /// Our kernel level; the best one of this machine unless given.
    #[arg(long)]
    pub level: Option<Level>,
    /// Only these peers.
    #[arg(long, value_delimiter = ',', default_values_t = Peer::ALL)]
    pub peers: Vec<Peer>,
    /// How much to measure.
    #[command(flatten)]
    pub effort: Effort,
}

fn thread_count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| (1..=1024).contains(count)).ok_or_else(|| "a number from 1 to 1024".to_owned())
}

/// `m` rows of `k` inputs with `k` by `n` weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of activations.
    pub m: usize,
    /// Inputs: the length of a sum.
    pub k: usize,
    /// Outputs.
    pub n: usize,
}

impl Shape {
    /// Transformers, squares, a convolution as a product, and single rows.
    pub const USUAL: [Shape; 7] = [
        Shape { m: 128, k: 768, n: 768 },
        Shape { m: 128, k: 768, n: 3072 },
        Shape { m: 512, k: 512, n: 512 },
        Shape { m: 1024, k: 1024, n: 1024 },
        Shape { m: 196, k: 1152, n: 128 },
        Shape { m: 1, k: 768, n: 768 },
        Shape { m: 1, k: 4096, n: 4096 },
    ];
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.m, self.k, self.n)
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Shape, String> {
        let numbers: Option<Vec<usize>> =
            text.split('x').map(|number| number.parse().ok().filter(|number| (1..=65_536).contains(number))).collect();
        match numbers.as_deref() {
            Some([m, k, n]) => Ok(Shape { m: *m, k: *k, n: *n }),
            _ => Err("three numbers from 1 to 65536, such as 128x768x3072".to_owned()),
        }
    }
}

/// Who else multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// candle's float product.
    CandleF32,
    /// candle's quantised product.
    CandleQ8,
    /// rten-gemm.
    Rten,
}

impl Peer {
    /// Every one.
    pub const ALL: [Peer; 3] = [Peer::CandleF32, Peer::CandleQ8, Peer::Rten];

    fn name(self) -> &'static str {
        match self {
            Peer::CandleF32 => "candle-f32",
            Peer::CandleQ8 => "candle-q8_0",
            Peer::Rten => "rten-u8i8",
        }
    }

    /// The party, or `None` where it cannot do this shape.
    fn contender(self, operands: &Operands, effort: Effort) -> anyhow::Result<Option<Party>> {
        match self {
            Peer::CandleF32 => candle::floats(operands, effort).map(Some),
            // It multiplies rows of whole blocks.
            Peer::CandleQ8 if !operands.shape.k.is_multiple_of(32) => Ok(None),
            Peer::CandleQ8 => candle::quantised(operands).map(Some),
            Peer::Rten => rten::party(operands, effort).map(Some),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Peer, String> {
        let names = Peer::ALL.map(Peer::name).join(", ");
        Peer::ALL.into_iter().find(|peer| peer.name() == text).ok_or_else(|| format!("one of {names}"))
    }
}

/// A contender, and the product it gave of the first operands.
struct Party {
    contender: Contender<'static>,
    product: Vec<f64>,
}

/// Measures every shape with every thread count.
///
/// # Errors
/// A level that this machine does not have, a peer that fails or computes something else.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let level = options.level.unwrap_or_else(Level::best);
    let mut report = Report::new("gemm");
    report.note(format!("our level: {level}; {} time", options.effort.clock));
    report.extend(threads::for_each(&options.threads, |threads| {
        let mut rows = Vec::new();
        for shape in &options.shapes {
            eprintln!("gemm: {shape}, {threads} threads");
            rows.extend(one_shape(*shape, threads, level, options)?);
        }
        Ok(rows)
    })?);
    Ok(report)
}

fn one_shape(shape: Shape, threads: usize, level: Level, options: &Options) -> anyhow::Result<Vec<Row>> {
    let operands = Operands::of(shape);
    let ours = ours::packed(&operands, level, threads)?;
    let (mut contenders, expected) = (vec![ours.contender], ours.product);
    for peer in &options.peers {
        let party = peer.contender(&operands, options.effort).with_context(|| format!("{peer}, {shape}"))?;
        let Some(party) = party else { continue };
        check(*peer, &expected, &party.product)?;
        contenders.push(party.contender);
    }
    let spreads = compare(options.effort, &mut contenders);
    let rows = contenders[1..].iter().zip(spreads).map(|(contender, ratio)| Row {
        case: shape.to_string(),
        peer: contender.name().to_owned(),
        threads,
        sense: Sense::Speed,
        ratio,
    });
    Ok(rows.collect())
}

/// That the other one computed the same product, as exactly as it can.
fn check(peer: Peer, expected: &[f64], product: &[f64]) -> anyhow::Result<()> {
    ensure!(expected.len() == product.len(), "{peer} gives {} numbers, not {}", product.len(), expected.len());
    let square = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|number| number * number).sum::<f64>();
    let error = square(&mut expected.iter().zip(product).map(|(a, b)| a - b)).sqrt();
    let relative = error / square(&mut expected.iter().copied()).sqrt().max(1.0);
    let allowed = match peer {
        Peer::CandleF32 => 1e-5,
        Peer::CandleQ8 => 0.03,
        // On a machine without VNNI its sums of 16 bits saturate, and it says so when it starts.
        Peer::Rten if !Level::AvxVnni.is_available() && !Level::Avx512Vnni.is_available() => 1.0,
        Peer::Rten => 0.0,
    };
    ensure!(relative <= allowed, "{peer} computes another product: off by {relative:.6} of its length");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Peer, Shape, check};

    #[test]
    fn shapes_parse_back_and_nonsense_is_refused() {
        for shape in Shape::USUAL {
            assert_eq!(shape.to_string().parse(), Ok(shape));
        }
        for text in ["", "1x2", "1x2x3x4", "0x1x1", "1x-1x1", "axbxc", "1x1x65537"] {
            assert!(text.parse::<Shape>().is_err(), "{text}");
        }
        assert!("candle".parse::<Peer>().unwrap_err().contains("candle-q8_0"));
    }

    #[test]
    fn another_product_is_noticed() {
        let expected = [1000.0, -2000.0, 3000.0];
        assert!(check(Peer::CandleF32, &expected, &[1000.0, -2000.0, 3000.01]).is_ok());
        assert!(check(Peer::CandleF32, &expected, &[1000.0, -2000.0, 3001.0]).is_err());
        assert!(check(Peer::CandleQ8, &expected, &[1010.0, -2000.0, 3010.0]).is_ok());
        assert!(check(Peer::CandleQ8, &expected, &[0.0, -2000.0, 3000.0]).is_err());
        assert!(check(Peer::CandleF32, &expected, &expected[..2]).is_err());
    }
}
