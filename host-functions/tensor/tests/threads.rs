//! Tensors large enough to be split over threads, which those of the vectors are not: every level, on one and on three
//! threads, gives what the portable one gives on one, or the reference.

use noema_tensor::{
    DType, Kernels, Level, Shape, Tensor,
    ops::{self, Arg},
};

fn tensor(dtype: DType, dims: &[u32]) -> Tensor {
    let shape = Shape::new(dims).unwrap();
    let bytes = usize::try_from(shape.elements().unwrap()).unwrap() * dtype.size();
    let mut state = 7u64;
    let bytes: Vec<u8> = (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .collect();
    Tensor::from_le_bytes(dtype, shape, &bytes).unwrap()
}

#[test]
fn large_tensors_are_split_without_a_trace() {
    let (i8s, i16s, i32s) =
        (tensor(DType::I8, &[301, 257]), tensor(DType::I16, &[301, 257]), tensor(DType::I32, &[301, 257]));
    let (gain, table) = (tensor(DType::I32, &[257]), tensor(DType::I16, &[256]));
    let steps = Tensor::from_vec(Shape::new(&[301, 1]).unwrap(), (1..=301).map(|i: i64| i << 40).collect()).unwrap();
    let (q, k) = (tensor(DType::I8, &[2, 4, 33, 40]), tensor(DType::I8, &[2, 2, 190, 40]));
    let lengths: Vec<u8> = [190u32, 77].iter().flat_map(|length| length.to_le_bytes()).collect();
    let positions: Vec<u8> = [150u32, 3].iter().flat_map(|position| position.to_le_bytes()).collect();
    let t = Arg::Tensor;
    let cases = [
        ("layer_norm", vec![t(&i8s), t(&gain), t(&gain), Arg::U64(9), Arg::U32(25), Arg::U32(0)]),
        ("rms_norm", vec![t(&i16s), t(&gain), Arg::U64(9), Arg::U32(20), Arg::U32(2)]),
        ("lookup", vec![t(&i8s), t(&table)]),
        ("gelu", vec![t(&i16s), Arg::U32(12), Arg::U32(12), Arg::U32(2)]),
        ("silu", vec![t(&i8s), Arg::U32(4), Arg::U32(12), Arg::U32(2)]),
        ("row_step", vec![t(&i32s), Arg::U32(0)]),
        ("quantise_rows", vec![t(&i32s), t(&steps), Arg::U32(0)]),
        (
            "attention",
            vec![
                t(&q),
                t(&k),
                t(&k),
                Arg::Bytes(&lengths),
                Arg::Bytes(&positions),
                Arg::I32(1 << 30),
                Arg::U32(43),
                Arg::I32(i32::MAX),
                Arg::U32(31),
            ],
        ),
    ];
    compare(Level::Portable, &cases);
}

/// Images of more places than a tile has.
#[test]
fn large_images_and_rows_are_cut_without_a_trace() {
    let words = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let (one, two, around, none) = (words(&[1, 1]), words(&[2, 1]), words(&[1, 0, 1, 2]), words(&[0; 4]));
    let (more, window) = (words(&[1, 0]), words(&[3, 2]));
    let (image, bytes, wide) =
        (tensor(DType::I8, &[2, 120, 61, 6]), tensor(DType::U8, &[1, 90, 91, 40]), tensor(DType::I16, &[1, 70, 71, 4]));
    let (all, each) = (tensor(DType::I8, &[5, 3, 3, 6]), tensor(DType::I8, &[80, 3, 3, 1]));
    let (groups, pixel) = (tensor(DType::I8, &[9, 2, 3, 2]), tensor(DType::I8, &[33, 1, 1, 40]));
    let of_wide = tensor(DType::I16, &[3, 3, 2, 4]);
    let (i8s, i32s) = (tensor(DType::I8, &[301, 258]), tensor(DType::I32, &[301, 258]));
    let (gain, angles) = (tensor(DType::I32, &[258]), tensor(DType::I16, &[301, 129]));
    let (t, b) = (Arg::Tensor, Arg::Bytes);
    let conv = |x, w, strides, pads, groups| {
        ("conv2d", vec![t(x), t(w), b(strides), b(pads), b(&one), Arg::U32(groups), Arg::I32(-3)])
    };
    let cases = [
        conv(&image, &all, &two, &around, 1),
        conv(&image, &groups, &one, &around, 3),
        conv(&bytes, &each, &one, &around, 40),
        conv(&bytes, &pixel, &one, &none, 1),
        conv(&wide, &of_wide, &two, &around, 1),
        ("conv_transpose2d", vec![t(&image), t(&all), b(&two), b(&around), b(&more), b(&one), Arg::U32(1)]),
        ("max_pool", vec![t(&bytes), b(&window), b(&two), b(&around), b(&one)]),
        ("average_pool", vec![t(&bytes), b(&window), b(&two), b(&around), b(&one), Arg::U32(0)]),
        ("sort", vec![t(&i32s), Arg::U32(1)]),
        ("topk", vec![t(&i8s), Arg::U32(9), Arg::U32(0)]),
        ("log_softmax", vec![t(&i8s), Arg::I32(1 << 30), Arg::U32(35), Arg::U32(15)]),
        ("l2_norm", vec![t(&i32s), Arg::U64(9), Arg::U32(20), Arg::U32(3)]),
        ("group_norm", vec![t(&i8s), t(&gain), t(&gain), Arg::U32(86), Arg::U64(9), Arg::U32(25), Arg::U32(0)]),
        ("rotary", vec![t(&i32s), t(&angles), t(&angles), Arg::U32(14), Arg::U32(0)]),
    ];
    compare(Level::Reference, &cases);
}

/// Every level but the reference, on one and on three threads, with what a level gives on one.
fn compare(level: Level, cases: &[(&str, Vec<Arg<'_>>)]) {
    let kernels = Kernels::new(level, 1).unwrap();
    let expected: Vec<Vec<u8>> =
        cases.iter().map(|(name, args)| ops::call(&kernels, name, args).unwrap().to_le_bytes().unwrap()).collect();
    for level in Level::available().into_iter().filter(|level| *level != Level::Reference) {
        for threads in [1, 3] {
            let kernels = Kernels::new(level, threads).unwrap();
            for ((name, args), expected) in cases.iter().zip(&expected) {
                let found = ops::call(&kernels, name, args).unwrap().to_le_bytes().unwrap();
                assert!(found == *expected, "{name}, {level} with {threads} threads");
            }
        }
    }
}
