//! What each operator of a body costs, where that depends on more than which operator it is.

use wasmparser::Operator;

use super::Findings;
use super::costs::{FAR_CODE, FORESEEN, Found, Setting, UNFORESEEN, UNLIKELY, awaited_call, by_itself, cost_in};
use super::operators::is_branch;

/// Goes over a body.
pub(super) struct Pricing<'a> {
    setting: Setting,
    number: u32,
    awaited: Among<'a>,
    across: Among<'a>,
    unlikely: Among<'a>,
    exits: Among<'a>,
    latches: Among<'a>,
    waits: &'a [(u32, u64)],
    /// Whether the last operator was the branch at the end of a loop.
    behind_latch: bool,
}

/// Operators that something was found of, from here on.
pub(super) struct Among<'a>(pub(super) &'a [u32]);

impl Among<'_> {
    /// Whether the operator is among them; each is asked for in its turn.
    pub(super) fn has(&mut self, number: u32) -> bool {
        let is_next = self.0.first() == Some(&number);
        self.0 = &self.0[usize::from(is_next)..];
        is_next
    }
}

impl<'a> Pricing<'a> {
    /// At the beginning of a body.
    pub(super) fn new(setting: Setting, findings: &'a Findings) -> Pricing<'a> {
        let Findings { awaited, across, unlikely, waits, .. } = findings;
        Pricing {
            setting,
            number: 0,
            awaited: Among(awaited),
            across: Among(across),
            unlikely: Among(&unlikely.branches),
            exits: Among(&unlikely.exits),
            latches: Among(&unlikely.latches),
            waits,
            behind_latch: false,
        }
    }

    /// The price of the next operator; nothing where no version allows it.
    pub(super) fn price(&mut self, operator: &Operator<'_>) -> Option<u64> {
        let number = self.number;
        self.number += 1;
        let is_latch = self.latches.has(number);
        let behind_latch = std::mem::replace(&mut self.behind_latch, is_latch);
        let found = Found { is_awaited: self.awaited.has(number), is_across: self.across.has(number) };
        let (is_unlikely, is_exit) = (self.unlikely.has(number), self.exits.has(number));
        let Setting { reach, is_large } = self.setting;
        let cost = cost_in(reach, by_itself(operator)?, found);
        let is_foreseen = matches!(operator, Operator::BrIf { .. } | Operator::If { .. }) && (is_latch || is_unlikely);
        let time = if is_foreseen { FORESEEN } else { cost.time };
        let is_call = matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. });
        // At the end of a loop the way out is the one that nobody foresees.
        let leads_elsewhere = !is_latch && (is_branch(operator) || behind_latch);
        let more = [
            (is_call && found.is_awaited, awaited_call(reach)),
            (is_large && leads_elsewhere, UNFORESEEN),
            (is_large && cost.delay.is_some_and(|delay| delay != 0), FAR_CODE),
            (is_exit, UNLIKELY),
            (behind_latch, UNLIKELY),
        ];
        let more: u64 = more.iter().filter(|(counts, _)| *counts).map(|(_, more)| more).sum();
        Some(time + more + self.wait(number))
    }

    /// How long the stretch waits that begins with this operator.
    fn wait(&mut self, number: u32) -> u64 {
        match self.waits {
            [(first, wait), behind @ ..] if *first == number => {
                self.waits = behind;
                *wait
            }
            _ => 0,
        }
    }
}
