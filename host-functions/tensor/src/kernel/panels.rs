//! Weights in panels, and the loops around the SIMD kernels that read them.
//!
//! A panel holds 16 output channels. It is a sequence of quads: for four successive inputs, the
//! weights of channel 0, of channel 1 and so on, 64 bytes. Missing inputs and channels are zeros.
//! Every SIMD level reads this one layout.

use std::ops::Range;

use super::linear::{Accumulator, Input};

/// Channels of a panel.
pub(super) const CHANNELS: usize = 16;

/// The weights of 16 channels for four inputs: `[channel][input]`. It is a cache line, so that no
/// load straddles two.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(super) struct Quad(pub(super) [[i8; 4]; CHANNELS]);

/// Bytes of converted rows that are multiplied together: they stay in the second cache.
const LEFT_BYTES: usize = 256 * 1024;

/// Weights in panels.
#[derive(Debug, Clone)]
pub(super) struct Panels {
    k: usize,
    /// Quads of a panel.
    quads: usize,
    /// Panel after panel.
    weights: Vec<Quad>,
    /// The sum of the weights of each channel.
    sums: Vec<i64>,
}

impl Panels {
    /// From row-major `[n][k]`.
    pub(super) fn from_rows(k: usize, n: usize, rows: &[i8]) -> Panels {
        let (quads, panels) = (k.div_ceil(4), n.div_ceil(CHANNELS));
        let mut weights = vec![Quad([[0; 4]; CHANNELS]); quads * panels];
        if k > 0 {
            for (channel, row) in rows.chunks_exact(k).enumerate() {
                let panel = &mut weights[channel / CHANNELS * quads..][..quads];
                let (whole, rest) = row.as_chunks::<4>();
                for (quad, inputs) in panel.iter_mut().zip(whole) {
                    quad.0[channel % CHANNELS] = *inputs;
                }
                if !rest.is_empty() {
                    panel[quads - 1].0[channel % CHANNELS][..rest.len()].copy_from_slice(rest);
                }
            }
        }
        Panels::with_sums(k, quads, weights)
    }

    /// From row-major `[k][n]`.
    pub(super) fn from_columns(k: usize, n: usize, columns: &[i8]) -> Panels {
        let (quads, panels) = (k.div_ceil(4), n.div_ceil(CHANNELS));
        let mut weights = vec![Quad([[0; 4]; CHANNELS]); quads * panels];
        for (q, inputs) in columns.chunks(4 * n.max(1)).enumerate() {
            for panel in 0..panels {
                let quad = &mut weights[panel * quads + q].0;
                for (i, input) in inputs.chunks_exact(n).enumerate() {
                    let channels = &input[panel * CHANNELS..n.min((panel + 1) * CHANNELS)];
                    for (to, from) in quad.iter_mut().zip(channels) {
                        to[i] = *from;
                    }
                }
            }
        }
        Panels::with_sums(k, quads, weights)
    }

    fn with_sums(k: usize, quads: usize, weights: Vec<Quad>) -> Panels {
        let sums = match quads {
            0 => Vec::new(),
            _ => weights.chunks_exact(quads).flat_map(channel_sums).collect(),
        };
        Panels { k, quads, weights, sums }
    }

    /// The sum of the weights of each channel, missing channels included.
    pub(super) fn sums(&self) -> &[i64] {
        &self.sums
    }
}

fn channel_sums(panel: &[Quad]) -> [i64; CHANNELS] {
    let mut sums = [0i64; CHANNELS];
    // 4 * 2^16 weights of 8 bits stay inside 32 bits.
    for block in panel.chunks(1 << 16) {
        let mut block_sums = [0i32; CHANNELS];
        for quad in block {
            for (sum, inputs) in block_sums.iter_mut().zip(&quad.0) {
                for input in inputs {
                    *sum = sum.wrapping_add(i32::from(*input));
                }
            }
        }
        for (sum, block_sum) in sums.iter_mut().zip(block_sums) {
            *sum += i64::from(block_sum);
        }
    }
    sums
}

/// The products of some rows with the channels of a panel.
pub(super) type Sums = [i32; CHANNELS];

