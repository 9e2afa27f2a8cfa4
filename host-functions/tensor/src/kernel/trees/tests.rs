use std::sync::LazyLock;

use proptest::prelude::*;

use super::{Decision, PackedTrees, Tree, tree_sums};
use crate::{Element, Kernels, Level, OpError, Status};

fn decision(feature: u32, threshold: i32, left: i32, right: i32) -> Decision<i32> {
    Decision { feature, threshold, left, right, missing_left: false, zero_is_missing: false }
}

fn pack(trees: &[(usize, usize)], decisions: Vec<Decision<i32>>, leaves: usize) -> Result<PackedTrees<i32>, OpError> {
    let trees = trees.iter().map(|(decisions, output)| Tree { decisions: *decisions, output: *output }).collect();
    PackedTrees::pack(Level::Portable, 2, vec![0, 0], trees, decisions, vec![0; leaves])
}

#[test]
fn what_is_no_tree_is_refused() {
    assert!(pack(&[(2, 1), (0, 0)], vec![decision(0, 1, 1, -1), decision(1, 2, -2, -3)], 4).is_ok());
    let bad = [
        // A decision that leads to itself, to one before it, to one that is not there.
        pack(&[(1, 0)], vec![decision(0, 1, 0, -1)], 2),
        pack(&[(2, 0)], vec![decision(0, 1, 1, -1), decision(0, 1, 0, -2)], 3),
        pack(&[(1, 0)], vec![decision(0, 1, 1, -1)], 2),
        // Two ways to one leaf, to one decision, a decision that nothing leads to.
        pack(&[(1, 0)], vec![decision(0, 1, -1, -1)], 2),
        pack(&[(2, 0)], vec![decision(0, 1, 1, 1), decision(0, 1, -1, -2)], 3),
        pack(&[(2, 0)], vec![decision(0, 1, -1, -2), decision(0, 1, -2, -3)], 3),
        // A leaf, feature, output that is not there.
        pack(&[(1, 0)], vec![decision(0, 1, -1, -3)], 2),
        pack(&[(1, 0)], vec![decision(0, 1, -1, i32::MIN)], 2),
        pack(&[(1, 0)], vec![decision(2, 1, -1, -2)], 2),
        pack(&[(1, 0)], vec![decision(u32::MAX, 1, -1, -2)], 2),
        pack(&[(1, 2)], vec![decision(0, 1, -1, -2)], 2),
        // More or fewer decisions and leaves than the trees say.
        pack(&[(1, 0)], vec![], 2),
        pack(&[(0, 0)], vec![decision(0, 1, -1, -2)], 2),
        pack(&[(1, 0)], vec![decision(0, 1, -1, -2)], 3),
        pack(&[(usize::MAX, 0), (1, 0)], vec![], 2),
    ];
    for (case, packed) in bad.into_iter().enumerate() {
        assert!(matches!(packed, Err(OpError::Status(Status::BadArgument))), "case {case}");
    }
}

/// A random tree of the given number of decisions: each new one takes the place of a leaf.
fn grow(numbers: &mut impl FnMut(u64) -> u64, decisions: usize, features: u64) -> Vec<Decision<i64>> {
    let mut tree: Vec<Decision<i64>> = Vec::new();
    // Places that still hold a leaf: a decision and a side.
    let mut open: Vec<(usize, bool)> = Vec::new();
    // Half of the trees have no zeros that count as missing, which has a form of its own.
    let kinds = 4 + 4 * numbers(2);
    for at in 0..decisions {
        if !open.is_empty() {
            let pick = usize::try_from(numbers(open.len().try_into().unwrap())).unwrap();
            let (parent, left) = open.swap_remove(pick);
            let child = i32::try_from(at).unwrap();
            if left { tree[parent].left = child } else { tree[parent].right = child }
        }
        let threshold = match numbers(24) {
            0 => i64::MIN,
            1 => i64::MAX,
            2 => i64::MIN + 1,
            other => i64::try_from(other % 9).unwrap() - 4,
        };
        let flags = numbers(kinds);
        tree.push(Decision {
            feature: u32::try_from(numbers(features)).unwrap(),
            threshold,
            left: 0,
            right: 0,
            missing_left: flags & 1 == 1,
            zero_is_missing: flags & 4 == 4,
        });
        open.extend([(at, true), (at, false)]);
    }
    for (leaf, (parent, left)) in open.into_iter().enumerate() {
        let child = !i32::try_from(leaf).unwrap();
        if left { tree[parent].left = child } else { tree[parent].right = child }
    }
    tree
}

/// The same number of 32 bits, the ends of the range those of 32 bits.
fn narrow(number: i64) -> i32 {
    match number {
        i64::MIN => i32::MIN,
        number if number == i64::MIN + 1 => i32::MIN + 1,
        i64::MAX => i32::MAX,
        number => number.try_into().unwrap(),
    }
}

/// A forest with rows and what they add up to, followed by hand, tree by tree.
struct Scene {
    features: usize,
    base: Vec<i64>,
    trees: Vec<Tree>,
    decisions: Vec<Decision<i64>>,
    leaves: Vec<i64>,
    x: Vec<i64>,
    expected: Vec<i64>,
}

