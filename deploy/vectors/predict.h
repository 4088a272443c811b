/* Predict the rows of a CSV stream with the callback of vectors.h: one line a row, its outputs separated by commas.
 *
 * Columns are found by the model's names, whatever their order, or taken in order: columns.h says when. A number is read
 * as float64 and then rounded to the model's type, as in Python, and is written with as many digits as bring back its
 * bits. An answer that is not finite ends it, with its row.
 */
#ifndef LINREG_PREDICT_H
#define LINREG_PREDICT_H

#include "columns.h"
#include "vectors.h"

enum { PREDICT_BATCH = 1024 };

typedef struct {
  int32_t type;    /* of the input: TENSOR_FLOAT32 or TENSOR_FLOAT64 */
  size_t features; /* 0: as many as the first row has */
  size_t batch;    /* rows a call: the model's own where it is fixed, else PREDICT_BATCH */
  Names names;     /* none, or one a feature */
} PredictModel;

/* Put a record into a row of the input. */
static inline bool predict_fill(const Csv *csv, const PredictModel *model, const Columns *columns, size_t row,
                                Tensor *input, size_t place, char *error) {
  if (csv->cells != columns->cells) {
    return failed(error, "row %" PRIuPTR " has %" PRIuPTR " cells, expected %" PRIuPTR, row, csv->cells,
                  columns->cells);
  }
  for (size_t index = 0; index < columns->count; index++) {
    const char *cell = csv_cell(csv, columns->places[index]);
    double value = 0;
    if (!cell_number(cell, &value)) {
      const char *name = model->names.count > 0 ? names_at(&model->names, index) : "";
      return failed(error, "row %" PRIuPTR ", column %" PRIuPTR " '%.100s': got '%.40s', expected a finite number", row,
                    columns->places[index] + 1, name, cell);
    }
    const size_t element = place * columns->count + index;
    if (model->type == TENSOR_FLOAT64) ((double *)input->data)[element] = value;
    else ((float *)input->data)[element] = (float)value;
  }
  return true;
}

static inline void predict_print(FILE *out, const Tensor *output) {
  const size_t columns = output->count / (size_t)output->dims[0];
  const int digits = output->type == TENSOR_FLOAT16 ? 5 : output->type == TENSOR_FLOAT32 ? 9 : 17;
  for (size_t index = 0; index < output->count; index++) {
    fprintf(out, "%.*g", digits, tensor_number(output, index));
    fputc((index + 1) % columns == 0 ? '\n' : ',', out);
  }
}

/* `before` rows stood before those of this output. */
static inline bool predict_check(const Tensor *output, size_t before, char *error) {
  for (size_t index = 0; index < output->count; index++) {
    const double value = tensor_number(output, index);
    if (isfinite(value)) continue;
    const char *text = isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    const size_t row = before + index / (output->count / (size_t)output->dims[0]) + 1;
    return failed(error, "row %" PRIuPTR " gives %s: its values exceed what the model's type holds; leave it out", row,
                  text);
  }
  return true;
}

/* Run the first `rows` rows of the input, and print. */
static inline bool predict_rows(FILE *out, const PredictModel *model, const Columns *columns, Tensor *input, size_t rows,
                                size_t before, VectorsRun run, void *context, char *error) {
  Tensor output;
  memset(&output, 0, sizeof output);
  if (rows == 0) return true;
  if (rows != model->batch && model->batch != PREDICT_BATCH) {
    return failed(error, "the model takes %" PRIuPTR " rows a call, and %" PRIuPTR " are left over", model->batch,
                  rows);
  }
  input->dims[0] = (int64_t)rows;
  input->count = rows * columns->count;
  input->bytes = input->count * tensor_item_bytes(input->type);
  bool good = run(context, input, 1, &output, 1, error);
  if (good && (output.rank == 0 || output.dims[0] != (int64_t)rows)) {
    good = failed(error, "the model does not give one row for each of %" PRIuPTR " rows", rows);
  }
  good = good && predict_check(&output, before, error);
  if (good) predict_print(out, &output);
  tensor_free(&output);
  return good;
}

/* Read, run and print until the end of the stream. */
static inline bool predict_all(Csv *csv, FILE *out, const PredictModel *model, Columns *columns, Tensor *input,
                               VectorsRun run, void *context, char *error) {
  size_t row = 0, filled = 0;
  int more = csv_next(csv, error);
  if (more == 0) return failed(error, "is empty, expected rows of numbers");
  if (more < 0 || !columns_find(csv, &model->names, model->features, columns, error)) return false;
  const int64_t dims[2] = {(int64_t)model->batch, (int64_t)columns->count};
  if (!tensor_allocate(input, model->type, 2, dims, error)) return false;
  if (columns->header) more = csv_next(csv, error);
  for (; more > 0; more = csv_next(csv, error)) {
    if (!predict_fill(csv, model, columns, ++row, input, filled++, error)) return false;
    if (filled < model->batch) continue;
    if (!predict_rows(out, model, columns, input, filled, row - filled, run, context, error)) return false;
    filled = 0;
  }
  if (more < 0) {
    char reason[ERROR_BYTES];
    memcpy(reason, error, sizeof reason);
    return failed(error, "row %" PRIuPTR ": %.400s", row + 1, reason);
  }
  return predict_rows(out, model, columns, input, filled, row - filled, run, context, error);
}

/* The exit code. */
static inline int predict_stream(FILE *in, FILE *out, const PredictModel *model, VectorsRun run, void *context) {
  char error[ERROR_BYTES] = "";
  Tensor input;
  memset(&input, 0, sizeof input);
  Csv *csv = (Csv *)calloc(1, sizeof *csv);
  Columns *columns = (Columns *)calloc(1, sizeof *columns);
  bool good = csv != NULL && columns != NULL ? true : failed(error, "no memory");
  if (good && model->type != TENSOR_FLOAT32 && model->type != TENSOR_FLOAT64) {
    good = failed(error, "the model takes type %d, expected float32 or float64", (int)model->type);
  }
  if (good && model->names.count > 0 && model->names.count != model->features) {
    good = failed(error, "the model takes %" PRIuPTR " features and names %" PRIuPTR, model->features,
                  model->names.count);
  }
  if (good && model->features > CSV_MAX_COLUMNS) good = failed(error, "the model takes too many features");
  if (good) {
    csv->file = in;
    good = predict_all(csv, out, model, columns, &input, run, context, error);
    csv_free(csv);
  }
  if (good && fflush(out) != 0) good = failed(error, "cannot write: %s", strerror(errno));
  if (!good) fprintf(stderr, "error: stdin: %s\n", error);
  tensor_free(&input);
  free(columns);
  free(csv);
  return good ? 0 : 1;
}

#endif
