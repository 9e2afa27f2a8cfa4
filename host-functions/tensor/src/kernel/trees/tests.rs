use proptest::prelude::*;

use super::{Decision, PackedTrees, Tree, tree_sums};
use crate::{Kernels, Level, OpError, Status};

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
fn grow(numbers: &mut impl FnMut(u64) -> u64, decisions: usize) -> Vec<Decision<i64>> {
    let mut tree: Vec<Decision<i64>> = Vec::new();
    // Places that still hold a leaf: a decision and a side.
    let mut open: Vec<(usize, bool)> = Vec::new();
    for at in 0..decisions {
        if !open.is_empty() {
            let pick = usize::try_from(numbers(open.len().try_into().unwrap())).unwrap();
            let (parent, left) = open.swap_remove(pick);
            let child = i32::try_from(at).unwrap();
            if left { tree[parent].left = child } else { tree[parent].right = child }
        }
        let threshold = i64::try_from(numbers(9)).unwrap() - 4;
        let flags = numbers(8);
        tree.push(Decision {
            feature: u32::try_from(numbers(5)).unwrap(),
            threshold: if flags == 7 { i64::MIN } else { threshold },
            left: 0,
            right: 0,
            missing_left: flags & 1 == 1,
            zero_is_missing: flags & 2 == 2,
        });
        open.extend([(at, true), (at, false)]);
    }
    for (leaf, (parent, left)) in open.into_iter().enumerate() {
        let child = !i32::try_from(leaf).unwrap();
        if left { tree[parent].left = child } else { tree[parent].right = child }
    }
    tree
}

proptest! {
    #[test]
    fn every_level_sums_the_leaves_that_the_decisions_lead_to(
        sizes in prop::collection::vec(prop_oneof![3 => 0..12_usize, 1 => 40..60_usize], 1..30),
        outputs in 1..4_usize, rows in 1..6_usize, seed in any::<u64>(),
    ) {
        let mut state = seed;
        let mut numbers = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let forest: Vec<Vec<Decision<i64>>> = sizes.iter().map(|size| grow(&mut numbers, *size)).collect();
        let leaves: Vec<Vec<i64>> = sizes
            .iter()
            .map(|size| (0..=*size).map(|_| i64::try_from(numbers(1 << 30)).unwrap() - (1 << 29)).collect())
            .collect();
        let targets: Vec<usize> = sizes.iter().map(|_| usize::try_from(numbers(outputs.try_into().unwrap())).unwrap()).collect();
        let x: Vec<i64> = (0..rows * 5)
            .map(|_| match numbers(12) {
                0 => i64::MIN,
                1 => i64::MAX,
                other => i64::try_from(other).unwrap() - 6,
            })
            .collect();
        let base: Vec<i64> = (0..outputs).map(|output| i64::try_from(output).unwrap() * 1000 - 7).collect();

        // Followed by hand, tree by tree.
        let mut expected = Vec::new();
        for row in x.chunks(5) {
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

        let trees: Vec<Tree> =
            sizes.iter().zip(&targets).map(|(decisions, output)| Tree { decisions: *decisions, output: *output }).collect();
        for level in [Level::Reference, Level::Portable, Level::best()] {
            for threads in [1, 2] {
                let kernels = Kernels::new(level, threads).unwrap();
                let packed = PackedTrees::pack(
                    level, 5, base.clone(), trees.clone(), forest.concat(), leaves.concat(),
                ).unwrap();
                let mut out = vec![77; rows * outputs];
                tree_sums(&kernels, &x, &packed, &mut out);
                prop_assert_eq!(&out, &expected, "{} with {} threads", level, threads);
            }
        }
    }
}
