/* A tensor, and a reader of the files input_I.pb, output_I.pb and allowed_I.pb: ONNX's TensorProto with raw_data.
 *
 * C11 and C++17, header only. The file may be hostile: every length is checked before it is used, and no allocation is
 * larger than the file. What is no tensor gives false and one line that says why.
 * Include the headers of this folder before others, or compile with -D_POSIX_C_SOURCE=200809L. Without POSIX, as on a
 * microcontroller whose files are those of its debugger, a link or a folder is not told from a file.
 */
#ifndef LINREG_TENSOR_H
#define LINREG_TENSOR_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <errno.h>
#include <inttypes.h> /* sizes are printed with PRIuPTR: %zu is unknown to some C libraries of microcontrollers */
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#define TENSOR_POSIX 1
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define TENSOR_POSIX 0
#endif

enum { TENSOR_MAX_RANK = 8, TENSOR_MAX_FILE_BYTES = 1 << 30, TENSOR_ALIGNMENT = 64, ERROR_BYTES = 512 };

/* ONNX's numbers for the types of elements. */
enum {
  TENSOR_FLOAT32 = 1, TENSOR_UINT8 = 2, TENSOR_INT8 = 3, TENSOR_UINT16 = 4, TENSOR_INT16 = 5, TENSOR_INT32 = 6,
  TENSOR_INT64 = 7, TENSOR_BOOL = 9, TENSOR_FLOAT16 = 10, TENSOR_FLOAT64 = 11, TENSOR_UINT32 = 12, TENSOR_UINT64 = 13
};

/* All zero is an empty tensor; give tensor_free what tensor_read or tensor_allocate filled. */
typedef struct {
  int32_t type;
  size_t rank;
  int64_t dims[TENSOR_MAX_RANK];
  size_t count; /* of elements */
  size_t bytes;
  void *data;   /* at least one byte, on POSIX aligned for vector instructions */
} Tensor;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
/* Write one line of at most ERROR_BYTES into error; false, so that a function can end with it. */
static inline bool failed(char *error, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error, ERROR_BYTES, format, arguments);
  va_end(arguments);
  for (char *sign = error; *sign != '\0'; sign++) {
    if ((unsigned char)*sign < 0x20 || *sign == 0x7f) *sign = ' ';
  }
  return false;
}

/* 0 for a type that is not supported here. */
static inline size_t tensor_item_bytes(int32_t type) {
  switch (type) {
    case TENSOR_UINT8: case TENSOR_INT8: case TENSOR_BOOL: return 1;
    case TENSOR_UINT16: case TENSOR_INT16: case TENSOR_FLOAT16: return 2;
    case TENSOR_FLOAT32: case TENSOR_INT32: case TENSOR_UINT32: return 4;
    case TENSOR_FLOAT64: case TENSOR_INT64: case TENSOR_UINT64: return 8;
    default: return 0;
  }
}

static inline void tensor_free(Tensor *tensor) {
  free(tensor->data);
  memset(tensor, 0, sizeof *tensor);
}

/* Give an empty tensor its type, its shape and zeroed memory. */
static inline bool tensor_allocate(Tensor *tensor, int32_t type, size_t rank, const int64_t *dims, char *error) {
  const int64_t limit = INT64_C(1) << 46; /* of elements; also where an axis is 0, since runtimes multiply in int64 */
  const size_t item = tensor_item_bytes(type);
  int64_t product = 1;
  size_t count = 1;
  memset(tensor, 0, sizeof *tensor);
  if (item == 0) return failed(error, "elements have type %d, expected a type of numbers or bool", (int)type);
  if (rank > TENSOR_MAX_RANK) {
    return failed(error, "has %" PRIuPTR " axes, expected at most %d", rank, (int)TENSOR_MAX_RANK);
  }
  for (size_t axis = 0; axis < rank; axis++) {
    if (dims[axis] < 0 || dims[axis] > limit / product) return failed(error, "has a negative or huge axis");
    if (dims[axis] > 0) product *= dims[axis];
    count *= (size_t)dims[axis];
    tensor->dims[axis] = dims[axis];
  }
  const size_t rounded = (count * item / TENSOR_ALIGNMENT + 1) * TENSOR_ALIGNMENT;
#if TENSOR_POSIX
  void *data = NULL;
  if (posix_memalign(&data, TENSOR_ALIGNMENT, rounded) != 0) data = NULL;
#else
  void *data = malloc(rounded);
#endif
  if (data == NULL) return failed(error, "no memory for %" PRIuPTR " bytes", rounded);
  memset(data, 0, rounded);
  tensor->type = type;
  tensor->rank = rank;
  tensor->count = count;
  tensor->bytes = count * item;
  tensor->data = data;
  return true;
}

