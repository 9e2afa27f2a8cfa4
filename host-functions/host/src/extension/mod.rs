//! Host functions of a chain's own: rows of the same shape as the built-in table, in a module named after the chain,
//! through the same ten steps.
//!
//! ```text
//!   extension! { mod mychain { rows } }   (table.rs)  -->  trait mychain::Functions, mychain::extension(..)
//!                                                                   |
//!   Extension: rows joined to functions  <--------------------------+
//!        |
//!   Extensions: the set of a virtual machine, checked when it is built   -->  admission, binding
//!        |
//!   Extension::call --> call.rs, steps 1 to 10, with arguments as `Value`s (value.rs) and the frame as a `HostCall`
//! ```
//!
//! The functions are code of the chain, and consensus code: what they answer may depend on their arguments, on the
//! state and on the block, and on nothing else.

mod frame;
mod host_call;
mod set;
mod table;
mod value;

use std::sync::Arc;

use noema_abi::{HostFunction, Return};
use noema_tensor::Tensor;

use crate::argument::Argument;
use crate::call::{Answer, Planned, Pricing, Row, call};
use crate::outcome::Reply;
use crate::{GasClass, HostContext, Stop};

use frame::Erased;
pub use host_call::HostCall;
pub use set::{ExtensionError, Extensions};
pub use value::Value;
use value::{RawValues, Values};

/// What a call will need beyond its base price, known before anything is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Units of work, as the row's documentation names them: each costs `per_work` gas.
    pub work: u64,
    /// Bytes of the tensor that a row with the result `tensor` makes.
    pub tensor_bytes: u64,
}

impl Cost {
    /// Work, and nothing else.
    #[must_use]
    pub const fn work(work: u64) -> Cost {
        Cost { work, tensor_bytes: 0 }
    }
}

/// A result, as the row declares it.
#[derive(Debug)]
pub enum Returned {
    /// For rows with the result `u64`; 0 for `unit`.
    Number(u64),
    /// For rows with the result `tensor`.
    Tensor(Tensor),
}

impl From<()> for Returned {
    fn from((): ()) -> Returned {
        Returned::Number(0)
    }
}

impl From<u64> for Returned {
    fn from(number: u64) -> Returned {
        Returned::Number(number)
    }
}

impl From<Tensor> for Returned {
    fn from(tensor: Tensor) -> Returned {
        Returned::Tensor(tensor)
    }
}

impl From<std::convert::Infallible> for Returned {
    fn from(never: std::convert::Infallible) -> Returned {
        match never {}
    }
}

/// What one row of an extension does. [`crate::extension!`] implements it; by hand it is for tables that are only
/// known at run time, such as those of a foreign language.
///
/// A panic in it is a failure of this node, as is [`Stop::Node`]: neither is ever part of a receipt.
pub trait ExtensionFunction: Send + Sync {
    /// Every check that the cost depends on, and the cost. It must be cheap: only the base price is paid.
    ///
    /// # Errors
    /// A status for the contract, or the end of the call.
    fn cost(&self, call: &mut HostCall<'_>, arguments: &[Value<'_>]) -> Reply<Cost> {
        let _ = (call, arguments);
        Ok(Cost::default())
    }

    /// Does it. The arguments are those of the row, in its order and of its kinds; what is set in the output ones
    /// reaches the guest if the answer is no refusal.
    ///
    /// # Errors
    /// A status for the contract, or the end of the call.
    fn run(&self, call: &mut HostCall<'_>, arguments: &mut [Value<'_>]) -> Reply<Returned>;
}

/// A table of host functions that a chain adds, with what they do.
#[derive(Clone)]
pub struct Extension {
    group: &'static str,
    rows: Arc<[Bound]>,
}

struct Bound {
    row: &'static HostFunction,
    function: Box<dyn ExtensionFunction>,
}

impl Extension {
    /// Rows of the import module `group` with their functions. They are checked when a virtual machine is built.
    #[must_use]
    pub fn new(
        group: &'static str,
        rows: impl IntoIterator<Item = (&'static HostFunction, Box<dyn ExtensionFunction>)>,
    ) -> Extension {
        Extension { group, rows: rows.into_iter().map(|(row, function)| Bound { row, function }).collect() }
    }

    /// The import module.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.group
    }

    /// Its rows, in the order of the table.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &'static HostFunction> + '_ {
        self.rows.iter().map(|bound| bound.row)
    }

    /// Calls the row at this place of [`Extension::rows`] through the steps that every row goes through: `raw` has one
    /// number for each WebAssembly parameter, an `i32` sign- or zero-extended.
    ///
    /// # Errors
    /// The end of the call; [`Stop::Node`] where there is no such row or it has another number of parameters, which an
    /// engine that has checked the import cannot meet.
    pub fn call(
        &self,
        index: usize,
        memory: &mut [u8],
        context: &mut dyn HostContext,
        raw: &[i64],
    ) -> Result<i64, Stop> {
        let Some(bound) = self.rows.get(index) else {
            return Err(Stop::Node(format!("{} has no row {index}", self.group)));
        };
        let raw = RawValues::new(bound.row, raw).ok_or_else(|| {
            Stop::Node(format!("{}.{} called with {} numbers", self.group, bound.row.name, raw.len()))
        })?;
        call(bound, &mut Erased::new(memory, context), raw)
    }
}

impl std::fmt::Debug for Extension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.rows().map(|row| format_args!("{row}").to_string())).finish()
    }
}

impl Row for Bound {
    const CLASS: GasClass = GasClass::Host;
    type Arguments = Values;
    type Plan = ();
    type Answer = Answered;

    fn row(&self) -> &'static HostFunction {
        self.row
    }

    fn plan<C: HostContext>(
        &self,
        pricing: &mut Pricing<'_, C>,
        arguments: &<Values as Argument>::Typed<'_, '_>,
    ) -> Reply<Planned<()>> {
        let mut call = HostCall::new(pricing.context, self.row);
        let Cost { work, tensor_bytes } = self.function.cost(&mut call, arguments)?;
        let tensors = u32::from(self.row.result == Return::tensor);
        Ok(Planned { work, memory: tensor_bytes, tensors, plan: () })
    }

    fn run<'c, C: HostContext>(
        &self,
        context: &'c mut C,
        (): (),
        arguments: &mut <Values as Argument>::Typed<'_, 'c>,
    ) -> Reply<Answered> {
        let returned = self.function.run(&mut HostCall::new(context, self.row), arguments)?;
        match (&returned, self.row.result) {
            (Returned::Number(0), Return::unit)
            | (Returned::Number(_), Return::u64)
            | (Returned::Tensor(_), Return::tensor) => Ok(Answered(returned)),
            (_, declared) => {
                let HostFunction { group, name, .. } = self.row;
                let what = format!("{group}.{name} answers {returned:?}, which is no {}", declared.name());
                Err(Stop::Node(what).into())
            }
        }
    }
}

/// A result that is what the row declares.
struct Answered(Returned);

impl Answer for Answered {
    fn deliver<C: HostContext>(self, context: &mut C) -> Reply<u64> {
        match self.0 {
            Returned::Number(number) => Ok(number),
            Returned::Tensor(tensor) => tensor.deliver(context),
        }
    }
}
