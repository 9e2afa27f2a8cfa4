//! Which stores may lie across two pages.
//!
//! A processor looks both pages up for a store over the border of two pages of 4 KiB, which takes it ten times as long as others. One
//! that is aligned ([`super::alignment`]) does not lie there. Where others go is not known; but of stores to different places near one address
//! only one can lie over a border. So in a metering block, where a local is what it is until it is set, the first store
//! through it pays for the border and those near it do not. The text of the specification is in `docs/spec/gas.md`.

use wasmparser::Operator;

use super::operands::Operands;
use super::operators::Access;
use super::trace::Step;

/// Bytes of a page of the processor.
const PAGE: u64 = 4096;

/// Follows the addresses of one body.
pub(super) struct Across {
    stack: Operands<Address>,
    locals: Vec<Local>,
    /// The number of the metering block.
    block: u32,
}

/// What is known of an operand.
#[derive(Clone, Copy)]
enum Address {
    Unknown,
    Constant(u32),
    /// What the local was after it had been set so many times.
    Local(u32, u32),
}

/// A local, and the stores through it.
#[derive(Clone, Copy, Default)]
struct Local {
    /// How many times it was set.
    set: u32,
    /// The metering block of the stores.
    block: u32,
    /// From where to where they are, counted from it.
    stored: Option<(u64, u64)>,
}

impl Across {
    /// At the beginning of a body with so many locals, parameters included.
    pub(super) fn new(locals: u32) -> Across {
        let locals = vec![Local::default(); usize::try_from(locals).unwrap_or(usize::MAX)];
        Across { stack: Operands::new(), locals, block: 0 }
    }

    /// Goes over an operator. Returns whether it is such a store.
    pub(super) fn step(&mut self, step: &Step<'_>, is_aligned: bool) -> bool {
        let mut is_across = false;
        if let Some(Access::Store { bytes, offset }) = step.access.filter(|_| !is_aligned) {
            // The address lies below the value.
            let address = self.stack.len().checked_sub(2).filter(|at| *at >= step.floor).map(|at| self.stack[at]);
            is_across = self.may_be_across(address.unwrap_or(Address::Unknown), offset, bytes);
        }
        let kept = self.stack.kept(step.popped, step.floor);
        let result = self.result(&step.operator);
        self.stack.replace(kept, step.height, result);
        is_across
    }

    /// Ends a metering block.
    pub(super) fn end_block(&mut self) {
        self.block += 1;
    }

    fn result(&mut self, operator: &Operator<'_>) -> Address {
        let at = |local: &u32| usize::try_from(*local).unwrap_or(usize::MAX);
        match operator {
            Operator::I32Const { value } => Address::Constant(value.cast_unsigned()),
            Operator::LocalGet { local_index } => self
                .locals
                .get(at(local_index))
                .map_or(Address::Unknown, |local| Address::Local(*local_index, local.set)),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                let Some(local) = self.locals.get_mut(at(local_index)) else { return Address::Unknown };
                *local = Local { set: local.set + 1, ..Local::default() };
                Address::Local(*local_index, local.set)
            }
            _ => Address::Unknown,
        }
    }

    fn may_be_across(&mut self, address: Address, offset: u64, bytes: u64) -> bool {
        let (local, set) = match address {
            _ if bytes == 1 => return false,
            Address::Unknown => return true,
            Address::Constant(address) => return (u64::from(address) + offset) % PAGE + bytes > PAGE,
            Address::Local(local, set) => (local, set),
        };
        let Some(local) = usize::try_from(local).ok().and_then(|at| self.locals.get_mut(at)) else { return true };
        if local.set != set {
            return true;
        }
        let end = offset + bytes;
        let before = local.stored.filter(|_| local.block == self.block);
        let (is_near, stored) = match before {
            Some((from, to)) if offset >= to && end - from <= PAGE => (true, (from, end)),
            Some((from, to)) if end <= from && to - offset <= PAGE => (true, (offset, to)),
            _ => (false, (offset, end)),
        };
        (local.block, local.stored) = (self.block, Some(stored));
        !is_near
    }
}
