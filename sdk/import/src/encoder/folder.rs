//! What stands in a Hugging Face folder: configuration, weights, tokenizer, pooling.

use std::path::Path;

use serde::Deserialize;
use tokenizers::{Tokenizer, TruncationParams};

use crate::{
    ImportError,
    transformer::files::{MAX_TEXT_BYTES, Stack, Weights, config, json, missing, read, unsupported},
};

/// `config.json` of a BERT-type encoder.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    pub(crate) model_type: String,
    #[serde(flatten)]
    pub(crate) stack: Stack,
    pub(crate) vocab_size: usize,
    pub(crate) max_position_embeddings: usize,
    #[serde(default = "absolute")]
    pub(crate) position_embedding_type: String,
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl Config {
    fn check(&self) -> Result<(), ImportError> {
        if self.model_type != "bert" {
            return Err(unsupported(&format!("model_type `{}`", self.model_type), "bert, vit"));
        }
        if self.position_embedding_type != "absolute" {
            let kind = &self.position_embedding_type;
            return Err(unsupported(&format!("position_embedding_type `{kind}`"), "absolute"));
        }
        let positions = ("max_position_embeddings", self.max_position_embeddings);
        self.stack.check(&[("vocab_size", self.vocab_size), positions])
    }
}

/// How a sentence becomes one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// The mean of its tokens.
    Mean,
    /// Its first token.
    First,
}

#[derive(Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
}

#[derive(Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

/// A folder that was read and found complete.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) config: Config,
    pub(crate) pooling: Pooling,
    /// The longest sentence, in tokens.
    pub(crate) longest: usize,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) weights: Weights,
}

impl Folder {
    /// Reads a folder.
    pub(crate) fn read(path: &Path, longest: Option<usize>) -> Result<Folder, ImportError> {
        let config: Config = config(path)?;
        config.check()?;
        let pooling = match json::<PoolingConfig>(path, "1_Pooling/config.json")? {
            None => Pooling::Mean,
            Some(pooling) => {
                let other = pooling.pooling_mode_max_tokens || pooling.pooling_mode_mean_sqrt_len_tokens;
                match (pooling.pooling_mode_mean_tokens, pooling.pooling_mode_cls_token) {
                    (true, false) if !other => Pooling::Mean,
                    (false, true) if !other => Pooling::First,
                    _ => {
                        let reason =
                            "1_Pooling/config.json: this pooling cannot be imported; what can: mean_tokens, cls_token";
                        return Err(ImportError::Encoder(reason.to_owned()));
                    }
                }
            }
        };
        let stated =
            json::<SentenceConfig>(path, "sentence_bert_config.json")?.and_then(|config| config.max_seq_length);
        let longest = longest.or(stated).unwrap_or(config.max_position_embeddings).min(config.max_position_embeddings);
        if longest < 2 {
            return Err(ImportError::Encoder(format!("sentences of at most {longest} tokens")));
        }
        let text = read(path, "tokenizer.json", MAX_TEXT_BYTES)?.ok_or_else(|| missing(path, "tokenizer.json"))?;
        let refused = |error: &dyn std::fmt::Display| ImportError::Encoder(format!("tokenizer.json: {error}"));
        let mut tokenizer = Tokenizer::from_bytes(&text).map_err(|error| refused(&error))?;
        tokenizer.with_padding(None);
        let truncation = TruncationParams { max_length: longest, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| refused(&error))?;
        let weights = Weights::read(path, &["", "bert.", "model."])?;
        Ok(Folder { config, pooling, longest, tokenizer, weights })
    }

    /// The tokens of a sentence.
    pub(crate) fn tokens(&self, sentence: &str) -> Result<Vec<u32>, ImportError> {
        let encoding = self.tokenizer.encode(sentence, true);
        let encoding = encoding.map_err(|error| ImportError::Encoder(format!("tokenizer: {error}")))?;
        let tokens = encoding.get_ids().to_vec();
        if let Some(token) =
            tokens.iter().find(|token| usize::try_from(**token).is_ok_and(|at| at >= self.config.vocab_size))
        {
            return Err(ImportError::Encoder(format!("the tokenizer gives token {token}, the model has fewer")));
        }
        Ok(tokens)
    }
}
