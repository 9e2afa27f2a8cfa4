//! Ensembles of decision trees: comparisons of integers, then exact sums of leaves.

use records::Records;

use super::{Kernels, reference};
use crate::{Element, Level, OpError, Status};

/// What a row meets at an inner node of a tree.
///
/// With `x` the feature of the row, the way goes left where `x <= threshold`. The smallest value of the type stands for
/// a missing value, and goes where `missing_left` says; where `zero_is_missing`, a zero does as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<K> {
    /// Which feature.
    pub feature: u32,
    /// What it is compared with.
    pub threshold: K,
    /// Where the way goes: a decision of the same tree, counted from its root, or `!leaf` with a leaf of the same tree.
    pub left: i32,
    /// See `left`.
    pub right: i32,
    /// Where a missing value goes.
    pub missing_left: bool,
    /// Whether a zero counts as missing.
    pub zero_is_missing: bool,
}

impl<K: Element> Decision<K> {
    /// Whether `x` goes left.
    pub(crate) fn left(&self, x: K) -> bool {
        let missing = x == K::saturate_i64(i64::MIN) || (self.zero_is_missing && x == K::default());
        if missing { self.missing_left } else { x <= self.threshold }
    }
}

/// A tree: `decisions` inner nodes, of which the first is the root, and one leaf more. Without decisions its one leaf is
/// the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// How many inner nodes.
    pub decisions: usize,
    /// Which sum its leaf is added to.
    pub output: usize,
}

/// Trees that were checked and are ready to run.
#[derive(Clone, Debug)]
pub struct PackedTrees<K> {
    features: usize,
    base: Vec<i64>,
    leaves: Vec<i64>,
    form: Form<K>,
    /// Comparisons and leaves of one row, at most.
    work: usize,
}

#[derive(Clone, Debug)]
enum Form<K> {
    /// As they were given, with the places of each tree's first decision and first leaf.
    Plain { trees: Vec<(Tree, usize, usize)>, decisions: Vec<Decision<K>> },
    /// For `i32` features and trees that fit its fields.
    Records(Records),
    /// For running several trees in step: all decisions, then all leaves as nodes that lead to themselves.
    Lockstep { roots: Vec<Root>, nodes: Vec<Node<K>>, first_leaf: u32 },
}

#[derive(Clone, Copy, Debug)]
struct Root {
    node: u32,
    output: u32,
    depth: u32,
}

#[derive(Clone, Copy, Debug)]
struct Node<K> {
    threshold: K,
    /// The feature, and two flags above it.
    feature: u32,
    /// Left, right: numbers of nodes.
    next: [u32; 2],
}

const MISSING_LEFT: u32 = 1 << 31;
const ZERO_IS_MISSING: u32 = 1 << 30;
/// Trees that run in step: as many loads in flight hide most of the time that one takes.
const LANES: usize = 8;

