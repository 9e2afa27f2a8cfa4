//! Sentence encoders from Hugging Face folders (`config.json`, `model.safetensors`, `tokenizer.json`): BERT with the pooling of
//! sentence-transformers.
//!
//! ```text
//!   folder --folder--> weights, tokenizer --float--> the original in f32, by candle
//!                                                       |  ranges: what calibration sentences reach
//!                                                       v
//!                                 build: integers, for the sites of each step of a ladder
//!                                                       |
//!              the first whose embeddings are near enough to those of the original becomes the container
//! ```

use std::path::Path;

use noema_model::{Manifest, Model, Port, container, graph::sequence};
use noema_tensor::{DType, Kernels, Level, Shape, Tensor};

use crate::{
    ImportError,
    builder::GraphBuilder,
    compare::{Probe, Sums, edge_named},
    transformer::{Site, Sites},
};

mod build;
mod float;
mod folder;
mod report;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod tiny;

pub use report::{EncoderReport, LayerError, Nearness};

use build::EMBEDDING_BITS;
use float::{Float, Trace};
use folder::Folder;

/// How to import an encoder.
#[derive(Clone, Debug)]
pub struct EncoderOptions {
    /// What the model shall be called.
    pub name: String,
    /// Its licence, as an SPDX expression where there is one.
    pub licence: String,
    /// Its version.
    pub version: String,
    /// Sentences like those that the model will meet, at least two. Ranges are taken from every second one; the
    /// others say how near the result is to the original.
    pub calibration: Vec<String>,
    /// The longest sentence, in tokens; what the folder says where nothing is said here.
    pub longest: Option<usize>,
    /// How far from 1 the mean cosine between the embeddings of original and integer model may be; a single one may be five
    /// times as far.
    pub max_error: f64,
}

impl EncoderOptions {
    /// Options with an error of at most 0.001; calibration sentences must be added.
    #[must_use]
    pub fn new(name: &str, licence: &str) -> EncoderOptions {
        EncoderOptions {
            name: name.into(),
            licence: licence.into(),
            version: "1".into(),
            calibration: vec![],
            longest: None,
            max_error: 0.001,
        }
    }
}

/// An imported encoder.
#[derive(Clone, Debug)]
pub struct ImportedEncoder {
    /// The container, ready for a model store.
    pub container: Vec<u8>,
    /// What was done and how well it went.
    pub report: EncoderReport,
}

/// What is tried, in order: from the fastest to the nearest.
const LADDER: [Sites; 5] = {
    use Site::{Eight, Sixteen};
    [
        Sites { attention: Eight, hidden: Eight, out: Eight },
        Sites { attention: Eight, hidden: Sixteen, out: Eight },
        Sites { attention: Sixteen, hidden: Sixteen, out: Eight },
        Sites { attention: Eight, hidden: Sixteen, out: Sixteen },
        Sites { attention: Sixteen, hidden: Sixteen, out: Sixteen },
    ]
};

/// Most sentences whose ranges are taken, and most that are compared: more take longer and change little.
const MAX_RANGED: usize = 256;
const MAX_COMPARED: usize = 64;
/// How many sentences are compared layer by layer.
const LOOKED_INTO: usize = 8;

/// Imports an encoder: inputs `tokens` (`i32`, a sequence) and `length` (`i32`, how many of them count), output `embedding`
/// (`i16`, 15 fraction bits, of length 1).
///
/// # Errors
/// [`ImportError`]: a file is missing, hostile or of a model that cannot be imported, and says which; any folder may be
/// passed.
pub fn import_encoder(path: &Path, options: &EncoderOptions) -> Result<ImportedEncoder, ImportError> {
    if options.calibration.len() < 2 {
        return Err(ImportError::Options("an encoder needs at least two calibration sentences".into()));
    }
    let folder = Folder::read(path, options.longest)?;
    let float = Float::new(&folder)?;
    let sentences = options.calibration.iter().map(|sentence| folder.tokens(sentence));
    let sentences: Vec<Vec<u32>> = sentences.collect::<Result<_, _>>()?;
    let every_second = |first: usize, most: usize| sentences.iter().skip(first).step_by(2).take(most).cloned();
    let ranges = float.ranges(&every_second(0, MAX_RANGED).collect::<Vec<_>>())?;
    let compared: Vec<Vec<u32>> = every_second(1, MAX_COMPARED).collect();
    let traces: Vec<Trace> = compared.iter().map(|tokens| float.run(tokens)).collect::<Result<_, _>>()?;
    let kernels = Kernels::new(Level::best(), 1).map_err(|error| ImportError::Compute(error.to_string()))?;

    let import =
        Import { options, folder: &folder, float: &float, kernels: &kernels, compared: &compared, traces: &traces };
    let mut best = None;
    for sites in LADDER {
        let built = build::build(&float, &ranges, folder.longest, sites)?;
        let candidate = import.candidate(sites, built)?;
        let good = candidate.nearness.is_within(options.max_error);
        let nearer = best.as_ref().is_none_or(|best: &Candidate| best.nearness.mean < candidate.nearness.mean);
        if good || nearer {
            best = Some(candidate);
        }
        if good {
            break;
        }
    }
    import.finish(best.ok_or_else(|| ImportError::Options("there are no sentences".into()))?)
}

