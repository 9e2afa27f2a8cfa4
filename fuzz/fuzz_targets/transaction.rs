//! `noema_fuzz::transaction` with libFuzzer.
#![no_main]
noema_fuzz::target!(transaction);
