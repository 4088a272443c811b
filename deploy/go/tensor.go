package linreg

// #include "linreg.h"
import "C"

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// An ElementType is ONNX's number for a type of elements.
type ElementType int32

// Types of elements that have functions here; the others are used as bytes.
const Float32 ElementType = C.TENSOR_FLOAT32

// A Tensor has its elements row after row, each in little-endian order.
type Tensor struct {
	Type  ElementType
	Shape []int64
	Data  []byte
}

// NewFloat32 copies values, row after row, into a tensor.
func NewFloat32(shape []int64, values ...float32) Tensor {
	data := make([]byte, 0, 4*len(values))
	for _, value := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(value))
	}
	return Tensor{Float32, shape, data}
}

// Float32s are the elements of a tensor of float32.
func (tensor Tensor) Float32s() ([]float32, error) {
	if tensor.Type != Float32 {
		return nil, fmt.Errorf("the elements have type %d, expected float32", tensor.Type)
	}
	values := make([]float32, len(tensor.Data)/4)
	for index := range values {
		values[index] = math.Float32frombits(binary.LittleEndian.Uint32(tensor.Data[4*index:]))
	}
	return values, nil
}

// copyTo gives C a copy, which freeAll frees or C itself.
func (tensor Tensor) copyTo(copied *C.Tensor) error {
	var message line
	dims := append([]int64{}, append(tensor.Shape, 0)...) // never empty, so that it has an address
	rank := C.size_t(len(tensor.Shape))
	shape := (*C.int64_t)(unsafe.Pointer(&dims[0]))
	if !C.linreg_allocate_tensor(copied, C.int32_t(tensor.Type), rank, shape, message.buffer()) {
		return message.err()
	}
	if int(copied.bytes) != len(tensor.Data) {
		return fmt.Errorf("got %d bytes for the shape %v, expected %d", len(tensor.Data), tensor.Shape, copied.bytes)
	}
	copy(unsafe.Slice((*byte)(copied.data), len(tensor.Data)), tensor.Data)
	return nil
}

func copyOf(tensor *C.Tensor) Tensor {
	shape := make([]int64, tensor.rank)
	for axis := range shape {
		shape[axis] = int64(tensor.dims[axis])
	}
	data := append([]byte{}, unsafe.Slice((*byte)(tensor.data), int(tensor.bytes))...)
	return Tensor{ElementType(tensor._type), shape, data}
}

func freeAll(tensors []C.Tensor) {
	for index := range tensors {
		C.linreg_free_tensor(&tensors[index])
	}
}
