//! Weights in panels, and the loops around the SIMD kernels that read them.
//!
//! A panel holds 16 output channels. It is a sequence of quads: for four successive inputs, the
//! weights of channel 0, of channel 1 and so on, 64 bytes. Missing inputs and channels are zeros.
//! Every SIMD level reads this one layout.

use std::ops::Range;

use super::ending::Ending;
use super::linear::{Accumulator, Input};

/// Channels of a panel.
pub(super) const CHANNELS: usize = 16;

/// The weights of 16 channels for four inputs: `[channel][input]`. It is a cache line, so that no
/// load straddles two.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(super) struct Quad(pub(super) [[i8; 4]; CHANNELS]);

/// Quads behind the last panel: a kernel that reads whole groups of quads may read as many past the end of a panel, less
/// one, where its left operand is zero.
const MARGIN: usize = 16;

/// Bytes of converted rows that are multiplied together: they stay in the second cache.
const LEFT_BYTES: usize = 256 * 1024;

/// Weights in panels.
#[derive(Debug, Clone)]
pub(super) struct Panels {
    k: usize,
    /// Quads of a panel.
    quads: usize,
    /// Panel after panel, then [`MARGIN`] quads of zeros.
    weights: Vec<Quad>,
    /// The sum of the weights of each channel.
    sums: Vec<i64>,
}

