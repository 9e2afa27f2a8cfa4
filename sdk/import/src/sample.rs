//! Networks for the tests, written as messages.

use prost::Message;

use crate::{
    ImportError, ImportOptions, Imported, Precision, Width, Widths, import_onnx,
    proto::{
        Attribute, Dimension, FLOAT, GraphProto, ModelProto, NodeProto, OperatorSetId, ShapeProto, TensorProto,
        TensorType, TypeProto, ValueInfo,
    },
};

/// Numbers between -1 and 1 from a seed.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        f64::from(u32::try_from(self.0 >> 33).unwrap()) / f64::from(1_u32 << 30) - 1.0
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next() as f32).collect()
    }

    pub(crate) fn rows(&mut self, count: usize, width: usize) -> Vec<Vec<f64>> {
        (0..count).map(|_| (0..width).map(|_| self.next()).collect()).collect()
    }
}

pub(crate) fn tensor(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        dims: dims.to_vec(),
        data_type: FLOAT,
        name: name.into(),
        raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        ..TensorProto::default()
    }
}

pub(crate) fn integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        dims: vec![i64::try_from(values.len()).unwrap()],
        data_type: crate::proto::INT64,
        name: name.into(),
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

pub(crate) fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.into()],
        name: format!("the {operator}"),
        op_type: operator.into(),
        ..NodeProto::default()
    }
}

pub(crate) fn with_int(mut node: NodeProto, name: &str, value: i64) -> NodeProto {
    node.attribute.push(Attribute { name: name.into(), i: value, ..Attribute::default() });
    node
}

pub(crate) fn value(name: &str, dims: &[i64]) -> ValueInfo {
    let dim = dims.iter().map(|dim| Dimension { dim_value: *dim }).collect();
    let tensor_type = Some(TensorType { elem_type: FLOAT, shape: Some(ShapeProto { dim }) });
    ValueInfo { name: name.into(), r#type: Some(TypeProto { tensor_type }) }
}

/// A file with input `x` of 3 features and output `y`.
pub(crate) fn model(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    ModelProto {
        graph: Some(GraphProto {
            node: nodes,
            initializer,
            input: vec![value("x", &[0, 3])],
            output: vec![value("y", &[0, 2])],
            sparse_initializer: vec![],
        }),
        opset_import: vec![OperatorSetId { domain: String::new(), version: 17 }],
    }
}

/// `x - m`, `/ d`, two layers, softmax.
pub(crate) fn network() -> ModelProto {
    let mut numbers = Numbers(1);
    model(
        vec![
            node("Sub", &["x", "m"], "a"),
            node("Div", &["a", "d"], "b"),
            with_int(node("Gemm", &["b", "w1", "b1"], "c"), "transB", 1),
            node("Relu", &["c"], "e"),
            with_int(node("Gemm", &["e", "w2", "b2"], "f"), "transB", 1),
            with_int(node("Softmax", &["f"], "y"), "axis", -1),
        ],
        vec![
            tensor("m", &[3], &[0.5, -20.0, 300.0]),
            tensor("d", &[3], &[0.1, 4.0, 1000.0]),
            tensor("w1", &[8, 3], &numbers.take(24)),
            tensor("b1", &[8], &numbers.take(8)),
            tensor("w2", &[2, 8], &numbers.take(16)),
            tensor("b2", &[2], &numbers.take(2)),
        ],
    )
}

/// One layer behind some nodes that make `h` of `x`, with more initialisers.
pub(crate) fn behind(mut nodes: Vec<NodeProto>, mut constants: Vec<TensorProto>) -> ModelProto {
    nodes.push(with_int(node("Gemm", &["h", "w"], "y"), "transB", 1));
    constants.push(tensor("w", &[2, 3], &[1.0, -0.5, 0.25, -0.75, 1.5, 0.125]));
    model(nodes, constants)
}

/// One layer that makes `s` of `x`, with more nodes behind it.
pub(crate) fn before(nodes: Vec<NodeProto>, mut constants: Vec<TensorProto>) -> ModelProto {
    let mut all = vec![with_int(node("Gemm", &["x", "w", "c"], "s"), "transB", 1)];
    all.extend(nodes);
    constants.push(tensor("w", &[2, 3], &[1.0, -0.5, 0.25, -0.75, 1.5, 0.125]));
    constants.push(tensor("c", &[2], &[0.5, -0.25]));
    model(all, constants)
}

pub(crate) fn rows() -> Vec<Vec<f64>> {
    let rows = Numbers(9).rows(40, 3);
    rows.into_iter().map(|row| vec![0.5 + row[0] * 0.2, -20.0 + row[1] * 8.0, 300.0 + row[2] * 2000.0]).collect()
}

pub(crate) fn options(calibration: Vec<Vec<f64>>) -> ImportOptions {
    let precision = Precision::Fixed(Widths { features: Width::Sixteen, hidden: Width::Sixteen });
    ImportOptions { calibration, precision, ..ImportOptions::new("sample", "CC0-1.0") }
}

pub(crate) fn import(model: &ModelProto) -> Result<Imported, ImportError> {
    import_onnx(&model.encode_to_vec(), &options(rows()))
}

pub(crate) fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}
