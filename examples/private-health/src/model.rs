//! The model: a public encoder from the chain's store, and behind it the layer that the hospitals train.

use crate::masks::average;
use crate::rounds::Ending;
use crate::{HealthError, WEIGHTS};
use noema_sdk::{self as noema, prelude::*};

/// Measurements of a patient.
pub const FEATURES: usize = 30;
/// Numbers that the encoder makes of them.
pub const HIDDEN: usize = 16;
/// Fraction bits of weights and updates.
pub const FRACTION_BITS: u32 = 16;

/// Measurements; the encoded ones, and which of them is the largest (which the importer adds, and nobody needs).
type Network = StaticModel<([[i32; FEATURES]; 1],), ([[i32; HIDDEN]; 1], [i32; 1])>;

/// The encoder.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    /// The model.
    pub model: Hash,
    /// Fraction bits of its output.
    pub fraction_bits: u8,
}

/// A patient whose finding is public.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Measurements.
    pub row: [i32; FEATURES],
    /// The finding.
    pub malignant: bool,
}

/// What the model says.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// To be examined.
    pub malignant: bool,
    /// The score behind it: above zero is malignant.
    pub score: Fixed<FRACTION_BITS>,
}

pub(crate) const WEIGHTS_NOW: Item<[i32; WEIGHTS]> = Item::new("weights");
/// Encoded once, at deployment, with the findings.
pub(crate) const VALIDATION: Item<Vec<([i32; HIDDEN], i32, bool)>> = Item::new("validation");

impl Encoder {
    /// What it makes of a patient: nothing below zero.
    pub(crate) fn encode(&self, row: &[i32; FEATURES]) -> Result<[i32; HIDDEN]> {
        let (encoded, _) = Network::open(&self.model)?.run(&(StaticTensor::of(&[*row])?,))?;
        let [encoded] = encoded.relu()?.read()?;
        Ok(encoded)
    }

    /// One in the fixed point of its output.
    fn one(&self) -> i32 {
        1 << self.fraction_bits
    }

    pub(crate) fn predict(&self, weights: &[i32; WEIGHTS], encoded: &[i32; HIDDEN]) -> Prediction {
        let score = score(weights, encoded, self.one());
        let bits = i64::try_from(score >> self.fraction_bits).unwrap_or(if score < 0 { i64::MIN } else { i64::MAX });
        Prediction { malignant: score > 0, score: Fixed::from_bits(bits) }
    }
}

/// The sum of products, with the bias as the weight of a one.
fn score(weights: &[i32; WEIGHTS], encoded: &[i32; HIDDEN], one: i32) -> i128 {
    let inputs = encoded.iter().chain(core::iter::once(&one));
    weights.iter().zip(inputs).map(|(weight, input)| i128::from(*weight) * i128::from(*input)).sum()
}

/// Checks the encoder with the public patients, and keeps what it makes of them.
pub(crate) fn keep(encoder: &Encoder, cases: &[Case]) -> Result<()> {
    ensure!(encoder.fraction_bits <= 30, HealthError::UnfitModel);
    let encoded = cases.iter().map(|case| Ok((encoder.encode(&case.row)?, encoder.one(), case.malignant)));
    let encoded: Result<Vec<_>> = encoded.collect();
    VALIDATION.set(&encoded.map_err(|_| HealthError::UnfitModel)?)
}

pub(crate) fn weights() -> Result<[i32; WEIGHTS]> {
    Ok(WEIGHTS_NOW.get()?.unwrap_or([0; WEIGHTS]))
}

/// How many of the public patients these weights tell rightly.
pub(crate) fn right(weights: &[i32; WEIGHTS], cases: &[([i32; HIDDEN], i32, bool)]) -> u32 {
    let right =
        |(encoded, one, malignant): &&([i32; HIDDEN], i32, bool)| (score(weights, encoded, *one) > 0) == *malignant;
    cases.iter().filter(right).count() as u32
}

/// Adds the average to the weights, unless the model becomes worse by it.
pub(crate) fn learn(sum: &[i32; WEIGHTS], count: u32, tolerance: u16) -> Result<Ending> {
    let (old, cases) = (weights()?, VALIDATION.get()?.unwrap_or_default());
    let mut new = old;
    new.iter_mut().zip(sum).for_each(|(weight, sum)| *weight = weight.saturating_add(average(*sum, count)));
    let (before, after) = (right(&old, &cases), right(&new, &cases));
    if after + u32::from(tolerance) < before {
        return Ok(Ending::Worse { before, after });
    }
    WEIGHTS_NOW.set(&new)?;
    Ok(Ending::Averaged { before, after })
}
