//! Recurrent layers as exporters write them, and what is refused.

use noema_model::{Model, ops::Op};
use noema_tensor::{Kernels, Level};
use prost::Message;

use crate::{
    ImportError, ImportOptions, Imported, Precision, Width, Widths, compare, import_onnx,
    proto::{Attribute, INT32, ModelProto, NodeProto, TensorProto},
    sample::{Numbers, graph, integers, model, node, tensor, value, with_int},
};

const STEPS: usize = 5;
const CHANNELS: usize = 3;
const HIDDEN: usize = 4;

fn with_ints(mut node: NodeProto, name: &str, ints: &[i64]) -> NodeProto {
    node.attribute.push(Attribute { name: name.into(), ints: ints.to_vec(), ..Attribute::default() });
    node
}

fn with_text(mut node: NodeProto, name: &str, text: &str) -> NodeProto {
    node.attribute.push(Attribute { name: name.into(), s: text.into(), ..Attribute::default() });
    node
}

fn with_texts(mut node: NodeProto, name: &str, texts: &[&str]) -> NodeProto {
    let strings = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    node.attribute.push(Attribute { name: name.into(), strings, ..Attribute::default() });
    node
}

fn numbers(name: &str, dims: &[usize]) -> TensorProto {
    let count = dims.iter().product();
    let shape: Vec<i64> = dims.iter().map(|dim| *dim as i64).collect();
    tensor(name, &shape, &Numbers(count as u64 + 3).take(count))
}

/// Weights of a layer.
fn weights(gates: usize, ways: usize) -> Vec<TensorProto> {
    let rows = gates * HIDDEN;
    vec![numbers("W", &[ways, rows, CHANNELS]), numbers("R", &[ways, rows, HIDDEN]), numbers("B", &[ways, 2 * rows])]
}

fn cells(operator: &str, outputs: &[&str]) -> NodeProto {
    let mut node = with_int(node(operator, &["t", "W", "R", "B"], ""), "hidden_size", HIDDEN as i64);
    node.output = outputs.iter().map(|output| (*output).to_owned()).collect();
    node
}

/// A file with 5 steps of 3 channels, turned to `t`, and the output `y`, four sums of `h`, of `width` numbers.
fn file(nodes: Vec<NodeProto>, mut constants: Vec<TensorProto>, width: usize) -> ModelProto {
    let mut all = vec![with_ints(node("Transpose", &["x"], "t"), "perm", &[1, 0, 2])];
    all.extend(nodes);
    all.push(with_int(node("Gemm", &["h", "head"], "y"), "transB", 1));
    constants.push(numbers("head", &[4, width]));
    let mut file = model(all, constants);
    graph(&mut file).input = vec![value("x", &[0, STEPS as i64, CHANNELS as i64])];
    file
}

fn rows() -> Vec<Vec<f64>> {
    Numbers(6).rows(24, STEPS * CHANNELS)
}

fn import(file: &ModelProto, width: Width) -> Result<Imported, ImportError> {
    let precision = Precision::Fixed(Widths { features: width, hidden: width });
    let options = ImportOptions { calibration: rows(), precision, ..ImportOptions::new("series", "CC0-1.0") };
    import_onnx(&file.encode_to_vec(), &options)
}

/// Imports with both widths, and requires scores and layers near the float original's.
fn close(file: &ModelProto) -> Model {
    let bytes = file.encode_to_vec();
    for (width, most) in [(Width::Eight, 0.06), (Width::Sixteen, 0.02)] {
        let imported = import(file, width).unwrap();
        assert!(imported.report.calibration.largest_difference < most, "{}", imported.report);
        assert!(imported.report.layers.len() >= 3, "{}", imported.report);
    }
    let container = import(file, Width::Sixteen).unwrap().container;
    let original = crate::FloatModel::from_onnx(&bytes).unwrap();
    let kernels = Kernels::new(Level::best(), 1).unwrap();
    let comparison = compare(&original, &container, &rows(), &kernels).unwrap();
    assert!(
        comparison.layers.len() >= 2 && comparison.layers.iter().all(|layer| layer.relative < 0.03),
        "{comparison:?}"
    );
    Model::from_bytes(container).unwrap()
}

