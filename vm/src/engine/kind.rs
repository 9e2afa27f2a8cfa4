//! Which engine runs contracts. Receipts are the same on all of them.

use std::fmt;
use std::str::FromStr;

use crate::instrument::Placement;

/// What runs WebAssembly. The choice is this node's own: every engine gives the same receipts, at different speeds.
///
/// ```
/// use noema_vm::EngineKind;
/// assert_eq!(EngineKind::default(), EngineKind::Cranelift);
/// assert_eq!("wasmi".parse(), Ok(EngineKind::Wasmi));
/// assert!(EngineKind::ALL.iter().all(|kind| kind.to_string().parse() == Ok(*kind)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineKind {
    /// wasmtime with the optimising compiler Cranelift, memories in a pool, bounds checked by the processor. A module
    /// that does not compile is interpreted instead, as with [`EngineKind::Wasmi`].
    #[default]
    Cranelift,
    /// The same without optimisation, with memories allocated one by one and every bound checked by code: slower, and
    /// made of other parts, so that it can be compared with. Falls back like the first one.
    CraneliftUnoptimized,
    /// Cranelift for the bytecode of Pulley, and wasmtime's interpreter of it: runs where there is no backend for the
    /// processor, with the compiler's front half in common with the first one.
    Pulley,
    /// The interpreter wasmi: no machine code is made. Contracts take some ten times as long, host functions do not.
    Wasmi,
    /// Cranelift, with every charge where the specification has it: the oracle for the placement of charges.
    #[doc(hidden)]
    CraneliftPerBlock,
    /// wasmi with every charge where the specification has it, telling an observer of every place that it comes to
    /// ([`crate::Observer`]): for profiles. Receipts are the same, as with all others.
    #[doc(hidden)]
    Observed,
    /// Cranelift that refuses every module.
    #[doc(hidden)]
    CraneliftFails,
    /// Cranelift that panics on every module.
    #[doc(hidden)]
    CraneliftPanics,
    /// Cranelift with so little of the native stack that it ends before the logical one.
    #[doc(hidden)]
    CraneliftShallow,
}

/// A name that no engine has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no engine {0:?}: choose cranelift, cranelift-unoptimized, pulley or wasmi")]
pub struct UnknownEngine(String);

impl EngineKind {
    /// Those that a node can choose.
    pub const ALL: [EngineKind; 4] =
        [EngineKind::Cranelift, EngineKind::CraneliftUnoptimized, EngineKind::Pulley, EngineKind::Wasmi];

    /// Where charges are put. No receipt depends on it.
    pub(crate) fn placement(self) -> Placement {
        match self {
            EngineKind::CraneliftPerBlock => Placement::PerBlock,
            EngineKind::Observed => Placement::Observed,
            _ => Placement::Merged,
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineKind::Cranelift => "cranelift",
            EngineKind::CraneliftUnoptimized => "cranelift-unoptimized",
            EngineKind::Pulley => "pulley",
            EngineKind::Wasmi => "wasmi",
            EngineKind::CraneliftPerBlock => "cranelift-per-block",
            EngineKind::Observed => "observed",
            EngineKind::CraneliftFails => "cranelift-fails",
            EngineKind::CraneliftPanics => "cranelift-panics",
            EngineKind::CraneliftShallow => "cranelift-shallow",
        })
    }
}

impl FromStr for EngineKind {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<EngineKind, UnknownEngine> {
        let found = EngineKind::ALL.into_iter().find(|kind| kind.to_string() == name);
        found.ok_or_else(|| UnknownEngine(name.to_owned()))
    }
}
