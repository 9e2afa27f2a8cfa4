/* The Noema virtual machine in C. Generated from sdk/capi; the guide is docs/embedding.md.
 *
 * Memory: what a `*_new` function or an out-parameter hands out belongs to the caller and goes back once, through
 * the `*_free` function of its kind; `free(NULL)` does nothing. Giving something back twice, or using it after, is
 * undefined, as with free(3). A `noema_slice` that the library returns is borrowed: it lives as long as what it was
 * asked of. Nothing that the caller passes in is kept after the call, but for the context pointers of functions.
 *
 * Threads: a `noema_vm` may be used by several threads at a time. Everything else belongs to one thread at a time.
 *
 * Callbacks run on the thread that called the library, and on its stack. They must return: no longjmp, no exception,
 * no panic may leave them.
 *
 * No panic of the library leaves it: it is reported as NOEMA_PANIC. */

#ifndef NOEMA_H
#define NOEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 The version of the interface that this header describes.
 */
#define NOEMA_ABI_VERSION 1

/*
 A status: the contract's own mistake, which it can handle.
 */
#define NOEMA_STATUS_BAD_ARGUMENT 2

/*
 A status: a checked operation whose exact result does not fit.
 */
#define NOEMA_STATUS_OVERFLOW 5

/*
 A status: there is nothing of this name.
 */
#define NOEMA_STATUS_NOT_FOUND 8

/*
 A status: more than a documented limit.
 */
#define NOEMA_STATUS_LIMIT_EXCEEDED 9

/*
 A status: a signature, recovery id or public key that is not valid.
 */
#define NOEMA_STATUS_INVALID_SIGNATURE 10

/*
 How a function of this library ended.
 */
typedef enum noema_result {
  /*
   It did what it should.
   */
  NOEMA_OK = 0,
  /*
   A null pointer, an impossible length, a text that is none, an unknown name: the caller's mistake.
   */
  NOEMA_INVALID_ARGUMENT = 1,
  /*
   This node cannot go on: its state, a model, a callback or the machine failed. There is no receipt, and the next
   message must not be executed as if there were.
   */
  NOEMA_NODE_FAILED = 2,
  /*
   A bug in this library. As NOEMA_NODE_FAILED.
   */
  NOEMA_PANIC = 3,
} noema_result;

/*
 How a message ended.
 */
typedef enum noema_status {
  /*
   Its effects stand.
   */
  NOEMA_SUCCESS = 0,
  /*
   The contract ended itself. No effects; unspent gas is returned.
   */
  NOEMA_ABORT = 1,
  /*
   A trap, out of gas or out of stack. No effects; the whole limit is used.
   */
  NOEMA_FAULT = 2,
  /*
   Refused before any contract code ran. No effects; unspent gas is returned.
   */
  NOEMA_REJECTED = 3,
  /*
   The deposit for what somebody would have kept was not there. No effects.
   */
  NOEMA_INSUFFICIENT_DEPOSIT = 4,
} noema_status;

/*
 A call of a host function. It lives until the function returns.
 */
typedef struct noema_call noema_call;

/*
 How to set a virtual machine up. Only the functions that are added change receipts; everything else is this node's
 own affair.
 */
typedef struct noema_config noema_config;

/*
 What a message did: the receipt, which is equal on every node, what to change in the state, and what it depended on.
 */
typedef struct noema_outcome noema_outcome;

/*
 Where a callback puts what it has found. It lives until the callback returns. What is handed over is copied.
 */
typedef struct noema_reply noema_reply;

/*
 A virtual machine. It holds no state of the chain. Several threads may use it at a time.
 */
typedef struct noema_vm noema_vm;

/*
 Bytes that belong to somebody else. `data` may be null where `len` is 0.
 */
typedef struct noema_slice {
  /*
   Where they are.
   */
  const uint8_t *data;
  /*
   How many they are.
   */
  size_t len;
} noema_slice;

/*
 An argument, by the kind of its parameter.
 */
typedef struct noema_argument {
  /*
   Kinds u32, i32, u64, i64: the number, sign-extended where the kind is signed.
   */
  int64_t number;
  /*
   Kinds bytes, in16, in32, in64: the bytes.
   */
  struct noema_slice bytes;
  /*
   Kinds out, out16, out32, out64: the bytes that the contract has room for. `noema_call_write` fills them.
   */
  size_t capacity;
} noema_argument;

/*
 A host function. `arguments` are those of its row, in its order; what they point to lives until it returns.

 Returns 0, with the result of a `u64` row in `result`; the code of a status (NOEMA_STATUS_...), which the contract
 gets and handles: then nothing is written; or less than 0 where this node cannot go on (`noema_call_fail` says why):
 then there is no receipt. After `noema_call_abort`, and after a `noema_call_...` function has returned less than 0,
 what it returns means nothing and it should return at once.

 What it does may depend on its arguments, on the state and on the block, and on nothing else.
 */
typedef int32_t (*noema_function)(void *context,
                                  struct noema_call *call,
                                  const struct noema_argument *arguments,
                                  size_t count,
                                  uint64_t *result);

/*
 An address: of an account, or of a contract.
 */
typedef struct noema_address {
  /*
   Its bytes.
   */
  uint8_t bytes[32];
} noema_address;

/*
 The block and the contract that a host function is called from.
 */
