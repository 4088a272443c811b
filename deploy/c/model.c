#include "model.h"

#include <dlfcn.h>

/* Whether a function of ONNX Runtime did its work; what it says otherwise goes into error. */
static bool done(const Model *model, OrtStatus *status, char *error) {
  if (status == NULL) return true;
  failed(error, "onnxruntime: %.400s", model->api->GetErrorMessage(status));
  model->api->ReleaseStatus(status);
  return false;
}

static bool open_library(Model *model, const char *library_path, char *error) {
  OrtGetApiBaseFunction get_base = NULL;
  model->library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
  if (model->library == NULL) return failed(error, "%.400s; set ORT_LIB to a libonnxruntime.so", dlerror());
  *(void **)(&get_base) = dlsym(model->library, "OrtGetApiBase"); /* as POSIX says: ISO C has no cast for it */
  if (get_base == NULL) return failed(error, "%.300s: has no OrtGetApiBase; set ORT_LIB", library_path);
  model->version = get_base()->GetVersionString();
  model->api = get_base()->GetApi(ORT_MIN_VERSION);
  if (model->api == NULL) return failed(error, "%.300s: onnxruntime %.20s is too old", library_path, model->version);
  return true;
}

static bool read_names(Model *model, char *error) {
  const OrtApi *api = model->api;
  size_t inputs = 0, outputs = 0;
  if (!done(model, api->SessionGetInputCount(model->session, &inputs), error)) return false;
  if (!done(model, api->SessionGetOutputCount(model->session, &outputs), error)) return false;
  if (inputs > VECTORS_MAX_TENSORS || outputs > VECTORS_MAX_TENSORS) return failed(error, "too many inputs or outputs");
  for (; model->input_count < inputs; model->input_count++) {
    char **name = &model->input_names[model->input_count];
    const size_t index = model->input_count;
    if (!done(model, api->SessionGetInputName(model->session, index, model->allocator, name), error)) return false;
  }
  for (; model->output_count < outputs; model->output_count++) {
    char **name = &model->output_names[model->output_count];
    const size_t index = model->output_count;
    if (!done(model, api->SessionGetOutputName(model->session, index, model->allocator, name), error)) return false;
  }
  return true;
}

bool model_open(Model *model, const char *library_path, const char *path, char *error) {
  char reason[ERROR_BYTES] = "";
  if (!open_library(model, library_path, error)) return false;
  const OrtApi *api = model->api;
  const bool good =
      done(model, api->CreateEnv(ORT_LOG_FATAL, "linreg", &model->env), reason) &&
      done(model, api->CreateSessionOptions(&model->options), reason) &&
      done(model, api->SetSessionLogSeverityLevel(model->options, ORT_LOG_FATAL), reason) &&
      done(model, api->SetIntraOpNumThreads(model->options, 1), reason) &&
      done(model, api->SetInterOpNumThreads(model->options, 1), reason) &&
      done(model, api->CreateCpuMemoryInfo(ORT_DEVICE_ALLOCATOR, ORT_MEM_DEFAULT, &model->memory), reason) &&
      done(model, api->GetAllocatorWithDefaultOptions(&model->allocator), reason) &&
      done(model, api->CreateSession(model->env, path, model->options, &model->session), reason) &&
      read_names(model, reason);
  return good ? true : failed(error, "%.150s: %.330s", path, reason);
}

/* Give memory of ONNX Runtime's back; there is nothing to do about a failure. */
static void free_text(const Model *model, char *text) {
  OrtStatus *status = text != NULL ? model->api->AllocatorFree(model->allocator, text) : NULL;
  if (status != NULL) model->api->ReleaseStatus(status);
}

void model_close(Model *model) {
  const OrtApi *api = model->api;
  if (api != NULL) {
    for (size_t index = 0; index < model->input_count; index++) free_text(model, model->input_names[index]);
    for (size_t index = 0; index < model->output_count; index++) free_text(model, model->output_names[index]);
    if (model->session != NULL) api->ReleaseSession(model->session);
    if (model->memory != NULL) api->ReleaseMemoryInfo(model->memory);
    if (model->options != NULL) api->ReleaseSessionOptions(model->options);
    if (model->env != NULL) api->ReleaseEnv(model->env);
  }
  memset(model, 0, sizeof *model); /* the library stays: it has threads and handlers of its own */
}

static bool read_input_type(const Model *model, PredictModel *columns, char *error) {
  const OrtApi *api = model->api;
  OrtTypeInfo *type_info = NULL;
  const OrtTensorTypeAndShapeInfo *info = NULL; /* belongs to type_info */
  size_t rank = 0;
  int type = 0;
  int64_t dims[2] = {0, 0};
  bool good = done(model, api->SessionGetInputTypeInfo(model->session, 0, &type_info), error) &&
              done(model, api->CastTypeInfoToTensorInfo(type_info, &info), error);
  if (good && info == NULL) good = failed(error, "its input is no tensor");
  good = good && done(model, api->GetTensorElementType(info, &type), error) &&
         done(model, api->GetDimensionsCount(info, &rank), error);
  if (good && rank != 2) good = failed(error, "its input has %zu axes, expected (batch, features)", rank);
  good = good && done(model, api->GetDimensions(info, dims, 2), error);
  columns->type = type;
  columns->features = dims[1] > 0 ? (size_t)dims[1] : 0;
  columns->batch = dims[0] > 0 && dims[0] <= 1 << 20 ? (size_t)dims[0] : (size_t)PREDICT_BATCH;
  if (type_info != NULL) api->ReleaseTypeInfo(type_info);
  return good;
}

