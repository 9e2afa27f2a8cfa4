//! `noema_fuzz::journal` with libFuzzer.
#![no_main]
noema_fuzz::target!(journal);