static inline double tensor_half(uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f, fraction = bits & 0x3ff;
  double value = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) value = fraction != 0 ? (double)NAN : (double)INFINITY;
  return (bits & 0x8000) != 0 ? -value : value;
}

static inline bool tensor_is_floating(const Tensor *tensor) {
  return tensor->type == TENSOR_FLOAT16 || tensor->type == TENSOR_FLOAT32 || tensor->type == TENSOR_FLOAT64;
}

/* An element as a number: exact for floating types. */
static inline double tensor_number(const Tensor *tensor, size_t index) {
  switch (tensor->type) {
    case TENSOR_FLOAT16: return tensor_half(((const uint16_t *)tensor->data)[index]);
    case TENSOR_FLOAT32: return (double)((const float *)tensor->data)[index];
    case TENSOR_FLOAT64: return ((const double *)tensor->data)[index];
    case TENSOR_INT8: return (double)((const int8_t *)tensor->data)[index];
    case TENSOR_INT16: return (double)((const int16_t *)tensor->data)[index];
    case TENSOR_UINT16: return (double)((const uint16_t *)tensor->data)[index];
    case TENSOR_INT32: return (double)((const int32_t *)tensor->data)[index];
    case TENSOR_UINT32: return (double)((const uint32_t *)tensor->data)[index];
    case TENSOR_INT64: return (double)((const int64_t *)tensor->data)[index];
    case TENSOR_UINT64: return (double)((const uint64_t *)tensor->data)[index];
    default: return (double)((const uint8_t *)tensor->data)[index];
  }
}

/* "(7, 3)" */
static inline void tensor_shape_text(const Tensor *tensor, char *text, size_t text_bytes) {
  size_t used = (size_t)snprintf(text, text_bytes, "(");
  for (size_t axis = 0; axis < tensor->rank && used < text_bytes; axis++) {
    const char *separator = axis > 0 ? ", " : "";
    used += (size_t)snprintf(text + used, text_bytes - used, "%s%ld", separator, (long)tensor->dims[axis]);
  }
  if (used < text_bytes) snprintf(text + used, text_bytes - used, ")");
}

/* The part of a protobuf message that is still to be read. */
typedef struct {
  const uint8_t *next;
  const uint8_t *end;
} ProtoBytes;

static inline bool proto_varint(ProtoBytes *from, uint64_t *value) {
  *value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (from->next == from->end) return false;
    const uint8_t byte = *from->next++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

/* One field: the value of a varint, or the bytes of a length-delimited or fixed-size field. */
static inline bool proto_field(ProtoBytes *from, uint64_t *number, unsigned *wire, uint64_t *value, ProtoBytes *bytes) {
  uint64_t key = 0, length = 0;
  if (!proto_varint(from, &key)) return false;
  *number = key >> 3;
  *wire = (unsigned)(key & 7);
  if (*number == 0 || key > UINT32_MAX) return false;
  if (*wire == 0) return proto_varint(from, value);
  if (*wire == 2 && !proto_varint(from, &length)) return false;
  if (*wire == 1) length = 8;
  if (*wire == 5) length = 4;
  if ((*wire != 1 && *wire != 2 && *wire != 5) || length > (uint64_t)(from->end - from->next)) return false;
  bytes->next = from->next;
  bytes->end = from->next + length;
  from->next += length;
  return true;
}

/* Copy the elements of raw_data, which is little-endian, in the byte order of this machine. */
static inline void tensor_copy(Tensor *tensor, const uint8_t *raw) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  const size_t item = tensor_item_bytes(tensor->type);
  for (size_t byte = 0; byte < tensor->bytes; byte++) {
    ((uint8_t *)tensor->data)[byte] = raw[byte - byte % item + (item - 1 - byte % item)];
  }
#else
  memcpy(tensor->data, raw, tensor->bytes);
#endif
}

