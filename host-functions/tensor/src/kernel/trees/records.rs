//! Trees of `i32` features as records of eight bytes, which vector kernels fetch for sixteen trees at once.
//!
//! The two records below a decision stand side by side, so one place and the outcome of a comparison say where the way goes
//! on. A decision is one comparison `x - s > t`, wrapping, where `s` is 1 if a missing value goes right: the smallest number, which stands
//! for it, then wraps to the largest. With `s` 0 it goes left by itself. Decisions that no value passes to the left are
//! left out. What does not become such a comparison (a zero that counts as missing and goes another way than it would) or
//! does not fit the fields below stays with the general form.

use super::{Decision, Tree, index};
use crate::{Element, Level};

/// Trees of a group: the lanes of a vector.
pub(in crate::kernel) const GROUP: usize = 16;
/// Groups with at most this many trees run without vectors: most lanes would be idle.
const FEW: usize = 4;
/// Features of a row, at most.
const MAX_FEATURES: usize = 1 << 15;
/// Records of a tree, at most.
const MAX_RECORDS: usize = 1 << 16;

/// Rows that all groups see one after the other, so that rows and the records of a group stay in the first cache: a multiple
/// of 4.
pub(in crate::kernel) fn tile(features: usize) -> usize {
    (8192 / features).clamp(4, 64) & !3
}

/// Fields of [`Record::word`].
pub(in crate::kernel) const FEATURE: u32 = 0x7fff;
pub(in crate::kernel) const MISSING_RIGHT: u32 = 0x8000;
pub(in crate::kernel) const LEFT: u32 = 16;

/// A decision, or a leaf where `word` is 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in crate::kernel) struct Record {
    /// What the feature, less 1 where a missing value goes right, is compared with.
    pub(in crate::kernel) threshold: i32,
    /// From the lowest bit: 15 bits of feature, one for a missing value that goes right, 16 bits for where left leads,
    /// counted from the root. The root is below no decision, so 0 says that there is none.
    pub(in crate::kernel) word: u32,
}

/// Trees that run together.
#[derive(Clone, Debug)]
pub(in crate::kernel) struct Group {
    /// The records of the roots; 0 for a lane without a tree.
    pub(in crate::kernel) roots: [i32; GROUP],
    /// Which sums they are added to.
    pub(in crate::kernel) outputs: [u32; GROUP],
    /// The sum that all of them are added to, if it is one.
    pub(in crate::kernel) output: Option<usize>,
    /// The most decisions on a way through any of them.
    pub(in crate::kernel) depth: u32,
    /// How many there are.
    trees: usize,
}

/// All trees.
#[derive(Clone, Debug)]
pub(in crate::kernel) struct Records {
    features: usize,
    /// The first one is a leaf of 0, for lanes without a tree.
    records: Vec<Record>,
    /// The leaf at each record, 0 at decisions.
    leaves: Vec<i64>,
    groups: Vec<Group>,
}

impl Records {
    /// The records of trees that were checked; `None` where they do not fit.
    pub(super) fn pack<K: Element>(
        features: usize,
        trees: &[(Tree, usize, usize)],
        decisions: &[Decision<K>],
        leaves: &[i64],
    ) -> Option<Records> {
        if K::DTYPE != crate::DType::I32 || features > MAX_FEATURES {
            return None;
        }
        let mut packed = Records {
            features,
            records: vec![Record { threshold: 0, word: 0 }],
            leaves: vec![0],
            groups: Vec::with_capacity(trees.len().div_ceil(GROUP)),
        };
        let mut roots = Vec::with_capacity(trees.len());
        for (tree, first, first_leaf) in trees {
            let root = i32::try_from(packed.records.len()).ok()?;
            let depth = packed.tree(&decisions[*first..first + tree.decisions], &leaves[*first_leaf..])?;
            roots.push((depth, root, u32::try_from(tree.output).ok()?));
        }
        // Sums are exact, so their order is free: trees of one depth run together.
        roots.sort_by_key(|(depth, ..)| std::cmp::Reverse(*depth));
        for roots in roots.chunks(GROUP) {
            let (depth, _, first) = roots[0];
            let same = roots.iter().all(|(_, _, output)| *output == first);
            let output = same.then(|| index(first));
            let mut group = Group { roots: [0; GROUP], outputs: [first; GROUP], output, depth, trees: roots.len() };
            for (lane, (_, root, output)) in roots.iter().enumerate() {
                (group.roots[lane], group.outputs[lane]) = (*root, *output);
            }
            packed.groups.push(group);
        }
        i32::try_from(packed.records.len()).ok()?;
        Some(packed)
    }

