//! The decisions: one signed transaction for each patient.

use std::time::{Duration, Instant};

use noema_chain::{Action, Address, Chain, ReceiptStatus};
use noema_import::{Table, quantise_input};
use noema_model::Model;
use noema_vm::GasUsed;
use serde_json::{Value, json};

use crate::interface::Interface;
use crate::receipts::ResultReport;
use crate::session::Sender;
use crate::{CliError, Output};

/// What is to be decided, and by whom.
pub(super) struct Job<'a> {
    pub(super) interface: &'a Interface,
    pub(super) contract: Address,
    pub(super) model: &'a Model,
    pub(super) rows: &'a Table,
    pub(super) block_size: usize,
}

/// What the contract decided about a patient.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What both models decided together: 1 is malignant.
    pub class: usize,
    /// The probabilities of malignancy that the network and the trees gave.
    pub malignancy: [f64; 2],
    /// Where the gas of the transaction went.
    pub gas: GasUsed,
    /// Height of its block.
    pub height: u64,
}

impl Decision {
    /// What the network (0) or the trees (1) would have decided alone.
    #[must_use]
    pub fn class_of(&self, model: usize) -> usize {
        usize::from(self.malignancy[model] > 0.5)
    }
}

/// All decisions, in the order of the rows, and how long the blocks took.
pub(super) struct Decisions {
    pub(super) list: Vec<Decision>,
    pub(super) took: Duration,
}

/// Sends one transaction for each row, `block_size` in a block.
pub(super) fn send(
    output: Output,
    chain: &mut Chain,
    clinic: &mut Sender,
    job: &Job<'_>,
) -> Result<Decisions, CliError> {
    let inputs = inputs(job)?;
    let bar = output.progress(u64::try_from(inputs.len()).unwrap_or(u64::MAX), "decisions");
    let start = Instant::now();
    let mut list = Vec::with_capacity(inputs.len());
    for block in inputs.chunks(job.block_size) {
        let action = |input: &Vec<u8>| Action::Call { contract: job.contract, input: input.clone() };
        let transactions = block.iter().map(|input| clinic.sign(0, action(input))).collect();
        let executed = clinic.commit(chain, transactions)?;
        for (receipt, notes) in executed.receipts.iter().zip(&executed.notes) {
            let result = ResultReport::new(&receipt.receipt, notes, Some((job.interface, "decide")));
            if receipt.receipt.status != ReceiptStatus::Success {
                return Err(crate::receipts::failed(
                    &format!(
                        "the decision about row {}, transaction {} of block {},",
                        list.len(),
                        receipt.index,
                        receipt.height
                    ),
                    &result,
                    &result,
                ));
            }
            list.push(read(&result, job, list.len(), receipt.height, receipt.receipt.gas)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(Decisions { list, took: start.elapsed() })
}

/// The input of each transaction: the patient's number and the features in fixed point.
fn inputs(job: &Job<'_>) -> Result<Vec<Vec<u8>>, CliError> {
    let Some(port) = job.model.manifest().inputs.first() else {
        return Err(unexpected("the model has no input", &Value::Null));
    };
    let rows = job.rows.rows.iter().enumerate().map(|(patient, row)| {
        let row = quantise_input(port, row)
            .map_err(|error| CliError::argument("heldout.csv", format!("row {patient}: {error}"), ""))?;
        job.interface.encode_call("decide", &json!({ "patient": patient, "row": row }))
    });
    rows.collect()
}

/// Reads a decision from what the contract returned and from its event, which must agree.
fn read(result: &ResultReport, job: &Job<'_>, patient: usize, height: u64, gas: GasUsed) -> Result<Decision, CliError> {
    let details = json!(result);
    let class = class(result.result.as_ref()).ok_or_else(|| unexpected("`decide` returned no class", &details))?;
    let event = match &result.events[..] {
        [event] if event.topic == "decided" => event.value.as_ref(),
        _ => None,
    };
    let event =
        event.ok_or_else(|| unexpected("`decide` emitted something else than one event `decided`", &details))?;
    if event["patient"] != json!(patient) || self::class(event.get("class")) != Some(class) {
        return Err(unexpected("the event `decided` is about something else than the decision", &details));
    }
    let probability = |name: &str| {
        let raw = event[name].as_i64().and_then(|raw| i32::try_from(raw).ok());
        let raw = raw.ok_or_else(|| unexpected(&format!("the event `decided` has no `{name}`"), &details))?;
        Ok::<_, CliError>(f64::from(raw) * probability_unit(job.model))
    };
    let malignancy = [probability("malignancy")?, probability("tree_malignancy")?];
    Ok(Decision { class, malignancy, gas, height })
}

/// What a unit of the model's probabilities stands for.
fn probability_unit(model: &Model) -> f64 {
    let manifest = model.manifest();
    let port = manifest.output("probabilities").and_then(|index| manifest.outputs.get(index));
    port.map_or(1.0, |port| 0.5_f64.powi(i32::from(port.fraction_bits)))
}

fn class(value: Option<&Value>) -> Option<usize> {
    match value?.as_str()? {
        "Benign" => Some(0),
        "Malignant" => Some(1),
        _ => None,
    }
}

/// Asks the contract for every decision: what the receipts say must be what the state holds.
pub(super) fn compare_with_state(
    chain: &Chain,
    interface: &Interface,
    contract: Address,
    decisions: &Decisions,
) -> Result<(), CliError> {
    let ask = |view: &str, args: Value| -> Result<Value, CliError> {
        let outcome = chain.view(contract, &interface.encode_view(view, &args)?, super::GAS_LIMIT)?;
        let answer = interface.decode_result(view, &outcome.receipt.output);
        answer.ok_or_else(|| unexpected(&format!("the view `{view}` answered {:?}", outcome.receipt.status), &args))
    };
    for (patient, decision) in decisions.list.iter().enumerate() {
        let stored = ask("decision", json!([patient]))?;
        if class(stored.get("class")) != Some(decision.class) || stored["height"] != json!(decision.height) {
            return Err(unexpected(&format!("the state has another decision about row {patient}"), &stored));
        }
    }
    let malignant = decisions.list.iter().filter(|decision| decision.class == 1).count();
    let summary = ask("summary", json!([]))?;
    if summary["malignant"] != json!(malignant) || summary["benign"] != json!(decisions.list.len() - malignant) {
        return Err(unexpected("the contract counted otherwise", &summary));
    }
    Ok(())
}

/// The contract did something else than the demo is about.
fn unexpected(what: &str, details: &Value) -> CliError {
    CliError::Check {
        code: "demo-failed",
        message: what.to_owned(),
        hint: "is examples/screening the contract that belongs to this program?".to_owned(),
        details: details.clone(),
    }
}
