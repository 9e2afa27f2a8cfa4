//! What time is. This file is shared with peers that are programs of their own.
#![allow(clippy::disallowed_types, reason = "it measures time")]

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Which time counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// Time as it passes: what a user waits for. It needs a machine that does nothing else.
    #[default]
    Wall,
    /// Time for which threads of the process ran (Linux): also on a machine that is shared. Of several threads it is the
    /// sum, so it says how much work they did and nothing about how well they share it.
    Processor,
}

impl Clock {
    /// How long the work takes.
    ///
    /// # Panics
    /// Where the system does not tell processor time.
    pub fn time(self, work: impl FnOnce()) -> Duration {
        match self {
            Clock::Wall => {
                let start = Instant::now();
                work();
                start.elapsed()
            }
            Clock::Processor => {
                let start = processor();
                work();
                processor().saturating_sub(start)
            }
        }
    }

    /// The name, as given on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Clock::Wall => "wall",
            Clock::Processor => "processor",
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Clock, String> {
        let clocks = [Clock::Wall, Clock::Processor];
        clocks.into_iter().find(|clock| clock.name() == text).ok_or_else(|| "wall or processor".to_owned())
    }
}

/// What all threads of this process have run so far.
fn processor() -> Duration {
    // The books of the running thread are brought up to date when it gives way.
    std::thread::yield_now();
    let threads = std::fs::read_dir("/proc/self/task").expect("processor time needs Linux");
    let nanoseconds = threads.flatten().filter_map(|thread| {
        // A thread that has ended meanwhile has no file.
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}
