//! BPE of bytes: GPT-2, RoBERTa, Llama 3, Qwen 2 without their normaliser, and what is made like them.
//!
//! The class of each character is asked of the regular expressions of the `tokenizers` library and frozen.

use std::collections::BTreeMap;

use noema_model::{
    ops::{BytePairs, text},
    parameters::Array,
};
use serde_json::Value;
use tokenizers::{
    ModelWrapper, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, PreTokenizerWrapper,
    SplitDelimiterBehavior, Tokenizer,
    pre_tokenizers::split::{Split, SplitPattern},
};

use super::{
    ImportedTokenizer, TokenizerOptions, finish, refused, signed,
    trie::{Branch, Nodes},
};
use crate::ImportError;

/// The patterns that are read, with how words are cut by each and how many numbers a word may have.
const PATTERNS: [(&str, u8, u32); 5] = [
    (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", BytePairs::GPT_2, 0),
    (r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", BytePairs::GPT_2, 0),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        BytePairs::GPT_4,
        3,
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        BytePairs::GPT_4,
        1,
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        BytePairs::GPT_4,
        0,
    ),
];

pub(super) fn import(
    json: &[u8],
    tokenizer: &Tokenizer,
    options: &TokenizerOptions,
) -> Result<ImportedTokenizer, ImportError> {
    let ModelWrapper::BPE(model) = tokenizer.get_model() else { return Err(refused("not a BPE")) };
    if tokenizer.get_normalizer().is_some() {
        return Err(refused("a BPE with a normalizer cannot be imported"));
    }
    for (given, name) in [
        (model.dropout.is_some_and(|dropout| dropout > 0.0), "dropout"),
        (model.unk_token.is_some(), "unk_token"),
        (
            model.continuing_subword_prefix.as_ref().is_some_and(|prefix| !prefix.is_empty()),
            "continuing_subword_prefix",
        ),
        (model.end_of_word_suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()), "end_of_word_suffix"),
        (model.byte_fallback, "byte_fallback"),
    ] {
        if given {
            return Err(refused(&format!("a BPE with {name} cannot be imported")));
        }
    }
    let (pattern, digits, prefix_space) = words(tokenizer.get_pre_tokenizer())?;

    // The file, because the library keeps its merges to itself. It has read and checked them.
    let file: Value = serde_json::from_slice(json).map_err(|error| refused(&error.to_string()))?;
    let vocabulary: BTreeMap<String, u32> = tokenizer.get_vocab(false).into_iter().collect();
    let bytes = characters_of_bytes();
    let of_byte = |character: &char| vocabulary.get(&character.to_string()).copied();
    let of_bytes = bytes.iter().map(of_byte).collect::<Option<Vec<u32>>>();
    let of_bytes = of_bytes.ok_or_else(|| refused("a byte is not in the vocabulary"))?;
    let (before, behind) = around(tokenizer)?;
    let special = ["<pad>", "<|pad|>", "<|finetune_right_pad_id|>", "<|endoftext|>"];
    let added = added(&file);
    let padding = special.iter().find_map(|token| vocabulary.get(*token).or_else(|| added.get(*token))).copied();
    let padding = padding.or(behind).or(before).unwrap_or(0);
    let tokens = vocabulary.values().copied().chain(before).chain(behind).chain([padding]);
    let size = tokens.max().and_then(|most| most.checked_add(1)).ok_or_else(|| refused("too large"))?;
    if size >= 1 << 28 {
        return Err(refused("a vocabulary past 2^28 tokens"));
    }

    let pairs = Pairs::of(&file, &vocabulary, size)?;
    let whole = if model.ignore_merges { vocabulary.iter().collect() } else { BTreeMap::new() };
    let trie = trie(&whole, &bytes)?;
    let (starts, classes) = classes()?;

    let count = |length: usize| u32::try_from(length).map_err(|_| refused("too large"));
    let op = BytePairs {
        tokens: options.tokens,
        vocabulary: size,
        before,
        behind,
        padding,
        pattern,
        digits,
        prefix_space,
        ranges: count(starts.len())?,
        pairs: count(pairs.rights.len())?,
        widest: pairs.widest,
        nodes: count(trie.keys.len())?,
    };
    let ranges = op.ranges;
    let tables = vec![
        Array::I32(starts),
        Array::U8(classes),
        Array::I32(of_bytes.into_iter().map(u32::cast_signed).collect()),
        Array::I32(pairs.firsts),
        Array::I32(pairs.rights),
        Array::I32(pairs.ranks),
        Array::I32(pairs.results),
        Array::I32(trie.children),
        Array::U8(trie.keys),
        Array::I32(trie.tokens),
    ];
    finish(op.into(), tables, (size, ranges), options)
}

