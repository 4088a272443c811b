/* Read each file as a TensorProto: "TYPE (SHAPE) CHECKSUM" a line, or "refused". For the tests of the reader. */
#include "tensor.h"

int main(int count, char **paths) {
  for (int index = 1; index < count; index++) {
    char error[ERROR_BYTES], shape[256];
    Tensor tensor;
    if (!tensor_read(paths[index], &tensor, error)) {
      puts("refused");
      continue;
    }
    uint64_t checksum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t byte = 0; byte < tensor.bytes; byte++) {
      checksum = (checksum ^ ((const uint8_t *)tensor.data)[byte]) * UINT64_C(0x100000001b3);
    }
    tensor_shape_text(&tensor, shape, sizeof shape);
    printf("%d %s %016llx\n", (int)tensor.type, shape, (unsigned long long)checksum);
    tensor_free(&tensor);
  }
  return 0;
}
