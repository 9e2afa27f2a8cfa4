//! What a device runs: a straight line of operations on numbered values.
//!
//! A graph is one program, and so is a single opcode. Parameters (weights, scales) belong to the
//! operations and are uploaded once; inputs and outputs pass once for each run. Values have a row of
//! a stated number of elements, or that many for each token of a sequence; a run is given how many rows there are and
//! how long their sequences are ([`Extent`]), and every value has that many.
//!
//! ```
//! use noema_tensor::{DType, program::{Extent, Operation, Program, ValueType}};
//!
//! // y = max(x, 0) for rows of three.
//! let mut program = Program::default();
//! let three = ValueType::of_row(DType::I8, 3);
//! let x = program.input(three);
//! let y = program.push(Operation::Relu, &[x], three);
//! program.output(y);
//! assert_eq!(program.instructions().len(), 1);
//! assert_eq!(program.type_of(y).bytes(Extent::of_rows(5)), Some(15));
//! ```

mod operation;

use noema_abi::DType;

pub use operation::{Attention, Filters, Heads, Operation, Positions, Seen, Sides, Space};

/// The number of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueId(usize);

impl ValueId {
    /// Its place in [`Program::values`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// How large a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows of the batch.
    pub rows: usize,
    /// Tokens of the sequence of each; 1 where there are no sequences.
    pub length: usize,
}

impl Extent {
    /// Rows without sequences.
    #[must_use]
    pub const fn of_rows(rows: usize) -> Extent {
        Extent { rows, length: 1 }
    }
}

/// Element type of a value and how many elements it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueType {
    /// Element type.
    pub dtype: DType,
    /// Elements of a row, or of each token of its sequence.
    pub row: usize,
    /// Whether a row has so many elements for each token.
    pub per_token: bool,
}

impl ValueType {
    /// Rows of so many elements.
    #[must_use]
    pub const fn of_row(dtype: DType, row: usize) -> ValueType {
        ValueType { dtype, row, per_token: false }
    }

    /// Elements of a run, or `None` where they cannot be counted.
    #[must_use]
    pub fn elements(self, extent: Extent) -> Option<usize> {
        let tokens = if self.per_token { extent.length } else { 1 };
        self.row.checked_mul(tokens)?.checked_mul(extent.rows)
    }

    /// Bytes of a run, or `None` where they cannot be counted.
    #[must_use]
    pub fn bytes(self, extent: Extent) -> Option<usize> {
        self.elements(extent)?.checked_mul(self.dtype.size())
    }
}

/// A length that a program states, or that of the sequences of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As stated.
    Fixed(usize),
    /// [`Extent::length`].
    Sequence,
}

impl Length {
    /// What it is in a run.
    #[must_use]
    pub fn at(self, extent: Extent) -> usize {
        match self {
            Length::Fixed(length) => length,
            Length::Sequence => extent.length,
        }
    }
}

/// An operation with what it reads and makes.
#[derive(Clone, Debug)]
pub struct Instruction<'a> {
    /// What to do.
    pub operation: Operation<'a>,
    /// What it reads.
    pub operands: Vec<ValueId>,
    /// What it makes.
    pub result: ValueId,
}

/// A program. Values are made once and read after they were made, by construction.
#[derive(Clone, Debug, Default)]
pub struct Program<'a> {
    values: Vec<ValueType>,
    inputs: Vec<ValueId>,
    instructions: Vec<Instruction<'a>>,
    outputs: Vec<ValueId>,
}

impl<'a> Program<'a> {
    /// Adds an input.
    pub fn input(&mut self, value: ValueType) -> ValueId {
        let id = self.value(value);
        self.inputs.push(id);
        id
    }

    /// Adds an operation and gives its result.
    ///
    /// # Panics
    /// Where an operand is not a value of this program.
    pub fn push(&mut self, operation: Operation<'a>, operands: &[ValueId], result: ValueType) -> ValueId {
        assert!(operands.iter().all(|id| id.0 < self.values.len()), "an operand of another program");
        let result = self.value(result);
        self.instructions.push(Instruction { operation, operands: operands.to_vec(), result });
        result
    }

    /// Makes a value an output.
    pub fn output(&mut self, id: ValueId) {
        self.outputs.push(id);
    }

    fn value(&mut self, value: ValueType) -> ValueId {
        self.values.push(value);
        ValueId(self.values.len() - 1)
    }