typedef struct noema_call_info {
  /*
   Who called the contract.
   */
  struct noema_address caller;
  /*
   The running contract.
   */
  struct noema_address contract;
  /*
   Height of the block.
   */
  uint64_t height;
  /*
   Time of the block, in milliseconds since the Unix epoch.
   */
  uint64_t time_ms;
  /*
   Gas left, with the price of this call so far taken off.
   */
  uint64_t gas_left;
  /*
   Whether it is a view: then nothing may change.
   */
  bool read_only;
} noema_call_info;

/*
 An amount of native value: `high * 2^64 + low`.
 */
typedef struct noema_u128 {
  /*
   The low half.
   */
  uint64_t low;
  /*
   The high half.
   */
  uint64_t high;
} noema_u128;

/*
 A deposit that is not there.
 */
typedef struct noema_shortfall {
  /*
   The contract, or the sender where it is a model.
   */
  struct noema_address holder;
  /*
   Bytes that it would have kept.
   */
  uint64_t bytes;
  /*
   The deposit for them, in native units.
   */
  struct noema_u128 needed;
  /*
   What it would have had.
   */
  struct noema_u128 balance;
} noema_shortfall;

/*
 A hash.
 */
typedef struct noema_hash {
  /*
   Its bytes.
   */
  uint8_t bytes[32];
} noema_hash;

/*
 A change of the state.
 */
typedef struct noema_write {
  /*
   The key.
   */
  struct noema_slice key;
  /*
   Its value from now on; empty where the key is removed.
   */
  struct noema_slice value;
  /*
   Whether the key is removed.
   */
  bool removed;
} noema_write;

/*
 Something a contract wants the outside to see.
 */
typedef struct noema_event {
  /*
   Which contract.
   */
  struct noema_address contract;
  /*
   Its topic.
   */
  struct noema_slice topic;
  /*
   Its data.
   */
  struct noema_slice data;
} noema_event;

/*
 A scan of the state.
 */
typedef struct noema_range {
  /*
   What the keys begin with.
   */
  struct noema_slice prefix;
  /*
   Where it began.
   */
  struct noema_slice start;
} noema_range;

/*
 Finds the value under `key` and hands it to `noema_reply_value`; where there is none, it hands over nothing. Returns
 0, or anything else where the state cannot be read (`noema_reply_fail` says why): then there is no receipt.
 */
typedef int32_t (*noema_get)(void *context, struct noema_slice key, struct noema_reply *reply);

/*
 Hands the first `limit` entries whose key begins with `prefix` and is not below `start` to `noema_reply_entry`, in
 ascending order of their keys (bytewise). An empty `start` is the beginning. Returns 0, or anything else where the
 state cannot be read.
 */
typedef int32_t (*noema_scan)(void *context,
                              struct noema_slice prefix,
                              struct noema_slice start,
                              size_t limit,
                              struct noema_reply *reply);

/*
 The state as a message sees it. It must not change while the message is executed. Both functions run on the thread
 that executes the message, on its stack, and nowhere else.
 */
typedef struct noema_state {
  /*
   Passed on to both functions.
   */
  void *context;
  /*
   Reads one value.
   */
  noema_get get;
  /*
   Reads entries in order.
   */
  noema_scan scan;
} noema_state;

/*
 Where in the chain a message is executed. Contracts see all of it.
 */
typedef struct noema_block {
  /*
   Name of the chain, UTF-8.
   */
  struct noema_slice chain_id;
  /*
   Height of the block being executed.
   */
  uint64_t height;
  /*
   Time of the block, in milliseconds since the Unix epoch, as its producer wrote it.
   */
  uint64_t time_ms;
  /*
   The protocol version in force.
   */
  uint32_t version;
  /*
   Deposit for every byte that contracts and models take, in native units; 0 for none. A rule of the chain, equal
   on all nodes (docs/spec/receipt.md).
   */
  struct noema_u128 deposit_per_byte;
} noema_block;

/*
 What an account or contract has, and how much of it is bound.
 */
typedef struct noema_deposit {
  /*
   Bytes that a contract keeps; 0 for an account.
   */
  uint64_t bytes;
  /*
   The deposit for them: the balance may not fall below.
   */
  struct noema_u128 locked;
  /*
   The balance, the locked part included.
   */
  struct noema_u128 balance;
} noema_deposit;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Counts changes of this interface that old callers would notice. A caller can compare it with NOEMA_ABI_VERSION.
 */
uint32_t noema_abi_version(void);

/*
 The newest protocol version of this library.
 */
uint32_t noema_protocol_version(void);

/*
 The defaults: the fastest kernels of this machine on one thread, models in memory, 256 MiB of compiled code and none on disk,
 Cranelift in this process, four messages at a time, no functions.
 */
struct noema_config *noema_config_new(void);

/*
 Gives a configuration back. Machines made from it do not need it any more.

 # Safety
 `config` is null, or came from `noema_config_new` and has not been given back.
 */
void noema_config_free(struct noema_config *config);

/*
 Computes tensors at this level (`portable`, `avx2`, ...), the same bits at any.

 # Safety
 `config` is null or a live configuration that no other thread uses; `level` is readable; `error` is null or has room
 for a pointer.
 */
enum noema_result noema_config_set_level(struct noema_config *config,
                                         struct noema_slice level,
                                         char **error);

/*
 Computes tensors on this many threads, at least one.

 # Safety
 `config` is null or a live configuration that no other thread uses.
 */
enum noema_result noema_config_set_threads(struct noema_config *config, size_t threads);

