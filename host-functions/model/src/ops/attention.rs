use std::ops::RangeInclusive;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{
    Kernels, Level, OpError,
    kernel::{self, Head, MAX_KEYS, round_shift},
    program::{self, Heads, Operation, Positions, Seen},
    work,
};

use super::{Operator, Shapes, Step, device_length, length, requantise::check_scale};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// Scaled dot product attention of several heads, all of `i8`: queries `[m, heads * d]`, keys `[n, key_heads * d]`,
/// values `[n, key_heads * w]`, to `[m, heads * w]`. The heads lie side by side along the last axis.
///
/// Where `masked`, a fourth input (`i32`, one for each row of the batch) says how many keys are seen: the first ones. A run
/// with a length below 0 or above `n` answers `IndexOutOfRange`. As opcodes: `op.reshape` and `op.transpose` of queries,
/// keys and values, `op.attention` with these lengths (and with positions of 0 where `causal`), and back.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Attention {
    /// Heads of the queries: a multiple of `key_heads`.
    pub heads: u32,
    /// Heads of keys and values.
    pub key_heads: u32,
    /// Whether there is an input with the number of keys.
    pub masked: bool,
    /// Whether query `i` sees the keys up to `i` alone.
    pub causal: bool,
    /// Of the scale of the scores: 0 or in `[2^30, 2^31)`.
    pub multiplier: i32,
    /// Of the scale of the scores: at most 62.
    pub shift: u8,
    /// Of the scale from values to results: 0 or in `[2^30, 2^31)`.
    pub out_multiplier: i32,
    /// Of the scale from values to results: at most 62.
    pub out_shift: u8,
}

/// The longest queries and keys.
const MAX_DEPTH: u32 = 131_071;

struct Sides {
    queries: u32,
    keys: u32,
    depth: u32,
    width: u32,
}

impl Attention {
    fn sides(&self, inputs: &[&Edge]) -> Result<Sides, String> {
        let (q, k, v) = (inputs[0], inputs[1], inputs[2]);
        let refused =
            || format!("queries {:?}, keys {:?}, values {:?} of {} heads", q.dims, k.dims, v.dims, self.heads);
        let (&[queries, q_row], &[keys, k_row], &[values, v_row]) = (&q.dims[..], &k.dims[..], &v.dims[..]) else {
            return Err(refused());
        };
        let (heads, key_heads) = (self.heads, self.key_heads);
        if key_heads == 0 || heads == 0 || !heads.is_multiple_of(key_heads) || keys != values {
            return Err(refused());
        }
        if !q_row.is_multiple_of(heads) || !k_row.is_multiple_of(key_heads) || !v_row.is_multiple_of(key_heads) {
            return Err(refused());
        }
        let (depth, width) = (q_row / heads, v_row / key_heads);
        if k_row / key_heads != depth || depth > MAX_DEPTH || length(keys) > MAX_KEYS {
            return Err(refused());
        }
        Ok(Sides { queries, keys, depth, width })
    }
}

