//! What can be wrong with a schema, or with values that should fit it.

use crate::{MAX_DEPTH, MAX_SCHEMA_BYTES, MAX_VALUES};

/// Why a schema cannot be read, or a value does not fit it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The bytes are no WebAssembly module.
    #[error("not a WebAssembly module: {0}")]
    NotWasm(String),
    /// The module carries no schema.
    #[error("the contract carries no interface (custom section `noema.schema`): give the input as bytes")]
    NoSchema,
    /// The schema is too large.
    #[error("the contract's interface has {bytes} bytes, more than {MAX_SCHEMA_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The schema is broken.
    #[error("the contract's interface is broken: {0}")]
    Invalid(String),
    /// There is no such method.
    #[error("the contract has no method `{name}`; it has {}", known.join(", "))]
    UnknownMethod {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A value does not fit its type.
    #[error("{place}: {problem}")]
    Value {
        /// Where: `row[3].value`.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Nested deeper than [`MAX_DEPTH`], or more than [`MAX_VALUES`] values.
    #[error("the value is larger than a tool will handle ({MAX_VALUES} values, {MAX_DEPTH} levels)")]
    Limit,
}
