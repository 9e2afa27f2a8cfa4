//! Tensors, opcodes and models.

use noema_sdk::prelude::*;

/// What differs from what the documentation of an opcode says.
pub(crate) const WRONG: u32 = 50;

/// `softmax(relu(row * weights + bias))` and its largest index: every opcode but the shape ones.
pub(crate) fn perceptron(row: &[i8], weights: &[i8], bias: &[i32]) -> Result<(Vec<i32>, i32)> {
    let (inputs, classes) = (length(row.len())?, length(bias.len())?);
    let row = Tensor::from_slice(&[1, inputs], row)?;
    let weights = Tensor::from_slice(&[inputs, classes], weights)?;
    let bias = Tensor::from_slice(&[classes], bias)?;
    let sum = op::add(&op::matmul(&row, &weights)?, &bias)?;
    let active = op::relu(&sum)?;
    // One half of every sum, to the nearest even: 2^30 / 2^31.
    let half = op::requantise(
        &active,
        &Tensor::from_slice(&[], &[1i32 << 30])?,
        &Tensor::from_slice(&[], &[31u8])?,
        0,
        DType::I8.code(),
    )?;
    let probabilities = op::softmax(&half, 1 << 30, 34, 16)?;
    let best = op::argmax(&half)?.read::<i32>()?;
    ensure!(best.len() == 1, WRONG, "argmax of one row");
    Ok((probabilities.read()?, best[0]))
}

/// Everything that a handle can do, checked here.
pub(crate) fn tensors() -> Result<()> {
    let x = Tensor::from_slice(&[2, 3], &[1i16, -2, 3, 4, 5, i16::MIN])?;
    ensure!(x.dtype()? == DType::I16, WRONG, "dtype");
    ensure!(x.shape()? == [2, 3], WRONG, "shape {:?}", x.shape()?);
    ensure!(x.read::<i16>()? == [1, -2, 3, 4, 5, i16::MIN], WRONG, "elements");
    ensure!(x.read::<i32>() == Err(Status::TypeMismatch), WRONG, "elements as another type");
    let turned = x.reshape(&[3, 2])?;
    ensure!(turned.shape()? == [3, 2] && turned.read::<i16>()? == x.read::<i16>()?, WRONG, "reshape");
    ensure!(x.reshape(&[7]).err() == Some(Status::ShapeMismatch), WRONG, "reshape to another size");
    let corner = x.slice(&[0, 1], &[2, 2])?;
    ensure!(corner.read::<i16>()? == [-2, 3, 5, i16::MIN], WRONG, "slice");
    ensure!(x.slice(&[0, 2], &[2, 2]).err() == Some(Status::IndexOutOfRange), WRONG, "slice past the end");
    let short = Tensor::from_slice(&[3], &[1u8, 2]);
    ensure!(short.err() == Some(Status::ShapeMismatch), WRONG, "too few elements");
    let wide = Tensor::from_slice(&[1, 1], &[i64::MIN])?;
    ensure!(wide.read::<i64>()? == [i64::MIN], WRONG, "wide elements");
    let number = Tensor::from_slice(&[], &[-7i8])?;
    ensure!(number.shape()?.is_empty() && number.read::<i8>()? == [-7], WRONG, "a tensor without axes");
    let none = Tensor::from_slice::<i32>(&[0], &[])?;
    ensure!(none.read::<i32>()?.is_empty(), WRONG, "a tensor without elements");

    let gone = x.handle();
    drop(x);
    let forged = Tensor::from_handle(gone);
    ensure!(forged.dtype() == Err(Status::BadHandle), WRONG, "a dropped tensor");
    // Far more tensors than may live at a time: each is freed when it is dropped.
    for n in 0..5000i32 {
        Tensor::from_slice(&[], &[n])?;
    }
    Ok(())
}

/// The model's price for one and for two rows, and its outputs for one.
pub(crate) fn model(id: &Hash, row: &[i32]) -> Result<(u64, u64, Vec<Vec<i32>>)> {
    let model = Model::open(id)?;
    let input = Tensor::from_slice(&[1, length(row.len())?], row)?;
    let before = env::gas_left();
    let outputs = model.run(&[&input])?;
    let used = before - env::gas_left();
    let cost = model.cost(1)?;
    ensure!(used >= cost, WRONG, "running used {used} gas, less than the {cost} announced");
    let outputs = outputs.iter().map(Tensor::read).collect::<Result<_, Status>>()?;
    Ok((cost, model.cost(2)?, outputs))
}

fn length(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| Error::new(WRONG, "too long"))
}
