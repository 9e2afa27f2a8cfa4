//! Loops that are paid for as a whole, before they begin.
//!
//! A loop that is one metering block, calls nothing, and goes on until a local that grows by a constant in every round
//! reaches an end that does not change, can end in three ways: after a number of rounds that is known when it is
//! entered, in a trap, or never. The last two are faults, and so is not being able to pay for all rounds. So all rounds
//! are charged in front of it, and nothing inside.
//!
//! With a step of `2^k * odd` the local reaches the end `d` above it after `n` rounds where `n * step = d` modulo 2^32:
//! never, if `2^k` does not divide `d`, and else first after
//!
//! ```text
//! n = (d / 2^k) * odd^-1  modulo 2^(32 - k), taken from 1 to 2^(32 - k)
//! ```
//!
//! Where code sets the local to a constant before the loop, and the end is one, so is `n`.

use std::collections::VecDeque;

use wasmparser::{BlockType, Operator};

/// How many rounds a loop has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rounds {
    /// How to compute it when the loop is entered.
    pub(super) counted: Counted,
    /// So many, if the code says it and the loop ends.
    pub(super) known: Option<u64>,
}

/// How the rounds of a loop are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// The local, as the loop is entered.
    pub(super) local: u32,
    /// What it grows by, not zero.
    pub(super) step: u32,
    /// Where the loop ends.
    pub(super) end: End,
}

/// The value that ends a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Constant(u32),
    Local(u32),
}

impl Counted {
    /// `k`
    pub(super) fn shift(self) -> u32 {
        self.step.trailing_zeros()
    }

    /// The inverse of the odd part of the step, modulo 2^32 (Newton's iteration: every round doubles the bits).
    pub(super) fn inverse(self) -> u32 {
        let odd = self.step >> self.shift();
        let mut inverse = odd;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        inverse
    }

    /// `2^(32 - k) - 1`
    pub(super) fn mask(self) -> u32 {
        u32::MAX >> self.shift()
    }

    /// `n` for this distance, if the end is ever reached.
    fn rounds(self, distance: u32) -> Option<u64> {
        let whole = distance >> self.shift();
        let further = whole.wrapping_mul(self.inverse()).wrapping_sub(1) & self.mask();
        (distance.trailing_zeros() >= self.shift()).then(|| u64::from(further) + 1)
    }
}

/// An operator, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Get(u32),
    Set(u32),
    Tee(u32),
    Constant(u32),
    Add,
    Sub,
    Differs,
    Other,
}

/// Looks for such loops while a body goes by.
#[derive(Debug, Default)]
pub(super) struct Finder {
    candidate: Option<Candidate>,
    constants: Constants,
}

/// Locals whose values are constants here: the last that were set to one in code that is not left or joined in between.
#[derive(Clone, Debug, Default)]
struct Constants {
    known: VecDeque<(u32, u32)>,
    /// The operand on top of the stack, if it is one.
    top: Option<u32>,
}

impl Constants {
    /// Before a loop few are set.
    const MOST: usize = 16;

    fn of(&self, local: u32) -> Option<u32> {
        self.known.iter().find(|(at, _)| *at == local).map(|(_, value)| *value)
    }

    fn step(&mut self, operator: &Operator<'_>) {
        let top = self.top.take();
        match operator {
            Operator::I32Const { value } => self.top = Some(value.cast_unsigned()),
            Operator::LocalGet { local_index } => self.top = self.of(*local_index),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                self.known.retain(|(at, _)| at != local_index);
                if let Some(value) = top {
                    self.known.push_back((*local_index, value));
                    if self.known.len() > Constants::MOST {
                        self.known.pop_front();
                    }
                }
                if matches!(operator, Operator::LocalTee { .. }) {
                    self.top = top;
                }
            }
            // Where paths meet, as they do at a `loop`.
            Operator::Else | Operator::End => self.known.clear(),
            _ => {}
        }
    }
}

#[derive(Debug, Default)]
struct Candidate {
    /// What is known where it is entered.
    constants: Constants,
    /// Blocks that are open inside.
    open: u32,
    /// The last words.
    tail: [Option<Word>; 4],
    /// Locals that are set.
    sets: Vec<u32>,
    /// Locals that grow by a constant.
    steps: Vec<(u32, u32)>,
    /// Found, if the loop ends here.
    found: Option<Counted>,
}

impl Finder {
    /// Goes over an operator. At the `end` of such a loop, says how many rounds it has.
    pub(super) fn step(&mut self, operator: &Operator<'_>, is_bulk: bool) -> Option<Rounds> {
        if let Operator::Loop { blockty } = operator {
            let constants = std::mem::take(&mut self.constants);
            let candidate = Candidate { constants, ..Candidate::default() };
            self.candidate = matches!(blockty, BlockType::Empty).then_some(candidate);
            return None;
        }
        self.constants.step(operator);
        let candidate = self.candidate.as_mut()?;
        if let (Some(found), Operator::End) = (candidate.found, operator) {
            let rounds = candidate.rounds(found);
            self.candidate = None;
            return Some(rounds);
        }
        let goes_on = candidate.found.is_none() && !is_bulk && candidate.goes_on(operator);
        if !goes_on {
            self.candidate = None;
        }
        None
    }
}

