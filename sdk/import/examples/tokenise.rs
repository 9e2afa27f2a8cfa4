//! Every line of a text by the container of a tokenizer and by the `tokenizers` library: in how many they differ.
//!
//!     cargo run --release -p noema-import --example tokenise -- tokenizer.json sentences.txt

use noema_import::{TokenizerOptions, import_tokenizer};
use noema_model::Model;
use noema_tensor::{Kernels, Level, Shape, Tensor};
use tokenizers::{Tokenizer, TruncationParams};

/// Most tokens of a line, and most bytes.
const ROOM: (u32, u32) = (512, 16_384);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tokenizer, text] = &arguments[..] else { return Err("a tokenizer and a text".into()) };
    let json = std::fs::read(tokenizer)?;
    let options = TokenizerOptions { tokens: ROOM.0, bytes: ROOM.1, ..TokenizerOptions::new("tokenizer", "") };
    let model = Model::from_bytes(import_tokenizer(&json, &options)?.container)?;
    let mut library = Tokenizer::from_bytes(&json).map_err(|error| error.to_string())?;
    let truncation = TruncationParams { max_length: usize::try_from(ROOM.0)?, ..TruncationParams::default() };
    library.with_truncation(Some(truncation)).map_err(|error| error.to_string())?;
    let kernels = Kernels::new(Level::best(), 1)?;
    let (mut lines, mut tokens, mut different) = (0, 0, 0);
    let fits = |line: &&str| !line.is_empty() && line.len() <= 16_384;
    for line in std::fs::read_to_string(text)?.lines().filter(fits) {
        let bytes = Tensor::from_vec(Shape::new(&[1, u32::try_from(line.len())?])?, line.as_bytes().to_vec())?;
        let count = Tensor::from_vec(Shape::new(&[1])?, vec![i32::try_from(line.len())?])?;
        let outputs = model.run(&kernels, &[&bytes, &count])?;
        let length = usize::try_from(outputs[1].to_vec::<i32>()?[0])?;
        let found: Vec<u32> = outputs[0].to_vec::<i32>()?[..length].iter().map(|token| token.cast_unsigned()).collect();
        lines += 1;
        tokens += length;
        let expected = library.encode(line, true).map_err(|error| error.to_string())?;
        if found != expected.get_ids() {
            different += 1;
            println!("{line}");
        }
    }
    println!("{lines} lines, {tokens} tokens, {different} lines different");
    Ok(())
}
