//! What a block does to the state: accounts, fees, and the virtual machine in between.

use noema_state::{Overlay, StateView, WriteSet};
use noema_vm::{Address, BlockContext, MAX_GAS, Message, Receipt, Vm, layout};

use crate::chain::Notes;
use crate::hash::hash;
use crate::{ChainError, Genesis, MAX_TRANSACTION_BYTES, SignedTransaction, TransactionError, TransactionReceipt};

/// Most bytes that the transactions of a block have together, in canonical form.
pub const MAX_BLOCK_BYTES: usize = 64 * 1024 * 1024;

/// Gas that every transaction uses besides what its receipt says, for what the chain itself does: a signature that is verified, and a nonce and a
/// balance that are read and written. Prices are those of the virtual machine for the same.
pub const TRANSACTION_GAS: u64 = 730_000_000;

/// Gas of the block that a transaction with this receipt used.
pub(crate) fn gas_used(receipt: &Receipt) -> u64 {
    receipt.gas_used().saturating_add(TRANSACTION_GAS)
}

/// What the chain knows about an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// How many of its transactions were included: the nonce of the next one.
    pub nonce: u64,
    /// What it has, in native units.
    pub balance: u128,
}

/// Where fees go. It is the hash of a text and of no key, so nobody can spend from it.
#[must_use]
pub fn fee_account() -> Address {
    Address(hash("noema fee account", &[]))
}

/// The account at an address; one that was never used has nothing.
pub(crate) fn account(state: &dyn StateView, address: &Address) -> Result<Account, ChainError> {
    let nonce = match state.get(&layout::nonce_key(address))? {
        None => 0,
        Some(bytes) => bytes
            .try_into()
            .map(u64::from_le_bytes)
            .map_err(|_| ChainError::damaged(format!("the nonce of account {address} cannot be read")))?,
    };
    let balance = layout::decode_balance(state.get(&layout::balance_key(address))?.as_deref())
        .ok_or_else(|| ChainError::damaged(format!("the balance of account {address} cannot be read")))?;
    Ok(Account { nonce, balance })
}

/// The block that is being executed.
pub(crate) struct BlockParameters<'a> {
    pub(crate) genesis: &'a Genesis,
    pub(crate) height: u64,
    pub(crate) time_ms: u64,
}

/// What the transactions of a block did.
pub(crate) struct Executed {
    pub(crate) receipts: Vec<TransactionReceipt>,
    pub(crate) notes: Vec<Notes>,
    pub(crate) writes: WriteSet,
    pub(crate) gas_used: u64,
}

/// Executes the transactions of a block, each on what the ones before it left. Nothing is written.
pub(crate) fn execute(
    vm: &Vm,
    block: &BlockParameters<'_>,
    state: &dyn StateView,
    transactions: &[SignedTransaction],
) -> Result<Executed, ChainError> {
    let context = block.genesis.context(block.height, block.time_ms);
    let mut overlay = Overlay::new(state);
    let mut executed = Executed { receipts: Vec::new(), notes: Vec::new(), writes: WriteSet::new(), gas_used: 0 };
    let mut fees = 0_u128;
    let mut bytes = 0_usize;
    for (index, signed) in transactions.iter().enumerate() {
        let size = signed.to_bytes().len();
        bytes = bytes.saturating_add(size);
        if bytes > MAX_BLOCK_BYTES {
            return Err(ChainError::BlockTooLarge);
        }
        let sender = account(&overlay, &signed.sender())?;
        check(block.genesis, &sender, executed.gas_used, signed, size)
            .map_err(|error| ChainError::Refused { index, error })?;
        let (receipt, notes) = run(vm, &context, &mut overlay, sender, signed, index)?;
        fees = fees.checked_add(receipt.fee).ok_or_else(|| ChainError::damaged("there is more than the supply"))?;
        executed.gas_used = executed
            .gas_used
            .checked_add(receipt.gas_used())
            .ok_or_else(|| ChainError::damaged("a block used more gas than it may"))?;
        executed.receipts.push(receipt);
        executed.notes.push(notes);
    }
    credit(&mut overlay, &fee_account(), fees)?;
    executed.writes = overlay.into_writes();
    Ok(executed)
}

