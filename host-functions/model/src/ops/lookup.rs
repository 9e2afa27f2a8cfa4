use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{Element, Kernels, Level, OpError, kernel, program::Operation};

use super::{InPlace, Operator, ParameterSpec, Shapes, Step};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

/// `y = table[x - least value of the type of x]` of `x` of `i8`, `u8` or `i16`: any function of one number.
///
/// The parameter is the table (of 256 or 65,536 elements of `dtype`). As opcode: `op.lookup`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Lookup {
    /// Element type of the table: `i8`, `i16` or `i32`.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
}

fn values(x: DType) -> u64 {
    1 << (8 * x.size())
}

impl Operator for Lookup {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        if x.dtype.size() > 2 || !super::is_signed(self.dtype) {
            return Err(format!("takes i8, u8 or i16 and gives i8, i16 or i32; not {} and {}", x.dtype, self.dtype));
        }
        Ok(Edge { dtype: self.dtype, dims: x.dims.clone() })
    }

    fn parameters(&self, inputs: &[&Edge]) -> Vec<ParameterSpec> {
        vec![ParameterSpec::new(self.dtype, values(inputs[0].dtype))]
    }

    fn bound(&self, edges: &[&Edge], inputs: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        let place = |x: i64| usize::try_from(x - edges[0].dtype.min()).map_err(|error| error.to_string());
        let (first, count) = (place(inputs[0].lo)?, place(inputs[0].hi)? + 1);
        let interval = match self.dtype {
            DType::I8 => ends(parameters.i8s(0).iter().copied(), first, count),
            DType::I16 => ends(parameters.i16s(0), first, count),
            _ => ends(parameters.i32s(0), first, count),
        };
        Ok(interval.ok_or("an empty table")?.into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::Lookup, inputs[0].row_elements())]
    }

    fn in_place(&self) -> Option<InPlace> {
        InPlace::ELEMENTS
    }

    fn prepare(&self, _: Level, _: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(match self.dtype {
            DType::I8 => LookupStep::I8(parameters.i8s(0).to_vec()),
            DType::I16 => LookupStep::I16(parameters.i16s(0).collect()),
            _ => LookupStep::I32(parameters.i32s(0).collect()),
        }))
    }

    fn lower<'p>(&self, _: &[&Edge], parameters: &Parameters<'p>) -> Option<Operation<'p>> {
        Some(Operation::Lookup { table: parameters.bytes(0, self.dtype).into() })
    }
}

/// The values that the entries before `end` take, from `first` on.
fn ends<T: Into<i64>>(table: impl Iterator<Item = T>, first: usize, end: usize) -> Option<Interval> {
    super::embedding::ends(table.take(end).skip(first).map(Into::into))
}

enum LookupStep {
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
}

impl Step for LookupStep {
    fn run(&self, k: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        match (self, output) {
            (LookupStep::I8(table), Sink::I8(y)) => of(k, inputs[0], table, y),
            (LookupStep::I16(table), Sink::I16(y)) => of(k, inputs[0], table, y),
            (LookupStep::I32(table), Sink::I32(y)) => of(k, inputs[0], table, y),
            _ => Err(arena::unexpected()),
        }
    }
}

fn of<Y: Element>(k: &Kernels, x: Source<'_>, table: &[Y], y: &mut [Y]) -> Result<(), OpError> {
    match x {
        Source::I8(x) => kernel::lookup(k, x, table, y),
        Source::U8(x) => kernel::lookup(k, x, table, y),
        Source::I16(x) => kernel::lookup(k, x, table, y),
        _ => return Err(arena::unexpected()),
    }
    Ok(())
}
