//! Status codes: the contract's own mistakes, which it can handle.

macro_rules! statuses {
    ($( $(#[doc = $doc:literal])* $name:ident = $code:literal ),* $(,)?) => {
        /// Why a host function refused its arguments. Every host function returns an `i64`: a
        /// result when it is zero or more, otherwise the negated code of one of these.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum Status { $( $(#[doc = $doc])* $name = $code ),* }

        impl Status {
            /// Every status with its first line of documentation, in the order of the codes.
            pub const ALL: &'static [(Status, &'static str)] =
                &[ $( (Status::$name, concat!($($doc),*)) ),* ];

            /// The status with this code.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Status> {
                match code { $( $code => Some(Status::$name), )* _ => None }
            }

            /// The name as it stands in the documentation.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Status::$name => stringify!($name) ),* }
            }
        }
    };
}

statuses! {
    /// A handle that this frame does not own, or has dropped.
    BadHandle = 1,
    /// An argument outside the range its documentation states.
    BadArgument = 2,
    /// Shapes that do not fit together, or a rank above the limit.
    ShapeMismatch = 3,
    /// An element type that this function does not take.
    TypeMismatch = 4,
    /// A checked operation whose exact result does not fit its type.
    Overflow = 5,
    /// Division by zero.
    DivisionByZero = 6,
    /// An index outside its axis.
    IndexOutOfRange = 7,
    /// No entry under this key, address or id.
    NotFound = 8,
    /// A documented size limit would be passed.
    LimitExceeded = 9,
    /// A signature, recovery id or public key that is not valid.
    InvalidSignature = 10,
    /// The called contract aborted; its return data holds the code and the message.
    CallAborted = 11,
    /// The called contract faulted; its gas is gone.
    CallFaulted = 12,
    /// The called contract is already running in this transaction.
    Reentrant = 13,
    /// Calls are nested too deeply.
    CallDepth = 14,
    /// The balance of this contract is smaller than the value to send.
    InsufficientBalance = 15,
    /// The called contract ended with less balance than the deposit for what it keeps; it is undone, and unspent gas is returned.
    InsufficientDeposit = 16,
}

impl Status {
    /// The code, a positive number.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// What the host function returns to the guest: the negated code.
    #[must_use]
    pub const fn to_return(self) -> i64 {
        -(self as i64)
    }

    /// Reads what a host function returned.
    ///
    /// # Errors
    /// The status, where `value` is negative. An unknown negative code reads as `BadArgument`.
    pub const fn from_return(value: i64) -> Result<u64, Status> {
        if value >= 0 {
            return Ok(value.unsigned_abs());
        }
        let code = value.unsigned_abs();
        if code > u16::MAX as u64 {
            return Err(Status::BadArgument);
        }
        match Status::from_code(code as u16) {
            Some(status) => Err(status),
            None => Err(Status::BadArgument),
        }
    }
}

impl core::fmt::Display for Status {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn codes_survive_the_return_value() {
        for (status, doc) in Status::ALL {
            assert_eq!(Status::from_return(status.to_return()), Err(*status));
            assert!(!doc.is_empty());
        }
        assert_eq!(Status::from_return(i64::MAX), Ok(i64::MAX as u64));
        assert_eq!(Status::from_return(i64::MIN), Err(Status::BadArgument));
    }
}
