//! Receipts for people and scripts.

use std::io::{self, Write};

use noema_chain::{ExecutedBlock, Notes, ReceiptStatus, TRANSACTION_GAS, TransactionReceipt};
use noema_vm::{Event, GasUsed, Receipt};
use serde::Serialize;
use serde_json::Value;

use crate::interface::Interface;
use crate::output::Report;
use crate::{CliError, arguments};

/// What became of a transaction.
#[derive(Serialize, Debug)]
pub struct ReceiptReport {
    /// Its hash.
    pub transaction: String,
    /// Height of its block.
    pub height: u64,
    /// Place in the block.
    pub index: u32,
    /// Who sent it.
    pub sender: String,
    /// What the sender paid.
    pub fee: String,
    /// Everything that all nodes agree on.
    #[serde(flatten)]
    pub result: ResultReport,
}

/// The result of an execution: of a transaction or of a view.
#[derive(Serialize, Debug)]
pub struct ResultReport {
    /// `success`, `abort`, `fault`, `rejected` or `insufficient-deposit`.
    pub status: &'static str,
    /// Code of an abort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_code: Option<u32>,
    /// What the contract or the SDK calls that code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_meaning: Option<String>,
    /// Why it did not succeed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the gas went.
    pub gas: GasReport,
    /// What the method returned, where the interface of the contract is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Return data, hex.
    pub output: String,
    /// Events in order.
    pub events: Vec<EventReport>,
    /// Hash of everything written.
    pub write_hash: String,
    /// Hash of the receipt.
    pub receipt_hash: String,
    /// Highest logical stack depth.
    pub depth: u64,
    /// Most bytes of tensors and models at a time.
    pub tensor_bytes: u64,
    /// What contracts logged on this node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
    /// What this node knows beyond the receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostic: Option<String>,
}

/// Where the gas went, in picoseconds of the reference machine.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GasReport {
    /// All of it.
    pub used: u64,
    /// What was allowed.
    pub limit: u64,
    /// WebAssembly operators.
    pub wasm: u64,
    /// Host functions that are in no other class.
    pub host: u64,
    /// Tensors and models.
    pub tensor: u64,
    /// State and events.
    pub state: u64,
    /// Admission and loading of code.
    pub code: u64,
    /// Lost with frames that faulted.
    pub forfeited: u64,
    /// What the chain does for every transaction; nothing for a view.
    pub transaction: u64,
}

/// An event.
#[derive(Serialize, Debug)]
pub struct EventReport {
    /// Which contract.
    pub contract: String,
    /// Its topic: text where it is text, else hex.
    pub topic: String,
    /// Its data, where the interface of the contract knows the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Its data, hex.
    pub data: String,
}

impl GasReport {
    fn new(gas: &GasUsed, limit: u64) -> GasReport {
        let GasUsed { wasm, host, tensor, state, code, forfeited } = *gas;
        GasReport { used: gas.total(), limit, wasm, host, tensor, state, code, forfeited, transaction: 0 }
    }

    /// With what the chain takes of the limit of a transaction before its message has the rest.
    fn of_transaction(self) -> GasReport {
        let with = |gas: u64| gas.saturating_add(TRANSACTION_GAS);
        GasReport { used: with(self.used), limit: with(self.limit), transaction: with(self.transaction), ..self }
    }
}

impl ResultReport {
    /// Reads a receipt; `interface` and `method` say what its bytes mean.
    #[must_use]
    pub fn new(receipt: &Receipt, notes: &Notes, interface: Option<(&Interface, &str)>) -> ResultReport {
        let (status, abort_code, reason) = match &receipt.status {
            ReceiptStatus::Success => ("success", None, None),
            ReceiptStatus::Abort { code, message } => {
                ("abort", Some(*code), Some(String::from_utf8_lossy(message).into_owned()))
            }
            ReceiptStatus::Fault => {
                ("fault", None, Some("a trap, out of gas or out of stack: all gas is used".to_owned()))
            }
            ReceiptStatus::Rejected { reason } => ("rejected", None, Some(reason.to_string())),
            ReceiptStatus::InsufficientDeposit(shortfall) => {
                ("insufficient-deposit", None, Some(shortfall.to_string()))
            }
        };
        let result = match (&receipt.status, interface) {
            (ReceiptStatus::Success, Some((interface, method))) => interface.decode_result(method, &receipt.output),
            _ => None,
        };
        let abort_meaning = abort_code.and_then(|code| match interface {
            Some((interface, _)) => interface.explain_abort(code),
            None => noema_schema::explain_abort(code),
        });
        ResultReport {
            status,
            abort_code,
            abort_meaning,
            reason,
            gas: GasReport::new(&receipt.gas, receipt.gas_limit),
            result,
            output: arguments::show(&receipt.output),
            events: receipt.events.iter().map(|event| EventReport::new(event, interface.map(|(it, _)| it))).collect(),
            write_hash: arguments::show(receipt.write_hash),
            receipt_hash: arguments::show(receipt.hash()),
            depth: receipt.depth,
            tensor_bytes: receipt.tensor_bytes,
            logs: notes.logs.clone(),
            diagnostic: notes.diagnostic.clone(),
        }
    }

