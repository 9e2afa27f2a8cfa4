//! candle's products. They make a new result each time, as candle's layers do.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};

use super::{Party, Peer, Shape, operands::Operands};
use crate::measure::{Contender, Effort, Ring, fastest};

pub(super) fn floats(operands: &Operands, effort: Effort) -> anyhow::Result<Party> {
    let x = activations(operands)?;
    let Shape { k, n, .. } = operands.shape;
    // As its linear layers keep them, `[n][k]` and transposed for the product, or `[k][n]` as they are.
    let (mut layouts, mut products) = (Vec::new(), Vec::new());
    for transposed in [true, false] {
        let weights = operands.weights.iter().map(|weights| {
            let weights = Tensor::from_vec(Operands::weights_f32(weights), (n, k), &Device::Cpu)?.t()?;
            if transposed { Ok(weights) } else { weights.contiguous() }
        });
        let mut weights = Ring::new(weights.collect::<candle_core::Result<Vec<Tensor>>>()?);
        let x = x.clone();
        products.push(numbers(&x.matmul(weights.take())?)?);
        let work = move || x.matmul(weights.take()).expect("it did so before");
        layouts.push(Contender::new(Peer::CandleF32.name(), work));
    }
    let which = fastest(effort, &mut layouts);
    Ok(Party { contender: layouts.swap_remove(which), product: products.swap_remove(which) })
}

pub(super) fn quantised(operands: &Operands) -> anyhow::Result<Party> {
    let x = activations(operands)?;
    let Shape { k, n, .. } = operands.shape;
    let weights = operands.weights.iter().map(|weights| {
        let weights = Tensor::from_vec(Operands::weights_f32(weights), (n, k), &Device::Cpu)?;
        QMatMul::from_arc(Arc::new(QTensor::quantize(&weights, GgmlDType::Q8_0)?))
    });
    let mut weights = Ring::new(weights.collect::<candle_core::Result<Vec<QMatMul>>>()?);
    let product = numbers(&weights.take().forward(&x)?)?;
    let work = move || weights.take().forward(&x).expect("it did so before");
    Ok(Party { contender: Contender::new(Peer::CandleQ8.name(), work), product })
}

fn activations(operands: &Operands) -> candle_core::Result<Tensor> {
    Tensor::from_vec(operands.x_f32(), (operands.shape.m, operands.shape.k), &Device::Cpu)
}

fn numbers(product: &Tensor) -> candle_core::Result<Vec<f64>> {
    Ok(product.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
}
