package linreg

// #include "linreg.h"
// int64_t linregGoBlock(void *, int64_t);
import "C"

import (
	"runtime/cgo"
	"time"
	"unsafe"
)

// Bench times calls on the bundle's inputs of a batch size, prints one JSON line, and returns the exit code.
func (model *Model) Bench(bundle string, batch, blocks int) (int, error) {
	name, path := C.CString("go"), C.CString(bundle)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(path))
	var message line
	call := C.linreg_bind(model.handle, path, C.int64_t(batch), message.buffer())
	if call == nil {
		return 1, message.err()
	}
	defer C.linreg_unbind(call)
	handle := cgo.NewHandle(call)
	defer handle.Delete()
	version, block := C.linreg_version(model.handle), C.BenchBlock(C.linregGoBlock)
	code := C.linreg_bench(name, version, C.int64_t(batch), C.size_t(blocks), block, unsafe.Pointer(&handle))
	return int(code), nil
}

//export linregGoBlock
func linregGoBlock(context unsafe.Pointer, calls C.int64_t) C.int64_t {
	call := (*cgo.Handle)(context).Value().(*C.Call)
	good := true
	start := time.Now()
	for done := C.int64_t(0); done < calls; done++ {
		good = bool(C.linreg_call(call)) && good
	}
	taken := time.Since(start)
	if !good {
		return -1
	}
	return C.int64_t(taken.Nanoseconds())
}
