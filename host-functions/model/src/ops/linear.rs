use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{Level, OpError, program::Operation, work};

use super::{Operator, ParameterSpec, Step, length};
use crate::{
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

mod step;

/// `y[.., o] = bias[o] + sum over i of x[.., i] * weight[o, i]`, exact.
///
/// `x` is `i8`, `u8` or `i16`; parameters are the weights (`i8`, `[outputs][inputs]`) and the bias (`i32`,
/// `[outputs]`). The result is an `i32` or an `i64`, and the bound must prove that every partial sum fits it. As opcodes: `op.matmul` with the transposed weights, then `op.add`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Linear {
    /// How many outputs.
    pub outputs: u32,
    /// Type of the result: `i32` or `i64`.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub accumulator: DType,
}

impl Operator for Linear {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        let Some((_, before)) = x.dims.split_last() else {
            return Err("its input has no axis beside the batch".into());
        };
        match (x.dtype, self.accumulator) {
            (DType::I8 | DType::U8 | DType::I16, DType::I32 | DType::I64) => {}
            (dtype, accumulator) => return Err(format!("{dtype} inputs do not sum to {accumulator}")),
        }
        let mut dims = before.to_vec();
        dims.push(self.outputs);
        Ok(Edge { dtype: self.accumulator, dims })
    }

    fn parameters(&self, inputs: &[&Edge]) -> Vec<ParameterSpec> {
        let outputs = u64::from(self.outputs);
        let weights = outputs.saturating_mul(u64::from(inputs[0].last()));
        vec![ParameterSpec::new(DType::I8, weights), ParameterSpec::new(DType::I32, outputs)]
    }

    fn bound(&self, edges: &[&Edge], inputs: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        sums(parameters, length(edges[0].last()), inputs[0], self.accumulator)
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let Ok(y) = self.infer(inputs) else { return vec![] };
        let (x, outputs) = (inputs[0], self.outputs);
        let products = work::linear([x.dtype, DType::I8], work::rows(&x.dims), x.last().into(), outputs.into());
        let sums = work::elementwise(y.dtype, &y.dims, &[&y.dims, &[outputs]]);
        vec![(Opcode::Matmul, products), (Opcode::Add, sums)]
    }

    fn prepare(&self, level: Level, inputs: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(step::LinearStep::new(level, self, inputs[0], parameters)?))
    }

    fn lower<'p>(&self, inputs: &[&Edge], parameters: &Parameters<'p>) -> Option<Operation<'p>> {
        Some(Operation::Linear {
            k: length(inputs[0].last()),
            n: length(self.outputs),
            weights: parameters.i8s(0).into(),
            bias: parameters.i32s(1).collect(),
        })
    }
}

/// The sum of the positive weights and that of the negative ones without their sign.
fn signed_sums(row: &[i8]) -> (i128, i128) {
    // Blocks of 2^20 weights fit 32-bit sums, which the compiler vectorises.
    row.chunks(1 << 20).fold((0, 0), |(positive, negative), block| {
        let sum: i32 = block.iter().map(|weight| i32::from(*weight)).sum();
        let absolute: i32 = block.iter().map(|weight| i32::from(*weight).abs()).sum();
        (positive + i128::from(absolute + sum) / 2, negative + i128::from(absolute - sum) / 2)
    })
}

/// The bound of sums of products with the rows (`row` long) of the weights in array 0, and the biases in array 1.
pub(super) fn sums(
    parameters: &Parameters<'_>,
    row: usize,
    x: Interval,
    accumulator: DType,
) -> Result<EdgeBound, String> {
    let (lo, hi) = (i128::from(x.lo), i128::from(x.hi));
    let magnitude = i128::from(x.magnitude());
    let limit = i128::from(accumulator.max());
    let rows = parameters.i8s(0).chunks_exact(row);
    let mut bound: Option<EdgeBound> = None;
    for (output, (row, bias)) in rows.zip(parameters.i32s(1)).enumerate() {
        let (positive, negative) = signed_sums(row);
        let bias = i128::from(bias);
        let peak = bias.abs() + (positive + negative) * magnitude;
        if peak > limit {
            return Err(format!("output {output} can reach {peak} on the way, {accumulator} holds {limit}"));
        }
        let interval = Interval::saturated(
            bias + positive * lo - negative * hi,
            bias + positive * hi - negative * lo,
            accumulator,
        );
        let peak = u64::try_from(peak).map_err(|_| "peak passes 64 bits".to_string())?;
        bound = Some(bound.map_or(EdgeBound { interval, peak }, |so_far| EdgeBound {
            interval: so_far.interval.hull(interval),
            peak: so_far.peak.max(peak),
        }));
    }
    bound.ok_or_else(|| "it has no outputs".into())
}
