//! One machine that several threads share: how many messages they get through together.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::STORAGE;
use super::raw::Raw;
use crate::clock::Clock;
use crate::deployed::Deployed;
use crate::measure::{Contender, Effort, compare};
use crate::report::{Row, Sense};

/// Two threads beside one, and sixteen beside two: with two cores the first is at most 2, and what the second loses is lost to waiting
/// for each other. Beside it, what this computer can do: two machines that share nothing; and plain wasmtime, whose pool of instances all
/// threads share.
///
/// # Errors
/// A module that wasmtime refuses.
pub(super) fn rows(effort: Effort) -> anyhow::Result<Vec<Row>> {
    eprintln!("calls: several threads on one machine");
    let machine = || Deployed::with(STORAGE, |config| noema_vm::VmConfig { concurrent_messages: 16, ..config });
    let (shared, own) = (machine(), [machine(), machine()]);
    let raw = Raw::new(&wat::parse_str(STORAGE)?)?;
    let call = |_| drop(black_box(shared.call()));
    let apart = |thread: usize| drop(black_box(own[thread % 2].call()));
    let plain = |_| drop(black_box(raw.call().expect("it did so before")));
    let mut rows = Vec::new();
    let mut row = |case: &str, peer: &str, call: &(dyn Fn(usize) + Sync), [threads, fewer]: [usize; 2]| {
        let ratio = compare(effort, &mut [with(call, threads), with(call, fewer)])[0];
        rows.push(Row { case: case.into(), peer: peer.into(), threads, sense: Sense::Speed, ratio });
    };
    row("hot storage call", "1 thread", &call, [2, 1]);
    row("on two machines", "1 thread on one of them", &apart, [2, 1]);
    row("on plain wasmtime", "1 thread on it", &plain, [2, 1]);
    row("hot storage call", "2 threads", &call, [16, 2]);
    row("on plain wasmtime", "2 threads on it", &plain, [16, 2]);
    Ok(rows)
}

/// Calls that a thread takes at a time.
const BATCH: u64 = 16;

/// So many calls altogether, by so many threads. Their start does not count, and none is left with the last calls alone.
fn with(call: &(dyn Fn(usize) + Sync), threads: usize) -> Contender<'_> {
    Contender::timed(format!("{threads} threads"), move |clock: Clock, calls| -> Duration {
        let (start, end) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (start, end, taken) = (&start, &end, &taken);
                scope.spawn(move || {
                    start.wait();
                    loop {
                        let first = taken.fetch_add(BATCH, Ordering::Relaxed);
                        if first >= calls {
                            break;
                        }
                        (first..calls.min(first + BATCH)).for_each(|_| call(thread));
                    }
                    end.wait();
                });
            }
            clock.time(|| {
                start.wait();
                end.wait();
            })
        })
    })
}
