//! What a hospital does with its patients: a few steps of gradient descent on the last layer, and the clipped difference.
//!
//! Floats: this is a hospital's own business, and nobody has to do it in the same way. What goes to the chain is integers.

/// Fraction bits of weights and updates.
pub const FRACTION_BITS: u32 = 16;

/// Patients as the encoder sees them, as real numbers, and whether the finding is malignant.
#[derive(Clone, Debug, Default)]
pub struct Patients {
    /// The encoded measurements of each.
    pub encoded: Vec<Vec<f64>>,
    /// 1 for malignant, otherwise 0.
    pub labels: Vec<usize>,
}

/// Weights as real numbers.
#[must_use]
pub fn real(weights: &[i32]) -> Vec<f64> {
    weights.iter().map(|weight| f64::from(*weight) / f64::from(1 << FRACTION_BITS)).collect()
}

/// Logistic regression from `weights` on (the last one is the bias): so many steps over all patients.
#[must_use]
pub fn train(weights: &[f64], patients: &Patients, steps: u32, rate: f64) -> Vec<f64> {
    let mut weights = weights.to_vec();
    let rate = rate / patients.labels.len() as f64;
    for _ in 0..steps {
        let mut gradient = vec![0.0; weights.len()];
        for (row, label) in patients.encoded.iter().zip(&patients.labels) {
            let error = 1.0 / (1.0 + (-logit(&weights, row)).exp()) - *label as f64;
            gradient.iter_mut().zip(row.iter().chain([&1.0])).for_each(|(sum, x)| *sum += error * x);
        }
        weights.iter_mut().zip(gradient).for_each(|(weight, gradient)| *weight -= rate * gradient);
    }
    weights
}

/// The score: above zero is malignant.
#[must_use]
pub fn logit(weights: &[f64], row: &[f64]) -> f64 {
    weights.iter().zip(row.iter().chain([&1.0])).map(|(weight, x)| weight * x).sum()
}

/// The update from one to the other, each number between `-clip` and `clip`, in fixed point.
#[must_use]
pub fn clipped(from: &[f64], to: &[f64], clip: i32) -> Vec<i32> {
    let scale = f64::from(1 << FRACTION_BITS);
    let limit = f64::from(clip);
    from.iter().zip(to).map(|(from, to)| ((to - from) * scale).round().clamp(-limit, limit) as i32).collect()
}

#[cfg(test)]
mod tests {
    use super::{Patients, clipped, logit, train};

    #[test]
    fn it_learns_and_stays_inside_the_clip() {
        let patients = Patients { encoded: vec![vec![1.0, 0.0], vec![0.0, 1.0]], labels: vec![1, 0] };
        let zero = [0.0; 3];
        let weights = train(&zero, &patients, 200, 1.0);
        assert!(logit(&weights, &patients.encoded[0]) > 1.0 && logit(&weights, &patients.encoded[1]) < -1.0);
        let update = clipped(&zero, &weights, 1_000);
        assert_eq!(update[..2], [1_000, -1_000]);
    }
}