/// How words are cut: the pattern, how many numbers a word may have, and whether a text gets a space in front.
fn words(splitter: Option<&PreTokenizerWrapper>) -> Result<(u8, u32, bool), ImportError> {
    const WHAT: &str = "this pre_tokenizer cannot be imported with a BPE; what can: ByteLevel, and behind a Split by a pattern of GPT-4, Llama 3 or Qwen 2";
    match splitter {
        Some(PreTokenizerWrapper::ByteLevel(level)) if level.use_regex => {
            Ok((BytePairs::GPT_2, 0, level.add_prefix_space))
        }
        Some(PreTokenizerWrapper::Sequence(sequence)) => {
            let [PreTokenizerWrapper::Split(split), PreTokenizerWrapper::ByteLevel(level)] = sequence.as_ref() else {
                return Err(refused(WHAT));
            };
            let isolated = !split.invert && split.behavior == SplitDelimiterBehavior::Isolated;
            if !isolated || level.use_regex || level.add_prefix_space {
                return Err(refused(WHAT));
            }
            let SplitPattern::Regex(given) = &split.pattern else { return Err(refused(WHAT)) };
            let known = PATTERNS.iter().find(|(pattern, ..)| pattern == given);
            known.map(|(_, pattern, digits)| (*pattern, *digits, false)).ok_or_else(|| refused(WHAT))
        }
        _ => Err(refused(WHAT)),
    }
}

/// The tokens before and behind every text.
fn around(tokenizer: &Tokenizer) -> Result<(Option<u32>, Option<u32>), ImportError> {
    let encode = |special| {
        let encoding = tokenizer.encode("a", special).map_err(|error| refused(&error.to_string()))?;
        Ok::<_, ImportError>(encoding.get_ids().to_vec())
    };
    let (with, without) = (encode(true)?, encode(false)?);
    let place = with.windows(without.len().max(1)).position(|part| part == without);
    let strange = || refused("the post_processor puts more than one token before or behind the text");
    let place = place.ok_or_else(strange)?;
    let (before, behind) = (&with[..place], &with[place + without.len()..]);
    if before.len() > 1 || behind.len() > 1 {
        return Err(strange());
    }
    Ok((before.first().copied(), behind.first().copied()))
}

/// The tokens that the file adds to its vocabulary.
fn added(file: &Value) -> BTreeMap<String, u32> {
    let tokens = file["added_tokens"].as_array().into_iter().flatten();
    let token =
        |token: &Value| Some((token["content"].as_str()?.to_owned(), u32::try_from(token["id"].as_u64()?).ok()?));
    tokens.filter_map(token).collect()
}

/// The character that stands for each byte in a vocabulary: itself where it can be seen, otherwise one from U+0100 on.
fn characters_of_bytes() -> Vec<char> {
    let mut next = 0x100;
    let mut of_byte = |byte: u32| {
        let point = if matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) {
            byte
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(point).unwrap_or_default()
    };
    (0..256).map(&mut of_byte).collect()
}

/// The pairs of a list of merges, by their left token.
struct Pairs {
    firsts: Vec<i32>,
    rights: Vec<i32>,
    ranks: Vec<i32>,
    results: Vec<i32>,
    widest: u32,
}

