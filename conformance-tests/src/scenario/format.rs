//! The format of scenario files. `vectors/README.md` says what everything means.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A file of scenarios.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenarios {
    /// What it is about.
    pub about: String,
    /// The scenarios, independent of each other.
    pub cases: Vec<Case>,
}

/// One scenario: a state, contracts, and messages one after the other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The block that all messages are in.
    #[serde(default)]
    pub block: Block,
    /// Native balances at the beginning, by name or address.
    #[serde(default)]
    pub balances: BTreeMap<String, String>,
    /// Models that the chain has.
    #[serde(default)]
    pub models: Vec<String>,
    /// The contracts, in the order in which they are deployed.
    pub contracts: Vec<Contract>,
    /// What is sent; by default one call of the last contract.
    pub messages: Option<Vec<Message>>,
}

/// Where in the chain the messages are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Block {
    /// The chain id.
    pub chain_id: String,
    /// The height.
    pub height: u64,
    /// The time, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Deposit for a byte, in native units: a decimal number.
    pub deposit_per_byte: String,
}

impl Default for Block {
    fn default() -> Block {
        Block {
            chain_id: "noema-vectors".to_owned(),
            height: 7,
            time_ms: 1_700_000_000_000,
            deposit_per_byte: "0".to_owned(),
        }
    }
}

/// A contract: what its entry points do, or a module in the text format.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Its name; others refer to its address as `@name`.
    pub name: String,
    /// A module in the text format, in a file beside the scenario.
    pub wat: Option<String>,
    /// What `init` does.
    pub init: Option<Vec<Step>>,
    /// What `call` does.
    pub call: Option<Vec<Step>>,
    /// What `view` does.
    pub view: Option<Vec<Step>>,
    /// What `migrate` does.
    pub migrate: Option<Vec<Step>>,
}

/// One host call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The row, as `group.name`.
    pub call: String,
    /// Its arguments by their names in the table.
    #[serde(default)]
    pub args: BTreeMap<String, Value>,
    /// A name for the result and the outputs, for later steps.
    #[serde(rename = "as")]
    pub label: Option<String>,
    /// Calls it this many times; what is expected is said of the last one.
    pub repeat: Option<u32>,
    /// The non-negative result that is expected, or `any`.
    pub result: Option<Value>,
    /// Or the status.
    pub status: Option<String>,
    /// Or that it does not return.
    pub stops: Option<Stops>,
    /// The bytes that are written, by argument. What is not named is not written.
    #[serde(default)]
    pub out: BTreeMap<String, Value>,
    /// Units of work charged, where there are any: a number, or the length of the code of `@contract`.
    pub work: Option<Value>,
}

/// Why a call does not return.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Stops {
    /// The contract aborts.
    Abort,
    /// The contract faults after the entry price is charged.
    Fault,
    /// The contract cannot pay.
    OutOfGas,
}

/// One message and what is expected of its receipt.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Message {
    /// Calls this contract.
    pub call: Option<String>,
    /// Or its view.
    pub view: Option<String>,
    /// Or deploys it (otherwise contracts are deployed before the messages).
    pub deploy: Option<String>,
    /// Or gives this contract the code of the contract under `code`.
    pub migrate: Option<String>,
    /// The contract whose code a migration takes.
    pub code: Option<String>,
    /// Who sends it, by name.
    pub sender: Option<String>,
    /// The value that goes with it.
    pub value: Option<String>,
    /// Its input.
    pub input: Option<Value>,
    /// Its gas limit.
    pub gas_limit: Option<u64>,
    /// What is expected.
    pub expect: Expect,
}

/// What is expected of a message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// `success` (also if it is not given), `abort`, `fault` or `rejected`.
    pub status: Option<String>,
    /// The code of an abort.
    pub code: Option<u32>,
    /// The message of an abort.
    pub message: Option<Value>,
    /// The return data.
    pub output: Option<Value>,
    /// The events.
    pub events: Option<Vec<ExpectedEvent>>,
    /// The lines of the log.
    pub logs: Option<Vec<String>>,
    /// Native balances after it.
    pub balances: BTreeMap<String, String>,
    /// Most bytes of tensors and arenas held at a time.
    pub tensor_bytes: Option<u64>,
}

/// An event of a receipt.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedEvent {
    /// The contract, by name.
    pub contract: String,
    /// The topic.
    pub topic: Value,
    /// The data.
    pub data: Value,
}
