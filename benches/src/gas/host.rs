//! Programs that call the host, again and again, with little in between.

use std::fmt::Write as _;

use super::program::{Class, Program};

pub(super) fn programs() -> Vec<Program> {
    vec![
        calling("input_len", 200_000, "(drop (call $input_len))"),
        calling("caller", 200_000, "(drop (call $caller (i32.const 64)))"),
        calling("output_write", 50_000, "(drop (call $output (i32.const 0) (i32.const 64)))"),
        calling("balance", 20_000, "(drop (call $balance (i32.const 64) (i32.const 128)))"),
        calling("storage.get, one key", 20_000, "(drop (call $get (i32.const 0) (i32.const 8) (i32.const 4096) (i32.const 8)))"),
        calling(
            "storage.get, new keys",
            20_000,
            "(i32.store (i32.const 0) (local.get $i)) (drop (call $get (i32.const 0) (i32.const 8) (i32.const 4096) (i32.const 8)))",
        ),
        calling(
            "storage.set, one key",
            20_000,
            "(drop (call $set (i32.const 0) (i32.const 8) (i32.const 4096) (i32.const 32)))",
        ),
        calling(
            "storage.set, new keys",
            20_000,
            "(i32.store (i32.const 0) (local.get $i)) (drop (call $set (i32.const 0) (i32.const 8) (i32.const 4096) (i32.const 32)))",
        ),
        calling(
            "storage.set, 16 KiB",
            500,
            "(i32.store (i32.const 0) (local.get $i)) (drop (call $set (i32.const 0) (i32.const 8) (i32.const 4096) (i32.const 16384)))",
        ),
        calling(
            "storage.remove, keys that were set",
            10_000,
            "(i32.store (i32.const 0) (local.get $i)) (drop (call $set (i32.const 0) (i32.const 8) (i32.const 4096) (i32.const 1)))
             (drop (call $remove (i32.const 0) (i32.const 8)))",
        ),
        calling(
            "storage.scan, 64 of many",
            2_000,
            "(i32.store (i32.const 0) (local.get $i)) (drop (call $set (i32.const 0) (i32.const 8) (i32.const 4096) (i32.const 8)))
             (drop (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 64) (i32.const 4096) (i32.const 16384)))",
        ),
        calling("event.emit", 900, "(drop (call $emit (i32.const 0) (i32.const 8) (i32.const 64) (i32.const 64)))"),
        calling("log", 900, "(drop (call $log (i32.const 0) (i32.const 64)))"),
        calling("keccak256, 32 bytes", 20_000, "(drop (call $keccak (i32.const 0) (i32.const 32) (i32.const 64)))"),
        calling("keccak256, 64 KiB", 200, "(drop (call $keccak (i32.const 0) (i32.const 65536) (i32.const 64)))"),
        calling("sha256, 32 bytes", 20_000, "(drop (call $sha (i32.const 0) (i32.const 32) (i32.const 64)))"),
        calling("sha256, 64 KiB", 200, "(drop (call $sha (i32.const 0) (i32.const 65536) (i32.const 64)))"),
        calling("ed25519_verify", 300, "(drop (call $ed25519 (i32.const 64) (i32.const 96) (i32.const 0) (i32.const 32)))"),
        calling(
            "secp256k1_recover",
            200,
            "(drop (call $recover (i32.const 160) (i32.const 192) (i32.const 0) (i32.const 512)))",
        ),
        calling(
            "transfer",
            5_000,
            "(i32.store (i32.const 1024) (local.get $i)) (drop (call $transfer (i32.const 1024) (i32.const 2048)))",
        ),
        calling(
            "nested calls",
            2_000,
            "(drop (call $self (i32.const 64)))
             (drop (call $contract (i32.const 1024) (i32.const 2048) (i64.const 1000000000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))",
        ),
    ]
}

/// The key, signature and message of the first test of RFC 8032 that signs a byte, and a signature that can be recovered.
fn data() -> String {
    let mut text = String::new();
    let mut at = |offset: u32, hex: &str| {
        let bytes: String =
            hex.as_bytes().chunks(2).map(|pair| format!("\\{}{}", char::from(pair[0]), char::from(pair[1]))).collect();
        write!(text, r#"(data (i32.const {offset}) "{bytes}")"#).expect("writing to memory");
    };
    at(64, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    at(
        96,
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    at(160, "0101010101010101010101010101010101010101010101010101010101010101");
    at(192, &format!("{}{}", "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", "11".repeat(32)));
    text
}

fn calling(name: &str, times: u32, body: &str) -> Program {
    let text = format!(
        r#"(module
             (import "context" "input_len" (func $input_len (result i64)))
             (import "context" "caller" (func $caller (param i32) (result i64)))
             (import "context" "self_address" (func $self (param i32) (result i64)))
             (import "context" "output_write" (func $output (param i32 i32) (result i64)))
             (import "context" "balance" (func $balance (param i32 i32) (result i64)))
             (import "storage" "get" (func $get (param i32 i32 i32 i32) (result i64)))
             (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
             (import "storage" "remove" (func $remove (param i32 i32) (result i64)))
             (import "storage" "scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32) (result i64)))
             (import "event" "emit" (func $emit (param i32 i32 i32 i32) (result i64)))
             (import "call" "contract" (func $contract (param i32 i32 i64 i32 i32 i32 i32) (result i64)))
             (import "call" "transfer" (func $transfer (param i32 i32) (result i64)))
             (import "control" "log" (func $log (param i32 i32) (result i64)))
             (import "crypto" "keccak256" (func $keccak (param i32 i32 i32) (result i64)))
             (import "crypto" "sha256" (func $sha (param i32 i32 i32) (result i64)))
             (import "crypto" "ed25519_verify" (func $ed25519 (param i32 i32 i32 i32) (result i64)))
             (import "crypto" "secp256k1_recover" (func $recover (param i32 i32 i32 i32) (result i64)))
             (memory (export "memory") 2) {}
             (func (export "call") (local $i i32)
               (local.set $i (i32.const {times}))
               (loop $again {body} (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))))"#,
        data()
    );
    Program::new(name, Class::Adversarial, &text)
}
