//! The `noema` program. Everything is in the library, so that tests and benches can call it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    noema_cli::main(std::env::args_os())
}
