//! How a contract fails.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use noema_abi::Status;

/// Why a call ends: a code for programs and a message for people. Returned from an entry point it
/// aborts the call, which undoes everything the call did and hands code and message to the caller.
///
/// Contracts choose their codes below `0x8000_0000`; [`code`] lists those of the SDK.
///
/// It is one pointer, so that a `Result` costs a contract little at every `?`. What it points to is a constant, or is made where
/// something has failed and not freed: the host takes back the memory of a contract when the call ends.
#[derive(Clone, Copy)]
pub struct Error(&'static Failure);

/// What an [`Error`] points to. For generated code.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    code: u32,
    message: &'static str,
}

impl Failure {
    /// With these.
    #[must_use]
    pub const fn new(code: u32, message: &'static str) -> Failure {
        Failure { code, message }
    }
}

/// An error whose code and message are constants: no code makes it.
#[doc(hidden)]
#[macro_export]
macro_rules! __failure {
    ($code:expr, $message:expr) => {
        $crate::Error::fixed(const { &$crate::Failure::new($code, $message) })
    };
}

/// An error for each status.
static STATUSES: [Failure; Status::ALL.len()] = {
    let mut all = [Failure::new(0, ""); Status::ALL.len()];
    let mut i = 0;
    while i < all.len() {
        let (status, _) = Status::ALL[i];
        all[i] = Failure::new(code::STATUS + status.code() as u32, status.name());
        i += 1;
    }
    all
};

/// The result of an entry point.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// The abort codes of the SDK.
pub mod code {
    /// The contract panicked.
    pub const PANIC: u32 = 0x8000_0000;
    /// The input is not what the method takes.
    pub const BAD_INPUT: u32 = 0x8000_0001;
    /// The contract has no such method.
    pub const UNKNOWN_METHOD: u32 = 0x8000_0002;
    /// The method accepts no native value.
    pub const NOT_PAYABLE: u32 = 0x8000_0003;
    /// A stored value is missing or of another type than the code expects.
    pub const BAD_STATE: u32 = 0x8000_0004;
    /// What a called contract returned is not of the expected type.
    pub const BAD_REPLY: u32 = 0x8000_0006;
    /// The method cannot run while the contract is running already.
    pub const NOT_REENTRANT: u32 = 0x8000_0007;
    /// Only the owner may do this ([`Owner`](crate::access::Owner)).
    pub const NOT_OWNER: u32 = 0x8000_0008;
    /// The caller does not have the role ([`Role`](crate::access::Role)).
    pub const MISSING_ROLE: u32 = 0x8000_0009;
    /// The contract is paused ([`Pause`](crate::access::Pause)).
    pub const PAUSED: u32 = 0x8000_000a;
    /// A balance is too small ([`Balances`](crate::Balances)).
    pub const INSUFFICIENT_BALANCE: u32 = 0x8000_000b;
    /// A sum is larger than its type ([`Balances`](crate::Balances)).
    pub const OVERFLOW: u32 = 0x8000_000c;
    /// The value is less than the price and the deposit for what is to be kept ([`Purse`](crate::Purse)).
    pub const UNDERPAID: u32 = 0x8000_000d;
    /// A host function refused; the code of the [`Status`](crate::Status) is added to this.
    pub const STATUS: u32 = 0x8001_0000;
}

impl Error {
    /// An error with a fixed message.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn new(code: u32, message: &'static str) -> Error {
        Error(Box::leak(Box::new(Failure { code, message })))
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn fixed(failure: &'static Failure) -> Error {
        Error(failure)
    }

    /// An error with a message made for the occasion.
    #[must_use]
    pub fn with_message(code: u32, message: String) -> Error {
        Error::new(code, message.leak())
    }

    /// What [`ensure!`](crate::ensure) and [`bail!`](crate::bail) make: no formatting code is
    /// linked for a message without arguments.
    #[doc(hidden)]
    #[inline(always)]
    pub fn formatted(code: impl ErrorCode, message: fmt::Arguments<'_>) -> Error {
        let code = code.code();
        match message.as_str() {
            Some(fixed) => Error::new(code, fixed),
            None => Error::with_message(code, alloc::fmt::format(message)),
        }
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> u32 {
        self.0.code
    }

    /// The message.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.0.message
    }

    /// Ends the call here. Rather return the error where you can.
    pub fn abort(&self) -> ! {
        crate::sys::control::abort(self.0.code, self.0.message.as_bytes())
    }
}

