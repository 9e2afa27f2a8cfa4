//! What each operator of a body costs, where that depends on more than which operator it is.

use wasmparser::Operator;

use super::Findings;
use super::operators::{
    Access, FORESEEN, Setting, UNFORESEEN, UNLIKELY, access, awaited_call, is_branch, load_price, operator_price,
    store_price,
};

/// Goes over a body.
pub(super) struct Pricing<'a> {
    setting: Setting,
    number: u32,
    awaited: Among<'a>,
    across: Among<'a>,
    unlikely: Among<'a>,
    exits: Among<'a>,
    latches: Among<'a>,
    /// Whether the last operator was the branch at the end of a loop.
    behind_latch: bool,
}

/// Operators that something was found of, from here on.
struct Among<'a>(&'a [u32]);

impl Among<'_> {
    /// Whether the operator is among them; each is asked for in its turn.
    fn has(&mut self, number: u32) -> bool {
        let is_next = self.0.first() == Some(&number);
        self.0 = &self.0[usize::from(is_next)..];
        is_next
    }
}

impl<'a> Pricing<'a> {
    /// At the beginning of a body.
    pub(super) fn new(setting: Setting, findings: &'a Findings) -> Pricing<'a> {
        let Findings { awaited, across, unlikely, .. } = findings;
        Pricing {
            setting,
            number: 0,
            awaited: Among(awaited),
            across: Among(across),
            unlikely: Among(&unlikely.branches),
            exits: Among(&unlikely.exits),
            latches: Among(&unlikely.latches),
            behind_latch: false,
        }
    }

    /// The price of the next operator; nothing where no version allows it.
    pub(super) fn price(&mut self, operator: &Operator<'_>) -> Option<u64> {
        let number = self.number;
        self.number += 1;
        let is_latch = self.latches.has(number);
        let behind_latch = std::mem::replace(&mut self.behind_latch, is_latch);
        let (is_awaited, is_across) = (self.awaited.has(number), self.across.has(number));
        let (is_unlikely, is_exit) = (self.unlikely.has(number), self.exits.has(number));
        let Setting { reach, unforeseen } = self.setting;
        let price = match operator {
            Operator::BrIf { .. } | Operator::If { .. } if is_latch || is_unlikely => Some(FORESEEN),
            Operator::Call { .. } | Operator::CallIndirect { .. } if is_awaited => {
                operator_price(operator).map(|price| price + awaited_call(reach))
            }
            _ => match access(operator) {
                Some(Access::Load) => Some(load_price(reach, is_awaited)),
                Some(Access::Store) => Some(store_price(reach, is_across)),
                None => operator_price(operator),
            },
        };
        // At the end of a loop the way out is the one that nobody foresees.
        let leads_elsewhere = !is_latch && (is_branch(operator) || behind_latch);
        let more = [(unforeseen && leads_elsewhere, UNFORESEEN), (is_exit, UNLIKELY), (behind_latch, UNLIKELY)];
        price.map(|price| more.iter().filter(|(counts, _)| *counts).fold(price, |sum, (_, more)| sum + more))
    }
}
