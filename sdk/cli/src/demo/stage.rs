//! The stage of the economies: a real chain in a directory, people with names and money, contracts that are called by the
//! JSON of their interface.
//!
//! ```text
//!  begin(cast) --> import, upload, deploy --> block([contract.call(who, method, args), ..]), view, later, .. --> finish
//!                                                                                                                  |
//!                                  close, open again, replay from the genesis on every level asked for <-----------+
//! ```
//!
//! People's keys, block times and order are fixed: the same code gives the same chain. One second passes between blocks,
//! unless the story says more.

mod model;
mod money;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use noema_chain::{Action, Address, Chain, KeyPair, ReceiptStatus};
use noema_model::Model;
use serde::Serialize;
use serde_json::{Value, json};

pub use model::Imported;
pub use money::{COIN, coins, shown, signed};

use super::{BLOCK_MS, DemoOptions, GAS_LIMIT, begin, example, reopen, sender};
use crate::commands::replay::{self, ReplaySummary};
use crate::commands::{build, deploy, model::add};
use crate::interface::Interface;
use crate::receipts::{GasReport, ResultReport};
use crate::session::Sender;
use crate::{CliError, Output};

/// A chain on which a story is told.
pub struct Stage<'a> {
    output: Output,
    options: &'a DemoOptions,
    dir: PathBuf,
    chain: Chain,
    people: BTreeMap<&'static str, Person>,
    /// How much later than usual the next block is.
    pause_ms: u64,
}

impl std::fmt::Debug for Stage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("dir", &self.dir).field("people", &self.people).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Person {
    sender: Sender,
    begins_with: u128,
}

/// A contract on the stage.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Where it is.
    pub address: Address,
    interface: Interface,
}

/// A call that somebody is about to send.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `send` or `block`"]
pub struct Act<'a> {
    contract: &'a Contract,
    who: &'a str,
    method: &'a str,
    args: Value,
    value: u128,
    refused: Option<&'a str>,
}

/// What a call did.
#[derive(Clone, Debug)]
pub struct Done {
    /// What it returned; nothing where it was refused, as expected.
    pub result: Value,
    /// What its contract told the world: topics and what they hold.
    pub events: Vec<(String, Value)>,
    /// Where its gas went.
    pub gas: GasReport,
}

/// What happened on a chain, in numbers.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Blocks after the genesis.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Those that had no effect but their fee: aborts and the like.
    pub refused: u64,
    /// Gas of all of them.
    pub gas: u64,
    /// Gas of the largest.
    pub largest: u64,
    /// Gas of tensors and models in all of them.
    pub tensor_gas: u64,
}

impl Totals {
    /// Counts everything that a chain has.
    ///
    /// # Errors
    /// The chain cannot be read.
    pub fn of(chain: &Chain) -> Result<Totals, CliError> {
        let mut totals = Totals { blocks: chain.height(), ..Totals::default() };
        for height in 1..=chain.height() {
            for each in chain.receipts(height)? {
                let gas = each.gas_used();
                totals.transactions += 1;
                totals.refused += u64::from(each.receipt.status != ReceiptStatus::Success);
                totals.gas = totals.gas.saturating_add(gas);
                totals.largest = totals.largest.max(gas);
                totals.tensor_gas = totals.tensor_gas.saturating_add(each.receipt.gas.tensor);
            }
        }
        Ok(totals)
    }
}

impl Contract {
    /// A call with its arguments in JSON: a list in their order, or an object by name.
    pub fn call<'a>(&'a self, who: &'a str, method: &'a str, args: Value) -> Act<'a> {
        Act { contract: self, who, method, args, value: 0, refused: None }
    }
}

impl<'a> Act<'a> {
    /// Sends native units along.
    pub fn value(self, units: u128) -> Act<'a> {
        Act { value: units, ..self }
    }

    /// The contract is to refuse it, with the error of this name in its interface (or in the words of the SDK).
    pub fn refused(self, error: &'a str) -> Act<'a> {
        Act { refused: Some(error), ..self }
    }
}

