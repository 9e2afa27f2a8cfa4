//! The interface of a contract, as commands use it: found on the chain or in a file, with errors that say what to do.

use std::fmt;

use noema_chain::{Address, Chain};
use noema_schema::{MethodKind, Schema, SchemaError};
use noema_vm::layout::{self, ContractRecord};
use serde_json::Value;

use crate::CliError;

/// What a contract's entry points take and return.
#[derive(Clone, Debug)]
pub struct Interface(Schema);

impl Interface {
    /// The interface in a module. One that cannot be read is as good as none: it is only for tools.
    #[must_use]
    pub fn of_wasm(wasm: &[u8]) -> Option<Interface> {
        match Schema::from_wasm(wasm) {
            Ok(schema) => Some(Interface(schema)),
            Err(SchemaError::NoSchema) => None,
            Err(error) => {
                tracing::warn!("{error}");
                None
            }
        }
    }

    /// The interface of a contract on the chain, as its code is now.
    ///
    /// # Errors
    /// The chain cannot be read.
    pub fn of_contract(chain: &Chain, contract: Address) -> Result<Option<Interface>, CliError> {
        let state = chain.state()?;
        let Some(record) = state.get(&layout::contract_key(&contract))? else { return Ok(None) };
        let Ok(record) = borsh::from_slice::<ContractRecord>(&record) else { return Ok(None) };
        let code = state.get(&layout::code_key(&record.code_hash))?;
        Ok(code.and_then(|code| Interface::of_wasm(&code)))
    }

    /// The interface, where a command cannot do without.
    ///
    /// # Errors
    /// There is no contract at the address, or it has no interface.
    pub fn required<'a>(
        interface: Option<&'a Interface>,
        chain: &Chain,
        contract: Address,
    ) -> Result<&'a Interface, CliError> {
        if let Some(interface) = interface {
            return Ok(interface);
        }
        if chain.state()?.get(&layout::contract_key(&contract))?.is_some() {
            return Err(Interface::missing(&format!("contract {contract}")));
        }
        let problem = format!("there is no contract at {contract}");
        Err(CliError::argument("CONTRACT", problem, "`noema deploy` shows the address of what it deploys"))
    }

    /// The error for code without an interface.
    #[must_use]
    pub fn missing(what: &dyn fmt::Display) -> CliError {
        let problem =
            format!("{what} does not say how its arguments are encoded (no section `{}`)", noema_schema::SECTION);
        CliError::argument("ARGS", problem, "give the bytes with --hex")
    }

    /// The name of the contract's type.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.contract
    }

    /// Its entry points, for people.
    #[must_use]
    pub fn methods(&self) -> Vec<String> {
        self.0.methods.iter().map(ToString::to_string).collect()
    }

    /// The input of a method that is run by `noema call`.
    ///
    /// # Errors
    /// No such method, or arguments that do not fit it.
    pub fn encode_call(&self, method: &str, args: &Value) -> Result<Vec<u8>, CliError> {
        // A view may also be called: other contracts do.
        self.encode(method, &[MethodKind::Call, MethodKind::View], "it is not run by `noema call`", args)
    }

    /// The input of a view.
    ///
    /// # Errors
    /// No such view, or arguments that do not fit it.
    pub fn encode_view(&self, method: &str, args: &Value) -> Result<Vec<u8>, CliError> {
        self.encode(method, &[MethodKind::View], "it is no view: `noema call` runs it in a transaction", args)
    }

    /// The input of `init`.
    ///
    /// # Errors
    /// Arguments that do not fit it.
    pub fn encode_init(&self, args: &Value) -> Result<Vec<u8>, CliError> {
        match self.0.entry(MethodKind::Init) {
            Some(init) => self.encode_args(&init.name, args),
            None => Ok(Vec::new()),
        }
    }

    fn encode(&self, method: &str, kinds: &[MethodKind], wrong: &str, args: &Value) -> Result<Vec<u8>, CliError> {
        let hint = || format!("the methods of {} are: {}", self.name(), self.methods().join("; "));
        let known = self.0.method(method).map_err(|error| CliError::argument("METHOD", error, hint()))?;
        if !kinds.contains(&known.kind) {
            return Err(CliError::argument("METHOD", format!("`{method}`: {wrong}"), hint()));
        }
        self.encode_args(method, args)
    }

    fn encode_args(&self, method: &str, args: &Value) -> Result<Vec<u8>, CliError> {
        self.0.encode_args(method, args).map_err(|error| {
            let method = self.0.method(method).map(ToString::to_string).unwrap_or_default();
            CliError::argument("ARGS", error, format!("the method is {method}"))
        })
    }

    /// What an abort code means.
    #[must_use]
    pub fn explain_abort(&self, code: u32) -> Option<String> {
        self.0.explain_abort(code)
    }

    /// The method that an input names.
    #[must_use]
    pub fn method_of(mut input: &[u8]) -> Option<String> {
        borsh::BorshDeserialize::deserialize(&mut input).ok()
    }

    /// What a method returned; `None` where the bytes do not fit.
    #[must_use]
    pub fn decode_result(&self, method: &str, output: &[u8]) -> Option<Value> {
        self.0.decode_result(method, output).ok()
    }

    /// What an event holds; `None` where the interface does not know it or the bytes do not fit.
    #[must_use]
    pub fn decode_event(&self, topic: &[u8], data: &[u8]) -> Option<Value> {
        self.0.decode_event(topic, data)?.ok()
    }
}