/// Whether a transaction may be the next of a block that has used `gas_used` so far.
pub(crate) fn check(
    genesis: &Genesis,
    sender: &Account,
    gas_used: u64,
    signed: &SignedTransaction,
    size: usize,
) -> Result<(), TransactionError> {
    let transaction = &signed.transaction;
    if size > MAX_TRANSACTION_BYTES {
        return Err(TransactionError::TooLarge { bytes: size });
    }
    if transaction.chain_id != genesis.chain_id {
        let expected = genesis.chain_id.clone();
        return Err(TransactionError::ChainId { expected, got: transaction.chain_id.clone() });
    }
    signed.verify()?;
    if transaction.nonce != sender.nonce {
        let got = transaction.nonce;
        return Err(TransactionError::Nonce { sender: signed.sender(), expected: sender.nonce, got });
    }
    if transaction.gas_limit < TRANSACTION_GAS {
        return Err(TransactionError::TooLittleGas { gas_limit: transaction.gas_limit, least: TRANSACTION_GAS });
    }
    let left = genesis.block_gas.saturating_sub(gas_used);
    if transaction.gas_limit > left {
        let block_limit = genesis.block_gas;
        return Err(TransactionError::BlockGas { gas_limit: transaction.gas_limit, left, block_limit });
    }
    let needed = transaction.largest_fee().saturating_add(transaction.value);
    if needed > sender.balance {
        return Err(TransactionError::Balance { sender: signed.sender(), needed, available: sender.balance });
    }
    Ok(())
}

/// Runs a transaction that was checked.
fn run(
    vm: &Vm,
    context: &BlockContext,
    overlay: &mut Overlay<&dyn StateView>,
    account: Account,
    signed: &SignedTransaction,
    index: usize,
) -> Result<(TransactionReceipt, Notes), ChainError> {
    let transaction = &signed.transaction;
    let sender = signed.sender();
    let reserved = transaction.largest_fee();
    let nonce = account.nonce.checked_add(1).ok_or_else(|| ChainError::damaged("a nonce is at its end"))?;
    overlay.apply(WriteSet::from([
        (layout::nonce_key(&sender), Some(nonce.to_le_bytes().to_vec())),
        (layout::balance_key(&sender), layout::encode_balance(account.balance.saturating_sub(reserved))),
    ]));

    let message = Message {
        sender,
        value: transaction.value,
        gas_limit: transaction.gas_limit.saturating_sub(TRANSACTION_GAS).min(MAX_GAS),
        action: transaction.action.clone(),
    };
    let outcome = vm.execute(&*overlay, context, &message)?;
    overlay.apply(outcome.writes);

    let fee = u128::from(gas_used(&outcome.receipt)) * u128::from(transaction.gas_price);
    let refund = reserved
        .checked_sub(fee)
        .ok_or_else(|| ChainError::damaged("a receipt has more gas than the limit of its transaction"))?;
    credit(overlay, &sender, refund)?;
    let receipt = TransactionReceipt {
        transaction: signed.hash(),
        height: context.height,
        index: u32::try_from(index).expect("a block of limited bytes has fewer transactions"),
        sender,
        fee,
        receipt: outcome.receipt,
    };
    Ok((receipt, Notes { logs: outcome.logs, diagnostic: outcome.diagnostic }))
}

/// Adds to a balance.
fn credit(overlay: &mut Overlay<&dyn StateView>, address: &Address, amount: u128) -> Result<(), ChainError> {
    if amount == 0 {
        return Ok(());
    }
    let balance = account(&*overlay, address)?
        .balance
        .checked_add(amount)
        .ok_or_else(|| ChainError::damaged("there is more than the supply"))?;
    overlay.apply(WriteSet::from([(layout::balance_key(address), layout::encode_balance(balance))]));
    Ok(())
}
