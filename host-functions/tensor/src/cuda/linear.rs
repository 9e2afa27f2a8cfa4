//! Products of operands of 8 and 16 bits out of products of signed 8-bit integers.
//!
//! An operand is `sum over p of factor_p * plane_p + offset`, where planes hold signed bytes: `i8` is
//! one plane; `u8` is one plane, offset 128; `i16` is its high byte, factor 256, and its low byte less 128,
//! offset 128. So
//!
//! `x w = sum over p, q of f_p g_q (X_p W_q) + o_x sum over q of g_q columns(W_q) + o_w sum over p of f_p rows(X_p) + o_x o_w k`.
//!
//! Rows of planes are filled up with zeros to a multiple of 16, the number of outputs likewise.

use cudarc::driver::sys::CUdeviceptr;
use noema_abi::DType;

use super::{
    gemm::{Product, ProductUnit},
    launch::{long, small},
    recorder::Recorder,
};
use crate::device::DeviceError;

/// Lengths of rows and numbers of outputs become multiples of this.
const PAD: usize = 16;

/// How an element type is split into planes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    name: &'static str,
    factors: &'static [i64],
    offset: i64,
}

impl Split {
    pub(super) fn of(dtype: DType) -> Result<Split, DeviceError> {
        match dtype {
            DType::I8 => Ok(Split { name: "i8", factors: &[1], offset: 0 }),
            DType::U8 => Ok(Split { name: "u8", factors: &[1], offset: 128 }),
            DType::I16 => Ok(Split { name: "i16", factors: &[256, 1], offset: 128 }),
            _ => Err(DeviceError::Unsupported(format!("a product of {dtype}"))),
        }
    }

    pub(super) fn planes(self) -> usize {
        self.factors.len()
    }

    pub(super) fn offset(self) -> i64 {
        self.offset
    }
}

/// The padded length.
pub(super) fn padded(length: usize) -> Result<usize, DeviceError> {
    length.checked_next_multiple_of(PAD).ok_or_else(|| DeviceError::Unsupported(format!("a length of {length}")))
}

/// An operand in planes: `rows` rows of `k_pad` bytes for each plane, all batches of a plane together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub(super) split: Split,
    /// The signed bytes.
    pub(super) bytes: CUdeviceptr,
    /// The same as the unit wants them.
    pub(super) wide: CUdeviceptr,
    /// Bytes of a plane.
    pub(super) plane: usize,
    pub(super) k_pad: usize,
}

impl Operand {
    /// Where plane `p` begins, from byte `start` of a row on.
    fn bytes_at(&self, p: usize, start: usize) -> Result<CUdeviceptr, DeviceError> {
        Ok(self.bytes + long(p * self.plane + start)?)
    }

    fn wide_at(&self, p: usize, start: usize, unit: ProductUnit) -> Result<CUdeviceptr, DeviceError> {
        Ok(self.wide + long((p * self.plane + start) * unit.widened().unwrap_or(1))?)
    }
}

/// What Freivalds' check needs of the right operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    /// The secret vector, as long as a padded row of sums.
    pub(super) r: CUdeviceptr,
    /// `W_q r` for each plane and batch: `[q][batches][k_pad]`.
    pub(super) w_r: CUdeviceptr,
}

/// What the sums become.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finish {
    /// The sums themselves.
    Sums(DType),
    /// The sums as the unit leaves them: 32 bits, rows of the padded number of outputs.
    Padded,
    /// Requantised at once.
    Requantise {
        to: DType,
        multipliers: CUdeviceptr,
        shifts: CUdeviceptr,
        per_column: bool,
        zero_point: i32,
        /// For the lookup behind it, an entry for every value of the type.
        table: Option<CUdeviceptr>,
    },
}

/// A product with its constants, ready to be recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linear {
    pub(super) batches: usize,
    /// Rows of `x` of one batch.
    pub(super) m: usize,
    pub(super) k: usize,
    pub(super) n: usize,
    pub(super) x: Split,
    pub(super) w: Operand,
    /// `[batches][n_pad]`, added to every row of sums; absent where all are 0.
    pub(super) columns: Option<CUdeviceptr>,
    pub(super) check: Option<Check>,
    pub(super) finish: Finish,
    /// Which instruction it is, from 1.
    pub(super) mark: u32,
}

