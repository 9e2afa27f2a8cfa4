//! `noema_fuzz::onnx` with libFuzzer.
#![no_main]
noema_fuzz::target!(onnx);
