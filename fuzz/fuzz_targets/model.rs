//! `noema_fuzz::model` with libFuzzer.
#![no_main]
noema_fuzz::target!(model);
