//! `noema_fuzz::host` with libFuzzer.
#![no_main]
noema_fuzz::target!(host);
