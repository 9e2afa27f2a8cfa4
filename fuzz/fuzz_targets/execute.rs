//! `noema_fuzz::execute` with libFuzzer.
#![no_main]
noema_fuzz::target!(execute);
