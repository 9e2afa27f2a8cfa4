use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::{DType, Status};
use noema_tensor::{
    Element, Kernels, Level, OpError,
    kernel::{self, Format, MAX_IN_BITS, MAX_OUT_BITS},
    program::Operation,
    work,
};

use super::{InPlace, Operator, Shapes, Step};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

/// A function of one number, correctly rounded: `y = sat(rne(2^out_bits * f(x / 2^in_bits)))` of `x` of `i8` or `i16`.
///
/// A run with an element where the function is not defined answers `BadArgument` (`DivisionByZero` for `recip`). As
/// opcode: that of the function. Each of the first values costs as much as seven elements; where a function is wanted
/// often, its table is cheaper ([`Lookup`](super::Lookup)).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Function {
    /// Its place in [`kernel::Function::ALL`].
    pub function: u8,
    /// Fraction bits of `x`, at most 16.
    pub in_bits: u8,
    /// Fraction bits of the result, at most 30.
    pub out_bits: u8,
    /// Type of the result: not `i64`.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
}

impl Function {
    /// A function with the fraction bits of argument and result and the type of the result.
    #[must_use]
    pub fn new(function: kernel::Function, in_bits: u8, out_bits: u8, dtype: DType) -> Function {
        let code = kernel::Function::ALL.iter().position(|other| *other == function);
        let function = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX);
        Function { function, in_bits, out_bits, dtype }
    }

    fn format(&self) -> Format {
        Format { in_bits: self.in_bits.into(), out_bits: self.out_bits.into() }
    }

    /// The function; nothing for an unknown code.
    #[must_use]
    pub fn function(&self) -> Option<kernel::Function> {
        kernel::Function::ALL.get(usize::from(self.function)).copied()
    }
}

impl Operator for Function {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        if self.function().is_none() {
            return Err(format!("there is no function {}", self.function));
        }
        if !matches!(x.dtype, DType::I8 | DType::I16) || self.dtype == DType::I64 {
            return Err(format!("takes i8 or i16 and does not give i64; not {} and {}", x.dtype, self.dtype));
        }
        if u32::from(self.in_bits) > MAX_IN_BITS || u32::from(self.out_bits) > MAX_OUT_BITS {
            let Function { in_bits, out_bits, .. } = self;
            return Err(format!(
                "{in_bits} and {out_bits} fraction bits, the limits are {MAX_IN_BITS} and {MAX_OUT_BITS}"
            ));
        }
        Ok(Edge { dtype: self.dtype, dims: x.dims.clone() })
    }

    fn bound(&self, _: &[&Edge], _: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(Interval::of(self.dtype).into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let Some(function) = self.function() else { return vec![] };
        vec![(Opcode::Function(function), work::function(inputs[0].dtype, self.dtype, inputs[0].row_elements()))]
    }

    fn in_place(&self) -> Option<InPlace> {
        InPlace::ELEMENTS
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        let function = self.function().ok_or(Status::BadArgument)?;
        Ok(Box::new(FunctionStep { function, format: self.format() }))
    }

    /// Its table, where no element can be one that it refuses.
    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let function = self.function().filter(|function| function.is_defined_everywhere())?;
        let table = kernel::function_table(function, self.format(), inputs[0].dtype, self.dtype);
        Some(Operation::Lookup { table: table.into() })
    }
}

struct FunctionStep {
    function: kernel::Function,
    format: Format,
}

impl Step for FunctionStep {
    fn run(&self, k: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        match inputs[0] {
            Source::I8(x) => self.of(k, x, output),
            Source::I16(x) => self.of(k, x, output),
            _ => Err(arena::unexpected()),
        }
    }
}

impl FunctionStep {
    fn of<X: Element>(&self, k: &Kernels, x: &[X], output: &mut Sink<'_>) -> Result<(), OpError> {
        if !self.function.is_defined_at_all(x) {
            let recip = self.function == kernel::Function::Recip;
            return Err(if recip { Status::DivisionByZero } else { Status::BadArgument }.into());
        }
        match output {
            Sink::I8(y) => kernel::apply_function(k, self.function, self.format, x, y),
            Sink::U8(y) => kernel::apply_function(k, self.function, self.format, x, y),
            Sink::I16(y) => kernel::apply_function(k, self.function, self.format, x, y),
            Sink::I32(y) => kernel::apply_function(k, self.function, self.format, x, y),
            Sink::I64(_) => return Err(arena::unexpected()),
        }
        Ok(())
    }
}