impl<K: Element> PackedTrees<K> {
    /// Checks the trees and packs them for a level. `decisions` and `leaves` are those of the first tree, then those of
    /// the second, and so on; `base` is what the sum of each output begins with.
    ///
    /// # Errors
    /// `BadArgument` unless every tree is one: each decision but the root, and each leaf, is reached from exactly one
    /// decision that stands before it; every feature is below `features`, every output has a base, nothing is left over.
    pub fn pack(
        level: Level,
        features: usize,
        base: Vec<i64>,
        trees: Vec<Tree>,
        decisions: Vec<Decision<K>>,
        leaves: Vec<i64>,
    ) -> Result<PackedTrees<K>, OpError> {
        let plain = places(&trees, &decisions, leaves.len());
        let plain = plain.filter(|trees| trees.iter().all(|(tree, ..)| tree.output < base.len()));
        let fits = |decision: &Decision<K>| index(decision.feature) < features && decision.feature < ZERO_IS_MISSING;
        let plain = plain.filter(|_| features > 0 && decisions.iter().all(fits)).ok_or(Status::BadArgument)?;
        let mut work = trees.len();
        let mut roots = Vec::with_capacity(trees.len());
        for (tree, first, first_leaf) in &plain {
            let depth = depth(&decisions[*first..first + tree.decisions]).ok_or(Status::BadArgument)?;
            work = work.saturating_add(depth);
            let node = if tree.decisions == 0 { decisions.len() + first_leaf } else { *first };
            roots.push(Root { node: narrow(node)?, output: narrow(tree.output)?, depth: narrow(depth)? });
        }
        let form = if level == Level::Reference {
            Form::Plain { trees: plain, decisions }
        } else if let Some(records) = Records::pack(features, &plain, &decisions, &leaves) {
            Form::Records(records)
        } else {
            let nodes = lockstep(&plain, &decisions, leaves.len())?;
            // Sums are exact, so their order is free: trees of one depth run together.
            roots.sort_by_key(|root| std::cmp::Reverse(root.depth));
            Form::Lockstep { roots, nodes, first_leaf: narrow(decisions.len())? }
        };
        Ok(PackedTrees { features, base, leaves, form, work })
    }

    /// Some rows, by the kernel of a level where there is one.
    fn rows(&self, level: Level, x: &[K], out: &mut [i64]) {
        if let Form::Records(records) = &self.form {
            return records.sums(level, &self.base, bytemuck::cast_slice(x), out);
        }
        for (row, out) in x.chunks_exact(self.features).zip(out.chunks_exact_mut(self.base.len())) {
            self.row(row, out);
        }
    }

    fn row(&self, row: &[K], out: &mut [i64]) {
        match &self.form {
            Form::Records(_) => {}
            Form::Plain { trees, decisions } => reference::trees(trees, decisions, &self.leaves, &self.base, row, out),
            Form::Lockstep { roots, nodes, first_leaf } => {
                out.copy_from_slice(&self.base);
                let mut add = |node: u32, output: u32| {
                    let out = &mut out[index(output)];
                    // The caller has proven that no sum passes 64 bits.
                    *out = out.saturating_add(self.leaves[index(node - first_leaf)]);
                };
                let (groups, rest) = roots.as_chunks::<LANES>();
                for group in groups {
                    let mut at = group.map(|root| root.node);
                    let (mut done, shallowest) = (0, group[LANES - 1].depth);
                    while done < shallowest {
                        at = at.map(|node| step(nodes, node, row));
                        done += 1;
                    }
                    for lanes in (1..LANES).rev() {
                        for _ in done..group[lanes - 1].depth {
                            at[..lanes].iter_mut().for_each(|node| *node = step(nodes, *node, row));
                        }
                        done = group[lanes - 1].depth.max(done);
                    }
                    at.iter().zip(group).for_each(|(node, root)| add(*node, root.output));
                }
                for root in rest {
                    let node = (0..root.depth).fold(root.node, |node, _| step(nodes, node, row));
                    add(node, root.output);
                }
            }
        }
    }
}

/// The node after `node`, without a branch that could be guessed wrong.
#[inline]
fn step<K: Element>(nodes: &[Node<K>], node: u32, row: &[K]) -> u32 {
    let node = &nodes[index(node)];
    let x = row[index(node.feature & (ZERO_IS_MISSING - 1))];
    let zero = (node.feature & ZERO_IS_MISSING != 0) & (x == K::default());
    let missing = (x == K::saturate_i64(i64::MIN)) | zero;
    let left = (missing & (node.feature & MISSING_LEFT != 0)) | (!missing & (x <= node.threshold));
    node.next[usize::from(!left)]
}

