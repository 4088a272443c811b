package linreg

// #include "linreg.h"
// bool linregGoRun(void *, Tensor *, size_t, Tensor *, size_t, char *);
import "C"

import (
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// Verify runs all test vectors of a bundle, prints the verdict, and returns the exit code.
func (model *Model) Verify(bundle string) int {
	name, path := C.CString("go"), C.CString(bundle)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(path))
	handle := cgo.NewHandle(model)
	defer handle.Delete()
	return int(C.linreg_verify(name, path, C.VectorsRun(C.linregGoRun), unsafe.Pointer(&handle)))
}

//export linregGoRun
func linregGoRun(context unsafe.Pointer, inputs *C.Tensor, inputCount C.size_t, outputs *C.Tensor,
	outputCount C.size_t, message *C.char) C.bool {
	model := (*cgo.Handle)(context).Value().(*Model)
	err := model.runCase(unsafe.Slice(inputs, int(inputCount)), unsafe.Slice(outputs, int(outputCount)))
	if err != nil {
		text := append([]byte(fmt.Sprintf("%.*s", C.ERROR_BYTES/4-1, err)), 0) // a character has at most four bytes
		copy(unsafe.Slice((*byte)(unsafe.Pointer(message)), C.ERROR_BYTES), text)
	}
	return C.bool(err == nil)
}

func (model *Model) runCase(inputs, outputs []C.Tensor) error {
	from := make([]Tensor, len(inputs))
	for index := range inputs {
		from[index] = copyOf(&inputs[index])
	}
	answers, err := model.Run(from...)
	if err != nil {
		return err
	}
	if len(answers) != len(outputs) {
		return fmt.Errorf("has %d outputs, the model %d", len(outputs), len(answers))
	}
	for index, answer := range answers {
		if err := answer.copyTo(&outputs[index]); err != nil {
			return err
		}
	}
	return nil
}
