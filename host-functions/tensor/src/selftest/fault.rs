//! Wrong bits on purpose.

use super::{check, known};
use crate::{DType, Element, KernelError, Kernels, Level};

/// A group of functions that can be struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primitive {
    Linear(DType, DType),
    Requantise,
    Softmax,
    Add,
    Relu,
    Argmax,
    Norm,
    Function,
    Lookup,
    Attention,
    Binary,
    Compare,
    Select,
    MulRequantise,
    Unary,
    RowStep,
    QuantiseRows,
    ReduceSum,
    Reduce,
    CumulativeSum,
    Trees,
    Convolution,
    Pool,
    Sort,
    Top,
    ReduceProd,
    LogSoftmax,
    L2Norm,
    GroupNorm,
    Rotary,
    Freivalds,
}

impl Primitive {
    pub(crate) fn linear<X: Element, A: Element>() -> Primitive {
        Primitive::Linear(X::DTYPE, A::DTYPE)
    }
}

/// One bit of one element of every result of a primitive.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    primitive: Primitive,
    element: usize,
    bit: usize,
}

impl Fault {
    pub(crate) fn strike<T: Element>(&self, primitive: Primitive, out: &mut [T]) {
        if primitive != self.primitive || out.is_empty() {
            return;
        }
        let element = self.element % out.len();
        let mut bytes = T::write_le(&out[element..=element]);
        let bit = self.bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        out[element] = T::read_le(&bytes)[0];
    }
}

#[test]
fn every_level_of_this_machine_passes() {
    for level in Level::available() {
        for threads in [1, 2] {
            let report = super::selftest(level, threads).unwrap();
            assert_eq!(report.difference, None, "{level}");
            // A device has a test of its own, of what it knows.
            if level == Level::Cuda {
                continue;
            }
            assert_eq!(
                report.cases,
                known::PRODUCTS.len()
                    + known::REQUANTISE.len()
                    + known::SOFTMAX.len()
                    + 4
                    + super::rows::CASES
                    + super::images::CASES
                    + super::composed::CASES
            );
        }
    }
}

#[test]
fn one_wrong_bit_is_refused() {
    let linear = |x, out| Primitive::Linear(x, out);
    let primitives = [
        linear(DType::I8, DType::I32),
        linear(DType::I8, DType::I64),
        linear(DType::U8, DType::I32),
        linear(DType::U8, DType::I64),
        linear(DType::I16, DType::I64),
        Primitive::Requantise,
        Primitive::Softmax,
        Primitive::Add,
        Primitive::Relu,
        Primitive::Argmax,
        Primitive::Norm,
        Primitive::Function,
        Primitive::Lookup,
        Primitive::Attention,
        Primitive::Binary,
        Primitive::Compare,
        Primitive::Select,
        Primitive::MulRequantise,
        Primitive::Unary,
        Primitive::RowStep,
        Primitive::QuantiseRows,
        Primitive::ReduceSum,
        Primitive::Reduce,
        Primitive::CumulativeSum,
        Primitive::Trees,
        Primitive::Convolution,
        Primitive::Pool,
        Primitive::Sort,
        Primitive::Top,
        Primitive::ReduceProd,
        Primitive::LogSoftmax,
        Primitive::L2Norm,
        Primitive::GroupNorm,
        Primitive::Rotary,
        Primitive::Freivalds,
    ];
    for level in Level::available().into_iter().filter(|level| *level != Level::Cuda) {
        assert_eq!(check(&Kernels::untested(level, 1).unwrap()).difference, None);
        for primitive in primitives {
            for (element, bit) in [(0, 0), (3, 7), (1, 31), (usize::MAX, 4)] {
                let error = Kernels::faulty(level, 1, Fault { primitive, element, bit }).unwrap_err();
                assert!(matches!(&error, KernelError::SelfTest { .. }), "{level} {primitive:?}: {error}");
                assert!(error.to_string().starts_with(&format!("kernels of level {level} fail")), "{error}");
            }
        }
    }
}
