use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{
    Kernels, Level, OpError, kernel,
    program::{self, Operation},
    work,
};

use super::{Operator, Shapes, Step, length};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, SEQUENCE},
    parameters::Parameters,
    prices::Opcode,
};

/// `y[.., i, j] = sum over l of a[.., i, l] * b[.., l, j]` of two edges with the same axes before the last two, exact.
///
/// Types, and that of the result, are those of `op.matmul`: `i8` or `u8` with `i8`, and `i16` with `i8` or `i16`; `i32` where
/// `l` runs so short that no sum of these types leaves it, else `i64`. As opcode: `op.matmul`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MatMul {}

/// Rows, length of the sums and columns.
fn sides(inputs: &[&Edge]) -> Result<[u32; 3], String> {
    let (a, b) = (inputs[0], inputs[1]);
    match (&a.dims[..], &b.dims[..]) {
        ([outer @ .., m, k], [other @ .., l, n]) if outer == other && k == l => Ok([*m, *k, *n]),
        _ => Err(format!("a product of {:?} and {:?}", a.dims, b.dims)),
    }
}

impl Operator for MatMul {
    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let (a, b) = (inputs[0], inputs[1]);
        match (a.dtype, b.dtype) {
            (DType::I8 | DType::U8 | DType::I16, DType::I8) | (DType::I16, DType::I16) => {}
            (a, b) => return Err(format!("there is no product of {a} and {b}")),
        }
        let [m, k, n] = sides(inputs)?;
        let narrow = kernel::max_k_i32(a.dtype).is_some_and(|max| length(k) <= max);
        let mut dims = a.dims[..a.dims.len() - 2].to_vec();
        dims.extend([m, n]);
        Ok(Edge { dtype: if narrow { DType::I32 } else { DType::I64 }, dims })
    }

    fn bound(&self, edges: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        let [_, k, _] = sides(edges)?;
        let (a, b) = (inputs[0], inputs[1]);
        let ends = [a.lo, a.hi].into_iter().flat_map(|x| [b.lo, b.hi].map(|y| i128::from(x) * i128::from(y)));
        // A sum of fewer products, for a shorter sequence, is nearer to 0.
        let (lo, hi) = ends.fold((0, 0), |(lo, hi): (i128, i128), end| (lo.min(end), hi.max(end)));
        let k = i128::from(k);
        let peak = k * i128::from(a.magnitude()) * i128::from(b.magnitude());
        let peak = u64::try_from(peak).ok().filter(|peak| i64::try_from(*peak).is_ok()).ok_or("a peak past 63 bits")?;
        Ok(EdgeBound { interval: Interval::saturated(k * lo, k * hi, self.infer(edges)?.dtype), peak })
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let Ok([m, k, n]) = sides(inputs) else { return vec![] };
        let (m, k, n) = (u64::from(m), u64::from(k), u64::from(n));
        let batches = inputs[0].row_elements() / m.saturating_mul(k).max(1);
        vec![(Opcode::Matmul, work::matmul([inputs[0].dtype, inputs[1].dtype], batches, m, k, n))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(MatMulStep))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let sides = sides(inputs).ok()?;
        let [m, k, n] = sides.map(length);
        let is_fixed = sides.iter().all(|side| side & SEQUENCE == 0);
        is_fixed.then_some(Operation::MatMul(program::Sides { m, k, n }))
    }
}

struct MatMulStep;

impl Step for MatMulStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let [m, depth, n] = sides(&[shapes.input(0), shapes.input(1)]).map_err(OpError::Node)?.map(length);
        /// Every product of one combination of types.
        macro_rules! products {
            ($matmul:ident, $a:expr, $b:expr, $y:expr) => {{
                let pairs = $a.chunks_exact(m * depth).zip($b.chunks_exact(depth * n));
                for ((a, b), y) in pairs.zip($y.chunks_exact_mut(m * n)) {
                    kernel::$matmul(k, a, b, (m, depth, n), y)?;
                }
                Ok(())
            }};
        }
        match (inputs[0], inputs[1], output) {
            (Source::I8(a), Source::I8(b), Sink::I32(y)) => products!(matmul_i8, a, b, y),
            (Source::I8(a), Source::I8(b), Sink::I64(y)) => products!(matmul_i8_wide, a, b, y),
            (Source::U8(a), Source::I8(b), Sink::I32(y)) => products!(matmul_u8, a, b, y),
            (Source::U8(a), Source::I8(b), Sink::I64(y)) => products!(matmul_u8_wide, a, b, y),
            (Source::I16(a), Source::I8(b), Sink::I64(y)) => products!(matmul_i16, a, b, y),
            (Source::I16(a), Source::I16(b), Sink::I64(y)) => products!(matmul_i16_i16, a, b, y),
            _ => Err(arena::unexpected()),
        }
    }
}
