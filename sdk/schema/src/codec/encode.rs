//! JSON to borsh.

use serde_json::{Map, Value};

use super::{At, Budget, nullable, shown, wrong};
use crate::{Body, MAX_DEPTH, Schema, SchemaError, TypeRef};

type Output = Vec<u8>;

pub(super) fn encode(
    schema: &Schema,
    ty: &TypeRef,
    value: &Value,
    out: &mut Output,
    budget: &mut Budget,
) -> Result<(), SchemaError> {
    budget.enter(|budget| match ty {
        TypeRef::Unit => match value {
            Value::Null => Ok(()),
            _ => mismatch(ty, value),
        },
        TypeRef::Bool => match value {
            Value::Bool(value) => {
                out.push(u8::from(*value));
                Ok(())
            }
            _ => mismatch(ty, value),
        },
        TypeRef::U8 => integer::<u8>(ty, value).map(|n| out.extend(n.to_le_bytes())),
        TypeRef::U16 => integer::<u16>(ty, value).map(|n| out.extend(n.to_le_bytes())),
        TypeRef::U32 => integer::<u32>(ty, value).map(|n| out.extend(n.to_le_bytes())),
        TypeRef::U64 => integer::<u64>(ty, value).map(|n| out.extend(n.to_le_bytes())),
        TypeRef::U128 => integer::<u128>(ty, value).map(|n| out.extend(n.to_le_bytes())),
        TypeRef::I8 => integer::<i8>(ty, value).map(|n| out.extend(n.to_le_bytes())),
        TypeRef::I16 => integer::<i16>(ty, value).map(|n| out.extend(n.to_le_bytes())),
        TypeRef::I32 => integer::<i32>(ty, value).map(|n| out.extend(n.to_le_bytes())),
        TypeRef::I64 => integer::<i64>(ty, value).map(|n| out.extend(n.to_le_bytes())),
        TypeRef::I128 => integer::<i128>(ty, value).map(|n| out.extend(n.to_le_bytes())),
        TypeRef::String => match value {
            Value::String(text) => bytes(text.as_bytes(), out),
            _ => mismatch(ty, value),
        },
        TypeRef::Address | TypeRef::Hash => {
            let text = value.as_str().unwrap_or_default();
            let mut digest = [0; 32];
            match hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut digest) {
                Ok(()) => out.extend(digest),
                Err(_) => return wrong(format!("expected 64 hexadecimal digits, found {}", shown(value))),
            }
            Ok(())
        }
        TypeRef::Fixed(bits) => {
            let text = match value {
                Value::Number(number) => number.to_string(),
                Value::String(text) => text.clone(),
                _ => return mismatch(ty, value),
            };
            match noema_sdk::fixed::parse(&text, *bits) {
                Ok(number) => out.extend(number.to_le_bytes()),
                Err(error) => return wrong(format!("{}: {error}", shown(value))),
            }
            Ok(())
        }
        TypeRef::Option(inner) => option(schema, inner, value, out, budget),
        TypeRef::List(inner) => {
            if let Some(raw) = raw_bytes(inner, value)? {
                return bytes(&raw, out);
            }
            let Value::Array(values) = value else { return mismatch(ty, value) };
            length(values.len(), out)?;
            each(schema, values, |_| inner, out, budget)
        }
        TypeRef::Array(inner, len) => {
            let len = usize::try_from(*len).map_err(|_| SchemaError::Limit)?;
            if let Some(raw) = raw_bytes(inner, value)? {
                if raw.len() != len {
                    return wrong(format!("expected {len} bytes, found {}", raw.len()));
                }
                out.extend(raw);
                return Ok(());
            }
            let values = elements(ty, value, len)?;
            each(schema, values, |_| inner, out, budget)
        }
        TypeRef::Tuple(inner) => {
            let values = elements(ty, value, inner.len())?;
            each(schema, values, |index| &inner[index], out, budget)
        }
        TypeRef::Map(key, inner) => map(schema, key, inner, value, out, budget),
        TypeRef::Type(name) => match schema.definition(name) {
            Some(definition) => body(schema, name, definition, value, out, budget),
            None => Err(SchemaError::Invalid(format!("it does not define the type `{name}`"))),
        },
    })
}

fn mismatch<T>(ty: &TypeRef, value: &Value) -> Result<T, SchemaError> {
    wrong(format!("expected {ty}, found {}", shown(value)))
}

fn integer<N: std::str::FromStr>(ty: &TypeRef, value: &Value) -> Result<N, SchemaError> {
    // A JSON number is written as it was read, so its text holds every digit; a fraction does not parse.
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return mismatch(ty, value),
    };
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) => mismatch(ty, value),
    }
}

fn length(len: usize, out: &mut Output) -> Result<(), SchemaError> {
    out.extend(u32::try_from(len).map_err(|_| SchemaError::Limit)?.to_le_bytes());
    Ok(())
}

/// A length and that many bytes.
pub(super) fn bytes(bytes: &[u8], out: &mut Output) -> Result<(), SchemaError> {
    length(bytes.len(), out)?;
    out.extend(bytes);
    Ok(())
}

/// The bytes of `"0x…"` where bytes are expected.
fn raw_bytes(inner: &TypeRef, value: &Value) -> Result<Option<Vec<u8>>, SchemaError> {
    let (TypeRef::U8, Value::String(text)) = (inner, value) else { return Ok(None) };
    let decoded = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok());
    match decoded {
        Some(bytes) => Ok(Some(bytes)),
        None => wrong(format!("expected 0x and hexadecimal digits, found {}", shown(value))),
    }
}

