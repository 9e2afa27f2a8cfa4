//! One machine that several threads share: how many messages they get through together.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Duration;

use super::STORAGE;
use super::raw::Raw;
use crate::clock::Clock;
use crate::deployed::Deployed;
use crate::measure::{Contender, Effort, compare};
use crate::report::{Row, Sense};

/// Two threads beside one, and sixteen beside two: with two cores the first is at most 2, and what the second loses is lost to waiting
/// for each other. The same of plain wasmtime, whose pool of instances all threads share as well.
///
/// # Errors
/// A module that wasmtime refuses.
pub(super) fn rows(effort: Effort) -> anyhow::Result<Vec<Row>> {
    eprintln!("calls: several threads on one machine");
    let deployed = Deployed::with(STORAGE, |config| noema_vm::VmConfig { concurrent_messages: 16, ..config });
    let raw = Raw::new(&wat::parse_str(STORAGE)?)?;
    let call = || drop(black_box(deployed.call()));
    let plain = || drop(black_box(raw.call().expect("it did so before")));
    let mut rows = Vec::new();
    for (threads, fewer, peer) in [(2, 1, "1 thread"), (16, 2, "2 threads")] {
        let pair = |call| [threads, fewer].map(|threads| with(call, threads));
        let mut row = |case: &str, peer: &str, contenders: &mut [Contender<'_>]| {
            let ratio = compare(effort, contenders)[0];
            rows.push(Row { case: case.into(), peer: peer.into(), threads, sense: Sense::Speed, ratio });
        };
        row("hot storage call", peer, &mut pair(&call));
        let theirs = format!("{peer} of plain wasmtime");
        row("the same", &theirs, &mut pair(&plain));
    }
    Ok(rows)
}

/// So many calls altogether, by so many threads. Their start does not count.
fn with(call: &(dyn Fn() + Sync), threads: usize) -> Contender<'_> {
    Contender::timed(format!("{threads} threads"), move |clock: Clock, calls| -> Duration {
        let (each, more) = (calls / threads as u64, calls % threads as u64);
        let (start, end) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
        std::thread::scope(|scope| {
            for thread in 0..threads as u64 {
                let (start, end) = (&start, &end);
                scope.spawn(move || {
                    start.wait();
                    (0..each + u64::from(thread < more)).for_each(|_| call());
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
