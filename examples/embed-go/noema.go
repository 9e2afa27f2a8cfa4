package main

// The part that a package would have: noema.h in Go. What C keeps for a while is a number (cgo.Handle), never a
// pointer of Go, and everything that C hands out is copied.

/*
#include <stdlib.h>
#include "noema.h"

// Callbacks in Go (callbacks.go). The context of each is a cgo.Handle.
extern int32_t goGet(uintptr_t context, noema_slice key, noema_reply *reply);
extern int32_t goScan(uintptr_t context, noema_slice prefix, noema_slice start, size_t limit, noema_reply *reply);
extern int32_t goFunction(uintptr_t context, noema_call *call, noema_argument *arguments, size_t count, uint64_t *result);

static int32_t get(void *context, noema_slice key, noema_reply *reply) { return goGet((uintptr_t)context, key, reply); }
static int32_t scan(void *context, noema_slice prefix, noema_slice start, size_t limit, noema_reply *reply) {
	return goScan((uintptr_t)context, prefix, start, limit, reply);
}
static int32_t function(void *context, noema_call *call, const noema_argument *arguments, size_t count, uint64_t *result) {
	return goFunction((uintptr_t)context, call, (noema_argument *)arguments, count, result);
}

// In memory of C, because Go must not see a number where a pointer should be.
static noema_state *state_new(uintptr_t context) {
	noema_state *state = malloc(sizeof *state);
	if (state == NULL) abort();
	state->context = (void *)context;
	state->get = get;
	state->scan = scan;
	return state;
}
static noema_result add_function(noema_config *config, noema_slice row, uintptr_t context, char **error) {
	return noema_config_add_function(config, row, function, (void *)context, error);
}
*/
import "C"

import (
	"errors"
	"runtime/cgo"
	"unsafe"
)

// Address of an account or a contract.
type Address [32]byte

// Block is where in the chain a message is executed.
type Block struct {
	ChainID string
	Height  uint64
	TimeMs  uint64
	Version uint32
	// DepositPerByte is what every byte that contracts and models take binds, in native units.
	DepositPerByte uint64
}

// Entry is a key of the state with its value.
type Entry struct{ Key, Value []byte }

// State is what the machine reads. It must not change while a message is executed.
type State interface {
	// Get returns the value under a key, and whether there is one.
	Get(key []byte) ([]byte, bool, error)
	// Scan returns the first entries whose key begins with prefix and is not below start, in ascending order.
	Scan(prefix, start []byte, limit int) ([]Entry, error)
}

// Write is a change of the state.
type Write struct {
	Key, Value []byte
	Removed    bool
}

// Outcome is what a message did.
type Outcome struct {
	Success bool
	Receipt []byte
	Output  []byte
	GasUsed uint64
	Writes  []Write
	JSON    string
}

// Function is a host function of the chain's own.
type Function struct {
	// Row is its line of the table.
	Row string
	// Run does what it does. An error is this node's own fault; Status is what the contract may handle.
	Run func(call *Call, arguments []Argument) (uint64, error)
}

// Argument of a host function. Bytes are valid until it returns.
type Argument struct {
	Number   int64
	Bytes    []byte
	Capacity int
}

// Status is an error for the contract, which it can handle.
type Status int32

func (Status) Error() string { return "a status for the contract" }

// Call of a host function.
type Call struct{ call *C.noema_call }

// Write sets an output of the function.
func (c *Call) Write(index int, data []byte) error {
	if C.noema_call_write(c.call, C.size_t(index), lend(data)) < 0 {
		return errors.New("the call has ended")
	}
	return nil
}

// VM is a virtual machine. Goroutines may share one.
type VM struct {
	vm        *C.noema_vm
	functions []cgo.Handle
}

// ProtocolVersion is the newest one that the library knows.
func ProtocolVersion() uint32 { return uint32(C.noema_protocol_version()) }

// NewVM sets a machine up.
func NewVM(functions ...Function) (*VM, error) {
	config := C.noema_config_new()
	defer C.noema_config_free(config)
	vm := &VM{}
	for _, function := range functions {
		handle := cgo.NewHandle(function)
		vm.functions = append(vm.functions, handle)
		var text *C.char
		if err := failed(uint32(C.add_function(config, lend([]byte(function.Row)), C.uintptr_t(handle), &text)), &text); err != nil {
			vm.Close()
			return nil, err
		}
	}
	var text *C.char
	if err := failed(uint32(C.noema_vm_new(config, &vm.vm, &text)), &text); err != nil {
		vm.Close()
		return nil, err
	}
	return vm, nil
}

// Close gives the machine back. No goroutine may use it any more.
func (vm *VM) Close() {
	C.noema_vm_free(vm.vm)
	vm.vm = nil
	for _, handle := range vm.functions {
		handle.Delete()
	}
	vm.functions = nil
}

