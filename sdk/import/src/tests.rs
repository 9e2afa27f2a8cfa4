//! What can be imported, what cannot, and what hostile files do.

use noema_model::{Model, ops::Op};
use proptest::prelude::*;
use prost::Message;

use crate::{
    FloatModel, ImportError, ImportOptions, Precision, Table, Width, Widths, import_onnx,
    proto::{Attribute, DOUBLE, ModelProto, NodeProto, OperatorSetId, SparseTensor, TensorProto},
    sample::{
        Numbers, before, behind, graph, import, integers, model, network, node, options, rows, tensor, value, with_int,
    },
};

fn refused(model: &ModelProto) -> ImportError {
    let bytes = model.encode_to_vec();
    let error = import(model).unwrap_err();
    // The float model reads the same files, so what is wrong with a file is found there too.
    if !matches!(error, ImportError::Quantise { .. } | ImportError::Node { .. } | ImportError::Output(_)) {
        assert_eq!(FloatModel::from_onnx(&bytes).unwrap_err().to_string(), error.to_string());
    }
    error
}

fn refused_with(model: &ModelProto, words: &[&str]) {
    let error = refused(model).to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

/// Imports, and requires scores near the float original's.
fn close(model: &ModelProto) -> Model {
    let imported = import(model).unwrap();
    let agreement = imported.report.calibration;
    assert!(agreement.largest_difference < 0.02, "{agreement}");
    Model::from_bytes(imported.container).unwrap()
}

#[test]
fn the_usual_forms_of_a_classifier() {
    close(&network());
    // MatMul and Add instead of Gemm, weights the other way round.
    let mut numbers = Numbers(5);
    let spread = |constants: Vec<TensorProto>| {
        let mut all = vec![tensor("m", &[1, 3], &[0.5, -20.0, 300.0]), tensor("d", &[1, 3], &[5.0, 0.1, 0.001])];
        all.extend(constants);
        all
    };
    let matmul = model(
        vec![
            node("Sub", &["x", "m"], "a"),
            node("Mul", &["d", "a"], "b"),
            node("MatMul", &["b", "w1"], "c"),
            node("Add", &["b1", "c"], "d1"),
            node("Relu", &["d1"], "e"),
            with_int(node("Gemm", &["e", "w2"], "f"), "transB", 0),
            node("Identity", &["f"], "g"),
            node("Softmax", &["g"], "y"),
        ],
        spread(vec![
            tensor("w1", &[3, 8], &numbers.take(24)),
            tensor("b1", &[8], &numbers.take(8)),
            tensor("w2", &[8, 2], &numbers.take(16)),
        ]),
    );
    close(&matmul);
}

#[test]
fn weights_are_not_transposed_by_mistake() {
    let weights = [1.0, -0.5, 0.25, -0.75, 1.5, 0.125];
    let columns = [1.0, -0.75, -0.5, 1.5, 0.25, 0.125];
    let rows_of =
        model(vec![with_int(node("Gemm", &["x", "w"], "y"), "transB", 1)], vec![tensor("w", &[2, 3], &weights)]);
    let mut columns_of = model(vec![node("MatMul", &["x", "w"], "y")], vec![tensor("w", &[3, 2], &columns)]);
    let float = |model: &ModelProto| FloatModel::from_onnx(&model.encode_to_vec()).unwrap().predict(&rows()).unwrap();
    assert_eq!(float(&rows_of), float(&columns_of));
    let one = FloatModel::from_onnx(&rows_of.encode_to_vec()).unwrap().predict(&[vec![1.0, 2.0, 4.0]]).unwrap();
    assert_eq!(one[0].logits, [1.0, 2.75]);
    assert_eq!((one[0].class, &one[0].probabilities), (1, &None));
    graph(&mut columns_of).node[0].name = "the Gemm".into();
    assert_eq!(import(&rows_of).unwrap().container, import(&columns_of).unwrap().container);
}

#[test]
fn features_are_scaled_by_the_rows_where_the_network_does_not() {
    let plain = before(vec![node("Identity", &["s"], "y")], vec![]);
    let model = close(&plain);
    assert!(matches!(model.graph().nodes[0].op, Op::AddConst(_)));
    let names: Vec<_> = model.manifest().outputs.iter().map(|port| port.name.as_str()).collect();
    assert_eq!(names, ["logits", "class"], "no softmax, no probabilities");
    assert!(!model.graph().nodes.iter().any(|node| matches!(node.op, Op::Softmax(_))));
    // A feature that never changes.
    let calibration = rows().into_iter().map(|row| vec![row[0], 7.0, row[2]]).collect();
    import_onnx(&plain.encode_to_vec(), &options(calibration)).unwrap();
}

#[test]
fn features_may_be_turned_round_or_cut_at_zero() {
    let negative = tensor("k", &[3], &[-4.0, 0.25, -0.001]);
    close(&behind(vec![node("Mul", &["x", "k"], "h")], vec![negative.clone()]));
    close(&behind(vec![node("Relu", &["x"], "h")], vec![]));
    let positive = tensor("k", &[3], &[4.0, 0.25, 0.001]);
    let both = vec![node("Mul", &["x", "k"], "a"), node("Relu", &["a"], "h")];
    close(&behind(both.clone(), vec![positive]));
    refused_with(&behind(both, vec![negative]), &["feature 0", "-4", "before a Relu"]);
    let zero = tensor("k", &[3], &[1.0, 0.0, 1.0]);
    refused_with(&behind(vec![node("Mul", &["x", "k"], "h")], vec![zero]), &["feature 1", "multiplied by 0"]);
}

#[test]
fn constants_behind_a_layer_are_folded_into_it() {
    let folded = before(
        vec![
            node("Mul", &["s", "k"], "a"),
            node("Add", &["a", "m"], "b"),
            node("Div", &["b", "two"], "e"),
            node("Sub", &["e", "m"], "f"),
            node("Softmax", &["f"], "y"),
        ],
        vec![tensor("k", &[2], &[0.01, -0.02]), tensor("m", &[], &[0.5]), tensor("two", &[1], &[2.0])],
    );
    let model = close(&folded);
    assert_eq!(model.graph().nodes.iter().filter(|node| matches!(node.op, Op::Linear(_))).count(), 1);
    let relu = before(vec![node("Relu", &["s"], "y")], vec![]);
    let model = close(&relu);
    assert!(model.graph().nodes.iter().any(|node| matches!(node.op, Op::Relu(_))), "scores that are cut at zero");
}

#[test]
fn rows_may_have_axes_that_are_flattened() {
    for (operator, shape) in
        [("Flatten", None), ("Reshape", Some([0, -1])), ("Reshape", Some([-1, 3])), ("Reshape", Some([0, 3]))]
    {
        let constants: Vec<_> = shape.iter().map(|shape| integers("shape", shape)).collect();
        let inputs = if shape.is_some() { vec!["x", "shape"] } else { vec!["x"] };
        let mut model = behind(vec![node(operator, &inputs, "h")], constants);
        graph(&mut model).input = vec![value("x", &[0, 1, 3, 1])];
        assert_eq!(close(&model).manifest().inputs[0].shape, [3]);
    }
    let mut unflat = behind(vec![node("Identity", &["x"], "h")], vec![]);
    graph(&mut unflat).input = vec![value("x", &[0, 1, 3])];
    refused_with(&unflat, &["Gemm", "[1, 3]", "flatten"]);
    for shape in [vec![-1, -1], vec![1, 3], vec![3, -1], vec![-1], vec![0, 4], vec![0, 1, 3]] {
        let model = behind(vec![node("Reshape", &["x", "shape"], "h")], vec![integers("shape", &shape)]);
        refused_with(&model, &["`the Reshape` (Reshape)", "can be imported"]);
    }
    refused_with(&behind(vec![with_int(node("Flatten", &["x"], "h"), "axis", 0)], vec![]), &["axis 0 mixes rows"]);
}

#[test]
fn classes_may_be_asked_for_directly() {
    let argmax = |keep| with_int(with_int(node("ArgMax", &["s"], "y"), "axis", -1), "keepdims", keep);
    for keep in [0, 1] {
        close(&before(vec![argmax(keep)], vec![]));
    }
    let mut both = before(vec![node("Softmax", &["s"], "p"), with_int(node("ArgMax", &["p"], "y"), "axis", 1)], vec![]);
    graph(&mut both).output.push(value("p", &[0, 2]));
    let imported = import(&both).unwrap();
    assert_eq!(imported.report.calibration.same_class, 40);
    assert_eq!(Model::from_bytes(imported.container).unwrap().manifest().outputs.len(), 3);
    refused_with(&before(vec![node("ArgMax", &["s"], "y")], vec![]), &["axis 0"]);
    let last = with_int(with_int(node("ArgMax", &["s"], "y"), "axis", 1), "select_last_index", 1);
    refused_with(&before(vec![last], vec![]), &["select_last_index"]);
}

#[test]
fn constants_may_be_nodes_and_doubles() {
    let mut constant = node("Constant", &[], "m");
    let mut doubles = tensor("", &[3], &[]);
    doubles.data_type = DOUBLE;
    doubles.raw_data = None;
    doubles.double_data = vec![0.5, -20.0, 300.0];
    constant.attribute = vec![Attribute { name: "value".into(), t: Some(doubles), ..Attribute::default() }];
    close(&behind(vec![constant, node("Sub", &["x", "m"], "h")], vec![]));
    refused_with(&behind(vec![node("Constant", &[], "h")], vec![]), &["Constant", "value"]);
}

#[test]
fn unsupported_operators_are_named_with_what_is_supported() {
    let error = refused(&before(vec![node("RNN", &["s"], "y")], vec![]));
    assert!(matches!(error, ImportError::UnsupportedOperator { .. }));
    let text = error.to_string();
    for word in ["the RNN", "RNN", "Gemm", "MatMul", "Relu", "Softmax", "ArgMax", "Flatten"] {
        assert!(text.contains(word), "{text}");
    }
    let mut custom = node("Gemm", &["s", "w"], "y");
    custom.domain = "com.example".into();
    custom.name.clear();
    refused_with(&before(vec![custom], vec![]), &["`#1`", "com.example.Gemm"]);
}

#[test]
fn supported_operators_used_otherwise_are_named() {
    let gemm = || node("Gemm", &["x", "w", "c"], "y");
    let float = |name: &str, f: f32| {
        let mut node = with_int(gemm(), "transB", 1);
        node.attribute.push(Attribute { name: name.into(), f, ..Attribute::default() });
        node
    };
    let layer = |node: NodeProto, weights: &[i64], bias: &[i64]| {
        let count = |dims: &[i64]| usize::try_from(dims.iter().product::<i64>()).unwrap();
        let (w, c) = (vec![0.5; count(weights)], vec![0.5; count(bias)]);
        model(vec![node], vec![tensor("w", weights, &w), tensor("c", bias, &c)])
    };
    close(&layer(with_int(gemm(), "transB", 1), &[2, 3], &[1, 2]));
    close(&layer(gemm(), &[3, 2], &[1]));
    close(&layer(gemm(), &[3, 2], &[]));
    for (node, weights, bias, words) in [
        (float("alpha", 2.0), [2, 3], [2], "alpha and beta"),
        (float("beta", 0.5), [2, 3], [2], "alpha and beta"),
        (with_int(gemm(), "transA", 1), [3, 2], [2], "transA"),
        (with_int(gemm(), "transB", 2), [3, 2], [2], "transB is 2"),
        (gemm(), [2, 3], [2], "weights for 2 inputs, but a row has 3"),
        (gemm(), [3, 2], [3], "a bias of shape [3] for 2 outputs"),
        (gemm(), [3, 0], [2], "0 outputs"),
    ] {
        refused_with(&layer(node, &weights, &bias), &["`the Gemm` (Gemm)", words]);
    }
    let affine = |operator: &str, inputs: &[&str], constant: TensorProto| {
        behind(vec![node(operator, inputs, "h")], vec![constant])
    };
    for (model, words) in [
        (affine("Div", &["x", "k"], tensor("k", &[3], &[1.0, 0.0, 1.0])), "divides by zero"),
        (affine("Sub", &["k", "x"], tensor("k", &[3], &[1.0; 3])), "the constant on the left"),
        (affine("Add", &["x", "x"], tensor("k", &[3], &[1.0; 3])), "two computed values"),
        (affine("Add", &["x", "k"], tensor("k", &[2], &[1.0; 2])), "neither one number nor one for each of [3]"),
        (affine("Add", &["x", "k"], tensor("k", &[3, 1], &[1.0; 3])), "neither one number"),
        (affine("Add", &["x", "k"], tensor("k", &[1, 1, 3], &[1.0; 3])), "neither one number"),
        (affine("Add", &["k", "k"], tensor("k", &[3], &[1.0; 3])), "fold constants first"),
        (affine("Add", &["x"], tensor("k", &[3], &[1.0; 3])), "has 1 inputs"),
        (affine("Add", &["x", ""], tensor("k", &[3], &[1.0; 3])), "leaves out an input"),
        (affine("Add", &["x", "k"], integers("k", &[1, 2, 3])), "of integers"),
        (affine("Relu", &["k"], tensor("k", &[3], &[1.0; 3])), "works on the constant `k`"),
        (before(vec![with_int(node("Softmax", &["s"], "y"), "axis", 0)], vec![]), "axis 0"),
        (before(vec![node("Relu", &["s"], "r"), node("Add", &["r", "c"], "y")], vec![]), "stands behind a Relu"),
        (
            model(
                vec![node("Softmax", &["x"], "p"), with_int(node("Gemm", &["p", "w"], "y"), "transB", 1)],
                vec![tensor("w", &[2, 3], &[1.0; 6])],
            ),
            "stands before the end",
        ),
    ] {
        refused_with(&model, &[words]);
    }
    let mut two = before(vec![node("Relu", &["s"], "y")], vec![]);
    graph(&mut two).node[1].output.push("z".into());
    refused_with(&two, &["has 2 results"]);
}

#[test]
fn graphs_must_hold_together() {
    let mut missing = network();
    graph(&mut missing).initializer.remove(2);
    refused_with(&missing, &["node `the Gemm`", "`w1`", "no initialiser"]);

    let mut cycle = network();
    graph(&mut cycle).node[0].input[0] = "e".into();
    assert!(matches!(refused(&cycle), ImportError::Cycle { .. }));
    let mut own = network();
    graph(&mut own).node[3].input[0] = "e".into();
    refused_with(&own, &["`the Relu`", "`e`", "cycle"]);
    let mut unsorted = network();
    graph(&mut unsorted).node.swap(0, 1);
    assert!(matches!(refused(&unsorted), ImportError::Cycle { .. }));

    for (at, name) in [(0, "x"), (1, "a"), (2, "w1"), (3, "c")] {
        let mut twice = network();
        graph(&mut twice).node[at].output[0] = name.into();
        let error = import(&twice).unwrap_err();
        // Whichever is seen first: the second owner of the name, or who misses the name that was given up.
        assert!(matches!(
            error,
            ImportError::Duplicate(_) | ImportError::MissingValue { .. } | ImportError::Cycle { .. }
        ));
    }
    let mut twice = network();
    graph(&mut twice).initializer[1].name = "m".into();
    assert!(matches!(refused(&twice), ImportError::Duplicate(name) if name == "m"));
    let mut twice = network();
    graph(&mut twice).node.push(node("Relu", &["c"], "e"));
    assert!(matches!(refused(&twice), ImportError::Duplicate(name) if name == "e"));
    let mut shadow = network();
    graph(&mut shadow).node.push(node("Relu", &["c"], "w1"));
    assert!(matches!(refused(&shadow), ImportError::Duplicate(name) if name == "w1"));
}

#[test]
fn inputs_and_outputs_must_be_a_classifiers() {
    type Change = fn(&mut crate::proto::GraphProto);
    let cases: [(Change, &str); 12] = [
        (|graph| graph.input.clear(), "exactly one"),
        (|graph| graph.input.push(value("other", &[0, 3])), "exactly one"),
        (|graph| graph.input = vec![value("x", &[0])], "a batch and features"),
        (|graph| graph.input = vec![value("x", &[0, 0])], "without a fixed size"),
        (|graph| graph.input = vec![value("x", &[0, -3])], "without a fixed size"),
        (|graph| graph.input = vec![value("x", &[0, i64::MAX, i64::MAX])], "more than"),
        (|graph| graph.input = vec![value("x", &[0, 1 << 14, 1 << 13, 1 << 13])], "more than"),
        (|graph| graph.input[0].r#type = None, "is no tensor"),
        (|graph| graph.output.clear(), "the graph has none"),
        (|graph| graph.output = vec![value("nothing", &[])], "made by no node"),
        (|graph| graph.output = vec![value("w1", &[])], "is a constant"),
        (|graph| graph.output = vec![value("y", &[]), value("e", &[])], "other scores"),
    ];
    for (change, words) in cases {
        let mut model = network();
        change(graph(&mut model));
        refused_with(&model, &[words]);
    }
    let mut integer = network();
    graph(&mut integer).input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = 7;
    refused_with(&integer, &["element type 7"]);
    let mut listed = network();
    graph(&mut listed).input.push(value("w1", &[8, 3]));
    close(&listed);
    let mut no_layer = model(vec![node("Relu", &["x"], "y")], vec![]);
    graph(&mut no_layer).output = vec![value("y", &[])];
    refused_with(&no_layer, &["no Gemm or MatMul"]);
}

#[test]
fn tensors_must_be_what_they_say() {
    type Change = fn(&mut TensorProto);
    let cases: [(Change, &str); 12] = [
        (|tensor| tensor.raw_data.as_mut().unwrap().truncate(95), "95 bytes of data"),
        (|tensor| tensor.raw_data.as_mut().unwrap().push(0), "97 bytes of data"),
        (|tensor| tensor.raw_data = Some(vec![]), "0 bytes of data"),
        (|tensor| tensor.raw_data = None, "0 elements"),
        (|tensor| tensor.dims = vec![1 << 14, 1 << 13, 1 << 13], "96 bytes of data"),
        (|tensor| tensor.dims = vec![i64::MAX; 8], "beyond counting"),
        (|tensor| tensor.dims = vec![1 << 62, 2], "96 bytes of data"),
        (|tensor| tensor.dims = vec![-8, -3], "an axis of length -8"),
        (|tensor| tensor.dims = vec![1; 9], "9 axes"),
        (|tensor| tensor.data_type = 10, "element type 10"),
        (|tensor| tensor.data_location = 1, "single file"),
        (
            |tensor| tensor.raw_data.as_mut().unwrap()[8..12].copy_from_slice(&f32::NAN.to_le_bytes()),
            "element 2 is NaN",
        ),
    ];
    for (change, words) in cases {
        let mut model = network();
        change(&mut graph(&mut model).initializer[2]);
        refused_with(&model, &["tensor `w1`", words]);
    }
    let mut sparse = network();
    graph(&mut sparse).sparse_initializer.push(SparseTensor {});
    refused_with(&sparse, &["sparse"]);
}

#[test]
fn old_operator_sets_are_refused() {
    for (version, set) in [(12, ""), (0, "com.example")] {
        let mut old = network();
        old.opset_import = vec![OperatorSetId { domain: set.into(), version: 12.max(version) }];
        assert!(matches!(refused(&old), ImportError::Opset(found) if found == version));
    }
    let mut newest = network();
    newest.opset_import = vec![OperatorSetId { domain: "ai.onnx".into(), version: 13 }];
    close(&newest);
}

#[test]
fn rows_and_options_are_checked() {
    let bytes = network().encode_to_vec();
    let good = options(rows());
    let refused = |options: ImportOptions, words: &str| {
        let error = import_onnx(&bytes, &options).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let with_row = |row: Vec<f64>| ImportOptions { calibration: vec![rows()[0].clone(), row], ..good.clone() };
    refused(ImportOptions { calibration: vec![], ..good.clone() }, "no rows");
    refused(with_row(vec![1.0, 2.0]), "row 1: it has 2 features, the network takes 3");
    refused(with_row(vec![1.0, f64::NAN, 2.0]), "row 1: feature 1 is NaN");
    refused(with_row(vec![1.0, 1.0e300, 2.0]), "row 1: feature 1 is ");
    refused(with_row(vec![1.0, 1.0e30, 2.0]), "do not fit 32 bits");
    refused(ImportOptions { labels: vec!["one".into()], ..good.clone() }, "1 labels for 2 classes");
    refused(ImportOptions { input_fraction_bits: Some(31), ..good.clone() }, "31 fraction bits");
    refused(ImportOptions { input_fraction_bits: Some(30), ..good.clone() }, "fraction bits");
    let unlabelled = Table { rows: rows(), ..Table::default() };
    refused(ImportOptions { heldout: Some(unlabelled), ..good.clone() }, "each row needs its class");
    let eight = import_onnx(&bytes, &ImportOptions { input_fraction_bits: Some(8), ..good }).unwrap();
    assert_eq!(Model::from_bytes(eight.container).unwrap().manifest().inputs[0].fraction_bits, 8);
}

#[test]
fn tables_name_what_they_cannot_read() {
    let error = |csv: &str| Table::read_csv(csv.as_bytes()).unwrap_err().to_string();
    assert!(error("a,b,label\n1,2,0\n1,x,0\n").contains("line 3, column `b`: `x`"));
    assert!(error("a,label\n1,-1\n").contains("column `label`: `-1`"));
    assert!(error("a,label\ninf,1\n").contains("column `a`: `inf`"));
    assert!(error("a,b\n1,2,3\n").starts_with("table: "));
    assert!(Table::read_csv(&[0xff, 0xfe, b'\n', 0xff][..]).is_err());
    let plain = Table::read_csv("a, b\n 1 , 2.5\n".as_bytes()).unwrap();
    assert_eq!((plain.rows, plain.labels.len()), (vec![vec![1.0, 2.5]], 0));
}

#[test]
fn every_cut_of_a_file_is_an_error() {
    let bytes = network().encode_to_vec();
    for length in 0..bytes.len() {
        assert!(FloatModel::from_onnx(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(matches!(FloatModel::from_onnx(b"not protobuf"), Err(ImportError::NotOnnx(_))));
}

#[test]
fn precision_is_as_low_as_the_tolerance_allows() {
    let bytes = network().encode_to_vec();
    let widths = |tolerance| {
        let options = ImportOptions { precision: Precision::Auto { tolerance }, ..options(rows()) };
        import_onnx(&bytes, &options).unwrap().report.widths
    };
    let (eight, sixteen) = (Width::Eight, Width::Sixteen);
    assert_eq!(widths(1.0), Widths { features: eight, hidden: eight });
    assert_eq!(widths(0.0), Widths { features: sixteen, hidden: sixteen });
}

/// A random network of some depth, standardised or not.
fn random(widths: &[usize], standardised: bool, seed: u64) -> ModelProto {
    let mut numbers = Numbers(seed);
    let (mut nodes, mut constants, mut from) = (vec![], vec![], "x".to_owned());
    if standardised {
        nodes.extend([node("Sub", &["x", "mean"], "centred"), node("Div", &["centred", "deviation"], "standard")]);
        let deviation: Vec<f32> = numbers.take(widths[0]).iter().map(|x| 0.5 + x.abs()).collect();
        let dims = [i64::try_from(widths[0]).unwrap()];
        constants.extend([tensor("mean", &dims, &numbers.take(widths[0])), tensor("deviation", &dims, &deviation)]);
        from = "standard".into();
    }
    for (index, pair) in widths.windows(2).enumerate() {
        let (w, b, sums, hidden) = (format!("w{index}"), format!("b{index}"), format!("s{index}"), format!("h{index}"));
        let (k, n) = (pair[0], pair[1]);
        let dims = [i64::try_from(n).unwrap(), i64::try_from(k).unwrap()];
        constants.push(tensor(&w, &dims, &numbers.take(n * k)));
        constants.push(tensor(&b, &dims[..1], &numbers.take(n)));
        let mut gemm = with_int(node("Gemm", &[&from, &w, &b], &sums), "transB", 1);
        gemm.name = format!("layer {index}");
        nodes.push(gemm);
        nodes.push(node("Relu", &[&sums], &hidden));
        from = hidden;
    }
    nodes.pop();
    let last = nodes.last_mut().unwrap();
    last.output[0] = "y".into();
    let mut model = model(nodes, constants);
    graph(&mut model).input = vec![value("x", &[0, i64::try_from(widths[0]).unwrap()])];
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_networks_stay_close(
        widths in prop::collection::vec(2_usize..24, 2..5), standardised in any::<bool>(), seed in any::<u64>(),
    ) {
        let rows = Numbers(seed ^ 1).rows(48, widths[0]);
        let imported = import_onnx(&random(&widths, standardised, seed).encode_to_vec(), &options(rows)).unwrap();
        // What is left is the rounding of weights to 8 bits.
        prop_assert!(imported.report.calibration.largest_difference < 0.05, "{}", imported.report.calibration);
        prop_assert_eq!(imported.report.layers.len(), widths.len() - 1);
    }

    #[test]
    fn altered_files_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 1..5),
    ) {
        let mut bytes = network().encode_to_vec();
        for (at, value, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes.insert(at, value),
                1 => drop(bytes.remove(at)),
                2 => bytes[at] ^= 1 << (value % 8),
                _ => bytes[at] = value,
            }
        }
        if let Ok(imported) = import_onnx(&bytes, &options(rows())) {
            Model::from_bytes(imported.container).unwrap();
        }
    }
}
