// A TorchScript model loaded by libtorch on the CPU with one thread. Nothing of torch's headers is needed to use it.
#pragma once

#include "predict.h"
#include "vectors.h"

#include <memory>
#include <string>

struct Model;

struct CloseModel {
  void operator()(Model *model) const;
};

using OpenModel = std::unique_ptr<Model, CloseModel>;

// Loads a program: name only files that you trust. Null, with an error of ERROR_BYTES, for what torch cannot load.
OpenModel model_open(const std::string &path, char *error);

// What predict.h asks: the type and the names of the columns; names_free(&columns->names) in any case.
bool model_columns(const Model &model, PredictModel *columns, char *error);

// A VectorsRun; the context is a Model.
bool model_run(void *context, const Tensor *inputs, size_t input_count, Tensor *outputs, size_t output_count,
               char *error);

// bench_print for the vectors of that batch, in inference mode entered once; the exit code.
int model_bench(Model &model, const char *bundle, int64_t batch, int64_t blocks);
