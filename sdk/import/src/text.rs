//! Tokenizers from `tokenizer.json` to containers: WordPiece behind the normaliser and the word splitter of BERT, and pairs of bytes
//! ([`byte_pairs`]).
//!
//! What becomes of each character is asked of the `tokenizers` library itself, character by character, and frozen; so
//! the container knows every table that the library has, and needs none of it.

mod byte_pairs;
mod trie;

use std::collections::BTreeMap;

use noema_model::{
    Manifest, Model, ModelId, Port, container,
    graph::{Edge, EdgeId, Graph, Node, sequence},
    ops::{Op, Reshape, Slice, WordPiece, text},
    parameters::{Array, NodeParameters},
};
use noema_tensor::DType;
use tokenizers::{
    ModelWrapper, NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, PreTokenizerWrapper, Tokenizer,
};
use unicode_normalization_alignments::char::canonical_combining_class;

use crate::ImportError;
use trie::{Branch, Nodes};

/// How to import a tokenizer.
#[derive(Clone, Debug)]
pub struct TokenizerOptions {
    /// What it shall be called.
    pub name: String,
    /// Its licence, as an SPDX expression where there is one.
    pub licence: String,
    /// Its version.
    pub version: String,
    /// Most tokens of a text, the first and the last one included.
    pub tokens: u32,
    /// Most bytes of a text.
    pub bytes: u32,
}

impl TokenizerOptions {
    /// Texts of up to 256 tokens and 4096 bytes.
    #[must_use]
    pub fn new(name: &str, licence: &str) -> TokenizerOptions {
        TokenizerOptions { name: name.into(), licence: licence.into(), version: "1".into(), tokens: 256, bytes: 4096 }
    }
}

/// An imported tokenizer.
#[derive(Clone, Debug)]
pub struct ImportedTokenizer {
    /// The container, ready for a model store.
    pub container: Vec<u8>,
    /// Its id.
    pub id: ModelId,
    /// Tokens of the vocabulary.
    pub vocabulary: u32,
    /// Ranges of characters that are treated alike.
    pub ranges: u32,
}

/// Imports a tokenizer: inputs `text` (`u8`, a sequence) and `bytes` (`i32`, how many of them count), outputs `tokens` (`i32`)
/// and `length` (`i32`, how many of them count), which is what an encoder takes when it is cut to that length.
///
/// # Errors
/// [`ImportError`]: not the file of a tokenizer, or of one that cannot be imported; any bytes may be passed.
pub fn import_tokenizer(json: &[u8], options: &TokenizerOptions) -> Result<ImportedTokenizer, ImportError> {
    let tokenizer = read_tokenizer(json)?;
    if matches!(tokenizer.get_model(), ModelWrapper::BPE(_)) {
        return byte_pairs::import(json, &tokenizer, options);
    }
    let (Some(normalizer), Some(splitter)) = (tokenizer.get_normalizer(), tokenizer.get_pre_tokenizer()) else {
        return Err(refused(
            "a normalizer or a pre_tokenizer is missing; what can be imported: BertNormalizer, BertPreTokenizer",
        ));
    };
    let NormalizerWrapper::BertNormalizer(bert) = normalizer else {
        return Err(refused("this normalizer cannot be imported; what can: BertNormalizer"));
    };
    if !matches!(splitter, PreTokenizerWrapper::BertPreTokenizer(_)) {
        return Err(refused("this pre_tokenizer cannot be imported; what can: BertPreTokenizer"));
    }
    let ModelWrapper::WordPiece(model) = tokenizer.get_model() else {
        return Err(refused("this model cannot be imported; what can: WordPiece, BPE of bytes"));
    };
    let ordered = bert.strip_accents.unwrap_or(bert.lowercase);
    let characters = Characters::of(normalizer, splitter, ordered)?;
    let vocabulary: BTreeMap<String, u32> = tokenizer.get_vocab(false).into_iter().collect();
    let (tries, depth) = tries(&vocabulary, &model.continuing_subword_prefix)?;
    let empty = tokenizer.encode("", true).map_err(|error| refused(&error.to_string()))?;
    let [before, behind] = *empty.get_ids() else {
        return Err(refused("the post_processor puts something else than one token before and one behind the text"));
    };
    let id = |token: &str| tokenizer.token_to_id(token);
    let unknown = id(&model.unk_token).ok_or_else(|| refused("the unknown token is not in the vocabulary"))?;
    let size = |count: usize| u32::try_from(count).map_err(|_| refused("too large"));
    let most = vocabulary.values().copied().chain([before, behind, unknown]).max().unwrap_or(0);
    let op = WordPiece {
        tokens: options.tokens,
        vocabulary: most.checked_add(1).ok_or_else(|| refused("too large"))?,
        longest_word: size(model.max_input_chars_per_word)?,
        before,
        behind,
        unknown,
        padding: id("[PAD]").unwrap_or(unknown),
        ranges: size(characters.starts.len())?,
        listed: size(characters.list.len())?,
        nodes: size(tries.keys.len())?,
        depth,
        expansion: u32::from(characters.counts.iter().copied().max().unwrap_or(0)).max(1),
    };
    let (vocabulary, ranges) = (op.vocabulary, op.ranges);
    let tables = vec![
        Array::I32(characters.starts),
        Array::U8(characters.kinds),
        Array::U8(characters.classes),
        Array::I32(characters.values),
        Array::U8(characters.counts),
        Array::I32(characters.list),
        Array::I32(tries.children),
        Array::I32(tries.keys),
        Array::I32(tries.tokens),
    ];
    finish(op.into(), tables, (vocabulary, ranges), options)
}