/*
 Keeps the bytes of models in this directory, UTF-8, instead of in memory. It is made where it is not there.

 # Safety
 `config` is null or a live configuration that no other thread uses; `path` is readable; `error` is null or has room
 for a pointer.
 */
enum noema_result noema_config_set_model_directory(struct noema_config *config,
                                                   struct noema_slice path,
                                                   char **error);

/*
 Keeps this much machine code in memory.

 # Safety
 `config` is null or a live configuration that no other thread uses.
 */
enum noema_result noema_config_set_module_cache_bytes(struct noema_config *config, uint64_t bytes);

/*
 Executes this many messages at a time, at least one; more wait. Each takes about 40 GiB of address space, and no
 memory.

 # Safety
 `config` is null or a live configuration that no other thread uses.
 */
enum noema_result noema_config_set_concurrent_messages(struct noema_config *config,
                                                       uint32_t messages);

/*
 Runs contracts on this engine: `cranelift`, `cranelift-unoptimized`, `pulley` or `wasmi`, with the same receipts on any.

 # Safety
 `config` is null or a live configuration that no other thread uses; `engine` is readable; `error` is null or has room
 for a pointer.
 */
enum noema_result noema_config_set_engine(struct noema_config *config,
                                          struct noema_slice engine,
                                          char **error);

/*
 Keeps compiled code in this directory, UTF-8, up to so many bytes, so that a node that starts again need not compile. It is
 made where it is not there. Nothing is executed that this node has not compiled itself.

 # Safety
 `config` is null or a live configuration that no other thread uses; `path` is readable; `error` is null or has room
 for a pointer.
 */
enum noema_result noema_config_set_compiled_directory(struct noema_config *config,
                                                      struct noema_slice path,
                                                      uint64_t capacity,
                                                      char **error);

/*
 Compiles contracts in a process of its own: the program `noema-compiler` at this path, UTF-8. A module that takes it more than
 `seconds` or `memory_bytes` is interpreted, with the same receipts.

 # Safety
 `config` is null or a live configuration that no other thread uses; `program` is readable; `error` is null or has room
 for a pointer.
 */
enum noema_result noema_config_set_compiler(struct noema_config *config,
                                            struct noema_slice program,
                                            uint32_t seconds,
                                            uint64_t memory_bytes,
                                            char **error);

/*
 Adds a host function of the chain's own. `row` is its line of the table:

 ```text
 0x8001 mychain.shout(text: bytes, loud: out) -> u64 since 1 price(1000000, 1000, 0)
 ```

 with an id from 0x8000 on, the import module and name, parameters of the kinds u32, i32, u64, i64, bytes, out, in16,
 in32, in64, out16, out32 and out64, the result u64 or unit, the first protocol version that has it, and its price:
 for the call, for each byte of `bytes` and `out` arguments, and for each unit of work that the function charges for
 (noema_call_charge). Rows are part of the rules of the chain: equal on all nodes, as is what the function does.

 `function` runs on every thread that executes messages, at the same time on several, always with `context`, which
 must stay valid for as long as there are machines made from this configuration.

 # Safety
 `config` is null or a live configuration that no other thread uses; `row` is readable; `error` is null or has room
 for a pointer; `function` and `context` are as said above.
 */
enum noema_result noema_config_add_function(struct noema_config *config,
                                            struct noema_slice row,
                                            noema_function function,
                                            void *context,
                                            char **error);

/*
 Sets what is written into output number `index` of the row's parameters, counted from 0, if the function returns 0.
 What does not fit into the capacity of an `out` parameter is cut; the others take exactly their length. Returns 0.

 # Safety
 `call` is null or a call that has not returned; `data` is readable.
 */
int32_t noema_call_write(struct noema_call *call,
                         size_t index,
                         struct noema_slice data);

/*
 Tells who is calling, and when. Returns 0.

 # Safety
 `call` is null or a call that has not returned; `info` is null or has room for one.
 */
int32_t noema_call_describe(struct noema_call *call, struct noema_call_info *info);

/*
 Charges for work, at the price of the row, before it is done. Returns 0, or less than 0 where the contract cannot
 pay.

 # Safety
 `call` is null or a call that has not returned.
 */
int32_t noema_call_charge(struct noema_call *call,
                          uint64_t work);

/*
 Finds what the functions of this module keep under `key`, which no contract and no other module can reach. Returns
 1 and the value, which lives until the function returns, or 0 where there is none, or less than 0.

 # Safety
 `call` is null or a call that has not returned; `key` is readable; `value` is null or has room for one.
 */
int32_t noema_call_get(struct noema_call *call,
                       struct noema_slice key,
                       struct noema_slice *value);

/*
 Keeps a value under a key of this module: written with the message, undone with the contract. Returns 0, or less
 than 0, in a view too.

 # Safety
 `call` is null or a call that has not returned; `key` and `value` are readable.
 */
int32_t noema_call_set(struct noema_call *call,
                       struct noema_slice key,
                       struct noema_slice value);

/*
 Removes a key of this module. Returns 0, or less than 0, in a view too.

 # Safety
 `call` is null or a call that has not returned; `key` is readable.
 */
int32_t noema_call_remove(struct noema_call *call, struct noema_slice key);

/*
 Adds an event of the running contract. Returns 0, or less than 0, in a view too.

 # Safety
 `call` is null or a call that has not returned; `topic` and `data` are readable.
 */
int32_t noema_call_emit(struct noema_call *call, struct noema_slice topic, struct noema_slice data);

