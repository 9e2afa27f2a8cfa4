;; Goes wrong in the way that the first byte of its input names, after one write to storage.
(module
  (import "context" "input_read" (func $input_read (param i32 i32 i32) (result i64)))
  (import "context" "output_write" (func $output_write (param i32 i32) (result i64)))
  (import "context" "caller" (func $caller (param i32) (result i64)))
  (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
  (import "control" "abort" (func $abort (param i32 i32 i32) (result i64)))
  (memory (export "memory") 1 1024)
  (table 1 funcref)
  (data (i32.const 16) "on purpose")
  (type $nothing (func))
  (func $forever (param $depth i64) (result i64)
    (i64.add (call $forever (i64.add (local.get $depth) (i64.const 1))) (i64.const 1)))
  (func (export "call") (local $pages i32)
    (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 8)))
    (drop (call $set (i32.const 16) (i32.const 2) (i32.const 0) (i32.const 1)))
    (block $indirect (block $out (block $divide (block $grow (block $recurse (block $loop (block $trap (block $abort
      (br_table $abort $trap $loop $recurse $grow $divide $out $indirect (i32.load8_u (i32.const 0))))
      ;; 0: abort
      (drop (call $abort (i32.const 7) (i32.const 16) (i32.const 10))))
      ;; 1: unreachable
      (unreachable))
      ;; 2: an endless loop
      (loop $again (br $again)))
      ;; 3: endless recursion
      (drop (call $forever (i64.const 0)))
      (return))
      ;; 4: memory until there is no more
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (i32.store (i32.const 0) (memory.size))
      (drop (call $output_write (i32.const 0) (i32.const 4)))
      (return))
      ;; 5: a division by zero
      (i32.store (i32.const 0) (i32.div_u (i32.const 1) (local.get $pages)))
      (return))
      ;; 6: a store outside the memory
      (i32.store (i32.const 65533) (i32.const 1))
      (return))
    ;; 7: a call of nothing
    (call_indirect (type $nothing) (i32.const 0))))
