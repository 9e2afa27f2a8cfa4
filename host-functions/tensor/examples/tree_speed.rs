//! Time of a unit of tree work at the best level, for ensembles of every size: what the prices of
//! `host-functions/model/src/prices.rs` are taken from.
//!
//! ```sh
//! cargo run --release -p noema-tensor --example tree_speed
//! ```

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]
#![allow(clippy::cast_precision_loss, reason = "it prints times")]

use std::time::Instant;

use noema_tensor::{
    Kernels, Level,
    kernel::{Decision, PackedTrees, Tree, tree_sums},
};

/// Splitmix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Full trees, whose decisions lie in memory in random order below the root: each is as far away as it can be.
fn full(numbers: &mut Numbers, depth: u32, features: u32) -> Vec<Decision<i32>> {
    let count = (1_usize << depth) - 1;
    // Level by level, each level shuffled, so that children still stand behind their parents.
    let mut place: Vec<usize> = (0..count).collect();
    for level in 0..depth {
        let (start, len) = ((1 << level) - 1, 1_usize << level);
        for at in (1..len).rev() {
            let other = usize::try_from(numbers.next() % (at as u64 + 1)).unwrap();
            place.swap(start + at, start + other);
        }
    }
    let mut tree = vec![None; count];
    for node in 0..count {
        let child = |side: usize| match 2 * node + 1 + side {
            child if child < count => i32::try_from(place[child]).unwrap(),
            child => !i32::try_from(child - count).unwrap(),
        };
        let threshold = i32::try_from(numbers.next() >> 32 & 0x7fff_ffff).unwrap() - (1 << 30);
        tree[place[node]] = Some(Decision {
            feature: u32::try_from(numbers.next() % u64::from(features)).unwrap(),
            threshold: threshold / 2,
            left: child(0),
            right: child(1),
            missing_left: false,
            zero_is_missing: false,
        });
    }
    tree.into_iter().map(Option::unwrap).collect()
}

fn main() {
    let kernels = Kernels::new(Level::best(), 1).unwrap();
    let mut numbers = Numbers(1);
    println!("{:>6} {:>6} {:>10} {:>9} {:>6} {:>12}", "trees", "depth", "decisions", "features", "rows", "ns per unit");
    for (trees, depth, features) in [
        (1, 1, 30),
        (8, 4, 30),
        (100, 6, 30),
        (250, 6, 30),
        (1, 13, 30),
        (1000, 3, 4000),
        (1000, 6, 30),
        (4, 16, 30),
        (1, 17, 30),
        (60_000, 2, 100_000),
        (4000, 8, 30),
        (64, 16, 30),
        (1, 22, 30),
        (1, 22, 100_000),
    ] {
        let forest: Vec<_> = (0..trees).flat_map(|_| full(&mut numbers, depth, features)).collect();
        let decisions = forest.len();
        let each = Tree { decisions: decisions / trees, output: 0 };
        let width = usize::try_from(features).unwrap();
        let leaves = vec![1; decisions + trees];
        let packed = PackedTrees::pack(kernels.level(), width, vec![0], vec![each; trees], forest, leaves).unwrap();
        let work = trees * (usize::try_from(depth).unwrap() + 1) + 1;
        // Rows that are new in every run, as many as take about half a millisecond, and the fastest run: others
        // may be using this machine.
        let rows = (50_000 / work).min(10_000_000 / width).max(1);
        let mut x = vec![0_i32; rows * width];
        let mut out = vec![0; rows];
        let mut fastest = f64::INFINITY;
        let begin = Instant::now();
        while begin.elapsed().as_secs() < 4 {
            x.iter_mut().for_each(|x| *x = i32::try_from(numbers.next() >> 33).unwrap() - (1 << 30));
            let start = Instant::now();
            tree_sums(&kernels, &x, &packed, &mut out);
            fastest = fastest.min(start.elapsed().as_secs_f64());
        }
        let per_unit = fastest * 1e9 / (rows * work) as f64;
        println!("{trees:>6} {depth:>6} {decisions:>10} {features:>9} {rows:>6} {per_unit:>12.2}");
    }
}