/* A tensor from the bytes of a TensorProto. */
static inline bool tensor_parse(const uint8_t *data, size_t size, Tensor *tensor, char *error) {
  ProtoBytes from = {data, data + size}, raw = {NULL, NULL};
  int64_t dims[TENSOR_MAX_RANK] = {0};
  size_t rank = 0;
  int32_t type = 0;
  memset(tensor, 0, sizeof *tensor);
  while (from.next != from.end) {
    uint64_t number = 0, value = 0;
    unsigned wire = 0;
    ProtoBytes bytes = {NULL, NULL};
    if (!proto_field(&from, &number, &wire, &value, &bytes)) return failed(error, "is damaged or cut off");
    if (number == 1) { /* dims: one number a field, or packed in one field */
      bool more = wire == 0 || bytes.next != bytes.end;
      for (; more; more = wire == 2 && bytes.next != bytes.end) {
        if (wire == 2 && !proto_varint(&bytes, &value)) return failed(error, "is damaged in its shape");
        if (rank == TENSOR_MAX_RANK) return failed(error, "has more than %d axes", (int)TENSOR_MAX_RANK);
        dims[rank++] = (int64_t)value;
      }
    } else if (number == 2 && wire == 0) {
      type = value <= INT32_MAX ? (int32_t)value : -1;
    } else if (number == 9 && wire == 2) {
      raw = bytes;
    } else if (number == 3 || (number == 14 && value != 0)) {
      return failed(error, "has its numbers in another file, or in parts");
    }
  }
  /* Before any allocation: how many bytes the shape asks for. */
  uint64_t expected = tensor_item_bytes(type);
  const uint64_t got = (uint64_t)(raw.end - raw.next);
  for (size_t axis = 0; axis < rank; axis++) {
    if (dims[axis] == 0) expected = 0;
  }
  for (size_t axis = 0; axis < rank && expected > 0; axis++) {
    const bool fits = dims[axis] > 0 && (uint64_t)dims[axis] <= got / expected;
    if (!fits) return failed(error, "has a shape of more elements than its %lu bytes hold", (unsigned long)got);
    expected *= (uint64_t)dims[axis];
  }
  if (!tensor_allocate(tensor, type, rank, dims, error)) return false;
  if (tensor->bytes != got) {
    const size_t bytes = tensor->bytes;
    tensor_free(tensor);
    return failed(error, "has %lu bytes of raw_data, expected %" PRIuPTR, (unsigned long)got, bytes);
  }
  if (got > 0) tensor_copy(tensor, raw.next);
  return true;
}

/* Open a file that is no link: one in a bundle would lead to what is not of the bundle. Nor does it wait for a pipe. */
static inline FILE *tensor_open(const char *path) {
#if TENSOR_POSIX
  const int descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  FILE *file = descriptor >= 0 ? fdopen(descriptor, "rb") : NULL;
  if (file == NULL && descriptor >= 0) close(descriptor);
  return file;
#else
  return fopen(path, "rb");
#endif
}

/* How many bytes a file has; -1 for what is no file, or is larger than TENSOR_MAX_FILE_BYTES. */
static inline long tensor_file_bytes(FILE *file) {
#if TENSOR_POSIX
  struct stat status;
  const bool good = fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);
  const int64_t bytes = good ? (int64_t)status.st_size : -1;
#else
  const int64_t bytes = fseek(file, 0, SEEK_END) == 0 ? (int64_t)ftell(file) : -1;
  rewind(file);
#endif
  return bytes <= TENSOR_MAX_FILE_BYTES ? (long)bytes : -1;
}

/* A tensor from a file. The error begins with the path. */
static inline bool tensor_read(const char *path, Tensor *tensor, char *error) {
  char reason[ERROR_BYTES] = "";
  memset(tensor, 0, sizeof *tensor);
  FILE *file = tensor_open(path);
  if (file == NULL) return failed(error, "%.300s: %s", path, errno == ELOOP ? "is a link" : strerror(errno));
  const long bytes = tensor_file_bytes(file);
  bool good = bytes >= 0;
  if (!good) failed(reason, "is no file of at most %d bytes", (int)TENSOR_MAX_FILE_BYTES);
  uint8_t *data = good ? (uint8_t *)malloc((size_t)bytes + 1) : NULL;
  if (good && data == NULL) good = failed(reason, "no memory to read it");
  if (good) {
    const size_t size = fread(data, 1, (size_t)bytes, file);
    good = tensor_parse(data, size, tensor, reason);
  }
  free(data);
  fclose(file);
  return good ? true : failed(error, "%.*s: %.*s; export again", 300, path, 150, reason);
}

#endif
