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
//! - Ids never change and are never used again.
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
            0x0101 since 1 input_len() -> u64 price(10_000, 0, 0);
            /// Copies input bytes from `offset` on into `buffer`; returns how many bytes there are
            /// from `offset` on, which may be more than were copied. `IndexOutOfRange` past the end.
            0x0102 since 1 input_read(offset: u32, buffer: out) -> u64 price(15_000, 100, 0);
            /// Sets the return data of this call; the last one counts. `LimitExceeded` above
            /// `MAX_OUTPUT_BYTES`.
            0x0103 since 1 output_write(data: bytes) -> unit price(30_000, 100, 0);
            /// The address that made this call: a contract, or the sender of the transaction.
            0x0104 since 1 caller(address: out32) -> unit price(15_000, 0, 0);
            /// The address of the running contract.
            0x0105 since 1 self_address(address: out32) -> unit price(15_000, 0, 0);
            /// The native value sent with this call, as a little-endian `u128`.
            0x0106 since 1 value(amount: out16) -> unit price(15_000, 0, 0);
            /// Height of the block being executed.
            0x0107 since 1 block_height() -> u64 price(10_000, 0, 0);
            /// Time of the block being executed, in milliseconds since the Unix epoch, as its
            /// producer wrote it into the block.
            0x0108 since 1 block_time() -> u64 price(10_000, 0, 0);
            /// Copies the chain id into `buffer`; returns its length.
            0x0109 since 1 chain_id(buffer: out) -> u64 price(15_000, 100, 0);
            /// Gas left before this function's own price was charged, less that price.
            0x010a since 1 gas_left() -> u64 price(10_000, 0, 0);
            /// The native balance of an address, as a little-endian `u128`.
            0x010b since 1 balance(address: in32, amount: out16) -> unit price(2_000_000, 0, 0);
        }
        /// Key-value storage of the running contract. Writing in a view is a fault.
        mod storage {
            /// Copies the value under `key` into `value`; returns its length, which may be more
            /// than was copied. `NotFound`; `LimitExceeded` for a key above `MAX_KEY_BYTES`.
            /// Work: bytes of the value found.
            0x0201 since 1 get(key: bytes, value: out) -> u64 price(2_000_000, 100, 500);
            /// Writes `value` under `key`. `LimitExceeded` above `MAX_KEY_BYTES` or
            /// `MAX_VALUE_BYTES`.
            0x0202 since 1 set(key: bytes, value: bytes) -> unit price(10_000_000, 5_000, 0);
            /// Removes `key`; returns 1 if it was there, else 0. `LimitExceeded` above `MAX_KEY_BYTES`.
            0x0203 since 1 remove(key: bytes) -> u64 price(10_000_000, 500, 0);
            /// Writes entries whose key starts with `prefix` and is not below `start`, in key order,
            /// as `u32 key length, u32 value length, key, value` (little-endian), as many whole
            /// ones as fit into `entries`, at most `limit` and `MAX_SCAN_ENTRIES`; returns the bytes
            /// written. `LimitExceeded` where the first one does not fit, and for a `prefix` or `start`
            /// above `MAX_KEY_BYTES`.
            /// Work: bytes of the entries read plus 256 for each; entries removed in the same transaction
            /// that it passes over count 256.
            0x0204 since 1 scan(prefix: bytes, start: bytes, limit: u32, entries: out) -> u64 price(5_000_000, 100, 5_000);
        }
        /// Events, which stand in the receipt.
        mod event {
            /// Adds an event. `LimitExceeded` above `MAX_TOPIC_BYTES`, `MAX_EVENT_BYTES` or
            /// `MAX_EVENTS`. In a view it is a fault.
            0x0301 since 1 emit(topic: bytes, data: bytes) -> unit price(200_000, 1_000, 0);
        }
        /// Other contracts and accounts.
        mod call {
            /// Calls the contract at `target` with `value` (little-endian `u128`) and at most `gas`
            /// of what is left (a sixty-fourth of which stays with the caller), copies its
            /// return data into `output` and returns the length of that data. `NotFound`,
            /// `CallAborted` (`output_read` then gives the code, as a little-endian `u32`, and the
            /// message), `CallFaulted`, `Reentrant`, `CallDepth`, `InsufficientBalance`,
            /// `Overflow` (of the receiver's balance), `LimitExceeded` above `MAX_INPUT_BYTES`. Sending value in a view is a fault.
            /// Work: bytes of code of the called contract.
            0x0401 since 1 contract(target: in32, value: in16, gas: u64, input: bytes, output: out) -> u64 price(20_000_000, 100, 10);
            /// Copies the return data of the last call from `offset` on into `buffer`; returns how
            /// many bytes there are from `offset` on. `IndexOutOfRange` past the end.
            0x0402 since 1 output_read(offset: u32, buffer: out) -> u64 price(15_000, 100, 0);
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
            /// `MAX_ABORT_BYTES`) reach the caller, unspent gas is returned.
            0x0601 since 1 abort(code: u32, message: bytes) -> never price(30_000, 100, 0);
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
            0x0702 since 1 dtype(x: tensor) -> u64 price(10_000, 0, 0);
            /// Copies the shape (little-endian `u32` each) into `shape`; returns its length in
            /// bytes. `BadHandle`.
            0x0703 since 1 shape(x: tensor, shape: out) -> u64 price(20_000, 100, 0);
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
            /// Work: multiplications, at least 16 for each element of the result.
            0x0801 since 1 matmul(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 50);
            /// `sat(rne(x * multiplier / 2^shift) + zero_point)` to element type `dtype`, with `x`
            /// of `i32` or `i64`, `multiplier` of `i32` (each 0 or in `[2^30, 2^31)`) and `shift` of `u8`
            /// (each at most 62), both of shape `[]` (one for all) or `[c]` (one for each index of the
            /// last axis). `TypeMismatch`, `ShapeMismatch`, `BadArgument`. Work: elements of `x` and
            /// of `multiplier`.
            0x0802 since 1 requantise(x: tensor, multiplier: tensor, shift: tensor, zero_point: i32, dtype: u32) -> tensor price(1_000_000, 0, 1_500);
            /// `a + b`, saturating, element by element with the broadcasting rules of ONNX; both of
            /// one element type. `TypeMismatch`, `ShapeMismatch`. Work: elements of the result.
            0x0803 since 1 add(a: tensor, b: tensor) -> tensor price(1_000_000, 0, 1_500);
            /// `max(x, 0)`. Work: elements.
            0x0804 since 1 relu(x: tensor) -> tensor price(1_000_000, 0, 500);
            /// Softmax over the last axis of `x` (`i8`, `i16` or `i32`) with `c = multiplier / 2^shift`
            /// (`multiplier` 0 or in `[2^30, 2^31)`, `shift` at most 62):
            /// `E_j = rne(2^30 * exp(c * (x_j - max x)))`, then `y_j = rne(2^fraction_bits * E_j / sum E)`
            /// as `i32`, `fraction_bits` at most 30, rows of 1 to 65536. `TypeMismatch`,
            /// `ShapeMismatch`, `BadArgument`. Work: elements.
            0x0805 since 1 softmax(x: tensor, multiplier: i32, shift: u32, fraction_bits: u32) -> tensor price(1_000_000, 0, 40_000);
            /// Index of the largest element along the last axis as `i32`, the lowest index among
            /// equals; the axis goes. `ShapeMismatch` where it is empty or missing.
            /// Work: elements of `x`.
            0x0806 since 1 argmax(x: tensor) -> tensor price(1_000_000, 0, 1_500);
            /// The same elements under another shape (little-endian `u32` each). `ShapeMismatch`.
            /// Work: elements.
            0x0807 since 1 reshape(x: tensor, shape: bytes) -> tensor price(1_000_000, 100, 500);
            /// The box of `sizes` that begins at `starts` (little-endian `u32` for each axis).
            /// `ShapeMismatch`, `IndexOutOfRange`. Work: elements of the result.
            0x0808 since 1 slice(x: tensor, starts: bytes, sizes: bytes) -> tensor price(1_000_000, 100, 1_500);
        }
        /// Whole models from the content-addressed store of the chain.
        mod model {
            /// A handle for the model with this id, the same one where it is open already. `NotFound`
            /// where the chain has none, `LimitExceeded` above `MAX_OPEN_MODELS`.
            0x0901 since 1 open(id: in32) -> model price(5_000_000, 0, 0);
            /// The gas that `run` will charge for a batch of this many rows. `BadHandle`,
            /// `LimitExceeded`.
            0x0902 since 1 cost(model: model, batch: u32) -> u64 price(50_000, 0, 0);
            /// Runs the model on input tensors (a little-endian `u32` handle each) and writes the
            /// handles of its outputs into `outputs`; returns how many there are. `BadHandle`,
            /// `ShapeMismatch` (also for a wrong number of inputs), `TypeMismatch`, `LimitExceeded` (also
            /// where `outputs` has no room for all). Work: picoseconds of the model's price list for the
            /// batch.
            0x0903 since 1 run(model: model, inputs: bytes, outputs: out) -> u64 price(2_000_000, 100, 1);
        }
    } };
}
