// Package linreg runs model.onnx on ONNX Runtime, through liblinreg.so of deploy/c.
package linreg

// #cgo CFLAGS: -I${SRCDIR}/../c -I${SRCDIR}/../vectors
// #cgo LDFLAGS: -llinreg
// #include "linreg.h"
import "C"

import (
	"errors"
	"unsafe"
)

// A Model is one session on one thread of the CPU. Goroutines may share it.
type Model struct {
	handle *C.Model
}

// Open loads a model; Close gives its memory back.
func Open(path string) (*Model, error) {
	return open(path, func(path, message *C.char) *C.Model { return C.linreg_open(path, message) })
}

// OpenBundle loads model.onnx of a bundle and refuses a link in its place.
func OpenBundle(bundle string) (*Model, error) {
	return open(bundle, func(bundle, message *C.char) *C.Model { return C.linreg_open_bundle(bundle, message) })
}

func open(path string, function func(path, message *C.char) *C.Model) (*Model, error) {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	var message line
	handle := function(text, message.buffer())
	if handle == nil {
		return nil, message.err()
	}
	return &Model{handle}, nil
}

// Close ends the session.
func (model *Model) Close() {
	C.linreg_close(model.handle)
	model.handle = nil
}

// Version is that of ONNX Runtime.
func (model *Model) Version() string {
	return C.GoString(C.linreg_version(model.handle))
}

// Run calls the model once. Inputs and outputs are copied.
func (model *Model) Run(inputs ...Tensor) ([]Tensor, error) {
	from := make([]C.Tensor, len(inputs)+1) // never empty, so that it has an address
	to := make([]C.Tensor, C.linreg_output_count(model.handle)+1)
	defer freeAll(from)
	defer freeAll(to)
	for index, input := range inputs {
		if err := input.copyTo(&from[index]); err != nil {
			return nil, err
		}
	}
	var message line
	count := len(to) - 1
	if !C.linreg_run(model.handle, &from[0], C.size_t(len(inputs)), &to[0], C.size_t(count), message.buffer()) {
		return nil, message.err()
	}
	outputs := make([]Tensor, count)
	for index := range outputs {
		outputs[index] = copyOf(&to[index])
	}
	return outputs, nil
}

// A line is the buffer in which C says why a function failed.
type line [C.ERROR_BYTES]C.char

func (message *line) buffer() *C.char {
	return &message[0]
}

func (message *line) err() error {
	return errors.New(C.GoString(&message[0]))
}
