//! A call of every opcode that succeeds: the first vector of its row with a result.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use noema_tensor::{DType, Shape, Tensor, ops};
use serde_json::Value;

use super::scene::Raw;

/// What a call of an opcode needs in its scene.
pub(super) struct Opcode {
    /// They get the handles from [`FIRST_HANDLE`] on.
    pub(super) tensors: Vec<Tensor>,
    /// What lies in memory from [`FIRST_PLACE`] on.
    pub(super) memory: Vec<u8>,
    pub(super) raw: Raw,
}

/// The handle after those of the scene.
const FIRST_HANDLE: usize = 8;
/// Memory that the scene does not use.
pub(super) const FIRST_PLACE: usize = 0x1000;

/// The call of the opcode of this name.
pub(super) fn opcode(name: &str) -> &'static Opcode {
    static ALL: OnceLock<BTreeMap<&str, Opcode>> = OnceLock::new();
    let all = ALL.get_or_init(|| ops::NAMES.iter().map(|name| (*name, read(name))).collect());
    all.get(name).unwrap_or_else(|| panic!("op.{name} is not in the table"))
}

fn read(name: &str) -> Opcode {
    let path = format!("{}/../../conformance-tests/vectors/op.{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let file: Value = serde_json::from_str(&text).unwrap();
    let good = file["cases"].as_array().unwrap().iter().find(|case| !case["result"].is_null());
    let mut call = Opcode { tensors: Vec::new(), memory: Vec::new(), raw: Vec::new() };
    for argument in good.expect("a case with a result")["args"].as_array().unwrap() {
        let (kind, value) = argument.as_object().unwrap().iter().next().unwrap();
        match kind.as_str() {
            "tensor" => {
                call.raw.push(i64::try_from(FIRST_HANDLE + call.tensors.len()).unwrap());
                call.tensors.push(tensor(value));
            }
            "bytes" => {
                let bytes = super::scene::hex(value.as_str().unwrap());
                call.raw.push(i64::try_from(FIRST_PLACE + call.memory.len()).unwrap());
                call.raw.push(i64::try_from(bytes.len()).unwrap());
                call.memory.extend(bytes);
            }
            "u64" => call.raw.push(value.as_u64().unwrap().cast_signed()),
            _ => call.raw.push(value.as_i64().unwrap()),
        }
    }
    call
}

fn tensor(value: &Value) -> Tensor {
    let dims: Vec<u32> =
        value["shape"].as_array().unwrap().iter().map(|dim| u32::try_from(dim.as_u64().unwrap()).unwrap()).collect();
    let dtype = DType::ALL.into_iter().find(|dtype| value["dtype"] == dtype.name()).unwrap();
    let data = value["data"].as_array().expect("the first case of a row has its data written out");
    let bytes = data.iter().flat_map(|element| element.as_i64().unwrap().to_le_bytes()[..dtype.size()].to_vec());
    Tensor::from_le_bytes(dtype, Shape::new(&dims).unwrap(), &bytes.collect::<Vec<u8>>()).unwrap()
}
