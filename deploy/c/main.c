/* Run model.onnx without Python: predict, verify, bench. See README.md. */
#include "bench.h"
#include "model.h"

static const char *const USAGE =
    "usage: linreg-c predict MODEL.onnx < rows.csv > predictions.csv\n"
    "       linreg-c verify BUNDLE\n"
    "       linreg-c bench BUNDLE BATCH [BLOCKS]\n"
    "ORT_LIB names another libonnxruntime.so than the one found when this was built.\n";

static int print_error(const char *error) {
  fprintf(stderr, "error: %s\n", error);
  return 1;
}

static int predict(Model *model, char *error) {
  PredictModel columns;
  const bool good = model_columns(model, &columns, error);
  const int code = good ? predict_stream(stdin, stdout, &columns, model_run, model) : print_error(error);
  names_free(&columns.names);
  return code;
}

static int bench(Model *model, const char *bundle, int64_t batch, int64_t blocks, char *error) {
  TensorList inputs;
  BoundCall bound;
  if (!bench_inputs(bundle, batch, &inputs, error)) return print_error(error);
  const bool good = bound_open(&bound, model, &inputs, error);
  int code = 1;
  if (good) code = bench_print("c", model->version, batch, (size_t)blocks, bound_call, &bound);
  else print_error(error);
  bound_close(&bound);
  tensor_list_free(&inputs);
  return code;
}

int main(int count, char **words) {
  const char *command = count > 1 ? words[1] : "";
  const bool predicts = strcmp(command, "predict") == 0 && count == 3;
  const bool verifies = strcmp(command, "verify") == 0 && count == 3;
  int64_t batch = 0, blocks = 100;
  bool benches = strcmp(command, "bench") == 0 && (count == 4 || count == 5);
  benches = benches && bench_number(words[3], &batch) && (count == 4 || bench_number(words[4], &blocks));
  if (!predicts && !verifies && !benches) {
    fputs(USAGE, stderr);
    return 2;
  }
  char path[PATH_BYTES], error[ERROR_BYTES] = "";
  const int length = snprintf(path, sizeof path, predicts ? "%s" : "%s/model.onnx", words[2]);
  if (length >= (int)sizeof path) return print_error("the path is too long");
  Model model;
  memset(&model, 0, sizeof model);
  if (!predicts && !vectors_no_link(path, false, error)) return print_error(error);
  const char *chosen = getenv("ORT_LIB");
  const bool good = model_open(&model, chosen != NULL ? chosen : ORT_LIB_DEFAULT, path, error);
  int code = good ? 0 : print_error(error);
  if (good && predicts) code = predict(&model, error);
  if (good && verifies) code = vectors_verify("c", words[2], model_run, &model);
  if (good && benches) code = bench(&model, words[2], batch, blocks, error);
  model_close(&model);
  return code;
}
