//! Sentences on a chain, found by what they mean: a tokenizer and an encoder run as part of the call.
//!
//! `add` turns a sentence into its embedding and keeps both; `rank` embeds a question and gives the sentences whose embeddings
//! are nearest to it. Every node computes the same bits, so every node has the same order.
//!
//! Both models come from one folder: `noema model import FOLDER ...` and `noema model import FOLDER/tokenizer.json ...`, the tokenizer with no more
//! `--max-tokens` than the encoder takes.
#![no_std]
#![forbid(unsafe_code)]

use noema_sdk::{self as noema, prelude::*};

/// A text without a byte.
pub const EMPTY: u32 = 1;
/// Models that do not fit each other.
pub const UNFIT_MODELS: u32 = 2;
/// Not enough gas left for the models.
pub const TOO_LITTLE_GAS: u32 = 3;

/// A cosine of 1: the product of two embeddings of 15 fraction bits.
pub const ONE: i64 = 1 << 30;

/// The models, and how many sentences there are.
#[noema::state]
pub struct Search {
    tokenizer: Hash,
    encoder: Hash,
    sentences: u64,
}

/// A sentence that is kept.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// What it says.
    pub text: String,
    /// What it means: 15 fraction bits, of length 1.
    pub embedding: Vec<i16>,
}

/// A sentence that was found.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub number: u64,
    /// What it says.
    pub text: String,
    /// The cosine of its embedding and that of the question, of [`ONE`].
    pub cosine: i64,
}

const SENTENCES: Map<u64, Sentence> = Map::new("sentences");

#[noema::contract]
impl Search {
    /// With the ids of the tokenizer and the encoder, which the chain has.
    #[init]
    fn new(tokenizer: Hash, encoder: Hash) -> Result<Self> {
        Model::open(&tokenizer)?;
        Model::open(&encoder)?;
        Ok(Search { tokenizer, encoder, sentences: 0 })
    }

    /// Keeps a sentence; its number.
    #[call]
    fn add(&mut self, text: String) -> Result<u64> {
        let embedding = self.embed(&text)?.read()?;
        let number = self.sentences;
        SENTENCES.set(&number, &Sentence { text, embedding })?;
        self.sentences += 1;
        Ok(number)
    }

    /// The sentences nearest to a question, at most `count`, the nearest first.
    #[view]
    fn rank(&self, question: String, count: u32) -> Result<Vec<Found>> {
        let asked = self.embed(&question)?;
        let kept = SENTENCES.range(None, self.sentences as usize)?;
        if kept.is_empty() {
            return Ok(Vec::new());
        }
        // One product of a matrix with the question: a row for each sentence.
        let (rows, width) = (kept.len() as u32, kept[0].1.embedding.len() as u32);
        let all: Vec<i16> = kept.iter().flat_map(|(_, sentence)| sentence.embedding.iter().copied()).collect();
        let matrix = Tensor::from_slice(&[rows, width], &all)?;
        let cosines: Vec<i64> = op::matmul(&matrix, &asked.reshape(&[width, 1])?)?.read()?;
        let mut found: Vec<Found> = kept
            .into_iter()
            .zip(cosines)
            .map(|((number, sentence), cosine)| Found { number, text: sentence.text, cosine })
            .collect();
        found.sort_by(|a, b| b.cosine.cmp(&a.cosine).then(a.number.cmp(&b.number)));
        found.truncate(count as usize);
        Ok(found)
    }

    /// A sentence by its number.
    #[view]
    fn sentence(&self, number: u64) -> Result<Option<Sentence>> {
        SENTENCES.get(&number)
    }
}

impl Search {
    /// The embedding of a text.
    fn embed(&self, text: &str) -> Result<Tensor> {
        ensure!(!text.is_empty(), EMPTY, "a text without a byte");
        let (tokenizer, encoder) = (Model::open(&self.tokenizer)?, Model::open(&self.encoder)?);
        let bytes = text.len() as u32;
        let cost = tokenizer.cost_of(1, bytes)?;
        ensure!(cost < env::gas_left(), TOO_LITTLE_GAS, "the tokenizer costs {cost} gas");
        let outputs = tokenizer
            .run(&[&Tensor::from_slice(&[1, bytes], text.as_bytes())?, &Tensor::from_slice(&[1], &[bytes as i32])?])?;
        let [tokens, length] = outputs.as_slice() else {
            bail!(UNFIT_MODELS, "the tokenizer has {} outputs", outputs.len())
        };
        // The encoder is run, and paid for, as long as the text is.
        let count = length.read::<i32>()?.first().map_or(0, |count| *count as u32);
        let cost = encoder.cost_of(1, count)?;
        ensure!(cost < env::gas_left(), TOO_LITTLE_GAS, "the encoder costs {cost} gas");
        let outputs = encoder.run(&[&tokens.slice(&[0, 0], &[1, count])?, length])?;
        let Some(embedding) = outputs.into_iter().next() else { bail!(UNFIT_MODELS, "the encoder has no output") };
        Ok(embedding)
    }
}
