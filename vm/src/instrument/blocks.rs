//! Where metering blocks begin. The rule is normative: `docs/spec/gas.md`.

use wasmparser::Operator;

/// Walks over a body and says behind which operators a new metering block begins.
///
/// A block begins at the start of the function, behind `loop`, `if`, `else`, `br_if`, behind the `end` of an `if`,
/// behind the `end` of a `block` that some branch in the body names, and behind `br`, `br_table`, `return` and
/// `unreachable` (where only dead code can follow).
#[derive(Default)]
pub(crate) struct Blocks {
    /// Open blocks, innermost last; the function itself is not among them.
    open: Vec<Open>,
}

struct Open {
    kind: Kind,
    /// Whether a branch names it.
    named: bool,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Block,
    Loop,
    If,
}

impl Blocks {
    /// How many blocks are open: the label of the function, counted from here.
    pub(super) fn depth(&self) -> u32 {
        u32::try_from(self.open.len()).expect("nesting is limited")
    }

    /// Goes over an operator. Returns whether a new metering block begins behind it.
    pub(crate) fn step(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Block { .. } => {
                self.open.push(Open { kind: Kind::Block, named: false });
                false
            }
            Operator::Loop { .. } => {
                self.open.push(Open { kind: Kind::Loop, named: false });
                true
            }
            Operator::If { .. } => {
                self.open.push(Open { kind: Kind::If, named: false });
                true
            }
            Operator::Else | Operator::Unreachable | Operator::Return => true,
            Operator::End => match self.open.pop() {
                Some(Open { kind: Kind::Block, named }) => named,
                Some(Open { kind: Kind::If, .. }) => true,
                Some(Open { kind: Kind::Loop, .. }) | None => false,
            },
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                self.name(*relative_depth);
                true
            }
            Operator::BrTable { targets } => {
                self.name(targets.default());
                for target in targets.targets().flatten() {
                    self.name(target);
                }
                true
            }
            _ => false,
        }
    }

    fn name(&mut self, relative_depth: u32) {
        let depth = usize::try_from(relative_depth).unwrap_or(usize::MAX);
        // A branch to the label of the function names nothing that is open.
        if let Some(target) = self.open.len().checked_sub(1).and_then(|top| top.checked_sub(depth)) {
            self.open[target].named = true;
        }
    }
}
