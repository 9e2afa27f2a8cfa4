//! The `noema` program. Everything is in the library, so that tests and benches can call it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    // Where a chain of this program has something to compile.
    let compiler = noema_vm::serve_compiler();
    noema_cli::main(std::env::args_os(), Some(compiler))
}
