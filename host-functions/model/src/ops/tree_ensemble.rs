use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{Level, OpError};

use super::{Operator, ParameterSpec, Step};
use crate::{
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

mod check;
mod step;

/// Most trees of an ensemble.
pub const MAX_TREES: u32 = 1 << 16;
/// Most decisions of an ensemble.
pub const MAX_DECISIONS: u32 = 1 << 24;
/// Most decisions on a way through a tree.
pub const MAX_TREE_DEPTH: u32 = 1024;
/// Most features of a row, and most outputs.
pub const MAX_TREE_WIDTH: u32 = 1 << 20;

/// In the flags of a decision: a missing value goes left.
pub const MISSING_LEFT: u8 = 1;
/// In the flags of a decision: a zero counts as missing.
pub const ZERO_IS_MISSING: u8 = 2;

/// `y[.., o] = base[o] +` the sum of the leaves of the trees of output `o` that a row of `x` leads to, exact, as `i64`.
///
/// `x` is `i32` or `i64` with the features along its last axis. At a decision with feature `f` and threshold `t`, the
/// way goes left where `x[.., f] <= t`, else right. The smallest value of the type of `x` stands for a missing value: it
/// goes left where the decision has the flag [`MISSING_LEFT`], else right, and so does a zero where the decision has the
/// flag [`ZERO_IS_MISSING`]. Thresholds are order-preserving integers of the float thresholds that the ensemble was
/// trained with: for features in fixed point, the largest integer that the library would send left. So `<` and `<=` of
/// the libraries are one comparison here, and the decision is the library's for every representable feature.
///
/// Parameters, tree after tree, decision after decision:
///
/// | | | |
/// |---|---|---|
/// | 0 | `i32 [trees]` | how many decisions the tree has; it has one leaf more |
/// | 1 | `i32 [trees]` | the output that it adds to |
/// | 2 | `i32 [decisions]` | feature |
/// | 3 | `i32` or `i64` as `x` `[decisions]` | threshold |
/// | 4 | `i32 [decisions]` | where left leads: a later decision of the tree, counted from its first, or `-1 - leaf` |
/// | 5 | `i32 [decisions]` | where right leads |
/// | 6 | `u8 [decisions]` | flags |
/// | 7 | `i64 [decisions + trees]` | leaves |
/// | 8 | `i64 [outputs]` | base |
///
/// The bound adds the smallest and the largest leaf of each tree; it refuses what is no tree: every decision but the
/// first and every leaf is reached from exactly one decision, which stands before it. What the attributes say must be
/// exactly what the parameters have. Work: `steps + trees + outputs` for each row, priced by [`Forest`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TreeEnsemble {
    /// How many sums.
    pub outputs: u32,
    /// How many trees.
    pub trees: u32,
    /// How many decisions all trees have together.
    pub decisions: u32,
    /// The most decisions on a way through any tree.
    pub depth: u32,
    /// The most decisions on a way through each tree, added up over the trees: the most comparisons for one row.
    pub steps: u32,
}

/// How large an ensemble is, which decides how far away its next decision lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forest {
    /// At most 2^14 decisions, trees, features and outputs together.
    Small,
    /// At most 2^18 of them.
    Medium,
    /// More.
    Large,
}

impl TreeEnsemble {
    /// How many leaves all trees have together, saturating.
    #[must_use]
    pub fn leaves(&self) -> u32 {
        self.decisions.saturating_add(self.trees)
    }

    /// How large it is, for rows of this many features.
    #[must_use]
    pub fn forest(&self, features: u32) -> Forest {
        let size = [self.decisions, self.trees, features, self.outputs].map(u64::from).iter().sum::<u64>();
        match size {
            0..=0x4000 => Forest::Small,
            0x4001..=0x4_0000 => Forest::Medium,
            _ => Forest::Large,
        }
    }
}

impl Operator for TreeEnsemble {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        if !matches!(x.dtype, DType::I32 | DType::I64) {
            return Err(format!("takes i32 or i64, not {}", x.dtype));
        }
        let Some((features, before)) = x.dims.split_last() else {
            return Err("its input has no axis beside the batch".into());
        };
        let limits = [
            ("features", *features, MAX_TREE_WIDTH),
            ("outputs", self.outputs, MAX_TREE_WIDTH),
            ("trees", self.trees, MAX_TREES),
            ("decisions", self.decisions, MAX_DECISIONS),
            ("decisions on the longest way", self.depth, MAX_TREE_DEPTH),
        ];
        for (what, value, limit) in limits {
            if value > limit {
                return Err(format!("{value} {what}, the limit is {limit}"));
            }
        }
        if self.trees == 0 || self.outputs == 0 {
            return Err(format!("{} trees for {} outputs", self.trees, self.outputs));
        }
        let mut dims = before.to_vec();
        dims.push(self.outputs);
        Ok(Edge { dtype: DType::I64, dims })
    }

    fn parameters(&self, inputs: &[&Edge]) -> Vec<ParameterSpec> {
        let (trees, decisions) = (u64::from(self.trees), u64::from(self.decisions));
        vec![
            ParameterSpec::new(DType::I32, trees),
            ParameterSpec::new(DType::I32, trees),
            ParameterSpec::new(DType::I32, decisions),
            ParameterSpec::new(inputs[0].dtype, decisions),
            ParameterSpec::new(DType::I32, decisions),
            ParameterSpec::new(DType::I32, decisions),
            ParameterSpec::new(DType::U8, decisions),
            ParameterSpec::new(DType::I64, u64::from(self.leaves())),
            ParameterSpec::new(DType::I64, u64::from(self.outputs)),
        ]
    }

    fn bound(&self, edges: &[&Edge], _: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        check::bound(self, edges[0].last(), parameters)
    }

    fn needs_channels(&self) -> bool {
        true
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let x = inputs[0];
        let rows = x.row_elements() / u64::from(x.last());
        let each = [self.steps, self.trees, self.outputs].map(u64::from).iter().sum();
        let opcode = match self.forest(x.last()) {
            Forest::Small => Opcode::SmallForest,
            Forest::Medium => Opcode::MediumForest,
            Forest::Large => Opcode::LargeForest,
        };
        vec![(opcode, rows.saturating_mul(each))]
    }

    fn prepare(&self, level: Level, inputs: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        step::prepare(level, inputs[0], parameters)
    }
}

#[cfg(test)]
mod tests;