/*
 Ends the contract as `control.abort` does: its effects are undone, code and message reach its caller. Returns less
 than 0.

 # Safety
 `call` is null or a call that has not returned; `message` is readable.
 */
int32_t noema_call_abort(struct noema_call *call,
                         uint32_t code,
                         struct noema_slice message);

/*
 Says why this node cannot go on. UTF-8. Returns less than 0.

 # Safety
 `call` is null or a call that has not returned; `text` is readable.
 */
int32_t noema_call_fail(struct noema_call *call, struct noema_slice text);

/*
 Gives a string of this library back.

 # Safety
 `string` is null, or came from this library as a string to be given back, and has not been given back.
 */
void noema_string_free(char *string);

/*
 Gives an outcome back, and with it everything that was borrowed from it.

 # Safety
 `outcome` is null, or came from this library and has not been given back.
 */
void noema_outcome_free(struct noema_outcome *outcome);

/*
 How the message ended. NOEMA_REJECTED where `outcome` is null.

 # Safety
 `outcome` is null or a live outcome.
 */
enum noema_status noema_outcome_status(const struct noema_outcome *outcome);

/*
 What was missing after NOEMA_INSUFFICIENT_DEPOSIT. Whether it ended like that.

 # Safety
 `outcome` is null or a live outcome; `shortfall` is null or has room for one.
 */
bool noema_outcome_shortfall(const struct noema_outcome *outcome, struct noema_shortfall *shortfall);

/*
 The contract's own code after NOEMA_ABORT, else 0.

 # Safety
 `outcome` is null or a live outcome.
 */
uint32_t noema_outcome_abort_code(const struct noema_outcome *outcome);

/*
 The contract's own message after NOEMA_ABORT, else nothing.

 # Safety
 `outcome` is null or a live outcome.
 */
struct noema_slice noema_outcome_abort_message(const struct noema_outcome *outcome);

/*
 More about an outcome that is no success, UTF-8. Local to this node: the words may differ between nodes.

 # Safety
 `outcome` is null or a live outcome.
 */
struct noema_slice noema_outcome_diagnostic(const struct noema_outcome *outcome);

/*
 The receipt in its canonical bytes (docs/spec/receipt.md).

 # Safety
 `outcome` is null or a live outcome.
 */
struct noema_slice noema_outcome_receipt(const struct noema_outcome *outcome);

/*
 The hash of the receipt.

 # Safety
 `outcome` is null or a live outcome.
 */
struct noema_hash noema_outcome_receipt_hash(const struct noema_outcome *outcome);

/*
 All gas used, in picoseconds of the reference machine.

 # Safety
 `outcome` is null or a live outcome.
 */
uint64_t noema_outcome_gas_used(const struct noema_outcome *outcome);

/*
 What the contract returned.

 # Safety
 `outcome` is null or a live outcome.
 */
struct noema_slice noema_outcome_output(const struct noema_outcome *outcome);

/*
 How many changes of the state there are. The chain makes all of them, or none, and none unless NOEMA_SUCCESS.

 # Safety
 `outcome` is null or a live outcome.
 */
size_t noema_outcome_writes(const struct noema_outcome *outcome);

/*
 Change number `index`, ascending by key. Whether there is one.

 # Safety
 `outcome` is null or a live outcome; `write` is null or has room for one.
 */
bool noema_outcome_write(const struct noema_outcome *outcome, size_t index, struct noema_write *write);

/*
 How many events there are.

 # Safety
 `outcome` is null or a live outcome.
 */
size_t noema_outcome_events(const struct noema_outcome *outcome);

/*
 Event number `index`, in the order in which they were emitted. Whether there is one.

 # Safety
 `outcome` is null or a live outcome; `event` is null or has room for one.
 */
bool noema_outcome_event(const struct noema_outcome *outcome, size_t index, struct noema_event *event);

/*
 How many keys the result depends on.

 # Safety
 `outcome` is null or a live outcome.
 */
size_t noema_outcome_reads(const struct noema_outcome *outcome);

/*
 Key number `index` that the result depends on, ascending. Whether there is one.

 # Safety
 `outcome` is null or a live outcome; `key` is null or has room for one.
 */
bool noema_outcome_read(const struct noema_outcome *outcome, size_t index, struct noema_slice *key);

/*
 How many scans the result depends on.

 # Safety
 `outcome` is null or a live outcome.
 */
size_t noema_outcome_scans(const struct noema_outcome *outcome);

/*
 Scan number `index` that the result depends on. Whether there is one.

 # Safety
 `outcome` is null or a live outcome; `range` is null or has room for one.
 */
bool noema_outcome_scan(const struct noema_outcome *outcome, size_t index, struct noema_range *range);

/*
 How many lines contracts logged. Local to this node.

 # Safety
 `outcome` is null or a live outcome.
 */
size_t noema_outcome_logs(const struct noema_outcome *outcome);

/*
 Line number `index`, UTF-8. Whether there is one.

 # Safety
 `outcome` is null or a live outcome; `line` is null or has room for one.
 */
bool noema_outcome_log(const struct noema_outcome *outcome, size_t index, struct noema_slice *line);

/*
 The receipt as JSON, bytes in hexadecimal, to be given back with `noema_string_free`. Null where `outcome` is.

 # Safety
 `outcome` is null or a live outcome.
 */
char *noema_outcome_json(const struct noema_outcome *outcome);