bool model_columns(const Model *model, PredictModel *columns, char *error) {
  const OrtApi *api = model->api;
  OrtModelMetadata *metadata = NULL;
  char *json = NULL;
  memset(columns, 0, sizeof *columns);
  if (model->input_count != 1 || model->output_count != 1) {
    return failed(error, "it has %zu inputs and %zu outputs, expected one", model->input_count, model->output_count);
  }
  bool good = read_input_type(model, columns, error) &&
              done(model, api->SessionGetModelMetadata(model->session, &metadata), error);
  good = good && done(model, api->ModelMetadataLookupCustomMetadataMap(metadata, model->allocator, "linreg.features",
                                                                       &json), error);
  if (good && json != NULL) good = names_parse(json, NULL, &columns->names, error);
  free_text(model, json);
  if (metadata != NULL) api->ReleaseModelMetadata(metadata);
  return good;
}

static bool make_inputs(const Model *model, const Tensor *inputs, size_t count, OrtValue **values, char *error) {
  if (count != model->input_count) return failed(error, "has %zu inputs, the model %zu", count, model->input_count);
  for (size_t index = 0; index < count; index++) {
    const Tensor *tensor = &inputs[index];
    OrtStatus *status = model->api->CreateTensorWithDataAsOrtValue(model->memory, tensor->data, tensor->bytes,
                                                                   tensor->dims, tensor->rank, tensor->type,
                                                                   &values[index]);
    if (!done(model, status, error)) return false;
  }
  return true;
}

static OrtStatus *call(const Model *model, OrtValue *const *inputs, OrtValue **outputs) {
  return model->api->Run(model->session, NULL, (const char *const *)model->input_names, (const OrtValue *const *)inputs,
                         model->input_count, (const char *const *)model->output_names, model->output_count, outputs);
}

static void free_values(const Model *model, OrtValue **values) {
  for (size_t index = 0; index < VECTORS_MAX_TENSORS; index++) {
    if (values[index] != NULL) model->api->ReleaseValue(values[index]);
    values[index] = NULL;
  }
}

static bool copy_output(const Model *model, OrtValue *value, Tensor *output, char *error) {
  const OrtApi *api = model->api;
  OrtTensorTypeAndShapeInfo *info = NULL;
  int64_t dims[TENSOR_MAX_RANK] = {0};
  size_t rank = 0;
  int type = 0;
  void *data = NULL;
  bool good = done(model, api->GetTensorTypeAndShape(value, &info), error) &&
              done(model, api->GetTensorElementType(info, &type), error) &&
              done(model, api->GetDimensionsCount(info, &rank), error);
  if (good && rank > TENSOR_MAX_RANK) good = failed(error, "its output has %zu axes, more than supported", rank);
  good = good && done(model, api->GetDimensions(info, dims, rank), error) &&
         tensor_allocate(output, type, rank, dims, error) &&
         done(model, api->GetTensorMutableData(value, &data), error);
  if (good && output->bytes > 0) memcpy(output->data, data, output->bytes);
  if (info != NULL) api->ReleaseTensorTypeAndShapeInfo(info);
  return good;
}

bool model_run(void *context, const Tensor *inputs, size_t input_count, Tensor *outputs, size_t output_count,
               char *error) {
  const Model *model = (const Model *)context;
  OrtValue *in[VECTORS_MAX_TENSORS] = {NULL}, *out[VECTORS_MAX_TENSORS] = {NULL};
  if (output_count != model->output_count) {
    return failed(error, "has %zu outputs, the model %zu", output_count, model->output_count);
  }
  bool good = make_inputs(model, inputs, input_count, in, error) && done(model, call(model, in, out), error);
  for (size_t index = 0; good && index < output_count; index++) {
    good = copy_output(model, out[index], &outputs[index], error);
  }
  free_values(model, in);
  free_values(model, out);
  return good;
}

bool bound_open(BoundCall *bound, const Model *model, const TensorList *inputs, char *error) {
  memset(bound, 0, sizeof *bound);
  bound->model = model;
  return make_inputs(model, inputs->tensors, inputs->count, bound->inputs, error) &&
         done(model, call(model, bound->inputs, bound->outputs), error);
}

bool bound_call(void *context) {
  BoundCall *bound = (BoundCall *)context;
  OrtStatus *status = call(bound->model, bound->inputs, bound->outputs);
  if (status != NULL) bound->model->api->ReleaseStatus(status);
  return status == NULL;
}

void bound_close(BoundCall *bound) {
  free_values(bound->model, bound->inputs);
  free_values(bound->model, bound->outputs);
}
