//! Which method of which contract a command runs, and with what.

use clap::Args;
use noema_chain::{Address, Chain};
use serde_json::Value;

use crate::CliError;
use crate::arguments;
use crate::interface::Interface;

/// A contract, and a method with its arguments or raw input.
#[derive(Args, Debug)]
pub struct MethodArgs {
    /// Address of the contract
    #[arg(value_name = "CONTRACT", value_parser = arguments::hash)]
    contract: [u8; 32],
    /// Method to run
    #[arg(required_unless_present = "hex")]
    method: Option<String>,
    /// Its arguments in JSON: a list in their order, or an object by name
    #[arg(value_name = "ARGS", default_value = "[]")]
    args: String,
    /// Raw input in hex instead of a method and arguments
    #[arg(long, value_name = "HEX", conflicts_with = "method")]
    hex: Option<String>,
}

/// How an interface encodes the arguments of a method.
type Encode = fn(&Interface, &str, &Value) -> Result<Vec<u8>, CliError>;

impl MethodArgs {
    /// The contract.
    #[must_use]
    pub fn contract(&self) -> Address {
        Address(self.contract)
    }

    /// The method; nothing where the input is raw.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or_default()
    }

    /// The input for the contract.
    ///
    /// # Errors
    /// The input is no hex, the contract has no interface, or the arguments do not fit the method.
    pub fn input(&self, interface: Option<&Interface>, chain: &Chain, encode: Encode) -> Result<Vec<u8>, CliError> {
        self.input_with(&self.args, interface, chain, encode)
    }

    /// The same with other arguments.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn input_with(
        &self,
        args: &str,
        interface: Option<&Interface>,
        chain: &Chain,
        encode: Encode,
    ) -> Result<Vec<u8>, CliError> {
        match &self.hex {
            Some(text) => raw(text),
            None => {
                let args = json_args(args)?;
                encode(Interface::required(interface, chain, self.contract())?, self.method(), &args)
            }
        }
    }
}

/// Reads the JSON of arguments.
///
/// # Errors
/// It is no JSON, or neither a list nor an object.
pub fn json_args(text: &str) -> Result<Value, CliError> {
    let hint = "give a list in the order of the arguments, such as '[1, \"two\"]', or an object by name";
    match serde_json::from_str(text) {
        Ok(value @ (Value::Array(_) | Value::Object(_))) => Ok(value),
        Ok(other) => Err(CliError::argument("ARGS", format!("`{other}` is one value"), hint)),
        Err(error) => Err(CliError::argument("ARGS", format!("not JSON: {error}"), hint)),
    }
}

/// Reads raw input.
///
/// # Errors
/// It is no hex.
pub fn raw(text: &str) -> Result<Vec<u8>, CliError> {
    arguments::bytes(text).map_err(|problem| CliError::argument("--hex", problem, "give an even number of hex digits"))
}
