//! `noema_fuzz::container` with libFuzzer.
#![no_main]
noema_fuzz::target!(container);
