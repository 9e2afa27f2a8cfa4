//! How long the container of a tokenizer takes for texts that suit it and for those that do not, beside the gas of each.
//!
//!     cargo run --release -p noema-import --example text_speed -- tokenizer.json
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]

use std::time::Instant;

use noema_abi::ProtocolVersion;
use noema_import::{TokenizerOptions, import_tokenizer};
use noema_model::{Extent, Model};
use noema_tensor::{Kernels, Level, Shape, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("a tokenizer")?;
    let options = TokenizerOptions { tokens: 16_384, bytes: 16_384, ..TokenizerOptions::new("tokenizer", "") };
    let model = Model::from_bytes(import_tokenizer(&std::fs::read(path)?, &options)?.container)?;
    let kernels = Kernels::new(Level::best(), 1)?;
    let longest = usize::try_from(model.longest())?;
    let mut number = 1_u64;
    let mut below = |limit: u64| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) % limit
    };
    let letters: String = (0..longest).map(|_| char::from(b'a' + u8::try_from(below(26)).unwrap_or(0))).collect();
    let frequent = ["th", "er", "in", "on", "an", "re", "es", "st"];
    let syllables: String = (0..longest / 2).map(|_| frequent[usize::try_from(below(8)).unwrap_or(0)]).collect();
    for (name, text) in [
        ("prose", "It was the best of times, it was the worst of times; don't ask in 1859.\n".repeat(longest / 72 + 1)),
        ("one letter", "t".repeat(longest)),
        ("spaces", " ".repeat(longest)),
        ("letters", letters),
        ("syllables", syllables),
        ("ideographs", "今日は北京の天気".repeat(longest / 24 + 1)),
        ("emoji", "👩‍👩‍👧🏳️‍🌈".repeat(longest / 32 + 1)),
    ] {
        for length in [64, 1024, longest] {
            let end =
                (0..=length.min(longest).min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            let bytes = &text.as_bytes()[..end];
            let shape = Shape::new(&[1, u32::try_from(end)?])?;
            let (bytes, count) = (
                Tensor::from_vec(shape, bytes.to_vec())?,
                Tensor::from_vec(Shape::new(&[1])?, vec![i32::try_from(end)?])?,
            );
            let mut best = f64::INFINITY;
            for _ in 0..20 {
                let start = Instant::now();
                std::hint::black_box(model.run(&kernels, &[&bytes, &count])?);
                best = best.min(start.elapsed().as_secs_f64());
            }
            let extent = Extent { batch: 1, length: u32::try_from(end)? };
            let gas = model.cost_of(ProtocolVersion::LATEST, extent)?;
            #[allow(clippy::cast_precision_loss, reason = "measured, not computed with")]
            let share = best * 1e12 / gas as f64;
            println!("{name}, {end} bytes: {:.1} us, {share:.3} of its gas", best * 1e6);
        }
    }
    Ok(())
}
