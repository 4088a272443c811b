#include "linreg.h"

struct Call {
  TensorList inputs;
  BoundCall bound;
};

Model *linreg_open(const char *path, char *error) {
  const char *chosen = getenv("ORT_LIB");
  Model *model = (Model *)calloc(1, sizeof *model);
  if (model == NULL) failed(error, "no memory");
  else if (model_open(model, chosen != NULL ? chosen : ORT_LIB_DEFAULT, path, error)) return model;
  linreg_close(model);
  return NULL;
}

void linreg_close(Model *model) {
  if (model != NULL) model_close(model);
  free(model);
}

Model *linreg_open_bundle(const char *bundle, char *error) {
  char path[PATH_BYTES];
  const int length = snprintf(path, sizeof path, "%s/model.onnx", bundle);
  if (length >= (int)sizeof path) failed(error, "the path is too long");
  else if (vectors_no_link(path, false, error)) return linreg_open(path, error);
  return NULL;
}

const char *linreg_version(const Model *model) { return model == NULL ? "" : model->version; }

size_t linreg_output_count(const Model *model) { return model == NULL ? 0 : model->output_count; }

bool linreg_run(const Model *model, const Tensor *inputs, size_t input_count, Tensor *outputs, size_t output_count,
                char *error) {
  if (model == NULL) return failed(error, "the model is closed");
  return model_run((void *)model, inputs, input_count, outputs, output_count, error);
}

bool linreg_allocate_tensor(Tensor *tensor, int32_t type, size_t rank, const int64_t *dims, char *error) {
  return tensor_allocate(tensor, type, rank, dims, error);
}

void linreg_free_tensor(Tensor *tensor) { tensor_free(tensor); }

/* Another language has its own buffer for the standard output, and may end without C's. */
int linreg_verify(const char *runtime, const char *bundle, VectorsRun run, void *context) {
  const int code = vectors_verify(runtime, bundle, run, context);
  return fflush(stdout) == 0 ? code : 1;
}

Call *linreg_bind(const Model *model, const char *bundle, int64_t batch, char *error) {
  Call *call = model == NULL ? NULL : (Call *)calloc(1, sizeof *call);
  if (call == NULL) failed(error, model == NULL ? "the model is closed" : "no memory");
  else if (bench_inputs(bundle, batch, &call->inputs, error) && bound_open(&call->bound, model, &call->inputs, error))
    return call;
  linreg_unbind(call);
  return NULL;
}

bool linreg_call(Call *call) { return bound_call(&call->bound); }

void linreg_unbind(Call *call) {
  if (call == NULL) return;
  if (call->bound.model != NULL) bound_close(&call->bound);
  tensor_list_free(&call->inputs);
  free(call);
}

int linreg_bench(const char *runtime, const char *version, int64_t batch, size_t blocks, BenchBlock block,
                 void *context) {
  const int code = bench_print_blocks(runtime, version, batch, blocks, block, context);
  return fflush(stdout) == 0 ? code : 1;
}
