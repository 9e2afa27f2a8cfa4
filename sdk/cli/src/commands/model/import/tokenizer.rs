//! Tokenizers of encoders.

use std::path::PathBuf;

use noema_import::{ImportedTokenizer, TokenizerOptions, import_tokenizer};
use serde::Serialize;

use super::arguments::{ImportArgs, meaningless, name};
use super::files::write_new;
use crate::output;
use crate::{CliError, Context};

/// A tokenizer that was just imported.
#[derive(Serialize, Debug)]
pub struct TokenizerLine {
    /// Where the container is.
    #[serde(serialize_with = "output::path")]
    pub file: PathBuf,
    /// Its id.
    pub model: String,
    /// Bytes of the container.
    pub bytes: usize,
    /// Tokens of the vocabulary.
    pub vocabulary: u32,
    /// Most tokens and bytes of a text.
    pub max_tokens: u32,
    /// See `max_tokens`.
    pub max_bytes: u32,
    #[serde(skip)]
    pub(super) text: String,
}

pub(super) fn tokenizer(context: &Context, arguments: &ImportArgs, bytes: &[u8]) -> Result<TokenizerLine, CliError> {
    meaningless(
        arguments,
        "a tokenizer",
        &[
            "--calibration",
            "--heldout",
            "--labels",
            "--input-bits",
            "--input-type",
            "--precision",
            "--max-error",
            "--compare",
        ],
    )?;
    let wrong = |count: usize| {
        let problem = format!("a text of {count} tokens");
        CliError::argument("--max-tokens", problem, "give a number from 2 to 65535")
    };
    let options = TokenizerOptions {
        version: arguments.version.clone(),
        ..TokenizerOptions::new(&name(arguments), &arguments.licence)
    };
    let tokens = match arguments.max_tokens {
        None => options.tokens,
        Some(count) => u16::try_from(count).ok().filter(|count| *count >= 2).ok_or_else(|| wrong(count))?.into(),
    };
    let options = TokenizerOptions { tokens, bytes: arguments.max_bytes, ..options };
    let bar = context.output.spinner("importing");
    let imported = import_tokenizer(bytes, &options).map_err(|error| CliError::import(&arguments.file, error));
    bar.finish_and_clear();
    let ImportedTokenizer { container, id, vocabulary, ranges } = imported?;
    write_new(&arguments.out, &container)?;
    let text = format!(
        "model {id}, {} bytes\n{vocabulary} tokens, {ranges} ranges of characters\ntexts of up to {} bytes to up to {tokens} tokens",
        container.len(),
        options.bytes
    );
    Ok(TokenizerLine {
        file: arguments.out.clone(),
        model: id.to_string(),
        bytes: container.len(),
        vocabulary,
        max_tokens: tokens,
        max_bytes: options.bytes,
        text,
    })
}