impl Scene {
    fn new(sizes: &[usize], features: usize, outputs: usize, rows: usize, seed: u64) -> Scene {
        let mut state = seed;
        let mut numbers = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let width = features.try_into().unwrap();
        let forest: Vec<Vec<Decision<i64>>> = sizes.iter().map(|size| grow(&mut numbers, *size, width)).collect();
        let leaves: Vec<Vec<i64>> = sizes
            .iter()
            .map(|size| (0..=*size).map(|_| i64::try_from(numbers(1 << 30)).unwrap() - (1 << 29)).collect())
            .collect();
        let targets: Vec<usize> =
            sizes.iter().map(|_| usize::try_from(numbers(outputs.try_into().unwrap())).unwrap()).collect();
        let x: Vec<i64> = (0..rows * features)
            .map(|_| match numbers(14) {
                0 => i64::MIN,
                1 => i64::MAX,
                2 => i64::MIN + 1,
                other => i64::try_from(other).unwrap() - 8,
            })
            .collect();
        let base: Vec<i64> = (0..outputs).map(|output| i64::try_from(output).unwrap() * 1000 - 7).collect();
        let mut expected = Vec::new();
        for row in x.chunks(features) {
            let mut sums = base.clone();
            for ((tree, leaves), target) in forest.iter().zip(&leaves).zip(&targets) {
                let mut at = if tree.is_empty() { -1 } else { 0 };
                while let Ok(node) = usize::try_from(at) {
                    let Decision { feature, threshold, left, right, missing_left, zero_is_missing } = tree[node];
                    let value = row[usize::try_from(feature).unwrap()];
                    let goes_left = match value {
                        i64::MIN => missing_left,
                        0 if zero_is_missing => missing_left,
                        value => value <= threshold,
                    };
                    at = if goes_left { left } else { right };
                }
                sums[*target] += leaves[usize::try_from(!at).unwrap()];
            }
            expected.extend(sums);
        }
        let trees =
            sizes.iter().zip(&targets).map(|(decisions, output)| Tree { decisions: *decisions, output: *output });
        Scene {
            features,
            base,
            trees: trees.collect(),
            decisions: forest.concat(),
            leaves: leaves.concat(),
            x,
            expected,
        }
    }

    /// With numbers of another type, at every level.
    fn check<K: Element>(&self, number: impl Fn(i64) -> K) -> Result<(), TestCaseError> {
        let decision = |decision: &Decision<i64>| {
            let Decision { feature, threshold, left, right, missing_left, zero_is_missing } = *decision;
            Decision { feature, threshold: number(threshold), left, right, missing_left, zero_is_missing }
        };
        let x: Vec<K> = self.x.iter().copied().map(&number).collect();
        static KERNELS: LazyLock<Vec<Kernels>> = LazyLock::new(|| {
            let levels = Level::available().into_iter();
            levels.flat_map(|level| [1, 2].map(|threads| Kernels::new(level, threads).unwrap())).collect()
        });
        for kernels in &*KERNELS {
            let (level, threads) = (kernels.level(), kernels.threads());
            let decisions = self.decisions.iter().map(decision).collect();
            let (base, leaves) = (self.base.clone(), self.leaves.clone());
            let packed = PackedTrees::pack(level, self.features, base, self.trees.clone(), decisions, leaves).unwrap();
            let mut out = vec![77; self.expected.len()];
            tree_sums(kernels, &x, &packed, &mut out);
            prop_assert_eq!(&out, &self.expected, "{} with {} threads", level, threads);
            // A kernel of another level runs what was packed for this one.
            let mut out = vec![77; self.expected.len()];
            tree_sums(&KERNELS[2], &x, &packed, &mut out);
            prop_assert_eq!(&out, &self.expected, "packed for {}", level);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn every_level_sums_the_leaves_that_the_decisions_lead_to(
        sizes in prop::collection::vec(prop_oneof![3 => 0..12_usize, 1 => 40..70_usize], 1..90),
        features in prop_oneof![3 => 1..33_usize, 1 => 33..70_usize],
        outputs in prop_oneof![Just(1_usize), 1..5_usize], rows in prop_oneof![2 => 1..8_usize, 1 => 60..75_usize],
        seed in any::<u64>(),
    ) {
        let scene = Scene::new(&sizes, features, outputs, rows, seed);
        scene.check(narrow)?;
        scene.check(|number| number)?;
    }
}

#[test]
fn trees_as_large_and_deep_as_there_are() {
    // Beside what fits a record: one tree of more decisions, one more feature; and a way of 1,024 decisions.
    for (decisions, features) in [(32_000, 9), (33_000, 9), (40, 32_768), (40, 32_769)] {
        Scene::new(&[decisions, 3, 1, 2, 7, 5], features, 1, 3, 5).check(narrow).unwrap();
    }
    let chain = |at: i32| decision(0, 1023 - at, at + 1, !at);
    let mut decisions: Vec<_> = (0..1024).map(chain).collect();
    decisions[1023].left = -1025;
    let leaves: Vec<i64> = (0..1025).collect();
    let x = [0, 500, 1023, 2000];
    for level in Level::available() {
        let tree = vec![Tree { decisions: 1024, output: 0 }; 1];
        let packed = PackedTrees::pack(level, 1, vec![0], tree, decisions.clone(), leaves.clone()).unwrap();
        let mut out = [0; 4];
        tree_sums(&Kernels::new(level, 1).unwrap(), &x, &packed, &mut out);
        assert_eq!(out, [1024, 524, 1, 0], "{level}");
    }
}

#[test]
fn no_rows_are_no_work() {
    let packed = pack(&[(1, 0)], vec![decision(0, 1, -1, -2)], 2).unwrap();
    tree_sums(&Kernels::new(Level::best(), 1).unwrap(), &[], &packed, &mut []);
}
