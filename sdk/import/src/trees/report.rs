//! What an import of trees did.

use std::fmt;

use noema_model::{ModelId, ops::TreeEnsemble};
use noema_tensor::DType;

use super::ensemble::FloatTrees;
use crate::Accuracy;

/// What an import of trees did, and how well it went.
#[derive(Clone, Debug)]
pub struct TreeReport {
    /// The id of the container.
    pub id: ModelId,
    /// Its size.
    pub container_bytes: usize,
    /// The library that wrote the file.
    pub library: &'static str,
    /// The objective that the trees were trained for.
    pub objective: String,
    /// Features of a row.
    pub features: usize,
    /// Element type of the features.
    pub input_type: DType,
    /// Fraction bits of the features.
    pub input_fraction_bits: u8,
    /// How many trees.
    pub trees: u32,
    /// How many decisions all trees have together.
    pub decisions: u32,
    /// How many leaves all trees have together.
    pub leaves: u32,
    /// The most decisions on a way through a tree.
    pub depth: u32,
    /// The most comparisons for a row.
    pub steps: u32,
    /// Fraction bits of leaves and of their sums.
    pub sum_fraction_bits: u8,
    /// How far a sum can be from the exact sum of the library's leaves: the largest rounding error of each tree, added up.
    pub rounding: f64,
    /// The largest absolute value that a sum can reach on the way, proven; in units of the last fraction bit.
    pub peak: u64,
    /// How accurate trees and original are on rows that neither has seen.
    pub heldout: Option<Accuracy>,
}

impl TreeReport {
    pub(super) fn new(
        trees: &FloatTrees,
        op: &TreeEnsemble,
        input_type: DType,
        sum_fraction_bits: u8,
        rounding: f64,
    ) -> TreeReport {
        TreeReport {
            id: ModelId([0; 32]),
            container_bytes: 0,
            library: trees.library.name(),
            objective: trees.objective.clone(),
            features: trees.features,
            input_type,
            input_fraction_bits: 0,
            trees: op.trees,
            decisions: op.decisions,
            leaves: op.leaves(),
            depth: op.depth,
            steps: op.steps,
            sum_fraction_bits,
            rounding,
            peak: 0,
            heldout: None,
        }
    }

    /// For the manifest.
    pub(super) fn accuracy(&self) -> String {
        let grid = format!(
            "decides as {} does on features of {} fraction bits, scores at most {:.3e} from the exact sum of its leaves",
            self.library, self.input_fraction_bits, self.rounding
        );
        self.heldout.as_ref().map_or_else(|| grid.clone(), |accuracy| format!("{accuracy}; {grid}"))
    }
}

impl fmt::Display for TreeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model {}, {} bytes", self.id, self.container_bytes)?;
        let TreeReport { library, objective, trees, decisions, leaves, depth, .. } = self;
        writeln!(f, "{library}, {objective}: {trees} trees, {decisions} decisions, {leaves} leaves, depth {depth}")?;
        let TreeReport { features, input_type, input_fraction_bits, steps, .. } = self;
        writeln!(f, "{features} features in {input_type} with {input_fraction_bits} fraction bits")?;
        writeln!(f, "at most {steps} comparisons a row")?;
        let TreeReport { sum_fraction_bits, peak, rounding, .. } = self;
        writeln!(f, "sums with {sum_fraction_bits} fraction bits, proven to stay within {peak}")?;
        write!(f, "scores at most {rounding:.3e} from the exact sum of the library's leaves")?;
        if let Some(accuracy) = &self.heldout {
            write!(f, "\n{accuracy}")?;
        }
        Ok(())
    }
}
