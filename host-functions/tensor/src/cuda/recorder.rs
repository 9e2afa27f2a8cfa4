//! Writing launches: to the stream, or only counting the scratch memory that they need.

use cudarc::driver::sys::CUdeviceptr;
use noema_abi::DType;

use super::{
    Card,
    gemm::{Gemm, Product, ProductUnit},
    launch::{Arg, Strides, Taps, address, long, small},
    linear::{Check, Finish, Linear, Split, padded},
    loaded::ALIGNMENT,
};
use crate::{
    device::{DeviceError, secret},
    kernel::{Binary, Pool, ProductScale, Relation, Unary, Window},
    program::{Extent, Operation, Sides},
};

/// A value of a run on the card.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) at: CUdeviceptr,
    pub(super) dtype: DType,
    pub(super) elements: usize,
}

/// What a window sees of images, channels last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patches {
    pub(super) window: Window,
    pub(super) channels: usize,
    /// Beside the image.
    pub(super) pad: i64,
}

/// Writes launches to the stream, or only counts the scratch memory that they need.
pub(super) struct Recorder<'a> {
    pub(super) card: &'a Card,
    gemm: &'a mut Gemm,
    /// Where checks leave what was wrong; nothing for counting.
    wrong: Option<CUdeviceptr>,
    base: CUdeviceptr,
    room: usize,
    pub(super) used: usize,
    pub(super) high: usize,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        card: &'a Card,
        gemm: &'a mut Gemm,
        wrong: Option<CUdeviceptr>,
        base: CUdeviceptr,
        room: usize,
    ) -> Recorder<'a> {
        Recorder { card, gemm, wrong, base, room, used: 0, high: 0 }
    }

    pub(super) fn unit(&self) -> ProductUnit {
        self.card.options.unit
    }

    pub(super) fn wrong(&self) -> CUdeviceptr {
        self.wrong.unwrap_or(0)
    }

    /// Scratch memory until the next instruction.
    pub(super) fn scratch(&mut self, bytes: usize) -> Result<CUdeviceptr, DeviceError> {
        let at = self.used;
        let end = bytes.checked_next_multiple_of(ALIGNMENT).and_then(|bytes| at.checked_add(bytes));
        self.used = end.filter(|end| *end <= self.room).ok_or_else(|| DeviceError::Memory("scratch".to_owned()))?;
        self.high = self.high.max(self.used);
        Ok(self.base + long(at)?)
    }

    /// As [`Card::over`].
    ///
    /// # Safety
    /// As of [`Card::over`].
    pub(super) unsafe fn over(&mut self, kernel: &str, n: usize, args: &[Arg]) -> Result<(), DeviceError> {
        // SAFETY: as of this function.
        if self.wrong.is_some() { unsafe { self.card.over(kernel, n, args) } } else { Ok(()) }
    }

    /// As [`Card::rows`].
    ///
    /// # Safety
    /// As of [`Card::over`].
    pub(super) unsafe fn rows(&mut self, kernel: &str, rows: (usize, usize), args: &[Arg]) -> Result<(), DeviceError> {
        // SAFETY: as of this function.
        if self.wrong.is_some() { unsafe { self.card.rows(kernel, rows, args) } } else { Ok(()) }
    }

    /// As [`Card::grid`].
    ///
    /// # Safety
    /// As of [`Card::over`].
    pub(super) unsafe fn grid(&mut self, kernel: &str, sides: (usize, usize), args: &[Arg]) -> Result<(), DeviceError> {
        // SAFETY: as of this function.
        if self.wrong.is_some() { unsafe { self.card.grid(kernel, sides, args) } } else { Ok(()) }
    }

    /// As [`Card::launch`].
    ///
    /// # Safety
    /// As of [`Card::over`].
    pub(super) unsafe fn launch(
        &mut self,
        kernel: &str,
        grid: (u32, u32, u32),
        block: (u32, u32, u32),
        args: &[Arg],
    ) -> Result<(), DeviceError> {
        // SAFETY: as of this function.
        if self.wrong.is_some() { unsafe { self.card.launch(kernel, grid, block, args) } } else { Ok(()) }
    }

    /// A product.
    ///
    /// # Safety
    /// As of `Gemm::launch`.
    pub(super) unsafe fn gemm(
        &mut self,
        product: Product,
        x: CUdeviceptr,
        w: CUdeviceptr,
        sums: CUdeviceptr,
    ) -> Result<(), DeviceError> {
        // SAFETY: as of this function.
        if self.wrong.is_some() { unsafe { self.gemm.launch(product, x, w, sums) } } else { Ok(()) }
    }

    /// Zeros, `bytes` of them, a multiple of 8.
    pub(super) fn zero(&mut self, at: CUdeviceptr, bytes: usize) -> Result<(), DeviceError> {
        let count = bytes / 8;
        // SAFETY: `0 * x + 0` of that many numbers of 64 bits that are there.
        unsafe {
            self.over("constants_i64", count, &[at.into(), 0u64.into(), long(count)?.into(), 0i64.into(), 0i64.into()])
        }
    }

    /// A secret vector for checks.
    pub(super) fn random(&mut self, at: CUdeviceptr, count: usize) -> Result<(), DeviceError> {
        // SAFETY: there is room for that many numbers of 64 bits.
        unsafe { self.over("field_random", count, &[at.into(), long(count)?.into(), secret().into()]) }
    }

    /// Signed bytes as the unit wants them, to a place that is kept.
    pub(super) fn widen_to(&mut self, bytes: CUdeviceptr, count: usize, to: CUdeviceptr) -> Result<(), DeviceError> {
        let (base, used) = (self.base, self.used);
        (self.base, self.used) = (to, 0);
        let result = self.widen(bytes, count);
        (self.base, self.used) = (base, used);
        result.map(|_| ())
    }

    /// Where it is asked for, makes the first product byte wrong.
    pub(super) fn inject(&mut self, sums: CUdeviceptr) -> Result<(), DeviceError> {
        match self.card.options.inject_fault {
            // SAFETY: one byte that is there.
            true => unsafe { self.launch("flip", (1, 1, 1), (1, 1, 1), &[sums.into(), 0u64.into(), 1u32.into()]) },
            false => Ok(()),
        }
    }

    /// Operations without parameters on the card.
    pub(super) fn plain(
        &mut self,
        operation: &Operation<'_>,
        extent: Extent,
        operands: &[Value],
        result: Value,
    ) -> Result<(), DeviceError> {
        let missing = || DeviceError::Unsupported("an operand is missing".to_owned());
        let first = operands.first().copied().ok_or_else(missing)?;
        let (x, from) = (first.at, first.dtype);
        let second = operands.get(1).map(|second| (second.at, second.dtype));
        let (y, to, count) = (result.at, result.dtype, result.elements);
        let elements: Arg = long(count)?.into();
        let kind = to.name();
        match operation {
            Operation::MatMul(sides) => {
                let (w, w_type) = second.ok_or_else(missing)?;
                let batches = count / (sides.m * sides.n);
                self.matmul((batches, *sides), (x, from), (w, w_type), (y, to))
            }
            Operation::Binary(op) => {
                let (b, _) = second.ok_or_else(missing)?;
                let args = [x.into(), b.into(), y.into(), elements, binary_code(*op)?.into()];
                // SAFETY: both operands and the result have that many elements.
                unsafe { self.over(&format!("binary_{kind}"), count, &args) }
            }
            Operation::BinaryBroadcast { op, space } => {
                let (second, _) = second.ok_or_else(missing)?;
                let (code, strides) = (binary_code(*op)?, Strides::of(space)?);
                let args = [x.into(), second.into(), y.into(), elements, code.into(), Arg::Strides(strides)];
                // SAFETY: strides stay inside both operands, as planned.
                unsafe { self.over(&format!("binary_strided_{kind}"), count, &args) }
            }
            Operation::Compare { relation, space } => {
                let (second, _) = second.ok_or_else(missing)?;
                let code = match relation {
                    Relation::Equal => 0u32,
                    Relation::Less => 1,
                    Relation::LessOrEqual => 2,
                };
                let args =
                    [x.into(), second.into(), y.into(), elements, code.into(), Arg::Strides(Strides::of(space)?)];
                // SAFETY: strides stay inside both operands, as planned.
                unsafe { self.over(&format!("compare_{}", from.name()), count, &args) }
            }
            Operation::Select(space) => {
                let (a, _) = second.ok_or_else(missing)?;
                let b = operands.get(2).ok_or_else(missing)?.at;
                let args = [x.into(), a.into(), b.into(), y.into(), elements, Arg::Strides(Strides::of(space)?)];
                // SAFETY: strides stay inside the operands, as planned.
                unsafe { self.over(&format!("select_{}", to.size()), count, &args) }
            }
            Operation::MulRequantise { scale, space } => {
                self.mul_requantise(*scale, Strides::of(space)?, (first, operands.get(1).ok_or_else(missing)?), result)
            }
            Operation::MulEach { scale, each } => {
                let strides = Strides::new(&[count / each, *each], &[&[*each, 1], &[1, 0]])?;
                self.mul_requantise(*scale, strides, (first, operands.get(1).ok_or_else(missing)?), result)
            }
            Operation::Unary(op) => {
                let (code, p, q) = match op {
                    Unary::Neg => (0u32, 0, 0),
                    Unary::Abs => (1, 0, 0),
                    Unary::Not => (2, 0, 0),
                    Unary::Clamp(low, high) => (3, *low, *high),
                    Unary::Shift(bits) => (4, i64::from(*bits), 0),
                };
                let args = [x.into(), y.into(), elements, code.into(), p.into(), q.into()];
                // SAFETY: operand and result have that many elements.
                unsafe { self.over(&format!("unary_{kind}"), count, &args) }
            }
            Operation::RowStep { row, largest } => {
                let args = [x.into(), y.into(), elements, small(*row)?.into(), (*largest).into()];
                // SAFETY: the operand has a row for each element of the result.
                unsafe { self.rows(&format!("row_step_{}", from.name()), (count, *row), &args) }
            }
            Operation::QuantiseRows { row } => {
                let (steps, _) = second.ok_or_else(missing)?;
                let rows = count / row;
                let args = [x.into(), steps.into(), y.into(), long(rows)?.into(), small(*row)?.into()];
                let kernel = format!("quantise_rows_{}_{kind}", from.name());
                // SAFETY: whole rows, and a step for each.
                unsafe { self.grid(&kernel, (rows, *row), &args) }
            }
            Operation::Relu => {
                // SAFETY: operand and result have that many elements.
                unsafe { self.over(&format!("relu_{kind}"), count, &[x.into(), y.into(), elements]) }
            }
            Operation::Softmax { attributes, row } => {
                let (multiplier, shift, fraction_bits) = attributes.parts();
                let rows = count / row;
                let args = [
                    x.into(),
                    y.into(),
                    long(rows)?.into(),
                    small(*row)?.into(),
                    multiplier.into(),
                    shift.into(),
                    fraction_bits.into(),
                    address(&self.card.exp_tables, &self.card.stream).into(),
                ];
                // SAFETY: whole rows of operand and result.
                unsafe { self.rows(&format!("softmax_{}", from.name()), (rows, *row), &args) }
            }
            Operation::Argmax { row } => {
                let args = [x.into(), y.into(), elements, small(*row)?.into()];
                // SAFETY: the operand has a row for each element of the result.
                unsafe { self.rows(&format!("argmax_{}", from.name()), (count, *row), &args) }
            }
            Operation::MeanPool { length, columns } => {
                let (tokens, _) = second.ok_or_else(missing)?;
                let rows = long(extent.rows)?;
                let length = small(length.at(extent))?;
                let args = [x.into(), tokens.into(), y.into(), rows.into(), length.into(), small(*columns)?.into()];
                // SAFETY: rows of so many tokens, and a number of them for each row.
                unsafe { self.grid(&format!("mean_pool_{kind}"), (extent.rows, *columns), &args) }
            }
            Operation::Pool { window, channels, pool } => {
                let places = count / channels;
                let mode = match pool {
                    Pool::Max => 0u32,
                    Pool::Average => 1,
                    Pool::AverageSeen => 2,
                };
                let args = [
                    x.into(),
                    y.into(),
                    long(places)?.into(),
                    small(*channels)?.into(),
                    small(window.taps())?.into(),
                    mode.into(),
                    Arg::Window(Taps::of(window)?),
                ];
                // SAFETY: images and results of these sides.
                unsafe { self.grid(&format!("pool_{kind}"), (places, *channels), &args) }
            }
            Operation::L2Norm { epsilon, fraction_bits, row } => {
                let kernel = format!("l2_norm_{}_{kind}", from.name());
                let (rows, row) = (count / row, *row);
                let args = [
                    x.into(),
                    y.into(),
                    long(rows)?.into(),
                    small(row)?.into(),
                    (*epsilon).into(),
                    (*fraction_bits).into(),
                ];
                // SAFETY: whole rows of operand and result.
                unsafe { self.rows(&kernel, (rows, row), &args) }
            }
            Operation::Concat(parts) => {
                let (second, _) = second.ok_or_else(missing)?;
                let total = parts[0] + parts[1];
                let rows = count / total;
                for (from, part, start) in [(x, parts[0], 0), (second, parts[1], parts[0])] {
                    let sides = [small(part)?, small(total)?, small(start)?].map(Arg::from);
                    let args = [&[from.into(), y.into(), long(rows)?.into()], &sides[..]].concat();
                    // SAFETY: both operands have as many parts as the result has rows.
                    unsafe { self.grid(&format!("place_{}", to.size()), (rows, part), &args)? };
                }
                Ok(())
            }
            Operation::CopyStrided { dims, strides, start } => {
                let size = to.size();
                let rows = count / dims.iter().product::<usize>().max(1);
                let strides = match rows {
                    1 => Strides::new(dims, &[strides])?,
                    _ => {
                        let each = first.elements / rows;
                        Strides::new(&[&[rows], &dims[..]].concat(), &[&[&[each], &strides[..]].concat()])?
                    }
                };
                let at = x + long(start * size)?;
                let args = [at.into(), y.into(), elements, Arg::Strides(strides)];
                // SAFETY: strides stay inside the operand, as planned.
                unsafe { self.over(&format!("copy_strided_{size}"), count, &args) }
            }
            other => Err(DeviceError::Unsupported(other.name().to_owned())),
        }
    }

    fn mul_requantise(
        &mut self,
        scale: ProductScale,
        strides: Strides,
        (a, b): (Value, &Value),
        y: Value,
    ) -> Result<(), DeviceError> {
        let args = [
            a.at.into(),
            b.at.into(),
            y.at.into(),
            a.dtype.code().into(),
            b.dtype.code().into(),
            y.dtype.code().into(),
            long(y.elements)?.into(),
            scale.multiplier.into(),
            scale.shift.into(),
            scale.zero_point.into(),
            Arg::Strides(strides),
        ];
        // SAFETY: strides stay inside both operands, as planned.
        unsafe { self.over("mul_requantise", y.elements, &args) }
    }

    /// What a window sees at each of its places, `[places][taps * channels]`, and how many places there are.
    pub(super) fn patches(
        &mut self,
        Patches { window, channels, pad }: &Patches,
        dtype: DType,
        (x, elements): (CUdeviceptr, usize),
    ) -> Result<(CUdeviceptr, usize), DeviceError> {
        let images = elements / (window.input[0] * window.input[1] * channels);
        let (places, row) = (images * window.places(), window.taps() * channels);
        let bytes = places.checked_mul(row).and_then(|elements| elements.checked_mul(dtype.size()));
        let out = self.scratch(bytes.ok_or_else(|| DeviceError::Memory("patches".to_owned()))?)?;
        let args = [
            x.into(),
            out.into(),
            long(places)?.into(),
            small(row)?.into(),
            small(*channels)?.into(),
            (*pad).into(),
            Arg::Window(Taps::of(window)?),
        ];
        // SAFETY: images of these sides, and a row for every place.
        unsafe { self.grid(&format!("patches_{}", dtype.name()), (places, row), &args)? };
        Ok((out, places))
    }

    /// `[outer][a][b][inner]` bytes as `[outer][b][a][inner]`.
    pub(super) fn swap_axes(
        &mut self,
        x: CUdeviceptr,
        (outer, a, b, inner): (usize, usize, usize, usize),
        y: CUdeviceptr,
    ) -> Result<(), DeviceError> {
        let unit = [16, 8, 4, 2, 1].into_iter().find(|unit| inner.is_multiple_of(*unit)).unwrap_or(1);
        let (rows, columns) = (outer * a * b, inner / unit);
        let args = [x.into(), y.into(), long(rows)?.into(), small(a)?.into(), small(b)?.into(), small(columns)?.into()];
        // SAFETY: both have that many bytes, at multiples of the unit.
        unsafe { self.grid(&format!("swap_axes_{unit}"), (rows, columns), &args) }
    }

    fn matmul(
        &mut self,
        (batches, Sides { m, k, n }): (usize, Sides),
        (x, x_type): (CUdeviceptr, DType),
        (w, w_type): (CUdeviceptr, DType),
        (y, y_type): (CUdeviceptr, DType),
    ) -> Result<(), DeviceError> {
        if k == 0 {
            return Err(DeviceError::Unsupported("a product with an empty side".to_owned()));
        }
        let (x_split, w_split) = (Split::of(x_type)?, Split::of(w_type)?);
        let n_pad = padded(n)?;
        let operand = self.split_columns(w_split, w, batches, (k, n))?;
        let rows = batches * n_pad;
        let columns = match x_split.offset() {
            0 => None,
            offset => {
                let out = self.scratch(8 * rows)?;
                let addend = offset.checked_mul(w_split.offset()).and_then(|o| o.checked_mul(i64::try_from(k).ok()?));
                let addend = addend.ok_or_else(|| DeviceError::Unsupported(format!("sums of {k}")))?;
                self.column_constants(&operand, rows, (offset, addend), None, out)?;
                Some(out)
            }
        };
        let check: Option<Check> = match self.card.options.check_products {
            true => {
                let r = self.scratch(8 * n_pad)?;
                self.random(r, n_pad)?;
                let w_r = self.scratch(8 * w_split.planes() * batches * operand.k_pad)?;
                Some(self.check_of(&operand, batches, n_pad, r, w_r)?)
            }
            false => None,
        };
        let finish = Finish::Sums(y_type);
        let linear = Linear { batches, m, k, n, x: x_split, w: operand, columns, check, finish, mark: 1 };
        self.linear(&linear, x, y)
    }
}

/// The number of a function in `kernels.cu`.
fn binary_code(op: Binary) -> Result<u32, DeviceError> {
    let known = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Min, Binary::Max, Binary::And, Binary::Or, Binary::Xor];
    let code = known.iter().position(|known| *known == op);
    code.map(small).unwrap_or_else(|| Err(DeviceError::Unsupported(format!("{op:?}"))))
}