impl Candidate {
    /// Whether this may still become such a loop.
    fn goes_on(&mut self, operator: &Operator<'_>) -> bool {
        let word = match operator {
            Operator::Block { .. } => {
                self.open += 1;
                Word::Other
            }
            Operator::End if self.open > 0 => {
                self.open -= 1;
                Word::Other
            }
            Operator::BrIf { relative_depth: 0 } if self.open == 0 => {
                self.found = self.counted();
                return self.found.is_some();
            }
            Operator::BrIf { .. }
            | Operator::Br { .. }
            | Operator::BrTable { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Return
            | Operator::Unreachable
            | Operator::Call { .. }
            | Operator::CallIndirect { .. } => return false,
            Operator::LocalGet { local_index } => Word::Get(*local_index),
            Operator::LocalSet { local_index } => Word::Set(*local_index),
            Operator::LocalTee { local_index } => Word::Tee(*local_index),
            Operator::I32Const { value } => Word::Constant(value.cast_unsigned()),
            Operator::I32Add => Word::Add,
            Operator::I32Sub => Word::Sub,
            Operator::I32Ne => Word::Differs,
            _ => Word::Other,
        };
        if let Word::Set(local) | Word::Tee(local) = word {
            self.sets.push(local);
            let step = match self.tail {
                [_, Some(Word::Get(from)), Some(Word::Constant(step)), Some(Word::Add)]
                | [_, Some(Word::Constant(step)), Some(Word::Get(from)), Some(Word::Add)]
                    if from == local =>
                {
                    step
                }
                [_, Some(Word::Get(from)), Some(Word::Constant(step)), Some(Word::Sub)] if from == local => {
                    step.wrapping_neg()
                }
                _ => 0,
            };
            if step != 0 {
                self.steps.push((local, step));
            }
        }
        self.tail.rotate_left(1);
        self.tail[3] = Some(word);
        true
    }

    /// How the loop is counted, if it branches back now.
    fn counted(&self) -> Option<Counted> {
        let (local, end) = match self.tail {
            [.., Some(Word::Get(local) | Word::Tee(local))] => (local, End::Constant(0)),
            [_, Some(one), Some(other), Some(Word::Differs)] => self.which(one, other)?,
            _ => return None,
        };
        let mut steps = self.steps.iter().filter(|(at, _)| *at == local);
        let (_, step) = *steps.next()?;
        let is_set_once = self.sets.iter().filter(|at| **at == local).count() == 1;
        let end_stays = !matches!(end, End::Local(end) if self.sets.contains(&end));
        (is_set_once && end_stays).then_some(Counted { local, step, end })
    }

    /// How many rounds there are of a loop that is counted like this.
    fn rounds(&self, counted: Counted) -> Rounds {
        let end = match counted.end {
            End::Constant(end) => Some(end),
            End::Local(end) => self.constants.of(end),
        };
        let distance = end.zip(self.constants.of(counted.local)).map(|(end, start)| end.wrapping_sub(start));
        Rounds { counted, known: distance.and_then(|distance| counted.rounds(distance)) }
    }

    /// Which of two operands is the local that grows.
    fn which(&self, one: Word, other: Word) -> Option<(u32, End)> {
        let grows = |local: u32| self.steps.iter().any(|(at, _)| *at == local);
        match (one, other) {
            (Word::Get(local) | Word::Tee(local), end) if grows(local) => Some((local, as_end(end)?)),
            (end, Word::Get(local) | Word::Tee(local)) if grows(local) => Some((local, as_end(end)?)),
            _ => None,
        }
    }
}

fn as_end(word: Word) -> Option<End> {
    match word {
        Word::Constant(value) => Some(End::Constant(value)),
        Word::Get(local) => Some(End::Local(local)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, End};

    #[test]
    fn rounds_by_formula_are_rounds_by_counting() {
        // In eight bits everything can be tried; the formula is the same with 8 for 32.
        for step in 1..=255u32 {
            let counted = Counted { local: 0, step, end: End::Constant(0) };
            let (shift, inverse) = (counted.shift(), counted.inverse());
            let mask = 0xff >> shift;
            for distance in 0..=255u32 {
                let mut rounds = 0u32;
                let reached = loop {
                    rounds += 1;
                    if (rounds * step) & 0xff == distance {
                        break true;
                    }
                    if rounds > 256 {
                        break false;
                    }
                };
                let divides = distance & ((1 << shift) - 1) == 0;
                assert_eq!(divides, reached, "step {step}, distance {distance}");
                if reached {
                    let formula = ((distance >> shift).wrapping_mul(inverse).wrapping_sub(1) & mask) + 1;
                    assert_eq!(formula, rounds, "step {step}, distance {distance}");
                }
            }
        }
    }
}