/*
 Hands over the value that was asked for.

 # Safety
 `reply` is null or the reply of a callback that has not returned; `value` is readable.
 */
void noema_reply_value(struct noema_reply *reply, struct noema_slice value);

/*
 Hands over the next entry.

 # Safety
 `reply` is null or the reply of a callback that has not returned; `key` and `value` are readable.
 */
void noema_reply_entry(struct noema_reply *reply, struct noema_slice key, struct noema_slice value);

/*
 Says why the callback will return something other than 0. UTF-8.

 # Safety
 `reply` is null or the reply of a callback that has not returned; `text` is readable.
 */
void noema_reply_fail(struct noema_reply *reply, struct noema_slice text);

/*
 Sets a virtual machine up. `config` may be null, for the defaults. It takes some milliseconds: one is enough.

 # Safety
 `config` is null or a live configuration that no other thread uses; `vm` is null or has room for a pointer; `error` is
 null or has room for a pointer.
 */
enum noema_result noema_vm_new(const struct noema_config *config,
                               struct noema_vm **vm,
                               char **error);

/*
 Gives a virtual machine back.

 # Safety
 `vm` is null, or came from `noema_vm_new`, has not been given back, and no thread uses it.
 */
void noema_vm_free(struct noema_vm *vm);

/*
 A hash of the rules of a protocol version in this machine, functions that were added included: what nodes of one
 chain must have in common.

 # Safety
 `vm` is null or a live machine; `hash` is null or has room for one; `error` is null or has room for a pointer.
 */
enum noema_result noema_vm_rules_hash(const struct noema_vm *vm,
                                      uint32_t version,
                                      struct noema_hash *hash,
                                      char **error);

/*
 Checks a WebAssembly module as deploying it would, and says in `error` which rule it breaks.

 # Safety
 `vm` is null or a live machine; `code` is readable; `error` is null or has room for a pointer.
 */
enum noema_result noema_vm_admit(const struct noema_vm *vm,
                                 uint32_t version,
                                 struct noema_slice code,
                                 char **error);

/*
 The address of the contract that a deployment of `code` by `deployer` with this salt makes.

 # Safety
 `code` is readable; `address` is null or has room for one; `error` is null or has room for a pointer.
 */
enum noema_result noema_contract_address(struct noema_address deployer,
                                         uint64_t salt,
                                         struct noema_slice code,
                                         struct noema_address *address,
                                         char **error);

/*
 Deploys a contract: admits `code`, and runs its `init` with `input`, if it has one.

 # Safety
 `vm` is null or a live machine; `state` and `block` are null or point to one, whose functions may be called and whose
 bytes are readable; `code` and `input` are readable; `outcome` is null or has room for a pointer; `error` is null or
 has room for a pointer.
 */
enum noema_result noema_vm_deploy(const struct noema_vm *vm,
                                  const struct noema_state *state,
                                  const struct noema_block *block,
                                  struct noema_address sender,
                                  struct noema_u128 value,
                                  uint64_t gas_limit,
                                  struct noema_slice code,
                                  uint64_t salt,
                                  struct noema_slice input,
                                  struct noema_outcome **outcome,
                                  char **error);

/*
 Runs the `call` of a contract.

 # Safety
 As for `noema_vm_deploy`.
 */
enum noema_result noema_vm_call(const struct noema_vm *vm,
                                const struct noema_state *state,
                                const struct noema_block *block,
                                struct noema_address sender,
                                struct noema_u128 value,
                                uint64_t gas_limit,
                                struct noema_address contract,
                                struct noema_slice input,
                                struct noema_outcome **outcome,
                                char **error);

/*
 Runs the `view` of a contract, which changes nothing.

 # Safety
 As for `noema_vm_deploy`.
 */
enum noema_result noema_vm_view(const struct noema_vm *vm,
                                const struct noema_state *state,
                                const struct noema_block *block,
                                uint64_t gas_limit,
                                struct noema_address contract,
                                struct noema_slice input,
                                struct noema_outcome **outcome,
                                char **error);

/*
 Executes any message, in canonical bytes (borsh; docs/embedding.md shows all of them): transfers, migrations and
 models too.

 # Safety
 As for `noema_vm_deploy`.
 */
enum noema_result noema_vm_execute(const struct noema_vm *vm,
                                   const struct noema_state *state,
                                   const struct noema_block *block,
                                   struct noema_slice message,
                                   struct noema_outcome **outcome,
                                   char **error);

/*
 What an account or contract has, and how much of it is locked as the deposit for what it keeps, by the rules of a
 block.

 # Safety
 `state` and `block` are null or point to one, whose functions may be called and whose bytes are readable; `deposit` is
 null or has room for one; `error` is null or has room for a pointer.
 */
enum noema_result noema_deposit_of(const struct noema_state *state,
                                   const struct noema_block *block,
                                   struct noema_address address,
                                   struct noema_deposit *deposit,
                                   char **error);

/*
 Gives a string of this library back.

 # Safety
 `string` is null, or came from this library as a string to be given back, and has not been given back.
 */
void noema_string_free(char *string);

/*
 The defaults: the fastest kernels of this machine on one thread, models in memory, 256 MiB of compiled code and none on disk,
 Cranelift in this process, four messages at a time, no functions.
 */
struct noema_config *noema_config_new(void);

/*
 Gives a configuration back. Machines made from it do not need it any more.

 # Safety
 `config` is null, or came from `noema_config_new` and has not been given back.
 */