/// The loops around a kernel.
///
/// `x` and `out` are as for [`reference::linear`](super::reference::linear), for the channels
/// `columns`, which begin at a panel. `convert` turns four inputs into a quad of the left operand.
/// `multiply` is given up to `G` rows of such quads, row after row, the length of a row, and up to `P`
/// panel pieces as long, and writes the products. Before that `expect` is given each place where the
/// results will go: it may fetch them, so that they are there when the products are.
///
/// A result is `start(channel)` plus the products of all pieces. A piece is at most `max_quads` long,
/// which must keep its products inside 32 bits. Besides its operands and results it holds one block of
/// converted rows: [`LEFT_BYTES`], or `G` rows where those are more.
///
/// It is inlined into a caller that has the target features of the kernel.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "what differs between kernels")]
pub(super) fn drive<X: Input, L: Copy + Default, A: Accumulator, const G: usize, const P: usize>(
    (x, w): (&[X], &Panels),
    columns: Range<usize>,
    out: &mut [A],
    max_quads: usize,
    start: impl Fn(usize) -> A,
    convert: impl Fn([X; 4]) -> L,
    expect: impl Fn(&[A]),
    mut multiply: impl FnMut(&[L], usize, &[&[Quad]], &mut [[Sums; P]]),
) {
    let (k, n) = (w.k, columns.len());
    let rows = out.len() / n;
    let pieces = w.quads.div_ceil(max_quads);
    let length = w.quads.div_ceil(pieces);
    let block = (LEFT_BYTES / (length * size_of::<L>())).max(G).min(rows);
    let mut left = vec![L::default(); block * length];
    let mut sums = [[[0; CHANNELS]; P]; G];
    let panels = columns.start / CHANNELS..columns.end.div_ceil(CHANNELS);
    for first in (0..w.quads).step_by(length) {
        let piece = first..w.quads.min(first + length);
        let length = piece.len();
        for (x, out) in x.chunks(block * k).zip(out.chunks_mut(block * n)) {
            let rows = x.len() / k;
            for (x, left) in x.chunks_exact(k).zip(left.chunks_exact_mut(length)) {
                fill(&x[4 * piece.start..k.min(4 * piece.end)], left, &convert);
            }
            for group in panels.clone().step_by(P) {
                let width = P.min(panels.end - group);
                let weights: [&[Quad]; P] = std::array::from_fn(|p| {
                    // Where there are fewer than `P` left, the rest is not used.
                    let panel = (group + p).min(panels.end - 1);
                    &w.weights[panel * w.quads..][piece.clone()]
                });
                let begin: [[A; CHANNELS]; P] = std::array::from_fn(|p| match first {
                    0 if p < width => std::array::from_fn(|i| start((group + p) * CHANNELS + i)),
                    _ => [A::default(); CHANNELS],
                });
                let from = group * CHANNELS - columns.start;
                let channels = (width * CHANNELS).min(n - from);
                for (left, out) in left[..rows * length].chunks(G * length).zip(out.chunks_mut(G * n)) {
                    for out in out.chunks_exact(n) {
                        expect(&out[from..from + channels]);
                    }
                    let rows = out.len() / n;
                    multiply(left, length, &weights[..width], &mut sums[..rows]);
                    for (out, sums) in out.chunks_exact_mut(n).zip(&sums) {
                        let panels = out[from..from + channels].chunks_mut(CHANNELS);
                        for ((out, sums), begin) in panels.zip(sums).zip(&begin) {
                            accumulate(out, (first == 0).then_some(begin), sums);
                        }
                    }
                }
            }
        }
    }
}

/// Converts a piece of a row to quads.
#[inline(always)]
fn fill<X: Input, L>(x: &[X], left: &mut [L], convert: impl Fn([X; 4]) -> L) {
    let (whole, rest) = x.as_chunks();
    for (left, quad) in left.iter_mut().zip(whole) {
        *left = convert(*quad);
    }
    if !rest.is_empty() {
        let mut quad = [X::default(); 4];
        quad[..rest.len()].copy_from_slice(rest);
        left[whole.len()] = convert(quad);
    }
}

/// Adds the sums of one row to `begin` or, where it is absent, to what is there.
#[inline(always)]
fn accumulate<A: Accumulator>(out: &mut [A], begin: Option<&[A; CHANNELS]>, sums: &Sums) {
    match out.as_mut_array::<CHANNELS>() {
        Some(out) => *out = added(*begin.unwrap_or(out), *sums),
        None => {
            let mut whole = begin.copied().unwrap_or([A::default(); CHANNELS]);
            if begin.is_none() {
                whole[..out.len()].copy_from_slice(out);
            }
            out.copy_from_slice(&added(whole, *sums)[..out.len()]);
        }
    }
}

/// By value, so that the compiler sees that nothing overlaps and uses vectors.
#[inline(always)]
fn added<A: Accumulator>(mut out: [A; CHANNELS], sums: Sums) -> [A; CHANNELS] {
    for i in 0..CHANNELS {
        out[i].accumulate(sums[i]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Panels;

    #[test]
    fn both_orders_give_the_same_panels() {
        for (k, n) in [(0, 3), (3, 0), (1, 1), (4, 16), (5, 17), (30, 64), (67, 33)] {
            let at =
                |channel: usize, input: usize| (u8::try_from((channel * 31 + input * 7) % 256).unwrap()).cast_signed();
            let rows: Vec<i8> = (0..n).flat_map(|c| (0..k).map(move |i| at(c, i))).collect();
            let columns: Vec<i8> = (0..k).flat_map(|i| (0..n).map(move |c| at(c, i))).collect();
            let (a, b) = (Panels::from_rows(k, n, &rows), Panels::from_columns(k, n, &columns));
            assert_eq!((&a.weights, &a.sums), (&b.weights, &b.sums), "{k} {n}");
            for (channel, row) in rows.chunks_exact(k.max(1)).enumerate() {
                assert_eq!(a.sums[channel], row.iter().map(|w| i64::from(*w)).sum::<i64>());
            }
        }
    }
}
