/* Print the bits of a float32 model's answers to vectors of the bundle in which it is started, named by their numbers. */
#include "model_call.h"

int main(int count, char **words) {
  char error[ERROR_BYTES] = "", place[PATH_BYTES];
  for (int word = 1; word < count; word++) {
    TensorList inputs;
    Tensor output;
    snprintf(place, sizeof place, "test_data_set_%s", words[word]);
    if (!vectors_read_list(place, "input_", 1, &inputs, error) ||
        !model_prepare(inputs.tensors, inputs.count, &output, 1, error)) {
      fprintf(stderr, "%s: %s\n", place, error);
      return 1;
    }
    model_call(inputs.tensors, &output);
    for (size_t index = 0; index < output.count; index++) {
      uint32_t bits;
      memcpy(&bits, (const char *)output.data + index * sizeof bits, sizeof bits);
      printf("%08" PRIx32 "\n", bits);
    }
    tensor_free(&output);
    tensor_list_free(&inputs);
  }
  return 0;
}
