/* The virtual machine in a C program: a state, one host function, and three messages.
 *
 *     cargo build --release -p noema-capi
 *     cc -std=c11 -I sdk/capi examples/embed-c/main.c -L target/release -lnoema_capi -o embed-c
 *     LD_LIBRARY_PATH=target/release ./embed-c examples/embed-c/contract.wasm
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "noema.h"

/* The state of the chain: entries in ascending order of their keys. */
typedef struct {
  uint8_t *data;
  size_t len;
} bytes;

typedef struct {
  bytes key, value;
} entry;

typedef struct {
  entry *entries;
  size_t count;
} map;

static noema_slice slice(const void *data, size_t len) {
  noema_slice made = {data, len};
  return made;
}

static noema_slice text(const char *text) { return slice(text, strlen(text)); }

static bytes copy(noema_slice from) {
  bytes made = {malloc(from.len ? from.len : 1), from.len};
  if (made.data == NULL) abort();
  if (from.len) memcpy(made.data, from.data, from.len);
  return made;
}

static int compare(bytes a, noema_slice b) {
  size_t shorter = a.len < b.len ? a.len : b.len;
  int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
  return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* The first entry that is not below the key. */
static size_t find(const map *map, noema_slice key) {
  size_t at = 0;
  while (at < map->count && compare(map->entries[at].key, key) < 0) at++;
  return at;
}

static void put(map *map, noema_slice key, noema_slice value, bool removed) {
  size_t at = find(map, key);
  if (at < map->count && compare(map->entries[at].key, key) == 0) {
    free(map->entries[at].key.data);
    free(map->entries[at].value.data);
    memmove(&map->entries[at], &map->entries[at + 1], (map->count - at - 1) * sizeof(entry));
    map->count--;
  }
  if (removed) return;
  map->entries = realloc(map->entries, (map->count + 1) * sizeof(entry));
  if (map->entries == NULL) abort();
  memmove(&map->entries[at + 1], &map->entries[at], (map->count - at) * sizeof(entry));
  map->entries[at].key = copy(key);
  map->entries[at].value = copy(value);
  map->count++;
}

/* What the machine asks of the state. */
static int32_t get(void *context, noema_slice key, noema_reply *reply) {
  const map *map = context;
  size_t at = find(map, key);
  if (at < map->count && compare(map->entries[at].key, key) == 0)
    noema_reply_value(reply, slice(map->entries[at].value.data, map->entries[at].value.len));
  return 0;
}

static int32_t scan(void *context, noema_slice prefix, noema_slice start, size_t limit, noema_reply *reply) {
  const map *map = context;
  for (size_t at = 0; at < map->count && limit > 0; at++) {
    bytes key = map->entries[at].key;
    if (key.len < prefix.len || (prefix.len && memcmp(key.data, prefix.data, prefix.len) != 0)) continue;
    if (compare(key, start) < 0) continue;
    noema_reply_entry(reply, slice(key.data, key.len),
                      slice(map->entries[at].value.data, map->entries[at].value.len));
    limit--;
  }
  return 0;
}

/* The host function of this chain: the text in capitals. */
static int32_t shout(void *context, noema_call *call, const noema_argument *arguments, size_t count,
                     uint64_t *result) {
  (void)context;
  (void)count;
  bytes loud = copy(arguments[0].bytes);
  for (size_t i = 0; i < loud.len; i++)
    if (loud.data[i] >= 'a' && loud.data[i] <= 'z') loud.data[i] -= 'a' - 'A';
  int32_t written = noema_call_write(call, 1, slice(loud.data, loud.len));
  *result = loud.len;
  free(loud.data);
  return written;
}

/* An error here is no verdict: the program stops. */
static void check(noema_result result, char **error) {
  if (result == NOEMA_OK) return;
  fprintf(stderr, "error %d: %s\n", (int)result, *error ? *error : "without a message");
  noema_string_free(*error);
  exit(1);
}

/* Prints what a message did, and commits it. */
static void finish(map *state, const char *what, noema_outcome *outcome) {
  char *json = noema_outcome_json(outcome);
  printf("%s %s\n", what, json);
  noema_string_free(json);
  noema_write write;
  for (size_t i = 0; noema_outcome_write(outcome, i, &write); i++) put(state, write.key, write.value, write.removed);
  noema_outcome_free(outcome);
}

static bytes read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  uint8_t buffer[1 << 16];
  size_t len = fread(buffer, 1, sizeof buffer, file);
  fclose(file);
  return copy(slice(buffer, len));
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s contract.wasm\n", argv[0]);
    return 2;
  }
  if (noema_abi_version() != NOEMA_ABI_VERSION) {
    fprintf(stderr, "the library is not the one of this header\n");
    return 1;
  }
  char *error = NULL;
  noema_config *config = noema_config_new();
  check(noema_config_add_function(
            config, text("0x8001 mychain.shout(text: bytes, loud: out) -> u64 since 1 price(1000000, 1000, 0)"),
            shout, NULL, &error), &error);
  check(noema_config_set_concurrent_messages(config, 1), &error);
  noema_vm *vm = NULL;
  check(noema_vm_new(config, &vm, &error), &error);
  noema_config_free(config);

  map chain = {NULL, 0};
  noema_state state = {&chain, get, scan};
  noema_block block = {text("mychain"), 1, 0, noema_protocol_version(), {0, 0}};
  noema_address alice = {{1}};
  noema_u128 nothing = {0, 0};
  uint64_t gas = 10000000000;
  bytes wasm = read_file(argv[1]);
  noema_slice code = slice(wasm.data, wasm.len);

  noema_address contract;
  check(noema_contract_address(alice, 0, code, &contract, &error), &error);
  noema_outcome *outcome = NULL;
  check(noema_vm_deploy(vm, &state, &block, alice, nothing, gas, code, 0, text(""), &outcome, &error), &error);
  finish(&chain, "deploy", outcome);
  check(noema_vm_call(vm, &state, &block, alice, nothing, gas, contract, text("hello"), &outcome, &error), &error);
  finish(&chain, "call", outcome);
  check(noema_vm_view(vm, &state, &block, gas, contract, text(""), &outcome, &error), &error);
  finish(&chain, "view", outcome);

  for (size_t i = 0; i < chain.count; i++) {
    free(chain.entries[i].key.data);
    free(chain.entries[i].value.data);
  }
  free(chain.entries);
  free(wasm.data);
  noema_vm_free(vm);
  return 0;
}