impl<'a> Stage<'a> {
    /// A new chain in this directory, on which these people have so many native units.
    ///
    /// # Errors
    /// The chain cannot be created.
    pub fn begin(
        dir: &Path,
        name: &str,
        cast: &[(&'static str, u128)],
        output: Output,
        options: &'a DemoOptions,
    ) -> Result<Stage<'a>, CliError> {
        let balances = cast.iter().map(|(name, units)| (key(name).address(), *units)).collect();
        let chain = begin(dir, options, &format!("noema-{name}"), balances)?;
        let mut people = BTreeMap::new();
        for &(name, begins_with) in cast {
            people.insert(name, Person { sender: sender(&chain, key(name))?, begins_with });
        }
        Ok(Stage { output, options, dir: dir.to_path_buf(), chain, people, pause_ms: 0 })
    }

    /// The address of somebody, as JSON arguments have it.
    #[must_use]
    pub fn address(&self, who: &str) -> String {
        key(who).address().to_string()
    }

    /// A file under the directory of examples.
    ///
    /// # Errors
    /// It is not there.
    pub fn file(&self, path: &str) -> Result<PathBuf, CliError> {
        let path = example::root(self.options.examples.as_deref()).join(path);
        if path.exists() { Ok(path) } else { Err(example::missing(&path)) }
    }

    /// Uploads a model in somebody's name, who makes the deposit for it; returns its id.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn upload(&mut self, who: &str, model: &Model) -> Result<String, CliError> {
        let person = person(&mut self.people, who)?;
        let report = add::upload(self.output, &mut self.chain, &mut person.sender, model, super::CHUNKS_PER_BLOCK)?;
        Ok(report.model)
    }

    /// Builds the contract of an example (`compute-market`, or `supply-chain/escrow` where it has several) and deploys it in
    /// somebody's name, who gives it the deposit for its code and some entries.
    ///
    /// # Errors
    /// It cannot be built, the arguments do not fit `init`, or the deployment did not succeed.
    pub fn deploy(&mut self, who: &str, example: &str, args: &Value) -> Result<Contract, CliError> {
        let folder = self.file(example)?;
        let built = build::compile(self.output, &folder, None)?;
        let interface = Interface::of_wasm(&built.wasm).ok_or_else(|| Interface::missing(&folder.display()))?;
        let input = interface.encode_init(args)?;
        let value = deploy::usual_value(&self.chain, built.wasm.len());
        let person = person(&mut self.people, who)?;
        // Somebody may deploy the same code more than once.
        let salt = self.chain.height();
        let report = deploy::deploy(&mut self.chain, &mut person.sender, built.wasm, salt, value, input)?;
        let address = crate::arguments::hash(&report.contract).map(Address).map_err(super::internal)?;
        Ok(Contract { address, interface })
    }

    /// Sends one call in a block of its own.
    ///
    /// # Errors
    /// As [`Stage::block`].
    pub fn send(&mut self, act: Act<'_>) -> Result<Done, CliError> {
        let mut done = self.block(vec![act])?;
        done.pop().ok_or_else(|| super::internal("a block has no receipt for its transaction".to_owned()))
    }

    /// Sends calls of one or several people in one block, in this order.
    ///
    /// # Errors
    /// Arguments that do not fit a method, or a call that ends otherwise than its act says.
    pub fn block(&mut self, acts: Vec<Act<'_>>) -> Result<Vec<Done>, CliError> {
        let mut transactions = Vec::with_capacity(acts.len());
        for act in &acts {
            let input = act.contract.interface.encode_call(act.method, &act.args)?;
            let action = Action::Call { contract: act.contract.address, input };
            transactions.push(person(&mut self.people, act.who)?.sender.sign(act.value, action));
        }
        let time =
            self.chain.head().time_ms.saturating_add(BLOCK_MS).saturating_add(std::mem::take(&mut self.pause_ms));
        let executed = self.chain.execute_block(time, transactions)?;
        let pairs = acts.iter().zip(executed.receipts.iter().zip(&executed.notes));
        pairs
            .map(|(act, (receipt, notes))| {
                let named = Some((&act.contract.interface, act.method));
                check(act, ResultReport::new(&receipt.receipt, notes, named))
            })
            .collect()
    }

    /// The next block comes so many milliseconds later than it would.
    pub fn later(&mut self, milliseconds: u64) {
        self.pause_ms = self.pause_ms.saturating_add(milliseconds);
    }

    /// So many blocks pass in which nobody does anything.
    ///
    /// # Errors
    /// The chain cannot commit them.
    pub fn blocks(&mut self, count: u64) -> Result<(), CliError> {
        (0..count).try_for_each(|_| self.block(vec![]).map(|_| ()))
    }

