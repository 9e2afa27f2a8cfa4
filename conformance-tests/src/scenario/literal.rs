//! Bytes as they are written in vector files.

use std::collections::BTreeMap;

use serde_json::Value;

/// Names that stand for bytes: `@main` for an address, `model:two-scores` for an id.
pub(crate) type Names = BTreeMap<String, Vec<u8>>;

/// Reads bytes: a string, or a list whose parts are put one after the other.
///
/// | written | means |
/// |---|---|
/// | `00ff` or `hex:00ff` | these bytes |
/// | `text:abc` | UTF-8 |
/// | `u8:1,2`, `i8`, `u16`, `i16`, `u32`, `i32`, `u64`, `i64`, `u128` | little-endian numbers |
/// | `fill:ab:100` | the byte `ab`, 100 times |
/// | `@name`, `model:name` | an address, a model id |
pub(crate) fn bytes(value: &Value, names: &Names) -> Result<Vec<u8>, String> {
    match value {
        Value::String(text) => one(text, names),
        Value::Array(parts) => {
            parts.iter().map(|part| bytes(part, names)).collect::<Result<Vec<_>, _>>().map(|parts| parts.concat())
        }
        other => Err(format!("`{other}` are no bytes")),
    }
}

fn one(text: &str, names: &Names) -> Result<Vec<u8>, String> {
    if let Some(bytes) = names.get(text) {
        return Ok(bytes.clone());
    }
    let (kind, rest) = text.split_once(':').unwrap_or(("hex", text));
    match kind {
        "hex" => hex::decode(rest).map_err(|error| format!("`{text}`: {error}")),
        "text" => Ok(rest.as_bytes().to_vec()),
        "u8" => numbers::<u8, 1>(rest, u8::to_le_bytes),
        "i8" => numbers::<i8, 1>(rest, i8::to_le_bytes),
        "u16" => numbers::<u16, 2>(rest, u16::to_le_bytes),
        "i16" => numbers::<i16, 2>(rest, i16::to_le_bytes),
        "u32" => numbers::<u32, 4>(rest, u32::to_le_bytes),
        "i32" => numbers::<i32, 4>(rest, i32::to_le_bytes),
        "u64" => numbers::<u64, 8>(rest, u64::to_le_bytes),
        "i64" => numbers::<i64, 8>(rest, i64::to_le_bytes),
        "u128" => numbers::<u128, 16>(rest, u128::to_le_bytes),
        "fill" => {
            let (byte, count) = rest.split_once(':').ok_or_else(|| format!("`{text}` needs a byte and a count"))?;
            let byte = u8::from_str_radix(byte, 16).map_err(|error| format!("`{text}`: {error}"))?;
            let count: usize = count.parse().map_err(|error| format!("`{text}`: {error}"))?;
            Ok(vec![byte; count])
        }
        _ => Err(format!("`{text}` is not known")),
    }
}

fn numbers<T: std::str::FromStr<Err: std::fmt::Display>, const N: usize>(
    text: &str,
    to_bytes: impl Fn(T) -> [u8; N],
) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for number in text.split(',').filter(|number| !number.is_empty()) {
        let number = number.trim().parse::<T>().map_err(|error| format!("`{number}`: {error}"))?;
        bytes.extend_from_slice(&to_bytes(number));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Names, bytes};
    use serde_json::json;

    #[test]
    fn literals() {
        let names = Names::from([("@main".to_owned(), vec![1, 2])]);
        for (value, expected) in [
            (json!("00ff"), vec![0, 255]),
            (json!(""), vec![]),
            (json!("text:hi:x"), b"hi:x".to_vec()),
            (json!("i16:-2,3"), vec![254, 255, 3, 0]),
            (json!("u32:"), vec![]),
            (json!("fill:ab:3"), vec![0xab; 3]),
            (json!("@main"), vec![1, 2]),
            (json!(["u8:9", "@main"]), vec![9, 1, 2]),
        ] {
            assert_eq!(bytes(&value, &names), Ok(expected), "{value}");
        }
        for wrong in [json!("0"), json!("i8:128"), json!("zz:1"), json!("@other"), json!(3), json!("fill:ab")] {
            assert!(bytes(&wrong, &names).is_err(), "{wrong}");
        }
    }
}
