use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{Kernels, Level, OpError, kernel, program::Operation, work};

use super::{InPlace, Operator, Shapes, Step, length};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// Softmax over the last axis of `i8`, `i16` or `i32`, with `c = multiplier / 2^shift`:
/// `E_j = rne(2^30 * exp(c * (x_j - max x)))`, then `y_j = rne(2^fraction_bits * E_j / sum E)` as `i32`.
/// As opcode: `op.softmax`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Softmax {
    /// 0 or in `[2^30, 2^31)`.
    pub multiplier: i32,
    /// At most 62.
    pub shift: u8,
    /// At most 30.
    pub fraction_bits: u8,
}

impl Softmax {
    fn attributes(&self) -> Result<kernel::Softmax, OpError> {
        Ok(kernel::Softmax::new(self.multiplier, self.shift.into(), self.fraction_bits.into())?)
    }
}

impl Operator for Softmax {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        if !matches!(x.dtype, DType::I8 | DType::I16 | DType::I32) {
            return Err(format!("takes i8, i16 or i32, not {}", x.dtype));
        }
        if x.dims.is_empty() || length(x.last()) > kernel::MAX_SOFTMAX_ROW {
            return Err(format!("rows of {} elements, not 1 to {}", x.last(), kernel::MAX_SOFTMAX_ROW));
        }
        if self.attributes().is_err() {
            let Softmax { multiplier, shift, fraction_bits } = self;
            return Err(format!("multiplier {multiplier}, shift {shift}, fraction bits {fraction_bits}"));
        }
        Ok(Edge { dtype: DType::I32, dims: x.dims.clone() })
    }

    fn bound(&self, _: &[&Edge], _: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(Interval { lo: 0, hi: 1 << self.fraction_bits }.into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::Softmax, work::softmax(&inputs[0].dims))]
    }

    fn in_place(&self) -> Option<InPlace> {
        InPlace::ROWS
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(SoftmaxStep { attributes: self.attributes()? }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let attributes = self.attributes().ok()?;
        Some(Operation::Softmax { attributes, row: length(inputs[0].last()) })
    }
}

struct SoftmaxStep {
    attributes: kernel::Softmax,
}

impl Step for SoftmaxStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let (row, y) = (length(shapes.input(0).last()), output.i32s()?);
        match inputs[0] {
            Source::I8(x) => kernel::softmax_rows(k, x, row, self.attributes, y),
            Source::I16(x) => kernel::softmax_rows(k, x, row, self.attributes, y),
            Source::I32(x) => kernel::softmax_rows(k, x, row, self.attributes, y),
            _ => return Err(arena::unexpected()),
        }
        Ok(())
    }
}
