//! What the generated code around entry points is made of. Contracts do not use it themselves.

use alloc::vec::Vec;

use crate::encoding::{Decode, Encode, decode, encode};
use crate::env::{length, must};
use crate::schema::Interface;
use crate::{Error, Failure, Result, code, env, storage, sys};

/// A contract, as `#[noema::contract]` implements it. Each function is one export.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a contract",
    note = "put `#[noema::contract]` on its `impl` block"
)]
pub trait Contract: Sized {
    /// Its methods and types.
    const INTERFACE: Interface;
    /// Makes the state.
    ///
    /// # Errors
    /// What the method returns, or why the input does not fit it.
    fn init(input: Input<'_>) -> Result<()>;
    /// Runs a call, or a view for another contract.
    ///
    /// # Errors
    /// As [`Contract::init`].
    fn call(input: Input<'_>) -> Result<()> {
        Err(unknown_method(input.rest))
    }
    /// Runs a view.
    ///
    /// # Errors
    /// As [`Contract::init`].
    fn view(input: Input<'_>) -> Result<()> {
        Err(unknown_method(input.rest))
    }
    /// Runs a call, or a view for another contract, while the contract is running already.
    ///
    /// # Errors
    /// As [`Contract::init`].
    fn call_reentrant(input: Input<'_>) -> Result<()> {
        Err(not_reentrant(input.rest))
    }
    /// Runs a view while the contract is running already.
    ///
    /// # Errors
    /// As [`Contract::init`].
    fn view_reentrant(input: Input<'_>) -> Result<()> {
        Err(not_reentrant(input.rest))
    }
    /// Fits the state to new code.
    ///
    /// # Errors
    /// As [`Contract::init`].
    fn migrate(input: Input<'_>) -> Result<()> {
        Err(unknown_method(input.rest))
    }
}

/// The part of the input that is not read yet.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads the input of a call of which `bytes` is all.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { rest: bytes }
    }

    /// Splits off the method's name.
    ///
    /// # Errors
    /// Where there is no name.
    pub fn method(self) -> Result<(&'a [u8], Input<'a>)> {
        let split = self.rest.split_first_chunk().and_then(|(len, rest)| {
            let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
            rest.split_at_checked(len)
        });
        let (name, rest) = split.ok_or(crate::__failure!(code::BAD_INPUT, "the input names no method"))?;
        Ok((name, Input { rest }))
    }

    /// Reads one argument; `failure` says which.
    ///
    /// # Errors
    /// Where the bytes are not such a value.
    pub fn read<T: Decode>(&mut self, failure: &'static Failure) -> Result<T> {
        T::decode(&mut self.rest).ok_or(Error::fixed(failure))
    }

    /// After the last argument.
    ///
    /// # Errors
    /// Where bytes are left: the caller meant another method.
    pub fn finish(self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(crate::__failure!(code::BAD_INPUT, "the input is longer than the arguments"))
    }
}

/// The state of a contract under way.
#[derive(Debug)]
pub struct State<T> {
    /// The state.
    pub value: T,
    stored: Vec<u8>,
}

impl<T: Encode + Decode> State<T> {
    /// Reads the state. A contract without fields has nothing stored.
    ///
    /// # Errors
    /// Where the state is missing or of another type.
    pub fn load() -> Result<State<T>> {
        let stored = match size_of::<T>() {
            0 => Vec::new(),
            _ => storage::get(storage::STATE_KEY)?
                .ok_or(crate::__failure!(code::BAD_STATE, "the contract has no state"))?,
        };
        let value = decode(&stored).ok_or(crate::__failure!(code::BAD_STATE, "the state has another type"))?;
        Ok(State { value, stored })
    }

    /// Writes the state, if it is not what was read.
    ///
    /// # Errors
    /// Where it is too large.
    pub fn save(&self) -> Result<()> {
        let bytes = encode(&self.value);
        if bytes == self.stored {
            return Ok(());
        }
        storage::set(storage::STATE_KEY, &bytes)
    }
}