/// What can stand for the code of an [`Error`]: a number, or a variant of an enum marked `#[noema::error]`.
pub trait ErrorCode {
    /// The code.
    fn code(self) -> u32;
}

impl ErrorCode for u32 {
    fn code(self) -> u32 {
        self
    }
}

/// The errors of a contract as one type. Made by `#[noema::error]`; `#[contract(errors(..))]` puts them into the
/// interface, so that tools show their names.
pub trait TypedError: ErrorCode + Copy {
    /// Code, name and message of each.
    const ERRORS: &'static [(u32, &'static str, &'static str)];
}

impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        self.0 == other.0
    }
}

impl Eq for Error {}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("code", &self.0.code).field("message", &self.0.message).finish()
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Error {
        let code = code::STATUS + u32::from(status.code());
        // Every status has its own; were one missing, it would be another refusal, and no panic.
        Error(STATUSES.iter().find(|failure| failure.code == code).unwrap_or(&STATUSES[0]))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.message(), self.code())
    }
}

impl core::error::Error for Error {}

/// Returns an [`Error`] unless the condition holds: `ensure!(amount > 0, TOO_SMALL, "{amount} is too small")` with a code and
/// a message, or `ensure!(amount > 0, TokenError::TooSmall)` with an error (or anything that becomes one).
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $error:expr $(,)?) => {
        if !$condition {
            $crate::bail!($error);
        }
    };
    ($condition:expr, $code:expr, $($message:tt)+) => {
        if !$condition {
            $crate::bail!($code, $($message)+);
        }
    };
}

/// Returns an [`Error`]: `bail!(CLOSED, "closed since block {height}")`, or `bail!(VoteError::Closed)`.
#[macro_export]
macro_rules! bail {
    ($error:expr $(,)?) => {
        return ::core::result::Result::Err(::core::convert::From::from($error))
    };
    ($code:expr, $($message:tt)+) => {
        return ::core::result::Result::Err(
            $crate::Error::formatted($code, ::core::format_args!($($message)+)).into()
        )
    };
}

/// Writes a line to the log of the node, if it keeps one: `log!("sum {sum}")`. It costs gas and
/// changes nothing.
#[macro_export]
macro_rules! log {
    ($($message:tt)+) => { $crate::env::log(::core::format_args!($($message)+)) };
}

#[cfg(test)]
mod tests {
    use super::{Error, Result, code};
    use noema_abi::Status;

    fn check(amount: u32) -> Result<u32> {
        ensure!(amount > 0, 7, "nothing");
        if amount > 10 {
            bail!(8, "{amount} is too much");
        }
        Ok(amount)
    }

    #[test]
    fn macros_carry_code_and_message() {
        assert_eq!(check(0), Err(Error::new(7, "nothing")));
        let error = check(11).unwrap_err();
        assert_eq!((error.code(), error.message()), (8, "11 is too much"));
        assert_eq!(check(5), Ok(5));
    }

    #[crate::error]
    enum Refused {
        /// nothing was given
        Nothing,
        /// it is closed
        Closed = 9,
        /// and over
        Over,
    }

    fn typed(amount: u32) -> Result<u32> {
        ensure!(amount > 0, Refused::Nothing);
        ensure!(amount < 10, Refused::Closed, "closed above {amount}");
        if amount == 5 {
            bail!(Refused::Over);
        }
        Ok(amount)
    }

    #[test]
    fn typed_errors_have_codes_and_messages() {
        assert_eq!(typed(0), Err(Error::new(1, "nothing was given")));
        let error = typed(11).unwrap_err();
        assert_eq!((error.code(), error.message()), (9, "closed above 11"));
        assert_eq!(typed(5), Err(Refused::Over.into()));
        assert_eq!(typed(6), Ok(6));
        let all = <Refused as super::TypedError>::ERRORS;
        assert_eq!(all, [(1, "Nothing", "nothing was given"), (9, "Closed", "it is closed"), (10, "Over", "and over")]);
        assert_eq!(Refused::Over.code(), 10);
    }

    #[test]
    fn every_status_has_its_own_code() {
        for (status, _) in Status::ALL {
            let error = Error::from(*status);
            assert_eq!(error.code() - code::STATUS, u32::from(status.code()));
            assert_eq!(error.message(), status.name());
        }
    }
}
