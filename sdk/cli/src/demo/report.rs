//! What the demo found out.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use noema_chain::Chain;
use noema_import::{Prediction, Table};
use noema_vm::GasUsed;
use serde::Serialize;

use super::decisions::{Decision, Decisions};
use super::stage::Totals;
use crate::arguments;
use crate::commands::deploy::DeployReport;
use crate::commands::model::add::AddReport;
use crate::commands::replay::ReplaySummary;
use crate::output::{Report, table};
use crate::receipts::amount;

/// What the demo found out.
#[derive(Serialize, Debug)]
pub struct DemoReport {
    /// `ok`: whoever holds this report has seen every receipt and every root agree.
    pub demo: &'static str,
    /// Where the chain is; none where it was temporary.
    pub chain: Option<PathBuf>,
    /// Bytes of the contract.
    pub contract_bytes: usize,
    /// Address of the contract.
    pub contract: String,
    /// Id of the network.
    pub model: String,
    /// Bytes of its container.
    pub model_bytes: usize,
    /// Chunks that it was uploaded in.
    pub model_chunks: u64,
    /// Id of the trees.
    pub trees: String,
    /// Bytes of their container.
    pub trees_bytes: usize,
    /// Decisions: one for each held-out row.
    pub decisions: usize,
    /// Accuracy of the float original of the network.
    pub float: Accuracy,
    /// Accuracy of the network on the chain.
    pub on_chain: Accuracy,
    /// Accuracy of the float original of the trees.
    pub trees_float: Accuracy,
    /// Accuracy of the trees on the chain.
    pub trees_on_chain: Accuracy,
    /// Accuracy of what the contract decided: benign where both models say so.
    pub together: Accuracy,
    /// Rows where a model on the chain differs from its float original.
    pub different_rows: Vec<DifferentRow>,
    /// Gas of a decision, by what used it.
    pub gas_per_decision: Vec<GasLine>,
    /// Decisions per second while blocks were executed and committed, on this machine.
    pub decisions_per_second: f64,
    /// What happened on the chain, in numbers.
    pub totals: Totals,
    /// Height of the newest block.
    pub height: u64,
    /// Hash of the newest block.
    pub block_hash: String,
    /// Root of the state after it.
    pub state_root: String,
    /// What every level with every number of threads found.
    pub replay: Option<ReplaySummary>,
}

/// How many rows a model got right.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accuracy {
    /// Rows it got right.
    pub right: usize,
    /// Rows.
    pub rows: usize,
    /// Malignant rows that it called benign.
    pub missed: usize,
}

/// A row that a model on the chain decides otherwise than its float original.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct DifferentRow {
    /// `network` or `trees`.
    pub model: &'static str,
    /// Number of the row, from 0.
    pub row: usize,
    /// What is true: 1 is malignant.
    pub label: usize,
    /// What the float original says.
    pub float: usize,
    /// What the model on the chain says.
    pub on_chain: usize,
    /// The probability of malignancy that the float original gives, where it gives one.
    pub float_malignancy: Option<f32>,
    /// The probability of malignancy that the model on the chain gives.
    pub on_chain_malignancy: f64,
}

/// Gas of one class, over all decisions.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GasLine {
    /// What used it.
    pub class: &'static str,
    /// The mean, rounded down.
    pub mean: u64,
    /// The largest.
    pub largest: u64,
}

impl DemoReport {
    /// Everything but the replay.
    pub(super) fn new(
        chain: &Chain,
        [network, trees]: &[AddReport; 2],
        deployed: &DeployReport,
        heldout: &Table,
        float: [&[Prediction]; 2],
        decisions: &Decisions,
        totals: Totals,
    ) -> DemoReport {
        let count = decisions.list.len();
        let labels = || heldout.labels.iter().copied();
        let float_accuracy = |model: usize| Accuracy::new(labels().zip(float[model].iter().map(|row| row.class)));
        let chain_accuracy =
            |model: usize| Accuracy::new(labels().zip(decisions.list.iter().map(|row| row.class_of(model))));
        let different = |model: usize| {
            let rows = labels().zip(float[model]).zip(&decisions.list).enumerate();
            let rows = rows.filter(move |(_, ((_, float), decision))| float.class != decision.class_of(model));
            rows.map(move |(row, ((label, float), decision))| DifferentRow {
                model: ["network", "trees"][model],
                row,
                label,
                float: float.class,
                on_chain: decision.class_of(model),
                float_malignancy: float.probabilities.as_ref().and_then(|each| each.get(1).copied()),
                on_chain_malignancy: decision.malignancy[model],
            })
        };
        DemoReport {
            demo: "ok",
            chain: None,
            contract_bytes: deployed.code_bytes,
            contract: deployed.contract.clone(),
            model: network.model.clone(),
            model_bytes: network.bytes,
            model_chunks: network.chunks,
            trees: trees.model.clone(),
            trees_bytes: trees.bytes,
            decisions: count,
            float: float_accuracy(0),
            on_chain: chain_accuracy(0),
            trees_float: float_accuracy(1),
            trees_on_chain: chain_accuracy(1),
            together: Accuracy::new(labels().zip(decisions.list.iter().map(|row| row.class))),
            different_rows: different(0).chain(different(1)).collect(),
            gas_per_decision: gas_lines(&decisions.list),
            decisions_per_second: (per_second(count, decisions.took.as_secs_f64()) * 10.0).round() / 10.0,
            totals,
            height: chain.height(),
            block_hash: arguments::show(chain.head().hash()),
            state_root: arguments::show(chain.root()),
            replay: None,
        }
    }

