/* The function of model.h behind the tensors of deploy/vectors: what the inputs must be, and a call of it. */
#ifndef LINREG_MODEL_CALL_H
#define LINREG_MODEL_CALL_H

#include "vectors.h"

#include "model.h"

enum { MODEL_TYPE = sizeof(LINREG_NUMBER) == sizeof(float) ? TENSOR_FLOAT32 : TENSOR_FLOAT64 };

/* Check the inputs, and allocate the outputs. */
static inline bool model_prepare(const Tensor *inputs, size_t input_count, Tensor *outputs, size_t output_count,
                                 char *error) {
  const bool fits = input_count == 1 && output_count == 1 && inputs->type == MODEL_TYPE && inputs->rank == 2 &&
                    inputs->dims[1] == LINREG_FEATURES;
  if (!fits) {
    return failed(error, "the model takes one input of type %d and shape (batch, %d), and gives one output",
                  (int)MODEL_TYPE, LINREG_FEATURES);
  }
  const int64_t dims[2] = {inputs->dims[0], LINREG_OUTPUTS};
  return tensor_allocate(outputs, MODEL_TYPE, 2, dims, error);
}

/* The call alone, on tensors that model_prepare took. */
static inline void model_call(const Tensor *inputs, Tensor *outputs) {
  linreg_predict((size_t)inputs->dims[0], (const LINREG_NUMBER *)inputs->data, (LINREG_NUMBER *)outputs->data);
}

#endif
