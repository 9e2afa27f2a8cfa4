//! Attention: `ops/attention.rs` has the formula.
//!
//! Scores of all heads are one batch of products. Their exponentials, of at most `2^30`, become four planes of signed
//! bytes, `e = sum over p of 2^(8 p) (plane_p + 128)`, whose products with the values are summed with the quotient.

use cudarc::driver::sys::CUdeviceptr;
use noema_abi::DType;

use super::{
    gemm::{Product, ProductUnit},
    launch::{address, long, small},
    linear::{Check, Finish, Linear, Operand, Split, padded},
    recorder::Recorder,
};
use crate::{
    device::DeviceError,
    program::{Attention, Extent, Heads, Positions},
};

/// Bytes of an exponential.
const PLANES: usize = 4;

impl Recorder<'_> {
    /// Records the attention of `q`, `k` and `v` into `y`; `seen` and `positions` are on the card.
    pub(super) fn attention(
        &mut self,
        attention: &Attention,
        extent: Extent,
        (q, k, v): (CUdeviceptr, CUdeviceptr, CUdeviceptr),
        (seen, positions): (Option<CUdeviceptr>, Option<CUdeviceptr>),
        y: CUdeviceptr,
    ) -> Result<(), DeviceError> {
        let (heads, key_heads) = attention.heads;
        let (queries, keys) = (attention.lengths.0.at(extent), attention.lengths.1.at(extent));
        let (depth, width) = attention.widths;
        let unsupported = |what: &str| DeviceError::Unsupported(format!("attention with {what}"));
        if keys == 0 || depth == 0 || key_heads == 0 {
            return Err(unsupported("nothing to attend to"));
        }
        let elements = extent.rows * attention.batches;
        let batches = elements * key_heads;
        let group = heads / key_heads;
        let (m, rows) = (group * queries, batches * group * queries);
        let (keys_pad, width_pad) = (padded(keys)?, padded(width)?);
        if keys_pad > self.unit().max_k() {
            return Err(unsupported("more keys than the unit sums"));
        }

        let beside = attention.layout == Heads::SideBySide;
        let q = if beside { self.heads_apart(q, (elements, queries, heads, depth))? } else { q };
        let k = if beside { self.heads_apart(k, (elements, keys, key_heads, depth))? } else { k };
        let v = if beside { self.heads_apart(v, (elements, keys, key_heads, width))? } else { v };
        let positions = match attention.positions {
            Positions::Same => {
                let bytes = (4 * elements).next_multiple_of(8);
                let zeros = self.scratch(bytes)?;
                self.zero(zeros, bytes)?;
                Some(zeros)
            }
            _ => positions,
        };

        // Scores: `[batches][m][keys_pad]`.
        let byte = Split::of(DType::I8)?;
        let k_operand = self.pad_rows(k, batches, (keys, depth))?;
        let scores = self.scratch(4 * rows * keys_pad)?;
        let check = self.attention_check(&k_operand, batches, keys_pad)?;
        let finish = Finish::Padded;
        let product =
            Linear { batches, m, k: depth, n: keys, x: byte, w: k_operand, columns: None, check, finish, mark: 1 };
        self.linear(&product, q, scores)?;

        // Exponentials: `[4][batches][m][keys_pad]`, and their sums.
        let plane = rows * keys_pad;
        let planes = self.scratch(PLANES * plane)?;
        let totals = self.scratch(8 * rows)?;
        let (multiplier, shift, _) = attention.softmax.parts();
        let args = [
            scores.into(),
            small(keys_pad)?.into(),
            planes.into(),
            long(plane)?.into(),
            totals.into(),
            long(rows)?.into(),
            small(queries)?.into(),
            small(keys)?.into(),
            small(keys_pad)?.into(),
            long(heads)?.into(),
            seen.unwrap_or(0).into(),
            positions.unwrap_or(0).into(),
            multiplier.into(),
            shift.into(),
            address(&self.card.exp_tables, &self.card.stream).into(),
        ];
        // SAFETY: scores and planes have whole rows of padded keys, and a length and position for each element of
        // the batch.
        unsafe { self.rows("attention_exponentials", (rows, keys_pad), &args)? };

        // Their products with the values: `[4][batches][m][width_pad]`.
        let values = self.split_columns(byte, v, batches, (keys, width))?;
        let columns = self.scratch(8 * batches * width_pad)?;
        self.column_constants(&values, batches * width_pad, (1, 0), None, columns)?;
        let check = self.attention_check(&values, batches, width_pad)?;
        let sums_plane = rows * width_pad;
        let sums = self.scratch(4 * PLANES * sums_plane)?;
        let product =
            Linear { batches, m, k: keys, n: width, x: byte, w: values, columns: None, check, finish, mark: 1 };
        for p in 0..PLANES {
            let (x, out) = (planes + long(p * plane)?, sums + long(4 * p * sums_plane)?);
            self.planes_by_values(&product, x, out, (keys_pad, width_pad))?;
        }
        let (multiplier, shift) = attention.scale;
        let apart = if beside { self.scratch(rows * width)? } else { y };
        let args = [
            sums.into(),
            long(sums_plane)?.into(),
            columns.into(),
            totals.into(),
            apart.into(),
            long(rows)?.into(),
            small(width)?.into(),
            small(width_pad)?.into(),
            long(m)?.into(),
            multiplier.into(),
            shift.into(),
        ];
        // SAFETY: sums and constants have whole rows of the padded width.
        unsafe { self.grid("attention_quotients", (rows, width), &args)? };
        if beside { self.swap_axes(apart, (elements, heads, queries, width), y) } else { Ok(()) }
    }

    /// Heads that lie side by side, one behind the other.
    fn heads_apart(
        &mut self,
        x: CUdeviceptr,
        (elements, length, heads, width): (usize, usize, usize, usize),
    ) -> Result<CUdeviceptr, DeviceError> {
        let apart = self.scratch(elements * length * heads * width)?;
        self.swap_axes(x, (elements, length, heads, width), apart)?;
        Ok(apart)
    }

    fn attention_check(&mut self, w: &Operand, batches: usize, n_pad: usize) -> Result<Option<Check>, DeviceError> {
        if !self.card.options.check_products {
            return Ok(None);
        }
        let r = self.scratch(8 * n_pad)?;
        self.random(r, n_pad)?;
        let w_r = self.scratch(8 * batches * w.k_pad)?;
        Ok(Some(self.check_of(w, batches, n_pad, r, w_r)?))
    }

    /// One plane, which has padded rows already.
    fn planes_by_values(
        &mut self,
        linear: &Linear,
        x: CUdeviceptr,
        out: CUdeviceptr,
        (keys_pad, width_pad): (usize, usize),
    ) -> Result<(), DeviceError> {
        let rows = linear.batches * linear.m;
        let wide = self.widen(x, rows * keys_pad)?;
        let unit = self.unit();
        let raw = match unit.widened() {
            None => out,
            Some(_) => self.scratch(unit.sum_bytes() * rows * width_pad)?,
        };
        let product = Product { m: linear.m, k: keys_pad, n: width_pad, stride: keys_pad, batches: linear.batches };
        // SAFETY: both operands have rows of padded keys, and there is room for `[batches][m][width_pad]` sums.
        unsafe { self.gemm(product, wide, linear.w.wide, raw)? };
        if unit.widened().is_some() {
            let kernel = if unit == ProductUnit::Bf16 { "narrow_f32" } else { "narrow_f64" };
            let count = rows * width_pad;
            // SAFETY: both have as many sums.
            unsafe { self.over(kernel, count, &[raw.into(), out.into(), long(count)?.into()])? };
        }
        self.inject(out)?;
        if let Some(check) = linear.check {
            let (found, expected) = (self.scratch(8 * rows)?, self.scratch(8 * rows)?);
            let piece = (x, keys_pad, keys_pad, check.w_r, keys_pad);
            self.freivalds(linear, out, width_pad, piece, (check.r, found, expected))?;
        }
        Ok(())
    }
}
