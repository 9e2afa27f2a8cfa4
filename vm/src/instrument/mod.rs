//! Weaves gas and stack accounting and canonical NaN into a module. What it must come to stands in `docs/spec/gas.md`,
//! `docs/spec/stack.md` and `docs/spec/floats.md`; where the charges stand is up to [`flow`].
//!
//! Gas is not kept in a global: every function takes the balance as one more argument and gives it back as one more
//! result, so that it lives in a register. So does, one way only, the room on the logical stack, in functions that count
//! it or call one that does ([`calls`]).
//!
//! ```text
//! (func $f (param P) (result R)        (func $f (param P) (param $gas i64) (param $room i64) (result R i64)
//!   A                                    $room -= frame; fault if $room < 0
//!   loop                          =>     block $out
//!     B                                    $gas -= price(A); br_if $out ($gas < 0)
//!     call $g                              A
//!     br_if 0                              loop
//!   end)                                     $gas -= price(B br_if); br_if $out ($gas < 0)
//!                                            B
//!                                            call $g ... $gas $room; $gas = the last result
//!                                            br_if 0
//!                                          end
//!                                          return R $gas
//!                                        end
//!                                        fault)
//! ```
//!
//! A host function takes the balance and gives it back in the same way, and one that calls contracts takes the room as
//! well. Entry points become `(gas i64, room i64) -> (gas i64)`.

mod across;
mod alignment;
mod awaited;
mod blocks;
mod calls;
mod costs;
mod counted;
mod floats;
mod flow;
mod function;
mod module;
mod named;
mod operands;
mod operators;
mod parameters;
pub(crate) mod places;
mod pricing;
#[cfg(test)]
mod tests;
mod trace;
mod unlikely;
mod waits;
mod writer;

use std::sync::LazyLock;

use wasmparser::Parser;

use pricing::Among;

pub(crate) use alignment::{Alignment, Zeros, begins_aligned};
pub(crate) use awaited::Awaited;
pub(crate) use blocks::Blocks;
pub(crate) use costs::{Reach, by_itself, is_bulk};
pub(crate) use floats::{Fix, fixes, makes_raw, may_fix};
pub(crate) use flow::Placement;
pub(crate) use named::{named_by_elements, named_by_globals};
pub(crate) use operators::is_branch;
pub(crate) use parameters::Parameters;
pub(crate) use trace::{Step, Trace};
pub(crate) use unlikely::{Unlikely, UnlikelyFinder};

use crate::AdmissionError;
use crate::rules::Rules;

/// A hash of what decides how a module is admitted and rewritten: the sources themselves, so that no change of them can
/// be forgotten. Compiled code on disk belongs to one of these.
pub(crate) static FINGERPRINT: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let sources = SOURCES.map(str::as_bytes);
    crate::hash::hash("noema instrumentation", &sources)
});

const SOURCES: [&str; 28] = [
    include_str!("across.rs"),
    include_str!("alignment.rs"),
    include_str!("awaited.rs"),
    include_str!("blocks.rs"),
    include_str!("calls.rs"),
    include_str!("costs.rs"),
    include_str!("counted.rs"),
    include_str!("floats.rs"),
    include_str!("flow.rs"),
    include_str!("function.rs"),
    include_str!("mod.rs"),
    include_str!("module.rs"),
    include_str!("named.rs"),
    include_str!("operands.rs"),
    include_str!("operators.rs"),
    include_str!("parameters.rs"),
    include_str!("places.rs"),
    include_str!("pricing.rs"),
    include_str!("trace.rs"),
    include_str!("unlikely.rs"),
    include_str!("waits.rs"),
    include_str!("writer.rs"),
    include_str!("../admission/bodies.rs"),
    include_str!("../admission/body.rs"),
    include_str!("../admission/features.rs"),
    include_str!("../admission/mod.rs"),
    include_str!("../admission/module.rs"),
    include_str!("../admission/shape.rs"),
];

