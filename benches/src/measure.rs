//! Timing several parties side by side.
//!
//! A round runs every party once, for as long as a sample lasts, in an order that changes from round to round. What
//! slows the machine down for a while then slows all of them, and the ratio of a round says more than two times from
//! different minutes. The result is the median of the ratios of all rounds, with their quartiles.

use std::hint::black_box;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;

/// Something that can be run again and again.
pub struct Contender<'c> {
    name: String,
    /// Does the work so many times, and says how long that took by this clock.
    time: Box<dyn FnMut(Clock, u64) -> Duration + 'c>,
}

impl<'c> Contender<'c> {
    /// Names a piece of work. What it returns counts as used, so that it is not optimised away.
    ///
    /// Work whose data would stay in a cache that it would not be in otherwise takes its data in turn from several
    /// places: see [`Ring`].
    pub fn new<T>(name: impl Into<String>, mut work: impl FnMut() -> T + 'c) -> Contender<'c> {
        Contender::timed(name, move |clock, repetitions| {
            clock.time(|| {
                for _ in 0..repetitions {
                    black_box(work());
                }
            })
        })
    }

    /// Names work that times itself: it is told the clock and how often to do it, and says how long that took.
    pub fn timed(name: impl Into<String>, time: impl FnMut(Clock, u64) -> Duration + 'c) -> Contender<'c> {
        Contender { name: name.into(), time: Box::new(time) }
    }

    /// The name, as it stands in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long so many repetitions take.
    pub fn time(&mut self, clock: Clock, repetitions: u64) -> Duration {
        (self.time)(clock, repetitions)
    }
}

/// How much to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct Effort {
    /// Rounds: each gives one ratio.
    #[arg(long, default_value_t = 41, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Milliseconds for which one party runs in a round.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub sample_ms: u32,
    /// What counts: `wall` time, or `processor` time (Linux) on a machine that is busy with other things. Processor time
    /// of several threads is a sum: such a row compares work, not speed.
    #[arg(long, default_value_t = Clock::Wall)]
    pub clock: Clock,
}

/// Quartiles of the ratios of all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// A quarter of the rounds lies below.
    pub low: f64,
    /// Half of them.
    pub median: f64,
    /// Three quarters.
    pub high: f64,
}

impl Spread {
    /// The quartiles of some numbers.
    ///
    /// ```
    /// use noema_bench::measure::Spread;
    /// let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0, 5.0]);
    /// assert_eq!((spread.low, spread.median, spread.high), (2.0, 3.0, 4.0));
    /// ```
    ///
    /// # Panics
    /// Where there are no numbers.
    #[must_use]
    pub fn of(mut numbers: Vec<f64>) -> Spread {
        numbers.sort_by(f64::total_cmp);
        let at = |quarters: usize| numbers[(numbers.len() - 1) * quarters / 4];
        Spread { low: at(1), median: at(2), high: at(3) }
    }

    /// The same the other way round: how many times as long ours takes as theirs.
    #[must_use]
    pub fn inverse(self) -> Spread {
        Spread { low: 1.0 / self.high, median: 1.0 / self.median, high: 1.0 / self.low }
    }
}

