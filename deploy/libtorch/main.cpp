// Run model.torchscript without Python: predict, verify, bench. See README.md.
#include "bench.h"
#include "model.hpp"

#include <cstdio>

namespace {

constexpr const char *USAGE =
    "usage: linreg-libtorch predict MODEL.torchscript < rows.csv > predictions.csv\n"
    "       linreg-libtorch verify BUNDLE\n"
    "       linreg-libtorch bench BUNDLE BATCH [BLOCKS]\n"
    "A TorchScript file is a program: name only files that you trust.\n";

int predict(Model &model) {
  char error[ERROR_BYTES] = "";
  PredictModel columns;
  const bool good = model_columns(model, &columns, error);
  if (!good) std::fprintf(stderr, "error: %s\n", error);
  const int code = good ? predict_stream(stdin, stdout, &columns, model_run, &model) : 1;
  names_free(&columns.names);
  return code;
}

}  // namespace

int main(int count, char **words) {
  const std::string command = count > 1 ? words[1] : "";
  const bool predicts = command == "predict" && count == 3;
  const bool verifies = command == "verify" && count == 3;
  int64_t batch = 0, blocks = 100;
  bool benches = command == "bench" && (count == 4 || count == 5);
  benches = benches && bench_number(words[3], &batch) && (count == 4 || bench_number(words[4], &blocks));
  if (!predicts && !verifies && !benches) {
    std::fputs(USAGE, stderr);
    return 2;
  }
  char error[ERROR_BYTES] = "";
  const std::string path = predicts ? words[2] : std::string(words[2]) + "/model.torchscript";
  const OpenModel model = predicts || vectors_no_link(path.c_str(), false, error) ? model_open(path, error) : nullptr;
  if (!model) {
    std::fprintf(stderr, "error: %s\n", error);
    return 1;
  }
  if (predicts) return predict(*model);
  return verifies ? vectors_verify("libtorch", words[2], model_run, model.get())
                  : model_bench(*model, words[2], batch, blocks);
}