void noema_config_free(struct noema_config *config);

/*
 Computes tensors at this level (`portable`, `avx2`, ...), the same bits at any.

 # Safety
 `config` is null or a live configuration that no other thread uses; `level` is readable; `error` is null or has room
 for a pointer.
 */
enum noema_result noema_config_set_level(struct noema_config *config,
                                         struct noema_slice level,
                                         char **error);

/*
 Computes tensors on this many threads, at least one.

 # Safety
 `config` is null or a live configuration that no other thread uses.
 */
enum noema_result noema_config_set_threads(struct noema_config *config, size_t threads);

/*
 Keeps the bytes of models in this directory, UTF-8, instead of in memory. It is made where it is not there.

 # Safety
 `config` is null or a live configuration that no other thread uses; `path` is readable; `error` is null or has room
 for a pointer.
 */
enum noema_result noema_config_set_model_directory(struct noema_config *config,
                                                   struct noema_slice path,
                                                   char **error);

/*
 Keeps this much machine code in memory.

 # Safety
 `config` is null or a live configuration that no other thread uses.
 */
enum noema_result noema_config_set_module_cache_bytes(struct noema_config *config, uint64_t bytes);

/*
 Executes this many messages at a time, at least one; more wait. Each takes about 40 GiB of address space, and no
 memory.

 # Safety
 `config` is null or a live configuration that no other thread uses.
 */
enum noema_result noema_config_set_concurrent_messages(struct noema_config *config,
                                                       uint32_t messages);

/*
 Runs contracts on this engine: `cranelift`, `cranelift-unoptimized`, `pulley` or `wasmi`, with the same receipts on any.

 # Safety
 `config` is null or a live configuration that no other thread uses; `engine` is readable; `error` is null or has room
 for a pointer.
 */
enum noema_result noema_config_set_engine(struct noema_config *config,
                                          struct noema_slice engine,
                                          char **error);

/*
 Keeps compiled code in this directory, UTF-8, up to so many bytes, so that a node that starts again need not compile. It is
 made where it is not there. Nothing is executed that this node has not compiled itself.

 # Safety
 `config` is null or a live configuration that no other thread uses; `path` is readable; `error` is null or has room
 for a pointer.
 */
enum noema_result noema_config_set_compiled_directory(struct noema_config *config,
                                                      struct noema_slice path,
                                                      uint64_t capacity,
                                                      char **error);

/*
 Compiles contracts in a process of its own: the program `noema-compiler` at this path, UTF-8. A module that takes it more than
 `seconds` or `memory_bytes` is interpreted, with the same receipts.

 # Safety
 `config` is null or a live configuration that no other thread uses; `program` is readable; `error` is null or has room
 for a pointer.
 */
enum noema_result noema_config_set_compiler(struct noema_config *config,
                                            struct noema_slice program,
                                            uint32_t seconds,
                                            uint64_t memory_bytes,
                                            char **error);

/*
 Adds a host function of the chain's own. `row` is its line of the table:

 ```text
 0x8001 mychain.shout(text: bytes, loud: out) -> u64 since 1 price(1000000, 1000, 0)
 ```

 with an id from 0x8000 on, the import module and name, parameters of the kinds u32, i32, u64, i64, bytes, out, in16,
 in32, in64, out16, out32 and out64, the result u64 or unit, the first protocol version that has it, and its price:
 for the call, for each byte of `bytes` and `out` arguments, and for each unit of work that the function charges for
 (noema_call_charge). Rows are part of the rules of the chain: equal on all nodes, as is what the function does.

 `function` runs on every thread that executes messages, at the same time on several, always with `context`, which
 must stay valid for as long as there are machines made from this configuration.

 # Safety
 `config` is null or a live configuration that no other thread uses; `row` is readable; `error` is null or has room
 for a pointer; `function` and `context` are as said above.
 */
enum noema_result noema_config_add_function(struct noema_config *config,
                                            struct noema_slice row,
                                            noema_function function,
                                            void *context,
                                            char **error);

/*
 Sets a virtual machine up. `config` may be null, for the defaults. It takes some milliseconds: one is enough.

 # Safety
 `config` is null or a live configuration that no other thread uses; `vm` is null or has room for a pointer; `error` is
 null or has room for a pointer.
 */
enum noema_result noema_vm_new(const struct noema_config *config,
                               struct noema_vm **vm,
                               char **error);

/*
 Gives a virtual machine back.

 # Safety
 `vm` is null, or came from `noema_vm_new`, has not been given back, and no thread uses it.
 */
void noema_vm_free(struct noema_vm *vm);

/*
 A hash of the rules of a protocol version in this machine, functions that were added included: what nodes of one
 chain must have in common.

 # Safety
 `vm` is null or a live machine; `hash` is null or has room for one; `error` is null or has room for a pointer.
 */
enum noema_result noema_vm_rules_hash(const struct noema_vm *vm,
                                      uint32_t version,
                                      struct noema_hash *hash,
                                      char **error);

/*
 Checks a WebAssembly module as deploying it would, and says in `error` which rule it breaks.

 # Safety
 `vm` is null or a live machine; `code` is readable; `error` is null or has room for a pointer.
 */
enum noema_result noema_vm_admit(const struct noema_vm *vm,
                                 uint32_t version,
                                 struct noema_slice code,
                                 char **error);

