/* The model of model.c, compiled in: predict, verify, bench. See README.md. */
#include "bench.h"
#include "predict.h"

#include "model.h"

enum { TYPE = sizeof(LINREG_NUMBER) == sizeof(float) ? TENSOR_FLOAT32 : TENSOR_FLOAT64 };

/* The sizes of a tensor; 0 stands for the batch. */
#ifndef LINREG_INPUT_DIMS
#define LINREG_INPUT_DIMS {0, LINREG_FEATURES}
#endif
#ifndef LINREG_OUTPUT_DIMS
#define LINREG_OUTPUT_DIMS {0, LINREG_OUTPUTS}
#endif

static const int64_t INPUT_DIMS[] = LINREG_INPUT_DIMS;
static const int64_t OUTPUT_DIMS[] = LINREG_OUTPUT_DIMS;
enum {
  INPUT_RANK = sizeof INPUT_DIMS / sizeof *INPUT_DIMS,
  OUTPUT_RANK = sizeof OUTPUT_DIMS / sizeof *OUTPUT_DIMS
};

#ifdef LINREG_SCRATCH
static LINREG_NUMBER scratch[LINREG_SCRATCH];
#define PREDICT(batch, input, output) linreg_predict(batch, input, output, scratch)
#else
#define PREDICT(batch, input, output) linreg_predict(batch, input, output)
#endif

static const char *const NAME = "standalone-c";
static const char *const USAGE =
    "usage: linreg-standalone-c predict < rows.csv > predictions.csv\n"
    "       linreg-standalone-c verify BUNDLE\n"
    "       linreg-standalone-c bench BUNDLE BATCH [BLOCKS]\n";

static int print_error(const char *error) {
  fprintf(stderr, "error: %s\n", error);
  return 1;
}

/* A VectorsRun; there is no context, the model is a function. */
static bool run(void *context, const Tensor *inputs, size_t input_count, Tensor *outputs, size_t output_count,
                char *error) {
  (void)context;
  const bool flat = inputs->rank == 2 && inputs->dims[1] == LINREG_FEATURES; /* as predict reads a table */
  const bool shaped = inputs->rank == INPUT_RANK &&
                      memcmp(inputs->dims + 1, INPUT_DIMS + 1, sizeof INPUT_DIMS - sizeof *INPUT_DIMS) == 0;
  const bool fits = input_count == 1 && output_count == 1 && inputs->type == TYPE && (flat || shaped);
  if (!fits) {
    return failed(error, "the model takes one input of type %d and shape (batch, %d), and gives one output", (int)TYPE,
                  LINREG_FEATURES);
  }
  int64_t dims[OUTPUT_RANK];
  memcpy(dims, OUTPUT_DIMS, sizeof dims);
  dims[0] = inputs->dims[0];
  if (!tensor_allocate(outputs, TYPE, OUTPUT_RANK, dims, error)) return false;
  PREDICT((size_t)dims[0], (const LINREG_NUMBER *)inputs->data, (LINREG_NUMBER *)outputs->data);
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
  model.type = TYPE;
  model.features = LINREG_FEATURES;
  model.batch = PREDICT_BATCH;
  const bool good = find_names(&model.names, error);
  const int code = good ? predict_stream(stdin, stdout, &model, run, NULL) : print_error(error);
  names_free(&model.names);
  return code;
}

/* A text file with a zero at its end; NULL where it cannot be read. */
static char *read_text(const char *path) {
  struct stat status;
  FILE *file = tensor_open(path);
  if (file == NULL) return NULL;
  const bool good = fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && status.st_size < 1 << 26;
  char *text = good ? (char *)calloc((size_t)status.st_size + 1, 1) : NULL;
  if (text != NULL) text[fread(text, 1, (size_t)status.st_size, file)] = '\0';
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

/* What stays the same over all calls. */
typedef struct {
  size_t batch;
  const LINREG_NUMBER *input;
  LINREG_NUMBER *output;
} BoundCall;

static bool bound_call(void *context) {
  const BoundCall *bound = (const BoundCall *)context;
  PREDICT(bound->batch, bound->input, bound->output);
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
    BoundCall bound = {(size_t)batch, (const LINREG_NUMBER *)inputs.tensors->data, (LINREG_NUMBER *)output.data};
    code = bench_print(NAME, compiler, batch, (size_t)blocks, bound_call, &bound);
  } else {
    print_error(error);
  }
  tensor_free(&output);
  tensor_list_free(&inputs);
  return code;
}

int main(int count, char **words) {
  char error[ERROR_BYTES] = "";
  const char *command = count > 1 ? words[1] : "";
  int64_t batch = 0, blocks = 100;
  if (strcmp(command, "predict") == 0 && count == 2) return predict(error);
  const bool verifies = strcmp(command, "verify") == 0 && count == 3;
  bool benches = strcmp(command, "bench") == 0 && (count == 4 || count == 5);
  benches = benches && bench_number(words[3], &batch) && (count == 4 || bench_number(words[4], &blocks));
  if (!verifies && !benches) {
    fputs(USAGE, stderr);
    return 2;
  }
  if (!same_weights(words[2], error)) return print_error(error);
  return verifies ? vectors_verify(NAME, words[2], run, NULL) : bench(words[2], batch, blocks, error);
}
