//! Running [`BytePairs`](super::BytePairs).

use std::{cmp::Reverse, collections::BinaryHeap};

use noema_tensor::{Kernels, OpError};

use super::{
    BytePairs,
    words::{self, Mark},
};
use crate::{
    arena::{Sink, Source},
    ops::{Shapes, Step, tokenizer},
    parameters::Parameters,
};

pub(super) struct BytePairsStep {
    op: BytePairs,
    starts: Vec<u32>,
    classes: Vec<u8>,
    /// The classes of the characters that most texts consist of.
    ascii: [u8; 128],
    bytes: Vec<i32>,
    firsts: Vec<usize>,
    rights: Vec<i32>,
    ranks: Vec<i32>,
    results: Vec<i32>,
    children: Vec<usize>,
    letters: Vec<u8>,
    whole: Vec<i32>,
}

/// A token of a word that is being made, and its neighbours.
#[derive(Clone, Copy, Debug)]
struct Part {
    token: i32,
    before: usize,
    behind: usize,
}

/// No neighbour.
const END: usize = usize::MAX;
/// The token of a part that has become one with the part before it.
const GONE: i32 = -1;

/// A pair that can become one: its rank, where its left part stands, both tokens, the token that it becomes. The least is next.
type Candidate = Reverse<(i32, usize, i32, i32, i32)>;

/// What is used again from word to word.
#[derive(Default)]
struct Desk {
    parts: Vec<Part>,
    candidates: BinaryHeap<Candidate>,
}

impl BytePairsStep {
    pub(super) fn new(op: &BytePairs, parameters: &Parameters<'_>) -> BytePairsStep {
        let starts: Vec<u32> = parameters.i32s(0).map(i32::cast_unsigned).collect();
        let classes = parameters.u8s(1).to_vec();
        let mut ascii = [0; 128];
        for (point, class) in (0..).zip(&mut ascii) {
            *class = classes[starts.partition_point(|start| *start <= point) - 1];
        }
        BytePairsStep {
            op: op.clone(),
            starts,
            classes,
            ascii,
            bytes: parameters.i32s(2).collect(),
            firsts: tokenizer::table(parameters, 3),
            rights: parameters.i32s(4).collect(),
            ranks: parameters.i32s(5).collect(),
            results: parameters.i32s(6).collect(),
            children: tokenizer::table(parameters, 7),
            letters: parameters.u8s(8).to_vec(),
            whole: parameters.i32s(9).collect(),
        }
    }

    fn class(&self, point: u32) -> u8 {
        let place = usize::try_from(point).unwrap_or(usize::MAX);
        let range = || self.starts.partition_point(|start| *start <= point) - 1;
        self.ascii.get(place).copied().unwrap_or_else(|| self.classes[range()])
    }

    /// The tokens of a text between the first and the last one, at most `most`.
    fn tokens(&self, text: &str, most: usize) -> Vec<i32> {
        let marks: Vec<Mark> = text
            .char_indices()
            .map(|(at, character)| {
                let point = u32::from(character);
                Mark { point, class: self.class(point), end: at + character.len_utf8() }
            })
            .collect();
        let (mut tokens, mut desk) = (Vec::new(), Desk::default());
        let (mut at, mut begin) = (0, 0);
        while at < marks.len() && tokens.len() < most {
            at = words::end(&self.op, &marks, at);
            let end = marks[at - 1].end;
            self.word(&text.as_bytes()[begin..end], &mut desk, &mut tokens);
            begin = end;
        }
        tokens.truncate(most);
        tokens
    }

    /// Appends the tokens of a word.
    fn word(&self, word: &[u8], desk: &mut Desk, tokens: &mut Vec<i32>) {
        if let Some(token) = self.whole(word) {
            return tokens.push(token);
        }
        let Desk { parts, candidates } = desk;
        parts.clear();
        candidates.clear();
        for (at, byte) in word.iter().enumerate() {
            let behind = if at + 1 == word.len() { END } else { at + 1 };
            parts.push(Part {
                token: self.bytes[usize::from(*byte)],
                before: at.checked_sub(1).unwrap_or(END),
                behind,
            });
        }
        for at in 1..parts.len() {
            candidates.extend(self.candidate(parts, at - 1));
        }
        while let Some(Reverse((_, at, left, right, result))) = candidates.pop() {
            // Its parts may have become others since.
            let Part { token, behind, .. } = parts[at];
            if token != left || behind == END || parts[behind].token != right {
                continue;
            }
            let next = parts[behind].behind;
            parts[behind].token = GONE;
            parts[at] = Part { token: result, behind: next, ..parts[at] };
            if next != END {
                parts[next].before = at;
            }
            candidates.extend(self.candidate(parts, at));
            if parts[at].before != END {
                candidates.extend(self.candidate(parts, parts[at].before));
            }
        }
        tokens.extend(parts.iter().map(|part| part.token).filter(|token| *token != GONE));
    }

    /// The pair of a part and the one behind it, if it is in the list.
    fn candidate(&self, parts: &[Part], at: usize) -> Option<Candidate> {
        let left = parts[at].token;
        let right = parts.get(parts[at].behind)?.token;
        let place = usize::try_from(left).ok()?;
        let (first, end) = (self.firsts[place], self.firsts[place + 1]);
        let pair = first + self.rights[first..end].binary_search(&right).ok()?;
        Some(Reverse((self.ranks[pair], at, left, right, self.results[pair])))
    }

    /// The token of a word that is in the vocabulary as it stands.
    fn whole(&self, word: &[u8]) -> Option<i32> {
        let mut node = 0;
        for byte in word {
            let (first, end) = (self.children[node], self.children[node + 1]);
            node = first + self.letters[first..end].binary_search(byte).ok()?;
        }
        Some(self.whole[node]).filter(|token| *token >= 0)
    }
}

impl Step for BytePairsStep {
    fn run(
        &self,
        _: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        self.op.frame().run(shapes, inputs, output, |text, most| {
            if self.op.prefix_space && !text.is_empty() && !text.starts_with(' ') {
                self.tokens(&format!(" {text}"), most)
            } else {
                self.tokens(text, most)
            }
        })
    }
}
