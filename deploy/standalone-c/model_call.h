/* The function of model.h behind the tensors of deploy/vectors: what the inputs must be, and a call of it. */
#ifndef LINREG_MODEL_CALL_H
#define LINREG_MODEL_CALL_H

#include "vectors.h"

#include "model.h"

/* The sizes of a tensor; 0 stands for the batch. */
#ifndef LINREG_INPUT_DIMS
#define LINREG_INPUT_DIMS {0, LINREG_FEATURES}
#endif
#ifndef LINREG_OUTPUT_DIMS
#define LINREG_OUTPUT_DIMS {0, LINREG_OUTPUTS}
#endif

static const int64_t MODEL_INPUT_DIMS[] = LINREG_INPUT_DIMS;
static const int64_t MODEL_OUTPUT_DIMS[] = LINREG_OUTPUT_DIMS;

enum {
  MODEL_TYPE = sizeof(LINREG_NUMBER) == sizeof(float) ? TENSOR_FLOAT32 : TENSOR_FLOAT64,
  MODEL_INPUT_RANK = sizeof MODEL_INPUT_DIMS / sizeof *MODEL_INPUT_DIMS,
  MODEL_OUTPUT_RANK = sizeof MODEL_OUTPUT_DIMS / sizeof *MODEL_OUTPUT_DIMS
};

/* Check the inputs, and allocate the outputs. */
static inline bool model_prepare(const Tensor *inputs, size_t input_count, Tensor *outputs, size_t output_count,
                                 char *error) {
  const bool flat = inputs->rank == 2 && inputs->dims[1] == LINREG_FEATURES; /* as predict reads a table */
  const size_t row_bytes = sizeof MODEL_INPUT_DIMS - sizeof *MODEL_INPUT_DIMS;
  const bool shaped =
      inputs->rank == MODEL_INPUT_RANK && memcmp(inputs->dims + 1, MODEL_INPUT_DIMS + 1, row_bytes) == 0;
  if (input_count != 1 || output_count != 1 || inputs->type != MODEL_TYPE || (!flat && !shaped)) {
    return failed(error, "the model takes one input of type %d and shape (batch, %d), and gives one output",
                  (int)MODEL_TYPE, LINREG_FEATURES);
  }
  int64_t dims[MODEL_OUTPUT_RANK];
  memcpy(dims, MODEL_OUTPUT_DIMS, sizeof dims);
  dims[0] = inputs->dims[0];
  return tensor_allocate(outputs, MODEL_TYPE, MODEL_OUTPUT_RANK, dims, error);
}

/* The call alone, on tensors that model_prepare took. */
static inline void model_call(const Tensor *inputs, Tensor *outputs) {
  const size_t batch = (size_t)inputs->dims[0];
  const LINREG_NUMBER *input = (const LINREG_NUMBER *)inputs->data;
  LINREG_NUMBER *output = (LINREG_NUMBER *)outputs->data;
#ifdef LINREG_SCRATCH
  static LINREG_NUMBER scratch[LINREG_SCRATCH];
  linreg_predict(batch, input, output, scratch);
#else
  linreg_predict(batch, input, output);
#endif
}

#endif
