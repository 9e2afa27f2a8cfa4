//! The vectors of the `op` rows, at every level of this machine, on one and on two threads.

use std::path::Path;

use noema_tensor::{
    DType, Element, Kernels, Level, OpError, Shape, Status, Tensor,
    ops::{self, Arg},
};
use serde_json::Value;

fn dtype(name: &str) -> DType {
    DType::ALL.into_iter().find(|dtype| dtype.name() == name).expect("an element type")
}

fn tensor(value: &Value) -> Tensor {
    let dims: Vec<u32> = value["shape"].as_array().unwrap().iter().map(number).collect();
    let shape = Shape::new(&dims).unwrap();
    match dtype(value["dtype"].as_str().unwrap()) {
        DType::I8 => of::<i8>(shape, value),
        DType::U8 => of::<u8>(shape, value),
        DType::I16 => of::<i16>(shape, value),
        DType::I32 => of::<i32>(shape, value),
        DType::I64 => of::<i64>(shape, value),
    }
}

fn of<T: Element + TryFrom<i64, Error: std::fmt::Debug>>(shape: Shape, value: &Value) -> Tensor {
    let elements = usize::try_from(shape.elements().unwrap()).unwrap();
    let data: Vec<T> = match value.get("fill") {
        Some(fill) => vec![number(fill); elements],
        None => value["data"].as_array().unwrap().iter().map(number).collect(),
    };
    Tensor::from_vec(shape, data).unwrap()
}

fn number<T: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value) -> T {
    T::try_from(value.as_i64().expect("an integer of 64 bits")).expect("a number of its type")
}

/// An argument that owns what it points to.
enum Owned {
    Tensor(Tensor),
    Bytes(Vec<u8>),
    Number(Arg<'static>),
}

fn argument(value: &Value) -> Owned {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "tensor" => Owned::Tensor(tensor(value)),
        "bytes" => Owned::Bytes(hex::decode(value.as_str().unwrap()).unwrap()),
        "u32" => Owned::Number(Arg::U32(number(value))),
        "i32" => Owned::Number(Arg::I32(number(value))),
        "u64" => Owned::Number(Arg::U64(value.as_u64().unwrap())),
        "i64" => Owned::Number(Arg::I64(number(value))),
        other => panic!("an argument of kind {other}"),
    }
}

fn same(a: &Tensor, b: &Tensor) -> bool {
    a.dtype() == b.dtype() && a.shape() == b.shape() && a.to_le_bytes().unwrap() == b.to_le_bytes().unwrap()
}

#[test]
fn every_level_answers_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance-tests/vectors");
    let kernels: Vec<Kernels> = Level::available()
        .into_iter()
        .flat_map(|level| [1, 2].map(|threads| Kernels::new(level, threads).unwrap()))
        .collect();
    for name in ops::NAMES {
        let path = folder.join(format!("op.{name}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(file["row"], format!("op.{name}"));
        let cases = file["cases"].as_array().unwrap();
        assert!(cases.len() >= 10, "{name}: {} cases", cases.len());
        for case in cases {
            let owned: Vec<Owned> = case["args"].as_array().unwrap().iter().map(argument).collect();
            let args: Vec<Arg<'_>> = owned
                .iter()
                .map(|owned| match owned {
                    Owned::Tensor(tensor) => Arg::Tensor(tensor),
                    Owned::Bytes(bytes) => Arg::Bytes(bytes),
                    Owned::Number(number) => *number,
                })
                .collect();
            let expected = case.get("result").map(|result| tensor(&result["tensor"]));
            for kernels in &kernels {
                let at = format!("{name}, {}, {} with {} threads", case["name"], kernels.level(), kernels.threads());
                match (ops::call(kernels, name, &args), &expected) {
                    (Ok(found), Some(expected)) => {
                        assert!(same(&found, expected), "{at}: {found:?} and not {expected:?}");
                    }
                    (Err(OpError::Status(found)), None) => {
                        assert_eq!(found.name(), case["status"].as_str().unwrap(), "{at}");
                        assert!(Status::ALL.iter().any(|(status, _)| *status == found));
                    }
                    (found, _) => panic!("{at}: {found:?}, and expected {case}"),
                }
            }
        }
    }
}
