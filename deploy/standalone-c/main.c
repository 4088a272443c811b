/* The model of model.c, compiled in: predict, verify, bench. See README.md. */
#include "predict.h"
#if TENSOR_POSIX
#include "bench.h"
#endif

#include "model_call.h"

static const char *const NAME = "standalone-c";
static const char *const USAGE =
    "usage: linreg-standalone-c predict < rows.csv > predictions.csv\n"
    "       linreg-standalone-c verify BUNDLE\n"
#if TENSOR_POSIX /* there is a clock */
    "       linreg-standalone-c bench BUNDLE BATCH [BLOCKS]\n"
#endif
    ;

static int print_usage(void) {
  fputs(USAGE, stderr);
  return 2;
}

static int print_error(const char *error) {
  fprintf(stderr, "error: %s\n", error);
  return 1;
}

/* A VectorsRun; there is no context, the model is a function. */
static bool run(void *context, const Tensor *inputs, size_t input_count, Tensor *outputs, size_t output_count,
                char *error) {
  (void)context;
  if (!model_prepare(inputs, input_count, outputs, output_count, error)) return false;
  model_call(inputs, outputs);
  return true;
}

/* The names that the header gives, where it gives any. */
static bool find_names(Names *names, char *error) {
#ifdef LINREG_FEATURE_NAMES
  static const char *const texts[LINREG_FEATURES] = LINREG_FEATURE_NAMES;
  size_t bytes = 0;
  for (size_t index = 0; index < LINREG_FEATURES; index++) bytes += strlen(texts[index]) + 1;
  names->texts = (char *)malloc(bytes);
  names->starts = (size_t *)calloc(LINREG_FEATURES, sizeof *names->starts);
  if (names->texts == NULL || names->starts == NULL) return failed(error, "no memory");
  for (; names->count < LINREG_FEATURES; names->count++) {
    const size_t size = strlen(texts[names->count]) + 1;
    memcpy(names->texts + names->used, texts[names->count], size);
    names->starts[names->count] = names->used;
    names->used += size;
  }
#else
  (void)names;
  (void)error;
#endif
  return true;
}

static int predict(char *error) {
  PredictModel model;
  memset(&model, 0, sizeof model);
  model.type = MODEL_TYPE;
  model.features = LINREG_FEATURES;
  model.batch = PREDICT_BATCH;
  const bool good = find_names(&model.names, error);
  const int code = good ? predict_stream(stdin, stdout, &model, run, NULL) : print_error(error);
  names_free(&model.names);
  return code;
}

/* A text file with a zero at its end; NULL where it cannot be read. */
static char *read_text(const char *path) {
  FILE *file = tensor_open(path);
  if (file == NULL) return NULL;
  const long bytes = tensor_file_bytes(file);
  char *text = bytes >= 0 && bytes < 1 << 26 ? (char *)calloc((size_t)bytes + 1, 1) : NULL;
  if (text != NULL) text[fread(text, 1, (size_t)bytes, file)] = '\0';
  fclose(file);
  return text;
}

/* Whether the bundle is of the weights that are compiled in: a bound over many rows cannot see one bit of them. */
static bool same_weights(const char *bundle, char *error) {
  char path[PATH_BYTES];
  const char *wanted = "\"" LINREG_STATE_SHA256 "\"";
  const int length = snprintf(path, sizeof path, "%s/manifest.json", bundle);
  char *text = length < (int)sizeof path ? read_text(path) : NULL;
  char *scratch = text != NULL ? (char *)malloc(strlen(text) + 1) : NULL;
  const char *found = scratch != NULL ? json_member(text, "state_sha256", scratch) : NULL;
  const bool same = found != NULL && strncmp(json_space(found), wanted, strlen(wanted)) == 0;
  free(scratch);
  free(text);
  if (found == NULL) return failed(error, "%.300s: has no readable manifest.json; name the folder of a bundle", bundle);
  if (!same) return failed(error, "%.300s: is of other weights than %.12s.., which are compiled in; build again", bundle,
                           LINREG_STATE_SHA256);
  return true;
}

#if TENSOR_POSIX

/* What stays the same over all calls. */
typedef struct {
  const Tensor *inputs;
  Tensor *outputs;
} BoundCall;

static bool bound_call(void *context) {
  const BoundCall *bound = (const BoundCall *)context;
  model_call(bound->inputs, bound->outputs);
  return true;
}

static int bench(const char *bundle, int64_t batch, int64_t blocks, char *error) {
#ifdef __VERSION__
  const char *compiler = __VERSION__;
#else
  const char *compiler = "unknown compiler";
#endif
  TensorList inputs;
  Tensor output;
  memset(&output, 0, sizeof output);
  if (!bench_inputs(bundle, batch, &inputs, error)) return print_error(error);
  int code = 1;
  if (run(NULL, inputs.tensors, inputs.count, &output, 1, error)) {
    BoundCall bound = {inputs.tensors, &output};
    code = bench_print(NAME, compiler, batch, (size_t)blocks, bound_call, &bound);
  } else {
    print_error(error);
  }
  tensor_free(&output);
  tensor_list_free(&inputs);
  return code;
}

static int bench_command(int count, char **words, char *error) {
  int64_t batch = 0, blocks = 100;
  const bool fits = count == 4 || count == 5;
  if (fits && bench_number(words[3], &batch) && (count == 4 || bench_number(words[4], &blocks))) {
    return same_weights(words[2], error) ? bench(words[2], batch, blocks, error) : print_error(error);
  }
  return print_usage();
}

#endif

int main(int count, char **words) {
  char error[ERROR_BYTES] = "";
  const char *command = count > 1 ? words[1] : "";
  if (strcmp(command, "predict") == 0 && count == 2) return predict(error);
  if (strcmp(command, "verify") == 0 && count == 3) {
    return same_weights(words[2], error) ? vectors_verify(NAME, words[2], run, NULL) : print_error(error);
  }
#if TENSOR_POSIX
  if (strcmp(command, "bench") == 0) return bench_command(count, words, error);
#endif
  return print_usage();
}
