//! Values between JSON and borsh, by the schema.

mod decode;
mod encode;

use std::fmt::Write;

use serde_json::Value;

use crate::{Body, MAX_DEPTH, MAX_VALUES, Method, MethodKind, Schema, SchemaError, TypeRef};

pub(crate) use decode::decode;

/// Keeps a hostile schema from asking for more than a tool can hold.
struct Budget {
    values: u32,
    depth: u32,
}

impl Budget {
    fn new() -> Budget {
        Budget { values: MAX_VALUES, depth: MAX_DEPTH }
    }

    /// Counts a value and everything inside it.
    fn enter<T>(&mut self, inside: impl FnOnce(&mut Budget) -> Result<T, SchemaError>) -> Result<T, SchemaError> {
        self.values = self.values.checked_sub(1).ok_or(SchemaError::Limit)?;
        self.depth = self.depth.checked_sub(1).ok_or(SchemaError::Limit)?;
        let result = inside(self);
        self.depth += 1;
        result
    }
}

/// Where in a value an error is, innermost first; the text is made only for an error.
trait At<T> {
    /// Inside a field or argument.
    fn at(self, name: &str) -> Result<T, SchemaError>;
    /// Inside an element.
    fn at_index(self, index: usize) -> Result<T, SchemaError>;
}

impl<T> At<T> for Result<T, SchemaError> {
    fn at(self, name: &str) -> Result<T, SchemaError> {
        self.map_err(|error| match error {
            SchemaError::Value { place, problem } => {
                let dot = if place.is_empty() || place.starts_with('[') { "" } else { "." };
                SchemaError::Value { place: format!("{name}{dot}{place}"), problem }
            }
            other => other,
        })
    }

    fn at_index(self, index: usize) -> Result<T, SchemaError> {
        self.at(&format!("[{index}]"))
    }
}

/// The input that runs a method.
pub(crate) fn encode_input(schema: &Schema, method: &Method, args: &Value) -> Result<Vec<u8>, SchemaError> {
    let mut input = Vec::new();
    if matches!(method.kind, MethodKind::Call | MethodKind::View) {
        encode::bytes(method.name.as_bytes(), &mut input)?;
    }
    let mut budget = Budget::new();
    let none = Value::Object(serde_json::Map::new());
    match if args.is_null() { &none } else { args } {
        Value::Array(values) if values.len() == method.args.len() => {
            for ((name, ty), value) in method.args.iter().zip(values) {
                encode::encode(schema, ty, value, &mut input, &mut budget).at(name)?;
            }
        }
        Value::Array(values) => {
            let problem = format!("{} arguments given, {} expected", values.len(), method.args.len());
            return Err(argument_error(method, &problem));
        }
        Value::Object(values) => {
            let known = |name: &String| method.args.iter().any(|(known, _)| known == name);
            if let Some(name) = values.keys().find(|name| !known(name)) {
                return Err(argument_error(method, &format!("there is no argument `{name}`")));
            }
            for (name, ty) in &method.args {
                let value = match (values.get(name), ty) {
                    (Some(value), _) => value,
                    (None, TypeRef::Option(_)) => &Value::Null,
                    (None, _) => return Err(argument_error(method, &format!("the argument `{name}` is missing"))),
                };
                encode::encode(schema, ty, value, &mut input, &mut budget).at(name)?;
            }
        }
        _ => return Err(argument_error(method, "arguments are an object by name or an array in order")),
    }
    Ok(input)
}

fn argument_error(method: &Method, problem: &str) -> SchemaError {
    SchemaError::Value { place: method.to_string(), problem: problem.into() }
}

fn wrong<T>(problem: impl Into<String>) -> Result<T, SchemaError> {
    Err(SchemaError::Value { place: String::new(), problem: problem.into() })
}

/// Whether `null` is a value of the type, so that an option of it needs brackets.
pub(crate) fn nullable(schema: &Schema, ty: &TypeRef, depth: u32) -> Result<bool, SchemaError> {
    Ok(match ty {
        TypeRef::Unit | TypeRef::Option(_) => true,
        TypeRef::Type(name) => match schema.definition(name) {
            // A struct with one numbered field stands for that field.
            Some(Body::Tuple(fields)) if fields.len() == 1 => {
                let depth = depth.checked_sub(1).ok_or(SchemaError::Limit)?;
                nullable(schema, &fields[0], depth)?
            }
            _ => false,
        },
        _ => false,
    })
}

/// A JSON value in an error: its beginning, if it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        let _ = write!(short, "…");
    }
    short
}
