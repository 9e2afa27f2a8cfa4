//! Why a module is refused.

/// The rule that a module breaks, with the offending thing. Offsets are bytes from the start of the module, function
/// indices count imports, as in WebAssembly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// Not WebAssembly, not valid, or a feature that is not in the allow-list.
    #[error("invalid at offset {offset:#x}: {reason}")]
    Invalid {
        /// Where.
        offset: usize,
        /// What the validator says.
        reason: String,
    },
    /// Above a limit.
    #[error("{found} {what}{}, the limit is {limit}", in_function(.function))]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much there may be.
        limit: u64,
        /// In which function, where it is about one.
        function: Option<u32>,
    },
    /// A start function: code would run before the entry point is chosen.
    #[error("start functions are not allowed (function {function})")]
    StartFunction {
        /// The start function.
        function: u32,
    },
    /// Not exactly one memory of its own, exported as `memory`.
    #[error("a contract has exactly one memory of its own, exported as `memory`: {what}")]
    Memory {
        /// What is there instead.
        what: &'static str,
    },
    /// An import that is no function of the table, or is not in it yet in this version.
    #[error("import `{module}` `{name}`: {reason}")]
    Import {
        /// Its module.
        module: String,
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry point that is not a function without parameters and results, or a reserved name.
    #[error("export `{name}`: {reason}")]
    Export {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An operator without a price.
    #[error("operator {operator} in function {function} at offset {offset:#x} is not allowed")]
    Operator {
        /// The operator.
        operator: String,
        /// In which function.
        function: u32,
        /// Where.
        offset: usize,
    },
}

fn in_function(function: &Option<u32>) -> String {
    function.map(|index| format!(" in function {index}")).unwrap_or_default()
}

impl From<wasmparser::Error> for AdmissionError {
    fn from(error: wasmparser::Error) -> Self {
        AdmissionError::Invalid { offset: error.offset(), reason: error.message().to_string() }
    }
}
