//! The interface that a contract carries in the custom section `noema.schema` of its wasm, for tools
//! that know contracts only at run time.
//!
//! ```text
//! wasm --> Schema --> methods, arguments, types, events
//!            |
//!   JSON ----+----> encode_args  --> input of init, call, view, migrate
//!   JSON <---+----- decode_result, decode_event <-- bytes of a receipt
//! ```
//!
//! | type | JSON |
//! |---|---|
//! | `bool`, `String` | the same |
//! | integers | a number, or a text of decimal digits; 128-bit ones come back as text |
//! | `Vec<u8>`, `[u8; N]` | `"0x…"`, or an array of numbers |
//! | `Fixed<F>` | a text of decimal digits, or a number |
//! | `Address`, `Hash` | 64 hexadecimal digits, with or without `0x` |
//! | `Vec<T>`, `[T; N]`, tuples | an array |
//! | `Option<T>` | `null` or the value; `[value]` where the value itself may be `null` |
//! | `BTreeMap<K, V>` | an object; `K` is an integer, a `bool`, a `String`, an `Address` or a `Hash` |
//! | struct | an object; with numbered fields an array, or the value itself for a single one |
//! | enum | `"Variant"`, or `{"Variant": fields}` |
//! | `()` | `null` |
//!
//! A schema comes with code that anybody may have deployed: it is not trusted. Its size, the nesting
//! and number of values it asks for are limited, and whatever it says, the worst is an error.
//!
//! ```
//! use noema_schema::Schema;
//! use serde_json::json;
//!
//! let schema = Schema::from_json(
//!     br#"{"noema":1,"contract":"Tally","events":[],"types":[],
//!          "methods":[{"name":"vote","kind":"call","args":[["yes","bool"]],"returns":"u64"}]}"#,
//! )?;
//! assert_eq!(schema.method("vote")?.to_string(), "vote(yes: bool) -> u64");
//! assert_eq!(schema.encode_args("vote", &json!({"yes": true}))?, b"\x04\0\0\0vote\x01");
//! assert_eq!(schema.decode_result("vote", &7u64.to_le_bytes())?, json!(7));
//! # Ok::<(), noema_schema::SchemaError>(())
//! ```
#![forbid(unsafe_code)]

mod codec;
mod error;
mod model;
pub mod typescript;

use std::collections::BTreeMap;

use model::File;
use serde_json::Value;
use wasmparser::{Parser, Payload};

pub use error::SchemaError;
pub use model::{Body, ContractError, Definition, Method, MethodKind, TypeRef};

/// The custom section.
pub const SECTION: &str = "noema.schema";
/// Largest schema, in bytes.
pub const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// Deepest nesting of a value.
pub const MAX_DEPTH: u32 = 64;
/// Most values inside one argument list or result, lists and fields counted too.
pub const MAX_VALUES: u32 = 1 << 20;

/// The only format there is so far.
const FORMAT: u32 = 1;

/// A contract's interface.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The name of the contract's type.
    pub contract: String,
    /// Its entry points.
    pub methods: Vec<Method>,
    /// Its events: topic and type of the data.
    pub events: Vec<(String, TypeRef)>,
    /// Its errors, those of the SDK not among them.
    pub errors: Vec<ContractError>,
    types: BTreeMap<String, Body>,
}

impl Schema {
    /// The schema inside a WebAssembly module.
    ///
    /// # Errors
    /// [`SchemaError::NoSchema`] where there is none; others where it is broken.
    pub fn from_wasm(wasm: &[u8]) -> Result<Schema, SchemaError> {
        Schema::from_json(Schema::section(wasm)?)
    }

    /// The custom section of a module that holds it, as it is.
    ///
    /// # Errors
    /// [`SchemaError::NoSchema`] where there is none, others where there are two, or it is no module.
    pub fn section(wasm: &[u8]) -> Result<&[u8], SchemaError> {
        let mut found = None;
        for payload in Parser::new(0).parse_all(wasm) {
            if let Payload::CustomSection(section) = payload.map_err(|error| SchemaError::NotWasm(error.to_string()))?
                && section.name() == SECTION
                && found.replace(section.data()).is_some()
            {
                return Err(SchemaError::Invalid("there are two of it".into()));
            }
        }
        found.ok_or(SchemaError::NoSchema)
    }

    /// The schema as it stands in the custom section.
    ///
    /// # Errors
    /// Where it is too large, is no such JSON, or names types that it does not define.
    pub fn from_json(json: &[u8]) -> Result<Schema, SchemaError> {
        if json.len() > MAX_SCHEMA_BYTES {
            return Err(SchemaError::TooLarge { bytes: json.len() });
        }
        let mut file: File = serde_json::from_slice(json).map_err(|error| SchemaError::Invalid(error.to_string()))?;
        if file.noema != FORMAT {
            return Err(SchemaError::Invalid(format!("it has format {}, this program knows {FORMAT}", file.noema)));
        }
        let mut types = BTreeMap::new();
        for Definition { name, body } in std::mem::take(&mut file.types) {
            if types.contains_key(&name) {
                return Err(SchemaError::Invalid(format!("it defines the type `{name}` twice")));
            }
            types.insert(name, body);
        }
        let File { contract, methods, events, errors, .. } = file;
        let schema = Schema { contract, methods, events, errors, types };
        schema.check_references()?;
        Ok(schema)
    }