/// The container of a tokenizer: tokens and their number for a text.
fn finish(
    op: Op,
    tables: NodeParameters,
    (vocabulary, ranges): (u32, u32),
    options: &TokenizerOptions,
) -> Result<ImportedTokenizer, ImportError> {
    let node = |name: &str, op, inputs: &[u32]| Node {
        name: name.into(),
        op,
        inputs: inputs.iter().map(|id| EdgeId(*id)).collect(),
    };
    let graph = Graph {
        inputs: vec![Edge::new(DType::U8, &[sequence(options.bytes)]), Edge::new(DType::I32, &[])],
        nodes: vec![
            node("pieces", op, &[0, 1]),
            node("tokens", Slice { starts: vec![1], sizes: vec![0] }.into(), &[2]),
            node("first", Slice { starts: vec![0], sizes: vec![1] }.into(), &[2]),
            node("length", Reshape { dims: vec![] }.into(), &[4]),
        ],
        outputs: vec![EdgeId(3), EdgeId(5)],
    };
    let manifest = Manifest {
        name: options.name.clone(),
        licence: options.licence.clone(),
        version: options.version.clone(),
        inputs: vec![
            Port::with_sequence("text", DType::U8, &[sequence(options.bytes)], 0),
            Port::with_sequence("bytes", DType::I32, &[], 0),
        ],
        outputs: vec![
            Port::with_sequence("tokens", DType::I32, &[options.tokens], 0),
            Port::with_sequence("length", DType::I32, &[], 0),
        ],
        labels: vec![],
        accuracy: String::new(),
    };
    let container = container::encode(&manifest, &graph, &[tables, vec![], vec![], vec![]])?;
    let id = Model::from_bytes(container.clone())?.id();
    Ok(ImportedTokenizer { container, id, vocabulary, ranges })
}

/// Reads a `tokenizer.json`; tokens that the file adds to the text are not looked for in it.
pub(crate) fn read_tokenizer(json: &[u8]) -> Result<Tokenizer, ImportError> {
    let mut value: serde_json::Value = serde_json::from_slice(json).map_err(|error| refused(&error.to_string()))?;
    if let Some(file) = value.as_object_mut() {
        file.insert("added_tokens".into(), serde_json::Value::Array(vec![]));
        file.insert("truncation".into(), serde_json::Value::Null);
        file.insert("padding".into(), serde_json::Value::Null);
    }
    let bytes = serde_json::to_vec(&value).map_err(|error| refused(&error.to_string()))?;
    Tokenizer::from_bytes(bytes).map_err(|error| refused(&error.to_string()))
}

fn refused(reason: &str) -> ImportError {
    ImportError::Encoder(format!("tokenizer.json: {reason}"))
}

/// What becomes of every character, as ranges.
#[derive(Default)]
struct Characters {
    starts: Vec<i32>,
    kinds: Vec<u8>,
    classes: Vec<u8>,
    values: Vec<i32>,
    counts: Vec<u8>,
    list: Vec<i32>,
}

/// What becomes of one character: kind, combining class, number, entries.
#[derive(PartialEq)]
struct Fate {
    kind: u8,
    class: u8,
    value: i32,
    entries: Vec<i32>,
}

impl Characters {
    fn of(
        normalizer: &NormalizerWrapper,
        splitter: &PreTokenizerWrapper,
        ordered: bool,
    ) -> Result<Characters, ImportError> {
        let mut all = Characters::default();
        let mut last: Option<Fate> = None;
        let mut alone = BTreeMap::new();
        // Surrogates are no characters of a text: they are like what stands before them.
        let every: Vec<char> = (0..=0x10_ffff_u32).filter_map(char::from_u32).collect();
        let characters = every.chunks(ASKED_AT_ONCE).map(|some| normalised(normalizer, some));
        let characters = characters.collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
        for (character, found) in every.into_iter().zip(characters) {
            let point = u32::from(character);
            let fate = fate(normalizer, splitter, ordered, (character, &found), &mut alone)?;
            if last.as_ref() == Some(&fate) && fate.entries.is_empty() {
                continue;
            }
            all.starts.push(signed(point));
            all.kinds.push(fate.kind);
            all.classes.push(fate.class);
            let listed = i32::try_from(all.list.len()).map_err(|_| refused("too large"))?;
            all.values.push(if fate.kind == text::LIST { listed } else { fate.value });
            all.counts
                .push(u8::try_from(fate.entries.len()).map_err(|_| refused("a character that becomes too many"))?);
            all.list.extend(&fate.entries);
            last = Some(fate);
        }
        Ok(all)
    }
}