impl Panels {
    /// From row-major `[n][k]`.
    pub(super) fn from_rows(k: usize, n: usize, rows: &[i8]) -> Panels {
        let (quads, panels) = (k.div_ceil(4), n.div_ceil(CHANNELS));
        let mut weights = vec![Quad([[0; 4]; CHANNELS]); quads * panels + MARGIN];
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
        let mut weights = vec![Quad([[0; 4]; CHANNELS]); quads * panels + MARGIN];
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
            _ => weights[..weights.len() - MARGIN].chunks_exact(quads).flat_map(channel_sums).collect(),
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

/// In which portions a kernel takes its operands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portions {
    /// The longest piece of a panel whose products stay inside 32 bits.
    pub(super) exact_quads: usize,
    /// The longest piece that is read at once, where sums may come in pieces.
    pub(super) max_quads: usize,
    /// Rows of the left operand are filled up with zeros to a multiple of this many quads, at most [`MARGIN`]; as many of the
    /// panel are read, whatever stands there.
    pub(super) unit: usize,
    /// The left operand has room for a multiple of this many rows.
    pub(super) rows: usize,
}

/// The loops around a kernel.
///
/// `x` and `out` are as for [`reference::linear`](super::reference::linear), for the channels
/// `columns`, which begin at a panel. `convert` turns four inputs into a quad of each of `S` rows of the left operand, of which the
/// second counts 256 times as much as the first. `multiply` is given up to `G` such rows, row after row, the length of a row, up to
/// `P` panel pieces as long, and how many rows count, and writes their products. Before that `expect` is given each place where the
/// results will go: it may fetch them, so that they are there when the products are. `straight` is asked first where `S` is 1 and whole
/// panels are written: given rows of the left operand, their length, panel pieces, what sums begin with (nothing where they are added to
/// what is there), the rows of the result, the length of one and where in it to write, it may compute the results and say so.
///
/// A result is what `ending` makes of `start(channel)` plus the products of all pieces. Pieces of sums of 64 bits are so short that
/// their products stay inside 32; sums of 32 bits may wrap, since the whole ones, which the caller has bounded, are right modulo `2^32`.
/// Besides its operands and results it holds one block of converted rows: [`LEFT_BYTES`], or `G` rows where those are more.
///
/// It is inlined into a caller that has the target features of the kernel.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "what differs between kernels")]
pub(super) fn drive<X: Input, L, A: Accumulator, E: Ending<A>, const G: usize, const P: usize, const S: usize>(
    (x, w): (&[X], &Panels),
    columns: Range<usize>,
    (ending, out): (&E, &mut [E::Out]),
    portions: Portions,
    start: impl Fn(usize) -> A,
    convert: impl Fn([X; 4]) -> [L; S],
    expect: impl Fn(&[E::Out]),
    straight: impl Fn(&[L], usize, &[&[Quad]], Option<&[[A; CHANNELS]; P]>, &mut [E::Out], (usize, usize)) -> bool,
    mut multiply: impl FnMut(&[L], usize, &[&[Quad]], usize, &mut [[Sums; P]; G]),
) where
    L: Copy + Default,
{
    let (k, n) = (w.k, columns.len());
    let rows = out.len() / n;
    let most = if E::IN_PIECES { portions.max_quads } else { w.quads };
    let most = if A::DTYPE == crate::DType::I64 { most.min(portions.exact_quads) } else { most };
    let pieces = w.quads.div_ceil(most);
    let length = w.quads.div_ceil(pieces).next_multiple_of(portions.unit);
    let group = G / S;
    let block = (LEFT_BYTES / (length * S * size_of::<L>())).max(group);
    let block = (block - block % group).min(rows);
    let mut left = vec![L::default(); (block * S).next_multiple_of(portions.rows) * length];
    let mut sums = [[[0; CHANNELS]; P]; G];
    let panels = columns.start / CHANNELS..columns.end.div_ceil(CHANNELS);
    for first in (0..w.quads).step_by(length) {
        let piece = first..w.quads.min(first + length);
        let length = piece.len().next_multiple_of(portions.unit);
        for (x, out) in x.chunks(block * k).zip(out.chunks_mut(block * n)) {
            let rows = x.len() / k;
            for (x, left) in x.chunks_exact(k).zip(left.chunks_exact_mut(S * length)) {
                fill::<X, L, S>(&x[4 * piece.start..k.min(4 * piece.end)], left, length, &convert);
            }
            for at in panels.clone().step_by(P) {
                let width = P.min(panels.end - at);
                let weights: [&[Quad]; P] = std::array::from_fn(|p| {
                    // Where there are fewer than `P` left, the rest is not used.
                    let panel = (at + p).min(panels.end - 1);
                    &w.weights[panel * w.quads + piece.start..][..length]
                });
                let begin: [[A; CHANNELS]; P] = std::array::from_fn(|p| match first {
                    0 if p < width => std::array::from_fn(|i| {
                        let channel = (at + p) * CHANNELS + i;
                        start(channel).wrapping_plus(ending.begin(channel))
                    }),
                    _ => [A::default(); CHANNELS],
                });
                let from = at * CHANNELS - columns.start;
                let channels = (width * CHANNELS).min(n - from);
                let used = (rows * S).next_multiple_of(portions.rows).min(left.len() / length);
                for (left, out) in left[..used * length].chunks(G * length).zip(out.chunks_mut(group * n)) {
                    for out in out.chunks_exact(n) {
                        expect(&out[from..from + channels]);
                    }
                    let begin_with = (first == 0).then_some(&begin);
                    if S == 1
                        && channels == width * CHANNELS
                        && straight(left, length, &weights[..width], begin_with, out, (n, from))
                    {
                        continue;
                    }
                    let rows = out.len() / n * S;
                    multiply(left, length, &weights[..width], rows, &mut sums);
                    for (out, sums) in out.chunks_exact_mut(n).zip(sums.as_chunks::<S>().0) {
                        let panels = out[from..from + channels].chunks_mut(CHANNELS);
                        for (p, (out, begin)) in panels.zip(&begin).enumerate() {
                            let total = added::<A, S>(*begin, std::array::from_fn(|s| sums[s][p]));
                            ending.put((at + p) * CHANNELS, first == 0, total, out);
                        }
                    }
                }
            }
        }
    }
}

/// Converts a piece of a row to quads, and fills up what is left with zeros.
#[inline(always)]
fn fill<X: Input, L: Copy + Default, const S: usize>(
    x: &[X],
    left: &mut [L],
    length: usize,
    convert: impl Fn([X; 4]) -> [L; S],
) {
    let (whole, rest) = x.as_chunks();
    let mut planes = left.chunks_exact_mut(length);
    let planes: [&mut [L]; S] = std::array::from_fn(|_| planes.next().expect("a row for each plane"));
    for (s, plane) in planes.into_iter().enumerate() {
        for (left, quad) in plane.iter_mut().zip(whole) {
            *left = convert(*quad)[s];
        }
        let mut end = whole.len();
        if !rest.is_empty() {
            plane[end] = convert(last(rest))[s];
            end += 1;
        }
        plane[end..].fill(L::default());
    }
}

/// Fewer than four inputs, and zeros.
#[inline(always)]
fn last<X: Input>(rest: &[X]) -> [X; 4] {
    let mut quad = [X::default(); 4];
    quad[..rest.len()].copy_from_slice(rest);
    quad
}

/// For [`drive`]: a kernel that never writes results itself.
#[inline(always)]
pub(super) fn never<L, B, O>(_: &[L], _: usize, _: &[&[Quad]], _: Option<&B>, _: &mut [O], _: (usize, usize)) -> bool {
    false
}

/// By value, so that the compiler sees that nothing overlaps and uses vectors.
#[inline(always)]
fn added<A: Accumulator, const S: usize>(mut out: [A; CHANNELS], sums: [Sums; S]) -> [A; CHANNELS] {
    for i in 0..CHANNELS {
        out[i].accumulate(sums[0][i]);
    }
    if S > 1 {
        for i in 0..CHANNELS {
            out[i].accumulate_scaled(sums[S - 1][i], 256);
        }
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
