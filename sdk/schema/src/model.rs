//! The schema as data, and how it reads in Rust's words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The whole section.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) noema: u32,
    pub(crate) contract: String,
    pub(crate) methods: Vec<Method>,
    pub(crate) events: Vec<(String, TypeRef)>,
    #[serde(default)]
    pub(crate) errors: Vec<ContractError>,
    pub(crate) types: Vec<Definition>,
}

/// Which export runs a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "named as the markers in the source")]
pub enum MethodKind {
    Init,
    Call,
    View,
    Migrate,
}

/// An entry point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Which export runs it.
    pub kind: MethodKind,
    /// Whether it accepts native value.
    #[serde(default)]
    pub payable: bool,
    /// Whether it may run while the contract is running already.
    #[serde(default)]
    pub reentrant: bool,
    /// Names and types of its arguments, in order.
    pub args: Vec<(String, TypeRef)>,
    /// What it returns.
    pub returns: TypeRef,
}

/// An error of a contract: code, name, message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractError(pub u32, pub String, pub String);

/// A type as arguments, results and fields name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "named as the Rust types")]
pub enum TypeRef {
    Unit,
    Bool,
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    String,
    Address,
    Hash,
    /// A fixed-point number of 64 bits, with its fraction bits.
    Fixed(u32),
    Option(Box<TypeRef>),
    List(Box<TypeRef>),
    Array(Box<TypeRef>, u32),
    Tuple(Vec<TypeRef>),
    Map(Box<TypeRef>, Box<TypeRef>),
    /// A struct or enum, by name.
    Type(String),
}

/// A struct or enum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// What it holds.
    #[serde(flatten)]
    pub body: Body,
}

/// What a struct, enum or variant holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// Named fields.
    Struct(Vec<(String, TypeRef)>),
    /// Numbered fields.
    Tuple(Vec<TypeRef>),
    /// One of several, each with its name.
    Enum(Vec<(String, Body)>),
}

impl TypeRef {
    pub(crate) fn push_inner<'a>(&'a self, stack: &mut Vec<&'a TypeRef>) {
        match self {
            TypeRef::Option(inner) | TypeRef::List(inner) | TypeRef::Array(inner, _) => stack.push(inner),
            TypeRef::Tuple(inner) => stack.extend(inner),
            TypeRef::Map(key, value) => stack.extend([&**key, &**value]),
            _ => {}
        }
    }
}

impl Body {
    pub(crate) fn push_types<'a>(&'a self, stack: &mut Vec<&'a TypeRef>) {
        match self {
            Body::Struct(fields) => stack.extend(fields.iter().map(|(_, ty)| ty)),
            Body::Tuple(fields) => stack.extend(fields),
            Body::Enum(variants) => variants.iter().for_each(|(_, body)| body.push_types(stack)),
        }
    }
}

impl fmt::Display for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeRef::Unit => f.write_str("()"),
            TypeRef::Bool => f.write_str("bool"),
            TypeRef::U8 => f.write_str("u8"),
            TypeRef::U16 => f.write_str("u16"),
            TypeRef::U32 => f.write_str("u32"),
            TypeRef::U64 => f.write_str("u64"),
            TypeRef::U128 => f.write_str("u128"),
            TypeRef::I8 => f.write_str("i8"),
            TypeRef::I16 => f.write_str("i16"),
            TypeRef::I32 => f.write_str("i32"),
            TypeRef::I64 => f.write_str("i64"),
            TypeRef::I128 => f.write_str("i128"),
            TypeRef::String => f.write_str("String"),
            TypeRef::Address => f.write_str("Address"),
            TypeRef::Hash => f.write_str("Hash"),
            TypeRef::Fixed(bits) => write!(f, "Fixed<{bits}>"),
            TypeRef::Option(inner) => write!(f, "Option<{inner}>"),
            TypeRef::List(inner) => write!(f, "Vec<{inner}>"),
            TypeRef::Array(inner, len) => write!(f, "[{inner}; {len}]"),
            TypeRef::Tuple(inner) => {
                let inner: Vec<_> = inner.iter().map(ToString::to_string).collect();
                write!(f, "({})", inner.join(", "))
            }
            TypeRef::Map(key, value) => write!(f, "BTreeMap<{key}, {value}>"),
            TypeRef::Type(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<_> = self.args.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        write!(f, "{}({})", self.name, args.join(", "))?;
        if self.returns != TypeRef::Unit {
            write!(f, " -> {}", self.returns)?;
        }
        Ok(())
    }
}
