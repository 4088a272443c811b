#include "model.hpp"

#include "bench.h"

#include <ATen/Parallel.h>
#include <torch/script.h>
#include <torch/version.h>

#include <exception>
#include <unordered_map>
#include <vector>

struct Model {
  torch::jit::Module module;
  std::string metadata;  // linreg.json in the archive; empty where there is none
};

namespace {

// Inputs that stay bound over many calls.
struct BoundCall {
  torch::jit::Module &module;
  std::vector<c10::IValue> arguments;
};

// By ONNX's number; Undefined for what torch has no type for.
at::ScalarType torch_type(int32_t type) {
  switch (type) {
    case TENSOR_FLOAT32: return at::kFloat;
    case TENSOR_FLOAT64: return at::kDouble;
    case TENSOR_FLOAT16: return at::kHalf;
    case TENSOR_INT8: return at::kChar;
    case TENSOR_UINT8: return at::kByte;
    case TENSOR_INT16: return at::kShort;
    case TENSOR_INT32: return at::kInt;
    case TENSOR_INT64: return at::kLong;
    case TENSOR_BOOL: return at::kBool;
    default: return at::ScalarType::Undefined;
  }
}

// ONNX's number; 0 for a type that vectors do not have.
int32_t onnx_type(at::ScalarType type) {
  for (int32_t number = TENSOR_FLOAT32; number <= TENSOR_UINT64; number++) {
    if (type != at::ScalarType::Undefined && torch_type(number) == type) return number;
  }
  return 0;
}

// The tensor's own memory, not a copy.
c10::IValue argument(const Tensor &tensor) {
  const at::ScalarType type = torch_type(tensor.type);
  TORCH_CHECK(type != at::ScalarType::Undefined, "torch has no element type for ONNX's number ", tensor.type);
  return at::from_blob(tensor.data, at::IntArrayRef(tensor.dims, tensor.rank), at::TensorOptions().dtype(type));
}

std::vector<c10::IValue> arguments(const Tensor *inputs, size_t count) {
  std::vector<c10::IValue> values;
  values.reserve(count);
  for (size_t index = 0; index < count; index++) values.push_back(argument(inputs[index]));
  return values;
}

// Tensors in the order of export/source/signature.py: those of tuples, lists and dicts where they stand.
void flatten(const c10::IValue &value, std::vector<at::Tensor> &into) {
  if (value.isTensor()) {
    into.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const auto &part : value.toTuple()->elements()) flatten(part, into);
  } else if (value.isList()) {
    for (const auto &part : value.toListRef()) flatten(part, into);
  } else if (value.isGenericDict()) {
    for (const auto &entry : value.toGenericDict()) flatten(entry.value(), into);
  } else {
    TORCH_CHECK(false, "an output is ", value.tagKind(), ", expected tensors");
  }
}

bool copy_output(const at::Tensor &tensor, Tensor *output, char *error) {
  const at::Tensor whole = tensor.contiguous();
  const auto rank = static_cast<size_t>(whole.dim());
  if (!tensor_allocate(output, onnx_type(whole.scalar_type()), rank, whole.sizes().data(), error)) return false;
  if (output->bytes > 0) std::memcpy(output->data, whole.const_data_ptr(), output->bytes);
  return true;
}

// A BenchCall; the context is a BoundCall.
bool bound_call(void *context) {
  auto *bound = static_cast<BoundCall *>(context);
  try {
    return !bound->module.forward(bound->arguments).isNone();
  } catch (const std::exception &) {
    return false;
  }
}

// The first line of what a library threw.
std::string first_line(const std::exception &thrown) {
  const auto *torch_error = dynamic_cast<const c10::Error *>(&thrown);
  const std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : thrown.what();
  // TorchScript's interpreter tells where before it tells what.
  const size_t start = text.find("RuntimeError: ");
  const size_t begin = start == std::string::npos ? 0 : start;
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

void CloseModel::operator()(Model *model) const { delete model; }

OpenModel model_open(const std::string &path, char *error) {
  try {
    at::set_num_threads(1);
    at::set_num_interop_threads(1);
    std::unordered_map<std::string, std::string> extra{{"linreg.json", ""}};
    OpenModel model(new Model{torch::jit::load(path, at::kCPU, extra), ""});
    model->metadata = extra["linreg.json"];
    model->module.eval();
    return model;
  } catch (const std::exception &thrown) {
    failed(error, "%.200s: torch cannot load it: %.250s", path.c_str(), first_line(thrown).c_str());
    return nullptr;
  }
}

bool model_columns(const Model &model, PredictModel *columns, char *error) {
  *columns = PredictModel{TENSOR_FLOAT32, 0, PREDICT_BATCH, {0, nullptr, nullptr, 0}};
  for (const at::Tensor &parameter : model.module.parameters()) columns->type = onnx_type(parameter.scalar_type());
  if (model.metadata.empty()) return true;
  if (!names_parse(model.metadata.c_str(), "features", &columns->names, error)) return false;
  columns->features = columns->names.count;
  return true;
}

bool model_run(void *context, const Tensor *inputs, size_t input_count, Tensor *outputs, size_t output_count,
               char *error) {
  try {
    const c10::InferenceMode guard;
    std::vector<at::Tensor> answers;
    flatten(static_cast<Model *>(context)->module.forward(arguments(inputs, input_count)), answers);
    if (answers.size() != output_count) {
      return failed(error, "has %zu outputs, the model gives %zu", output_count, answers.size());
    }
    for (size_t index = 0; index < output_count; index++) {
      if (!copy_output(answers[index], &outputs[index], error)) return false;
    }
    return true;
  } catch (const std::exception &thrown) {
    return failed(error, "torch: %.400s", first_line(thrown).c_str());
  }
}

int model_bench(Model &model, const char *bundle, int64_t batch, int64_t blocks) {
  char error[ERROR_BYTES] = "";
  TensorList inputs;
  if (!bench_inputs(bundle, batch, &inputs, error)) {
    std::fprintf(stderr, "error: %s\n", error);
    return 1;
  }
  int code = 1;
  try {
    const c10::InferenceMode guard;
    BoundCall bound{model.module, arguments(inputs.tensors, inputs.count)};
    code = bench_print("libtorch", TORCH_VERSION, batch, static_cast<size_t>(blocks), bound_call, &bound);
  } catch (const std::exception &thrown) {
    std::fprintf(stderr, "error: torch: %s\n", first_line(thrown).c_str());
  }
  tensor_list_free(&inputs);
  return code;
}
