//! What constants do to activations, moved into the input and the weights. Steps keep their places: a step that was folded
//! changes nothing any more.

use super::net::{Conv, Net, Op, Product, Sides};
use crate::ImportError;

/// `x * mul + add` of the input, one of each for each channel or one for all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standardisation {
    pub(crate) mul: Vec<f32>,
    pub(crate) add: Vec<f32>,
}

/// The steps that do something to the result of a product or a sum before anybody else sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fused {
    /// Everything below 0 becomes 0, and above this that.
    pub(crate) clip: Option<f32>,
    /// The step that rounds to the file's grid.
    pub(crate) grid: Option<usize>,
    /// The activation in which it ends.
    pub(crate) end: usize,
}

/// Folds every operation with a constant.
pub(crate) fn fold(net: &mut Net) -> Result<Standardisation, ImportError> {
    let readers = net.readers();
    let mut input = Standardisation { mul: vec![1.0], add: vec![0.0] };
    for index in 0..net.steps.len() {
        let from = net.steps[index].from[0];
        match net.steps[index].op.clone() {
            Op::Affine { mul, add } => {
                let source = source(net, &readers, from);
                let product = source.and_then(|at| match at.checked_sub(1).map(|step| &mut net.steps[step].op) {
                    Some(Op::Conv(Conv { product, .. }) | Op::Linear(product)) => Some(product),
                    _ => None,
                });
                if let Some(product) = product {
                    product.followed_by(&mul, &add);
                    net.steps[index].op = Op::Same;
                } else if source == Some(0) && net.integers.is_none() {
                    let length = input.mul.len().max(mul.len());
                    let of = |values: &[f32], at: usize| *values.get(at).unwrap_or(&values[0]);
                    let both =
                        |at| (of(&input.mul, at) * of(&mul, at), of(&input.add, at) * of(&mul, at) + of(&add, at));
                    let (mul, add) = (0..length).map(both).unzip();
                    input = Standardisation { mul, add };
                    net.steps[index].op = Op::Same;
                } else {
                    net.steps[index].op = Op::Conv(each_channel(net, index, &mul, &add)?);
                }
            }
            Op::Conv(conv) => {
                let padded =
                    from.checked_sub(1).filter(|_| readers[from].len() == 1).map(|step| &mut net.steps[step].op);
                if let Some(op) = padded
                    && let Op::Pad(pads) = *op
                {
                    *op = Op::Same;
                    let mut sides = conv.sides.clone();
                    sides.pads.iter_mut().zip(pads).for_each(|(side, pad)| *side += pad);
                    net.steps[index].op = Op::Conv(Conv { sides, ..conv });
                }
            }
            _ => {}
        }
    }
    for step in &net.steps {
        if matches!(step.op, Op::Pad(_)) {
            let reason = "is not followed by a Conv alone, which would take its zeros over".into();
            return Err(ImportError::Node { node: step.node.clone(), operator: step.operator.clone(), reason });
        }
    }
    Ok(input)
}

/// Where an activation that nobody else reads comes from, behind steps that change nothing.
fn source(net: &Net, readers: &[Vec<usize>], mut at: usize) -> Option<usize> {
    loop {
        if readers[at].len() != 1 {
            return None;
        }
        match at.checked_sub(1).map(|step| &net.steps[step]) {
            Some(step) if matches!(step.op, Op::Same) => at = step.from[0],
            _ => return Some(at),
        }
    }
}

/// A product of each channel with a number of its own.
fn each_channel(net: &Net, index: usize, mul: &[f32], add: &[f32]) -> Result<Conv, ImportError> {
    let step = &net.steps[index];
    let [channels, _, _] = step.dims[..] else {
        let reason = "stands where no Gemm, MatMul or Conv takes it over".into();
        return Err(ImportError::Node { node: step.node.clone(), operator: step.operator.clone(), reason });
    };
    let spread = |values: &[f32]| (0..channels).map(|at| *values.get(at).unwrap_or(&values[0])).collect::<Vec<_>>();
    let bias = spread(add).into_iter().map(f64::from).collect();
    let sides = Sides { kernel: [1; 2], strides: [1; 2], pads: [0; 4], dilations: [1; 2] };
    Ok(Conv { sides, groups: channels, product: Product { weights: spread(mul), bias, integers: None } })
}

/// What is fused into the product or sum whose result is `at`.
pub(crate) fn fused(net: &Net, readers: &[Vec<usize>], at: usize) -> Fused {
    let mut fused = Fused { clip: None, grid: None, end: at };
    while let [reader] = readers[fused.end][..] {
        let Some(step) = net.steps.get(reader) else { break };
        match step.op {
            Op::Same => {}
            Op::Relu if fused.clip.is_none() => fused.clip = Some(f32::INFINITY),
            Op::Clip(most) if fused.clip.is_none() => fused.clip = Some(most),
            Op::Quantise(_) => {
                fused.grid = Some(reader);
                fused.end = reader + 1;
                break;
            }
            _ => break,
        }
        fused.end = reader + 1;
    }
    fused
}
