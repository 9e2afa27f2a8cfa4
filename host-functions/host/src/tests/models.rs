//! Real models as contracts call them: what `model.cost` and `model.cost_of` tell is what `model.run` then charges.

use std::{fs, path::PathBuf, sync::Arc};

use noema_abi::{DType, ProtocolVersion, Status, find};
use noema_model::{Model, graph::SEQUENCE};
use noema_tensor::{Shape, Tensor};

use super::scene::{OUT, call, hex, scene};

/// Every container of the vectors that is sound.
fn models() -> Vec<(String, Model)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance-tests/vectors/models");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        let bytes = match name.rsplit_once('.').unwrap().1 {
            "hex" => hex(&String::from_utf8(bytes).unwrap().split_whitespace().collect::<String>()),
            "model" => bytes,
            _ => continue,
        };
        if !name.starts_with("refused") {
            found.push((name, Model::from_bytes(bytes).unwrap()));
        }
    }
    found
}

/// Zeros, and 1 where an input says how much of another one counts.
fn input(dtype: DType, dims: &[u32], batch: u32, length: u32) -> Tensor {
    let axis = |dim: &u32| if dim & SEQUENCE == 0 { *dim } else { length };
    let shape = Shape::new(&std::iter::once(batch).chain(dims.iter().map(axis)).collect::<Vec<_>>()).unwrap();
    let elements = usize::try_from(shape.elements().unwrap()).unwrap();
    if dtype == DType::I32 && dims.is_empty() {
        return Tensor::from_vec(shape, vec![1_i32; elements]).unwrap();
    }
    Tensor::from_le_bytes(dtype, shape, &vec![0; elements * dtype.size()]).unwrap()
}

#[test]
fn what_a_run_costs_is_told_before() {
    let models = models();
    assert!(models.len() >= 10, "models of every kind are there");
    let mut runs = 0;
    for (name, model) in models {
        let (longest, model) = (model.longest(), Arc::new(model));
        let mut lengths = vec![1, longest.div_ceil(2), longest];
        lengths.dedup();
        for (batch, length) in
            [1_u32, 2, 5].into_iter().flat_map(|batch| lengths.iter().map(move |length| (batch, *length)))
        {
            let mut guest = scene();
            let handle = guest.frame.tensors.insert_model([7; 32], Arc::clone(&model)).unwrap();
            let mut handles = Vec::new();
            for edge in &model.graph().inputs {
                let tensor = input(edge.dtype, &edge.dims, batch, length);
                handles.extend(guest.frame.tensors.insert(tensor).unwrap().to_le_bytes());
            }
            guest.memory[0x1d0..0x1d0 + handles.len()].copy_from_slice(&handles);
            let (model_handle, bytes) = (i64::from(handle), i64::try_from(handles.len()).unwrap());
            let mut answer = |row: &str, raw: &[i64]| {
                let before = guest.frame.charged();
                let answer = call(&mut guest, find("model", row).unwrap(), raw).unwrap();
                (Status::from_return(answer), guest.frame.charged() - before)
            };
            let (told, paid) = answer("cost_of", &[model_handle, batch.into(), length.into()]);
            let told = told.unwrap();
            // Also where the length was asked for before.
            let nodes = if model.graph().has_sequence() { model.graph().nodes.len() } else { 0 };
            assert_eq!(paid, 50_000 + 250_000 * u64::try_from(nodes).unwrap(), "{name}");
            if length == longest {
                assert_eq!(answer("cost", &[model_handle, batch.into()]).0, Ok(told), "{name}");
            }
            let (made, charged) = answer("run", &[model_handle, 0x1d0, bytes, OUT, 64]);
            assert!(made.is_ok(), "{name}, {batch} rows of {length}: {made:?}");
            // The price of the row: its base, and the bytes of handles and of the room for more.
            assert_eq!(charged, 2_000_000 + 100 * (bytes.unsigned_abs() + 64) + told, "{name}, {batch} of {length}");
            // What does not depend on the batch comes first: a length that is new takes time before its price is known.
            let base = model.base_cost(ProtocolVersion::LATEST);
            let charges: Vec<u64> = guest.frame.charges.iter().rev().take(2).map(|(_, gas)| *gas).collect();
            assert_eq!(charges, [told - base, base], "{name}, {batch} of {length}");
            runs += 1;
        }
    }
    assert!(runs >= 40, "{runs}");
}