impl Recorder<'_> {
    /// Splits `x` into planes; `i8` with rows of a fitting length is used as it is.
    pub(super) fn split_rows(
        &mut self,
        split: Split,
        x: CUdeviceptr,
        rows: usize,
        k: usize,
    ) -> Result<Operand, DeviceError> {
        let k_pad = padded(k)?;
        let plane = rows.checked_mul(k_pad).ok_or_else(|| DeviceError::Memory("planes".to_owned()))?;
        let bytes = if split.name == "i8" && k == k_pad {
            x
        } else {
            let out = self.scratch(split.planes() * plane)?;
            let second = if split.planes() > 1 { long(plane)? } else { 0 };
            let args =
                [x.into(), out.into(), long(rows)?.into(), small(k)?.into(), small(k_pad)?.into(), second.into()];
            // SAFETY: the kernel reads the rows of `x` and writes whole planes.
            unsafe { self.grid(&format!("to_planes_{}", split.name), (plane / k_pad.max(1), k_pad), &args)? };
            out
        };
        let wide = self.widen(bytes, split.planes() * plane)?;
        Ok(Operand { split, bytes, wide, plane, k_pad })
    }

    /// Rows of outputs (`[batches][n][k]` of `i8`) as an operand.
    pub(super) fn pad_rows(
        &mut self,
        w: CUdeviceptr,
        batches: usize,
        (n, k): (usize, usize),
    ) -> Result<Operand, DeviceError> {
        let (n_pad, k_pad) = (padded(n)?, padded(k)?);
        let rows = batches.checked_mul(n_pad);
        let plane = rows.and_then(|rows| rows.checked_mul(k_pad));
        let (Some(rows), Some(plane)) = (rows, plane) else { return Err(DeviceError::Memory("planes".to_owned())) };
        let bytes = if (n, k) == (n_pad, k_pad) {
            w
        } else {
            let out = self.scratch(plane)?;
            let sides = [n, k, n_pad, k_pad].map(small);
            let [n, k, n_pad, k_pad] = sides;
            let args = [w.into(), out.into(), long(rows)?.into(), n?.into(), k?.into(), n_pad?.into(), k_pad?.into()];
            // SAFETY: the kernel reads the rows of `w` and writes the whole plane.
            unsafe { self.grid("pad_rows", (rows, plane / rows.max(1)), &args)? };
            out
        };
        let wide = self.widen(bytes, plane)?;
        Ok(Operand { split: Split::of(DType::I8)?, bytes, wide, plane, k_pad })
    }

    /// Splits `w` (`[batches][k][n]`) into planes of rows of outputs.
    pub(super) fn split_columns(
        &mut self,
        split: Split,
        w: CUdeviceptr,
        batches: usize,
        (k, n): (usize, usize),
    ) -> Result<Operand, DeviceError> {
        let (k_pad, n_pad) = (padded(k)?, padded(n)?);
        let plane = batches.checked_mul(n_pad).and_then(|rows| rows.checked_mul(k_pad));
        let plane = plane.ok_or_else(|| DeviceError::Memory("planes".to_owned()))?;
        let bytes = self.scratch(split.planes() * plane)?;
        let second = if split.planes() > 1 { long(plane)? } else { 0 };
        let grid = (small(n_pad.div_ceil(32))?, small(k_pad.div_ceil(32))?, small(batches)?);
        if grid.1 > 65_535 || grid.2 > 65_535 {
            return Err(DeviceError::Unsupported("a right operand of too many blocks".to_owned()));
        }
        let args = [
            w.into(),
            bytes.into(),
            small(k)?.into(),
            small(n)?.into(),
            small(k_pad)?.into(),
            small(n_pad)?.into(),
            second.into(),
        ];
        // SAFETY: the kernel reads all of `w` and writes whole planes.
        unsafe { self.launch(&format!("transpose_planes_{}", split.name), grid, (32, 8, 1), &args)? };
        let wide = self.widen(bytes, split.planes() * plane)?;
        Ok(Operand { split, bytes, wide, plane, k_pad })
    }

    /// Signed bytes as the unit wants them.
    pub(super) fn widen(&mut self, bytes: CUdeviceptr, count: usize) -> Result<CUdeviceptr, DeviceError> {
        let unit = self.unit();
        let Some(size) = unit.widened() else { return Ok(bytes) };
        let out = self.scratch(count * size)?;
        let kernel = if unit == ProductUnit::Bf16 { "widen_bf16" } else { "widen_f64" };
        // SAFETY: as many operands are read as are written.
        unsafe { self.over(kernel, count, &[bytes.into(), out.into(), long(count)?.into()])? };
        Ok(out)
    }

    /// The constants of the columns: `factor * columns(W) + addend + bias`, for each batch.
    pub(super) fn column_constants(
        &mut self,
        w: &Operand,
        rows: usize,
        (factor, addend): (i64, i64),
        bias: Option<CUdeviceptr>,
        out: CUdeviceptr,
    ) -> Result<(), DeviceError> {
        self.zero(out, 8 * rows)?;
        self.plane_sums(w, rows, 1, out)?;
        let args = [out.into(), bias.unwrap_or(0).into(), long(rows)?.into(), factor.into(), addend.into()];
        // SAFETY: `out` has a number for each row, and `bias`, where it is given, too.
        unsafe { self.over("constants_i64", rows, &args) }
    }

    /// `out[row] += factor * sum over p of f_p * sum of the row of plane p`.
    fn plane_sums(&mut self, of: &Operand, rows: usize, factor: i64, out: CUdeviceptr) -> Result<(), DeviceError> {
        for (p, plane_factor) in of.split.factors.iter().enumerate() {
            let at = of.bytes_at(p, 0)?;
            let k_pad = small(of.k_pad)?;
            let args = [at.into(), out.into(), long(rows)?.into(), k_pad.into(), (factor * plane_factor).into()];
            // SAFETY: the plane has that many rows, and `out` a number for each.
            unsafe { self.over("add_row_sums", rows.saturating_mul(32), &args)? };
        }
        Ok(())
    }

    /// `W_q r` for every plane and batch.
    pub(super) fn check_of(
        &mut self,
        w: &Operand,
        batches: usize,
        n_pad: usize,
        r: CUdeviceptr,
        w_r: CUdeviceptr,
    ) -> Result<Check, DeviceError> {
        for q in 0..w.split.planes() {
            let out = w_r + long(8 * q * batches * w.k_pad)?;
            let (rows, columns) = (small(n_pad)?, small(w.k_pad)?);
            let at = w.bytes_at(q, 0)?;
            let args = [at.into(), r.into(), out.into(), rows.into(), columns.into(), small(batches)?.into()];
            // SAFETY: the plane has `batches` matrices of these sides, `r` has `n_pad` numbers.
            unsafe { self.over("field_columns_i8", batches * w.k_pad, &args)? };
        }
        Ok(Check { r, w_r })
    }

    /// Records the product of `x` (`[batches][m][k]`) with the operand of `linear`, into `y`.
    pub(super) fn linear(&mut self, linear: &Linear, x: CUdeviceptr, y: CUdeviceptr) -> Result<(), DeviceError> {
        let Linear { batches, m, k, n, w, .. } = *linear;
        let (rows, n_pad, unit) = (batches * m, padded(n)?, self.unit());
        let operand = self.split_rows(linear.x, x, rows, k)?;
        let row_constants = match w.split.offset {
            0 => None,
            offset => {
                let out = self.scratch(8 * rows)?;
                self.zero(out, 8 * rows)?;
                self.plane_sums(&operand, rows, offset, out)?;
                Some(out)
            }
        };
        let pieces: Vec<(usize, usize)> = (0..operand.k_pad)
            .step_by(unit.max_k())
            .map(|from| (from, unit.max_k().min(operand.k_pad - from)))
            .collect();
        let single = operand.split.planes() * w.split.planes() * pieces.len() == 1;
        let plain = linear.columns.is_none() && row_constants.is_none() && n == n_pad;
        let direct = match linear.finish {
            Finish::Sums(DType::I32) => single && plain,
            Finish::Padded if single => true,
            Finish::Padded => return Err(DeviceError::Unsupported("sums of several products".to_owned())),
            _ => false,
        };
        let sums = if direct { y } else { self.scratch(4 * rows * n_pad)? };
        let raw = match unit.widened() {
            None => sums,
            Some(_) => self.scratch(unit.sum_bytes() * rows * n_pad)?,
        };
        let checks = match linear.check {
            None => None,
            Some(check) => Some((check, self.scratch(8 * rows)?, self.scratch(8 * rows)?)),
        };
        let mut first = true;
        for (p, x_factor) in operand.split.factors.iter().enumerate() {
            for (q, w_factor) in w.split.factors.iter().enumerate() {
                for (from, length) in &pieces {
                    let product = Product { m, k: *length, n: n_pad, stride: operand.k_pad, batches };
                    let (left, right) = (operand.wide_at(p, *from, unit)?, w.wide_at(q, *from, unit)?);
                    // SAFETY: both operands have rows of `k_pad`, `raw` has room for `[batches][m][n_pad]`.
                    unsafe { self.gemm(product, left, right, raw)? };
                    if unit.widened().is_some() {
                        let kernel = if unit == ProductUnit::Bf16 { "narrow_f32" } else { "narrow_f64" };
                        let count = rows * n_pad;
                        // SAFETY: both have as many sums.
                        unsafe { self.over(kernel, count, &[raw.into(), sums.into(), long(count)?.into()])? };
                    }
                    self.inject(sums)?;
                    if let Some((check, found, expected)) = checks {
                        let plane_r = check.w_r + long(8 * (q * batches * w.k_pad + from))?;
                        let piece = (operand.bytes_at(p, *from)?, *length, operand.k_pad, plane_r, w.k_pad);
                        self.freivalds(linear, sums, n_pad, piece, (check.r, found, expected))?;
                    }
                    if !direct {
                        let factor = x_factor * w_factor;
                        self.finish(linear, (sums, n_pad), y, row_constants, factor, first)?;
                    }
                    first = false;
                }
            }
        }
        Ok(())
    }

    /// Compares `sums r` with `piece (w r)`.
    pub(super) fn freivalds(
        &mut self,
        linear: &Linear,
        sums: CUdeviceptr,
        n_pad: usize,
        (x, length, stride, w_r, w_r_stride): (CUdeviceptr, usize, usize, CUdeviceptr, usize),
        (r, found, expected): (CUdeviceptr, CUdeviceptr, CUdeviceptr),
    ) -> Result<(), DeviceError> {
        let rows = linear.batches * linear.m;
        let (all, each) = (long(rows)?, long(linear.m)?);
        let width = small(n_pad)?;
        let of_sums = [
            sums.into(),
            r.into(),
            found.into(),
            all.into(),
            width.into(),
            long(n_pad)?.into(),
            all.into(),
            0u64.into(),
        ];
        let of_x = [
            x.into(),
            w_r.into(),
            expected.into(),
            all.into(),
            small(length)?.into(),
            long(stride)?.into(),
            each.into(),
            long(w_r_stride)?.into(),
        ];
        let compare = [found.into(), expected.into(), all.into(), linear.mark.into(), self.wrong().into()];
        // SAFETY: rows and vectors have these lengths; results have a number for each row.
        unsafe {
            self.over("field_rows_i32", rows.saturating_mul(32), &of_sums)?;
            self.over("field_rows_i8", rows.saturating_mul(32), &of_x)?;
            self.over("field_compare", rows, &compare)
        }
    }

    /// Joins a plane's sums into the result.
    fn finish(
        &mut self,
        linear: &Linear,
        (sums, n_pad): (CUdeviceptr, usize),
        y: CUdeviceptr,
        row_constants: Option<CUdeviceptr>,
        factor: i64,
        first: bool,
    ) -> Result<(), DeviceError> {
        let rows = linear.batches * linear.m;
        let (n, n_pad) = (small(linear.n)?, small(n_pad)?);
        let columns = linear.columns.unwrap_or(0);
        match linear.finish {
            Finish::Padded => Ok(()),
            Finish::Sums(dtype) => {
                let args = [
                    sums.into(),
                    y.into(),
                    columns.into(),
                    row_constants.unwrap_or(0).into(),
                    long(rows)?.into(),
                    n.into(),
                    n_pad.into(),
                    long(linear.m)?.into(),
                    factor.into(),
                    u32::from(first).into(),
                ];
                // SAFETY: sums have `n_pad` columns, the result `n`, constants one for a column or row.
                unsafe { self.grid(&format!("combine_{}", dtype.name()), (rows, linear.n), &args) }
            }
            Finish::Requantise { to, multipliers, shifts, per_column, zero_point, table } => {
                let args = [
                    sums.into(),
                    y.into(),
                    columns.into(),
                    long(rows)?.into(),
                    n.into(),
                    n_pad.into(),
                    multipliers.into(),
                    shifts.into(),
                    u32::from(per_column).into(),
                    zero_point.into(),
                    table.unwrap_or(0).into(),
                ];
                let sides = (rows, linear.n.div_ceil(4));
                // SAFETY: as above, and there is a scale for every column, or one.
                unsafe { self.grid(&format!("combine_requantise_{}", to.name()), sides, &args) }
            }
        }
    }
}
