/* Run model.onnx without Python: predict, verify, bench. See README.md. */
#include "linreg.h"

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

static bool call(void *context) { return linreg_call((Call *)context); }

static int bench(const Model *model, const char *bundle, int64_t batch, int64_t blocks, char *error) {
  Call *bound = linreg_bind(model, bundle, batch, error);
  if (bound == NULL) return print_error(error);
  const int code = bench_print("c", linreg_version(model), batch, (size_t)blocks, call, bound);
  linreg_unbind(bound);
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
  char error[ERROR_BYTES] = "";
  Model *model = predicts ? linreg_open(words[2], error) : linreg_open_bundle(words[2], error);
  if (model == NULL) return print_error(error);
  int code = 0;
  if (predicts) code = predict(model, error);
  if (verifies) code = linreg_verify("c", words[2], model_run, model);
  if (benches) code = bench(model, words[2], batch, blocks, error);
  linreg_close(model);
  return code;
}