    /// Whether the effects stand.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status == "success"
    }

    /// How it ended, in one line.
    #[must_use]
    pub fn verdict(&self) -> String {
        let mut text = self.status.to_owned();
        if let Some(code) = self.abort_code {
            let meaning = self.abort_meaning.as_ref().map(|text| format!(", {text}")).unwrap_or_default();
            text += &format!(" (code {code}{meaning})");
        }
        if let Some(reason) = self.reason.as_ref().filter(|reason| !reason.is_empty()) {
            text += &format!(": {reason}");
        }
        if let Some(diagnostic) = self.diagnostic.as_ref().filter(|words| self.reason.as_ref() != Some(words)) {
            text += &format!(" [{diagnostic}]");
        }
        text
    }
}

impl EventReport {
    fn new(event: &Event, interface: Option<&Interface>) -> EventReport {
        let topic = match std::str::from_utf8(&event.topic) {
            Ok(text) if text.chars().all(|c| !c.is_control()) => text.to_owned(),
            _ => arguments::show(&event.topic),
        };
        let value = interface.and_then(|interface| interface.decode_event(&event.topic, &event.data));
        EventReport { contract: event.contract.to_string(), topic, value, data: arguments::show(&event.data) }
    }
}

impl ReceiptReport {
    /// Reads a receipt; `interface` and `method` say what its bytes mean.
    #[must_use]
    pub fn new(receipt: &TransactionReceipt, notes: &Notes, interface: Option<(&Interface, &str)>) -> ReceiptReport {
        let mut result = ResultReport::new(&receipt.receipt, notes, interface);
        result.gas = result.gas.of_transaction();
        ReceiptReport {
            transaction: arguments::show(receipt.transaction),
            height: receipt.height,
            index: receipt.index,
            sender: receipt.sender.to_string(),
            fee: receipt.fee.to_string(),
            result,
        }
    }

    /// The receipts of a block that was just committed.
    #[must_use]
    pub fn of_block(executed: &ExecutedBlock, interface: Option<(&Interface, &str)>) -> Vec<ReceiptReport> {
        let pairs = executed.receipts.iter().zip(&executed.notes);
        pairs.map(|(receipt, notes)| ReceiptReport::new(receipt, notes, interface)).collect()
    }

    /// Itself if the transaction succeeded.
    ///
    /// # Errors
    /// A transaction that did not, with the receipt as details.
    pub fn successful(self, what: &str) -> Result<ReceiptReport, CliError> {
        if self.result.succeeded() {
            return Ok(self);
        }
        Err(failed(what, &self.result, &self))
    }
}

/// The error for an execution that did not succeed.
pub fn failed(what: &str, result: &ResultReport, details: &impl Serialize) -> CliError {
    let hint = match result.status {
        "abort" => "the contract stopped itself: its message says why",
        "fault" => "raise --gas-limit if the gas ran out; NOEMA_LOG=info shows what the contract logged",
        "insufficient-deposit" => {
            "send more value, or free some of what is kept; `noema account ADDRESS` shows what is locked"
        }
        _ => "correct what the reason names and send it again",
    };
    CliError::Check {
        code: "transaction-failed",
        message: format!("{what} did not succeed: {}", result.verdict()),
        hint: hint.to_owned(),
        details: serde_json::to_value(details).unwrap_or_default(),
    }
}

impl Report for ReceiptReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "transaction   {}", self.transaction)?;
        writeln!(out, "block         {}, transaction {}", self.height, self.index)?;
        writeln!(out, "sender        {}", self.sender)?;
        writeln!(out, "fee           {}", self.fee)?;
        self.result.write(out)
    }
}

impl Report for ResultReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "status        {}", self.verdict())?;
        if let Some(result) = &self.result {
            writeln!(out, "result        {result}")?;
        } else if !self.output.is_empty() {
            writeln!(out, "output        {}", self.output)?;
        }
        for event in &self.events {
            match &event.value {
                Some(value) => writeln!(out, "event         {} {value}", event.topic)?,
                None => writeln!(out, "event         {} {}", event.topic, event.data)?,
            }
        }
        for line in &self.logs {
            writeln!(out, "log           {line}")?;
        }
        let GasReport { used, limit, wasm, host, tensor, state, code, forfeited, transaction } = self.gas;
        writeln!(out, "gas           {} of {}", amount(used), amount(limit))?;
        for (name, gas) in [
            ("wasm", wasm),
            ("host", host),
            ("tensor", tensor),
            ("state", state),
            ("code", code),
            ("lost", forfeited),
            ("transaction", transaction),
        ] {
            if gas > 0 {
                writeln!(out, "  {name:<11} {}", amount(gas))?;
            }
        }
        writeln!(out, "receipt hash  {}", self.receipt_hash)
    }
}

/// A number with its thousands apart.
///
/// ```
/// assert_eq!(noema_cli::receipts::amount(1_234_567), "1 234 567");
/// ```
#[must_use]
pub fn amount(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for (index, digit) in digits[first..].chars().enumerate() {
        if index % 3 == 0 && !text.is_empty() {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
