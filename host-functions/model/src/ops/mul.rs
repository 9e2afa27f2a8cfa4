use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{
    Kernels, Level, OpError,
    kernel::{self, MAX_PRODUCT_SHIFT, Numbers, ProductScale},
    program::Operation,
    work,
};

use super::{Operator, Shapes, Step, broadcast, length, lengths};
use crate::{
    arena::{Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

/// `y = sat(rne(a * b * multiplier / 2^shift) + zero_point)` of two edges, whose rows are broadcast: gates, and what was
/// computed from quantised rows times their steps.
///
/// Not both edges are `i64`. As opcode: `op.mul_requantise`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Mul {
    /// 0 or in `[2^30, 2^31)`.
    pub multiplier: i32,
    /// At most 94.
    pub shift: u8,
    /// Added after rounding.
    pub zero_point: i32,
    /// Type of the result.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
}

impl Operator for Mul {
    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let (a, b) = (inputs[0], inputs[1]);
        if (a.dtype, b.dtype) == (DType::I64, DType::I64) {
            return Err("not both of its inputs may be i64".into());
        }
        let Mul { multiplier, shift, .. } = self;
        if (*multiplier != 0 && *multiplier < 1 << 30) || u32::from(*shift) > MAX_PRODUCT_SHIFT {
            return Err(format!("multiplier {multiplier} and shift {shift}"));
        }
        Ok(Edge { dtype: self.dtype, dims: broadcast::shape(&a.dims, &b.dims)? })
    }

    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        let (a, b) = (inputs[0], inputs[1]);
        let ends = [a.lo, a.hi].into_iter().flat_map(|x| [b.lo, b.hi].map(|y| self.scaled(x, y)));
        let (lo, hi) = ends.fold((i128::MAX, i128::MIN), |(lo, hi), end| (lo.min(end), hi.max(end)));
        Ok(Interval::saturated(lo, hi, self.dtype).into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let (a, b) = (inputs[0], inputs[1]);
        let work = |y: Edge| work::mul_requantise([a.dtype, b.dtype], &y.dims, &[&a.dims, &b.dims]);
        vec![(Opcode::MulRequantise, self.infer(inputs).map_or(0, work))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        let Mul { multiplier, shift, zero_point, .. } = *self;
        Ok(Box::new(MulStep { scale: ProductScale { multiplier, shift: shift.into(), zero_point } }))
    }

    /// Products of two edges of one shape, and of rows with their steps.
    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let each = match (&inputs[0].dims[..], &inputs[1].dims[..]) {
            (a, b) if a == b => 1,
            ([a @ .., row], [b @ .., 1]) if a == b => length(*row),
            _ => return None,
        };
        let Mul { multiplier, shift, zero_point, .. } = *self;
        Some(Operation::MulEach { scale: ProductScale { multiplier, shift: shift.into(), zero_point }, each })
    }
}

impl Mul {
    /// The result of two numbers before it is saturated; at most 126 bits on the way.
    fn scaled(&self, a: i64, b: i64) -> i128 {
        let product = i128::from(a) * i128::from(b) * i128::from(self.multiplier);
        kernel::round_shift_wide(product, u32::from(self.shift)) + i128::from(self.zero_point)
    }
}

struct MulStep {
    scale: ProductScale,
}

impl Step for MulStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let result = &shapes.output().dims;
        let mut dims = vec![shapes.rows];
        dims.extend(lengths(result));
        let strides = |input| broadcast::strides(&shapes.input(input).dims, result);
        let (a_strides, b_strides) = (strides(0), strides(1));
        let a = (numbers(inputs[0]), &a_strides[..]);
        let b = (numbers(inputs[1]), &b_strides[..]);
        match output {
            Sink::I8(y) => kernel::mul_requantise(k, self.scale, &dims, a, b, y),
            Sink::U8(y) => kernel::mul_requantise(k, self.scale, &dims, a, b, y),
            Sink::I16(y) => kernel::mul_requantise(k, self.scale, &dims, a, b, y),
            Sink::I32(y) => kernel::mul_requantise(k, self.scale, &dims, a, b, y),
            Sink::I64(y) => kernel::mul_requantise(k, self.scale, &dims, a, b, y),
        }
        Ok(())
    }
}

fn numbers(source: Source<'_>) -> Numbers<'_> {
    match source {
        Source::I8(x) => Numbers::I8(x),
        Source::U8(x) => Numbers::U8(x),
        Source::I16(x) => Numbers::I16(x),
        Source::I32(x) => Numbers::I32(x),
        Source::I64(x) => Numbers::I64(x),
    }
}
