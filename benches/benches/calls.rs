//! An empty call and a call that uses storage, hot: code compiled, state in memory.
#![allow(missing_docs, reason = "criterion's macros")]

use criterion::{Criterion, criterion_group, criterion_main};
use noema_bench::Deployed;

const EMPTY: &str = r#"(module (memory (export "memory") 1) (func (export "call")))"#;

const STORAGE: &str = r#"(module
  (import "storage" "get" (func $get (param i32 i32 i32 i32) (result i64)))
  (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "counter")
  (func (export "call")
    (drop (call $get (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 8)))
    (i64.store (i32.const 16) (i64.add (i64.load (i32.const 16)) (i64.const 1)))
    (drop (call $set (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 8)))))"#;

fn calls(criterion: &mut Criterion) {
    for (name, text) in [("empty call", EMPTY), ("storage call", STORAGE)] {
        let deployed = Deployed::new(text);
        criterion.bench_function(name, |bencher| bencher.iter(|| deployed.call()));
    }
}

criterion_group!(benches, calls);
criterion_main!(benches);