fn refused(file: &ModelProto, words: &[&str]) {
    let error = import(file, Width::Eight).unwrap_err().to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

fn squeeze(from: &str, axis: i64, to: &str) -> (NodeProto, TensorProto) {
    let name = format!("axis of {to}");
    (node("Squeeze", &[from, &name], to), integers(&name, &[axis]))
}

fn scalar(name: &str, value: i64) -> TensorProto {
    TensorProto { dims: vec![], ..integers(name, &[value]) }
}

#[test]
fn layers_in_every_direction_to_their_last_state() {
    for (operator, gates) in [("LSTM", 4), ("GRU", 3)] {
        for before in [0, 1] {
            for (direction, ways) in [("forward", 1), ("reverse", 1), ("bidirectional", 2)] {
                let layer = with_text(cells(operator, &["", "s"]), "direction", direction);
                let layer = if gates == 3 { with_int(layer, "linear_before_reset", before) } else { layer };
                let (mut nodes, mut constants) = (vec![layer], weights(gates, ways));
                if ways == 1 {
                    let (squeezed, axis) = squeeze("s", 0, "h");
                    nodes.push(squeezed);
                    constants.push(axis);
                } else {
                    nodes.push(with_ints(node("Transpose", &["s"], "turned"), "perm", &[1, 0, 2]));
                    nodes.push(node("Reshape", &["turned", "flat"], "h"));
                    constants.push(integers("flat", &[-1, 2 * HIDDEN as i64]));
                }
                let model = close(&file(nodes, constants, ways * HIDDEN));
                let all = |op: &Op| match op {
                    Op::Lstm(lstm) => Some(lstm.all),
                    Op::Gru(gru) => Some(gru.all),
                    _ => None,
                };
                let all: Vec<bool> = model.graph().nodes.iter().filter_map(|node| all(&node.op)).collect();
                assert_eq!(all, vec![false; ways], "the states before the last are not held");
            }
        }
    }
}

#[test]
fn every_state_and_some_of_them() {
    // Squeeze, turn, and one step of it, or two, or all.
    let (squeezed, axis) = squeeze("s", 1, "q");
    let turned = with_ints(node("Transpose", &["q"], "r"), "perm", &[1, 0, 2]);
    let begin = [cells("LSTM", &["s", "", "c"]), squeezed, turned];
    let constants = || [weights(4, 1), vec![axis.clone()]].concat();
    for (at, all) in [(-1, false), (4, false), (0, true), (2, true)] {
        let gather = with_int(node("Gather", &["r", "at"], "h"), "axis", 1);
        let file = file([&begin[..], &[gather]].concat(), [constants(), vec![scalar("at", at)]].concat(), HIDDEN);
        let model = close(&file);
        let lstm =
            model.graph().nodes.iter().find_map(|node| if let Op::Lstm(op) = &node.op { Some(op) } else { None });
        assert_eq!(lstm.unwrap().all, all);
    }
    let cut =
        |start: i64, end: i64| vec![integers("start", &[start]), integers("end", &[end]), integers("along", &[1])];
    let slice = node("Slice", &["r", "start", "end", "along"], "part");
    let flat = node("Flatten", &["part"], "h");
    let nodes = [&begin[..], &[slice.clone(), flat.clone()]].concat();
    close(&file(nodes.clone(), [constants(), cut(1, 3)].concat(), 2 * HIDDEN));
    close(&file(nodes.clone(), [constants(), cut(-2, i64::MAX)].concat(), 2 * HIDDEN));
    refused(&file(nodes, [constants(), cut(3, 3)].concat(), HIDDEN), &["the Slice", "from 3 to 3"]);
    let (one, gone) = squeeze("part", 1, "h");
    let nodes = [&begin[..], &[slice, one]].concat();
    close(&file(nodes, [constants(), cut(4, 5), vec![gone]].concat(), HIDDEN));
    let nodes = [&begin[..], &[node("Flatten", &["r"], "h")]].concat();
    close(&file(nodes, constants(), STEPS * HIDDEN));
}

#[test]
fn layers_behind_each_other_and_states_side_by_side() {
    let both = with_text(cells("GRU", &["s", "last"]), "direction", "bidirectional");
    let turned = with_ints(node("Transpose", &["s"], "r"), "perm", &[0, 2, 1, 3]);
    let flat = node("Reshape", &["r", "flat"], "f");
    let mut again = with_int(cells("LSTM", &["", "again"]), "hidden_size", HIDDEN as i64);
    again.attribute.remove(0);
    again.input = ["f", "W2", "R2"].map(str::to_owned).to_vec();
    again.name = "the second".into();
    let (squeezed, axis) = squeeze("again", 0, "a");
    let pick = |at: &str, to: &str| node("Gather", &["last", at], to);
    let nodes = vec![
        both,
        turned,
        flat,
        again,
        squeezed,
        pick("zero", "there"),
        pick("one", "back"),
        with_int(node("Concat", &["a", "there", "back"], "h"), "axis", 1),
    ];
    let constants = vec![
        integers("flat", &[0, 0, -1]),
        numbers("W2", &[1, 4 * HIDDEN, 2 * HIDDEN]),
        numbers("R2", &[1, 4 * HIDDEN, HIDDEN]),
        axis,
        scalar("zero", 0),
        scalar("one", -1),
    ];
    close(&file(nodes, [weights(3, 2), constants].concat(), 3 * HIDDEN));
}

#[test]
fn batch_first_and_states_that_begin_with_zeros_of_a_computed_shape() {
    let mut layer = with_int(cells("GRU", &["s"]), "layout", 1);
    layer.input = ["x", "W", "R", "B", "lengths", "zeros"].map(str::to_owned).to_vec();
    let lengths = TensorProto {
        name: "lengths".into(),
        dims: vec![2],
        data_type: INT32,
        int32_data: vec![5, 5],
        ..TensorProto::default()
    };
    let nodes = vec![
        node("Shape", &["x"], "shape"),
        node("Gather", &["shape", "at"], "batch"),
        node("Unsqueeze", &["batch", "first"], "batches"),
        with_int(node("Concat", &["one", "batches", "size"], "zeros of"), "axis", 0),
        node("ConstantOfShape", &["zeros of"], "zeros"),
        layer,
        node("Reshape", &["s", "flat"], "r"),
        node("Flatten", &["r"], "h"),
    ];
    let constants = vec![
        scalar("at", 0),
        integers("first", &[0]),
        integers("one", &[1]),
        integers("size", &[HIDDEN as i64]),
        integers("flat", &[0, 0, HIDDEN as i64]),
        lengths,
    ];
    close(&file(nodes, [weights(3, 1), constants].concat(), STEPS * HIDDEN));
}

#[test]
fn what_cannot_be_imported_is_refused_by_name() {
    let (squeezed, axis) = squeeze("s", 0, "h");
    let with = |layer: NodeProto, constants: Vec<TensorProto>| {
        file(vec![layer, squeezed.clone()], [constants, vec![axis.clone()]].concat(), HIDDEN)
    };
    let lstm = || cells("LSTM", &["", "s"]);
    let read = |inputs: &[&str]| NodeProto { input: inputs.iter().map(|name| (*name).to_owned()).collect(), ..lstm() };
    close(&with(with_texts(lstm(), "activations", &["Sigmoid", "Tanh", "Tanh"]), weights(4, 1)));
    for (layer, constants, words) in [
        (with_texts(lstm(), "activations", &["Sigmoid", "Relu", "Tanh"]), weights(4, 1), "other activations"),
        (with_int(lstm(), "input_forget", 1), weights(4, 1), "input_forget"),
        (with_int(lstm(), "clip", 1), weights(4, 1), "clips"),
        (with_int(lstm(), "layout", 2), weights(4, 1), "layout 2"),
        (with_text(lstm(), "direction", "sideways"), weights(4, 1), "direction `sideways`"),
        (with_text(lstm(), "direction", "bidirectional"), weights(4, 1), "2 ways"),
        (lstm(), weights(3, 1), "weights of shapes"),
        (read(&["x", "W", "R", "B"]), weights(4, 1), "before the batch"),
        (read(&["t", "W", "R", "W"]), weights(4, 1), "48 biases"),
        (read(&["t", "W", "R", "B", "", "W"]), weights(4, 1), "another state than zeros"),
        (read(&["t", "W", "R", "B", "", "", "", "B"]), weights(4, 1), "peepholes"),
        (read(&["t", "W", "R", "B", "W"]), weights(4, 1), "sequence_lens"),
        (read(&["t", "t", "R", "B"]), weights(4, 1), "must be a constant"),
        (read(&["t", "W", "W", "B"]), weights(4, 1), "weights of shapes"),
    ] {
        refused(&with(layer, constants), &["`the LSTM` (LSTM)", words]);
    }
    let mut four = lstm();
    four.output = ["", "s", "", "extra"].map(str::to_owned).to_vec();
    refused(&with(four, weights(4, 1)), &["4 results"]);
    let of_cells = NodeProto { input: vec!["c".into(), "axis of h".into()], ..squeezed.clone() };
    let nodes = vec![cells("LSTM", &["", "s", "c"]), of_cells];
    refused(&file(nodes, [weights(4, 1), vec![axis.clone()]].concat(), HIDDEN), &["the Squeeze", "cells of an LSTM"]);
    for (second, constants, words) in [
        (node("Squeeze", &["s", "n"], "h"), vec![integers("n", &[2])], "not one of length 1"),
        (node("Squeeze", &["s", "n"], "h"), vec![integers("n", &[3])], "axis 3 of 3"),
        (with_ints(node("Transpose", &["s"], "h"), "perm", &[0, 0, 1]), vec![], "perm [0, 0, 1]"),
        (with_ints(node("Transpose", &["s"], "h"), "perm", &[i64::MIN, 0, 1]), vec![], "perm"),
        (node("Gather", &["s", "n"], "h"), vec![scalar("n", 1)], "beyond 1"),
        (with_int(node("Gather", &["s", "n"], "h"), "axis", 1), vec![scalar("n", 0)], "rows of the batch"),
        (node("Reshape", &["s", "n"], "h"), vec![integers("n", &[-1, -1])], "to [-1, -1]"),
        (node("Relu", &["s"], "h"), vec![], "turn it to batch, steps, channels"),
        (node("Shape", &["s"], "h"), vec![], "the shape of a value"),
    ] {
        let nodes = vec![lstm(), second];
        refused(&file(nodes, [weights(4, 1), constants].concat(), HIDDEN), &[words]);
    }
    // Claims that no file bears out.
    let huge = TensorProto { dims: vec![1, 1 << 40, 3], ..numbers("W", &[1, 1, 1]) };
    refused(&with(lstm(), vec![huge, numbers("R", &[1, 16, 4]), numbers("B", &[1, 32])]), &["tensor `W`"]);
}
