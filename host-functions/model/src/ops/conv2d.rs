use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{
    Element, Kernels, Level, OpError,
    kernel::{self, Convolution},
    program::{Filters, Operation},
    work,
};

use super::{
    Operator, ParameterSpec, Shapes, Step, length, linear,
    window::{Window, image},
};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

/// Convolution of images `[h, w, c]` of `i8`, `u8` or `i16` to `[.., .., outputs]`, plus a bias, exact; `sat(pad_value)` beside
/// the image.
///
/// Parameters are the weights (`i8`, `[outputs][rows][columns][c / groups]`) and the bias (`i32`, `[outputs]`). The result is
/// an `i32` or an `i64`, and the bound must prove that every partial sum fits it. As opcodes: `op.conv2d`, then `op.add`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Conv2d {
    /// Channels of the result.
    pub outputs: u32,
    /// How the window moves.
    pub window: Window,
    /// Groups of channels, which divide those of the image and of the result.
    pub groups: u32,
    /// Beside the image.
    pub pad_value: i32,
    /// Type of the result: `i32` or `i64`.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub accumulator: DType,
}

impl Conv2d {
    /// The length of a sum, saturating.
    fn depth(&self, channels: u32) -> u64 {
        self.window.taps().saturating_mul(u64::from(channels / self.groups.max(1)))
    }
}

impl Operator for Conv2d {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        match (x.dtype, self.accumulator) {
            (DType::I8 | DType::U8 | DType::I16, DType::I32 | DType::I64) => {}
            (dtype, accumulator) => return Err(format!("{dtype} inputs do not sum to {accumulator}")),
        }
        let (size, channels) = image(&x.dims)?;
        let groups = self.groups;
        if groups == 0 || !channels.is_multiple_of(groups) || !self.outputs.is_multiple_of(groups) {
            return Err(format!("{groups} groups of {channels} and {} channels", self.outputs));
        }
        let [rows, columns] = self.window.places(size)?;
        if self.depth(channels) > u64::from(u32::MAX) {
            return Err("a window of more than 2^32 products".into());
        }
        Ok(Edge::new(self.accumulator, &[rows, columns, self.outputs]))
    }

    fn parameters(&self, inputs: &[&Edge]) -> Vec<ParameterSpec> {
        let weights = u64::from(self.outputs).saturating_mul(self.depth(inputs[0].last()));
        vec![ParameterSpec::new(DType::I8, weights), ParameterSpec::new(DType::I32, self.outputs.into())]
    }

    fn bound(&self, edges: &[&Edge], inputs: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        let x = edges[0];
        let pad = Interval::saturated(self.pad_value.into(), self.pad_value.into(), x.dtype);
        let interval = if self.window.is_padded() { inputs[0].hull(pad) } else { inputs[0] };
        let depth = usize::try_from(self.depth(x.last())).map_err(|error| error.to_string())?;
        linear::sums(parameters, depth, interval, self.accumulator)
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let Ok(y) = self.infer(inputs) else { return vec![] };
        let channels = inputs[0].last();
        let places = u64::from(y.dims[0]).saturating_mul(y.dims[1].into());
        let sides = work::Places {
            places,
            taps: self.window.taps(),
            channels: [channels.into(), self.outputs.into()],
            groups: self.groups.into(),
        };
        let products = work::convolution([inputs[0].dtype, DType::I8], sides);
        let sums = work::elementwise(y.dtype, &y.dims, &[&y.dims, &[self.outputs]]);
        vec![(Opcode::Conv2d, products), (Opcode::Add, sums)]
    }

    fn prepare(&self, _: Level, _: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(Conv2dStep {
            convolution: self.clone(),
            weights: parameters.i8s(0).to_vec(),
            bias: parameters.i32s(1).collect(),
        }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], parameters: &Parameters<'p>) -> Option<Operation<'p>> {
        let (window, channels) = self.window.over_image_of_device(inputs[0])?;
        let sides = Filters { window, channels: (channels, length(self.outputs)), groups: length(self.groups) };
        let pad = i64::from(self.pad_value).clamp(inputs[0].dtype.min(), inputs[0].dtype.max());
        let (weights, bias) = (parameters.i8s(0).into(), parameters.i32s(1).collect());
        Some(Operation::Conv2d { sides, pad, weights, bias })
    }
}

struct Conv2dStep {
    convolution: Conv2d,
    weights: Vec<i8>,
    bias: Vec<i32>,
}

impl Step for Conv2dStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let Conv2d { outputs, window, groups, pad_value, .. } = &self.convolution;
        let (size, channels) = image(&shapes.input(0).dims).map_err(OpError::Node)?;
        let sides = Convolution {
            window: window.over(size).map_err(OpError::Node)?,
            images: shapes.rows,
            channels: length(channels),
            outputs: length(*outputs),
            groups: length(*groups),
        };
        let (w, pad) = (&self.weights[..], i64::from(*pad_value));
        match (inputs[0], output) {
            (Source::I8(x), Sink::I32(y)) => {
                kernel::conv2d_i8(k, &sides, x, i8::saturate_i64(pad), w, y)?;
                add_bias(y, self.bias.iter().copied());
            }
            (Source::U8(x), Sink::I32(y)) => {
                kernel::conv2d_u8(k, &sides, x, u8::saturate_i64(pad), w, y)?;
                add_bias(y, self.bias.iter().copied());
            }
            (Source::I16(x), Sink::I32(y)) => {
                kernel::conv2d_i16_narrow(k, &sides, x, i16::saturate_i64(pad), w, y)?;
                add_bias(y, self.bias.iter().copied());
            }
            (x, Sink::I64(y)) => {
                match x {
                    Source::I8(x) => kernel::conv2d_i8_wide(k, &sides, x, i8::saturate_i64(pad), w, y)?,
                    Source::U8(x) => kernel::conv2d_u8_wide(k, &sides, x, u8::saturate_i64(pad), w, y)?,
                    Source::I16(x) => kernel::conv2d_i16(k, &sides, x, i16::saturate_i64(pad), w, y)?,
                    _ => return Err(arena::unexpected()),
                }
                add_bias(y, self.bias.iter().map(|bias| i64::from(*bias)));
            }
            _ => return Err(arena::unexpected()),
        }
        Ok(())
    }
}

/// Saturating as `op.add` is; the proof of the model excludes that it ever does.
fn add_bias<T: Element>(sums: &mut [T], bias: impl ExactSizeIterator<Item = T> + Clone) {
    for row in sums.chunks_exact_mut(bias.len()) {
        row.iter_mut().zip(bias.clone()).for_each(|(sum, bias)| *sum = sum.saturating_add(bias));
    }
}
