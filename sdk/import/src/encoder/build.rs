//! The integer graph of an encoder.
//!
//! ```text
//!   tokens -> embedding + positions -> norm -> x (i16)
//!   x -> attention -> back (i16);  x + back -> norm -> m (i16)
//!   m -> hidden layers -> out (i16);  m + out -> norm -> x of the next layer
//!   after the last one: pooling, length 1
//! ```

use noema_model::{
    graph::{Edge, EdgeId, sequence},
    ops::{AddRows, Embedding, L2Norm, MeanPool, Reshape, Slice},
    parameters::Array,
};
use noema_tensor::DType;

use super::{Sites, float::Float, folder::Pooling};
use crate::{
    ImportError,
    builder::GraphBuilder,
    transformer::{
        build::{Builder, Normalised, Sum, most, size, to_i16, unit_of},
        layer::{Layer, Normal},
        ranges::{LayerRanges, largest},
    },
};

/// Fraction bits of the embedding.
pub(crate) const EMBEDDING_BITS: u8 = 15;
/// Fraction bits of the vectors that are pooled.
const POOLED_BITS: i32 = 16;

const TOKENS: EdgeId = EdgeId(0);
const LENGTH: EdgeId = EdgeId(1);

/// The nodes that hold what goes into each layer, and what comes out of the last one.
pub(crate) fn checkpoints(layers: usize) -> impl Iterator<Item = String> {
    (0..layers).map(input).chain(["last".to_owned()])
}

fn input(layer: usize) -> String {
    format!("layer {layer} input")
}

/// Builds the graph for the sites that are given.
pub(crate) fn build(
    float: &Float,
    ranges: &[LayerRanges],
    longest: usize,
    sites: Sites,
) -> Result<GraphBuilder, ImportError> {
    let inputs = vec![Edge::new(DType::I32, &[sequence(size(longest)?)]), Edge::new(DType::I32, &[])];
    let mut builder = Builder::new(inputs, float.form, size(longest)?);
    builder.count = Some(LENGTH);
    let hidden = float.config.stack.hidden_size;
    let words: Vec<f32> = float.words.flatten_all()?.to_vec1()?;
    let positions: Vec<f32> = float.positions.flatten_all()?.to_vec1()?;
    // The sum of both fits.
    let unit = (most(&words) + most(&positions)).max(f64::MIN_POSITIVE) / 32_767.0;
    let quantised = |values: &[f32]| values.iter().map(|value| to_i16(f64::from(*value) / unit)).collect();
    let (rows, columns) = (size(float.config.vocab_size)?, size(hidden)?);
    let table = Embedding { rows, columns, dtype: DType::I16 };
    let words = builder.node("words", table, &[TOKENS], vec![Array::I16(quantised(&words))]);
    let rows = AddRows { rows: size(longest)? };
    let placed = builder.node("positions", rows, &[words], vec![Array::I16(quantised(&positions))]);

    let mut from = Sum { edge: placed, unit, name: "embeddings".into() };
    let mut normal = &float.norm;
    for (index, (layer, range)) in float.layers.iter().zip(ranges).enumerate() {
        from = builder.layer(index, layer, range, (&from, normal), sites)?;
        normal = &layer.hidden_norm;
    }
    let unit = 2.0_f64.powi(-POOLED_BITS);
    let last = builder.norm_to("last", &from, normal, &vec![unit; hidden], DType::I32)?;
    let pooled = match float.pooling {
        Pooling::Mean => builder.node("mean", MeanPool {}, &[last, LENGTH], vec![]),
        Pooling::First => {
            let first = Slice { starts: vec![0, 0], sizes: vec![1, 0] };
            let first = builder.node("first", first, &[last], vec![]);
            builder.node("vector", Reshape { dims: vec![columns] }, &[first], vec![])
        }
    };
    let unit_length = L2Norm { epsilon: 1, fraction_bits: EMBEDDING_BITS, dtype: DType::I16 };
    let embedding = builder.node("embedding", unit_length, &[pooled], vec![]);
    let mut graph = builder.graph;
    graph.graph.outputs = vec![embedding];
    Ok(graph)
}

impl Builder {
    /// One layer behind what is added up and how it is normalised.
    fn layer(
        &mut self,
        index: usize,
        layer: &Layer,
        range: &LayerRanges,
        (from, normal): (&Sum, &Normal),
        sites: Sites,
    ) -> Result<Sum, ImportError> {
        let name = &format!("layer {index}");
        let unit = unit_of(largest(&range.input).max(largest(&range.sum)));
        let edge = self.norm(&input(index), from, normal, unit)?;
        let stream = Sum { edge, unit, name: from.name.clone() };
        let x = Normalised { edge: Some(edge), unit, from, normal, range: &range.input };
        let attended = self.attention(name, layer, range, &x, sites.attention, &stream)?;

        let unit = unit_of(largest(&range.middle).max(largest(&range.last_sum)));
        let normal = &layer.attention_norm;
        let middle = self.norm(&format!("{name} middle"), &attended, normal, unit)?;
        let stream = Sum { edge: middle, unit, name: attended.name.clone() };
        let x = Normalised { edge: Some(middle), unit, from: &attended, normal, range: &range.middle };
        self.feed_forward(name, layer, range, &x, sites, &stream)
    }
}
