//! The functions of one number at every 16-bit number, against checksums of values that `mpmath` and `crfix` gave.

use noema_tensor::kernel::{Format, Function, apply_function};
use noema_tensor::{Element, Kernels, Level};
use serde_json::Value;

fn checksum<T: Element>(kernels: &Kernels, function: Function, format: Format, x: &[i16]) -> u64 {
    let mut out = vec![T::default(); x.len()];
    apply_function(kernels, function, format, x, &mut out);
    out.iter().enumerate().fold(0u64, |sum, (i, value)| {
        let value: i64 = (*value).into();
        let weight = u64::try_from(2 * i + 1).unwrap();
        sum.wrapping_add(value.cast_unsigned().wrapping_mul(weight))
    })
}

#[test]
fn every_16_bit_number() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance-tests/checksums/functions.json");
    let lines: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let kernels = Kernels::new(Level::best(), 2).unwrap();
    let lines = lines.as_array().unwrap();
    assert_eq!(lines.len(), 3 * Function::ALL.len());
    for line in lines {
        let named = |function: &Function| line["function"] == format!("{function:?}").to_lowercase();
        let function = Function::ALL.into_iter().find(named).expect("a function");
        let bits = |name: &str| u32::try_from(line[name].as_u64().unwrap()).unwrap();
        let format = Format { in_bits: bits("in_bits"), out_bits: bits("out_bits") };
        let x: Vec<i16> = (i16::MIN..=i16::MAX).filter(|x| function.is_defined_at((*x).into())).collect();
        assert_eq!(line["elements"], x.len());
        let found = match line["dtype"].as_str().unwrap() {
            "i8" => checksum::<i8>(&kernels, function, format, &x),
            "i16" => checksum::<i16>(&kernels, function, format, &x),
            _ => checksum::<i32>(&kernels, function, format, &x),
        };
        assert_eq!(line["checksum"], format!("{found:016x}"), "{line}");
    }
}
