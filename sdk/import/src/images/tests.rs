//! Operators one by one, what is refused, and the arithmetic of quantised files.

use noema_model::Model;
use noema_tensor::{DType, Kernels, Level};
use prost::Message;

use crate::{
    FloatModel, ImportError, ImportOptions, Imported, Precision, Width, Widths, import_onnx, input_tensor,
    proto::{Attribute, INT8, INT32, ModelProto, NodeProto, TensorProto, UINT8, ValueInfo},
    sample::{Numbers, graph, integers, model, node, tensor, value, with_int},
};

fn with_ints(mut node: NodeProto, name: &str, ints: &[i64]) -> NodeProto {
    node.attribute.push(Attribute { name: name.into(), ints: ints.to_vec(), ..Attribute::default() });
    node
}

fn small(name: &str, dims: &[i64], data_type: i32, values: &[i32]) -> TensorProto {
    TensorProto {
        dims: dims.to_vec(),
        data_type,
        name: name.into(),
        int32_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// A file with the input `x` of 3 channels, 6 rows and 5 columns, and the output `y`.
fn file(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> ModelProto {
    let mut file = model(nodes, constants);
    graph(&mut file).input = vec![value("x", &[0, 3, 6, 5])];
    file
}

fn rows(count: usize) -> Vec<Vec<f64>> {
    Numbers(4).rows(count, 90)
}

fn import(file: &ModelProto, width: Width) -> Result<Imported, ImportError> {
    let precision = Precision::Fixed(Widths { features: width, hidden: width });
    let options = ImportOptions { calibration: rows(24), precision, ..ImportOptions::new("images", "CC0-1.0") };
    import_onnx(&file.encode_to_vec(), &options)
}

/// Imports with both widths, and requires scores near the float original's.
fn close(file: &ModelProto) -> Model {
    let eight = import(file, Width::Eight).unwrap();
    assert!(eight.report.calibration.largest_difference < 0.12, "{}", eight.report);
    let sixteen = import(file, Width::Sixteen).unwrap();
    assert!(sixteen.report.calibration.largest_difference < 0.03, "{}", sixteen.report);
    Model::from_bytes(sixteen.container).unwrap()
}

fn refused(file: &ModelProto, words: &[&str]) {
    let error = import(file, Width::Eight).unwrap_err().to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

/// `x` through some nodes to `h`, which is flattened and multiplied with `width` rows of weights.
fn head(mut nodes: Vec<NodeProto>, mut constants: Vec<TensorProto>, width: i64) -> ModelProto {
    nodes.push(node("Flatten", &["h"], "flat"));
    nodes.push(with_int(node("Gemm", &["flat", "head"], "y"), "transB", 1));
    constants.push(tensor("head", &[4, width], &Numbers(8).take(usize::try_from(4 * width).unwrap())));
    file(nodes, constants)
}

fn weights(name: &str, dims: &[i64]) -> TensorProto {
    tensor(name, dims, &Numbers(dims[0].unsigned_abs()).take(usize::try_from(dims.iter().product::<i64>()).unwrap()))
}

#[test]
fn convolutions_of_every_kind() {
    let conv =
        |node: NodeProto, w: &[i64], width| head(vec![node], vec![weights("w", w), weights("b", &[w[0]])], width);
    let plain = || node("Conv", &["x", "w", "b"], "h");
    close(&conv(plain(), &[4, 3, 3, 3], 4 * 4 * 3));
    close(&conv(with_ints(plain(), "pads", &[1, 0, 2, 1]), &[4, 3, 3, 2], 4 * 7 * 5));
    close(&conv(with_ints(plain(), "strides", &[2, 1]), &[4, 3, 2, 3], 4 * 3 * 3));
    close(&conv(with_ints(plain(), "dilations", &[2, 2]), &[4, 3, 2, 2], 4 * 4 * 3));
    close(&conv(with_int(plain(), "group", 3), &[6, 1, 3, 3], 6 * 4 * 3));
    let mut same = plain();
    same.attribute.push(Attribute { name: "auto_pad".into(), s: b"SAME_UPPER".to_vec(), ..Attribute::default() });
    close(&conv(with_ints(same.clone(), "strides", &[2, 2]), &[4, 3, 3, 3], 4 * 3 * 3));
    for (node, dims, words) in [
        (plain(), [4, 2, 3, 3], "over 3 channels"),
        (with_int(plain(), "group", 2), [4, 3, 3, 3], "2 groups over 3 channels"),
        (plain(), [4, 3, 7, 3], "a window of [7, 3] over 6 by 5"),
        (with_ints(plain(), "strides", &[0, 1]), [4, 3, 3, 3], "strides [0, 1]"),
        (with_ints(plain(), "kernel_shape", &[2, 2]), [4, 3, 3, 3], "kernel_shape [2, 2]"),
        (with_ints(plain(), "pads", &[1, 1]), [4, 3, 3, 3], "pads"),
        (with_ints(plain(), "pads", &[1 << 20; 4]), [4, 3, 1, 1], "the limit is"),
    ] {
        refused(&conv(node, &dims, 36), &["`the Conv` (Conv)", words]);
    }
}

#[test]
fn pools_sums_and_concatenations() {
    let window = |node: NodeProto| with_ints(with_ints(node, "kernel_shape", &[2, 2]), "strides", &[2, 2]);
    let conv = |output: &str, w: &str| with_ints(node("Conv", &["x", w], output), "pads", &[1, 1, 1, 1]);
    let constants = || vec![weights("w", &[4, 3, 3, 3]), weights("v", &[4, 3, 3, 3])];
    for pool in ["MaxPool", "AveragePool"] {
        close(&head(vec![conv("a", "w"), window(node(pool, &["a"], "h"))], constants(), 4 * 3 * 2));
        let padded = with_ints(window(node(pool, &["a"], "h")), "pads", &[1, 1, 1, 1]);
        close(&head(vec![conv("a", "w"), with_int(padded, "count_include_pad", 1)], constants(), 4 * 4 * 3));
    }
    let both = [conv("a", "w"), conv("b", "v")];
    let of_both = |last: NodeProto| [&both[..], &[last]].concat();
    close(&head(of_both(node("Add", &["a", "b"], "h")), constants(), 120));
    let relu = [of_both(node("Add", &["a", "b"], "s")), vec![node("Relu", &["s"], "h")]].concat();
    close(&head(relu, constants(), 120));
    // One side is read again: it is held in 8 or 16 bits.
    let again = [of_both(node("Add", &["a", "b"], "s")), vec![node("Add", &["s", "a"], "h")]].concat();
    close(&head(again, constants(), 120));
    close(&head(of_both(with_int(node("Concat", &["a", "b"], "h"), "axis", 1)), constants(), 240));
    let relu =
        [of_both(node("Relu", &["b"], "r")), vec![with_int(node("Concat", &["a", "r", "b"], "h"), "axis", 1)]].concat();
    close(&head(relu, constants(), 360));
    close(&head(vec![conv("a", "w"), node("GlobalAveragePool", &["a"], "h")], constants(), 4));
    let mean = with_ints(node("ReduceMean", &["a"], "h"), "axes", &[2, 3]);
    close(&head(vec![conv("a", "w"), mean.clone()], constants(), 4));
    refused(&head(of_both(with_int(node("Concat", &["a", "b"], "h"), "axis", 2)), constants(), 240), &["axis 2"]);
    refused(
        &head(of_both(node("Mul", &["a", "b"], "h")), constants(), 120),
        &["two computed values", "Add of one shape"],
    );
    let ceil = with_int(window(node("MaxPool", &["a"], "h")), "ceil_mode", 1);
    refused(&head(vec![conv("a", "w"), ceil], constants(), 24), &["ceil_mode"]);
}

#[test]
fn scores_without_a_product_at_the_end() {
    // As SqueezeNet ends: a convolution, a ReLU, an average, scores.
    let nodes = vec![
        node("Conv", &["x", "w"], "a"),
        node("Relu", &["a"], "r"),
        node("GlobalAveragePool", &["r"], "g"),
        node("Flatten", &["g"], "f"),
        node("Softmax", &["f"], "y"),
    ];
    close(&file(nodes, vec![weights("w", &[4, 3, 3, 3])]));
    // Cut at both ends, in 32 bits.
    let nodes = vec![
        node("Conv", &["x", "w"], "a"),
        node("GlobalAveragePool", &["a"], "g"),
        node("Flatten", &["g"], "f"),
        node("MatMul", &["f", "v"], "p"),
        node("Clip", &["p", "zero", "most"], "y"),
    ];
    let ends = vec![tensor("zero", &[], &[0.0]), tensor("most", &[], &[0.2])];
    let cut = close(&file(nodes, [ends, vec![weights("w", &[4, 3, 3, 3]), weights("v", &[4, 4])]].concat()));
    assert!(cut.graph().nodes.iter().any(|node| node.name == "the MatMul down"));
    // A sum of two products.
    let nodes = vec![
        node("Conv", &["x", "w"], "a"),
        node("GlobalAveragePool", &["a"], "g"),
        node("Flatten", &["g"], "f"),
        node("MatMul", &["f", "v"], "p"),
        node("Add", &["p", "f"], "y"),
    ];
    close(&file(nodes, vec![weights("w", &[4, 3, 3, 3]), weights("v", &[4, 4])]));
}

#[test]
fn what_constants_do_is_folded() {
    let constants = |mut more: Vec<TensorProto>| {
        more.push(weights("w", &[4, 3, 3, 3]));
        more
    };
    let conv = |input: &str, output: &str| node("Conv", &[input, "w"], output);
    let norm = |input: &str, output: &str| node("BatchNormalization", &[input, "g", "s", "m", "v"], output);
    let of_norm = |channels: i64| {
        let positive: Vec<f32> =
            Numbers(3).take(usize::try_from(channels).unwrap()).iter().map(|x| x.abs() + 0.5).collect();
        vec![
            tensor("g", &[channels], &positive),
            weights("s", &[channels]),
            weights("m", &[channels]),
            tensor("v", &[channels], &positive),
        ]
    };
    let folded = close(&head(vec![conv("x", "a"), norm("a", "h")], constants(of_norm(4)), 48));
    let products = |model: &Model| model.graph().nodes.iter().filter(|node| node.op.name() == "Conv2d").count();
    assert_eq!(products(&folded), 1);
    // Before the first product: the input is standardised, each channel for itself.
    assert_eq!(products(&close(&head(vec![norm("x", "a"), conv("a", "h")], constants(of_norm(3)), 48))), 1);
    // Behind a ReLU: a product of its own.
    let behind = vec![conv("x", "a"), node("Relu", &["a"], "r"), norm("r", "h")];
    assert_eq!(products(&close(&head(behind, constants(of_norm(4)), 48))), 2);
    let clip = |most: f32| {
        let constants = constants(vec![tensor("zero", &[], &[0.0]), tensor("most", &[], &[most])]);
        head(vec![conv("x", "a"), node("Clip", &["a", "zero", "most"], "h")], constants, 48)
    };
    close(&clip(0.3));
    close(&clip(1000.0));
    refused(&clip(-1.0), &["between Some(0.0) and Some(-1.0)"]);
    let pads = integers("pads", &[0, 0, 1, 1, 0, 0, 0, 2]);
    let padded = || vec![node("Pad", &["x", "pads"], "p"), conv("p", "h")];
    close(&head(padded(), constants(vec![pads.clone()]), 4 * 5 * 6));
    let pool = vec![node("Pad", &["x", "pads"], "p"), with_ints(node("MaxPool", &["p"], "h"), "kernel_shape", &[1, 1])];
    refused(&head(pool, constants(vec![pads]), 3 * 7 * 8), &["`the Pad` (Pad)", "not followed by a Conv"]);
    let negative = vec![node("Mul", &["x", "k"], "a"), conv("a", "h")];
    let k = tensor("k", &[3, 1, 1], &[1.0, -2.0, 0.5]);
    refused(&head(negative, constants(vec![k]), 48), &["channel 1 is multiplied by -2"]);
}

#[test]
fn what_cannot_be_imported_is_named() {
    let conv = || node("Conv", &["x", "w"], "a");
    let constants = || vec![weights("w", &[4, 3, 3, 3])];
    refused(
        &head(vec![conv(), node("RNN", &["a"], "h")], constants(), 48),
        &["`the RNN` is a RNN", "QLinearConv", "MaxPool"],
    );
    refused(&head(vec![node("Conv", &["x", "nothing"], "h")], constants(), 48), &["`nothing`"]);
    refused(&head(vec![node("Conv", &["h", "w"], "h")], constants(), 48), &["cycle"]);
    refused(&head(vec![node("Conv", &["x", "x"], "h")], constants(), 48), &["computes its weights"]);
    refused(&head(vec![node("Conv", &["x", "w", "x"], "h")], constants(), 48), &["input 2", "a constant"]);
    let mut two = head(vec![conv(), node("Relu", &["a"], "h")], constants(), 48);
    graph(&mut two).node[0].output.push("more".into());
    refused(&two, &["has 2 results"]);
    let mut text = head(vec![conv(), node("Relu", &["a"], "h")], constants(), 48);
    graph(&mut text).input[0] = ValueInfo { name: "x".into(), r#type: None };
    refused(&text, &["is no tensor"]);
    refused(&file(vec![node("Conv", &["x", "w"], "y")], constants()), &["scores of shape [4, 4, 3]"]);
}

/// Networks of one quantised operator, computed as ONNX writes it, in exact arithmetic on its integers.
#[test]
fn quantised_operators_are_within_one_unit() {
    let (mut equal, mut all) = (0, 0);
    for seed in 0..12 {
        let mut numbers = Numbers(seed);
        let mut draw = |count: usize, least: f64, most: f64| -> Vec<i32> {
            (0..count).map(|_| ((numbers.next() + 1.0) / 2.0 * (most - least) + least).round() as i32).collect()
        };
        let is_conv = seed % 2 == 0;
        let (x_zero, y_zero) = (draw(1, 0.0, 255.0)[0], draw(1, 0.0, 255.0)[0]);
        let count = if is_conv { 4 * 27 } else { 90 * 10 };
        let (w, b) = (draw(count, -127.0, 127.0), draw(4, -9000.0, 9000.0));
        let (x_scale, w_scale, y_scale) = (0.0625_f32, 0.013 + 0.001 * seed as f32, 2.7 + 0.31 * seed as f32);
        let mut constants = vec![
            tensor("xs", &[], &[x_scale]),
            small("xz", &[], UINT8, &[x_zero]),
            tensor("ws", &[], &[w_scale]),
            small("wz", &[], INT8, &[0]),
            tensor("ys", &[], &[y_scale]),
            small("yz", &[], UINT8, &[y_zero]),
            small("b", &[4], INT32, &b),
        ];
        let mut nodes = vec![node("QuantizeLinear", &["x", "xs", "xz"], "q")];
        if is_conv {
            constants.push(small("w", &[4, 3, 3, 3], INT8, &w));
            let inputs = ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"];
            nodes.push(with_ints(node("QLinearConv", &inputs, "r"), "pads", &[1, 1, 1, 1]));
            nodes.push(node("Flatten", &["r"], "f"));
        } else {
            constants.push(small("w", &[90, 10], INT8, &w));
            nodes.push(node("Flatten", &["q"], "p"));
            nodes.push(node("QLinearMatMul", &["p", "xs", "xz", "w", "ws", "wz", "ys", "yz"], "f"));
        }
        nodes.push(node("DequantizeLinear", &["f", "ys", "yz"], "y"));
        let file = file(nodes, constants);
        // On the grid of the input: nothing is rounded before the product.
        let x: Vec<i32> = draw(3 * 90, 0.0, 255.0);
        let real: Vec<f64> = x.iter().map(|q| f64::from(q - x_zero) * f64::from(x_scale)).collect();
        let rows: Vec<Vec<f64>> = real.chunks(90).map(<[f64]>::to_vec).collect();
        let options = ImportOptions { calibration: rows.clone(), ..ImportOptions::new("quantised", "CC0-1.0") };
        let model = Model::from_bytes(import_onnx(&file.encode_to_vec(), &options).unwrap().container).unwrap();
        let port = &model.manifest().outputs[0];
        let input = input_tensor(&model.manifest().inputs[0], &rows).unwrap();
        let logits =
            model.run(&Kernels::new(Level::best(), 1).unwrap(), &[&input]).unwrap()[0].to_vec::<i32>().unwrap();
        let unit = 2.0_f64.powi(-i32::from(port.fraction_bits));
        let found = logits.iter().map(|logit| (f64::from(*logit) * unit / f64::from(y_scale)).round() as i32 + y_zero);
        let factor = f64::from(x_scale) * f64::from(w_scale) / f64::from(y_scale);
        let mut expected = vec![];
        for x in x.chunks(90) {
            let sums: Vec<i64> = if is_conv {
                let at = |channel: usize, row: i64, column: i64| match (row, column) {
                    (0..6, 0..5) => {
                        let place = channel * 30 + usize::try_from(row * 5 + column).unwrap();
                        i64::from(x[place] - x_zero)
                    }
                    _ => 0,
                };
                let sum = |output: usize, row: i64, column: i64| {
                    let taps = (0..27).map(|tap| {
                        let (channel, ky, kx) =
                            (tap / 9, i64::try_from(tap / 3 % 3).unwrap(), i64::try_from(tap % 3).unwrap());
                        at(channel, row + ky - 1, column + kx - 1) * i64::from(w[output * 27 + tap])
                    });
                    taps.sum::<i64>() + i64::from(b[output])
                };
                (0..4)
                    .flat_map(|output| (0..6).flat_map(move |row| (0..5).map(move |column| (output, row, column))))
                    .map(|(output, row, column)| sum(output, row, column))
                    .collect()
            } else {
                let sum =
                    |output: usize| (0..90).map(|at| i64::from(x[at] - x_zero) * i64::from(w[at * 10 + output])).sum();
                (0..10).map(sum).collect()
            };
            let integer = |sum: i64| ((sum as f64 * factor).round_ties_even() as i32 + y_zero).clamp(0, 255);
            expected.extend(sums.into_iter().map(integer));
        }
        assert_eq!(logits.len(), expected.len());
        for (found, expected) in found.zip(expected) {
            assert!((found - expected).abs() <= 1, "seed {seed}: {found}, {expected}");
            equal += usize::from(found == expected);
            all += 1;
        }
    }
    println!("{equal} of {all} equal");
    assert!(all > 2000 && equal * 1000 >= all * 995, "{equal} of {all} equal");
}

#[test]
fn integers_of_the_file_are_read_with_one_grid() {
    let constants = || {
        vec![
            tensor("s", &[], &[0.5]),
            tensor("t", &[], &[0.25]),
            small("z", &[], UINT8, &[3]),
            small("w", &[4, 3, 3, 3], INT8, &[1; 108]),
        ]
    };
    let of = |scale: &str| {
        let nodes = vec![
            node("QuantizeLinear", &["x", "s", "z"], "q"),
            node("DequantizeLinear", &["q", scale, "z"], "d"),
            node("DequantizeLinear", &["w", "s"], "v"),
            node("Conv", &["d", "v"], "h"),
        ];
        head(nodes, constants(), 48)
    };
    close(&of("s"));
    refused(&of("t"), &["`the DequantizeLinear`", "scale 0.25", "made with others"]);
    let plain = vec![node("QuantizeLinear", &["x", "s", "z"], "q"), node("Conv", &["q", "w"], "h")];
    refused(&head(plain, constants(), 48), &["8-bit integers; dequantise them first"]);
}

#[test]
fn the_float_model_is_the_files() {
    // A sum over every tap of one channel: [1, 2] * [[a, b], [c, d]] by hand.
    let mut file = model(
        vec![node("Conv", &["x", "w"], "c"), node("MaxPool", &["c"], "m"), node("Flatten", &["m"], "y")],
        vec![tensor("w", &[1, 1, 2, 2], &[1.0, 10.0, 100.0, 1000.0])],
    );
    graph(&mut file).input = vec![value("x", &[0, 1, 3, 2])];
    graph(&mut file).node[1] = with_ints(graph(&mut file).node[1].clone(), "kernel_shape", &[1, 1]);
    let float = FloatModel::from_onnx(&file.encode_to_vec()).unwrap();
    let logits = float.predict(&[vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]).unwrap().remove(0).logits;
    assert_eq!(logits, [4321.0, 6543.0]);
    let layers = float.layers(&[vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]).unwrap();
    assert_eq!((layers[0].dims.clone(), layers[0].rows[0].clone()), (vec![1, 2, 1], vec![4321.0, 6543.0]));
    let types = [DType::I8, DType::U8].map(|dtype| super::net::Grid { dtype, scale: 0.5, zero_point: 1 }.integer(1e9));
    assert_eq!(types, [127.0, 255.0]);
}
