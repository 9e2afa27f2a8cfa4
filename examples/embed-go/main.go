// The virtual machine in a Go program: a state, one host function, and three messages.
//
//	cargo build --release -p noema-capi
//	cd examples/embed-go
//	CGO_CFLAGS="-I$PWD/../../sdk/capi" CGO_LDFLAGS="-L$PWD/../../target/release -lnoema_capi" go build -o embed-go .
//	LD_LIBRARY_PATH=../../target/release ./embed-go ../embed-c/contract.wasm
package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
)

// Map is the state of the chain. A real one iterates an ordered store instead of sorting.
type Map map[string][]byte

// Get implements State.
func (m Map) Get(key []byte) ([]byte, bool, error) {
	value, found := m[string(key)]
	return value, found, nil
}

// Scan implements State.
func (m Map) Scan(prefix, start []byte, limit int) ([]Entry, error) {
	return ordered(m, prefix, start, limit), nil
}

func (m Map) commit(outcome Outcome) {
	for _, write := range outcome.Writes {
		if write.Removed {
			delete(m, string(write.Key))
		} else {
			m[string(write.Key)] = write.Value
		}
	}
}

// shout is the host function of this chain: the text in capitals.
func shout(call *Call, arguments []Argument) (uint64, error) {
	loud := bytes.ToUpper(arguments[0].Bytes)
	return uint64(len(loud)), call.Write(1, loud)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: embed-go contract.wasm")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		// No verdict: the program stops.
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	code, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	vm, err := NewVM(Function{
		Row: "0x8001 mychain.shout(text: bytes, loud: out) -> u64 since 1 price(1000000, 1000, 0)",
		Run: shout,
	})
	if err != nil {
		return err
	}
	defer vm.Close()

	chain := Map{}
	block := Block{ChainID: "mychain", Height: 1, Version: ProtocolVersion()}
	alice := Address{1}
	const gas = 10_000_000_000

	deployed, err := vm.Deploy(chain, block, alice, gas, code, 0, nil)
	if err != nil {
		return err
	}
	fmt.Println("deploy", deployed.JSON)
	chain.commit(deployed)
	contract, err := ContractAddress(alice, 0, code)
	if err != nil {
		return err
	}
	called, err := vm.Call(chain, block, alice, gas, contract, []byte("hello"))
	if err != nil {
		return err
	}
	fmt.Println("call", called.JSON)
	chain.commit(called)
	viewed, err := vm.View(chain, block, gas, contract, nil)
	if err != nil {
		return err
	}
	fmt.Println("view", viewed.JSON)

	// Goroutines may share a machine, and a state that nobody changes meanwhile.
	var group sync.WaitGroup
	same := make([]bool, 8)
	for i := range same {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for round := 0; round < 20; round++ {
				again, err := vm.View(chain, block, gas, contract, nil)
				same[i] = err == nil && bytes.Equal(again.Receipt, viewed.Receipt)
				if !same[i] {
					return
				}
			}
		}(i)
	}
	group.Wait()
	for _, ok := range same {
		if !ok {
			return fmt.Errorf("a goroutine got another receipt")
		}
	}

	// A state that fails is an error, and no receipt.
	if _, err := vm.Call(failing{chain}, block, alice, gas, contract, []byte("hello")); err == nil {
		return fmt.Errorf("a failing state gave a receipt")
	} else {
		fmt.Println("failing:", err)
	}
	return nil
}

// failing is a state whose disk is gone.
type failing struct{ Map }

func (failing) Get([]byte) ([]byte, bool, error) { return nil, false, fmt.Errorf("the disk is gone") }