    /// The same program with every parameter array empty: shapes alone.
    #[must_use]
    pub fn without_parameters(&self) -> Program<'static> {
        let instructions = self.instructions.iter().map(|instruction| Instruction {
            operation: instruction.operation.without_parameters(),
            operands: instruction.operands.clone(),
            result: instruction.result,
        });
        Program {
            values: self.values.clone(),
            inputs: self.inputs.clone(),
            instructions: instructions.collect(),
            outputs: self.outputs.clone(),
        }
    }

    /// The same program with parameters of its own.
    #[must_use]
    pub fn to_static(&self) -> Program<'static> {
        let instructions = self.instructions.iter().map(|instruction| Instruction {
            operation: instruction.operation.to_static(),
            operands: instruction.operands.clone(),
            result: instruction.result,
        });
        Program {
            values: self.values.clone(),
            inputs: self.inputs.clone(),
            instructions: instructions.collect(),
            outputs: self.outputs.clone(),
        }
    }

    /// All values.
    #[must_use]
    pub fn values(&self) -> &[ValueType] {
        &self.values
    }

    /// The type of one.
    #[must_use]
    pub fn type_of(&self, id: ValueId) -> ValueType {
        self.values[id.0]
    }

    /// The inputs, in order.
    #[must_use]
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// The operations, in order.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction<'a>] {
        &self.instructions
    }

    /// The outputs, in order.
    #[must_use]
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// Where every value lies in one piece of memory, in a run of this extent: offsets that are multiples of
    /// `alignment`, and the length of the whole. Values that are needed at the same time do not overlap.
    ///
    /// Returns `None` where the length cannot be counted.
    #[must_use]
    pub fn layout(&self, extent: Extent, alignment: usize) -> Option<(Vec<usize>, usize)> {
        let end = self.instructions.len();
        // An input is there before the first operation; an output is needed after the last.
        let mut last_use: Vec<usize> = vec![0; self.values.len()];
        for (step, instruction) in self.instructions.iter().enumerate() {
            last_use[instruction.result.0] = step;
            instruction.operands.iter().for_each(|id| last_use[id.0] = step);
        }
        self.outputs.iter().for_each(|id| last_use[id.0] = end);
        let made_by = |step: usize| self.instructions.get(step).map(|instruction| instruction.result);
        let inputs = self.inputs.iter().map(|id| (0, *id));
        let results = (0..end).filter_map(|step| made_by(step).map(|id| (step, id)));
        let (mut offsets, mut total) = (vec![0; self.values.len()], 0);
        let mut live: Vec<(usize, usize, usize)> = Vec::new();
        for (step, id) in inputs.chain(results) {
            live.retain(|(_, _, needed_until)| *needed_until >= step);
            let bytes = self.values[id.0].bytes(extent)?.max(1).checked_next_multiple_of(alignment)?;
            let (mut offset, mut at) = (0usize, live.len());
            for (position, (start, length, _)) in live.iter().enumerate() {
                if start - offset >= bytes {
                    at = position;
                    break;
                }
                offset = start + length;
            }
            offsets[id.0] = offset;
            total = total.max(offset.checked_add(bytes)?);
            live.insert(at, (offset, bytes, last_use[id.0]));
        }
        Some((offsets, total))
    }
}

#[cfg(test)]
mod tests {
    use noema_abi::DType;

    use super::{Extent, Operation, Program, ValueType};
    use crate::kernel::Binary;

    #[test]
    fn values_that_are_needed_together_do_not_overlap() {
        let bytes = |row| ValueType::of_row(DType::I8, row);
        let mut program = Program::default();
        let (a, b) = (program.input(bytes(10)), program.input(bytes(10)));
        let c = program.push(Operation::Binary(Binary::Add), &[a, b], bytes(10));
        let d = program.push(Operation::Relu, &[c], bytes(10));
        let e = program.push(Operation::Relu, &[d], bytes(10));
        program.output(e);
        program.output(a);
        let (offsets, total) = program.layout(Extent::of_rows(3), 16).unwrap();
        // `a` stays to the end, `d` takes the place of `b`, `e` that of `c`.
        assert_eq!(offsets, [0, 32, 64, 32, 64]);
        assert_eq!(total, 96);
        assert!(program.layout(Extent::of_rows(usize::MAX), 16).is_none());
        let total = |rows| program.layout(Extent::of_rows(rows), 16).unwrap().1;
        assert_eq!((total(2), total(1)), (96, 48));
    }
}
