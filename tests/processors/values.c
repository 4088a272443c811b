/* Print every element of the tensors in files, as exact numbers. For tests/processors/test_byte_order.py. */
#include "tensor.h"

int main(int count, char **paths) {
  for (int index = 1; index < count; index++) {
    char error[ERROR_BYTES];
    Tensor tensor;
    if (!tensor_read(paths[index], &tensor, error)) {
      puts(error);
      continue;
    }
    for (size_t element = 0; element < tensor.count; element++) printf("%.17g ", tensor_number(&tensor, element));
    printf("\n");
    tensor_free(&tensor);
  }
  return 0;
}
