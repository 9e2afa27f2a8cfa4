//! Our product.

use noema_tensor::kernel::{PackedWeights, linear_i8};
use noema_tensor::{Kernels, Level};

use super::{Party, operands::Operands};
use crate::measure::{Contender, Ring};

pub(super) fn packed(operands: &Operands, level: Level, threads: usize) -> anyhow::Result<Party> {
    let super::Shape { m, k, n } = operands.shape;
    let kernels = Kernels::new(level, threads)?;
    let weights: Result<Vec<PackedWeights>, _> =
        operands.weights.iter().map(|weights| PackedWeights::pack(level, k, n, weights)).collect();
    let mut weights = Ring::new(weights?);
    let (x, mut out) = (operands.x.clone(), vec![0i32; m * n]);
    linear_i8(&kernels, &x, m, weights.take(), &mut out)?;
    let product = out.iter().map(|sum| f64::from(*sum)).collect();
    let contender = Contender::new(format!("noema-{level}"), move || {
        linear_i8(&kernels, &x, m, weights.take(), &mut out).expect("it did so before");
        out[out.len() / 2]
    });
    Ok(Party { contender, product })
}
