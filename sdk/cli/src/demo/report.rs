//! What the demo found out.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use noema_chain::Chain;
use noema_import::{Prediction, Table};
use noema_vm::GasUsed;
use serde::Serialize;
use serde_json::json;

use super::decisions::{Decision, Decisions};
use crate::commands::deploy::DeployReport;
use crate::commands::model::add::AddReport;
use crate::commands::replay::ReplaySummary;
use crate::output::{Report, table};
use crate::receipts::amount;
use crate::{CliError, arguments};

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
    /// Id of the model.
    pub model: String,
    /// Bytes of its container.
    pub model_bytes: usize,
    /// Chunks that it was uploaded in.
    pub model_chunks: u64,
    /// Decisions: one for each held-out row.
    pub decisions: usize,
    /// Accuracy of the float original.
    pub float: Accuracy,
    /// Accuracy of the model on the chain.
    pub on_chain: Accuracy,
    /// Rows where the two differ.
    pub different_rows: Vec<DifferentRow>,
    /// Gas of a decision, by what used it.
    pub gas_per_decision: Vec<GasLine>,
    /// Decisions per second while blocks were executed and committed, on this machine.
    pub decisions_per_second: f64,
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
}

/// A row that the two models decide differently.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct DifferentRow {
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
        upload: &AddReport,
        deployed: &DeployReport,
        heldout: &Table,
        float: &[Prediction],
        decisions: &Decisions,
    ) -> DemoReport {
        let rows = heldout.labels.iter().zip(float).zip(&decisions.list);
        let count = decisions.list.len();
        DemoReport {
            demo: "ok",
            chain: None,
            contract_bytes: deployed.code_bytes,
            contract: deployed.contract.clone(),
            model: upload.model.clone(),
            model_bytes: upload.bytes,
            model_chunks: upload.chunks,
            decisions: count,
            float: Accuracy::new(rows.clone().map(|((label, float), _)| (*label, float.class))),
            on_chain: Accuracy::new(rows.clone().map(|((label, _), decision)| (*label, decision.class))),
            different_rows: rows
                .enumerate()
                .filter(|(_, ((_, float), decision))| float.class != decision.class)
                .map(|(row, ((label, float), decision))| DifferentRow {
                    row,
                    label: *label,
                    float: float.class,
                    on_chain: decision.class,
                    float_malignancy: float.probabilities.as_ref().and_then(|each| each.get(1).copied()),
                    on_chain_malignancy: decision.malignancy,
                })
                .collect(),
            gas_per_decision: gas_lines(&decisions.list),
            decisions_per_second: (per_second(count, decisions.took.as_secs_f64()) * 10.0).round() / 10.0,
            height: chain.height(),
            block_hash: arguments::show(chain.head().hash()),
            state_root: arguments::show(chain.root()),
            replay: None,
        }
    }

    /// The table for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::new();
        let mut models = table(&["accuracy", "right", "of", "share"]);
        for (name, Accuracy { right, rows }) in [("float original", self.float), ("model on the chain", self.on_chain)]
        {
            let share = format!("{:.4}", ratio(right, rows));
            models.add_row([name, &right.to_string(), &rows.to_string(), &share]);
        }
        let _ = writeln!(text, "\n{models}\n");
        if self.different_rows.is_empty() {
            let _ = writeln!(text, " they decide every row alike\n");
        } else {
            let mut different =
                table(&["rows where they differ", "truth", "float", "on the chain", "p float", "p chain"]);
            for row in &self.different_rows {
                let float = row.float_malignancy.map_or("none".to_owned(), |p| format!("{p:.5}"));
                let (truth, float_class) = (class(row.label), class(row.float));
                let chain = format!("{:.5}", row.on_chain_malignancy);
                different.add_row([
                    &format!("row {}", row.row),
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

    /// What was closed must be what is opened again.
    pub(super) fn compare_with_reopened(&self, chain: &Chain) -> Result<(), CliError> {
        let opened = (chain.height(), arguments::show(chain.head().hash()), arguments::show(chain.root()));
        let closed = (self.height, self.block_hash.clone(), self.state_root.clone());
        if opened == closed {
            return Ok(());
        }
        Err(CliError::Check {
            code: "reopened-differs",
            message: format!(
                "block {}, no transaction, field `head`: it was closed with block {} ({}) and state root {}, and opened \
                 with block {} ({}) and state root {}",
                opened.0.min(closed.0),
                closed.0,
                closed.1,
                closed.2,
                opened.0,
                opened.1,
                opened.2
            ),
            hint: "the directory was changed, or the disk loses what was written".to_owned(),
            details: json!({ "closed": closed, "opened": opened }),
        })
    }
}

impl Accuracy {
    fn new(pairs: impl Iterator<Item = (usize, usize)>) -> Accuracy {
        let right: Vec<bool> = pairs.map(|(label, said)| label == said).collect();
        Accuracy { right: right.iter().filter(|right| **right).count(), rows: right.len() }
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
