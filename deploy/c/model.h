/* A model loaded by ONNX Runtime on the CPU with one thread, and the callbacks that vectors.h and bench.h ask for. */
#ifndef LINREG_MODEL_H
#define LINREG_MODEL_H

#include "predict.h"
#include "vectors.h"

#include "ort_min.h"

/* All zero before model_open; model_close takes it in any state. */
typedef struct {
  void *library;
  const OrtApi *api;
  const char *version; /* of ONNX Runtime */
  OrtEnv *env;
  OrtSessionOptions *options;
  OrtSession *session;
  OrtMemoryInfo *memory;
  OrtAllocator *allocator;
  size_t input_count, output_count;
  char *input_names[VECTORS_MAX_TENSORS];
  char *output_names[VECTORS_MAX_TENSORS];
} Model;

/* Inputs and outputs that stay bound over many calls. */
typedef struct {
  const Model *model;
  OrtValue *inputs[VECTORS_MAX_TENSORS];
  OrtValue *outputs[VECTORS_MAX_TENSORS];
} BoundCall;

bool model_open(Model *model, const char *library_path, const char *path, char *error);
void model_close(Model *model);

/* What predict.h asks: the type and the names of the columns. names_free(&columns->names) in any case. */
bool model_columns(const Model *model, PredictModel *columns, char *error);

/* A VectorsRun; the context is a Model. */
bool model_run(void *context, const Tensor *inputs, size_t input_count, Tensor *outputs, size_t output_count,
               char *error);

/* Call once, so that inputs and outputs are there; the tensors must outlive it. bound_call is a BenchCall. */
bool bound_open(BoundCall *bound, const Model *model, const TensorList *inputs, char *error);
bool bound_call(void *context);
void bound_close(BoundCall *bound);

#endif
