//! Arguments of what moves a window over images.

use noema_tensor::DType::{I8, I16};

use crate::ops::Argument;
use crate::random::draw::{Draw, words};

/// A number of these many at least and at most.
fn small(d: &mut Draw, low: u64, high: u64) -> u32 {
    u32::try_from(d.range(low, high)).expect("small")
}

/// A window, strides, pads and dilations, and an image that is mostly large enough: `[rows, columns]`.
struct Window {
    kernel: [u32; 2],
    strides: [u32; 2],
    pads: [u32; 4],
    dilations: [u32; 2],
    image: [u32; 2],
}

fn window(d: &mut Draw) -> Window {
    let kernel = [(); 2].map(|()| small(d, 1, 4));
    let kernel = if d.once_in(3) { [kernel[0]; 2] } else { kernel };
    let plain = d.once_in(3);
    let strides = [(); 2].map(|()| if plain { 1 } else { small(d, 1, 3) });
    let dilations = [(); 2].map(|()| if plain || d.once_in(2) { 1 } else { small(d, 1, 3) });
    let padded = d.once_in(2);
    let pads = [(); 4].map(|()| if padded { small(d, 0, 3) } else { 0 });
    let long = if d.budget > 256 { 24 } else { 7 };
    let along = |d: &mut Draw, axis: usize| {
        let extent = (kernel[axis] - 1) * dilations[axis] + 1;
        let least = extent.saturating_sub(pads[axis] + pads[axis + 2]);
        small(d, u64::from(least), u64::from(least) + long)
    };
    let image = [along(d, 0), along(d, 1)];
    Window { kernel, strides, pads, dilations, image }
}

/// Images, groups of channels, and weights for them.
fn convolution(d: &mut Draw, transposed: bool) -> (Vec<Argument>, Window, u32) {
    let mut window = window(d);
    if transposed {
        window.image = window.image.map(|side| side.max(1));
        // The result has to be larger than what the pads take away.
        for axis in 0..2 {
            let all =
                (window.image[axis] - 1) * window.strides[axis] + (window.kernel[axis] - 1) * window.dilations[axis];
            window.pads[axis] = window.pads[axis].min(all / 2);
            window.pads[axis + 2] = window.pads[axis + 2].min(all / 2);
        }
    }
    let many = if d.budget > 256 { 40 } else { 9 };
    // Depthwise, grouped, and plain ones.
    let (groups, width, each) = match d.below(4) {
        0 => (small(d, 1, many + 30), 1, small(d, 1, 2)),
        1 => (small(d, 1, 4), small(d, 1, 5), small(d, 1, 5)),
        _ => (1, small(d, 1, many), small(d, 1, many)),
    };
    let width = if d.once_in(40) { 0 } else { width };
    let images = if d.once_in(30) { 0 } else { small(d, 1, 2) };
    let [rows, columns] = window.image;
    let of_weights = if d.dtype == I16 { d.pick(&[I8, I16]) } else { I8 };
    let x = d.tensor(d.dtype, &[images, rows, columns, groups * width]);
    let w = d.tensor(of_weights, &[groups * each, window.kernel[0], window.kernel[1], width]);
    (vec![x, w], window, groups)
}

pub(super) fn conv2d(d: &mut Draw) -> Vec<Argument> {
    let (mut arguments, window, groups) = convolution(d, false);
    arguments.extend([words(&window.strides), words(&window.pads), words(&window.dilations)]);
    let pad = if d.once_in(2) { 0 } else { i32::try_from(d.element(d.dtype)).expect("at most 16 bits") };
    arguments.extend([Argument::U32(groups), Argument::I32(pad)]);
    arguments
}

pub(super) fn conv_transpose2d(d: &mut Draw) -> Vec<Argument> {
    let (mut arguments, window, groups) = convolution(d, true);
    let more = [(); 2].map(|()| if d.once_in(2) { 0 } else { small(d, 0, 2) });
    arguments.extend([words(&window.strides), words(&window.pads), words(&more), words(&window.dilations)]);
    arguments.push(Argument::U32(groups));
    arguments
}

pub(super) fn max_pool(d: &mut Draw) -> Vec<Argument> {
    let window = window(d);
    let images = if d.once_in(30) { 0 } else { small(d, 1, 2) };
    let channels = if d.once_in(4) { small(d, 60, 140) } else { small(d, 0, 9) };
    let [rows, columns] = window.image;
    let x = d.tensor(d.dtype, &[images, rows, columns, channels]);
    vec![x, words(&window.kernel), words(&window.strides), words(&window.pads), words(&window.dilations)]
}

pub(super) fn average_pool(d: &mut Draw) -> Vec<Argument> {
    let mut arguments = max_pool(d);
    arguments.push(Argument::U32(small(d, 0, 1)));
    arguments
}

pub(super) fn global_average_pool(d: &mut Draw) -> Vec<Argument> {
    let mut shape = d.shape(3, 8);
    let last = shape.len() - 1;
    shape[1..last].iter_mut().for_each(|dim| *dim = (*dim).max(1));
    vec![d.tensor(d.dtype, &shape)]
}
