//! From float trees to a container.

use noema_model::{
    Manifest, Model, Port, container,
    graph::{Edge, EdgeId, Graph, Node},
    ops::{Argmax, MISSING_LEFT, Op, Requantise, Softmax, TreeEnsemble, ZERO_IS_MISSING},
    parameters::{Array, NodeParameters},
};
use noema_tensor::{DType, Kernels, Level};

use super::{
    ImportedTrees, TreeOptions, TreeReport,
    ensemble::{FloatTrees, Task},
    grid, quantise_features,
};
use crate::{Accuracy, ImportError, Prediction, Table, scale};

/// Fraction bits of probabilities.
const PROBABILITY_BITS: u8 = 16;
/// Most fraction bits of leaves and sums.
const MAX_SUM_BITS: u8 = 48;
/// A threshold that separates what is there from what is missing, and nothing else: LightGBM writes infinity or this.
const EVERYTHING: f64 = 1.0e300;
/// Most fraction bits of logits.
const MAX_LOGIT_BITS: u8 = 20;

pub(super) fn import(trees: &FloatTrees, options: &TreeOptions) -> Result<ImportedTrees, ImportError> {
    let classes = match trees.task {
        Task::Binary { .. } => 2,
        Task::Classes { .. } => trees.outputs,
        Task::Number => 0,
    };
    if !options.labels.is_empty() && options.labels.len() != classes {
        let reason = format!("{} labels for {classes} classes", options.labels.len());
        return Err(ImportError::Options(reason));
    }
    if !matches!(options.input_type, DType::I32 | DType::I64) {
        let reason = format!("features of trees are i32 or i64, not {}", options.input_type);
        return Err(ImportError::Options(reason));
    }
    let thresholds = trees.trees.iter().flat_map(|tree| &tree.decisions).map(|decision| decision.threshold.abs());
    let largest = thresholds.filter(|threshold| *threshold < EVERYTHING).fold(0.0, f64::max);
    let input_bits = match options.input_fraction_bits {
        Some(bits) if bits <= 62 => bits,
        Some(bits) => return Err(ImportError::Options(format!("{bits} fraction bits of the input, the limit is 62"))),
        None => grid::fraction_bits(options.input_type, largest)?,
    };
    let built = Build { trees, options, input_bits, scale: Scale::of(trees)? }.build()?;

    let Built { mut manifest, graph, parameters, report } = built;
    let mut report = TreeReport { input_fraction_bits: input_bits, ..report };
    if let Some(table) = &options.heldout {
        if table.labels.len() != table.rows.len() || table.rows.is_empty() {
            return Err(ImportError::no_classes());
        }
        let model = Model::from_bytes(container::encode(&manifest, &graph, &parameters)?)?;
        let both = trees.predict(&table.rows).and_then(|float| Ok((float, classify(&model, table)?)));
        let (float, integer) = both.map_err(ImportError::heldout)?;
        report.heldout = Some(Accuracy::of(&table.labels, &float, &integer));
    }
    manifest.accuracy = report.accuracy();
    let container = container::encode(&manifest, &graph, &parameters)?;
    let model = Model::from_bytes(container.clone())?;
    report.id = model.id();
    report.container_bytes = container.len();
    report.peak = model.certificate().edges[graph.inputs.len()].peak;
    Ok(ImportedTrees { container, report })
}

/// Fraction bits of what is added up and of what a contract reads.
struct Scale {
    sum_bits: u8,
    logit_bits: u8,
}

impl Scale {
    fn of(trees: &FloatTrees) -> Result<Scale, ImportError> {
        let mut peaks: Vec<f64> = trees.base.iter().map(|base| base.abs()).collect();
        for tree in &trees.trees {
            peaks[tree.output] += scale::magnitude(&tree.leaves);
        }
        let peak = scale::magnitude(&peaks);
        let most = |limit: u8, width: i32| {
            let fits = |bits: &u8| peak * 2.0_f64.powi((*bits).into()) < 2.0_f64.powi(width);
            (0..=limit).rev().find(fits).ok_or_else(|| ImportError::Quantise {
                what: "the leaves".into(),
                reason: format!("scores can reach {peak:e}"),
            })
        };
        // A bit to spare, because each leaf may be rounded up.
        let sum_bits = most(MAX_SUM_BITS, 62)?;
        if trees.task == Task::Number {
            return Ok(Scale { sum_bits, logit_bits: 0 });
        }
        let logit_bits = most(MAX_LOGIT_BITS, 30)?;
        // The shift from sums to logits has 62 bits, 30 of which the multiplier needs, and some the votes.
        let of_votes = (0..32).find(|bits| 2.0_f64.powi((*bits).into()) >= trees.votes).unwrap_or(32_u8);
        Ok(Scale { sum_bits: sum_bits.min(logit_bits + 32 - of_votes), logit_bits })
    }
}

