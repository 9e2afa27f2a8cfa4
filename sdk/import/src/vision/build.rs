//! The integer graph of a vision transformer.
//!
//! ```text
//!   pixels (u8) -> patches -> tokens (i16), a class in front of them, positions: the stream
//!   the stream, normalised -> attention -> added to it;  normalised -> hidden layers -> added to it
//!   after the last layer: the class, normalised -> scores
//! ```

use noema_model::{
    graph::{Edge, EdgeId},
    ops::{AddRows, Concat, Requantise, Reshape, Slice, Transpose},
    parameters::Array,
};
use noema_tensor::DType;

use super::float::{Ranges, VisionModel};
use crate::{
    ImportError,
    quantise::{LOGIT_BITS, Quantised, fraction_bits},
    transformer::{
        Sites,
        build::{Builder, Normalised, Read, Sum, size, to_i16, unit_of},
        layer::Dense,
        ranges::largest,
    },
};

const PRODUCTS: [&str; 6] = ["query", "key", "value", "back", "hidden", "out"];

/// The layers of weights, by their nodes.
pub(crate) fn layer_names(layers: usize) -> Vec<String> {
    let inner = (0..layers).flat_map(|layer| PRODUCTS.map(|part| format!("layer {layer} {part} sums")));
    std::iter::once("patches".to_owned()).chain(inner).chain(["scores".to_owned()]).collect()
}

/// Builds the graph for the sites that are given.
pub(crate) fn build(float: &VisionModel, ranges: &Ranges, sites: Sites) -> Result<Quantised, ImportError> {
    let config = &float.config;
    let [height, width] = config.image_size.pair();
    let dims = [size(config.num_channels)?, size(height)?, size(width)?];
    let inputs = vec![Edge::new(DType::U8, &dims)];
    let mut builder = Builder::new(inputs, float.form, size(config.tokens())?);

    let stream = ranges.layers.iter().flat_map(|layer| [largest(&layer.sum), largest(&layer.last_sum)]);
    let unit = unit_of(stream.fold(largest(&ranges.embedded), f64::max));
    let mut stream = builder.embed(float, unit)?;
    for (index, (layer, range)) in float.layers.iter().zip(&ranges.layers).enumerate() {
        let name = format!("layer {index}");
        let read = |from, normal, range| Normalised { from, normal, range, unit: unit_of(largest(range)), edge: None };
        let from = stream;
        let x = read(&from, &layer.attention_norm, &range.input);
        let from = builder.attention(&name, layer, range, &x, sites.attention, &from)?;
        let x = read(&from, &layer.hidden_norm, &range.middle);
        stream = builder.feed_forward(&name, layer, range, &x, sites, &from)?;
    }

    let first = Slice { starts: vec![0, 0], sizes: vec![1, 0] };
    let edge = builder.node("class token", first, &[stream.edge], vec![]);
    let from = Sum { edge, ..stream };
    let unit = unit_of(largest(&ranges.last));
    let x = Normalised { from: &from, normal: &float.norm, range: &ranges.last, unit, edge: None };
    let read = builder.read("last", &x, sites.attention, &[&float.classifier])?;
    let (sums, units) = builder.linear("scores", &read, &float.classifier)?;
    let logit_bits = fraction_bits("scores", ranges.logits, LOGIT_BITS)?;
    let logits = vec![2.0_f64.powi(-i32::from(logit_bits)); units.len()];
    let scores = builder.scaled("scores scaled", sums, &units, &logits, DType::I32)?;
    let scores = builder.node("logits", Reshape { dims: vec![size(units.len())?] }, &[scores], vec![]);
    Ok(builder.graph.classifier(scores, logit_bits, true))
}

impl Builder {
    /// Pixels to tokens, with the class in front of them. How pixels become numbers is in the weights of the patches, so that nothing is
    /// rounded before them.
    fn embed(&mut self, float: &VisionModel, unit: f64) -> Result<Sum, ImportError> {
        let config = &float.config;
        let ([rows, columns], [height, width]) = (config.grid(), config.patch_size.pair());
        let (channels, area) = (config.num_channels, height * width);
        let dims = |dims: &[usize]| dims.iter().map(|dim| size(*dim)).collect::<Result<Vec<_>, _>>();
        let cut = Reshape { dims: dims(&[channels, rows, height, columns, width])? };
        let edge = self.node("cut", cut, &[EdgeId(0)], vec![]);
        let edge = self.node("sorted", Transpose { axes: vec![1, 3, 0, 2, 4] }, &[edge], vec![]);
        let flat = Reshape { dims: dims(&[rows * columns, channels * area])? };
        let edge = self.node("flat", flat, &[edge], vec![]);

        let of_pixel = |number: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..channels * area).map(|pixel| number(pixel / area)).collect()
        };
        let units = of_pixel(&|channel| float.scales[channel].factor);
        let offsets = of_pixel(&|channel| float.scales[channel].offset);
        let weights: Vec<Vec<f32>> = float.patches.weights.to_vec2()?;
        let bias: Vec<f32> = float.patches.bias.to_vec1()?;
        #[allow(clippy::cast_possible_truncation, reason = "the network is in f32")]
        let bias: Vec<f32> = weights
            .iter()
            .zip(&bias)
            .map(|(row, bias)| {
                let offset: f64 = row.iter().zip(&offsets).map(|(weight, offset)| f64::from(*weight) * offset).sum();
                (f64::from(*bias) + offset) as f32
            })
            .collect();
        let bias = candle_core::Tensor::new(&bias[..], &candle_core::Device::Cpu)?;
        let folded = Dense { weights: float.patches.weights.clone(), bias };
        let (sums, from) = self.linear("patches", &Read { edge, units, largest: 255 }, &folded)?;
        let patches = self.scaled("patches scaled", sums, &from, &vec![unit; from.len()], DType::I16)?;

        // The token of the class is in the constants; what they are added to is 0.
        let first = Slice { starts: vec![0, 0], sizes: vec![1, 0] };
        let first = self.node("a patch", first, &[sums], vec![]);
        let nothing = Requantise { per_channel: false, zero_point: 0, dtype: DType::I16 };
        let first = self.node("nothing", nothing, &[first], vec![Array::I32(vec![0]), Array::U8(vec![0])]);
        let tokens = self.node("tokens", Concat { axis: 0 }, &[first, patches], vec![]);
        let positions: Vec<f32> = float.positions.flatten_all()?.to_vec1()?;
        let constants = positions.iter().map(|value| to_i16(f64::from(*value) / unit)).collect();
        let placed = AddRows { rows: size(config.tokens())? };
        let edge = self.node("positions", placed, &[tokens], vec![Array::I16(constants)]);
        Ok(Sum { edge, unit, name: "tokens".into() })
    }
}
