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
    // A length that reaches far beyond the end.
    let huge = [7 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert!(matches!(FloatModel::from_onnx(&huge), Err(ImportError::NotOnnx(_))));
    let used = high_water() - before;
    assert!(used < 64 << 20, "{used} bytes");
}