struct Import<'a> {
    options: &'a EncoderOptions,
    folder: &'a Folder,
    float: &'a Float,
    kernels: &'a Kernels,
    compared: &'a [Vec<u32>],
    traces: &'a [Trace],
}

struct Candidate {
    sites: Sites,
    built: GraphBuilder,
    nearness: Nearness,
}

impl Import<'_> {
    fn candidate(&self, sites: Sites, built: GraphBuilder) -> Result<Candidate, ImportError> {
        let model = self.model(&built, String::new())?;
        let mut cosines = Vec::with_capacity(self.compared.len());
        for (tokens, trace) in self.compared.iter().zip(self.traces) {
            cosines.push(cosine(&run(&model, self.kernels, tokens)?, &trace.embedding));
        }
        Ok(Candidate { sites, built, nearness: Nearness::of(&cosines) })
    }

    fn manifest(&self, accuracy: String) -> Result<Manifest, ImportError> {
        let too_large = |_| ImportError::Encoder("a size past 32 bits".into());
        let longest = u32::try_from(self.folder.longest).map_err(too_large)?;
        let width = u32::try_from(self.float.config.stack.hidden_size).map_err(too_large)?;
        Ok(Manifest {
            name: self.options.name.clone(),
            licence: self.options.licence.clone(),
            version: self.options.version.clone(),
            inputs: vec![
                Port::with_sequence("tokens", DType::I32, &[sequence(longest)], 0),
                Port::with_sequence("length", DType::I32, &[], 0),
            ],
            outputs: vec![Port::with_sequence("embedding", DType::I16, &[width], EMBEDDING_BITS)],
            labels: vec![],
            accuracy,
        })
    }

    fn encode(&self, built: &GraphBuilder, accuracy: String) -> Result<Vec<u8>, ImportError> {
        Ok(container::encode(&self.manifest(accuracy)?, &built.graph, &built.parameters)?)
    }

    fn model(&self, built: &GraphBuilder, accuracy: String) -> Result<Model, ImportError> {
        Ok(Model::from_bytes(self.encode(built, accuracy)?)?)
    }

    fn finish(&self, candidate: Candidate) -> Result<ImportedEncoder, ImportError> {
        let Candidate { sites, built, nearness } = candidate;
        let container = self.encode(&built, nearness.to_string())?;
        let model = Model::from_bytes(container.clone())?;
        let report = EncoderReport {
            id: model.id(),
            container_bytes: container.len(),
            longest: self.folder.longest,
            width: self.float.config.stack.hidden_size,
            sites,
            is_within: nearness.is_within(self.options.max_error),
            max_error: self.options.max_error,
            layers: layer_errors(&model, self.kernels, self.compared.iter().zip(self.traces))?,
            nearness,
        };
        Ok(ImportedEncoder { container, report })
    }
}

/// How far a model is from the original behind the embedding and behind each layer, on the first few sentences.
fn layer_errors<'a>(
    model: &Model,
    kernels: &Kernels,
    sentences: impl Iterator<Item = (&'a Vec<u32>, &'a Trace)>,
) -> Result<Vec<LayerError>, ImportError> {
    let (mut probe, mut sums) = (None, vec![]);
    for (tokens, trace) in sentences.take(LOOKED_INTO) {
        let probe = match &mut probe {
            Some(probe) => probe,
            None => {
                let names = build::checkpoints(trace.layers.len());
                let edges = names.map(|name| edge_named(model, &name)).collect::<Option<Vec<_>>>();
                let other = || ImportError::Encoder("the container is not an encoder of this folder".into());
                let edges = edges.ok_or_else(other)?;
                sums = vec![Sums::default(); edges.len()];
                probe.insert(Probe::new(model, &edges)?)
            }
        };
        let [tokens, length] = inputs(tokens)?;
        let found = probe.run(kernels, &[&tokens, &length])?;
        let originals = std::iter::once(&trace.embedded).chain(trace.layers.iter().map(|layer| &layer.output));
        for ((sums, original), found) in sums.iter_mut().zip(originals).zip(&found) {
            let original: Vec<f32> = original.flatten_all()?.to_vec1()?;
            let original: Vec<f64> = original.into_iter().map(f64::from).collect();
            sums.row(&original, found, &[]);
        }
    }
    let names = std::iter::once("embeddings".to_owned()).chain((0..).map(|layer| format!("layer {layer}")));
    Ok(names.zip(sums).map(|(name, sums)| LayerError { name, relative: sums.relative(true) }).collect())
}

