//! Running [`WordPiece`](super::WordPiece).

use noema_tensor::{Kernels, OpError};

use super::{ALONE, KEEP, LIST, SPACE, WordPiece, bits};
use crate::{
    arena::{Sink, Source},
    ops::{Shapes, Step, length, tokenizer},
    parameters::Parameters,
};

pub(super) struct WordPieceStep {
    op: WordPiece,
    starts: Vec<u32>,
    kinds: Vec<u8>,
    classes: Vec<u8>,
    values: Vec<i32>,
    counts: Vec<u8>,
    list: Vec<u32>,
    children: Vec<usize>,
    points: Vec<u32>,
    tokens: Vec<i32>,
}

/// A character after its replacement.
#[derive(Clone, Copy, Debug)]
struct Mark {
    point: u32,
    class: u8,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Inside,
    Alone,
    Space,
    Dropped,
}

impl WordPieceStep {
    pub(super) fn new(op: &WordPiece, parameters: &Parameters<'_>) -> WordPieceStep {
        let unsigned = |index: usize| parameters.i32s(index).map(i32::cast_unsigned).collect();
        WordPieceStep {
            op: op.clone(),
            starts: unsigned(0),
            kinds: parameters.u8s(1).to_vec(),
            classes: parameters.u8s(2).to_vec(),
            values: parameters.i32s(3).collect(),
            counts: parameters.u8s(4).to_vec(),
            list: unsigned(5),
            children: tokenizer::table(parameters, 6),
            points: unsigned(7),
            tokens: parameters.i32s(8).collect(),
        }
    }

    /// The characters of a text, replaced and in canonical order.
    fn normalised(&self, text: &str) -> Vec<Mark> {
        let mut marks = Vec::with_capacity(text.len());
        // Where the marks begin that wait for others of another class.
        let mut waiting = 0;
        let mut push = |marks: &mut Vec<Mark>, mark: Mark| {
            if mark.class == 0 {
                let end = marks.len();
                marks[waiting..end].sort_by_key(|mark| mark.class);
                waiting = end + 1;
            }
            marks.push(mark);
        };
        for character in text.chars() {
            let point = u32::from(character);
            let range = self.starts.partition_point(|start| *start <= point) - 1;
            let (class, value) = (self.classes[range], self.values[range]);
            let moved = |kind| Mark { point: point.wrapping_add_signed(value), class, kind };
            match self.kinds[range] {
                SPACE => push(&mut marks, Mark { point, class: 0, kind: Kind::Space }),
                KEEP => push(&mut marks, moved(Kind::Inside)),
                ALONE => push(&mut marks, moved(Kind::Alone)),
                LIST => {
                    let first = usize::try_from(value).unwrap_or(usize::MAX);
                    for entry in &self.list[first..first + usize::from(self.counts[range])] {
                        let kind = match (entry & bits::DROPPED != 0, entry & bits::ALONE != 0) {
                            (true, _) => Kind::Dropped,
                            (_, true) => Kind::Alone,
                            _ => Kind::Inside,
                        };
                        let class = ((entry >> bits::CLASS_SHIFT) & 0xff).to_le_bytes()[0];
                        push(&mut marks, Mark { point: entry & bits::POINT, class, kind });
                    }
                }
                _ => {}
            }
        }
        let end = marks.len();
        marks[waiting.min(end)..].sort_by_key(|mark| mark.class);
        marks
    }

    /// The tokens of a text between the first and the last one, at most `most`.
    fn pieces(&self, text: &str, most: usize) -> Vec<i32> {
        let (mut tokens, mut word) = (Vec::new(), Vec::new());
        for mark in self.normalised(text) {
            match mark.kind {
                Kind::Inside => word.push(mark.point),
                Kind::Dropped => {}
                Kind::Space => self.end(&mut word, &mut tokens),
                Kind::Alone => {
                    self.end(&mut word, &mut tokens);
                    word.push(mark.point);
                    self.end(&mut word, &mut tokens);
                }
            }
            if tokens.len() >= most {
                break;
            }
        }
        self.end(&mut word, &mut tokens);
        tokens.truncate(most);
        tokens
    }

    /// Cuts a word into pieces, the longest first; all of it is unknown where one is missing.
    fn end(&self, word: &mut Vec<u32>, tokens: &mut Vec<i32>) {
        if word.is_empty() {
            return;
        }
        let before = tokens.len();
        let mut at = 0;
        let known = word.len() <= length(self.op.longest_word);
        while known && at < word.len() {
            let Some((token, length)) = self.longest(usize::from(at > 0), &word[at..]) else { break };
            tokens.push(token);
            at += length;
        }
        if at < word.len() {
            tokens.truncate(before);
            tokens.push(self.op.unknown.cast_signed());
        }
        word.clear();
    }

    /// The longest piece that begins here, in the trie of a root.
    fn longest(&self, root: usize, word: &[u32]) -> Option<(i32, usize)> {
        let (mut node, mut found) = (root, None);
        for (at, point) in word.iter().enumerate() {
            let (first, end) = (self.children[node], self.children[node + 1]);
            let Ok(child) = self.points[first..end].binary_search(point) else { break };
            node = first + child;
            if self.tokens[node] >= 0 {
                found = Some((self.tokens[node], at + 1));
            }
        }
        found
    }
}

impl Step for WordPieceStep {
    fn run(
        &self,
        _: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        self.op.frame().run(shapes, inputs, output, |text, most| self.pieces(text, most))
    }
}
