//! Files that would decode to many times their size must be refused without using that memory. One test in its own
//! process, so that nothing else moves the high-water mark.

#![cfg(target_os = "linux")]

use noema_import::{FloatModel, ImportError};

/// The most memory that this process has used so far, in bytes.
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn field(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = payload.len();
    while length >= 128 {
        bytes.push(u8::try_from(length % 128).unwrap() | 128);
        length /= 128;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend(payload);
    bytes
}

fn text(number: u8, text: &str) -> Vec<u8> {
    field(number, text.as_bytes())
}

/// As many layers as `count` of a square of weights that stands in the file once; with a `Dropout` before each they are a network for the
/// importer of images.
fn many_layers(width: usize, count: usize, with_dropout: bool) -> Vec<u8> {
    let dimension = |width: usize| field(1, &[&[8][..], &varint(width)].concat());
    let shape = field(2, &[dimension(1), dimension(width)].concat());
    let tensor_type = field(2, &field(1, &[&[8, 1][..], &shape].concat()));
    let input = [text(1, "x0"), tensor_type].concat();
    let weights = [
        &field(1, &[varint(width), varint(width)].concat())[..],
        &[16, 1],
        &text(8, "w"),
        &field(9, &vec![0; 4 * width * width]),
    ]
    .concat();
    let node = |operator: &str, inputs: &[&str], output: &str| {
        let inputs: Vec<u8> = inputs.iter().flat_map(|input| text(1, input)).collect();
        field(1, &[inputs, text(2, output), text(4, operator)].concat())
    };
    let mut graph = vec![];
    for layer in 0..count {
        let (from, between, to) = (format!("x{layer}"), format!("d{layer}"), format!("x{}", layer + 1));
        if with_dropout {
            graph.extend(node("Dropout", &[&from], &between));
        }
        graph.extend(node("MatMul", &[if with_dropout { &between } else { &from }, "w"], &to));
    }
    graph.extend(field(5, &weights));
    graph.extend(field(11, &input));
    graph.extend(field(12, &text(1, &format!("x{count}"))));
    [field(7, &graph), field(8, &[16, 17])].concat()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = vec![];
    while value >= 128 {
        bytes.push(u8::try_from(value % 128).unwrap() | 128);
        value /= 128;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

#[test]
fn small_messages_do_not_become_large_ones() {
    const COUNT: usize = 2_000_000;
    let before = high_water();
    let empty = |number: u8| [number << 3 | 2, 0].repeat(COUNT);
    // Dimensions of one tensor, one byte each.
    let dims = field(5, &field(1, &[1; COUNT]));
    let node_with = |number| field(1, &empty(number));
    let graphs = [empty(1), empty(5), empty(11), empty(12), empty(15), node_with(1), node_with(2), node_with(5), dims];
    for graph in graphs {
        let file = field(7, &graph);
        let error = FloatModel::from_onnx(&file).unwrap_err();
        assert!(matches!(error, ImportError::Limit { what: "number of items in the file", .. }), "{error}");
    }
    assert!(matches!(FloatModel::from_onnx(&empty(8)), Err(ImportError::Limit { .. })));
    // Texts of one attribute, and numbers of one, one byte each.
    for attribute in [empty(9), field(8, &vec![1; 17_000_000])] {
        let file = field(7, &field(1, &field(5, &attribute)));
        let error = FloatModel::from_onnx(&file).unwrap_err();
        assert!(matches!(error, ImportError::Limit { what: "number of numbers in attributes", .. }), "{error}");
    }
    // The same weights read by many layers: 2^28 of them are claimed by a file of a megabyte.
    for with_dropout in [false, true] {
        let error = FloatModel::from_onnx(&many_layers(1 << 9, 1030, with_dropout)).unwrap_err();
        assert!(error.to_string().contains("weights and constants up to here"), "{error}");
    }
    // A length that reaches far beyond the end.
    let huge = [7 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert!(matches!(FloatModel::from_onnx(&huge), Err(ImportError::NotOnnx(_))));
    let used = high_water() - before;
    assert!(used < 96 << 20, "{used} bytes");
}
