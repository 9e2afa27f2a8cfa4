use std::ops::RangeInclusive;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::{DType, Status};
use noema_tensor::{Kernels, Level, OpError, kernel, program::Operation, work};

use super::{Operator, ParameterSpec, Shapes, Step, length};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

/// `y[.., j] = table[x[..]][j]`: the rows of a table that the elements of `x` (`i32`) name.
///
/// The parameter is the table (`i8` or `i16`, `[rows][columns]`). A run with an element that is not below `rows`, or is
/// below 0, answers `IndexOutOfRange`. As opcode: `op.gather` along axis 0 of the table.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Embedding {
    /// Rows of the table.
    pub rows: u32,
    /// Elements of a row.
    pub columns: u32,
    /// Element type of the table: `i8` or `i16`.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
}

impl Operator for Embedding {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        if x.dtype != DType::I32 || !matches!(self.dtype, DType::I8 | DType::I16) {
            return Err(format!("indices of {}, a table of {}; they are i32, and i8 or i16", x.dtype, self.dtype));
        }
        if self.rows == 0 {
            return Err("a table without rows".into());
        }
        let mut dims = x.dims.clone();
        dims.push(self.columns);
        Ok(Edge { dtype: self.dtype, dims })
    }

    fn parameters(&self, _: &[&Edge]) -> Vec<ParameterSpec> {
        vec![ParameterSpec::new(self.dtype, u64::from(self.rows).saturating_mul(self.columns.into()))]
    }

    fn bound(&self, _: &[&Edge], _: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        let interval = match self.dtype {
            DType::I8 => ends(parameters.i8s(0).iter().map(|value| i64::from(*value))),
            _ => ends(parameters.i16s(0).map(i64::from)),
        };
        Ok(interval.ok_or("the table is empty")?.into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let indices = inputs[0].row_elements();
        let elements = indices.saturating_mul(self.columns.into());
        let dtype = self.infer(inputs).map_or(DType::I64, |y| y.dtype);
        vec![(Opcode::Gather, work::gather(dtype, elements, indices, indices))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        let columns = length(self.columns);
        Ok(match self.dtype {
            DType::I8 => Box::new(EmbeddingStep { table: Table::I8(parameters.i8s(0).to_vec()), columns }),
            _ => Box::new(EmbeddingStep { table: Table::I16(parameters.i16s(0).collect()), columns }),
        })
    }

    fn lower<'p>(&self, _: &[&Edge], parameters: &Parameters<'p>) -> Option<Operation<'p>> {
        Some(Operation::Gather { table: parameters.bytes(0, self.dtype).into(), columns: length(self.columns) })
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn range(&self, _: &[&Edge]) -> Option<(usize, RangeInclusive<i64>)> {
        Some((0, 0..=i64::from(self.rows) - 1))
    }
}

/// The smallest interval that holds all values.
pub(super) fn ends(values: impl Iterator<Item = i64>) -> Option<Interval> {
    values.fold(None, |so_far: Option<Interval>, value| {
        let one = Interval { lo: value, hi: value };
        Some(so_far.map_or(one, |so_far| so_far.hull(one)))
    })
}

enum Table {
    I8(Vec<i8>),
    I16(Vec<i16>),
}

struct EmbeddingStep {
    table: Table,
    columns: usize,
}

impl Step for EmbeddingStep {
    fn run(&self, _: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        let indices = inputs[0].i32s()?;
        match (&self.table, output) {
            (Table::I8(table), Sink::I8(y)) => pick(table, self.columns, indices, y),
            (Table::I16(table), Sink::I16(y)) => pick(table, self.columns, indices, y),
            _ => Err(arena::unexpected()),
        }
    }
}

fn pick<T: Copy>(table: &[T], columns: usize, indices: &[i32], y: &mut [T]) -> Result<(), OpError> {
    let count = table.len() / columns;
    let place = |index: &i32| usize::try_from(*index).ok().filter(|index| *index < count);
    let places: Vec<usize> = indices.iter().map(place).collect::<Option<_>>().ok_or(Status::IndexOutOfRange)?;
    kernel::gather(table, count, columns, &places, y);
    Ok(())
}
