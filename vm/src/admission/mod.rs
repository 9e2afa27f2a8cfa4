//! Which modules may become contracts: a pure function of the bytes and the protocol version. It never depends on a
//! compiler, a processor or the load of the machine. The normative text is `docs/spec/admission.md`.
//!
//! ```text
//! bytes -> features.rs  allow-list of proposals, given to the validator
//!       -> module.rs    sections: limits, imports, memory, exports, price of an instance
//!       -> body.rs      functions: validation, frame price
//!       -> bodies.rs    what can be said of a function only when all are known
//!       -> shape.rs     functions: what compiling them takes, limits and price
//!       -> instrument   charges and checks woven in
//!       -> Admitted
//! ```

mod bodies;
mod body;
mod error;
mod features;
mod module;
mod shape;
#[cfg(test)]
mod tests;

use noema_abi::ProtocolVersion;
use noema_host::Extensions;

pub use error::AdmissionError;

use crate::instrument::{self, Placement};
use crate::rules::{Limits, Rules};

/// A module that may become a contract, instrumented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The version it was admitted under.
    pub version: ProtocolVersion,
    /// The instrumented module: what is compiled.
    pub instrumented: Vec<u8>,
    /// Gas of a new instance of it.
    pub instantiate_gas: u64,
    /// Gas of compiling it.
    pub compile_gas: u64,
    /// Which entry points it exports.
    pub entry_points: EntryPoints,
    /// Price of the frame of each function that is not imported, in stack units.
    pub frame_units: Vec<u64>,
}

/// Which of the entry points a module exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryPoints {
    /// `init`: runs once, when the contract is deployed.
    pub init: bool,
    /// `call`: runs for messages and for calls from contracts.
    pub call: bool,
    /// `view`: reads only.
    pub view: bool,
    /// `migrate`: runs once, when this module replaces the code of a contract.
    pub migrate: bool,
    /// `call_reentrant`: runs instead of `call` where the contract is running already.
    pub call_reentrant: bool,
    /// `view_reentrant`: runs instead of `view` where the contract is running already.
    pub view_reentrant: bool,
}

/// Checks a module against every rule of the version, and instruments it.
///
/// ```
/// use noema_abi::ProtocolVersion;
/// let wasm = wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "call")))"#).unwrap();
/// let admitted = noema_vm::admit(ProtocolVersion::V1, &wasm).unwrap();
/// assert!(admitted.entry_points.call);
/// assert!(noema_vm::admit(ProtocolVersion::V1, b"not wasm").is_err());
/// ```
///
/// # Errors
/// The first rule that the module breaks.
pub fn admit(version: ProtocolVersion, wasm: &[u8]) -> Result<Admitted, AdmissionError> {
    admit_with(version, &Extensions::default(), wasm)
}

/// The same for a chain that has host functions of its own: a pure function of them, too.
///
/// # Errors
/// The first rule that the module breaks.
pub fn admit_with(version: ProtocolVersion, extensions: &Extensions, wasm: &[u8]) -> Result<Admitted, AdmissionError> {
    admit_placed(version, extensions, wasm, Placement::Merged)
}

/// Admission as [`admit`], and instrumentation that charges and checks every metering block for itself: slower, and the
/// oracle of what [`admit`] gives. Balances at settlement points and verdicts are the same.
///
/// # Errors
/// The first rule that the module breaks.
pub fn admit_per_block(version: ProtocolVersion, wasm: &[u8]) -> Result<Admitted, AdmissionError> {
    admit_placed(version, &Extensions::default(), wasm, Placement::PerBlock)
}

/// The same with charges placed as asked.
pub(crate) fn admit_placed(
    version: ProtocolVersion,
    extensions: &Extensions,
    wasm: &[u8],
    placement: Placement,
) -> Result<Admitted, AdmissionError> {
    let rules = Rules::of(version);
    check("bytes of code", wasm.len(), rules.limits.code_bytes)?;
    let facts = module::inspect(version, rules, extensions, wasm)?;
    let instrumented = instrument::instrument(rules, placement, wasm, &facts.findings)?;
    let bytes = u64::try_from(instrumented.len()).unwrap_or(u64::MAX);
    if placement == Placement::Observed {
        // For an observer only, whose marks are beyond the bound.
        return Ok(admitted(version, instrument::places::report(&instrumented)?, &facts));
    }
    // What is limited is the bound. That it is one is shown by tests; if it were not, it would be so on every node.
    check("bytes of instrumented code", bytes, facts.instrumented_bytes)?;
    Ok(admitted(version, instrumented, &facts))
}

fn admitted(version: ProtocolVersion, instrumented: Vec<u8>, facts: &module::Facts) -> Admitted {
    Admitted {
        version,
        instrumented,
        instantiate_gas: facts.instantiate_gas,
        compile_gas: facts.compile_gas,
        entry_points: facts.entry_points,
        frame_units: facts.findings.iter().map(|findings| findings.frame_units).collect(),
    }
}

/// What admission finds out about the functions of a valid module.
#[cfg(test)]
pub(crate) fn findings(version: ProtocolVersion, wasm: &[u8]) -> Result<Vec<instrument::Findings>, AdmissionError> {
    module::measure(version, Rules::of(version), wasm)
}

/// Validates and instruments a module whose whole surface is kept, whatever the rules say of it.
#[cfg(test)]
pub(crate) fn instrument_whole(
    version: ProtocolVersion,
    placement: Placement,
    wasm: &[u8],
) -> Result<Vec<u8>, AdmissionError> {
    let rules = Rules::of(version);
    instrument::instrument_whole(rules, placement, wasm, &findings(version, wasm)?)
}

/// Refuses more than `limit` of something.
fn check(what: &'static str, found: impl TryInto<u64>, limit: u64) -> Result<(), AdmissionError> {
    let found = found.try_into().unwrap_or(u64::MAX);
    if found > limit { Err(AdmissionError::Limit { what, found, limit, function: None }) } else { Ok(()) }
}

/// The same, inside a function.
pub(crate) fn check_in(
    function: u32,
    what: &'static str,
    found: impl TryInto<u64>,
    limit: u64,
) -> Result<(), AdmissionError> {
    let found = found.try_into().unwrap_or(u64::MAX);
    if found > limit { Err(AdmissionError::Limit { what, found, limit, function: Some(function) }) } else { Ok(()) }
}

/// The limit of what one metering block may cost.
pub(crate) fn check_block(function: u32, price: u64, limits: &Limits) -> Result<(), AdmissionError> {
    check_in(function, "picoseconds in one metering block", price, limits.block_price)
}
