//! What stands in a Hugging Face folder: configuration, weights, tokenizer, pooling.

use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenizers::{Tokenizer, TruncationParams};

use crate::ImportError;

/// Most bytes of a file of text, and of the weights.
const MAX_TEXT_BYTES: u64 = 64 << 20;
const MAX_WEIGHT_BYTES: u64 = 4 << 30;
/// Largest sizes that a configuration may state.
const MAX_LAYERS: usize = 64;
const MAX_SIDE: usize = 1 << 20;

/// `config.json` of a BERT-type encoder.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    pub(crate) model_type: String,
    pub(crate) hidden_size: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) vocab_size: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) hidden_act: String,
    pub(crate) layer_norm_eps: f64,
    #[serde(default = "absolute")]
    pub(crate) position_embedding_type: String,
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl Config {
    fn check(&self) -> Result<(), ImportError> {
        let refused =
            |what: String, supported: &str| Err(ImportError::Encoder(format!("{what}; what can: {supported}")));
        if self.model_type != "bert" {
            return refused(format!("model_type `{}` cannot be imported", self.model_type), "bert");
        }
        if self.hidden_act != "gelu" {
            return refused(format!("hidden_act `{}` cannot be imported", self.hidden_act), "gelu");
        }
        if self.position_embedding_type != "absolute" {
            let kind = &self.position_embedding_type;
            return refused(format!("position_embedding_type `{kind}` cannot be imported"), "absolute");
        }
        let sides = [self.hidden_size, self.intermediate_size, self.vocab_size, self.max_position_embeddings];
        if sides.iter().any(|side| !(1..=MAX_SIDE).contains(side))
            || !(1..=MAX_LAYERS).contains(&self.num_hidden_layers)
        {
            let reason = format!("config.json: sizes {sides:?} and {} layers", self.num_hidden_layers);
            return Err(ImportError::Encoder(reason));
        }
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let reason = format!("config.json: {} heads of {}", self.num_attention_heads, self.hidden_size);
            return Err(ImportError::Encoder(reason));
        }
        if !self.layer_norm_eps.is_finite() || !(0.0..1.0).contains(&self.layer_norm_eps) {
            return Err(ImportError::Encoder(format!("config.json: layer_norm_eps {}", self.layer_norm_eps)));
        }
        Ok(())
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
    tensors: BTreeMap<String, Tensor>,
}

impl Folder {
    /// Reads a folder.
    pub(crate) fn read(path: &Path, longest: Option<usize>) -> Result<Folder, ImportError> {
        let config: Config = json(path, "config.json")?.ok_or_else(|| missing(path, "config.json"))?;
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
        let tensors = weights(path)?;
        Ok(Folder { config, pooling, longest, tokenizer, tensors })
    }

    /// A tensor of the encoder as `f32`, of this shape.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, ImportError> {
        let found = ["", "bert.", "model."].iter().find_map(|prefix| self.tensors.get(&format!("{prefix}{name}")));
        let tensor = found.ok_or_else(|| ImportError::Encoder(format!("model.safetensors has no tensor `{name}`")))?;
        if tensor.dims() != shape {
            let reason = format!("tensor `{name}` is {:?}, by config.json it should be {shape:?}", tensor.dims());
            return Err(ImportError::Encoder(reason));
        }
        Ok(tensor.clone())
    }

    /// A tensor as numbers.
    pub(crate) fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ImportError> {
        Ok(self.tensor(name, shape)?.flatten_all()?.to_vec1()?)
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

fn missing(path: &Path, name: &str) -> ImportError {
    ImportError::Encoder(format!("{} has no {name}", path.display()))
}

/// A file of the folder, if it is there.
fn read(path: &Path, name: &str, limit: u64) -> Result<Option<Vec<u8>>, ImportError> {
    let path = path.join(name);
    let failed = |error: std::io::Error| ImportError::Encoder(format!("cannot read {}: {error}", path.display()));
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(found) if found.len() > limit => {
            return Err(ImportError::Limit { what: "size of a file", value: found.len(), limit });
        }
        Ok(_) => {}
    }
    std::fs::read(&path).map(Some).map_err(failed)
}

fn json<T: DeserializeOwned>(path: &Path, name: &str) -> Result<Option<T>, ImportError> {
    let Some(bytes) = read(path, name, MAX_TEXT_BYTES)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| ImportError::Encoder(format!("{name}: {error}")))
}

fn weights(path: &Path) -> Result<BTreeMap<String, Tensor>, ImportError> {
    let bytes = read(path, "model.safetensors", MAX_WEIGHT_BYTES)?;
    let bytes = bytes.ok_or_else(|| missing(path, "model.safetensors"))?;
    let refused = |error: &dyn std::fmt::Display| ImportError::Encoder(format!("model.safetensors: {error}"));
    let file = SafeTensors::deserialize(&bytes).map_err(|error| refused(&error))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            // Positions and the like, which are known without the file.
            _ => continue,
        };
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?.to_dtype(DType::F32)?;
        let finite = tensor.abs()?.flatten_all()?.to_vec1::<f32>()?.into_iter().all(f32::is_finite);
        if !finite {
            return Err(refused(&format!("tensor `{name}` has a number that is not finite")));
        }
        tensors.insert(name.to_owned(), tensor);
    }
    Ok(tensors)
}
