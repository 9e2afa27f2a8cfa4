use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{Element, Kernels, Level, OpError, kernel, program::Operation, work};

use super::{Operator, ParameterSpec, Shapes, Step, length};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// `y[s, j] = sat(x[s, j] + constants[s][j])` along the last two axes of `x` (`i8`, `i16` or `i32`): positions.
///
/// The parameter is the constants (of the type of `x`, `[rows][c]`), of which the first are used where `x` has fewer rows.
/// As opcodes: `op.slice` of the constants, then `op.add`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AddRows {
    /// Rows of constants.
    pub rows: u32,
}

impl Operator for AddRows {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        let [.., rows, _] = x.dims[..] else { return Err("its input has no two axes beside the batch".into()) };
        if rows > self.rows {
            return Err(format!("{rows} rows, constants for {}", self.rows));
        }
        if !super::is_signed(x.dtype) {
            return Err(format!("takes i8, i16 or i32, not {}", x.dtype));
        }
        Ok(x.clone())
    }

    fn parameters(&self, inputs: &[&Edge]) -> Vec<ParameterSpec> {
        let elements = u64::from(self.rows).saturating_mul(inputs[0].last().into());
        vec![ParameterSpec::new(inputs[0].dtype, elements)]
    }

    fn bound(&self, edges: &[&Edge], inputs: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        let constants = match edges[0].dtype {
            DType::I8 => super::embedding::ends(parameters.i8s(0).iter().map(|value| i64::from(*value))),
            DType::I16 => super::embedding::ends(parameters.i16s(0).map(i64::from)),
            _ => super::embedding::ends(parameters.i32s(0).map(i64::from)),
        };
        let constants = constants.ok_or("it has no constants")?;
        let (lo, hi) = (i128::from(inputs[0].lo), i128::from(inputs[0].hi));
        let (lo, hi) = (lo + i128::from(constants.lo), hi + i128::from(constants.hi));
        Ok(Interval::saturated(lo, hi, edges[0].dtype).into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let [.., rows, columns] = inputs[0].dims[..] else { return vec![] };
        let (x, sizes) = (inputs[0], [rows, columns]);
        let moved = work::boxed(x.dtype, &sizes, &sizes, &sizes);
        vec![(Opcode::Slice, moved), (Opcode::Add, work::elementwise(x.dtype, &x.dims, &[&x.dims, &sizes]))]
    }

    fn prepare(&self, _: Level, inputs: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(match inputs[0].dtype {
            DType::I8 => AddRowsStep::I8(parameters.i8s(0).to_vec()),
            DType::I16 => AddRowsStep::I16(parameters.i16s(0).collect()),
            _ => AddRowsStep::I32(parameters.i32s(0).collect()),
        }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], parameters: &Parameters<'p>) -> Option<Operation<'p>> {
        let x = inputs[0];
        (x.dims.len() == 2).then(|| Operation::AddRows { constants: parameters.bytes(0, x.dtype).into() })
    }
}

enum AddRowsStep {
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
}

impl Step for AddRowsStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let [.., rows, columns] = shapes.input(0).dims[..] else { return Err(arena::unexpected()) };
        let block = length(rows) * length(columns);
        match (self, inputs[0], output) {
            (AddRowsStep::I8(constants), Source::I8(x), Sink::I8(y)) => add(k, x, &constants[..block], y),
            (AddRowsStep::I16(constants), Source::I16(x), Sink::I16(y)) => add(k, x, &constants[..block], y),
            (AddRowsStep::I32(constants), Source::I32(x), Sink::I32(y)) => add(k, x, &constants[..block], y),
            _ => return Err(arena::unexpected()),
        }
        Ok(())
    }
}

fn add<T: Element>(k: &Kernels, x: &[T], constants: &[T], y: &mut [T]) {
    for (x, y) in x.chunks_exact(constants.len()).zip(y.chunks_exact_mut(constants.len())) {
        kernel::add(k, x, constants, y);
    }
}
