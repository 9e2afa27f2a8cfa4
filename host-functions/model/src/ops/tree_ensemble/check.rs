//! Whether the parameters are trees, and how large their sums can become: one pass over them.

use noema_abi::DType;

use super::{MISSING_LEFT, TreeEnsemble, ZERO_IS_MISSING};
use crate::{
    bounds::{EdgeBound, Interval},
    ops::length,
    parameters::Parameters,
};

/// What the leaves of one output add up to.
#[derive(Clone, Copy)]
struct Sum {
    lo: i128,
    hi: i128,
    peak: i128,
}

pub(super) fn bound(ensemble: &TreeEnsemble, features: u32, parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
    let of_base = |base: i64| Sum { lo: base.into(), hi: base.into(), peak: i128::from(base).abs() };
    let mut sums: Vec<Sum> = parameters.i64s(8).map(of_base).collect();
    let features_of = parameters.i32s(2);
    for (decision, (feature, flags)) in features_of.zip(parameters.u8s(6)).enumerate() {
        if u32::try_from(feature).map_or(true, |feature| feature >= features) {
            return Err(format!("decision {decision} asks for feature {feature} of {features}"));
        }
        if flags & !(MISSING_LEFT | ZERO_IS_MISSING) != 0 {
            return Err(format!("decision {decision} has flags {flags:#x}"));
        }
    }

    let mut children = parameters.i32s(4).zip(parameters.i32s(5));
    let mut leaves = parameters.i64s(7);
    let (mut depth, mut steps) = (0, 0);
    let mut ways = Ways::default();
    for (tree, (decisions, output)) in parameters.i32s(0).zip(parameters.i32s(1)).enumerate() {
        let refused = |reason: String| format!("tree {tree}: {reason}");
        let count = usize::try_from(decisions).map_err(|_| refused(format!("{decisions} decisions")))?;
        let output = usize::try_from(output).ok().filter(|output| *output < sums.len());
        let output = output.ok_or_else(|| refused(format!("adds to none of {} outputs", sums.len())))?;
        if count > children.len() {
            return Err(refused(format!("{count} decisions, {} are left", children.len())));
        }
        let deepest = ways.follow(children.by_ref().take(count), count).map_err(refused)?;
        depth = depth.max(deepest);
        steps += u64::from(deepest);

        let first = leaves.next().ok_or_else(|| refused("no leaves are left".into()))?;
        let (mut lo, mut hi) = (first, first);
        for _ in 0..count {
            let leaf = leaves.next().ok_or_else(|| refused("not enough leaves are left".into()))?;
            (lo, hi) = (lo.min(leaf), hi.max(leaf));
        }
        let sum = &mut sums[output];
        sum.lo += i128::from(lo);
        sum.hi += i128::from(hi);
        sum.peak += i128::from(lo).abs().max(i128::from(hi).abs());
    }
    if children.len() > 0 {
        return Err(format!("{} decisions belong to no tree", children.len()));
    }
    if (depth, steps) != (ensemble.depth, u64::from(ensemble.steps)) {
        let (stated_depth, stated) = (ensemble.depth, ensemble.steps);
        return Err(format!(
            "it states depth {stated_depth} and {stated} steps, the trees have depth {depth} and {steps} steps"
        ));
    }
    hull(&sums)
}

fn hull(sums: &[Sum]) -> Result<EdgeBound, String> {
    let mut bound: Option<EdgeBound> = None;
    for (output, sum) in sums.iter().enumerate() {
        let limit = i64::MAX;
        let peak = i64::try_from(sum.peak);
        let peak = peak.map_err(|_| format!("output {output} can reach {} on the way, i64 holds {limit}", sum.peak))?;
        // No sum is further from zero than its peak, so nothing is cut here.
        let interval = Interval::saturated(sum.lo, sum.hi, DType::I64);
        let peak = peak.unsigned_abs();
        bound = Some(bound.map_or(EdgeBound { interval, peak }, |so_far| EdgeBound {
            interval: so_far.interval.hull(interval),
            peak: so_far.peak.max(peak),
        }));
    }
    bound.ok_or_else(|| "it has no outputs".into())
}

/// Follows every way through a tree; keeps its memory from tree to tree.
#[derive(Default)]
struct Ways {
    /// How many decisions a way has when it has passed this one; 0 where nothing led to it yet.
    passed: Vec<u32>,
    leaf_reached: Vec<bool>,
}

impl Ways {
    /// The most decisions on a way through the tree with these children.
    fn follow(&mut self, children: impl Iterator<Item = (i32, i32)>, count: usize) -> Result<u32, String> {
        self.passed.clear();
        self.passed.resize(count, 0);
        self.leaf_reached.clear();
        self.leaf_reached.resize(count.saturating_add(1), false);
        if let Some(root) = self.passed.first_mut() {
            *root = 1;
        }
        let mut depth = 0;
        for (at, (left, right)) in children.enumerate() {
            let passed = self.passed[at];
            if passed == 0 {
                return Err(format!("no decision before decision {at} leads to it"));
            }
            depth = depth.max(passed);
            self.reach(at, passed, left)?;
            self.reach(at, passed, right)?;
        }
        // Each of n decisions was reached once, which took n - 1 of the 2 n ways out of them; the others led to n + 1
        // different leaves, which is all of them.
        Ok(depth)
    }

    fn reach(&mut self, at: usize, passed: u32, child: i32) -> Result<(), String> {
        let Ok(decision) = u32::try_from(child) else {
            let leaf = usize::try_from(!child).ok();
            let reached = leaf.and_then(|leaf| self.leaf_reached.get_mut(leaf));
            let reached = reached.ok_or_else(|| format!("decision {at} leads to leaf {}, which it lacks", !child))?;
            if std::mem::replace(reached, true) {
                return Err(format!("decision {at} leads to leaf {}, as another way does", !child));
            }
            return Ok(());
        };
        let decision = length(decision);
        if decision <= at {
            return Err(format!("decision {at} leads back to decision {decision}"));
        }
        let slot = self.passed.get_mut(decision);
        let slot = slot.ok_or_else(|| format!("decision {at} leads to decision {decision}, which it lacks"))?;
        if *slot != 0 {
            return Err(format!("decision {at} leads to decision {decision}, as another way does"));
        }
        *slot = passed + 1;
        Ok(())
    }
}
