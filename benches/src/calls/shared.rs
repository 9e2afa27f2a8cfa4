//! One machine that several threads share: how many messages they get through together.

use std::hint::black_box;

use super::STORAGE;
use crate::deployed::Deployed;
use crate::measure::{Contender, Effort, compare};
use crate::report::{Row, Sense};

/// Two threads beside one, and sixteen beside two: with two cores the first is at most 2, and what the second loses is lost to waiting
/// for each other.
pub(super) fn rows(effort: Effort) -> [Row; 2] {
    eprintln!("calls: several threads on one machine");
    let deployed = Deployed::with(STORAGE, |config| noema_vm::VmConfig { concurrent_messages: 16, ..config });
    [(2, 1, "1 thread"), (16, 2, "2 threads")].map(|(threads, fewer, peer)| {
        let mut contenders = [with(&deployed, threads), with(&deployed, fewer)];
        let ratio = compare(effort, &mut contenders)[0];
        Row { case: "hot storage call".into(), peer: peer.into(), threads, sense: Sense::Speed, ratio }
    })
}

/// So many calls altogether, by so many threads.
fn with(deployed: &Deployed, threads: usize) -> Contender<'_> {
    Contender::timed(format!("{threads} threads"), move |clock, calls| {
        let (each, more) = (calls / threads as u64, calls % threads as u64);
        clock.time(|| {
            std::thread::scope(|scope| {
                for thread in 0..threads as u64 {
                    scope.spawn(move || {
                        for _ in 0..each + u64::from(thread < more) {
                            black_box(deployed.call());
                        }
                    });
                }
            });
        })
    })
}
