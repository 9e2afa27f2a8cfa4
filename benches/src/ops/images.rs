//! Convolutions of networks for images, beside candle's of floats. Ours takes channels last and weights as they lie, candle's channels
//! first: each gets images and weights in its own order.

use candle_core::Tensor as Floats;
use noema_tensor::DType;
use noema_tensor::ops::Arg;

use super::{Case, Float, integers};

struct Shape {
    name: &'static str,
    /// Of the image.
    side: u32,
    /// Of the image, and of the result.
    channels: [u32; 2],
    /// Side of the window.
    window: u32,
    stride: u32,
    groups: u32,
}

impl Shape {
    const fn new(name: &'static str, side: u32, channels: [u32; 2], window: u32, stride: u32, groups: u32) -> Shape {
        Shape { name, side, channels, window, stride, groups }
    }
}

/// Of ResNet and MobileNet.
const SHAPES: [Shape; 8] = [
    Shape::new("resnet 56x56x64", 56, [64, 64], 3, 1, 1),
    Shape::new("resnet 28x28x128", 28, [128, 128], 3, 1, 1),
    Shape::new("resnet 56x56x64 to 28x28x128", 56, [64, 128], 3, 2, 1),
    Shape::new("resnet 14x14x256", 14, [256, 256], 3, 1, 1),
    Shape::new("mobilenet 56x56x64 to 128, 1x1", 56, [64, 128], 1, 1, 1),
    Shape::new("mobilenet 112x112x32, depthwise", 112, [32, 32], 3, 1, 32),
    Shape::new("mobilenet 56x56x128, depthwise", 56, [128, 128], 3, 1, 128),
    Shape::new("mobilenet 14x14x512, depthwise", 14, [512, 512], 3, 1, 512),
];

/// Two numbers of 32 bits, and four.
const ONES: &[u8] = &[1, 0, 0, 0, 1, 0, 0, 0];
const TWOS: &[u8] = &[2, 0, 0, 0, 2, 0, 0, 0];
const NO_PADS: &[u8] = &[0; 16];
const PADS: &[u8] = &[1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];

pub(super) fn cases() -> anyhow::Result<Vec<Case>> {
    SHAPES
        .iter()
        .map(|&Shape { name, side, channels: [channels, outputs], window, stride, groups }| {
            // So small that sums of floats are exact.
            let x = integers(DType::I8, &[1, side, side, channels], 5)?;
            let weights = integers(DType::I8, &[outputs, window, window, channels / groups], 5)?;
            let strides = if stride == 1 { ONES } else { TWOS };
            let pads = if window == 1 { NO_PADS } else { PADS };
            let numbers = vec![Arg::Bytes(strides), Arg::Bytes(pads), Arg::Bytes(ONES), Arg::U32(groups), Arg::I32(0)];
            let [pad, stride, groups] = [window / 2, stride, groups].map(usize::try_from);
            let (pad, stride, groups) = (pad?, stride?, groups?);
            let float: Float = Box::new(move |x| x[0].conv2d(&x[1], pad, stride, 1, groups));
            Ok(Case {
                name: format!("conv2d i8 {name}"),
                opcode: "conv2d",
                tensors: vec![(x, 1.0), (weights, 1.0)],
                numbers,
                peer: "candle-f32",
                float,
                unit: Some((1.0, 0.0)),
                images: true,
            })
        })
        .collect()
}

/// From channels last to channels first.
pub(super) fn channels_first(x: &Floats) -> candle_core::Result<Floats> {
    x.permute((0, 3, 1, 2))?.contiguous()
}

/// And back.
pub(super) fn channels_last(x: &Floats) -> candle_core::Result<Floats> {
    x.permute((0, 2, 3, 1))?.contiguous()
}
