/* Run the test vectors of a bundle and judge the answers by the rule of export/bundle/vectors.py.
 *
 * A program gives one callback. It gives each output its type and shape with tensor_allocate(&outputs[index], ..), and
 * its numbers in .data; the caller frees. To refuse, it ends with: return failed(error, "one line", ..). It must refuse
 * where the model has another number of inputs or outputs than it is asked for.
 *
 *     static bool run(void *context, const Tensor *inputs, size_t input_count,
 *                     Tensor *outputs, size_t output_count, char *error);
 *
 *     return vectors_verify("c", bundle, run, &model);     (the exit code: 0, or 1 on any failure and on zero cases)
 *
 * The files may be hostile: see tensor.h. Header only, C11 and C++17, POSIX, link with -lm.
 */
#ifndef LINREG_VECTORS_H
#define LINREG_VECTORS_H

#include "vectors_files.h"

enum { VECTORS_MAX_TENSORS = 64 };

typedef bool (*VectorsRun)(void *context, const Tensor *inputs, size_t input_count, Tensor *outputs,
                           size_t output_count, char *error);

typedef struct {
  size_t count;
  Tensor tensors[VECTORS_MAX_TENSORS];
} TensorList;

static inline void tensor_list_free(TensorList *list) {
  for (size_t index = 0; index < list->count; index++) tensor_free(&list->tensors[index]);
  list->count = 0;
}

/* Read the first `count` files of a kind; what was read before a failure is freed. */
static inline bool vectors_read_list(const char *place, const char *prefix, size_t count, TensorList *list,
                                     char *error) {
  char path[PATH_BYTES];
  list->count = 0;
  if (count == 0) return failed(error, "has no %s0.pb; export again", prefix);
  if (count > VECTORS_MAX_TENSORS) {
    return failed(error, "has %" PRIuPTR " files %s*.pb, more than supported", count, prefix);
  }
  for (size_t index = 0; index < count; index++) {
    const int length = snprintf(path, sizeof path, "%s/%s%" PRIuPTR ".pb", place, prefix, index);
    bool good = length > 0 && length < (int)sizeof path;
    good = good ? tensor_read(path, &list->tensors[index], error) : failed(error, "its path is too long");
    if (!good) {
      tensor_list_free(list);
      return false;
    }
    list->count = index + 1;
  }
  return true;
}

static inline bool vectors_same_shape(const Tensor *one, const Tensor *other) {
  if (one->rank != other->rank) return false;
  return memcmp(one->dims, other->dims, one->rank * sizeof one->dims[0]) == 0;
}

/* The error of one floating answer in units of what is allowed; more than 1 is a failure. */
static inline double vectors_ratio(double got, double wanted, double allowed) {
  if (isinf(allowed)) return 0.0;
  const bool same_class = got == wanted || (isnan(got) && isnan(wanted));
  if (!isfinite(got) || !isfinite(wanted)) return same_class ? 0.0 : (double)INFINITY;
  const double error = fabs(got - wanted);
  return error == 0.0 ? 0.0 : error / allowed;
}

/* A NaN is a NaN: which of its bits are set depends on the processor. */
static inline bool vectors_both_nan(const Tensor *got, const Tensor *wanted, size_t index) {
  return isnan(tensor_number(got, index)) && isnan(tensor_number(wanted, index));
}

/* What is known after some cases. */
typedef struct {
  size_t cases, failures;
  double worst; /* in units of what is allowed */
  bool bit_equal; /* but for the bits of a NaN */
} VectorsTally;

/* Judge one output; a failure is one line on stdout. */
static inline bool vectors_judge(const char *name, size_t output, const Tensor *got, const Tensor *wanted,
                                 const Tensor *allowed, VectorsTally *tally) {
  if (got->type != wanted->type || !vectors_same_shape(got, wanted)) {
    char got_shape[200], wanted_shape[200];
    tensor_shape_text(got, got_shape, sizeof got_shape);
    tensor_shape_text(wanted, wanted_shape, sizeof wanted_shape);
    printf("failed: %s: output %" PRIuPTR ": got type %d of shape %s, expected type %d of shape %s\n", name, output,
           (int)got->type, got_shape, (int)wanted->type, wanted_shape);
    return false;
  }
  const size_t item = tensor_item_bytes(wanted->type);
  const char *got_bytes = (const char *)got->data, *wanted_bytes = (const char *)wanted->data;
  const bool floating = tensor_is_floating(wanted);
  size_t worst_index = 0;
  double worst = 0.0;
  for (size_t index = 0; index < wanted->count; index++) {
    const bool same = memcmp(got_bytes + index * item, wanted_bytes + index * item, item) == 0;
    const double bound = ((const double *)allowed->data)[index];
    double ratio = same ? 0.0 : (double)INFINITY;
    if (floating) ratio = vectors_ratio(tensor_number(got, index), tensor_number(wanted, index), bound);
    if (!(bound >= 0.0)) ratio = (double)INFINITY; /* a damaged bound allows nothing */
    if (!same && !(floating && vectors_both_nan(got, wanted, index))) tally->bit_equal = false;
    if (ratio > worst) {
      worst = ratio;
      worst_index = index;
    }
  }
  if (worst > tally->worst) tally->worst = worst;
  if (worst <= 1.0) return true;
  const size_t row_items = wanted->rank > 0 && wanted->dims[0] > 0 ? wanted->count / (size_t)wanted->dims[0] : 1;
  printf("failed: %s: output %" PRIuPTR ", row %" PRIuPTR ", column %" PRIuPTR
         ": got %.17g, expected %.17g, allowed %.3g\n",
         name, output, worst_index / row_items, worst_index % row_items, tensor_number(got, worst_index),
         tensor_number(wanted, worst_index), ((const double *)allowed->data)[worst_index]);
  return false;
}

