//! `noema_fuzz::module` with libFuzzer.
#![no_main]
noema_fuzz::target!(module);