/*
 The address of the contract that a deployment of `code` by `deployer` with this salt makes.

 # Safety
 `code` is readable; `address` is null or has room for one; `error` is null or has room for a pointer.
 */
enum noema_result noema_contract_address(struct noema_address deployer,
                                         uint64_t salt,
                                         struct noema_slice code,
                                         struct noema_address *address,
                                         char **error);

/*
 Deploys a contract: admits `code`, and runs its `init` with `input`, if it has one.

 # Safety
 `vm` is null or a live machine; `state` and `block` are null or point to one, whose functions may be called and whose
 bytes are readable; `code` and `input` are readable; `outcome` is null or has room for a pointer; `error` is null or
 has room for a pointer.
 */
enum noema_result noema_vm_deploy(const struct noema_vm *vm,
                                  const struct noema_state *state,
                                  const struct noema_block *block,
                                  struct noema_address sender,
                                  struct noema_u128 value,
                                  uint64_t gas_limit,
                                  struct noema_slice code,
                                  uint64_t salt,
                                  struct noema_slice input,
                                  struct noema_outcome **outcome,
                                  char **error);

/*
 Runs the `call` of a contract.

 # Safety
 As for `noema_vm_deploy`.
 */
enum noema_result noema_vm_call(const struct noema_vm *vm,
                                const struct noema_state *state,
                                const struct noema_block *block,
                                struct noema_address sender,
                                struct noema_u128 value,
                                uint64_t gas_limit,
                                struct noema_address contract,
                                struct noema_slice input,
                                struct noema_outcome **outcome,
                                char **error);

/*
 Runs the `view` of a contract, which changes nothing.

 # Safety
 As for `noema_vm_deploy`.
 */
enum noema_result noema_vm_view(const struct noema_vm *vm,
                                const struct noema_state *state,
                                const struct noema_block *block,
                                uint64_t gas_limit,
                                struct noema_address contract,
                                struct noema_slice input,
                                struct noema_outcome **outcome,
                                char **error);

/*
 Executes any message, in canonical bytes (borsh; docs/embedding.md shows all of them): transfers, migrations and
 models too.

 # Safety
 As for `noema_vm_deploy`.
 */
enum noema_result noema_vm_execute(const struct noema_vm *vm,
                                   const struct noema_state *state,
                                   const struct noema_block *block,
                                   struct noema_slice message,
                                   struct noema_outcome **outcome,
                                   char **error);

/*
 What an account or contract has, and how much of it is locked as the deposit for what it keeps, by the rules of a
 block.

 # Safety
 `state` and `block` are null or point to one, whose functions may be called and whose bytes are readable; `deposit` is
 null or has room for one; `error` is null or has room for a pointer.
 */
enum noema_result noema_deposit_of(const struct noema_state *state,
                                   const struct noema_block *block,
                                   struct noema_address address,
                                   struct noema_deposit *deposit,
                                   char **error);

/*
 Hands over the value that was asked for.

 # Safety
 `reply` is null or the reply of a callback that has not returned; `value` is readable.
 */
void noema_reply_value(struct noema_reply *reply, struct noema_slice value);

/*
 Hands over the next entry.

 # Safety
 `reply` is null or the reply of a callback that has not returned; `key` and `value` are readable.
 */
void noema_reply_entry(struct noema_reply *reply, struct noema_slice key, struct noema_slice value);

/*
 Says why the callback will return something other than 0. UTF-8.

 # Safety
 `reply` is null or the reply of a callback that has not returned; `text` is readable.
 */
void noema_reply_fail(struct noema_reply *reply, struct noema_slice text);

/*
 Sets what is written into output number `index` of the row's parameters, counted from 0, if the function returns 0.
 What does not fit into the capacity of an `out` parameter is cut; the others take exactly their length. Returns 0.

 # Safety
 `call` is null or a call that has not returned; `data` is readable.
 */
int32_t noema_call_write(struct noema_call *call,
                         size_t index,
                         struct noema_slice data);

/*
 Tells who is calling, and when. Returns 0.

 # Safety
 `call` is null or a call that has not returned; `info` is null or has room for one.
 */
int32_t noema_call_describe(struct noema_call *call, struct noema_call_info *info);

/*
 Charges for work, at the price of the row, before it is done. Returns 0, or less than 0 where the contract cannot
 pay.

 # Safety
 `call` is null or a call that has not returned.
 */
int32_t noema_call_charge(struct noema_call *call,
                          uint64_t work);

/*
 Finds what the functions of this module keep under `key`, which no contract and no other module can reach. Returns
 1 and the value, which lives until the function returns, or 0 where there is none, or less than 0.

 # Safety
 `call` is null or a call that has not returned; `key` is readable; `value` is null or has room for one.
 */
int32_t noema_call_get(struct noema_call *call,
                       struct noema_slice key,
                       struct noema_slice *value);

/*
 Keeps a value under a key of this module: written with the message, undone with the contract. Returns 0, or less
 than 0, in a view too.

 # Safety
 `call` is null or a call that has not returned; `key` and `value` are readable.
 */
int32_t noema_call_set(struct noema_call *call,
                       struct noema_slice key,
                       struct noema_slice value);

/*
 Removes a key of this module. Returns 0, or less than 0, in a view too.

 # Safety
 `call` is null or a call that has not returned; `key` is readable.
 */
int32_t noema_call_remove(struct noema_call *call, struct noema_slice key);

/*
 Adds an event of the running contract. Returns 0, or less than 0, in a view too.

 # Safety
 `call` is null or a call that has not returned; `topic` and `data` are readable.
 */
