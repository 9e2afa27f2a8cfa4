//! How a contract fails.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use noema_abi::Status;

/// Why a call ends: a code for programs and a message for people. Returned from an entry point it
/// aborts the call, which undoes everything the call did and hands code and message to the caller.
///
/// Contracts choose their codes below `0x8000_0000`; [`code`] lists those of the SDK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: u32,
    message: Cow<'static, str>,
}

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
    /// A value is too large to encode.
    pub const ENCODING: u32 = 0x8000_0005;
    /// What a called contract returned is not of the expected type.
    pub const BAD_REPLY: u32 = 0x8000_0006;
    /// The method cannot run while the contract is running already.
    pub const NOT_REENTRANT: u32 = 0x8000_0007;
    /// A host function refused; the code of the [`Status`](crate::Status) is added to this.
    pub const STATUS: u32 = 0x8001_0000;
}

impl Error {
    /// An error with a fixed message.
    #[must_use]
    pub const fn new(code: u32, message: &'static str) -> Error {
        Error { code, message: Cow::Borrowed(message) }
    }

    /// An error with a message made for the occasion.
    #[must_use]
    pub const fn with_message(code: u32, message: String) -> Error {
        Error { code, message: Cow::Owned(message) }
    }

    /// What [`ensure!`](crate::ensure) and [`bail!`](crate::bail) make: no formatting code is
    /// linked for a message without arguments.
    #[doc(hidden)]
    #[inline(always)]
    pub fn formatted(code: u32, message: fmt::Arguments<'_>) -> Error {
        match message.as_str() {
            Some(fixed) => Error::new(code, fixed),
            None => Error::with_message(code, alloc::fmt::format(message)),
        }
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> u32 {
        self.code
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Ends the call here. Rather return the error where you can.
    pub fn abort(&self) -> ! {
        crate::sys::control::abort(self.code, self.message.as_bytes())
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Error {
        Error::new(code::STATUS + u32::from(status.code()), status.name())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.message, self.code)
    }
}

impl core::error::Error for Error {}

/// Returns an [`Error`] unless the condition holds: `ensure!(amount > 0, TOO_SMALL, "{amount} is too small")`.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $code:expr, $($message:tt)+) => {
        if !$condition {
            $crate::bail!($code, $($message)+);
        }
    };
}

/// Returns an [`Error`]: `bail!(CLOSED, "closed since block {height}")`.
#[macro_export]
macro_rules! bail {
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

    #[test]
    fn every_status_has_its_own_code() {
        for (status, _) in Status::ALL {
            let error = Error::from(*status);
            assert_eq!(error.code() - code::STATUS, u32::from(status.code()));
            assert_eq!(error.message(), status.name());
        }
    }
}