// ContractAddress is where Deploy makes a contract.
func ContractAddress(deployer Address, salt uint64, code []byte) (Address, error) {
	var address C.noema_address
	var text *C.char
	err := failed(uint32(C.noema_contract_address(address_of(deployer), C.uint64_t(salt), lend(code), &address, &text)), &text)
	return *(*Address)(unsafe.Pointer(&address.bytes)), err
}

// Deploy deploys a contract.
func (vm *VM) Deploy(state State, block Block, sender Address, gas uint64, code []byte, salt uint64, input []byte) (Outcome, error) {
	return vm.execute(state, block, func(state *C.noema_state, block *C.noema_block, outcome **C.noema_outcome, text **C.char) uint32 {
		return uint32(C.noema_vm_deploy(vm.vm, state, block, address_of(sender), C.noema_u128{}, C.uint64_t(gas), lend(code), C.uint64_t(salt), lend(input), outcome, text))
	})
}

// Call runs the call of a contract.
func (vm *VM) Call(state State, block Block, sender Address, gas uint64, contract Address, input []byte) (Outcome, error) {
	return vm.execute(state, block, func(state *C.noema_state, block *C.noema_block, outcome **C.noema_outcome, text **C.char) uint32 {
		return uint32(C.noema_vm_call(vm.vm, state, block, address_of(sender), C.noema_u128{}, C.uint64_t(gas), address_of(contract), lend(input), outcome, text))
	})
}

// View runs the view of a contract.
func (vm *VM) View(state State, block Block, gas uint64, contract Address, input []byte) (Outcome, error) {
	return vm.execute(state, block, func(state *C.noema_state, block *C.noema_block, outcome **C.noema_outcome, text **C.char) uint32 {
		return uint32(C.noema_vm_view(vm.vm, state, block, C.uint64_t(gas), address_of(contract), lend(input), outcome, text))
	})
}

func (vm *VM) execute(state State, block Block, run func(*C.noema_state, *C.noema_block, **C.noema_outcome, **C.char) uint32) (Outcome, error) {
	handle := cgo.NewHandle(state)
	defer handle.Delete()
	// Memory of C: a structure that is passed by its address may not point into memory of Go.
	chain := C.CString(block.ChainID)
	defer C.free(unsafe.Pointer(chain))
	cState := C.state_new(C.uintptr_t(handle))
	defer C.free(unsafe.Pointer(cState))
	cBlock := C.noema_block{
		chain_id: C.noema_slice{data: (*C.uint8_t)(unsafe.Pointer(chain)), len: C.size_t(len(block.ChainID))},
		height:   C.uint64_t(block.Height),
		time_ms:  C.uint64_t(block.TimeMs),
		version:  C.uint32_t(block.Version),

		deposit_per_byte: C.noema_u128{low: C.uint64_t(block.DepositPerByte)},
	}
	var outcome *C.noema_outcome
	var text *C.char
	if err := failed(run(cState, &cBlock, &outcome, &text), &text); err != nil {
		return Outcome{}, err
	}
	defer C.noema_outcome_free(outcome)
	json := C.noema_outcome_json(outcome)
	defer C.noema_string_free(json)
	made := Outcome{
		Success: C.noema_outcome_status(outcome) == C.NOEMA_SUCCESS,
		Receipt: copied(C.noema_outcome_receipt(outcome)),
		Output:  copied(C.noema_outcome_output(outcome)),
		GasUsed: uint64(C.noema_outcome_gas_used(outcome)),
		JSON:    C.GoString(json),
	}
	var write C.noema_write
	for i := C.size_t(0); bool(C.noema_outcome_write(outcome, i, &write)); i++ {
		made.Writes = append(made.Writes, Write{copied(write.key), copied(write.value), bool(write.removed)})
	}
	return made, nil
}

// failed makes an error of a result. The message is behind a pointer because it is only there after the call.
func failed(result uint32, message **C.char) error {
	if result == uint32(C.NOEMA_OK) {
		return nil
	}
	defer C.noema_string_free(*message)
	return errors.New(C.GoString(*message))
}

func address_of(address Address) C.noema_address {
	return *(*C.noema_address)(unsafe.Pointer(&address))
}

// lend shows bytes of Go to C for one call. As an argument, the slice is pinned for that long.
func lend(data []byte) C.noema_slice {
	if len(data) == 0 {
		return C.noema_slice{}
	}
	return C.noema_slice{data: (*C.uint8_t)(unsafe.Pointer(&data[0])), len: C.size_t(len(data))}
}

// borrowed shows bytes of C to Go for as long as C keeps them.
func borrowed(slice C.noema_slice) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(slice.data)), int(slice.len))
}

func copied(slice C.noema_slice) []byte {
	return C.GoBytes(unsafe.Pointer(slice.data), C.int(slice.len))
}