int32_t noema_call_emit(struct noema_call *call, struct noema_slice topic, struct noema_slice data);

/*
 Ends the contract as `control.abort` does: its effects are undone, code and message reach its caller. Returns less
 than 0.

 # Safety
 `call` is null or a call that has not returned; `message` is readable.
 */
int32_t noema_call_abort(struct noema_call *call,
                         uint32_t code,
                         struct noema_slice message);

/*
 Says why this node cannot go on. UTF-8. Returns less than 0.

 # Safety
 `call` is null or a call that has not returned; `text` is readable.
 */
int32_t noema_call_fail(struct noema_call *call, struct noema_slice text);

/*
 Gives an outcome back, and with it everything that was borrowed from it.

 # Safety
 `outcome` is null, or came from this library and has not been given back.
 */
void noema_outcome_free(struct noema_outcome *outcome);

/*
 How the message ended. NOEMA_REJECTED where `outcome` is null.

 # Safety
 `outcome` is null or a live outcome.
 */
enum noema_status noema_outcome_status(const struct noema_outcome *outcome);

/*
 What was missing after NOEMA_INSUFFICIENT_DEPOSIT. Whether it ended like that.

 # Safety
 `outcome` is null or a live outcome; `shortfall` is null or has room for one.
 */
bool noema_outcome_shortfall(const struct noema_outcome *outcome, struct noema_shortfall *shortfall);

/*
 The contract's own code after NOEMA_ABORT, else 0.

 # Safety
 `outcome` is null or a live outcome.
 */
uint32_t noema_outcome_abort_code(const struct noema_outcome *outcome);

/*
 The contract's own message after NOEMA_ABORT, else nothing.

 # Safety
 `outcome` is null or a live outcome.
 */
struct noema_slice noema_outcome_abort_message(const struct noema_outcome *outcome);

/*
 More about an outcome that is no success, UTF-8. Local to this node: the words may differ between nodes.

 # Safety
 `outcome` is null or a live outcome.
 */
struct noema_slice noema_outcome_diagnostic(const struct noema_outcome *outcome);

/*
 The receipt in its canonical bytes (docs/spec/receipt.md).

 # Safety
 `outcome` is null or a live outcome.
 */
struct noema_slice noema_outcome_receipt(const struct noema_outcome *outcome);

/*
 The hash of the receipt.

 # Safety
 `outcome` is null or a live outcome.
 */
struct noema_hash noema_outcome_receipt_hash(const struct noema_outcome *outcome);

/*
 All gas used, in picoseconds of the reference machine.

 # Safety
 `outcome` is null or a live outcome.
 */
uint64_t noema_outcome_gas_used(const struct noema_outcome *outcome);

/*
 What the contract returned.

 # Safety
 `outcome` is null or a live outcome.
 */
struct noema_slice noema_outcome_output(const struct noema_outcome *outcome);

/*
 How many changes of the state there are. The chain makes all of them, or none, and none unless NOEMA_SUCCESS.

 # Safety
 `outcome` is null or a live outcome.
 */
size_t noema_outcome_writes(const struct noema_outcome *outcome);

/*
 Change number `index`, ascending by key. Whether there is one.

 # Safety
 `outcome` is null or a live outcome; `write` is null or has room for one.
 */
bool noema_outcome_write(const struct noema_outcome *outcome, size_t index, struct noema_write *write);

/*
 How many events there are.

 # Safety
 `outcome` is null or a live outcome.
 */
size_t noema_outcome_events(const struct noema_outcome *outcome);

/*
 Event number `index`, in the order in which they were emitted. Whether there is one.

 # Safety
 `outcome` is null or a live outcome; `event` is null or has room for one.
 */
bool noema_outcome_event(const struct noema_outcome *outcome, size_t index, struct noema_event *event);

/*
 How many keys the result depends on.

 # Safety
 `outcome` is null or a live outcome.
 */
size_t noema_outcome_reads(const struct noema_outcome *outcome);

/*
 Key number `index` that the result depends on, ascending. Whether there is one.

 # Safety
 `outcome` is null or a live outcome; `key` is null or has room for one.
 */
bool noema_outcome_read(const struct noema_outcome *outcome, size_t index, struct noema_slice *key);

/*
 How many scans the result depends on.

 # Safety
 `outcome` is null or a live outcome.
 */
size_t noema_outcome_scans(const struct noema_outcome *outcome);

/*
 Scan number `index` that the result depends on. Whether there is one.

 # Safety
 `outcome` is null or a live outcome; `range` is null or has room for one.
 */
bool noema_outcome_scan(const struct noema_outcome *outcome, size_t index, struct noema_range *range);

/*
 How many lines contracts logged. Local to this node.

 # Safety
 `outcome` is null or a live outcome.
 */
size_t noema_outcome_logs(const struct noema_outcome *outcome);

/*
 Line number `index`, UTF-8. Whether there is one.

 # Safety
 `outcome` is null or a live outcome; `line` is null or has room for one.
 */
bool noema_outcome_log(const struct noema_outcome *outcome, size_t index, struct noema_slice *line);

/*
 The receipt as JSON, bytes in hexadecimal, to be given back with `noema_string_free`. Null where `outcome` is.

 # Safety
 `outcome` is null or a live outcome.
 */
char *noema_outcome_json(const struct noema_outcome *outcome);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* NOEMA_H */
