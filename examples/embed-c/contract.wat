;; The contract of the C and Go examples: shouts its input, keeps what it shouted, and shows all that it keeps.
(module
  (import "mychain" "shout" (func $shout (param i32 i32 i32 i32) (result i64)))
  (import "context" "input_read" (func $input (param i32 i32 i32) (result i64)))
  (import "context" "output_write" (func $output (param i32 i32) (result i64)))
  (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
  (import "storage" "scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32) (result i64)))
  (import "event" "emit" (func $emit (param i32 i32 i32 i32) (result i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "shouted")
  ;; Input at 64, what was shouted at 256: at most 128 bytes of each.
  (func (export "call") (local $length i32)
    (local.set $length (i32.wrap_i64 (call $input (i32.const 0) (i32.const 64) (i32.const 128))))
    (drop (call $shout (i32.const 64) (local.get $length) (i32.const 256) (i32.const 128)))
    (drop (call $set (i32.const 64) (local.get $length) (i32.const 256) (local.get $length)))
    (drop (call $emit (i32.const 0) (i32.const 7) (i32.const 256) (local.get $length)))
    (drop (call $output (i32.const 256) (local.get $length))))
  ;; Everything kept, as `storage.scan` writes it.
  (func (export "view") (local $length i32)
    (local.set $length (i32.wrap_i64
      (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 512) (i32.const 4096))))
    (drop (call $output (i32.const 512) (local.get $length)))))