/// Runs one sentence.
fn run(model: &Model, kernels: &Kernels, tokens: &[u32]) -> Result<Vec<i16>, ImportError> {
    let [tokens, length] = inputs(tokens)?;
    Ok(model.run(kernels, &[&tokens, &length])?[0].to_vec::<i16>()?)
}

/// A sentence as a model takes it: its tokens, and how many of them count.
fn inputs(tokens: &[u32]) -> Result<[Tensor; 2], ImportError> {
    let failed = |_| ImportError::Compute("a token past 31 bits".into());
    let ids: Vec<i32> = tokens.iter().map(|token| i32::try_from(*token)).collect::<Result<_, _>>().map_err(failed)?;
    let count = i32::try_from(ids.len()).map_err(failed)?;
    let shape = |dims: &[u32]| Shape::new(dims).map_err(|status| ImportError::Compute(status.to_string()));
    let tokens = Tensor::from_vec(shape(&[1, count.unsigned_abs()])?, ids)?;
    Ok([tokens, Tensor::from_vec(shape(&[1])?, vec![count])?])
}

/// The cosine between an integer embedding and a real one.
fn cosine(integer: &[i16], real: &[f32]) -> f64 {
    let pairs = || integer.iter().zip(real).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let product: f64 = pairs().map(|(a, b)| a * b).sum();
    let lengths = pairs().map(|(a, _)| a * a).sum::<f64>().sqrt() * pairs().map(|(_, b)| b * b).sum::<f64>().sqrt();
    if lengths > 0.0 { product / lengths } else { 0.0 }
}

/// The original of a folder, in `f32` by candle: the party to compare with.
#[derive(Debug)]
pub struct FloatEncoder {
    folder: Folder,
    float: Float,
}

impl FloatEncoder {
    /// Reads a folder, for sentences of up to `longest` tokens (what the folder says where nothing is said here).
    ///
    /// # Errors
    /// As [`import_encoder`].
    pub fn read(path: &Path, longest: Option<usize>) -> Result<FloatEncoder, ImportError> {
        let folder = Folder::read(path, longest)?;
        Ok(FloatEncoder { float: Float::new(&folder)?, folder })
    }

    /// The tokens of a sentence, by the `tokenizers` library.
    ///
    /// # Errors
    /// [`ImportError::Encoder`] where the library fails.
    pub fn tokens(&self, sentence: &str) -> Result<Vec<u32>, ImportError> {
        self.folder.tokens(sentence)
    }

    /// The embedding of tokens, of length 1.
    ///
    /// # Errors
    /// [`ImportError::Compute`] for tokens that the model does not have, and more than it takes.
    pub fn embed(&self, tokens: &[u32]) -> Result<Vec<f32>, ImportError> {
        Ok(self.float.run(tokens)?.embedding)
    }
}

/// An encoder beside the integer model that was made of it.
#[derive(Clone, Debug)]
pub struct ComparedEncoder {
    /// How near the embeddings are.
    pub nearness: Nearness,
    /// The error layer by layer, on the first few sentences.
    pub layers: Vec<LayerError>,
}

/// The original and the integer model side by side, on sentences that neither ranges nor choices were made from.
///
/// # Errors
/// As [`import_encoder`]; a container that does not belong to the folder.
pub fn compare_encoder(
    path: &Path,
    container: &[u8],
    sentences: &[String],
    kernels: &Kernels,
) -> Result<ComparedEncoder, ImportError> {
    let model = Model::from_bytes(container.to_vec())?;
    let manifest = model.manifest();
    let longest = usize::try_from(model.longest()).unwrap_or(usize::MAX);
    let folder = Folder::read(path, Some(longest))?;
    let width = u32::try_from(folder.config.stack.hidden_size).unwrap_or(u32::MAX);
    if manifest.inputs.len() != 2 || manifest.outputs.first().is_none_or(|port| port.shape != [width]) {
        return Err(ImportError::Encoder("the container is not an encoder of this folder".into()));
    }
    let float = Float::new(&folder)?;
    let sentences = sentences.iter().map(|sentence| folder.tokens(sentence)).collect::<Result<Vec<_>, _>>()?;
    let (mut pairs, mut traces) = (Vec::with_capacity(sentences.len()), vec![]);
    for tokens in &sentences {
        let trace = float.run(tokens)?;
        pairs.push((run(&model, kernels, tokens)?, trace.embedding.clone()));
        if traces.len() < LOOKED_INTO {
            traces.push(trace);
        }
    }
    let layers = layer_errors(&model, kernels, sentences.iter().zip(&traces))?;
    Ok(ComparedEncoder { nearness: Nearness::of_pairs(&pairs), layers })
}
