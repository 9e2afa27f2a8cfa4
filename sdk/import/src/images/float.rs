//! The network in float, row by row.

use super::{
    net::{Conv, Net, Op, Sides},
    recurrent,
};

/// Every activation for one row.
pub(crate) fn activations(net: &Net, row: &[f32]) -> Vec<Vec<f32>> {
    let mut values: Vec<Vec<f32>> = Vec::with_capacity(net.steps.len() + 1);
    values.push(match &net.integers {
        None => row.to_vec(),
        Some(grid) => row.iter().map(|q| ((f64::from(*q) - f64::from(grid.zero_point)) * grid.scale) as f32).collect(),
    });
    for step in &net.steps {
        let x = &values[step.from[0]];
        let dims = net.dims(step.from[0]);
        let made = match &step.op {
            Op::Conv(conv) => convolve(conv, x, dims, &step.dims),
            Op::Linear(product) => {
                let rows = product.weights.chunks_exact(x.len()).zip(&product.bias);
                rows.map(|(weights, bias)| dot(weights, x) + *bias as f32).collect()
            }
            Op::Affine { mul, add } => {
                // Channels come first, but in a series last.
                let (size, steps) =
                    if let [_, channels] = dims { (1, *channels) } else { (x.len() / dims[0], x.len()) };
                let of = |values: &[f32], at: usize| *values.get(at % steps / size).unwrap_or(&values[0]);
                x.iter().enumerate().map(|(at, x)| x * of(mul, at) + of(add, at)).collect()
            }
            Op::Relu => x.iter().map(|x| x.max(0.0)).collect(),
            Op::Clip(most) => x.iter().map(|x| x.clamp(0.0, *most)).collect(),
            Op::MaxPool(sides) => pool(sides, x, dims, &step.dims, |seen| {
                seen.fold(f32::NEG_INFINITY, |most, x| x.map_or(most, |x| most.max(x)))
            }),
            Op::AveragePool { sides, count_pads } => pool(sides, x, dims, &step.dims, |seen| {
                let (mut sum, mut count) = (0.0, 0_usize);
                for x in seen {
                    sum += x.unwrap_or(0.0);
                    count += usize::from(x.is_some() || *count_pads);
                }
                sum / count.max(1) as f32
            }),
            Op::GlobalAveragePool => {
                let size = x.len() / dims[0];
                x.chunks_exact(size).map(|channel| channel.iter().sum::<f32>() / size as f32).collect()
            }
            Op::Add => x.iter().zip(&values[step.from[1]]).map(|(a, b)| a + b).collect(),
            Op::Concat => step.from.iter().flat_map(|from| values[*from].iter().copied()).collect(),
            Op::Pad(pads) => {
                let sides = Sides { kernel: [1; 2], strides: [1; 2], pads: *pads, dilations: [1; 2] };
                pool(&sides, x, dims, &step.dims, |seen| seen.next().flatten().unwrap_or(0.0))
            }
            Op::Quantise(grid) => x.iter().map(|x| grid.round(*x)).collect(),
            Op::Recurrent(layer) => recurrent::states(layer, x, dims),
            Op::Pick(steps) => {
                let part = dims[1] / steps.len();
                let parts = steps.iter().enumerate().flat_map(|(at, step)| &x[step * dims[1] + at * part..][..part]);
                parts.copied().collect()
            }
            Op::Part { first, count } => {
                let channels = dims.last().copied().unwrap_or(1);
                x.chunks_exact(channels).flat_map(|row| &row[*first..][..*count]).copied().collect()
            }
            Op::Steps { first, count } => x[first * dims[1]..][..count * dims[1]].to_vec(),
            Op::Flatten | Op::Same | Op::Softmax | Op::ArgMax => x.clone(),
        };
        values.push(made);
    }
    values
}

pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums, which the compiler keeps in one register.
    let mut sums = [0.0_f32; 8];
    let ((a8, a), (b8, b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a8.iter().zip(b8) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()
}

fn convolve(conv: &Conv, x: &[f32], from: &[usize], to: &[usize]) -> Vec<f32> {
    let (Conv { sides, groups, product }, [rows, columns]) = (conv, [to[1], to[2]]);
    let (channels, outputs) = (from[0] / groups, to[0] / groups);
    let taps = sides.kernel[0] * sides.kernel[1];
    let mut y = vec![0.0; to.iter().product()];
    for (output, y) in y.chunks_exact_mut(rows * columns).enumerate() {
        y.fill(product.bias[output] as f32);
        for channel in 0..channels {
            let image = &x[(output / outputs * channels + channel) * from[1] * from[2]..][..from[1] * from[2]];
            let weights = &product.weights[(output * channels + channel) * taps..][..taps];
            for (tap, weight) in weights.iter().enumerate() {
                let (ky, kx) = (tap / sides.kernel[1], tap % sides.kernel[1]);
                for (row, y) in y.chunks_exact_mut(columns).enumerate() {
                    let Some(source) = sides.source(0, row, ky, from[1]) else { continue };
                    let image = &image[source * from[2]..][..from[2]];
                    for (column, y) in y.iter_mut().enumerate() {
                        if let Some(at) = sides.source(1, column, kx, from[2]) {
                            *y += weight * image[at];
                        }
                    }
                }
            }
        }
    }
    y
}

/// What a window sees at each place of each channel: `None` beside the image.
fn pool(
    sides: &Sides,
    x: &[f32],
    from: &[usize],
    to: &[usize],
    of: impl Fn(&mut dyn Iterator<Item = Option<f32>>) -> f32,
) -> Vec<f32> {
    let mut y = Vec::with_capacity(to.iter().product());
    for image in x.chunks_exact(from[1] * from[2]) {
        for row in 0..to[1] {
            for column in 0..to[2] {
                let mut seen = (0..sides.kernel[0] * sides.kernel[1]).map(|tap| {
                    let source = sides.source(0, row, tap / sides.kernel[1], from[1]);
                    let at = source.zip(sides.source(1, column, tap % sides.kernel[1], from[2]));
                    at.map(|(source, at)| image[source * from[2] + at])
                });
                y.push(of(&mut seen));
            }
        }
    }
    y
}
