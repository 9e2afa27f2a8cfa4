//! The same numbers for everyone.

use super::Shape;

/// Weights of all sets together, in bytes of ours. A layer of a network finds its weights where the layers before it
/// have left them, not in the cache of the core; so every party goes through as many matrices as make up this much.
const ALL_WEIGHTS: usize = 48 << 20;
/// More sets than this change nothing.
const MAX_SETS: usize = 64;

/// Activations `[m][k]`, and several sets of weights `[n][k]`.
pub(crate) struct Operands {
    pub(crate) shape: Shape,
    pub(crate) x: Vec<i8>,
    pub(crate) weights: Vec<Vec<i8>>,
}

#[allow(dead_code, reason = "peers that are programs of their own share this file and use other methods")]
impl Operands {
    /// The same ones every time.
    pub(crate) fn of(shape: Shape) -> Operands {
        let Shape { m, k, n } = shape;
        let mut numbers = Numbers(0x005e_ed0f_9e44);
        let sets = (ALL_WEIGHTS / (k * n)).clamp(2, MAX_SETS);
        let x = numbers.bytes(m * k);
        Operands { shape, x, weights: (0..sets).map(|_| numbers.bytes(k * n)).collect() }
    }

    /// Activations as floats.
    pub(crate) fn x_f32(&self) -> Vec<f32> {
        self.x.iter().map(|x| f32::from(*x)).collect()
    }

    /// `[n][k]` weights as floats.
    pub(crate) fn weights_f32(weights: &[i8]) -> Vec<f32> {
        weights.iter().map(|w| f32::from(*w)).collect()
    }

    /// `[n][k]` weights as `[k][n]`.
    pub(crate) fn columns(&self, weights: &[i8]) -> Vec<i8> {
        let Shape { k, n, .. } = self.shape;
        (0..k * n).map(|at| weights[at % n * k + at / n]).collect()
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, count: usize) -> Vec<i8> {
        (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes().map(u8::cast_signed)).take(count).collect()
    }
}