    /// Time of the newest block, in milliseconds since 1970.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.chain.head().time_ms
    }

    /// Height of the newest block.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.chain.height()
    }

    /// Asks a contract, without a transaction.
    ///
    /// # Errors
    /// Arguments that do not fit the view, or it did not succeed.
    pub fn view(&self, contract: &Contract, view: &str, args: &Value) -> Result<Value, CliError> {
        let input = contract.interface.encode_view(view, args)?;
        let outcome = self.chain.view(contract.address, &input, GAS_LIMIT)?;
        contract
            .interface
            .decode_result(view, &outcome.receipt.output)
            .ok_or_else(|| unexpected(&format!("the view `{view}` answered {:?}", outcome.receipt.status), args))
    }

    /// Everything that a contract has told the world under a topic, in order.
    ///
    /// # Errors
    /// The chain cannot be read.
    pub fn events(&self, contract: &Contract, topic: &str) -> Result<Vec<Value>, CliError> {
        let mut values = Vec::new();
        for height in 1..=self.chain.height() {
            for receipt in self.chain.receipts(height)? {
                let events = receipt.receipt.events.iter();
                let own = events.filter(|event| event.contract == contract.address && event.topic == topic.as_bytes());
                values.extend(own.filter_map(|event| contract.interface.decode_event(&event.topic, &event.data)));
            }
        }
        Ok(values)
    }

    /// What somebody has won or lost since the beginning, in native units. Fees, and deposits for models that they hold, are
    /// left out: what remains is what passed between them and others.
    ///
    /// # Errors
    /// The chain cannot be read.
    pub fn gain(&self, who: &str) -> Result<i128, CliError> {
        let begins_with = self.people.get(who).ok_or_else(|| nobody(who))?.begins_with;
        let address = key(who).address();
        let mut has = self.chain.account(&address)?.balance;
        for (_, deposit) in self.chain.holds(&address)? {
            has = has.saturating_add(deposit);
        }
        for height in 1..=self.chain.height() {
            for receipt in self.chain.receipts(height)?.iter().filter(|receipt| receipt.sender == address) {
                has = has.saturating_add(receipt.fee);
            }
        }
        i128::try_from(has)
            .and_then(|has| Ok(has - i128::try_from(begins_with)?))
            .map_err(|error| super::internal(format!("the balance of {who}: {error}")))
    }

    /// What a contract has that is not locked for what it keeps.
    ///
    /// # Errors
    /// The chain cannot be read.
    pub fn free(&self, contract: &Contract) -> Result<u128, CliError> {
        Ok(self.chain.deposit(&contract.address)?.free())
    }

    /// Closes the chain, opens it again, and replays it on every level with every number of threads that was asked for.
    /// `closed` is called in between.
    ///
    /// # Errors
    /// A difference, with the first differing block, transaction and field.
    pub fn finish(self, closed: &mut dyn FnMut(&Path)) -> Result<(Totals, ReplaySummary), CliError> {
        let Stage { output, options, dir, chain, .. } = self;
        let totals = Totals::of(&chain)?;
        let chain = reopen(&dir, options, chain, closed)?;
        Ok((totals, replay::replay(output, &chain, &options.levels, &options.threads)?))
    }
}

/// Everybody's secret is their name: it is none, so that everybody's demo is the same chain.
fn key(name: &str) -> KeyPair {
    let mut seed = [0; 32];
    seed.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
    KeyPair::from_seed(seed)
}

fn person<'p>(people: &'p mut BTreeMap<&'static str, Person>, who: &str) -> Result<&'p mut Person, CliError> {
    people.get_mut(who).ok_or_else(|| nobody(who))
}

fn nobody(who: &str) -> CliError {
    super::internal(format!("{who} is not in the cast of the story"))
}

/// Whether a call ended as its act says.
fn check(act: &Act<'_>, result: ResultReport) -> Result<Done, CliError> {
    let meaning = result.abort_meaning.as_deref().unwrap_or_default();
    let as_expected = match act.refused {
        None => result.succeeded(),
        Some(error) => meaning == error || meaning.split_once(": ").is_some_and(|(name, _)| name == error),
    };
    if !as_expected {
        let expected = act.refused.map_or("succeed".to_owned(), |error| format!("be refused with `{error}`"));
        let what = format!("`{}` of {} was to {expected}, and ended with {}", act.method, act.who, result.verdict());
        return Err(unexpected(&what, &json!(result)));
    }
    let events = result.events.into_iter().map(|event| (event.topic, event.value.unwrap_or_default()));
    Ok(Done { events: events.collect(), gas: result.gas, result: result.result.unwrap_or_default() })
}

/// A contract did something else than the story is about.
pub fn unexpected(what: &str, details: &Value) -> CliError {
    CliError::Check {
        code: "demo-failed",
        message: what.to_owned(),
        hint: "do the examples belong to this program? `noema build` makes it of the same repository".to_owned(),
        details: details.clone(),
    }
}