struct Build<'a> {
    trees: &'a FloatTrees,
    options: &'a TreeOptions,
    input_bits: u8,
    scale: Scale,
}

struct Built {
    manifest: Manifest,
    graph: Graph,
    parameters: Vec<NodeParameters>,
    report: TreeReport,
}

impl Build<'_> {
    fn build(&self) -> Result<Built, ImportError> {
        let features = u32::try_from(self.trees.features).map_err(|_| too_many("features"))?;
        let (op, arrays, rounding) = self.ensemble()?;
        let report = TreeReport::new(self.trees, &op, self.options.input_type, self.scale.sum_bits, rounding);
        let input = Edge::new(self.options.input_type, &[features]);
        let mut graph = Graph { inputs: vec![input], nodes: vec![], outputs: vec![] };
        let mut parameters = vec![];
        let mut outputs: Vec<(&str, u8)> = vec![];
        let mut node = |name: &str, op: Op, from: u32, arrays: NodeParameters| {
            graph.nodes.push(Node { name: name.into(), op, inputs: vec![EdgeId(from)] });
            parameters.push(arrays);
            EdgeId(u32::try_from(graph.nodes.len()).unwrap_or(u32::MAX))
        };
        let sums = node("trees", op.into(), 0, arrays);
        let mut ports = vec![];
        if self.trees.task == Task::Number {
            outputs.push(("score", self.scale.sum_bits));
            ports.push(sums);
        } else {
            let Scale { sum_bits, logit_bits } = self.scale;
            let narrow = Requantise { per_channel: false, zero_point: 0, dtype: DType::I32 };
            let scale = 0.5_f64.powi((sum_bits - logit_bits).into()) / self.trees.votes;
            let (multiplier, shift) = scale::dyadic(scale).ok_or_else(|| too_many("trees"))?;
            let logits =
                node("logits", narrow.into(), sums.0, vec![Array::I32(vec![multiplier]), Array::U8(vec![shift])]);
            outputs.push(("logits", logit_bits));
            ports.push(logits);
            if let Some(softmax) = self.softmax()? {
                let probabilities = node("probabilities", softmax.into(), logits.0, vec![]);
                outputs.push(("probabilities", PROBABILITY_BITS));
                ports.push(probabilities);
            }
            outputs.push(("class", 0));
            ports.push(node("class", Argmax {}.into(), sums.0, vec![]));
        }
        graph.outputs = ports;
        let edges = graph.edges()?;
        let edge = |id: &EdgeId| -> &Edge { &edges[usize::try_from(id.0).unwrap_or(usize::MAX)] };
        let manifest = Manifest {
            name: self.options.name.clone(),
            licence: self.options.licence.clone(),
            version: self.options.version.clone(),
            inputs: vec![Port::new("features", &edges[0], self.input_bits)],
            outputs: outputs
                .iter()
                .zip(&graph.outputs)
                .map(|((name, bits), id)| Port::new(name, edge(id), *bits))
                .collect(),
            labels: self.options.labels.clone(),
            accuracy: String::new(),
        };
        Ok(Built { manifest, graph, parameters, report })
    }

    fn softmax(&self) -> Result<Option<Softmax>, ImportError> {
        let slope = match self.trees.task {
            Task::Binary { slope: Some(slope) } => slope,
            Task::Classes { softmax: true } => 1.0,
            _ => return Ok(None),
        };
        let scale = scale::dyadic(slope * 0.5_f64.powi(self.scale.logit_bits.into()));
        let (multiplier, shift) = scale.filter(|(multiplier, _)| *multiplier != 0).ok_or_else(|| {
            ImportError::Quantise { what: "the sigmoid".into(), reason: format!("its slope is {slope}") }
        })?;
        Ok(Some(Softmax { multiplier, shift, fraction_bits: PROBABILITY_BITS }))
    }

    /// The operator, its parameters, and how far a sum can be from the exact one.
    fn ensemble(&self) -> Result<(TreeEnsemble, NodeParameters, f64), ImportError> {
        let FloatTrees { library, task, trees, base, .. } = self.trees;
        // Of two classes the first has the score 0, so that the larger score names the class.
        let first = usize::from(matches!(task, Task::Binary { .. }));
        let mut bases = vec![0; first];
        let mut rounding = vec![0.0; base.len()];
        for (value, rounding) in base.iter().zip(&mut rounding) {
            let (integer, error) = self.fixed(*value);
            bases.push(integer);
            *rounding += error;
        }
        let small = |value: usize, what| i32::try_from(value).map_err(|_| too_many(what));
        let (mut sizes, mut targets, mut leaves) = (vec![], vec![], vec![]);
        let (mut features, mut left, mut right, mut flags) = (vec![], vec![], vec![], vec![]);
        let mut thresholds: Vec<i64> = vec![];
        let (mut depth, mut steps) = (0, 0);
        for tree in trees {
            sizes.push(small(tree.decisions.len(), "decisions")?);
            targets.push(small(tree.output + first, "scores")?);
            for decision in &tree.decisions {
                features.push(small(decision.feature, "features")?);
                thresholds.push(grid::threshold(
                    *library,
                    self.options.input_type,
                    self.input_bits,
                    decision.threshold,
                ));
                left.push(decision.left);
                right.push(decision.right);
                let missing = if decision.missing_left { MISSING_LEFT } else { 0 };
                flags.push(missing | if decision.zero_is_missing { ZERO_IS_MISSING } else { 0 });
            }
            let mut largest_error: f64 = 0.0;
            for leaf in &tree.leaves {
                let (integer, error) = self.fixed(*leaf);
                leaves.push(integer);
                largest_error = largest_error.max(error);
            }
            rounding[tree.output] += largest_error;
            let deepest = u32::try_from(tree.depth()).map_err(|_| too_many("decisions"))?;
            depth = depth.max(deepest);
            steps += deepest;
        }
        let thresholds = match self.options.input_type {
            DType::I64 => Array::I64(thresholds),
            _ => {
                let narrow: Result<Vec<i32>, _> = thresholds.into_iter().map(i32::try_from).collect();
                Array::I32(narrow.map_err(|error| ImportError::Options(error.to_string()))?)
            }
        };
        let op = TreeEnsemble {
            outputs: u32::try_from(bases.len()).map_err(|_| too_many("scores"))?,
            trees: u32::try_from(trees.len()).map_err(|_| too_many("trees"))?,
            decisions: u32::try_from(flags.len()).map_err(|_| too_many("decisions"))?,
            depth,
            steps,
        };
        let parameters = vec![
            Array::I32(sizes),
            Array::I32(targets),
            Array::I32(features),
            thresholds,
            Array::I32(left),
            Array::I32(right),
            Array::U8(flags),
            Array::I64(leaves),
            Array::I64(bases),
        ];
        Ok((op, parameters, scale::magnitude(&rounding) / self.trees.votes))
    }

    /// A leaf as an integer, and by how much that differs.
    #[allow(clippy::cast_possible_truncation, reason = "the scale was chosen so that sums of leaves fit")]
    fn fixed(&self, value: f64) -> (i64, f64) {
        let scaled = value * 2.0_f64.powi(self.scale.sum_bits.into());
        let rounded = scaled.round_ties_even();
        (rounded as i64, (scaled - rounded).abs() * 0.5_f64.powi(self.scale.sum_bits.into()))
    }
}

/// The classes that the container gives to the rows of a table.
fn classify(model: &Model, table: &Table) -> Result<Vec<Prediction>, ImportError> {
    let kernels = Kernels::new(Level::best(), 1).map_err(|error| ImportError::Compute(error.to_string()))?;
    let input = quantise_features(&model.manifest().inputs[0], &table.rows)?;
    let outputs = model.run(&kernels, &[&input])?;
    let index = model.manifest().output("class").unwrap_or(usize::MAX);
    let class = outputs.get(index).ok_or_else(|| ImportError::Output("there is no class".into()))?;
    let class = class.to_vec::<i32>().map_err(|error| ImportError::Compute(error.to_string()))?;
    let prediction =
        |class| Prediction { logits: vec![], probabilities: None, class: usize::try_from(class).unwrap_or(usize::MAX) };
    Ok(class.into_iter().map(prediction).collect())
}

fn too_many(what: &str) -> ImportError {
    ImportError::Options(format!("too many {what} for a container"))
}
