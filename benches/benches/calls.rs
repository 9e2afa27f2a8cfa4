//! An empty call and a call that uses storage, hot: code compiled, state in memory.
#![allow(missing_docs, reason = "criterion's macros")]

use criterion::{Criterion, criterion_group, criterion_main};
use noema_bench::calls::{EMPTY, STORAGE};
use noema_bench::deployed::Deployed;

fn calls(criterion: &mut Criterion) {
    for (name, text) in [("empty call", EMPTY), ("storage call", STORAGE)] {
        let deployed = Deployed::new(text);
        criterion.bench_function(name, |bencher| bencher.iter(|| deployed.call()));
    }
}

criterion_group!(benches, calls);
criterion_main!(benches);