impl Operator for Attention {
    fn arity(&self) -> usize {
        if self.masked { 4 } else { 3 }
    }

    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        if inputs[..3].iter().any(|edge| edge.dtype != DType::I8) {
            return Err("queries, keys and values are i8".into());
        }
        if inputs.get(3).is_some_and(|lengths| !super::is_length(lengths)) {
            return Err("the number of keys is one i32 for each row of the batch".into());
        }
        let sides = self.sides(inputs)?;
        check_scale(self.multiplier, self.shift.into())?;
        check_scale(self.out_multiplier, self.out_shift.into())?;
        let row = self.heads.checked_mul(sides.width).ok_or("results too long")?;
        Ok(Edge::new(DType::I8, &[sides.queries, row]))
    }

    /// A result is a mean of values, scaled, or 0.
    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        let end = |value| i128::from(round_shift(value, self.out_multiplier, self.out_shift.into()));
        let values = Interval::saturated(end(inputs[2].lo), end(inputs[2].hi), DType::I8);
        Ok(values.hull(Interval { lo: 0, hi: 0 }).into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let Ok(Sides { queries, keys, depth, width }) = self.sides(inputs) else { return vec![] };
        let heads = self.heads.into();
        let done = work::attention(heads, queries.into(), keys.into(), depth.into(), width.into());
        // Heads are put side by side for it, and back.
        let result = work::bytes(DType::I8, u64::from(queries).saturating_mul(heads).saturating_mul(width.into()));
        let rows = u64::from(queries).saturating_mul(2).saturating_add(u64::from(keys).saturating_mul(2));
        let moved = inputs[..3].iter().fold(result, |sum, x| sum.saturating_add(x.row_bytes()));
        let moved = moved.saturating_add(rows.saturating_mul(heads).saturating_mul(32));
        vec![(Opcode::Attention, done), (Opcode::Transpose, moved)]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        let softmax = kernel::Softmax::new(self.multiplier, self.shift.into(), 0)?;
        Ok(Box::new(AttentionStep { attention: self.clone(), softmax }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let longest: Vec<Edge> = inputs.iter().map(|edge| edge.longest()).collect();
        let Sides { depth, width, .. } = self.sides(&longest.iter().collect::<Vec<_>>()).ok()?;
        Some(Operation::Attention(program::Attention {
            batches: 1,
            heads: (length(self.heads), length(self.key_heads)),
            lengths: (device_length(inputs[0].dims[0]), device_length(inputs[1].dims[0])),
            widths: (length(depth), length(width)),
            layout: Heads::SideBySide,
            seen: if self.masked { Seen::Operand } else { Seen::All },
            positions: if self.causal { Positions::Same } else { Positions::Nowhere },
            softmax: kernel::Softmax::new(self.multiplier, self.shift.into(), 0).ok()?,
            scale: (self.out_multiplier, self.out_shift.into()),
        }))
    }

    fn range(&self, inputs: &[&Edge]) -> Option<(usize, RangeInclusive<i64>)> {
        self.masked.then(|| (3, 0..=inputs[1].dims[0].into()))
    }
}

struct AttentionStep {
    attention: Attention,
    softmax: kernel::Softmax,
}

impl Step for AttentionStep {
    fn run(
        &self,
        kernels: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let Attention { heads, key_heads, masked, causal, out_multiplier, out_shift, .. } = self.attention;
        let sides =
            self.attention.sides(&[shapes.input(0), shapes.input(1), shapes.input(2)]).map_err(OpError::Node)?;
        let [queries, keys, depth, width] = [sides.queries, sides.keys, sides.depth, sides.width].map(length);
        let (key_heads, group) = (length(key_heads), length(heads / key_heads));
        let lengths = if masked { Some(super::sequence_lengths(inputs[3], 0, keys)?) } else { None };
        let (Source::I8(q), Source::I8(k), Source::I8(v), Sink::I8(y)) = (inputs[0], inputs[1], inputs[2], output)
        else {
            return Err(arena::unexpected());
        };
        let (mut qs, mut ks, mut vs) = (vec![0; group * queries * depth], vec![0; keys * depth], vec![0; keys * width]);
        let mut ys = vec![0; group * queries * width];
        for row in 0..shapes.rows {
            let q = &q[row * queries * key_heads * group * depth..][..queries * key_heads * group * depth];
            let k = &k[row * keys * key_heads * depth..][..keys * key_heads * depth];
            let v = &v[row * keys * key_heads * width..][..keys * key_heads * width];
            let y = &mut y[row * queries * key_heads * group * width..][..queries * key_heads * group * width];
            for head in 0..key_heads {
                for (at, qs) in qs.chunks_exact_mut(queries * depth).enumerate() {
                    take(q, key_heads * group, head * group + at, depth, qs);
                }
                take(k, key_heads, head, depth, &mut ks);
                take(v, key_heads, head, width, &mut vs);
                let head_of = Head {
                    q: &qs,
                    k: &ks,
                    v: &vs,
                    queries,
                    keys,
                    depth,
                    width,
                    length: lengths.as_ref().map_or(keys, |lengths| lengths[row]),
                    position: causal.then_some(0),
                };
                let scale = (out_multiplier, out_shift.into());
                kernel::attention_head(kernels, &head_of, self.softmax, scale, &mut ys)?;
                for (at, ys) in ys.chunks_exact(queries * width).enumerate() {
                    let column = (head * group + at) * width;
                    for (y, from) in y.chunks_exact_mut(key_heads * group * width).zip(ys.chunks_exact(width)) {
                        copy(from, &mut y[column..column + width]);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The part of one head of every row.
fn take(x: &[i8], heads: usize, head: usize, width: usize, to: &mut [i8]) {
    for (x, to) in x.chunks_exact(heads * width).zip(to.chunks_exact_mut(width)) {
        copy(&x[head * width..][..width], to);
    }
}

/// Copies a few bytes; 32 of them, as many heads have, without asking how many.
fn copy(from: &[i8], to: &mut [i8]) {
    match (from.as_array::<32>(), to.as_mut_array::<32>()) {
        (Some(from), Some(to)) => *to = *from,
        _ => to.copy_from_slice(from),
    }
}
