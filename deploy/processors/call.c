/* One call of the model between two marks, on the first vectors of a bundle: check.py counts what lies between. */
#include "model_call.h"

void call_begins(void);
void call_ends(void);

/* Not inlined, and not static: their names stand in qemu's trace. */
__attribute__((noinline)) void call_begins(void) { __asm__ volatile("" ::: "memory"); }
__attribute__((noinline)) void call_ends(void) { __asm__ volatile("" ::: "memory"); }

int main(int count, char **words) {
  char error[ERROR_BYTES] = "name the folder of a bundle", place[PATH_BYTES];
  TensorList inputs, outputs;
  memset(&inputs, 0, sizeof inputs);
  memset(&outputs, 0, sizeof outputs);
  const int length = count == 2 ? snprintf(place, sizeof place, "%s/test_data_set_0", words[1]) : -1;
  bool good = length > 0 && length < (int)sizeof place;
  good = good && vectors_read_list(place, "input_", vectors_count_files(place, "input_"), &inputs, error);
  outputs.count = good ? vectors_count_files(place, "output_") : 0;
  good = good && model_prepare(inputs.tensors, inputs.count, outputs.tensors, outputs.count, error);
  if (good) {
    call_begins();
    model_call(inputs.tensors, outputs.tensors);
    call_ends();
  } else {
    fprintf(stderr, "error: %s\n", error);
  }
  tensor_list_free(&inputs);
  tensor_list_free(&outputs);
  return good ? 0 : 1;
}
