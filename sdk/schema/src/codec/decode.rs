//! Borsh to JSON.

use serde_json::{Map, Value};

use super::{At, Budget, nullable, wrong};
use crate::{Body, MAX_DEPTH, Schema, SchemaError, TypeRef};

/// Bytes that are exactly one value of the type.
pub(crate) fn decode(schema: &Schema, ty: &TypeRef, bytes: &[u8]) -> Result<Value, SchemaError> {
    let mut input = Input { rest: bytes };
    let value = value(schema, ty, &mut input, &mut Budget::new())?;
    if !input.rest.is_empty() {
        return wrong(format!("{} bytes are left after a value of type {ty}", input.rest.len()));
    }
    Ok(value)
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], SchemaError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => wrong("the bytes end in the middle of the value"),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SchemaError> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| SchemaError::Limit)
    }

    fn length(&mut self) -> Result<usize, SchemaError> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_| SchemaError::Limit)
    }

    fn text(&mut self) -> Result<String, SchemaError> {
        let len = self.length()?;
        match String::from_utf8(self.take(len)?.to_vec()) {
            Ok(text) => Ok(text),
            Err(_) => wrong("a text that is not UTF-8"),
        }
    }
}

fn value(schema: &Schema, ty: &TypeRef, input: &mut Input<'_>, budget: &mut Budget) -> Result<Value, SchemaError> {
    budget.enter(|budget| {
        Ok(match ty {
            TypeRef::Unit => Value::Null,
            TypeRef::Bool => match input.array()? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [other] => return wrong(format!("{other} is no bool")),
            },
            TypeRef::U8 => u8::from_le_bytes(input.array()?).into(),
            TypeRef::U16 => u16::from_le_bytes(input.array()?).into(),
            TypeRef::U32 => u32::from_le_bytes(input.array()?).into(),
            TypeRef::U64 => u64::from_le_bytes(input.array()?).into(),
            TypeRef::U128 => u128::from_le_bytes(input.array()?).to_string().into(),
            TypeRef::I8 => i8::from_le_bytes(input.array()?).into(),
            TypeRef::I16 => i16::from_le_bytes(input.array()?).into(),
            TypeRef::I32 => i32::from_le_bytes(input.array()?).into(),
            TypeRef::I64 => i64::from_le_bytes(input.array()?).into(),
            TypeRef::I128 => i128::from_le_bytes(input.array()?).to_string().into(),
            TypeRef::String => input.text()?.into(),
            TypeRef::Address | TypeRef::Hash => hex::encode(input.array::<32>()?).into(),
            TypeRef::Fixed(bits) => {
                let mut text = String::new();
                match noema_sdk::fixed::write(i64::from_le_bytes(input.array()?), *bits, &mut text) {
                    Ok(()) => text.into(),
                    Err(_) => return wrong("a number that cannot be written"),
                }
            }
            TypeRef::Option(inner) => match input.array()? {
                [0] => Value::Null,
                [1] => {
                    let value = value(schema, inner, input, budget)?;
                    if nullable(schema, inner, MAX_DEPTH)? { Value::Array(vec![value]) } else { value }
                }
                [other] => return wrong(format!("{other} is neither a value nor none")),
            },
            TypeRef::List(inner) if **inner == TypeRef::U8 => {
                let len = input.length()?;
                raw(input.take(len)?)
            }
            TypeRef::List(inner) => {
                let len = input.length()?;
                list(schema, len, |_| inner, input, budget)?
            }
            TypeRef::Array(inner, len) => {
                let len = usize::try_from(*len).map_err(|_| SchemaError::Limit)?;
                match **inner {
                    TypeRef::U8 => raw(input.take(len)?),
                    _ => list(schema, len, |_| inner, input, budget)?,
                }
            }
            TypeRef::Tuple(inner) => list(schema, inner.len(), |index| &inner[index], input, budget)?,
            TypeRef::Map(key, inner) => map(schema, key, inner, input, budget)?,
            TypeRef::Type(name) => match schema.definition(name) {
                Some(definition) => body(schema, definition, input, budget)?,
                None => return Err(SchemaError::Invalid(format!("it does not define the type `{name}`"))),
            },
        })
    })
}

fn raw(bytes: &[u8]) -> Value {
    format!("0x{}", hex::encode(bytes)).into()
}

fn list<'a>(
    schema: &Schema,
    len: usize,
    ty: impl Fn(usize) -> &'a TypeRef,
    input: &mut Input<'_>,
    budget: &mut Budget,
) -> Result<Value, SchemaError> {
    // Grows as values are found: a length alone allocates nothing.
    let mut values = Vec::new();
    for index in 0..len {
        values.push(value(schema, ty(index), input, budget).at_index(index)?);
    }
    Ok(Value::Array(values))
}

fn map(
    schema: &Schema,
    key: &TypeRef,
    inner: &TypeRef,
    input: &mut Input<'_>,
    budget: &mut Budget,
) -> Result<Value, SchemaError> {
    let mut entries = Map::new();
    for _ in 0..input.length()? {
        let name = match value(schema, key, input, budget)? {
            Value::String(text) => text,
            value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
            _ => return wrong(format!("a map with keys of type {key} has no form in JSON")),
        };
        let value = value(schema, inner, input, budget).at(&name)?;
        if entries.insert(name, value).is_some() {
            return wrong("a key stands twice in the map");
        }
    }
    Ok(Value::Object(entries))
}

fn body(schema: &Schema, body: &Body, input: &mut Input<'_>, budget: &mut Budget) -> Result<Value, SchemaError> {
    match body {
        Body::Struct(fields) => {
            let mut entries = Map::new();
            for (name, ty) in fields {
                entries.insert(name.clone(), value(schema, ty, input, budget).at(name)?);
            }
            Ok(Value::Object(entries))
        }
        Body::Tuple(fields) => match fields.as_slice() {
            [only] => value(schema, only, input, budget),
            _ => list(schema, fields.len(), |index| &fields[index], input, budget),
        },
        Body::Enum(variants) => {
            let [index] = input.array()?;
            let Some((name, fields)) = variants.get(usize::from(index)) else {
                return wrong(format!("there is no variant {index}"));
            };
            let inside = budget.enter(|budget| self::body(schema, fields, input, budget)).at(name)?;
            Ok(match fields {
                Body::Struct(fields) if fields.is_empty() => Value::String(name.clone()),
                _ => Value::Object(Map::from_iter([(name.clone(), inside)])),
            })
        }
    }
}
