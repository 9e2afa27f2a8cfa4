//! A call as it would be in the next block, for tools that look at it: nothing is committed, nobody pays.

use clap::Args;
use noema_chain::{Action, Address, Chain};
use noema_vm::{EngineKind, Message, Observer, Outcome};

use crate::arguments::{self, KernelArgs};
use crate::interface::Interface;
use crate::method::MethodArgs;
use crate::session::{self, now_ms};
use crate::{CliError, Context, keys};

/// Which call.
#[derive(Args, Debug)]
pub struct DryRunArgs {
    #[command(flatten)]
    method: MethodArgs,
    /// Who calls [default: the chain's own key]
    #[arg(long, value_name = "ADDRESS", value_parser = arguments::hash)]
    from: Option<[u8; 32]>,
    /// Native units to send with the call
    #[arg(long, value_name = "UNITS", default_value_t = 0)]
    value: u128,
    /// Run it as a view
    #[arg(long, conflicts_with_all = ["from", "value"])]
    view: bool,
    /// Most gas to use
    #[arg(long, value_name = "GAS", default_value_t = 1_000_000_000_000)]
    gas_limit: u64,
}

/// A call that was watched.
#[derive(Debug)]
pub struct Watched {
    /// What it would have done.
    pub outcome: Outcome,
    /// Its contract, and what it says of itself.
    pub contract: Address,
    /// The contract's interface.
    pub interface: Option<Interface>,
    /// The method, if it was given by name.
    pub method: String,
}

impl DryRunArgs {
    /// The contract.
    #[must_use]
    pub fn contract(&self) -> Address {
        self.method.contract()
    }

    /// Runs it.
    ///
    /// # Errors
    /// The chain cannot be opened, has no such contract, or the arguments do not fit the method.
    pub fn run(
        &self,
        context: &Context,
        kernels: &KernelArgs,
        observed: bool,
        observer: &mut dyn Observer,
    ) -> Result<(Chain, Watched), CliError> {
        let mut kernels = kernels.clone();
        if observed {
            kernels.engine = EngineKind::Observed;
        }
        let chain = session::open(context, &kernels)?;
        let contract = self.contract();
        let interface = Interface::of_contract(&chain, contract)?;
        let encode = if self.view { Interface::encode_view } else { Interface::encode_call };
        let input = self.method.input(interface.as_ref(), &chain, encode)?;
        let outcome = if self.view {
            chain.observe_view(contract, &input, self.gas_limit, observer)?
        } else {
            let sender = match self.from {
                Some(sender) => Address(sender),
                None => keys::read(&keys::default_path(&context.chain))?.address(),
            };
            let action = Action::Call { contract, input };
            let message = Message { sender, value: self.value, gas_limit: self.gas_limit, action };
            chain.observe(now_ms().max(chain.head().time_ms), &message, observer)?
        };
        Ok((chain, Watched { outcome, contract, interface, method: self.method.method().to_owned() }))
    }
}