    fn check_references(&self) -> Result<(), SchemaError> {
        let methods =
            self.methods.iter().flat_map(|method| method.args.iter().map(|(_, ty)| ty).chain([&method.returns]));
        let events = self.events.iter().map(|(_, ty)| ty);
        let mut stack: Vec<&TypeRef> = methods.chain(events).collect();
        self.types.values().for_each(|body| body.push_types(&mut stack));
        while let Some(ty) = stack.pop() {
            if let TypeRef::Type(name) = ty
                && !self.types.contains_key(name)
            {
                return Err(SchemaError::Invalid(format!("it does not define the type `{name}`")));
            }
            if let TypeRef::Fixed(bits) = ty
                && *bits > noema_sdk::fixed::MAX_FRACTION_BITS
            {
                return Err(SchemaError::Invalid(format!("it has a number of {bits} fraction bits")));
            }
            ty.push_inner(&mut stack);
        }
        Ok(())
    }

    /// A struct or enum by its name.
    #[must_use]
    pub fn definition(&self, name: &str) -> Option<&Body> {
        self.types.get(name)
    }

    /// Every struct and enum with its name.
    pub fn definitions(&self) -> impl Iterator<Item = (&str, &Body)> {
        self.types.iter().map(|(name, body)| (name.as_str(), body))
    }

    /// A method by its name.
    ///
    /// # Errors
    /// [`SchemaError::UnknownMethod`], which names those there are.
    pub fn method(&self, name: &str) -> Result<&Method, SchemaError> {
        self.methods.iter().find(|method| method.name == name).ok_or_else(|| SchemaError::UnknownMethod {
            name: name.into(),
            known: self.methods.iter().map(|method| method.name.clone()).collect(),
        })
    }

    /// The one method of kind `init` or `migrate`.
    #[must_use]
    pub fn entry(&self, kind: MethodKind) -> Option<&Method> {
        self.methods.iter().find(|method| method.kind == kind)
    }

    /// The input that runs a method: the name, for calls and views, and the arguments. They are an
    /// object by name, where an optional one may be left out, an array in order, or `null` for none.
    ///
    /// # Errors
    /// Where there is no such method, or an argument does not fit: the error says where.
    pub fn encode_args(&self, method: &str, args: &Value) -> Result<Vec<u8>, SchemaError> {
        codec::encode_input(self, self.method(method)?, args)
    }

    /// What a method returned.
    ///
    /// # Errors
    /// Where the bytes are not such a value.
    pub fn decode_result(&self, method: &str, output: &[u8]) -> Result<Value, SchemaError> {
        codec::decode(self, &self.method(method)?.returns, output)
    }

    /// The data of an event. `None` for an event that the schema does not name.
    ///
    /// # Errors
    /// Where the bytes are not such a value.
    pub fn decode_event(&self, topic: &[u8], data: &[u8]) -> Option<Result<Value, SchemaError>> {
        let (_, ty) = self.events.iter().find(|(name, _)| name.as_bytes() == topic)?;
        Some(codec::decode(self, ty, data))
    }
}

impl Schema {
    /// What an abort code of this contract means, or one of the SDK; `None` for a code that neither has.
    #[must_use]
    pub fn explain_abort(&self, code: u32) -> Option<String> {
        let own = self.errors.iter().find(|error| error.0 == code);
        own.map(|ContractError(_, name, message)| format!("{name}: {message}")).or_else(|| explain_abort(code))
    }
}

/// What an abort code of the SDK means; `None` for a code that the contract chose.
#[must_use]
pub fn explain_abort(code: u32) -> Option<String> {
    use noema_sdk::code as sdk;
    let text = match code {
        sdk::PANIC => "the contract panicked",
        sdk::BAD_INPUT => "the input is not what the method takes",
        sdk::UNKNOWN_METHOD => "the contract has no such method",
        sdk::NOT_PAYABLE => "the method accepts no native value",
        sdk::BAD_STATE => "a stored value is missing or of another type than the code expects",
        sdk::BAD_REPLY => "what a called contract returned is not of the expected type",
        sdk::NOT_REENTRANT => "the method cannot run while the contract is running already",
        sdk::NOT_OWNER => "only the owner may do this",
        sdk::MISSING_ROLE => "the caller lacks the role for this",
        sdk::PAUSED => "the contract is paused",
        sdk::INSUFFICIENT_BALANCE => "a balance is too small",
        sdk::OVERFLOW => "a sum is larger than its type",
        sdk::UNDERPAID => "the value is less than the price and the deposit for what is to be kept",
        _ => {
            let status = u16::try_from(code.checked_sub(sdk::STATUS)?).ok()?;
            let status = noema_sdk::Status::from_code(status)?;
            return Some(format!("a host function refused: {status}"));
        }
    };
    Some(text.into())
}

#[cfg(test)]
mod tests;
