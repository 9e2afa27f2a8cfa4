//! What the parameters of the functions of a module are multiples of: of the least of what is passed in any call.
//!
//! What a caller passes is often one of its own parameters, moved by a constant. So nothing is known of one function by
//! itself: it is assumed that all parameters are multiples of sixteen, and taken back where a call passes less, until no call does.
//! Who can be called by others than the functions of the module, or through a table, is passed anything. The text of the
//! specification is in `docs/spec/gas.md`.

use super::alignment::{MOST, Multiple, Zeros};

/// What a body passes in a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Argument {
    /// The function that is called.
    pub(super) function: u32,
    /// Which of its parameters it is.
    pub(super) parameter: u32,
    pub(super) value: Multiple,
}

/// All parameters of the functions of a module.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    imports: u32,
    /// Where the parameters of each function begin, and where those of the last one end.
    starts: Vec<usize>,
    zeros: Vec<Zeros>,
    /// Parameters that are passed on: which, and as which.
    passed: Vec<(usize, usize)>,
}

impl Parameters {
    /// At the beginning, with so many parameters of each function behind the imports.
    pub(crate) fn new(imports: u32, counts: impl Iterator<Item = u32>) -> Parameters {
        let mut starts = vec![0];
        let mut end: usize = 0;
        for count in counts {
            end = end.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
            starts.push(end);
        }
        Parameters { imports, starts, zeros: vec![MOST; end], passed: Vec::new() }
    }

    /// Where the parameters of a function are; nowhere for an import.
    fn places(&self, function: u32) -> std::ops::Range<usize> {
        let own = function.checked_sub(self.imports).and_then(|own| usize::try_from(own).ok());
        let place = |at: Option<usize>| at.and_then(|at| self.starts.get(at)).copied();
        match (place(own), place(own.map(|own| own + 1))) {
            (Some(start), Some(end)) => start..end,
            _ => 0..0,
        }
    }

    /// Anything may be passed to this function.
    pub(crate) fn open(&mut self, function: u32) {
        let places = self.places(function);
        self.zeros[places].fill(0);
    }

    /// Takes what the body of a function passes.
    pub(crate) fn pass(&mut self, caller: u32, arguments: &[Argument]) {
        let own = self.places(caller);
        for Argument { function, parameter, value } in arguments {
            let at = usize::try_from(*parameter).unwrap_or(usize::MAX);
            let Some(to) = self.places(*function).nth(at) else { continue };
            self.zeros[to] = self.zeros[to].min(value.zeros());
            if let Some(from) = value.parameter() {
                let from = own.clone().nth(usize::from(from)).expect("a body names parameters that it has");
                self.passed.push((from, to));
            }
        }
    }

    /// Takes back what does not hold, once all bodies have been taken.
    pub(crate) fn settle(&mut self) {
        self.passed.sort_unstable();
        self.passed.dedup();
        let mut lowered: Vec<usize> = (0..self.zeros.len()).filter(|at| self.zeros[*at] < MOST).collect();
        while let Some(from) = lowered.pop() {
            let first = self.passed.partition_point(|(at, _)| *at < from);
            for (_, to) in self.passed[first..].iter().take_while(|(at, _)| *at == from) {
                if self.zeros[*to] > self.zeros[from] {
                    self.zeros[*to] = self.zeros[from];
                    lowered.push(*to);
                }
            }
        }
    }

    /// What the parameters of a function are multiples of.
    pub(crate) fn of(&self, function: u32) -> &[Zeros] {
        &self.zeros[self.places(function)]
    }
}
