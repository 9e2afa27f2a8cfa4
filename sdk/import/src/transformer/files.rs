//! Files of a Hugging Face folder: JSON, and weights as safetensors.

use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, de::DeserializeOwned};

use super::layer::{Dense, Form, Normal, Order};
use crate::ImportError;

/// Most bytes of a file of text, and of the weights.
pub(crate) const MAX_TEXT_BYTES: u64 = 64 << 20;
const MAX_WEIGHT_BYTES: u64 = 4 << 30;
/// Largest sizes that a configuration may state.
const MAX_LAYERS: usize = 64;
const MAX_SIDE: usize = 1 << 20;

/// What a Hugging Face folder holds, as far as an importer needs to know to be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FolderKind {
    /// A sentence encoder: [`import_encoder`](crate::import_encoder).
    Encoder,
    /// A vision transformer: [`import_vision`](crate::import_vision).
    Vision,
}

impl FolderKind {
    /// Looks at `config.json`. A folder that says nothing that is known is taken for that of an encoder, whose importer says what is wrong.
    #[must_use]
    pub fn of(path: &Path) -> FolderKind {
        let config = json::<serde_json::Value>(path, "config.json");
        let is_vision = config.is_ok_and(|config| config.is_some_and(|config| config["model_type"] == "vit"));
        if is_vision { FolderKind::Vision } else { FolderKind::Encoder }
    }
}

/// What `config.json` says of the layers of any transformer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stack {
    pub(crate) hidden_size: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) intermediate_size: usize,
    hidden_act: String,
    layer_norm_eps: f64,
}

impl Stack {
    /// Refuses what no importer could take; `sides` are sizes of the model beside those of its layers.
    pub(crate) fn check(&self, sides: &[(&str, usize)]) -> Result<(), ImportError> {
        let Stack {
            hidden_size,
            num_attention_heads,
            num_hidden_layers,
            intermediate_size,
            hidden_act,
            layer_norm_eps,
        } = self;
        if hidden_act != "gelu" {
            return Err(unsupported(&format!("hidden_act `{hidden_act}`"), "gelu"));
        }
        let refused = |reason: String| Err(ImportError::Encoder(format!("config.json: {reason}")));
        let own = [("hidden_size", *hidden_size), ("intermediate_size", *intermediate_size)];
        let sides = own.iter().chain(sides).map(|(name, side)| (*name, *side, MAX_SIDE));
        for (name, size, most) in sides.chain([("num_hidden_layers", *num_hidden_layers, MAX_LAYERS)]) {
            if !(1..=most).contains(&size) {
                return refused(format!("{name} is {size}, from 1 to {most} can be imported"));
            }
        }
        if *num_attention_heads == 0 || !hidden_size.is_multiple_of(*num_attention_heads) {
            return refused(format!("{num_attention_heads} heads of {hidden_size}"));
        }
        if !layer_norm_eps.is_finite() || !(0.0..1.0).contains(layer_norm_eps) {
            return refused(format!("layer_norm_eps {layer_norm_eps}"));
        }
        Ok(())
    }

    /// How its layers run.
    pub(crate) fn form(&self, order: Order) -> Form {
        Form { order, heads: self.num_attention_heads, epsilon: self.layer_norm_eps }
    }
}

/// Something in a configuration that no importer reads.
pub(crate) fn unsupported(what: &str, supported: &str) -> ImportError {
    ImportError::Encoder(format!("{what} cannot be imported; what can: {supported}"))
}

/// The tensors of `model.safetensors`, as `f32`.
#[derive(Debug)]
pub(crate) struct Weights {
    tensors: BTreeMap<String, Tensor>,
    /// What may stand before a name.
    prefixes: &'static [&'static str],
}

impl Weights {
    /// Reads `model.safetensors` of a folder.
    pub(crate) fn read(path: &Path, prefixes: &'static [&'static str]) -> Result<Weights, ImportError> {
        Ok(Weights { tensors: weights(path)?, prefixes })
    }

    /// The shape of a tensor, if there is one of this name.
    pub(crate) fn dims(&self, name: &str) -> Option<&[usize]> {
        self.find(name).map(Tensor::dims)
    }

    fn find(&self, name: &str) -> Option<&Tensor> {
        self.prefixes.iter().find_map(|prefix| self.tensors.get(&format!("{prefix}{name}")))
    }

    /// A tensor of this shape.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, ImportError> {
        let missing = || ImportError::Encoder(format!("model.safetensors has no tensor `{name}`"));
        let tensor = self.find(name).ok_or_else(missing)?;
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

    /// A layer of weights.
    pub(crate) fn dense(&self, name: &str, outputs: usize, inputs: usize) -> Result<Dense, ImportError> {
        let weights = self.tensor(&format!("{name}.weight"), &[outputs, inputs])?;
        Ok(Dense { weights, bias: self.tensor(&format!("{name}.bias"), &[outputs])? })
    }

    /// A normalisation.
    pub(crate) fn normal(&self, name: &str, channels: usize) -> Result<Normal, ImportError> {
        let gain = self.numbers(&format!("{name}.weight"), &[channels])?;
        Ok(Normal { gain, bias: self.numbers(&format!("{name}.bias"), &[channels])? })
    }
}

/// That a file is not there.
pub(crate) fn missing(path: &Path, name: &str) -> ImportError {
    ImportError::Encoder(format!("{} has no {name}", path.display()))
}

/// A file of the folder, if it is there.
pub(crate) fn read(path: &Path, name: &str, limit: u64) -> Result<Option<Vec<u8>>, ImportError> {
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

/// `config.json`, of one of the kinds of models that can be imported: fields of another kind would only seem to be missing.
pub(crate) fn config<T: DeserializeOwned>(path: &Path) -> Result<T, ImportError> {
    let value = json::<serde_json::Value>(path, "config.json")?.ok_or_else(|| missing(path, "config.json"))?;
    match value.get("model_type").and_then(serde_json::Value::as_str) {
        None | Some("bert" | "vit") => {}
        Some(kind) => return Err(unsupported(&format!("model_type `{kind}`"), "bert, vit")),
    }
    serde_json::from_value(value).map_err(|error| ImportError::Encoder(format!("config.json: {error}")))
}

/// A file of the folder as JSON, if it is there.
pub(crate) fn json<T: DeserializeOwned>(path: &Path, name: &str) -> Result<Option<T>, ImportError> {
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
