//! A panic ends the call as an abort with `file:line: message`.
//!
//! Formatting code is about a kilobyte of a contract that formats nothing else. Without the feature
//! `panic-format` only fixed messages are written; file and line always are.

use core::panic::PanicInfo;

use noema_abi::limits::MAX_ABORT_BYTES;

/// The message, built without allocating: memory may be what ran out.
struct Message {
    bytes: [u8; MAX_ABORT_BYTES],
    len: usize,
}

impl Message {
    /// Appends; what is too long is cut.
    fn text(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = *byte;
                self.len = self.len.wrapping_add(1);
            }
        }
    }

    fn number(&mut self, mut number: u32) {
        let mut digits = [0; 10];
        let mut first = digits.len();
        for place in digits.iter_mut().rev() {
            *place = b"0123456789"[(number % 10) as usize];
            first = first.wrapping_sub(1);
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.text(digits.get(first..).unwrap_or_default());
    }
}

#[cfg(feature = "panic-format")]
impl core::fmt::Write for Message {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.text(text.as_bytes());
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut message = Message { bytes: [0; MAX_ABORT_BYTES], len: 0 };
    if let Some(place) = info.location() {
        message.text(place.file().as_bytes());
        message.text(b":");
        message.number(place.line());
    }
    if let Some(text) = info.message().as_str() {
        message.text(b": ");
        message.text(text.as_bytes());
    } else {
        #[cfg(feature = "panic-format")]
        let _ = core::fmt::Write::write_fmt(&mut message, format_args!(": {}", info.message()));
    }
    super::control::abort(crate::code::PANIC, message.bytes.get(..message.len).unwrap_or_default())
}