/// No export of a contract may begin like this.
pub(crate) const RESERVED_PREFIX: &str = "noema";
/// Export of the least that the room on the stack has been: `i64`, mutable.
pub(crate) const LEAST_ROOM: &str = "noema.least_room";
/// Export of what an `unreachable` stands for, set before it traps: `i32`, mutable. For people: all of it is one fault.
pub(crate) const FAULT: &str = "noema.fault";
/// In [`FAULT`], where nothing was set: the gas is exhausted.
pub(crate) const FAULT_GAS: i32 = 0;
/// In [`FAULT`]: the room on the stack is exhausted.
pub(crate) const FAULT_STACK: i32 = 1;
/// In [`FAULT`]: the contract has an `unreachable` of its own.
pub(crate) const FAULT_UNREACHABLE: i32 = 2;

/// Whether an import can call contracts, and so takes the room on the stack.
pub(crate) type Nests = fn(module: &str, name: &str) -> bool;

/// What admission has found out about a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Price of its frame.
    pub(crate) frame_units: u64,
    /// Operands to be made canonical.
    pub(crate) fixes: Vec<Fix>,
    /// Operators that are awaited: loads, and calls that may have one in them.
    pub(crate) awaited: Vec<u32>,
    /// Stores that may lie across two pages of the processor.
    pub(crate) across: Vec<u32>,
    /// What stretches of operators wait, each at its first one.
    pub(crate) waits: Vec<(u32, u64)>,
    /// Branches one way of which is unlikely.
    pub(crate) unlikely: Unlikely,
    /// How many branches and calls it has.
    pub(crate) branches: u64,
}

/// Which stores of a body may lie across two pages, and what its stretches wait. `aligned` are stores that are aligned, `awaited` loads
/// that are awaited, both in their order; `locals` has parameters among it.
pub(crate) fn stores_and_waits(
    steps: &[Step<'_>],
    reach: Reach,
    locals: u32,
    aligned: &[u32],
    awaited: &[u32],
) -> (Vec<u32>, Vec<(u32, u64)>) {
    let (mut across, mut waits) = (across::Across::new(locals), waits::Waits::new(reach, locals));
    let (mut aligned, mut awaited) = (Among(aligned), Among(awaited));
    let mut stores = Vec::new();
    for (number, step) in (0..).zip(steps) {
        let is_across = across.step(step, aligned.has(number));
        if is_across {
            stores.push(number);
        }
        waits.step(step, costs::Found { is_awaited: awaited.has(number), is_across });
        if step.ends_block {
            across.end_block();
        }
    }
    (stores, waits.finish())
}

/// Rewrites a module that admission has validated, and about whose functions it has found this out.
pub(crate) fn instrument(
    rules: &Rules,
    placement: Placement,
    wasm: &[u8],
    findings: &[Findings],
) -> Result<Vec<u8>, AdmissionError> {
    let mut sections = module::Sections::default();
    for payload in Parser::new(0).parse_all(wasm) {
        sections.take(payload?)?;
    }
    let nests: Nests = |module, _| module == "call";
    sections.finish(rules, placement, nests, findings)
}

/// Export of the start function of a module whose whole surface is kept.
#[cfg(test)]
pub(crate) const START: &str = "noema.start";

/// The same for a module that no contract could be: whatever it imports and exports stays, functions with gas and room.
/// So modules that are instrumented like this can be linked with each other.
#[cfg(test)]
pub(crate) fn instrument_whole(
    rules: &Rules,
    placement: Placement,
    wasm: &[u8],
    findings: &[Findings],
) -> Result<Vec<u8>, AdmissionError> {
    let mut sections = module::Sections::default();
    sections.whole = true;
    for payload in Parser::new(0).parse_all(wasm) {
        sections.take(payload?)?;
    }
    sections.finish(rules, placement, |_, _| true, findings)
}

/// A module that the validator has accepted but that cannot be written again: refused like an invalid one.
fn refused(error: wasm_encoder::reencode::Error) -> AdmissionError {
    AdmissionError::Invalid { offset: 0, reason: error.to_string() }
}
