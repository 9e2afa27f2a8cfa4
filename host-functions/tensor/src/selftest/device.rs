//! The known-answer test of a device: the same cases, each as a program of one operation.

use super::{Difference, Fill, Product, Requantise, SoftmaxRow, compare, fill, known, product_checksum, text};
use crate::{
    DType, Element,
    device::{Device, DeviceError},
    element::with_element,
    kernel::{Binary, Softmax},
    program::{Extent, Operation, Program, Sides, Space, ValueType},
};

/// Runs it: how many cases were run, and the first wrong answer, if there was one.
pub(crate) fn device(device: &dyn Device) -> Result<(usize, Option<Difference>), DeviceError> {
    let mut cases = 0;
    let mut check = |case, result: Result<(), Failure>| match result {
        Ok(()) => {
            cases += 1;
            Ok(None)
        }
        Err(Failure::Device(error)) => Err(error),
        Err(Failure::Answer(detail)) => Ok(Some(Difference { case, detail })),
    };
    for case in known::PRODUCTS {
        if let Some(difference) = check(case.name, product(device, case))? {
            return Ok((cases, Some(difference)));
        }
    }
    for case in known::REQUANTISE {
        if let Some(difference) = check(case.name, requantise(device, case))? {
            return Ok((cases, Some(difference)));
        }
    }
    for case in known::SOFTMAX {
        if let Some(difference) = check(case.name, softmax(device, case))? {
            return Ok((cases, Some(difference)));
        }
    }
    type Case = fn(&dyn Device) -> Result<(), Failure>;
    let others: [(&'static str, Case); 4] = [("add", add), ("relu", relu), ("argmax", argmax), ("copy", copy)];
    for (name, run) in others {
        if let Some(difference) = check(name, run(device))? {
            return Ok((cases, Some(difference)));
        }
    }
    Ok((cases, None))
}

enum Failure {
    Device(DeviceError),
    Answer(String),
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Failure {
        match error {
            // What its own checks found is an answer like any other.
            DeviceError::Wrong(what) => Failure::Answer(what),
            other => Failure::Device(other),
        }
    }
}

impl From<String> for Failure {
    fn from(detail: String) -> Failure {
        Failure::Answer(detail)
    }
}

/// Runs one operation on operands and gives its result.
fn one<T: Element + bytemuck::Pod>(
    device: &dyn Device,
    operation: Operation<'_>,
    operands: &[(DType, &[u8])],
    result: usize,
) -> Result<Vec<T>, DeviceError> {
    let mut program = Program::default();
    let ids: Vec<_> = operands
        .iter()
        .map(|(dtype, bytes)| program.input(ValueType::of_row(*dtype, bytes.len() / dtype.size())))
        .collect();
    let id = program.push(operation, &ids, ValueType::of_row(T::DTYPE, result));
    program.output(id);
    // What was there before must not shine through.
    let mut outputs = [vec![0x5a; result * T::DTYPE.size()]];
    let inputs: Vec<&[u8]> = operands.iter().map(|(_, bytes)| *bytes).collect();
    device.load(&program)?.run(Extent::of_rows(1), &inputs, &mut outputs)?;
    Ok(T::read_le(&outputs[0]))
}

fn bytes<T: Element + bytemuck::Pod>(values: &[T]) -> (DType, &[u8]) {
    (T::DTYPE, bytemuck::cast_slice(values))
}

fn product(device: &dyn Device, case: &Product) -> Result<(), Failure> {
    let (rows, k, n) = (case.rows, case.k, case.n);
    let weights = |from: &Fill| fill(from, k * n, |[byte, _]| byte.cast_signed());
    let operation = match case.w {
        DType::I8 => Operation::Linear { k, n, weights: weights(&case.w_fill).into(), bias: vec![0; n].into() },
        _ => Operation::MatMul(Sides { m: rows, k, n }),
    };
    let w: Vec<i16> = fill(&case.w_fill, k * n, i16::from_be_bytes);
    // The answers are for weights of one output after the other.
    let columns: Vec<i16> = (0..k * n).map(|at| w[at % n * k + at / n]).collect();
    let second = (case.w == DType::I16).then(|| bytes(&columns));
    let answer = |x: (DType, &[u8])| -> Result<(), Failure> {
        let operands: Vec<_> = [x].into_iter().chain(second).collect();
        match case.out {
            DType::I32 => product_checksum(case, &one::<i32>(device, operation.clone(), &operands, rows * n)?)?,
            _ => product_checksum(case, &one::<i64>(device, operation.clone(), &operands, rows * n)?)?,
        }
        Ok(())
    };
    match case.x {
        DType::I8 => answer(bytes(&fill(&case.x_fill, rows * k, |[byte, _]| byte.cast_signed()))),
        DType::U8 => answer(bytes(&fill(&case.x_fill, rows * k, |[byte, _]| byte))),
        _ => answer(bytes(&fill(&case.x_fill, rows * k, i16::from_be_bytes))),
    }
}

fn requantise(device: &dyn Device, case: &Requantise) -> Result<(), Failure> {
    let operation = || Operation::Requantise {
        multipliers: case.multipliers.into(),
        shifts: case.shifts.into(),
        zero_point: case.zero_point,
    };
    let narrow: Result<Vec<i32>, _> = case.x.iter().map(|x| i32::try_from(*x)).collect();
    with_element!(case.out, T => {
        compare(&one::<T>(device, operation(), &[bytes(case.x)], case.x.len())?, case.expected)?;
        if let Ok(narrow) = narrow {
            compare(&one::<T>(device, operation(), &[bytes(&narrow)], case.x.len())?, case.expected)?;
        }
    });
    Ok(())
}

fn softmax(device: &dyn Device, case: &SoftmaxRow) -> Result<(), Failure> {
    let attributes = Softmax::new(case.multiplier, case.shift, case.fraction_bits).map_err(text)?;
    let operation = Operation::Softmax { attributes, row: case.x.len() };
    Ok(compare(&one::<i32>(device, operation, &[bytes(case.x)], case.x.len())?, case.expected)?)
}

fn add(device: &dyn Device) -> Result<(), Failure> {
    let (a, b) = ([127i8, -128, -1, 100], [1i8, -1, 1, 27]);
    compare(&one::<i8>(device, Operation::Binary(Binary::Add), &[bytes(&a), bytes(&b)], 4)?, &[127, -128, 0, 127])?;
    let (a, b) = ([i64::MAX, i64::MIN], [1i64, -1]);
    let space = Space { dims: vec![2, 2], strides: vec![vec![0, 1], vec![1, 0]] };
    let operation = Operation::BinaryBroadcast { op: Binary::Add, space };
    let expected = [i64::MAX, i64::MIN + 1, i64::MAX - 1, i64::MIN];
    compare(&one::<i64>(device, operation, &[bytes(&a), bytes(&b)], 4)?, &expected)?;
    let operation = Operation::AddConst { constants: [i32::MAX, 1].as_slice().into() };
    Ok(compare(&one::<i32>(device, operation, &[bytes(&[1, 2, -3, 4])], 4)?, &[i32::MAX, 3, i32::MAX - 3, 5])?)
}

fn relu(device: &dyn Device) -> Result<(), Failure> {
    let x = [-32_768i16, -1, 1, 32_767];
    compare(&one::<i16>(device, Operation::Relu, &[bytes(&x)], 4)?, &[0, 0, 1, 32_767])?;
    Ok(compare(&one::<u8>(device, Operation::Relu, &[bytes(&[0u8, 255])], 2)?, &[0, 255])?)
}

fn argmax(device: &dyn Device) -> Result<(), Failure> {
    let x = [-5i32, 7, 7, i32::MIN, i32::MIN, i32::MIN, 1, 2, 3];
    Ok(compare(&one::<i32>(device, Operation::Argmax { row: 3 }, &[bytes(&x)], 3)?, &[1, 0, 2])?)
}

fn copy(device: &dyn Device) -> Result<(), Failure> {
    let operation = Operation::CopyStrided { dims: vec![2, 2], strides: vec![3, 1], start: 1 };
    Ok(compare(&one::<i16>(device, operation, &[bytes(&[1i16, 2, 3, 4, 5, 6])], 4)?, &[2, 3, 5, 6])?)
}

#[cfg(test)]
mod tests {
    use super::{device, known};
    use crate::{
        KernelError, Kernels, Level,
        device::{Settings, SimulatedDevice, SimulatedFault},
    };

    #[test]
    fn a_device_without_faults_passes() {
        let cases = known::PRODUCTS.len() + known::REQUANTISE.len() + known::SOFTMAX.len() + 4;
        assert_eq!(device(&SimulatedDevice::new()).unwrap(), (cases, None));
    }

    #[test]
    fn one_wrong_bit_is_refused() {
        for operation in ["linear", "matmul", "requantise", "softmax", "binary", "relu", "argmax", "copy"] {
            for (element, bit) in [(0, 0), (3, 7), (1, 31), (usize::MAX, 4)] {
                let fault = SimulatedFault::WrongBit { operation, from: 0, element, bit };
                let kernels = Kernels::new(Level::Portable, 1).unwrap();
                let refused = kernels.with_device(Box::new(SimulatedDevice::failing(fault)), Settings::default());
                assert!(matches!(refused, Err(KernelError::DeviceSelfTest { .. })), "{operation}");
            }
        }
    }

    #[test]
    fn a_device_that_is_lost_is_an_error_of_its_own() {
        let device = SimulatedDevice::failing(SimulatedFault::Lost { run: 3 });
        let error = Kernels::new(Level::Portable, 1).unwrap().with_device(Box::new(device), Settings::default());
        assert!(error.unwrap_err().to_string().contains("device lost"));
    }
}
