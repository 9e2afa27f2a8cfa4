use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{Kernels, Level, OpError, kernel, program::Operation, work};

use super::{InPlace, Operator, ParameterSpec, Shapes, Step};
use crate::{
    arena::{Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// `y[.., c] = sat(x[.., c] + constant[c])` on `i32`: moves fixed-point features before they are scaled.
///
/// The parameter is the constants (`i32`), one for each index of the last axis. As opcode: `op.add` with a tensor
/// of shape `[c]`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AddConst {}

impl Operator for AddConst {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        if x.dtype != DType::I32 {
            return Err(format!("takes i32, not {}", x.dtype));
        }
        if x.dims.is_empty() {
            return Err("its input has no axis beside the batch".into());
        }
        Ok(x.clone())
    }

    fn parameters(&self, inputs: &[&Edge]) -> Vec<ParameterSpec> {
        vec![ParameterSpec::new(DType::I32, u64::from(inputs[0].last()))]
    }

    fn bound(&self, _edges: &[&Edge], inputs: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        let hull = parameters.i32s(0).fold(None, |hull: Option<(i32, i32)>, constant| {
            Some(hull.map_or((constant, constant), |(lo, hi)| (lo.min(constant), hi.max(constant))))
        });
        let (least, most) = hull.ok_or_else(|| "it has no channels".to_string())?;
        let lo = i128::from(inputs[0].lo) + i128::from(least);
        let hi = i128::from(inputs[0].hi) + i128::from(most);
        Ok(Interval::saturated(lo, hi, DType::I32).into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let x = inputs[0];
        vec![(Opcode::Add, work::elementwise(x.dtype, &x.dims, &[&x.dims, &[x.last()]]))]
    }

    fn in_place(&self) -> Option<InPlace> {
        InPlace::ROWS
    }

    fn prepare(&self, _: Level, _: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(AddConstStep { constants: parameters.i32s(0).collect() }))
    }

    fn lower<'p>(&self, _: &[&Edge], parameters: &Parameters<'p>) -> Option<Operation<'p>> {
        Some(Operation::AddConst { constants: parameters.i32s(0).collect() })
    }
}

struct AddConstStep {
    constants: Vec<i32>,
}

impl Step for AddConstStep {
    fn run(&self, k: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        let (x, y) = (inputs[0].i32s()?, output.i32s()?);
        let channels = self.constants.len();
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
            kernel::add(k, x, &self.constants, y);
        }
        Ok(())
    }
}