    /// Appends a tree, level by level, and says how deep it is.
    fn tree<K: Element>(&mut self, decisions: &[Decision<K>], leaves: &[i64]) -> Option<u32> {
        // What stands at each record of the tree, and how many decisions lead to it.
        let mut places = vec![(if decisions.is_empty() { -1 } else { 0 }, 0)];
        let (mut at, mut deepest) = (0, 0);
        while let Some((place, depth)) = places.get(at).copied() {
            at += 1;
            deepest = deepest.max(depth);
            match Self::decision(decisions, place)? {
                Way::Leaf(leaf) => {
                    self.records.push(Record { threshold: 0, word: 0 });
                    self.leaves.push(*leaves.get(leaf)?);
                }
                Way::Decision { threshold, feature, missing_right, children } => {
                    let left = u32::try_from(places.len()).ok().filter(|_| places.len() + 2 <= MAX_RECORDS)?;
                    let word = left << LEFT | if missing_right { MISSING_RIGHT } else { 0 } | feature;
                    self.records.push(Record { threshold, word });
                    self.leaves.push(0);
                    places.extend(children.map(|child| (child, depth + 1)));
                }
            }
        }
        Some(deepest)
    }

    /// What stands at a place, behind decisions that only lead right.
    fn decision<K: Element>(decisions: &[Decision<K>], mut place: i32) -> Option<Way> {
        while let Ok(at) = usize::try_from(place) {
            let decision = decisions.get(at)?;
            let threshold: i64 = decision.threshold.into();
            let threshold = i32::try_from(threshold).ok()?;
            if decision.zero_is_missing && decision.missing_left != (threshold >= 0) {
                return None;
            }
            let Decision { feature, left, right, missing_left, .. } = *decision;
            match threshold.checked_sub(if missing_left { 0 } else { 1 }) {
                // Nothing is below the smallest number, and what is equal to it is missing and goes right.
                None => place = right,
                Some(threshold) => {
                    return Some(Way::Decision {
                        threshold,
                        feature,
                        missing_right: !missing_left,
                        children: [left, right],
                    });
                }
            }
        }
        usize::try_from(!place).ok().map(Way::Leaf)
    }

    /// Adds the leaves of each row of `x` to the bases.
    ///
    /// # Panics
    /// Where `x` and `out` are not equally many rows of the features and outputs that the trees have.
    pub(super) fn sums(&self, level: Level, base: &[i64], x: &[i32], out: &mut [i64]) {
        if x.is_empty() {
            return;
        }
        assert!(x.len() / self.features == out.len() / base.len() && x.len().is_multiple_of(self.features));
        out.chunks_exact_mut(base.len()).for_each(|out| out.copy_from_slice(base));
        let full = self.groups.len() - usize::from(self.groups.last().is_some_and(|group| group.trees <= FEW));
        let (full, few) = self.groups.split_at(full);
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => super::super::x86::avx512_trees::add(self, full, x, out),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::AvxVnni => super::super::x86::avx2_trees::add(self, full, x, out),
            _ => full.iter().for_each(|group| self.add_group::<GROUP>(group, x, out)),
        }
        few.iter().for_each(|group| self.add_group::<FEW>(group, x, out));
    }

    /// The first `LANES` trees of a group, in step, without vectors.
    fn add_group<const LANES: usize>(&self, group: &Group, x: &[i32], out: &mut [i64]) {
        let rows = x.len() / self.features;
        let roots: [i32; LANES] = std::array::from_fn(|lane| group.roots[lane]);
        let roots = roots.map(i32::cast_unsigned);
        for (x, out) in x.chunks_exact(self.features).zip(out.chunks_exact_mut(out.len() / rows)) {
            let mut at = roots;
            for _ in 0..group.depth {
                for (at, root) in at.iter_mut().zip(&roots) {
                    let Record { threshold, word } = self.records[index(*at)];
                    let shift = i32::from(word & MISSING_RIGHT != 0);
                    let right = x[index(word & FEATURE)].wrapping_sub(shift) > threshold;
                    let next = root + (word >> LEFT) + u32::from(right);
                    *at = if word == 0 { *at } else { next };
                }
            }
            for (at, output) in at.iter().zip(&group.outputs) {
                let out = &mut out[index(*output)];
                // The caller has proven that no sum passes 64 bits.
                *out = out.wrapping_add(self.leaves[index(*at)]);
            }
        }
    }

    /// Features of a row.
    pub(in crate::kernel) fn features(&self) -> usize {
        self.features
    }

    /// The records. A place that is a root, or a root and where its decisions lead, is always one of them.
    pub(in crate::kernel) fn records(&self) -> &[Record] {
        &self.records
    }

    /// The leaves, one for each record.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "for kernels that gather them"))]
    pub(in crate::kernel) fn leaves(&self) -> &[i64] {
        &self.leaves
    }
}

/// What stands at a place of a tree.
enum Way {
    Leaf(usize),
    Decision { threshold: i32, feature: u32, missing_right: bool, children: [i32; 2] },
}
