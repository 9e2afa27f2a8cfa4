//! Compiles one module for a node and ends: the program for `CompilerProcess::program`, where the node is written in
//! another language or cannot start itself again. A node starts it; there is nothing to use by hand.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    let _ = noema_vm::serve_compiler();
    eprintln!("noema-compiler is started by a node, which has set it as its compiler process");
    std::process::ExitCode::from(2)
}
