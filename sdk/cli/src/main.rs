//! The `noema` program. Everything is in the library, so that tests and benches can call it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    // Where a chain of this program has something to compile.
    let compiler = noema_vm::serve_compiler();
    // Under an emulator, or in a sandbox, a program may not be able to start itself.
    let inside = std::env::var_os("NOEMA_COMPILER").is_some_and(|place| place == "inside");
    noema_cli::main(std::env::args_os(), (!inside).then_some(compiler))
}
