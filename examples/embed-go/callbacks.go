package main

// What C calls. A panic of Go ends the process: the machine cannot pass it on.

/*
#include "noema.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"runtime/cgo"
	"sort"
	"unsafe"
)

//export goGet
func goGet(context C.uintptr_t, key C.noema_slice, reply *C.noema_reply) C.int32_t {
	state := cgo.Handle(context).Value().(State)
	value, found, err := state.Get(borrowed(key))
	if err != nil {
		C.noema_reply_fail(reply, lend([]byte(err.Error())))
		return -1
	}
	if found {
		C.noema_reply_value(reply, lend(value))
	}
	return 0
}

//export goScan
func goScan(context C.uintptr_t, prefix, start C.noema_slice, limit C.size_t, reply *C.noema_reply) C.int32_t {
	state := cgo.Handle(context).Value().(State)
	entries, err := state.Scan(borrowed(prefix), borrowed(start), int(limit))
	if err != nil {
		C.noema_reply_fail(reply, lend([]byte(err.Error())))
		return -1
	}
	for _, entry := range entries {
		C.noema_reply_entry(reply, lend(entry.Key), lend(entry.Value))
	}
	return 0
}

//export goFunction
func goFunction(context C.uintptr_t, call *C.noema_call, arguments *C.noema_argument, count C.size_t, result *C.uint64_t) C.int32_t {
	function := cgo.Handle(context).Value().(Function)
	made := make([]Argument, int(count))
	for i, argument := range unsafe.Slice(arguments, int(count)) {
		made[i] = Argument{int64(argument.number), borrowed(argument.bytes), int(argument.capacity)}
	}
	answer, err := function.Run(&Call{call}, made)
	var status Status
	switch {
	case errors.As(err, &status):
		return C.int32_t(status)
	case err != nil:
		C.noema_call_fail(call, lend([]byte(err.Error())))
		return -1
	}
	*result = C.uint64_t(answer)
	return 0
}

// ordered is a scan of a map.
func ordered(state Map, prefix, start []byte, limit int) []Entry {
	var entries []Entry
	for key, value := range state {
		if bytes.HasPrefix([]byte(key), prefix) && key >= string(start) {
			entries = append(entries, Entry{[]byte(key), value})
		}
	}
	sort.Slice(entries, func(a, b int) bool { return bytes.Compare(entries[a].Key, entries[b].Key) < 0 })
	if len(entries) > limit {
		entries = entries[:limit]
	}
	return entries
}
