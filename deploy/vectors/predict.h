/* Predict the rows of a CSV stream with the callback of vectors.h: one line a row, its outputs separated by commas.
 *
 * A first row that is not all numbers is a header. Where the model names its columns they are found in it by name, and
 * others are passed over; else columns are taken in order. A number is read as float64 and then rounded to the model's
 * type, as in Python, and is written with as many digits as bring back its bits.
 */
#ifndef LINREG_PREDICT_H
#define LINREG_PREDICT_H

#include "csv.h"
#include "names.h"
#include "vectors.h"

enum { PREDICT_BATCH = 1024 };

typedef struct {
  int32_t type;    /* of the input: TENSOR_FLOAT32 or TENSOR_FLOAT64 */
  size_t features; /* 0: as many as the first row has */
  size_t batch;    /* rows a call: the model's own where it is fixed, else PREDICT_BATCH */
  Names names;     /* none, or one a feature */
} PredictModel;

/* Where the features stand in a record. */
typedef struct {
  size_t cells; /* of a record */
  size_t count;
  size_t places[CSV_MAX_COLUMNS];
} PredictColumns;

/* A finite decimal number with spaces around it or not: no hexadecimal, no words. */
static inline bool predict_number(const char *text, double *value) {
  const char *digits = "0123456789", *next = text + strspn(text, " \t");
  next += *next == '+' || *next == '-';
  const size_t whole = strspn(next, digits);
  next += whole;
  const size_t part = *next == '.' ? strspn(next + 1, digits) : 0;
  next += *next == '.' ? 1 + part : 0;
  if (whole + part == 0) return false;
  if (*next == 'e' || *next == 'E') {
    next += 1;
    next += *next == '+' || *next == '-';
    const size_t exponent = strspn(next, digits);
    if (exponent == 0) return false;
    next += exponent;
  }
  *value = strtod(text, NULL);
  return next[strspn(next, " \t")] == '\0' && isfinite(*value);
}

/* Equal but for the spaces around the cell. */
static inline bool predict_same_name(const char *cell, const char *name) {
  const size_t length = strlen(name);
  cell += strspn(cell, " \t");
  return strncmp(cell, name, length) == 0 && cell[length + strspn(cell + length, " \t")] == '\0';
}

/* Find the columns from the first record; *header is whether it is one. */
static inline bool predict_find_columns(const Csv *csv, const PredictModel *model, PredictColumns *columns,
                                        bool *header, char *error) {
  double ignored = 0;
  *header = false;
  for (size_t cell = 0; cell < csv->cells; cell++) *header = *header || !predict_number(csv_cell(csv, cell), &ignored);
  columns->cells = csv->cells;
  columns->count = model->features > 0 ? model->features : csv->cells;
  if (!*header || model->names.count == 0) {
    for (size_t index = 0; index < csv->cells; index++) columns->places[index] = index;
    if (csv->cells == columns->count) return true;
    return failed(error, "the first row has %zu cells, expected %zu", csv->cells, columns->count);
  }
  for (size_t index = 0; index < columns->count; index++) {
    const char *name = names_at(&model->names, index);
    size_t found = 0;
    for (size_t cell = 0; cell < csv->cells; cell++) {
      if (!predict_same_name(csv_cell(csv, cell), name)) continue;
      columns->places[index] = cell;
      found++;
    }
    if (found == 0) return failed(error, "has no column '%.100s', but '%.40s', ..", name, csv_cell(csv, 0));
    if (found > 1) return failed(error, "has %zu columns '%.100s', expected one", found, name);
  }
  return true;
}

/* Put a record into a row of the input. */
static inline bool predict_fill(const Csv *csv, const PredictModel *model, const PredictColumns *columns, size_t row,
                                Tensor *input, size_t place, char *error) {
  if (csv->cells != columns->cells) {
    return failed(error, "row %zu has %zu cells, expected %zu", row, csv->cells, columns->cells);
  }
  for (size_t index = 0; index < columns->count; index++) {
    const char *cell = csv_cell(csv, columns->places[index]);
    double value = 0;
    if (!predict_number(cell, &value)) {
      const char *name = model->names.count > 0 ? names_at(&model->names, index) : "";
      return failed(error, "row %zu, column %zu '%.100s': got '%.40s', expected a finite number", row,
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
    const double value = tensor_number(output, index);
    if (isnan(value)) fputs("nan", out); /* printf shows its sign */
    else fprintf(out, "%.*g", digits, value);
    fputc((index + 1) % columns == 0 ? '\n' : ',', out);
  }
}

/* Run the first `rows` rows of the input, and print. */
static inline bool predict_rows(FILE *out, const PredictModel *model, size_t features, Tensor *input, size_t rows,
                                VectorsRun run, void *context, char *error) {
  Tensor output;
  memset(&output, 0, sizeof output);
  if (rows == 0) return true;
  if (rows != model->batch && model->batch != PREDICT_BATCH) {
    return failed(error, "the model takes %zu rows a call, and %zu are left over", model->batch, rows);
  }
  input->dims[0] = (int64_t)rows;
  input->count = rows * features;
  input->bytes = input->count * tensor_item_bytes(input->type);
  bool good = run(context, input, 1, &output, 1, error);
  if (good && (output.rank == 0 || output.dims[0] != (int64_t)rows)) {
    good = failed(error, "the model does not give one row for each of %zu rows", rows);
  }
  if (good) predict_print(out, &output);
  tensor_free(&output);
  return good;
}

/* Read, run and print until the end of the stream. */
static inline bool predict_all(Csv *csv, FILE *out, const PredictModel *model, PredictColumns *columns, Tensor *input,
                               VectorsRun run, void *context, char *error) {
  bool header = false;
  size_t row = 0, filled = 0;
  int more = csv_next(csv, error);
  if (more == 0) return failed(error, "is empty, expected rows of numbers");
  if (more < 0 || !predict_find_columns(csv, model, columns, &header, error)) return false;
  const int64_t dims[2] = {(int64_t)model->batch, (int64_t)columns->count};
  if (!tensor_allocate(input, model->type, 2, dims, error)) return false;
  if (header) more = csv_next(csv, error);
  for (; more > 0; more = csv_next(csv, error)) {
    if (!predict_fill(csv, model, columns, ++row, input, filled++, error)) return false;
    if (filled < model->batch) continue;
    if (!predict_rows(out, model, columns->count, input, filled, run, context, error)) return false;
    filled = 0;
  }
  if (more < 0) {
    char reason[ERROR_BYTES];
    memcpy(reason, error, sizeof reason);
    return failed(error, "row %zu: %.400s", row + 1, reason);
  }
  return predict_rows(out, model, columns->count, input, filled, run, context, error);
}

/* The exit code. */
static inline int predict_stream(FILE *in, FILE *out, const PredictModel *model, VectorsRun run, void *context) {
  char error[ERROR_BYTES] = "";
  Tensor input;
  memset(&input, 0, sizeof input);
  Csv *csv = (Csv *)calloc(1, sizeof *csv);
  PredictColumns *columns = (PredictColumns *)calloc(1, sizeof *columns);
  bool good = csv != NULL && columns != NULL ? true : failed(error, "no memory");
  if (good && model->type != TENSOR_FLOAT32 && model->type != TENSOR_FLOAT64) {
    good = failed(error, "the model takes type %d, expected float32 or float64", (int)model->type);
  }
  if (good && model->names.count > 0 && model->names.count != model->features) {
    good = failed(error, "the model takes %zu features and names %zu", model->features, model->names.count);
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