/* Run one case that was read; the outputs are judged even after one of them failed. */
static inline bool vectors_run_case(const char *name, const TensorList *inputs, const TensorList *wanted,
                                    const TensorList *allowed, VectorsRun run, void *context, VectorsTally *tally,
                                    char *error) {
  TensorList got;
  for (size_t index = 0; index < wanted->count; index++) {
    const Tensor *bound = &allowed->tensors[index];
    if (bound->type != TENSOR_FLOAT64 || !vectors_same_shape(bound, &wanted->tensors[index])) {
      return failed(error, "allowed_%" PRIuPTR ".pb is not float64 of the shape of output_%" PRIuPTR ".pb; export again",
                    index, index);
    }
  }
  memset(&got, 0, sizeof got);
  got.count = wanted->count;
  bool good = run(context, inputs->tensors, inputs->count, got.tensors, got.count, error);
  bool equal = good;
  for (size_t index = 0; good && index < wanted->count; index++) {
    const Tensor *bound = &allowed->tensors[index];
    equal = vectors_judge(name, index, &got.tensors[index], &wanted->tensors[index], bound, tally) && equal;
  }
  tensor_list_free(&got);
  if (good && !equal) error[0] = '\0'; /* it has been told */
  return equal;
}

/* Read, run and judge one case. */
static inline bool vectors_check_case(const char *bundle, const char *name, VectorsRun run, void *context,
                                      VectorsTally *tally, char *error) {
  char place[PATH_BYTES];
  TensorList inputs, wanted, allowed;
  memset(&inputs, 0, sizeof inputs);
  memset(&wanted, 0, sizeof wanted);
  memset(&allowed, 0, sizeof allowed);
  const int length = snprintf(place, sizeof place, "%s/%s", bundle, name);
  bool good = length > 0 && length < (int)sizeof place ? true : failed(error, "its path is too long");
  good = good && vectors_no_link(place, true, error);
  const size_t outputs = good ? vectors_count_files(place, "output_") : 0;
  good = good && vectors_read_list(place, "input_", vectors_count_files(place, "input_"), &inputs, error);
  good = good && vectors_read_list(place, "output_", outputs, &wanted, error);
  good = good && vectors_read_list(place, "allowed_", outputs, &allowed, error);
  good = good && vectors_run_case(name, &inputs, &wanted, &allowed, run, context, tally, error);
  tensor_list_free(&inputs);
  tensor_list_free(&wanted);
  tensor_list_free(&allowed);
  return good;
}

/* Run all vectors of a bundle; the exit code. */
static inline int vectors_verify(const char *runtime, const char *bundle, VectorsRun run, void *context) {
  char error[ERROR_BYTES] = "";
  VectorsTally tally = {0, 0, 0.0, true};
  CaseNames *cases = (CaseNames *)malloc(sizeof *cases);
  if (cases == NULL || !vectors_find_cases(bundle, cases, error)) {
    fprintf(stderr, "error: %s\n", cases == NULL ? "no memory" : error);
    free(cases);
    return 1;
  }
  for (size_t index = 0; index < cases->count; index++) {
    tally.cases++;
    error[0] = '\0';
    if (vectors_check_case(bundle, cases->names[index], run, context, &tally, error)) continue;
    tally.failures++;
    tally.bit_equal = false;
    if (tally.worst <= 1.0) tally.worst = (double)INFINITY; /* it was not a number that failed */
    if (error[0] != '\0') printf("failed: %s: %s\n", cases->names[index], error);
  }
  free(cases);
  if (tally.bit_equal && tally.cases > 0) printf("%s: %" PRIuPTR " cases, bit-equal\n", runtime, tally.cases);
  else printf("%s: %" PRIuPTR " cases, worst error %.3g of what is allowed\n", runtime, tally.cases, tally.worst);
  printf("%" PRIuPTR " passed, %" PRIuPTR " failed\n", tally.cases - tally.failures, tally.failures);
  return tally.cases > 0 && tally.failures == 0 ? 0 : 1;
}

#endif