fn elements<'a>(ty: &TypeRef, value: &'a Value, len: usize) -> Result<&'a [Value], SchemaError> {
    match value {
        Value::Array(values) if values.len() == len => Ok(values),
        Value::Array(values) => wrong(format!("expected {len} elements, found {}", values.len())),
        _ => mismatch(ty, value),
    }
}

fn each<'a>(
    schema: &Schema,
    values: &[Value],
    ty: impl Fn(usize) -> &'a TypeRef,
    out: &mut Output,
    budget: &mut Budget,
) -> Result<(), SchemaError> {
    values
        .iter()
        .enumerate()
        .try_for_each(|(index, value)| encode(schema, ty(index), value, out, budget).at_index(index))
}

fn option(
    schema: &Schema,
    inner: &TypeRef,
    value: &Value,
    out: &mut Output,
    budget: &mut Budget,
) -> Result<(), SchemaError> {
    if value.is_null() {
        out.push(0);
        return Ok(());
    }
    out.push(1);
    if !nullable(schema, inner, MAX_DEPTH)? {
        return encode(schema, inner, value, out, budget);
    }
    match value.as_array().map(Vec::as_slice) {
        Some([value]) => encode(schema, inner, value, out, budget),
        _ => wrong(format!("expected null, or the value in brackets, found {}", shown(value))),
    }
}

/// A key of a map, in the order of its type.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum KeyOrder {
    Unsigned(u128),
    Signed(i128),
    Bytes(Vec<u8>),
}

fn map(
    schema: &Schema,
    key: &TypeRef,
    inner: &TypeRef,
    value: &Value,
    out: &mut Output,
    budget: &mut Budget,
) -> Result<(), SchemaError> {
    let Value::Object(values) = value else {
        return wrong(format!("expected an object, found {}", shown(value)));
    };
    let mut entries = Vec::new();
    for (name, value) in values {
        let text = Value::String(name.clone());
        let order = match key {
            TypeRef::U8 | TypeRef::U16 | TypeRef::U32 | TypeRef::U64 | TypeRef::U128 => {
                KeyOrder::Unsigned(integer(key, &text)?)
            }
            TypeRef::I8 | TypeRef::I16 | TypeRef::I32 | TypeRef::I64 | TypeRef::I128 => {
                KeyOrder::Signed(integer(key, &text)?)
            }
            TypeRef::Bool | TypeRef::String | TypeRef::Address | TypeRef::Hash => KeyOrder::Bytes(Vec::new()),
            _ => return wrong(format!("a map with keys of type {key} has no form in JSON")),
        };
        let text = match (key, name.as_str()) {
            (TypeRef::Bool, "true") => Value::Bool(true),
            (TypeRef::Bool, "false") => Value::Bool(false),
            _ => text,
        };
        let mut bytes = Vec::new();
        encode(schema, key, &text, &mut bytes, budget).at(name)?;
        // Texts are ordered by their bytes, without the length in front.
        let order = match order {
            KeyOrder::Bytes(_) if *key == TypeRef::String => KeyOrder::Bytes(name.clone().into_bytes()),
            KeyOrder::Bytes(_) => KeyOrder::Bytes(bytes.clone()),
            number => number,
        };
        encode(schema, inner, value, &mut bytes, budget).at(name)?;
        entries.push((order, bytes));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return wrong("a key stands twice in the map");
    }
    length(entries.len(), out)?;
    entries.into_iter().for_each(|(_, bytes)| out.extend(bytes));
    Ok(())
}

fn body(
    schema: &Schema,
    name: &str,
    body: &Body,
    value: &Value,
    out: &mut Output,
    budget: &mut Budget,
) -> Result<(), SchemaError> {
    match body {
        Body::Struct(fields) => match value {
            Value::Object(values) => named_fields(schema, name, fields, values, out, budget),
            Value::Null if fields.is_empty() => Ok(()),
            _ => wrong(format!("expected an object with the fields of {name}, found {}", shown(value))),
        },
        Body::Tuple(fields) => match fields.as_slice() {
            [only] => encode(schema, only, value, out, budget),
            _ => {
                let ty = TypeRef::Type(name.into());
                each(schema, elements(&ty, value, fields.len())?, |index| &fields[index], out, budget)
            }
        },
        Body::Enum(variants) => {
            let (variant, fields) = match value {
                Value::String(variant) => (variant, &Value::Null),
                Value::Object(values) if values.len() == 1 => match values.iter().next() {
                    Some(entry) => entry,
                    None => return wrong("an object without entries"),
                },
                _ => return wrong(format!("expected a variant of {name}, found {}", shown(value))),
            };
            let Some(index) = variants.iter().position(|(known, _)| known == variant) else {
                let known: Vec<_> = variants.iter().map(|(known, _)| known.as_str()).collect();
                return wrong(format!("{name} has no variant `{variant}`; it has {}", known.join(", ")));
            };
            out.push(u8::try_from(index).map_err(|_| SchemaError::Invalid("an enum with over 256 variants".into()))?);
            budget.enter(|budget| self::body(schema, variant, &variants[index].1, fields, out, budget)).at(variant)
        }
    }
}

fn named_fields(
    schema: &Schema,
    name: &str,
    fields: &[(String, TypeRef)],
    values: &Map<String, Value>,
    out: &mut Output,
    budget: &mut Budget,
) -> Result<(), SchemaError> {
    if let Some(unknown) = values.keys().find(|key| fields.iter().all(|(known, _)| known != *key)) {
        return wrong(format!("{name} has no field `{unknown}`"));
    }
    for (field, ty) in fields {
        match values.get(field) {
            Some(value) => encode(schema, ty, value, out, budget).at(field)?,
            None => return wrong(format!("the field `{field}` of {name} is missing")),
        }
    }
    Ok(())
}
