//! What each operator of a body costs, where that depends on more than which operator it is.

use wasmparser::{BinaryReaderError, Operator, OperatorsReader};

use super::Findings;
use super::blocks::Blocks;
use super::operators::{
    Access, LATCH, LATCH_EXIT, Setting, UNFORESEEN, access, awaited_call, is_branch, load_price, operator_price,
    store_price,
};

/// Goes over a body.
pub(super) struct Pricing<'a> {
    setting: Setting,
    findings: &'a Findings,
    blocks: Blocks,
    number: u32,
    /// Whether the last operator was the branch at the end of a loop.
    behind_latch: bool,
}

impl<'a> Pricing<'a> {
    /// At the beginning of a body.
    pub(super) fn new(setting: Setting, findings: &'a Findings) -> Pricing<'a> {
        Pricing { setting, findings, blocks: Blocks::default(), number: 0, behind_latch: false }
    }

    /// The price of the next operator, behind which the reader stands; nothing where no version allows it.
    pub(super) fn price(
        &mut self,
        operator: &Operator<'_>,
        behind: &OperatorsReader<'_>,
    ) -> Result<Option<u64>, BinaryReaderError> {
        let (Findings { awaited, across, .. }, number) = (self.findings, self.number);
        let is_among = |numbers: &[u32]| numbers.binary_search(&number).is_ok();
        self.number += 1;
        let is_latch = matches!(operator, Operator::BrIf { relative_depth: 0 })
            && self.blocks.in_loop()
            && matches!(behind.clone().read()?, Operator::End);
        let behind_latch = std::mem::replace(&mut self.behind_latch, is_latch);
        self.blocks.step(operator);
        let Setting { reach, unforeseen } = self.setting;
        // At the end of a loop the way out is the one that nobody foresees.
        let leads_elsewhere = !is_latch && (is_branch(operator) || behind_latch);
        let more = if unforeseen && leads_elsewhere { UNFORESEEN } else { 0 };
        let price = match operator {
            Operator::BrIf { .. } if is_latch => Some(LATCH),
            Operator::End if behind_latch => Some(LATCH_EXIT),
            Operator::Call { .. } | Operator::CallIndirect { .. } if is_among(awaited) => {
                operator_price(operator).map(|price| price + awaited_call(reach))
            }
            _ => match access(operator) {
                Some(Access::Load) => Some(load_price(reach, is_among(awaited))),
                Some(Access::Store) => Some(store_price(reach, is_among(across))),
                None => operator_price(operator),
            },
        };
        Ok(price.map(|price| price + more))
    }
}