fn signed(point: u32) -> i32 {
    // Code points have 21 bits.
    point.cast_signed()
}

/// Characters that the library is asked for together.
const ASKED_AT_ONCE: usize = 256;

/// What the library makes of each character for itself.
fn normalised(normalizer: &NormalizerWrapper, characters: &[char]) -> Result<Vec<String>, ImportError> {
    // Nothing becomes this sign but itself, and no mark moves over it.
    const BETWEEN: char = '\u{2581}';
    let ask = |text: String| {
        let mut normalised = NormalizedString::from(text);
        normalizer.normalize(&mut normalised).map_err(|error| refused(&error.to_string()))?;
        Ok::<String, ImportError>(normalised.get().to_owned())
    };
    if !characters.contains(&BETWEEN) {
        let mut text = String::new();
        for character in characters {
            text.push(*character);
            text.push(BETWEEN);
        }
        let answer = ask(text)?;
        let parts: Vec<String> = answer.split_terminator(BETWEEN).map(str::to_owned).collect();
        if parts.len() == characters.len() {
            return Ok(parts);
        }
    }
    characters.iter().map(|character| ask(character.to_string())).collect()
}

/// What becomes of a character that the library turns into `found`.
fn fate(
    normalizer: &NormalizerWrapper,
    splitter: &PreTokenizerWrapper,
    ordered: bool,
    (character, found): (char, &str),
    alone: &mut BTreeMap<char, bool>,
) -> Result<Fate, ImportError> {
    let failed = |error: tokenizers::Error| refused(&error.to_string());
    let class_of = |character: char| if ordered { canonical_combining_class(character) } else { 0 };
    let plain = |kind, class| Fate { kind, class, value: 0, entries: vec![] };
    if found.is_empty() {
        // A mark without a class keeps those before it from those behind it, though it goes.
        let mark = ordered && class_of(character) == 0 && is_mark(normalizer, character)?;
        let entries = if mark { vec![text::entry(u32::from(character), 0, false, true)] } else { vec![] };
        return Ok(if mark { Fate { kind: text::LIST, class: 0, value: 0, entries } } else { plain(text::DROP, 0) });
    }
    if found.trim().is_empty() {
        return Ok(plain(text::SPACE, 0));
    }
    let surrounded = found.starts_with(' ') && found.ends_with(' ');
    let mut marks = Vec::new();
    for found in found.trim_matches(' ').chars() {
        let single = match alone.get(&found) {
            Some(single) => *single,
            None => {
                let mut word = PreTokenizedString::from(format!("a{found}b"));
                splitter.pre_tokenize(&mut word).map_err(failed)?;
                let single = word.get_splits(OffsetReferential::Original, OffsetType::Byte).len() > 1;
                alone.insert(found, single);
                single
            }
        };
        // Lower case has the class of what it was made from; a character that decomposes, those of its parts.
        marks.push((found, single || surrounded));
    }
    let own = class_of(character);
    if let [(found, single)] = marks[..] {
        let value = signed(u32::from(found)) - signed(u32::from(character));
        let class = if own != 0 { own } else { class_of(found) };
        return Ok(Fate { kind: if single { text::ALONE } else { text::KEEP }, class, value, entries: vec![] });
    }
    let entries = marks.iter().map(|(found, single)| text::entry(u32::from(*found), class_of(*found), *single, false));
    Ok(Fate { kind: text::LIST, class: 0, value: 0, entries: entries.collect() })
}

/// Whether a character that goes is a mark, and not one that cleaning takes away before marks are put in order.
fn is_mark(normalizer: &NormalizerWrapper, character: char) -> Result<bool, ImportError> {
    let NormalizerWrapper::BertNormalizer(bert) = normalizer else { return Ok(false) };
    let keeping = tokenizers::normalizers::BertNormalizer::new(bert.clean_text, false, Some(false), false);
    let mut normalised = NormalizedString::from(character.to_string());
    keeping.normalize(&mut normalised).map_err(|error| refused(&error.to_string()))?;
    Ok(!normalised.get().is_empty())
}

/// The pieces of a vocabulary, those that begin words and those that continue them, by code points; and how many characters the longest
/// has.
fn tries(vocabulary: &BTreeMap<String, u32>, prefix: &str) -> Result<(Nodes<i32>, u32), ImportError> {
    let mut roots = [Branch::default(), Branch::default()];
    let mut depth = 0;
    for (piece, token) in vocabulary {
        let (root, piece) = match piece.strip_prefix(prefix).filter(|_| !prefix.is_empty()) {
            Some(rest) => (1, rest),
            None => (0, piece.as_str()),
        };
        roots[root].add(piece.chars().map(|character| signed(u32::from(character))), *token);
        depth = depth.max(piece.chars().count());
    }
    Ok((Nodes::of(&roots, 0)?, u32::try_from(depth).map_err(|_| refused("too large"))?))
}

#[cfg(test)]
mod tests;