    /// The accuracies for people.
    #[must_use]
    pub(super) fn accuracies(&self) -> comfy_table::Table {
        let mut models = table(&["accuracy", "right", "of", "share", "malignant missed"]);
        for (name, Accuracy { right, rows, missed }) in [
            ("network, float original", self.float),
            ("network, model on the chain", self.on_chain),
            ("trees, float original", self.trees_float),
            ("trees, model on the chain", self.trees_on_chain),
            ("contract: benign where both say so", self.together),
        ] {
            let share = format!("{:.4}", ratio(right, rows));
            models.add_row([name, &right.to_string(), &rows.to_string(), &share, &missed.to_string()]);
        }
        models
    }

    /// The table for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "\n{}\n", self.accuracies());
        if self.different_rows.is_empty() {
            let _ = writeln!(text, " on the chain each model decides every row as its float original does\n");
        } else {
            let mut different =
                table(&["rows where they differ", "truth", "float", "on the chain", "p float", "p chain"]);
            for row in &self.different_rows {
                let float = row.float_malignancy.map_or("none".to_owned(), |p| format!("{p:.5}"));
                let (truth, float_class) = (class(row.label), class(row.float));
                let chain = format!("{:.5}", row.on_chain_malignancy);
                different.add_row([
                    &format!("row {}, {}", row.row, row.model),
                    truth,
                    float_class,
                    class(row.on_chain),
                    &float,
                    &chain,
                ]);
            }
            let _ = writeln!(text, "{different}\n");
        }
        let mut gas = table(&["gas per decision", "mean", "largest", "share"]);
        let total = self.gas_per_decision.last().map_or(1, |line| line.mean.max(1));
        for line in &self.gas_per_decision {
            let share = format!("{}.{} %", per_mille(line.mean, total) / 10, per_mille(line.mean, total) % 10);
            gas.add_row([line.class, &amount(line.mean), &amount(line.largest), &share]);
        }
        let _ = writeln!(text, "{gas}\n");
        let (rate, height) = (self.decisions_per_second, self.height);
        let _ = writeln!(text, " {} decisions, {rate} a second on this machine, {height} blocks", self.decisions);
        let _ = writeln!(text, " state root {}", self.state_root);
        text
    }
}

impl Accuracy {
    fn new(pairs: impl Iterator<Item = (usize, usize)>) -> Accuracy {
        pairs.fold(Accuracy { right: 0, rows: 0, missed: 0 }, |so_far, (label, said)| Accuracy {
            right: so_far.right + usize::from(label == said),
            rows: so_far.rows + 1,
            missed: so_far.missed + usize::from(label == 1 && said != 1),
        })
    }
}

fn gas_lines(decisions: &[Decision]) -> Vec<GasLine> {
    type Class = (&'static str, fn(&GasUsed) -> u64);
    const CLASSES: [Class; 6] = [
        ("wasm", |gas| gas.wasm),
        ("host", |gas| gas.host),
        ("state", |gas| gas.state),
        ("tensor and model", |gas| gas.tensor),
        ("code", |gas| gas.code),
        ("total", GasUsed::total),
    ];
    let line = |(class, of): Class| {
        let each = decisions.iter().map(|decision| of(&decision.gas));
        let count = u64::try_from(decisions.len()).unwrap_or(u64::MAX).max(1);
        GasLine { class, mean: each.clone().fold(0, u64::saturating_add) / count, largest: each.max().unwrap_or(0) }
    };
    CLASSES.map(line).into()
}

fn class(class: usize) -> &'static str {
    if class == 1 { "malignant" } else { "benign" }
}

fn per_mille(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 1000 / u128::from(whole.max(1))).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "numbers of rows, shown with four digits")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[allow(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_second(count: usize, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

impl Report for DemoReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(replay) = &self.replay {
            replay.write(out)?;
            writeln!(out, "\n{} replays, every receipt and every root identical", replay.results.len())?;
        }
        if let Some(chain) = &self.chain {
            writeln!(out, "the chain is kept in {}", chain.display())?;
        }
        writeln!(out, "demo: ok")
    }
}
