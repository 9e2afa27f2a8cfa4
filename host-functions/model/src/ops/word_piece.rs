use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{Level, OpError};

use super::{
    Operator, ParameterSpec, Step,
    tokenizer::{self, Frame},
};
use crate::{
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

mod check;
mod step;
#[cfg(test)]
mod tests;

/// Text to the pieces of a vocabulary: normalised character by character, cut into words, and each word from its beginning
/// into the longest pieces that there are. Everything that it knows about characters is a parameter.
///
/// It reads the text (`u8`, `[n]`, UTF-8) and how many bytes of it count (`i32`, without axes), and gives `i32`,
/// `[1 + tokens]`: how many tokens there are, the tokens, and the padding token to the end. A run with bytes that are not
/// UTF-8 answers `BadArgument`, one with a count below 0 or above `n` `IndexOutOfRange`.
///
/// Parameters, with `ranges`, `listed` and `nodes` as long as the attributes say:
///
/// 0. first code point of each range (`i32`, rising, the first is 0; a range ends where the next begins);
/// 1. what becomes of its characters (`u8`): [`DROP`], [`SPACE`], [`KEEP`], [`ALONE`], [`LIST`];
/// 2. the combining class of its characters (`u8`);
/// 3. a number (`i32`) that is added to the code point (`KEEP`, `ALONE`), or the place in the list (`LIST`);
/// 4. for `LIST` how many entries of the list (`u8`);
/// 5. the list (`i32`): a code point, plus its combining class shifted by 21, plus 2^29 for one that is a word of its own, plus
///    2^30 for one that is only there to keep its place in the order and is dropped;
/// 6. for each node of the two tries, behind which node its children begin (`i32`, rising; one number more than nodes);
/// 7. the code point that leads to it (`i32`, rising among children of one node);
/// 8. the token that ends there, or -1 (`i32`).
///
/// Node 0 is the root of the pieces that begin words, node 1 of those that continue them. No opcode takes tables like these,
/// because checking them for every call would cost more than using them. The formula: docs/spec/text.md.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WordPiece {
    /// Most tokens, those before and behind the text included.
    pub tokens: u32,
    /// Tokens of the vocabulary.
    pub vocabulary: u32,
    /// Most characters of a word that is looked up; longer ones are unknown.
    pub longest_word: u32,
    /// The token before the text.
    pub before: u32,
    /// The token behind the text.
    pub behind: u32,
    /// The token of a word that has no pieces.
    pub unknown: u32,
    /// The token behind the end.
    pub padding: u32,
    /// Ranges of characters.
    pub ranges: u32,
    /// Entries of the list.
    pub listed: u32,
    /// Nodes of the tries.
    pub nodes: u32,
    /// Characters of the longest piece.
    pub depth: u32,
    /// Entries of the longest replacement of a character.
    pub expansion: u32,
}

/// A character that goes. Its combining class is that of a mark that keeps its place in the order of marks.
pub const DROP: u8 = 0;
/// A character that ends a word.
pub const SPACE: u8 = 1;
/// A character of a word.
pub const KEEP: u8 = 2;
/// A character that is a word of its own.
pub const ALONE: u8 = 3;
/// A character that becomes several.
pub const LIST: u8 = 4;

impl WordPiece {
    /// What stands around the tokens of a text.
    fn frame(&self) -> Frame {
        Frame { tokens: self.tokens, before: Some(self.before), behind: Some(self.behind), padding: self.padding }
    }
}

/// Most characters that a text can become.
const MAX_MARKS: u64 = 1 << 22;

/// What a byte costs besides the steps through the tries, in steps.
const BYTE: u64 = 16;
/// The same for a mark: putting it in its order, into a word, and beginning in a trie.
const MARK: u64 = 4;

impl Operator for WordPiece {
    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let edge = tokenizer::infer(inputs, self.tokens)?;
        if self.tokens < 2 || self.ranges == 0 || self.nodes < 2 || self.vocabulary == 0 || self.depth == 0 {
            return Err("a tokenizer without room, characters, nodes, tokens or pieces".into());
        }
        if [self.ranges, self.listed, self.nodes, self.vocabulary, self.tokens].iter().any(|size| *size >= 1 << 28) {
            return Err("a tokenizer past 2^28 entries".into());
        }
        let marks = inputs[0].row_elements().saturating_mul(self.expansion.into());
        if marks > MAX_MARKS {
            return Err(format!("a text of up to {marks} characters, the limit is {MAX_MARKS}"));
        }
        let special = [self.before, self.behind, self.unknown, self.padding];
        if special.iter().any(|token| *token >= self.vocabulary) {
            return Err(format!("tokens {special:?} of a vocabulary of {}", self.vocabulary));
        }
        Ok(edge)
    }

    fn parameters(&self, _: &[&Edge]) -> Vec<ParameterSpec> {
        let (ranges, listed, nodes) = (u64::from(self.ranges), u64::from(self.listed), u64::from(self.nodes));
        [
            (DType::I32, ranges),
            (DType::U8, ranges),
            (DType::U8, ranges),
            (DType::I32, ranges),
            (DType::U8, ranges),
            (DType::I32, listed),
            (DType::I32, nodes + 1),
            (DType::I32, nodes),
            (DType::I32, nodes),
        ]
        .map(|(dtype, elements)| ParameterSpec::new(dtype, elements))
        .to_vec()
    }

    fn bound(&self, _: &[&Edge], _: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        check::check(self, parameters)?;
        let most = i64::from(self.tokens).max(i64::from(self.vocabulary) - 1);
        Ok(Interval { lo: 0, hi: most }.into())
    }

    /// Steps through the tries: from each character of the text, after it was replaced, as many as the longest piece has.
    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let mark = u64::from(self.depth) + MARK;
        let each = u64::from(self.expansion.max(1)).saturating_mul(mark).saturating_add(BYTE);
        let text = inputs[0].row_elements().saturating_mul(each);
        vec![(Opcode::WordPiece, text.saturating_add(self.tokens.into()))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(step::WordPieceStep::new(self, parameters)))
    }
}

/// An entry of the list: a code point of a combining class, that is a word of its own, or only keeps its place and is dropped.
#[must_use]
pub fn entry(point: u32, class: u8, alone: bool, dropped: bool) -> i32 {
    let flags = if alone { bits::ALONE } else { 0 } | if dropped { bits::DROPPED } else { 0 };
    ((point & bits::POINT) | (u32::from(class) << bits::CLASS_SHIFT) | flags).cast_signed()
}

/// The bits of an entry of the list.
mod bits {
    pub(super) const POINT: u32 = (1 << 21) - 1;
    pub(super) const CLASS_SHIFT: u32 = 21;
    pub(super) const ALONE: u32 = 1 << 29;
    pub(super) const DROPPED: u32 = 1 << 30;
}
