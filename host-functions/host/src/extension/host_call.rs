//! What a function of an extension may see and do.

use noema_abi::limits::{MAX_ABORT_BYTES, MAX_EVENT_BYTES, MAX_KEY_BYTES, MAX_TOPIC_BYTES, MAX_VALUE_BYTES};
use noema_abi::{HostFunction, ProtocolVersion, Status};
use noema_tensor::Kernels;

use crate::outcome::{Refusal, Reply};
use crate::{CallInfo, Fault, GasClass, HostContext, Stop};

/// One call of a host function of an extension: the frame that makes it, as far as an extension reaches.
///
/// Whatever it does is undone with the frame, is read through the same journal as everything else, and is refused in a
/// view where it changes something: that is a fault, as for built-in rows. Nothing here costs gas except
/// [`HostCall::charge_work`]: what a function does is in the price of its row.
pub struct HostCall<'c> {
    context: &'c mut dyn HostContext,
    row: &'static HostFunction,
}

impl<'c> HostCall<'c> {
    pub(super) fn new(context: &'c mut dyn HostContext, row: &'static HostFunction) -> HostCall<'c> {
        HostCall { context, row }
    }

    /// Caller, contract, value, input, block.
    #[must_use]
    pub fn info(&self) -> &CallInfo {
        self.context.call_info()
    }

    /// The rules of the block being executed.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.context.version()
    }

    /// The row that is being called.
    #[must_use]
    pub fn row(&self) -> &'static HostFunction {
        self.row
    }

    /// Gas left, with what the call has been charged so far taken off.
    #[must_use]
    pub fn gas_left(&self) -> u64 {
        self.context.gas_left()
    }

    /// Charges for work at once, at the row's price: for what is only known while looking things up.
    ///
    /// # Errors
    /// [`Stop::OutOfGas`], which the function must hand on.
    pub fn charge_work(&mut self, work: u64) -> Reply<()> {
        Ok(self.context.charge(GasClass::Host, self.row.price.per_work.saturating_mul(work))?)
    }

    /// Ends the running contract, as `control.abort` does: for a function whose refusal no contract should handle.
    #[must_use]
    pub fn abort(&self, code: u32, message: &[u8]) -> Refusal {
        let message = message.get(..MAX_ABORT_BYTES).unwrap_or(message).to_vec();
        Stop::Abort { code, message }.into()
    }

    /// Refuses to go on in a view.
    ///
    /// # Errors
    /// [`Fault::WriteInView`].
    pub fn forbid_in_view(&self) -> Reply<()> {
        if self.info().read_only {
            return Err(Fault::WriteInView { group: self.row.group, name: self.row.name }.into());
        }
        Ok(())
    }

    /// The value that this extension keeps under a key. Its keys are its own: no contract and no other extension reads
    /// or writes them.
    ///
    /// # Errors
    /// `LimitExceeded` for a key above `MAX_KEY_BYTES`; [`Stop::Node`] where the state cannot be read.
    pub fn get(&mut self, key: &[u8]) -> Reply<Option<Vec<u8>>> {
        check_key(key)?;
        Ok(self.context.extension_get(self.row.group, key)?)
    }

    /// Keeps a value under a key of this extension.
    ///
    /// # Errors
    /// A fault in a view; `LimitExceeded` above `MAX_KEY_BYTES` or `MAX_VALUE_BYTES`.
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Reply<()> {
        self.forbid_in_view()?;
        check_key(key)?;
        if value.len() > MAX_VALUE_BYTES {
            return Err(Status::LimitExceeded.into());
        }
        Ok(self.context.extension_set(self.row.group, key, Some(value))?)
    }

    /// Removes a key of this extension.
    ///
    /// # Errors
    /// A fault in a view; `LimitExceeded` above `MAX_KEY_BYTES`.
    pub fn remove(&mut self, key: &[u8]) -> Reply<()> {
        self.forbid_in_view()?;
        check_key(key)?;
        Ok(self.context.extension_set(self.row.group, key, None)?)
    }

    /// The native balance of an address.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    pub fn balance(&mut self, address: &[u8; 32]) -> Reply<u128> {
        Ok(self.context.balance(address)?)
    }

    /// Moves native value from the running contract.
    ///
    /// # Errors
    /// A fault in a view; `InsufficientBalance`, `Overflow`.
    pub fn transfer(&mut self, to: &[u8; 32], value: u128) -> Reply<()> {
        self.forbid_in_view()?;
        Ok(self.context.transfer(to, value)??)
    }

    /// Adds an event of the running contract.
    ///
    /// # Errors
    /// A fault in a view; `LimitExceeded` above `MAX_TOPIC_BYTES`, `MAX_EVENT_BYTES` or `MAX_EVENTS`.
    pub fn emit(&mut self, topic: &[u8], data: &[u8]) -> Reply<()> {
        self.forbid_in_view()?;
        if topic.len() > MAX_TOPIC_BYTES || data.len() > MAX_EVENT_BYTES {
            return Err(Status::LimitExceeded.into());
        }
        Ok(self.context.emit(topic, data)??)
    }

    /// The kernels of this node, for arithmetic on tensors.
    #[must_use]
    pub fn kernels(&self) -> &Kernels {
        self.context.kernels()
    }
}

fn check_key(key: &[u8]) -> Result<(), Status> {
    if key.len() > MAX_KEY_BYTES { Err(Status::LimitExceeded) } else { Ok(()) }
}
