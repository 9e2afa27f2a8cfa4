//! The edge of the library: results, error strings, and no panic beyond it.

use std::any::Any;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use noema_vm::VmError;

/// How a function of this library ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum noema_result {
    /// It did what it should.
    NOEMA_OK = 0,
    /// A null pointer, an impossible length, a text that is none, an unknown name: the caller's mistake.
    NOEMA_INVALID_ARGUMENT = 1,
    /// This node cannot go on: its state, a model, a callback or the machine failed. There is no receipt, and the next
    /// message must not be executed as if there were.
    NOEMA_NODE_FAILED = 2,
    /// A bug in this library. As NOEMA_NODE_FAILED.
    NOEMA_PANIC = 3,
}

/// Why a function does not do what it should.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) result: noema_result,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn invalid(text: impl Into<String>) -> Failure {
        Failure { result: noema_result::NOEMA_INVALID_ARGUMENT, text: text.into() }
    }

    pub(crate) fn node(text: impl Into<String>) -> Failure {
        Failure { result: noema_result::NOEMA_NODE_FAILED, text: text.into() }
    }

    pub(crate) fn null(what: &str) -> Failure {
        Failure::invalid(format!("{what} is null"))
    }
}

impl From<VmError> for Failure {
    fn from(error: VmError) -> Failure {
        match &error {
            VmError::Panic(_) => Failure { result: noema_result::NOEMA_PANIC, text: error.to_string() },
            VmError::Extension(_) => Failure::invalid(error.to_string()),
            _ => Failure::node(error.to_string()),
        }
    }
}

/// Runs the body of a function. Where it fails or panics, the message goes to `error`, if there is such a place.
///
/// # Safety
/// `error` is null or points to room for a pointer.
pub(crate) unsafe fn guard(error: *mut *mut c_char, work: impl FnOnce() -> Result<(), Failure>) -> noema_result {
    let failure = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return noema_result::NOEMA_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure { result: noema_result::NOEMA_PANIC, text: text_of(&*panic) },
    };
    if !error.is_null() {
        // SAFETY: not null, and the rest is the caller's promise. The old contents may be anything.
        unsafe { error.write(string(&failure.text)) };
    }
    failure.result
}

/// Runs the body of a function that only looks something up: `otherwise` where it panics.
pub(crate) fn quiet<R>(otherwise: R, work: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the library panicked: {}", text.unwrap_or("without a message"))
}

/// A string for the other side, which gives it back with [`noema_string_free`].
pub(crate) fn string(text: &str) -> *mut c_char {
    let text = CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
    text.into_raw()
}

/// Gives a string of this library back.
///
/// # Safety
/// `string` is null, or came from this library as a string to be given back, and has not been given back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_string_free(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: made by `CString::into_raw` in this library, and given back once: the caller's promise.
        drop(unsafe { CString::from_raw(string) });
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, guard, noema_result, noema_string_free, quiet};
    use std::ffi::CStr;

    #[test]
    fn no_panic_gets_out() {
        for (text, expected) in [("as it happens", "the library panicked: as it happens"), ("a\0b", "a\u{fffd}b")] {
            let mut error = std::ptr::null_mut();
            // SAFETY: a place for a pointer.
            let result = unsafe { guard(&raw mut error, || panic!("{text}")) };
            assert_eq!(result, noema_result::NOEMA_PANIC);
            // SAFETY: a string of this library, given back once.
            unsafe {
                assert!(CStr::from_ptr(error).to_str().unwrap().ends_with(expected));
                noema_string_free(error);
            }
        }
        // SAFETY: there is no place for the message.
        unsafe {
            assert_eq!(guard(std::ptr::null_mut(), || panic!("nobody listens")), noema_result::NOEMA_PANIC);
            assert_eq!(guard(std::ptr::null_mut(), || Err(Failure::null("it"))), noema_result::NOEMA_INVALID_ARGUMENT);
        }
        assert_eq!(quiet(7, || panic!("looking something up")), 7);
    }
}
