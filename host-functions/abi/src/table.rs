//! The table: one row per host function. See the crate documentation for how to read it.
//!
//! A row is
//!
//! ```text
//! /// What it does, what it returns, which statuses it can return.
//! ID since VERSION name(parameter: kind, ...) -> result price(BASE, PER_BYTE, PER_WORK);
//! ```
//!
//! - `kind` is one of [`crate::Kind`], `result` one of [`crate::Return`].
//! - The price is `BASE + PER_BYTE * bytes + PER_WORK * work` gas (picoseconds of the reference
//!   machine), charged before the function runs. `bytes` is the sum of the lengths of the `bytes`
//!   arguments and the capacities of the `out` arguments (what has a fixed size is in the base);
//!   `work` is the row's own unit, named in its documentation, and zero where it is not mentioned.
//! - Ids never change and are never used again. Those from 0x8000 on ([`crate::CHAIN_IDS`]) are for the host functions
//!   that a chain adds of its own, with the same kind of table.
//!
//! Every function returns an `i64`: zero or more is the result, less is the negated code of a
//! [`crate::Status`], and then nothing was written into the guest's memory. All inputs are read
//! before the first output is written, so that ranges may overlap. A range outside the memory is a
//! fault.
//!
//! The group is the WebAssembly import module, the name the import name. `op` rows are pure
//! functions of tensors: `noema-tensor` holds one file of that name for each, and everything else
//! (parsing, price, handles, SDK wrapper) follows from the row.