impl<T: Encode + Decode> State<T> {
    /// As [`State::save`], for contracts that may be entered again while they run.
    ///
    /// # Errors
    /// Where the state is too large, or an inner call of this contract has written it since it was read: one of the two
    /// would be lost.
    pub fn save_unless_changed(&self) -> Result<()> {
        let bytes = encode(&self.value);
        if bytes == self.stored {
            return Ok(());
        }
        if storage::get(storage::STATE_KEY)?.unwrap_or_default() != self.stored {
            return Err(crate::__failure!(code::BAD_STATE, "a call back into this contract has changed its state"));
        }
        storage::set(storage::STATE_KEY, &bytes)
    }
}

// Nothing below frees memory: the call ends, and the host takes all of it back.

/// Writes the first state, or a migrated one.
///
/// # Errors
/// Where it is too large.
pub fn store<T: Encode>(state: &T) -> Result<()> {
    let bytes = encode(state).leak();
    if bytes.is_empty() {
        return Ok(());
    }
    storage::set(storage::STATE_KEY, bytes)
}

/// Returns a value from the call.
///
/// # Errors
/// Where it is too large.
pub fn reply<T: Encode>(value: &T) -> Result<()> {
    let bytes = encode(value).leak();
    if bytes.is_empty() {
        return Ok(());
    }
    Ok(sys::context::output_write(bytes)?)
}

/// Refuses native value that a method did not ask for.
///
/// # Errors
/// Where value came with the call.
pub fn refuse_value() -> Result<()> {
    if env::value() == 0 {
        return Ok(());
    }
    Err(crate::__failure!(code::NOT_PAYABLE, "this method accepts no value"))
}

/// No method has the name.
#[must_use]
pub fn unknown_method(_: &[u8]) -> Error {
    crate::__failure!(code::UNKNOWN_METHOD, "no such method")
}

/// The method exists, if at all, but not while the contract is running.
#[must_use]
pub fn not_reentrant(_: &[u8]) -> Error {
    crate::__failure!(code::NOT_REENTRANT, "this method cannot run while the contract is running")
}

/// The body of an export.
pub fn run(entry: fn(Input<'_>) -> Result<()>) {
    let bytes = alloc::vec![0; length(must(sys::context::input_len()))].leak();
    if !bytes.is_empty() {
        must(sys::context::input_read(0, bytes));
    }
    if let Err(error) = entry(Input { rest: bytes }) {
        error.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::Input;
    use crate::encoding::encode;
    use crate::{Failure, code};

    #[test]
    fn input_is_read_to_the_last_byte() {
        let mut bytes = encode("add");
        bytes.extend(encode(&(7u64, true)));
        let (method, mut input) = Input::new(&bytes).method().unwrap();
        assert_eq!(method, b"add");
        assert_eq!(input.read::<u64>(const { &Failure::new(7, "first") }).unwrap(), 7);
        assert!(input.read::<bool>(const { &Failure::new(7, "second") }).unwrap());
        assert!(input.finish().is_ok());

        let (_, mut input) = Input::new(&bytes).method().unwrap();
        assert_eq!(input.read::<u64>(const { &Failure::new(7, "first") }).unwrap(), 7);
        assert_eq!(input.finish().unwrap_err().code(), code::BAD_INPUT);
    }

    #[test]
    fn hostile_input_is_refused() {
        for bytes in [&[][..], &[1, 0, 0][..], &[4, 0, 0, 0, b'a'][..], &[255; 8][..]] {
            assert_eq!(Input::new(bytes).method().unwrap_err().code(), code::BAD_INPUT);
        }
        // A length prefix far beyond the input must not allocate what it says.
        let mut input = Input::new(&[255, 255, 255, 255, 1]);
        assert_eq!(input.read::<alloc::vec::Vec<u64>>(const { &Failure::new(7, "row") }).unwrap_err().message(), "row");
    }
}
