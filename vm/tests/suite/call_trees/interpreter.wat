;; Executes the program that is its input: four addresses of 32 bytes, then steps. What every step returned, and what it
;; read, is the return data.
(global $pc (mut i32) (i32.const 0))
(global $out (mut i32) (i32.const 0x20000))

;; The next bytes of the program.
(func $skip (param $length i32) (result i32)
  (global.get $pc)
  (global.set $pc (i32.add (global.get $pc) (local.get $length))))
(func $byte (result i32) (i32.load8_u (call $skip (i32.const 1))))
(func $word (result i32) (i32.load16_u (call $skip (i32.const 2))))
(func $address (result i32) (i32.add (i32.const 0x1000) (i32.shl (call $byte) (i32.const 5))))

;; Keeps a result, and as much of what was written behind it as there is, at most `capacity` bytes.
(func $keep (param $result i64) (param $capacity i32)
  (i64.store (global.get $out) (local.get $result))
  (global.set $out (i32.add (global.get $out) (i32.const 8)))
  (if (i64.gt_s (local.get $result) (i64.const 0)) (then
    (global.set $out (i32.add (global.get $out)
      (select (local.get $capacity) (i32.wrap_i64 (local.get $result))
        (i64.gt_u (local.get $result) (i64.extend_i32_u (local.get $capacity)))))))))
(func $place (result i32) (i32.add (global.get $out) (i32.const 8)))

(func $interpret (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $e i32) (local $gas i64)
  (drop (call $input_read (i32.const 0) (i32.const 0x1000) (i32.const 0x1f000)))
  (memory.copy (i32.const 0x60000) (i32.const 0x1000) (i32.const 128))
  (global.set $pc (i32.const 0x1080))
  (block $done (loop $next
    (block $deposit (block $tensor (block $value (block $burn (block $trap (block $abort (block $last (block $call
    (block $transfer (block $balance (block $emit
    (block $transient_get (block $transient_remove (block $transient_set
    (block $scan (block $get (block $remove (block $set
      (br_table $done $set $remove $get $scan $transient_set $transient_remove $transient_get $emit $balance
                $transfer $call $last $abort $trap $burn $value $tensor $deposit $trap (call $byte)))
    ;; $set
    (local.set $a (call $byte)) (local.set $b (call $skip (local.get $a)))
    (local.set $c (call $word)) (local.set $d (call $skip (local.get $c)))
    (call $keep (call $set (local.get $b) (local.get $a) (local.get $d) (local.get $c)) (i32.const 0)) (br $next))
    ;; $remove
    (local.set $a (call $byte)) (local.set $b (call $skip (local.get $a)))
    (call $keep (call $remove (local.get $b) (local.get $a)) (i32.const 0)) (br $next))
    ;; $get
    (local.set $a (call $byte)) (local.set $b (call $skip (local.get $a))) (local.set $c (call $word))
    (call $keep (call $get (local.get $b) (local.get $a) (call $place) (local.get $c)) (local.get $c)) (br $next))
    ;; $scan
    (local.set $a (call $byte)) (local.set $b (call $skip (local.get $a)))
    (local.set $c (call $byte)) (local.set $d (call $skip (local.get $c)))
    (local.set $gas (i64.extend_i32_u (call $byte))) (local.set $e (call $word))
    (call $keep (call $scan (local.get $b) (local.get $a) (local.get $d) (local.get $c)
      (i32.wrap_i64 (local.get $gas)) (call $place) (local.get $e)) (local.get $e)) (br $next))
    ;; $transient_set
    (local.set $a (call $byte)) (local.set $b (call $skip (local.get $a)))
    (local.set $c (call $word)) (local.set $d (call $skip (local.get $c)))
    (call $keep (call $transient_set (local.get $b) (local.get $a) (local.get $d) (local.get $c)) (i32.const 0)) (br $next))
    ;; $transient_remove
    (local.set $a (call $byte)) (local.set $b (call $skip (local.get $a)))
    (call $keep (call $transient_remove (local.get $b) (local.get $a)) (i32.const 0)) (br $next))
    ;; $transient_get
    (local.set $a (call $byte)) (local.set $b (call $skip (local.get $a))) (local.set $c (call $word))
    (call $keep (call $transient_get (local.get $b) (local.get $a) (call $place) (local.get $c)) (local.get $c)) (br $next))
    ;; $emit: topic and data are one byte
    (local.set $a (call $skip (i32.const 1)))
    (call $keep (call $emit (local.get $a) (i32.const 1) (local.get $a) (i32.const 1)) (i32.const 0)) (br $next))
    ;; $balance
    (call $keep (i64.add (call $balance (call $address) (call $place)) (i64.const 16)) (i32.const 16)) (br $next))
    ;; $transfer
    (local.set $a (call $address)) (local.set $b (call $skip (i32.const 16)))
    (call $keep (call $transfer (local.get $a) (local.get $b)) (i32.const 0)) (br $next))
    ;; $call
    (local.set $a (call $address)) (local.set $b (call $skip (i32.const 16)))
    (local.set $gas (i64.load (call $skip (i32.const 8)))) (local.set $c (call $word))
    (local.set $d (i32.load (call $skip (i32.const 4)))) (local.set $e (call $skip (local.get $d)))
    (memory.copy (i32.const 0x60080) (local.get $e) (local.get $d))
    (call $keep (call $contract (local.get $a) (local.get $b) (local.get $gas)
      (i32.const 0x60000) (i32.add (local.get $d) (i32.const 128)) (call $place) (local.get $c)) (local.get $c)) (br $next))
    ;; $last: the return data of the last call
    (local.set $a (call $word))
    (call $keep (call $output_read (i32.const 0) (call $place) (local.get $a)) (local.get $a)) (br $next))
    ;; $abort: the message is two bytes
    (local.set $a (call $byte))
    (drop (call $abort (local.get $a) (call $skip (i32.const 2)) (i32.const 2))))
    ;; $trap
    unreachable)
    ;; $burn: more gas than there is
    (drop (call $keccak (i32.const 0) (i32.const -1) (call $place))) unreachable)
    ;; $value
    (call $keep (i64.add (call $value (call $place)) (i64.const 16)) (i32.const 16)) (br $next))
    ;; $tensor: of so many i8
    (local.set $a (call $skip (i32.const 4)))
    (call $keep (call $tensor (i32.const 0) (local.get $a) (i32.const 4) (i32.const 0) (i32.load (local.get $a))) (i32.const 0))
    (br $next))
    ;; $deposit: the bytes kept, then the deposit for them
    (local.set $gas (call $deposit (call $place)))
    (i64.store (i32.add (global.get $out) (i32.const 24)) (local.get $gas))
    (call $keep (i64.const 24) (i32.const 24)) (br $next)))
  (drop (call $output (i32.const 0x20000) (i32.sub (global.get $out) (i32.const 0x20000)))))