/// Calls a macro, named by an identifier or a path, with every row of the table; tokens in braces
/// after its name are passed on before the rows, in braces. The crate documentation shows the
/// pattern that matches the rows.
#[macro_export]
macro_rules! host_functions {
    ($callback:tt $(:: $path:ident)* $({ $($extra:tt)* })?) => { $callback $(:: $path)* ! {
        $({ $($extra)* })?
        /// The call: who calls whom, with what, where in the chain.
        mod context {
            /// Length of the input, in bytes.
            0x0101 since 1 input_len() -> u64 price(20_000, 0, 0);
            /// Copies input bytes from `offset` on into `buffer`; returns how many bytes there are
            /// from `offset` on, which may be more than were copied. `IndexOutOfRange` past the end.
            0x0102 since 1 input_read(offset: u32, buffer: out) -> u64 price(25_000, 100, 0);
            /// Sets the return data of this call; the last one counts. `LimitExceeded` above
            /// `MAX_OUTPUT_BYTES`. A byte costs what keeping it in the receipt costs.
            0x0103 since 1 output_write(data: bytes) -> unit price(40_000, 10_000, 0);
            /// The address that made this call: a contract, or the sender of the transaction.
            0x0104 since 1 caller(address: out32) -> unit price(25_000, 0, 0);
            /// The address of the running contract.
            0x0105 since 1 self_address(address: out32) -> unit price(25_000, 0, 0);
            /// The native value sent with this call, as a little-endian `u128`.
            0x0106 since 1 value(amount: out16) -> unit price(25_000, 0, 0);
            /// Height of the block being executed.
            0x0107 since 1 block_height() -> u64 price(20_000, 0, 0);
            /// Time of the block being executed, in milliseconds since the Unix epoch, as its
            /// producer wrote it into the block.
            0x0108 since 1 block_time() -> u64 price(20_000, 0, 0);
            /// Copies the chain id into `buffer`; returns its length.
            0x0109 since 1 chain_id(buffer: out) -> u64 price(25_000, 100, 0);
            /// Gas left before this function's own price was charged, less that price.
            0x010a since 1 gas_left() -> u64 price(20_000, 0, 0);
            /// The native balance of an address, as a little-endian `u128`.
            0x010b since 1 balance(address: in32, amount: out16) -> unit price(2_000_000, 0, 0);
            /// What the running contract keeps now (its record, code and entries), in bytes; `amount`
            /// becomes the part of its balance, as a little-endian `u128`, that is the deposit for them and
            /// that must be there when the call ends.
            0x010c since 1 deposit(amount: out16) -> u64 price(2_000_000, 0, 0);
        }
        /// Key-value storage of the running contract. Writing in a view is a fault.
        mod storage {
            /// Copies the value under `key` into `value`; returns its length, which may be more
            /// than was copied. `NotFound`; `LimitExceeded` for a key above `MAX_KEY_BYTES`.
            /// Work: bytes of the value found.
            0x0201 since 1 get(key: bytes, value: out) -> u64 price(2_000_000, 100, 500);
            /// Writes `value` under `key`. `LimitExceeded` above `MAX_KEY_BYTES`, `MAX_VALUE_BYTES` or, over the
            /// whole transaction, `MAX_WRITTEN_BYTES`. Work: bytes of the value that was there.
            0x0202 since 1 set(key: bytes, value: bytes) -> unit price(10_000_000, 5_000, 500);
            /// Removes `key`; returns 1 if it was there, else 0. `LimitExceeded` above `MAX_KEY_BYTES`.
            /// Work: bytes of the value that was there.
            0x0203 since 1 remove(key: bytes) -> u64 price(10_000_000, 500, 500);
            /// Writes entries whose key starts with `prefix` and is not below `start`, in key order,
            /// as `u32 key length, u32 value length, key, value` (little-endian), as many whole
            /// ones as fit into `entries`, at most `limit` and `MAX_SCAN_ENTRIES`; returns the bytes
            /// written. `LimitExceeded` where the first one does not fit, and for a `prefix` or `start`
            /// above `MAX_KEY_BYTES`.
            /// Work: bytes of the entries read plus 256 for each, but of those behind the first that does not fit a
            /// 32nd of the bytes, rounded up (entries are read eight at a time, or as many as `limit` leaves); entries
            /// removed in the same transaction that it passes over count 256.
            0x0204 since 1 scan(prefix: bytes, start: bytes, limit: u32, entries: out) -> u64 price(5_000_000, 100, 5_000);
        }
        /// Key-value entries of the running contract that end with the transaction: seen by every later
        /// call of this contract in it, undone with the call that wrote them. They are no part of the state and need
        /// no deposit. Writing in a view is a fault.
        mod transient {
            /// Copies the value under `key` into `value`; returns its length, which may be more
            /// than was copied. `NotFound`; `LimitExceeded` for a key above `MAX_KEY_BYTES`.
            0x0a01 since 1 get(key: bytes, value: out) -> u64 price(200_000, 200, 0);
            /// Writes `value` under `key`. `LimitExceeded` above `MAX_KEY_BYTES` or
            /// `MAX_VALUE_BYTES`, where the keys and values of this contract would be more than
            /// `MAX_TRANSIENT_BYTES`, or, over the whole transaction, above `MAX_WRITTEN_BYTES`.
            0x0a02 since 1 set(key: bytes, value: bytes) -> unit price(500_000, 1_000, 0);
            /// Removes `key`; returns 1 if it was there, else 0. `LimitExceeded` above `MAX_KEY_BYTES`.
            0x0a03 since 1 remove(key: bytes) -> u64 price(300_000, 500, 0);
        }
        /// Events, which stand in the receipt.
        mod event {
            /// Adds an event. `LimitExceeded` above `MAX_TOPIC_BYTES`, `MAX_EVENT_BYTES` or
            /// `MAX_EVENTS`. In a view it is a fault. A byte costs what keeping it in the receipt costs.
            0x0301 since 1 emit(topic: bytes, data: bytes) -> unit price(600_000, 10_000, 0);
        }
        /// Other contracts and accounts.
        mod call {
            /// Calls the contract at `target` with `value` (little-endian `u128`) and at most `gas`
            /// of what is left (a sixty-fourth of which stays with the caller), copies its
            /// return data into `output` and returns the length of that data. `NotFound`,
            /// `CallAborted` (`output_read` then gives the code, as a little-endian `u32`, and the
            /// message), `CallFaulted`, `Reentrant`, `CallDepth`, `InsufficientBalance`,
            /// `InsufficientDeposit` (of the called contract, when it ended), `Overflow` (of the receiver's balance),
            /// `LimitExceeded` above `MAX_INPUT_BYTES`. Sending value in a view is a fault.
            /// Work: bytes of code of the called contract.
            0x0401 since 1 contract(target: in32, value: in16, gas: u64, input: bytes, output: out) -> u64 price(20_000_000, 100, 10);
            /// Copies the return data of the last call from `offset` on into `buffer`; returns how
            /// many bytes there are from `offset` on. `IndexOutOfRange` past the end.
            0x0402 since 1 output_read(offset: u32, buffer: out) -> u64 price(25_000, 100, 0);
            /// Sends `value` (little-endian `u128`) to an address without running any code.
            /// `InsufficientBalance`, `Overflow` (of the receiver's balance). In a view it is a fault.
            0x0403 since 1 transfer(target: in32, value: in16) -> unit price(20_000_000, 0, 0);
        }
        /// Hashes and signatures.
        mod crypto {
            /// Keccak-256 (the padding of Ethereum) of `data`.
            0x0501 since 1 keccak256(data: bytes, digest: out32) -> unit price(500_000, 4_000, 0);
            /// SHA-256 of `data`.
            0x0502 since 1 sha256(data: bytes, digest: out32) -> unit price(300_000, 4_000, 0);
            /// Whether `signature` is a valid Ed25519 signature of `message` under `key`, by the
            /// rules of ZIP-215: returns 1 or 0.
            0x0503 since 1 ed25519_verify(key: in32, signature: in64, message: bytes) -> u64 price(150_000_000, 4_000, 0);
            /// Recovers the public key (x and y, big-endian) that made an ECDSA signature (r and s,
            /// big-endian) over `digest`, with recovery id 0 to 3. `InvalidSignature`.
            0x0504 since 1 secp256k1_recover(digest: in32, signature: in64, recovery_id: u32, public_key: out64) -> unit price(400_000_000, 0, 0);
        }
        /// Ending a call, and talking to whoever runs the node.
        mod control {
            /// Ends the whole call: its effects are undone, `code` and `message` (cut at
            /// `MAX_ABORT_BYTES`) reach the caller, unspent gas is returned. A byte costs what keeping it in the receipt costs.
            0x0601 since 1 abort(code: u32, message: bytes) -> never price(40_000, 10_000, 0);
            /// Writes a line to the log of this node, if it keeps one; nothing else happens.
            0x0602 since 1 log(message: bytes) -> unit price(100_000, 100, 0);
        }
        /// Tensors: handles to memory of the host that belongs to the running frame.
        mod tensor {
            /// Makes a tensor of element type `dtype` from `shape` (little-endian `u32` each) and
            /// `data` (little-endian elements in row-major order). `TypeMismatch` for an unknown
            /// type, `ShapeMismatch` where data and shape disagree or the rank passes `MAX_RANK`,
            /// `LimitExceeded` above `MAX_TENSORS` or `MAX_TENSOR_BYTES`.
            0x0701 since 1 create(dtype: u32, shape: bytes, data: bytes) -> tensor price(500_000, 200, 0);
            /// The code of the element type. `BadHandle`.
            0x0702 since 1 dtype(x: tensor) -> u64 price(25_000, 0, 0);
            /// Copies the shape (little-endian `u32` each) into `shape`; returns its length in
            /// bytes. `BadHandle`.
            0x0703 since 1 shape(x: tensor, shape: out) -> u64 price(30_000, 100, 0);
            /// Copies the elements (little-endian, row-major) into `data`; returns their length in
            /// bytes, which may be more than was copied. `BadHandle`.
            0x0704 since 1 read(x: tensor, data: out) -> u64 price(100_000, 200, 0);
            /// Frees the handle. `BadHandle`.
            0x0705 since 1 drop(x: tensor) -> unit price(50_000, 0, 0);
        }
        /// Opcodes: pure functions of tensors.
        mod op {
            /// Exact matrix product over the last two axes: `[.., m, k]` and `[k, n]` or `[.., k, n]`
            /// give `[.., m, n]`. `i8` times `i8`: `i32` while `k <= 131071`, else `i64`; `u8` times
            /// `i8`: `i32` while `k <= 65793`, else `i64`; `i16` times `i8` or `i16`: `i64`.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: for each product of `[m, k]` and `[k, n]`: `m * ceil(n / 16)` times `f * 16 * max(k, 16) + p`, `w * k * 16 * ceil(n /
            /// 16)`, 50 for each element of `a`, and 200000. `f`, `p`, `w` are 1, 1500, 60 for `i8` and `u8`; 4, 4000, 100 for `i16` times
            /// `i8`; 8, 12000, 120 for `i16` times `i16`.
            0x0801 since 1 matmul(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 10);
            /// `sat(rne(x * multiplier / 2^shift) + zero_point)` to element type `dtype`, with `x`
            /// of `i32` or `i64`, `multiplier` of `i32` (each 0 or in `[2^30, 2^31)`) and `shift` of `u8`
            /// (each at most 62), both of shape `[]` (one for all) or `[c]` (one for each index of the
            /// last axis). `TypeMismatch`, `ShapeMismatch`, `BadArgument`.
            /// Work: elements of `x`, 3 for each of `i64`, and 2 for each element of `multiplier`.
            0x0802 since 1 requantise(x: tensor, multiplier: tensor, shift: tensor, zero_point: i32, dtype: u32) -> tensor price(1_000_000, 0, 730);
            /// `a + b`, saturating, element by element with the broadcasting rules of ONNX; both of
            /// one element type. `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes, and 32 for each run.
            0x0803 since 1 add(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 120);
            /// `max(x, 0)`.
            /// Work: bytes.
            0x0804 since 1 relu(x: tensor) -> tensor price(1_000_000, 0, 90);
            /// Softmax over the last axis of `x` (`i8`, `i16` or `i32`) with `c = multiplier / 2^shift`
            /// (`multiplier` 0 or in `[2^30, 2^31)`, `shift` at most 62):
            /// `E_j = rne(2^30 * exp(c * (x_j - max x)))`, then `y_j = rne(2^fraction_bits * E_j / sum E)`
            /// as `i32`, `fraction_bits` at most 30, rows of 1 to 65536. `TypeMismatch`,
            /// `ShapeMismatch`, `BadArgument`.
            /// Work: elements, and 5 for each row.
            0x0805 since 1 softmax(x: tensor, multiplier: i32, shift: u32, fraction_bits: u32) -> tensor price(1_000_000, 0, 14_500);
            /// Index of the largest element along the last axis as `i32`, the lowest index among
            /// equals; the axis goes. `ShapeMismatch` where it is empty or missing.
            /// Work: bytes of `x`, and for each row 96 and 24 for each of its first 32 elements.
            0x0806 since 1 argmax(x: tensor) -> tensor price(1_000_000, 0, 48);
            /// The same elements under another shape (little-endian `u32` each). `ShapeMismatch`.
            0x0807 since 1 reshape(x: tensor, shape: bytes) -> tensor price(450_000, 100, 0);
            /// The box of `sizes` that begins at `starts` (little-endian `u32` for each axis).
            /// `ShapeMismatch`, `IndexOutOfRange`.
            /// Work: bytes of the result, and 32 for each run of the box.
            0x0808 since 1 slice(x: tensor, starts: bytes, sizes: bytes) -> tensor price(1_000_000, 100, 75);
            /// Layer normalisation over the last axis of `x` (`i8`, `i16` or `i32`, rows of 1 to 65536) to
            /// `dtype` (one of the same): `(x_j - mean) / sqrt(variance + epsilon / 2^24) * gain_j + bias_j`, over
            /// `2^shift` (at most 31), `gain` and `bias` of `i32` and as long as a row. With exact
            /// `D_j = n * x_j - sum x`, `R = 2^24 * (n * sum x^2 - (sum x)^2) + n^2 * epsilon`, `e` such that
            /// `4^e <= R < 4^(e+1)`, `T = rne(2^62 / sqrt(floor(R * 4^(31 - e))))` (both 0 where `R` is 0):
            /// `y_j = sat(rne((D_j * gain_j * T + bias_j * 2^(e + 19)) / 2^(e + 19 + shift)))`.
            /// `TypeMismatch`, `ShapeMismatch`, `BadArgument`.
            /// Work: elements, 12 for each of `i32` and of rows above 32768, 64 for each row, and 4 for each element of `gain` and `bias`.
            0x0811 since 1 layer_norm(x: tensor, gain: tensor, bias: tensor, epsilon: u64, shift: u32, dtype: u32) -> tensor price(1_000_000, 0, 1_100);
            /// RMS normalisation over the last axis of `x`: `x_j / sqrt(mean(x^2) + epsilon / 2^24) * gain_j`,
            /// over `2^shift`. As `layer_norm` with 0 for `sum x` and for `bias`.
            /// `TypeMismatch`, `ShapeMismatch`, `BadArgument`.
            /// Work: as for `layer_norm`.
            0x0812 since 1 rms_norm(x: tensor, gain: tensor, epsilon: u64, shift: u32, dtype: u32) -> tensor price(1_000_000, 0, 890);
            /// The logarithm of the softmax over the last axis of `x` (`i8`, `i16` or `i32`), with `E` and `c` as for `softmax`:
            /// `y_j = sat(rne(2^fraction_bits * (c * (x_j - max x) - G / 2^62)))` as `i32`, where `G` is `ln(sum E / 2^30)` with 62
            /// bits by the 48 digits of the specification, `fraction_bits` at most 30, rows of 1 to 65536. `TypeMismatch`,
            /// `ShapeMismatch`, `BadArgument`.
            /// Work: elements, and 10 for each row.
            0x0813 since 1 log_softmax(x: tensor, multiplier: i32, shift: u32, fraction_bits: u32) -> tensor price(1_000_000, 0, 15_000);
            /// `x_j / sqrt(sum x^2 + epsilon / 2^24)` with `fraction_bits` (at most 30) over the last axis of `x` (`i8`, `i16` or `i32`,
            /// rows of 1 to 65536) to `dtype` (one of the same). With `R = 2^24 * sum x^2 + epsilon`, `e` and `T` as for `layer_norm`:
            /// `y_j = sat(rne(x_j * T * 2^fraction_bits / 2^(e + 19)))`. `TypeMismatch`, `ShapeMismatch`, `BadArgument`.
            /// Work: elements, and 4 for each row.
            0x0814 since 1 l2_norm(x: tensor, epsilon: u64, fraction_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 9_100);
            /// `layer_norm` of all elements of an image `[n, .., c]` that belong to one of `groups` equal parts of its channels, as one
            /// row; `gain` and `bias` of `i32` `[c]`. A group has at most 65536 elements of `i32`, 2^24 of `i8` or `i16`.
            /// `TypeMismatch`, `ShapeMismatch`, `BadArgument`.
            /// Work: 2 for each element, 16 for each group of each image, and one for each group of each place.
            0x0815 since 1 group_norm(x: tensor, gain: tensor, bias: tensor, groups: u32, epsilon: u64, shift: u32, dtype: u32) -> tensor price(1_000_000, 0, 5_000);
            /// Rotary embedding of `x` `[.., m, d]` (`i8`, `i16` or `i32`) by tables `[m, d / 2]` of `i16` with `bits` (at most 15) fraction
            /// bits. With `(a, b)` elements `i` and `i + d / 2` of row `r` (`interleaved` 0) or `2 i` and `2 i + 1` (1):
            /// `sat(rne((a * cos[r, i] - b * sin[r, i]) / 2^bits))` and `sat(rne((b * cos[r, i] + a * sin[r, i]) / 2^bits))`.
            /// `TypeMismatch`, `ShapeMismatch`, `BadArgument`.
            /// Work: elements, and one for each row.
            0x0816 since 1 rotary(x: tensor, cos: tensor, sin: tensor, bits: u32, interleaved: u32) -> tensor price(1_000_000, 0, 1_900);
            /// Attention of `q` `[.., h, m, d]` over `k` `[.., g, n, d]` and `v` `[.., g, n, w]`, all `i8`, to `i8`
            /// `[.., h, m, w]`; `h` is a multiple of `g`, `n` at most 65536, `d` at most 131071. `lengths` and `positions` are empty
            /// or have a little-endian `u32` for each element of the batch: query `i` sees the keys `j < length`,
            /// `j <= position + i`. With exact `S = q * k`, `c = multiplier / 2^shift` and
            /// `E_j = rne(2^30 * exp(c * (S_j - max S)))` over the keys seen (0 for others):
            /// `sat(rne(sum(E_j * v_j) * out_multiplier / (sum(E) * 2^out_shift)))`, 0 where no key is seen.
            /// Multipliers 0 or in `[2^30, 2^31)`, shifts at most 62.
            /// `TypeMismatch`, `ShapeMismatch`, `BadArgument`, `IndexOutOfRange` for a length above `n`, `LimitExceeded`.
            /// Work: for each query of each head 8000, 16 for each of its results, and for each key `max(d, 16) + max(w, 16) + 280`; 12000
            /// for each head.
            0x0818 since 1 attention(q: tensor, k: tensor, v: tensor, lengths: bytes, positions: bytes, multiplier: i32, shift: u32, out_multiplier: i32, out_shift: u32) -> tensor price(1_000_000, 100, 50);
            /// Any function of `x` (`i8` or `u8`: `table` of 256 entries; `i16`: of 65536), whose entries stand
            /// in the order of the numbers, the lowest first: `table[x - lowest]`, of the table's element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of `x`.
            0x0820 since 1 lookup(x: tensor, table: tensor) -> tensor price(1_000_000, 0, 660);
            /// The exponential, correctly rounded: `sat(rne(2^out_bits * exp(v)))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x0821 since 1 exp(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 570);
            /// The natural logarithm, correctly rounded: `sat(rne(2^out_bits * ln(v)))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`. `BadArgument` also for an element that is not above 0.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x0822 since 1 log(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 890);
            /// The logistic function, correctly rounded: `sat(rne(2^out_bits * 1 / (1 + exp(-v))))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x0823 since 1 sigmoid(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 730);
            /// The hyperbolic tangent, correctly rounded: `sat(rne(2^out_bits * tanh(v)))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x0824 since 1 tanh(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 710);
            /// SiLU, also called swish, correctly rounded: `sat(rne(2^out_bits * v / (1 + exp(-v))))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x0825 since 1 silu(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 870);
            /// GELU by the error function (not the approximation by `tanh`), correctly rounded: `sat(rne(2^out_bits * v * (1 + erf(v / sqrt(2))) / 2))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x0826 since 1 gelu(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 810);
            /// The error function, correctly rounded: `sat(rne(2^out_bits * erf(v)))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x0827 since 1 erf(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 840);
            /// The sine of an angle in radians, correctly rounded: `sat(rne(2^out_bits * sin(v)))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x0828 since 1 sin(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 1_200);
            /// The cosine of an angle in radians, correctly rounded: `sat(rne(2^out_bits * cos(v)))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x0829 since 1 cos(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 1_100);
            /// The square root, correctly rounded: `sat(rne(2^out_bits * sqrt(v)))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`. `BadArgument` also for an element below 0.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x082a since 1 sqrt(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 820);
            /// The reciprocal of the square root, correctly rounded: `sat(rne(2^out_bits * 1 / sqrt(v)))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`. `BadArgument` also for an element that is not above 0.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x082b since 1 rsqrt(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 1_100);
            /// The reciprocal, correctly rounded: `sat(rne(2^out_bits * 1 / v))` of `v = x / 2^in_bits` as `dtype` (`i8`, `u8`, `i16` or `i32`);
            /// `x` of `i8` or `i16`, `in_bits` at most 16, `out_bits` at most 30. `TypeMismatch`, `BadArgument`. `DivisionByZero` for an element of 0.
            /// Work: elements, twice where the result is `i32`, and 7 for each of the first 256 (`i8`) or 65536 (`i16`).
            0x082c since 1 recip(x: tensor, in_bits: u32, out_bits: u32, dtype: u32) -> tensor price(1_000_000, 0, 750);
            /// The step of a dynamic quantisation to `dtype` (`i8`: `L = 127`; `i16`: `L = 32767`) of each row along the
            /// last axis of `x` (`i8`, `i16` or `i32`): `max(1, ceil(2^32 * max|x| / L))` as `i64` with 32 fraction bits. The
            /// last axis becomes 1. `TypeMismatch`, `ShapeMismatch`.
            /// Work: bytes of `x`, and for each row 128 and 8 for each of its first 32 elements.
            0x0840 since 1 row_step(x: tensor, dtype: u32) -> tensor price(1_000_000, 0, 38);
            /// `sat(rne(2^32 * x / step))` to `dtype` (`i8` or `i16`), of `x` of `i8`, `i16` or `i32` and a `step` of `i64` for each
            /// row along its last axis (the shape of `x` with a last axis of 1), as `row_step` gives it. `TypeMismatch`,
            /// `ShapeMismatch`, `DivisionByZero` for a step that is not above 0.
            /// Work: elements of `x`, and 24 for each row.
            0x0841 since 1 quantise_rows(x: tensor, step: tensor, dtype: u32) -> tensor price(1_000_000, 0, 1_600);
            /// `sat(rne(a * b * multiplier / 2^shift) + zero_point)` to element type `dtype`, element by element with the
            /// broadcasting rules of ONNX; `a` and `b` of any types but not both of `i64`, `multiplier` 0 or in
            /// `[2^30, 2^31)`, `shift` at most 94. `TypeMismatch`, `ShapeMismatch`, `BadArgument`.
            /// Work: elements of the result, 6 for each where an operand is `i64`, and 10 for each run.
            0x0842 since 1 mul_requantise(a: tensor, b: tensor, multiplier: i32, shift: u32, zero_point: i32, dtype: u32) -> tensor price(1_000_000, 0, 1_900);
            /// `a - b`, saturating, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes, and 32 for each run.
            0x0850 since 1 sub(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 120);
            /// `a * b`, saturating, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes, and 32 for each run.
            0x0851 since 1 mul(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 130);
            /// `a + b`, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`, `Overflow` where one result is not in the range of the type.
            /// Work: elements of the result in bytes, each with two more, and 32 for each run.
            0x0852 since 1 add_checked(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 150);
            /// `a - b`, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`, `Overflow` where one result is not in the range of the type.
            /// Work: elements of the result in bytes, each with two more, and 32 for each run.
            0x0853 since 1 sub_checked(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 150);
            /// `a * b`, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`, `Overflow` where one result is not in the range of the type.
            /// Work: elements of the result in bytes, each with two more, and 32 for each run.
            0x0854 since 1 mul_checked(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 130);
            /// The smaller of `a` and `b`, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes, and 32 for each run.
            0x0855 since 1 min(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 120);
            /// The larger of `a` and `b`, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes, and 32 for each run.
            0x0856 since 1 max(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 120);
            /// `a & b` in two's complement, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes, and 32 for each run.
            0x0857 since 1 bit_and(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 120);
            /// `a | b` in two's complement, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes, and 32 for each run.
            0x0858 since 1 bit_or(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 120);
            /// `a ^ b` in two's complement, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes, and 32 for each run.
            0x0859 since 1 bit_xor(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 120);
            /// 1 where `a = b`, else 0, as `u8`, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes of an operand, each with one more, and 48 for each run.
            0x085a since 1 equal(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 70);
            /// 1 where `a < b`, else 0, as `u8`, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes of an operand, each with one more, and 48 for each run.
            0x085b since 1 less(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 70);
            /// 1 where `a <= b`, else 0, as `u8`, element by element with the broadcasting rules of ONNX; both of one element type.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes of an operand, each with one more, and 48 for each run.
            0x085c since 1 less_or_equal(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 70);
            /// `a` where `condition` (`u8`) is not 0, else `b`, element by element with the broadcasting rules of ONNX;
            /// `a` and `b` of one element type. `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of the result in bytes, each with one more, and 48 for each run.
            0x085d since 1 select(condition: tensor, a: tensor, b: tensor) -> tensor price(1_000_000, 0, 100);
            /// `-x`, saturating.
            /// Work: bytes.
            0x085e since 1 neg(x: tensor) -> tensor price(1_000_000, 0, 90);
            /// `|x|`, saturating.
            /// Work: bytes.
            0x085f since 1 abs(x: tensor) -> tensor price(1_000_000, 0, 90);
            /// Every bit of `x` in two's complement.
            /// Work: bytes.
            0x0860 since 1 bit_not(x: tensor) -> tensor price(1_000_000, 0, 90);
            /// `min(max(x, low), high)`, saturating. `BadArgument` where `low` is above `high`.
            /// Work: bytes.
            0x0861 since 1 clamp(x: tensor, low: i64, high: i64) -> tensor price(1_000_000, 0, 90);
            /// `sat(rne(x * 2^bits))`, `bits` from -63 to 63. `BadArgument`.
            /// Work: bytes, with two more for each element.
            0x0862 since 1 shift(x: tensor, bits: i32) -> tensor price(1_000_000, 0, 110);
            /// The axes in another order: axis `i` of the result is axis `axes_i` of `x` (little-endian `u32` each, every axis
            /// once). `ShapeMismatch`.
            /// Work: bytes; where the last axis longer than 1 stays the last one 32 for each row along it, else 24 for each element.
            0x0870 since 1 transpose(x: tensor, axes: bytes) -> tensor price(1_000_000, 100, 87);
            /// `x` repeated to `shape` (little-endian `u32` each): aligned at the last axes, a dimension that is missing or 1 is
            /// repeated. `ShapeMismatch`, `LimitExceeded`.
            /// Work: bytes of the result, and 64 for each run.
            0x0871 since 1 expand(x: tensor, shape: bytes) -> tensor price(1_000_000, 100, 82);
            /// `a` and behind it `b` along `axis`; both of one element type and, but for that axis, of one shape.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: bytes of the result, and 96 for each index of the axes before `axis`.
            0x0872 since 1 concat(a: tensor, b: tensor, axis: u32) -> tensor price(1_000_000, 0, 87);
            /// `x` with `before` and `behind` elements (little-endian `u32` for each axis) of `sat(value)` around it.
            /// `ShapeMismatch`, `LimitExceeded`.
            /// Work: bytes of the result, and 32 for each run of `x` in it.
            0x0873 since 1 pad(x: tensor, before: bytes, behind: bytes, value: i64) -> tensor price(1_000_000, 100, 99);
            /// The slices of `x` along `axis` that `indices` (`i32`, of any shape, which takes the place of the axis) names.
            /// `TypeMismatch`, `ShapeMismatch`, `IndexOutOfRange`, `LimitExceeded`.
            /// Work: bytes of the result, 40 for each slice of it, and 64 for each index.
            0x0874 since 1 gather(x: tensor, indices: tensor, axis: u32) -> tensor price(1_000_000, 0, 60);
            /// `x` as often along each axis as `repeats` (little-endian `u32` each) says. `ShapeMismatch`, `LimitExceeded`.
            /// Work: bytes of the result, and 128 for each index of the axes before the last one that is repeated.
            0x0875 since 1 tile(x: tensor, repeats: bytes) -> tensor price(1_000_000, 100, 80);
            /// `x`, but for the slices along `axis` that `indices` (`i32`) names, which come from `updates` (all axes of `indices` in the
            /// place of the axis); the last one stays where several have one index. `TypeMismatch`, `ShapeMismatch`,
            /// `IndexOutOfRange`.
            /// Work: bytes of `x` and of `updates`, 40 for each slice of these, and 64 for each index.
            0x0876 since 1 scatter(x: tensor, indices: tensor, updates: tensor, axis: u32) -> tensor price(1_000_000, 0, 78);
            /// `y[.., i, ..] = x[.., indices[.., i, ..], ..]` along `axis`, with `indices` (`i32`) of the shape of `x` but for that axis.
            /// `TypeMismatch`, `ShapeMismatch`, `IndexOutOfRange`.
            /// Work: elements of the result.
            0x0877 since 1 gather_elements(x: tensor, indices: tensor, axis: u32) -> tensor price(1_000_000, 0, 7_000);
            /// `sat(on)` at the place of each index (`i32`) along a new last axis of `depth`, `sat(off)` elsewhere, as `dtype`.
            /// `TypeMismatch`, `ShapeMismatch`, `IndexOutOfRange`, `LimitExceeded`.
            /// Work: bytes of the result, and 64 for each index.
            0x0878 since 1 one_hot(indices: tensor, depth: u32, on: i64, off: i64, dtype: u32) -> tensor price(1_000_000, 0, 64);
            /// `start + i * step` for each `i` below `count`, as `dtype`. `TypeMismatch`, `Overflow` where one does not fit.
            /// Work: elements of the result.
            0x0879 since 1 range(start: i64, step: i64, count: u32, dtype: u32) -> tensor price(1_000_000, 0, 2_000);
            /// The matrices of the last two axes where the column less the row is at most `diagonal` (`upper` 0) or at least
            /// `diagonal` (`upper` 1), 0 elsewhere. `ShapeMismatch`, `BadArgument`.
            /// Work: bytes, and 64 for each row.
            0x087a since 1 trilu(x: tensor, diagonal: i32, upper: u32) -> tensor price(1_000_000, 0, 85);
            /// `x` at another `shape` (little-endian `u32` each) by its nearest elements: place `i` of an axis that grows or shrinks from
            /// `n` to `m` takes `floor(i * n / m)` (`mode` 0), or `max(0, ceil(((2 i + 1) * n - 2 m) / (2 m)))` (`mode` 1).
            /// `ShapeMismatch`, `BadArgument`, `LimitExceeded`.
            /// Work: elements of the result, and 8 for each row of it.
            0x087b since 1 resize(x: tensor, shape: bytes, mode: u32) -> tensor price(1_000_000, 100, 2_000);
            /// The exact sum along `axis`, which goes, as `i64`. `ShapeMismatch`, `Overflow` where a sum does not fit.
            /// Work: elements of `x`, one more for each byte of them, 48 for each run, and 16 for each element of the result.
            0x0880 since 1 reduce_sum(x: tensor, axis: u32) -> tensor price(1_000_000, 0, 68);
            /// `rne(sum / n)` along `axis`, which goes and is not empty, of the element type of `x`. `ShapeMismatch`.
            /// Work: elements of `x`, one more for each byte of them, 80 for each run, and 200 for each element of the result.
            0x0881 since 1 reduce_mean(x: tensor, axis: u32) -> tensor price(1_000_000, 0, 54);
            /// The smallest element along `axis`, which goes and is not empty. `ShapeMismatch`.
            /// Work: bytes of `x`, 256 for each run, and 16 for each element of the result.
            0x0882 since 1 reduce_min(x: tensor, axis: u32) -> tensor price(1_000_000, 0, 32);
            /// The largest element along `axis`, which goes and is not empty. `ShapeMismatch`.
            /// Work: bytes of `x`, 256 for each run, and 16 for each element of the result.
            0x0883 since 1 reduce_max(x: tensor, axis: u32) -> tensor price(1_000_000, 0, 32);
            /// `x_0 + .. + x_i` for each `i` along `axis`, exact, as `i64`. `ShapeMismatch`, `Overflow` where a sum does not fit.
            /// Work: bytes, with five more for each element.
            0x0884 since 1 cumsum(x: tensor, axis: u32) -> tensor price(1_000_000, 0, 200);
            /// Index of the smallest element along the last axis as `i32`, the lowest index among equals; the axis goes.
            /// `ShapeMismatch` where it is empty or missing.
            /// Work: as for `argmax`.
            0x0885 since 1 argmin(x: tensor) -> tensor price(1_000_000, 0, 48);
            /// The exact product along `axis`, which goes, as `i64`. `ShapeMismatch`, `Overflow` where a product does not fit.
            /// Work: elements of `x` and of the result.
            0x0886 since 1 reduce_prod(x: tensor, axis: u32) -> tensor price(1_000_000, 0, 3_000);
            /// Rows along the last axis in order: the largest first (`order` 0) or the smallest (`order` 1). `ShapeMismatch`,
            /// `BadArgument`. Work: elements times the bits of the length of a row.
            0x0887 since 1 sort(x: tensor, order: u32) -> tensor price(1_000_000, 0, 950);
            /// Indices, as `i32`, of the `count` largest (`order` 0) or smallest (`order` 1) elements of each row along the last axis
            /// (1 to 2^20 long), in order, the lower index first among equals. `ShapeMismatch`, `BadArgument`.
            /// Work: elements of `x` times one more than the bits of `count`, and 8 for each row.
            0x0888 since 1 topk(x: tensor, count: u32, order: u32) -> tensor price(1_000_000, 0, 2_200);
            /// Exact convolution of images `[n, h, w, c]` with `weights` `[o, kh, kw, c / groups]` to `[n, .., .., o]`, channels last.
            /// `strides` and `dilations` are two numbers, `pads` four: above, left, below, right (little-endian `u32` each); an
            /// element beside the image is `sat(pad_value)`. Types and their bound on the length of a sum as for `matmul`.
            /// `TypeMismatch`, `ShapeMismatch`, `BadArgument`, `LimitExceeded`.
            /// Work: for each place: for each group as for a row of `matmul` with all its taps and channels as `k` and its channels of the
            /// result as `n`, but nothing for the elements of `a` and `b`, and 2000; for each tap 10 for each channel and 1500 for each group. Where
            /// groups have one channel: 6000 and 100 for each channel of the result, and for each tap 200, 8 for each channel of the result
            /// (16 for `i16`), and 64 for those of the last `c mod 32` channels. Besides 200 for each weight and 100000 for each group.
            0x0890 since 1 conv2d(x: tensor, weights: tensor, strides: bytes, pads: bytes, dilations: bytes, groups: u32, pad_value: i32) -> tensor price(1_000_000, 100, 10);
            /// Exact transposed convolution: `x` `[n, h, w, c]` times `weights` `[o, kh, kw, c / groups]`, added at
            /// `stride * place + dilation * tap - pad`; the result has `(h - 1) * stride + (kh - 1) * dilation + 1 - pads + more`
            /// rows, and so the columns. `strides`, `more` and `dilations` are two numbers, `pads` four, as for `conv2d`.
            /// `TypeMismatch`, `ShapeMismatch`, `BadArgument`, `LimitExceeded`.
            /// Work: as for `conv2d`.
            0x0891 since 1 conv_transpose2d(x: tensor, weights: tensor, strides: bytes, pads: bytes, more: bytes, dilations: bytes, groups: u32) -> tensor price(1_000_000, 100, 10);
            /// The largest element of each channel in a window over images `[n, h, w, c]`; where it sees nothing but pads, the
            /// least value of the type. `window`, `strides`, `dilations` are two numbers, `pads` four: above, left, below, right
            /// (little-endian `u32` each). `ShapeMismatch`, `BadArgument`, `LimitExceeded`.
            /// Work: for each place and tap the bytes of the channels and 160, and 16 for each element of the result.
            0x0892 since 1 max_pool(x: tensor, window: bytes, strides: bytes, pads: bytes, dilations: bytes) -> tensor price(1_000_000, 100, 49);
            /// `rne(sum / count)` of the elements of each channel in a window, which moves as for `max_pool`; the count is that of all
            /// taps where `count_pads` is 1, of the elements seen where it is 0 (and 0 where there are none).
            /// `ShapeMismatch`, `BadArgument`, `LimitExceeded`.
            /// Work: for each place and tap the channels and 16, for each place 32, and 16 for each element of the result; twice as much of `i64`.
            0x0893 since 1 average_pool(x: tensor, window: bytes, strides: bytes, pads: bytes, dilations: bytes, count_pads: u32) -> tensor price(1_000_000, 100, 360);
            /// `rne(sum / count)` of all elements of each channel: `[n, .., c]` to `[n, 1, .., c]`. `ShapeMismatch` for fewer than three
            /// axes and where there is nothing to take the mean of, `LimitExceeded`.
            /// Work: as for `reduce_mean` of all places of an image.
            0x0894 since 1 global_average_pool(x: tensor) -> tensor price(1_000_000, 0, 55);
            /// Keccak-256, as 32 elements of `u8`, of `"noema.tensor.v1"`, the code of the element type, the rank and the axes
            /// (little-endian `u32` each) and the elements (little-endian, row-major). Work: bytes of the elements.
            0x08a0 since 1 tensor_hash(x: tensor) -> tensor price(2_000_000, 0, 1_700);
            /// Freivalds' check: for each row of `c` `[.., m, n]` (`i32` or `i64`) 1 if it is that of `a` `[.., m, k]` times `b` `[k, n]` (types as for
            /// `matmul`, `k` at most 2^28), else 0 but for a probability below 2^-60 over the seed: `c r = a (b r)` modulo `2^61 - 1` with
            /// no `|c|` above `2^60`, where `r` is hashed from `seed`, which whoever chose `c` must not have known.
            /// `TypeMismatch`, `ShapeMismatch`.
            /// Work: elements of `a`, `b` and `c`, and 256 for each four of the `n` columns.
            0x08a1 since 1 freivalds(a: tensor, b: tensor, c: tensor, seed: bytes) -> tensor price(2_000_000, 20_000, 2_100);
        }
        /// Whole models from the content-addressed store of the chain.
        mod model {
            /// A handle for the model with this id, the same one where it is open already. `NotFound`
            /// where the chain has none, `LimitExceeded` above `MAX_OPEN_MODELS`.
            0x0901 since 1 open(id: in32) -> model price(5_000_000, 0, 0);
            /// The gas that `run` will charge for a batch of this many rows; with a sequence axis, of the longest sequences.
            /// `BadHandle`, `LimitExceeded`.
            0x0902 since 1 cost(model: model, batch: u32) -> u64 price(50_000, 0, 0);
            /// Runs the model on input tensors (a little-endian `u32` handle each) and writes the
            /// handles of its outputs into `outputs`; returns how many there are. `BadHandle`,
            /// `ShapeMismatch` (also for a wrong number of inputs), `TypeMismatch`, `LimitExceeded` (also
            /// where `outputs` has no room for all); `IndexOutOfRange`, `BadArgument`, `DivisionByZero` where an operator finds
            /// elements that it does not take. Work: picoseconds of the model's price list for the batch.
            0x0903 since 1 run(model: model, inputs: bytes, outputs: out) -> u64 price(2_000_000, 100, 1);
            /// The gas that `run` will charge for a batch of this many rows with sequences of this length; 1 for a model without a
            /// sequence axis. `BadHandle`, `ShapeMismatch`, `LimitExceeded`. Work: nodes of a model with a sequence axis, otherwise nothing.
            0x0904 since 1 cost_of(model: model, batch: u32, length: u32) -> u64 price(50_000, 0, 250_000);
        }
    } };
}
