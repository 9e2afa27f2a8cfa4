//! Every line of a text by the container of a tokenizer and by the `tokenizers` library: in how many they differ.
//!
//!     cargo run --release -p noema-import --example tokenise -- FOLDER tokenizer.noema sentences.txt

use std::path::Path;

use noema_import::FloatEncoder;
use noema_model::Model;
use noema_tensor::{Kernels, Level, Shape, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, container, text] = &arguments[..] else { return Err("a folder, a container and a text".into()) };
    let model = Model::from_bytes(std::fs::read(container)?)?;
    let room = usize::try_from(model.manifest().outputs[0].shape[0])?;
    let library = FloatEncoder::read(Path::new(folder), Some(room))?;
    let kernels = Kernels::new(Level::best(), 1)?;
    let (mut lines, mut different) = (0, 0);
    for line in std::fs::read_to_string(text)?.lines().filter(|line| !line.is_empty()) {
        let bytes = Tensor::from_vec(Shape::new(&[1, u32::try_from(line.len())?])?, line.as_bytes().to_vec())?;
        let count = Tensor::from_vec(Shape::new(&[1])?, vec![i32::try_from(line.len())?])?;
        let outputs = model.run(&kernels, &[&bytes, &count])?;
        let length = usize::try_from(outputs[1].to_vec::<i32>()?[0])?;
        let found: Vec<u32> = outputs[0].to_vec::<i32>()?[..length].iter().map(|token| token.cast_unsigned()).collect();
        lines += 1;
        if found != library.tokens(line)? {
            different += 1;
            println!("{line}");
        }
    }
    println!("{lines} lines, {different} different");
    Ok(())
}