impl Pairs {
    fn of(file: &Value, vocabulary: &BTreeMap<String, u32>, size: u32) -> Result<Pairs, ImportError> {
        let merges = file["model"]["merges"].as_array().ok_or_else(|| refused("it has no merges"))?;
        let mut all: BTreeMap<(u32, u32), (i32, u32)> = BTreeMap::new();
        for (rank, merge) in (0..).zip(merges) {
            let unknown = || refused(&format!("merge {rank} is not one of two tokens of the vocabulary"));
            let (left, right) = match merge {
                Value::String(both) => both.split_once(' ').ok_or_else(unknown)?,
                Value::Array(both) => match &both[..] {
                    [Value::String(left), Value::String(right)] => (left.as_str(), right.as_str()),
                    _ => return Err(unknown()),
                },
                _ => return Err(unknown()),
            };
            let token = |text: &str| vocabulary.get(text).copied().ok_or_else(unknown);
            // Of a pair that stands twice, the library takes the last.
            all.insert((token(left)?, token(right)?), (rank, token(&format!("{left}{right}"))?));
        }
        let place = |count: usize| i32::try_from(count).map_err(|_| refused("too large"));
        let mut pairs = Pairs { firsts: vec![], rights: vec![], ranks: vec![], results: vec![], widest: 0 };
        let mut entries = all.into_iter().peekable();
        for left in 0..size {
            pairs.firsts.push(place(pairs.rights.len())?);
            let mut of_left = 0;
            while let Some(((_, right), (rank, result))) = entries.next_if(|((first, _), _)| *first == left) {
                pairs.rights.push(right.cast_signed());
                pairs.ranks.push(rank);
                pairs.results.push(result.cast_signed());
                of_left += 1;
            }
            pairs.widest = pairs.widest.max(of_left);
        }
        pairs.firsts.push(place(pairs.rights.len())?);
        Ok(pairs)
    }
}

/// Whole words by their bytes. One with other characters is none that a text can have.
fn trie(words: &BTreeMap<&String, &u32>, bytes: &[char]) -> Result<Nodes<u8>, ImportError> {
    let of_character: BTreeMap<char, u8> = bytes.iter().copied().zip(0..=255).collect();
    let mut root = Branch::default();
    for (word, token) in words {
        let bytes = word.chars().map(|character| of_character.get(&character).copied()).collect::<Option<Vec<u8>>>();
        if let Some(bytes) = bytes {
            root.add(bytes, **token);
        }
    }
    Nodes::of(&[root], 0)
}

/// The class of every character, as ranges.
fn classes() -> Result<(Vec<i32>, Vec<u8>), ImportError> {
    // Surrogates are no characters of a text: they are like what stands before them.
    let every: Vec<char> = (0..=0x10_ffff_u32).filter_map(char::from_u32).collect();
    let mut classes = vec![text::OTHER; every.len()];
    for (pattern, class) in
        [(r"\p{L}", text::LETTER), (r"\p{N}", text::NUMBER), (r"\s", text::BLANK), (r"[\r\n]", text::BREAK)]
    {
        mark(&every, pattern, class, &mut classes)?;
    }
    let (mut starts, mut kinds): (Vec<i32>, Vec<u8>) = (vec![], vec![]);
    for (character, class) in every.iter().zip(classes) {
        if kinds.last() != Some(&class) {
            starts.push(signed(u32::from(*character)));
            kinds.push(class);
        }
    }
    Ok((starts, kinds))
}

/// Gives the characters that a pattern matches a class: those that are gone when the library has taken them away.
fn mark(every: &[char], pattern: &str, class: u8, classes: &mut [u8]) -> Result<(), ImportError> {
    let failed = |error: tokenizers::Error| refused(&error.to_string());
    let split =
        Split::new(SplitPattern::Regex(pattern.into()), SplitDelimiterBehavior::Removed, false).map_err(failed)?;
    for (some, classes) in every.chunks(1 << 12).zip(classes.chunks_mut(1 << 12)) {
        let text: String = some.iter().collect();
        let mut cut = PreTokenizedString::from(text.as_str());
        split.pre_tokenize(&mut cut).map_err(failed)?;
        let left = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
        let mut left = left.iter().map(|(_, offsets, _)| *offsets).peekable();
        for ((at, _), own) in text.char_indices().zip(classes) {
            while left.next_if(|(_, end)| *end <= at).is_some() {}
            if left.peek().is_none_or(|(begin, _)| at < *begin) {
                *own = class;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
