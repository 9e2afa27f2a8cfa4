//! How many weights a network may have: a file can name one tensor in thousands of layers, each of which would hold it for itself.

/// Most weights and constants of a network.
const MOST: usize = 1 << 28;
/// How often a number of the file may be used, on average.
const TIMES: usize = 16;
/// What any file may use.
const FREE: usize = 1 << 20;

/// What was used so far, and how much there may be.
pub(crate) struct Budget {
    used: usize,
    limit: usize,
}

impl Budget {
    pub(crate) fn new() -> Budget {
        Budget { used: 0, limit: FREE }
    }

    /// The file has so many more numbers.
    pub(crate) fn found(&mut self, numbers: usize) {
        self.limit = self.limit.saturating_add(numbers.saturating_mul(TIMES)).min(MOST);
    }

    /// Uses some of them as weights, or as constants that a node makes.
    pub(crate) fn take(&mut self, count: usize) -> Result<(), String> {
        self.used = self.used.saturating_add(count);
        if self.used > self.limit {
            let Budget { used, limit } = self;
            return Err(format!("{used} weights and constants up to here; the limit for this file is {limit}"));
        }
        Ok(())
    }
}