/// Where the first decision and the first leaf of each tree stand, if there are exactly as many as the trees say.
fn places<K>(trees: &[Tree], decisions: &[Decision<K>], leaves: usize) -> Option<Vec<(Tree, usize, usize)>> {
    let (mut decision, mut leaf) = (0_usize, 0_usize);
    let mut placed = Vec::with_capacity(trees.len());
    for tree in trees {
        placed.push((*tree, decision, leaf));
        decision = decision.checked_add(tree.decisions)?;
        leaf = leaf.checked_add(tree.decisions)?.checked_add(1)?;
    }
    (decision == decisions.len() && leaf == leaves).then_some(placed)
}

/// The most decisions on a way through a tree, if it is one.
fn depth<K>(tree: &[Decision<K>]) -> Option<usize> {
    // How many decisions a way has when it has passed each; 0 for those that nothing led to yet.
    let mut passed = vec![0_usize; tree.len()];
    if let Some(root) = passed.first_mut() {
        *root = 1;
    }
    let mut leaf_reached = vec![false; tree.len() + 1];
    let mut deepest = 0;
    for (at, decision) in tree.iter().enumerate() {
        let here = *passed.get(at).filter(|passed| **passed > 0)?;
        deepest = deepest.max(here);
        for child in [decision.left, decision.right] {
            if let Ok(child) = usize::try_from(child) {
                let slot = passed.get_mut(child).filter(|slot| child > at && **slot == 0)?;
                *slot = here + 1;
            } else {
                let leaf = usize::try_from(!child).ok()?;
                let reached = leaf_reached.get_mut(leaf).filter(|reached| !**reached)?;
                *reached = true;
            }
        }
    }
    // n decisions have 2 n ways out, n - 1 of which led to decisions, so the others led to each of the n + 1 leaves.
    Some(deepest)
}

fn lockstep<K: Element>(
    trees: &[(Tree, usize, usize)],
    decisions: &[Decision<K>],
    leaves: usize,
) -> Result<Vec<Node<K>>, OpError> {
    let mut nodes = Vec::with_capacity(decisions.len() + leaves);
    for (tree, first, first_leaf) in trees {
        let place = |child: i32| match usize::try_from(child) {
            Ok(child) => narrow(first + child),
            Err(_) => narrow(decisions.len() + first_leaf + usize::try_from(!child).unwrap_or(usize::MAX)),
        };
        for decision in &decisions[*first..first + tree.decisions] {
            let missing_left = if decision.missing_left { MISSING_LEFT } else { 0 };
            let zero_is_missing = if decision.zero_is_missing { ZERO_IS_MISSING } else { 0 };
            nodes.push(Node {
                threshold: decision.threshold,
                feature: decision.feature | missing_left | zero_is_missing,
                next: [place(decision.left)?, place(decision.right)?],
            });
        }
    }
    for leaf in 0..leaves {
        let itself = narrow(decisions.len() + leaf)?;
        nodes.push(Node { threshold: K::default(), feature: 0, next: [itself; 2] });
    }
    Ok(nodes)
}

fn narrow(value: usize) -> Result<u32, OpError> {
    Ok(u32::try_from(value).map_err(|_| Status::LimitExceeded)?)
}

#[inline]
fn index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// For each row of `x` the sum of its leaves for each output, beginning with the base of that output. The caller has
/// proven that no sum of base and leaves, in any order, passes 64 bits.
///
/// # Panics
/// Where `x` and `out` are not equally many rows of the features and outputs that the trees have.
pub fn tree_sums<K: Element>(k: &Kernels, x: &[K], trees: &PackedTrees<K>, out: &mut [i64]) {
    let (features, outputs) = (trees.features, trees.base.len());
    if outputs == 0 {
        assert!(out.is_empty(), "results of another shape");
        return;
    }
    let rows = out.len() / outputs;
    assert!(rows * outputs == out.len() && rows * features == x.len(), "results of another shape");
    // A comparison takes as long as some tens of multiplications.
    k.split_rows((x, features), (out, outputs), trees.work.saturating_mul(32), |x, out| {
        trees.rows(k.level(), x, out);
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Trees, out);
}

pub(super) mod records;
#[cfg(test)]
mod tests;
