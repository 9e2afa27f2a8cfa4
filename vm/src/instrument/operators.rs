//! What operators do: which lead elsewhere, and which use the memory.

use wasmparser::{BrTable, MemArg, Operator};

/// Whether an operator leads elsewhere: a branch, also the one at the end of a first arm, or a call.
pub(crate) fn is_branch(operator: &Operator<'_>) -> bool {
    use Operator::{Br, BrIf, BrTable, Call, CallIndirect, Else, If};
    matches!(operator, Br { .. } | BrIf { .. } | BrTable { .. } | If { .. } | Else | Call { .. } | CallIndirect { .. })
}

/// The depths to which a table of branches leads, each once.
pub(super) fn different_targets(table: &BrTable<'_>) -> Vec<u32> {
    let mut depths: Vec<u32> = table.targets().flatten().chain([table.default()]).collect();
    depths.sort_unstable();
    depths.dedup();
    depths
}

/// How an operator uses the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Load,
    /// How many bytes it stores, and how far behind its address.
    Store {
        bytes: u64,
        offset: u64,
    },
}

/// Whether an operator loads from the memory or stores to it.
#[rustfmt::skip]
pub(super) fn access(operator: &Operator<'_>) -> Option<Access> {
    use Operator::*;
    let store = |bytes, memarg: &MemArg| Some(Access::Store { bytes, offset: memarg.offset });
    match operator {
        I32Load { .. } | I64Load { .. } | F32Load { .. } | F64Load { .. }
        | I32Load8S { .. } | I32Load8U { .. } | I32Load16S { .. } | I32Load16U { .. }
        | I64Load8S { .. } | I64Load8U { .. } | I64Load16S { .. } | I64Load16U { .. }
        | I64Load32S { .. } | I64Load32U { .. }
        | V128Load { .. } | V128Load8x8S { .. } | V128Load8x8U { .. } | V128Load16x4S { .. }
        | V128Load16x4U { .. } | V128Load32x2S { .. } | V128Load32x2U { .. } | V128Load8Splat { .. }
        | V128Load16Splat { .. } | V128Load32Splat { .. } | V128Load64Splat { .. } | V128Load32Zero { .. }
        | V128Load64Zero { .. } | V128Load8Lane { .. } | V128Load16Lane { .. } | V128Load32Lane { .. }
        | V128Load64Lane { .. } => Some(Access::Load),
        I32Store8 { memarg } | I64Store8 { memarg } | V128Store8Lane { memarg, .. } => store(1, memarg),
        I32Store16 { memarg } | I64Store16 { memarg } | V128Store16Lane { memarg, .. } => store(2, memarg),
        I32Store { memarg } | F32Store { memarg } | I64Store32 { memarg } | V128Store32Lane { memarg, .. } => store(4, memarg),
        I64Store { memarg } | F64Store { memarg } | V128Store64Lane { memarg, .. } => store(8, memarg),
        V128Store { memarg } => store(16, memarg),
        _ => None,
    }
}
