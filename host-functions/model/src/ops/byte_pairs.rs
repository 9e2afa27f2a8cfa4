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
mod words;

/// Text to tokens as GPT-2, RoBERTa and Llama 3 take them: cut into words by classes of characters, and in each word neighbouring
/// tokens, at first its bytes, made one by the pair that comes first in a list, until no pair is in it.
///
/// It reads the text (`u8`, `[n]`, UTF-8) and how many bytes of it count (`i32`, without axes), and gives `i32`,
/// `[1 + tokens]`: how many tokens there are, the tokens, and the padding token to the end. A run with bytes that are not
/// UTF-8 answers `BadArgument`, one with a count below 0 or above `n` `IndexOutOfRange`.
///
/// Parameters, with `ranges`, `pairs` and `nodes` as long as the attributes say:
///
/// 0. first code point of each range (`i32`, rising, the first is 0; a range ends where the next begins);
/// 1. the class of its characters (`u8`): [`OTHER`], [`LETTER`], [`NUMBER`], [`BLANK`], [`BREAK`];
/// 2. the token of each byte (`i32`, 256);
/// 3. for each token of the vocabulary where the pairs begin in which it stands on the left (`i32`, rising; one number more);
/// 4. the token on the right of each pair (`i32`, rising among those of one token on the left);
/// 5. the rank of each pair (`i32`, from 0 on): the lowest is made one first;
/// 6. the token that it becomes (`i32`);
/// 7. for each node of the trie of whole words, behind which node its children begin (`i32`, rising; one number more than nodes);
/// 8. the byte that leads to it (`u8`, rising among children of one node);
/// 9. the token of a word that ends there, which is then taken as it stands, or -1 (`i32`).
///
/// No opcode takes tables like these, because checking them for every call would cost more than using them. The formula:
/// docs/spec/text.md.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BytePairs {
    /// Most tokens, those before and behind the text included.
    pub tokens: u32,
    /// Tokens of the vocabulary.
    pub vocabulary: u32,
    /// The token before the text.
    pub before: Option<u32>,
    /// The token behind the text.
    pub behind: Option<u32>,
    /// The token behind the end.
    pub padding: u32,
    /// How words are cut: [`BytePairs::GPT_2`] or [`BytePairs::GPT_4`].
    pub pattern: u8,
    /// Most numbers in a word, of [`BytePairs::GPT_4`]; 0 where there may be any.
    pub digits: u32,
    /// Whether a text that does not begin with a space gets one.
    pub prefix_space: bool,
    /// Ranges of characters.
    pub ranges: u32,
    /// Pairs.
    pub pairs: u32,
    /// Most pairs with one token on the left.
    pub widest: u32,
    /// Nodes of the trie of whole words, with its root.
    pub nodes: u32,
}

impl BytePairs {
    /// Words as GPT-2 and RoBERTa cut them.
    pub const GPT_2: u8 = 0;
    /// Words as GPT-4, Llama 3 and Qwen 2 cut them.
    pub const GPT_4: u8 = 1;

    /// What stands around the tokens of a text.
    fn frame(&self) -> Frame {
        Frame { tokens: self.tokens, before: self.before, behind: self.behind, padding: self.padding }
    }
}

/// A character that is none of the others.
pub const OTHER: u8 = 0;
/// A letter.
pub const LETTER: u8 = 1;
/// A number.
pub const NUMBER: u8 = 2;
/// White space.
pub const BLANK: u8 = 3;
/// White space that ends a line.
pub const BREAK: u8 = 4;

/// What a byte costs besides what is looked for, in steps.
const BYTE: u64 = 32;

impl Operator for BytePairs {
    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let edge = tokenizer::infer(inputs, self.tokens)?;
        if self.tokens <= self.frame().around() || self.ranges == 0 || self.nodes == 0 || self.vocabulary == 0 {
            return Err("a tokenizer without room, characters, nodes or tokens".into());
        }
        let sizes = [self.ranges, self.pairs, self.nodes, self.vocabulary, self.tokens];
        if sizes.iter().any(|size| *size >= 1 << 28) {
            return Err("a tokenizer past 2^28 entries".into());
        }
        let special = [self.before, self.behind, Some(self.padding)];
        if special.iter().flatten().any(|token| *token >= self.vocabulary) {
            return Err(format!("tokens {special:?} of a vocabulary of {}", self.vocabulary));
        }
        if self.pattern > BytePairs::GPT_4 || (self.pattern == BytePairs::GPT_2 && self.digits != 0) {
            return Err(format!("there is no pattern {} with {} numbers", self.pattern, self.digits));
        }
        Ok(edge)
    }

    fn parameters(&self, _: &[&Edge]) -> Vec<ParameterSpec> {
        let (ranges, pairs, nodes) = (u64::from(self.ranges), u64::from(self.pairs), u64::from(self.nodes));
        [
            (DType::I32, ranges),
            (DType::U8, ranges),
            (DType::I32, 256),
            (DType::I32, u64::from(self.vocabulary) + 1),
            (DType::I32, pairs),
            (DType::I32, pairs),
            (DType::I32, pairs),
            (DType::I32, nodes + 1),
            (DType::U8, nodes),
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

    /// For each byte: a step of the trie, and up to three pairs that are looked for among those of a token and put in order among
    /// those of the text.
    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let bytes = inputs[0].row_elements();
        let bits = |most: u64| u64::from(u64::BITS - most.leading_zeros());
        let each = BYTE + 3 * (bits(self.widest.into()) + bits(bytes));
        vec![(Opcode::BytePairs, bytes.saturating_mul(each).saturating_add(self.tokens.into()))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(step::BytePairsStep::new(self, parameters)))
    }
}