/// How many times as long each other party takes as the first: above 1 the first one is faster. In their order.
///
/// ```
/// use noema_bench::clock::Clock;
/// use noema_bench::measure::{Contender, Effort, compare};
/// let effort = Effort { rounds: 5, sample_ms: 2, clock: Clock::Wall };
/// let wait = |us| move || std::thread::sleep(std::time::Duration::from_micros(us));
/// let spreads = compare(effort, &mut [Contender::new("short", wait(100)), Contender::new("long", wait(2000))]);
/// assert!(spreads[0].median > 1.0);
/// ```
pub fn compare(effort: Effort, contenders: &mut [Contender<'_>]) -> Vec<Spread> {
    let sample = Duration::from_millis(u64::from(effort.sample_ms));
    // Warm up: caches, lazily made pools, clock frequency; and find how often the work fits into a sample.
    let repetitions: Vec<u64> =
        contenders.iter_mut().map(|contender| calibrate(contender, effort.clock, sample)).collect();
    let mut ratios = vec![Vec::new(); contenders.len().saturating_sub(1)];
    for round in 0..usize::try_from(effort.rounds).expect("a usize has 32 bits") {
        let mut seconds = vec![0.0; contenders.len()];
        for step in 0..contenders.len() {
            // Every party comes first equally often, and after each neighbour.
            let place = (round / 2 + step) % contenders.len();
            let which = if round % 2 == 0 { place } else { contenders.len() - 1 - place };
            let took = contenders[which].time(effort.clock, repetitions[which]).as_secs_f64().max(1e-9);
            #[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "a count for a ratio")]
            let per_repetition = took / repetitions[which] as f64;
            seconds[which] = per_repetition;
        }
        for (ratios, peer) in ratios.iter_mut().zip(&seconds[1..]) {
            ratios.push(peer / seconds[0]);
        }
    }
    ratios.into_iter().map(Spread::of).collect()
}

/// Which of several ways to do the same is the fastest here.
pub fn fastest(effort: Effort, ways: &mut [Contender<'_>]) -> usize {
    let mut times = vec![1.0];
    times.extend(
        compare(Effort { rounds: effort.rounds.min(7), ..effort }, ways).into_iter().map(|spread| spread.median),
    );
    (0..ways.len()).min_by(|one, other| times[*one].total_cmp(&times[*other])).unwrap_or(0)
}

/// Runs the work for about two samples and says how often it fits into one.
fn calibrate(contender: &mut Contender<'_>, clock: Clock, sample: Duration) -> u64 {
    let mut repetitions = 1;
    loop {
        let took = contender.time(clock, repetitions);
        if took >= sample / 2 {
            let fitting = sample.as_nanos() * u128::from(repetitions) / took.as_nanos().max(1);
            return u64::try_from(fitting).unwrap_or(u64::MAX).max(1);
        }
        repetitions = repetitions.saturating_mul(2);
    }
}

/// Takes one thing after the other, and begins again: inputs for work whose real inputs are not in a cache.
#[derive(Clone, Debug)]
pub struct Ring<T> {
    things: Vec<T>,
    next: usize,
}

impl<T> Ring<T> {
    /// At least one thing.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn new(things: Vec<T>) -> Ring<T> {
        assert!(!things.is_empty(), "a ring of nothing");
        Ring { things, next: 0 }
    }

    /// The next one. The first call gives the first.
    pub fn take(&mut self) -> &T {
        let at = self.next;
        self.next = (at + 1) % self.things.len();
        &self.things[at]
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::{Clock, Contender, Effort, Ring, Spread, compare};

    #[test]
    fn rounds_are_interleaved_and_everyone_comes_first() {
        let order = RefCell::new(Vec::new());
        let work = |name: char| {
            let order = &order;
            move || {
                order.borrow_mut().push(name);
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        };
        let mut contenders =
            [Contender::new("a", work('a')), Contender::new("b", work('b')), Contender::new("c", work('c'))];
        let spreads = compare(Effort { rounds: 6, sample_ms: 1, clock: Clock::Wall }, &mut contenders);
        assert_eq!(spreads.len(), 2);
        drop(contenders);
        let order = order.into_inner();
        // Every repetition is longer than a sample, so each party ran once to calibrate and once a round.
        let rounds: Vec<String> = order[3..].chunks(3).map(|round| round.iter().collect()).collect();
        assert_eq!(rounds, ["abc", "cba", "bca", "bac", "cab", "acb"]);
    }

    #[test]
    fn a_ratio_above_one_means_that_the_first_is_faster() {
        let wait = |ms| move || std::thread::sleep(std::time::Duration::from_millis(ms));
        let spreads = compare(
            Effort { rounds: 3, sample_ms: 1, clock: Clock::Wall },
            &mut [Contender::new("ours", wait(1)), Contender::new("slow", wait(20))],
        );
        assert!(spreads[0].median > 2.0, "{spreads:?}");
        assert!(spreads[0].inverse().median < 0.5);
    }

    #[test]
    fn the_fastest_way_is_found() {
        let wait = |ms| move || std::thread::sleep(std::time::Duration::from_millis(ms));
        let mut ways = [Contender::new("a", wait(9)), Contender::new("b", wait(1)), Contender::new("c", wait(12))];
        assert_eq!(super::fastest(Effort { rounds: 5, sample_ms: 1, clock: Clock::Wall }, &mut ways), 1);
    }

    #[test]
    fn processor_time_does_not_count_waiting() {
        let work = || (0..200_000u64).fold(0, |sum: u64, number| std::hint::black_box(sum ^ number));
        let waiting = || {
            std::thread::sleep(std::time::Duration::from_millis(3));
            work()
        };
        let ratio = |clock| {
            let effort = Effort { rounds: 5, sample_ms: 5, clock };
            compare(effort, &mut [Contender::new("working", work), Contender::new("waiting", waiting)])[0].median
        };
        assert!(ratio(Clock::Wall) > ratio(Clock::Processor));
    }

    #[test]
    fn quartiles_of_one_number_are_that_number() {
        assert_eq!(Spread::of(vec![2.5]), Spread { low: 2.5, median: 2.5, high: 2.5 });
    }

    #[test]
    fn rings_begin_again() {
        let mut ring = Ring::new(vec![1, 2, 3]);
        assert_eq!([(); 5].map(|()| *ring.take()), [1, 2, 3, 1, 2]);
    }
}
