//! `noema_fuzz::opcode` with libFuzzer.
#![no_main]
noema_fuzz::target!(opcode);
