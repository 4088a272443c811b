/* Find the columns of a model in the first record of a CSV, which is a header or a row of numbers.
 *
 * It is a header where a cell is no number, or where every name of the model stands in it: names may look like numbers,
 * as 2010 and 2011 do. What could be either is refused, since a header taken for a row is a wrong answer.
 */
#ifndef LINREG_COLUMNS_H
#define LINREG_COLUMNS_H

#include "cells.h"
#include "csv.h"
#include "names.h"

/* Where the features stand in a record. All zero at the start. */
typedef struct {
  bool header;  /* whether the first record is one */
  size_t cells; /* of a record */
  size_t count; /* of the features */
  size_t places[CSV_MAX_COLUMNS];
  bool taken[CSV_MAX_COLUMNS];
  double numbers[CSV_MAX_COLUMNS]; /* of the first record, where all of its cells are numbers */
} Columns;

/* How many cells have this name; *place is the last of them. */
static inline size_t columns_with_name(const Csv *csv, const char *name, size_t *place) {
  size_t found = 0;
  for (size_t cell = 0; cell < csv->cells; cell++) {
    if (!cell_same_name(csv_cell(csv, cell), name)) continue;
    *place = cell;
    found++;
  }
  return found;
}

/* The features in a header, by name. */
static inline bool columns_by_name(const Csv *csv, const Names *names, Columns *columns, char *error) {
  for (size_t index = 0; index < names->count; index++) {
    const char *name = names_at(names, index);
    size_t place = 0;
    const size_t found = columns_with_name(csv, name, &place);
    if (found == 0) return failed(error, "has no column '%.100s', but '%.40s', ..", name, csv_cell(csv, 0));
    if (found > 1) return failed(error, "has %" PRIuPTR " columns '%.100s', expected one", found, name);
    if (columns->taken[place]) return failed(error, "the model has two features '%.100s'; export it again", name);
    columns->taken[place] = true;
    columns->places[index] = place;
  }
  return true;
}

/* A row of numbers in which a name stands, as text or as a number of its value: rather a header that lacks a column. */
static inline bool columns_seem_named(const Csv *csv, const Names *names, const Columns *columns, char *error) {
  for (size_t index = 0; index < names->count; index++) {
    double wanted = 0;
    if (!cell_number(names_at(names, index), &wanted)) continue;
    for (size_t cell = 0; cell < csv->cells; cell++) {
      if (columns->numbers[cell] != wanted) continue;
      failed(error, "the first row may be names or numbers: it has '%.40s', a column of the model's, but not all of "
             "them; add a header that names every column", csv_cell(csv, cell));
      return true;
    }
  }
  return false;
}

/* A header for a model without names: no cell of it may be a number, or a number that is missing. */
static inline bool columns_unnamed_header(const Csv *csv, char *error) {
  double ignored = 0;
  for (size_t cell = 0; cell < csv->cells; cell++) {
    const char *text = csv_cell(csv, cell);
    if (!cell_number(text, &ignored) && !cell_misses_number(text)) continue;
    return failed(error, "the first row, column %" PRIuPTR ": got '%.40s', expected only names, or only finite numbers",
                  cell + 1, text);
  }
  return true;
}

/* Find the features; without a header, or without names, they are taken in order. `features` of 0: as many as cells. */
static inline bool columns_find(const Csv *csv, const Names *names, size_t features, Columns *columns, char *error) {
  size_t numbers = 0, named = 0, place = 0;
  while (numbers < csv->cells && cell_number(csv_cell(csv, numbers), &columns->numbers[numbers])) numbers++;
  const bool all_numbers = numbers == csv->cells;
  while (all_numbers && named < names->count && columns_with_name(csv, names_at(names, named), &place) > 0) named++;
  columns->cells = csv->cells;
  columns->count = features > 0 ? features : csv->cells;
  columns->header = !all_numbers || (named > 0 && named == names->count);
  if (columns->header && names->count > 0) return columns_by_name(csv, names, columns, error);
  if (columns->header && !columns_unnamed_header(csv, error)) return false;
  if (!columns->header && columns_seem_named(csv, names, columns, error)) return false;
  for (size_t index = 0; index < csv->cells; index++) columns->places[index] = index;
  if (csv->cells == columns->count) return true;
  return failed(error, "the first row has %" PRIuPTR " cells, expected %" PRIuPTR, csv->cells, columns->count);
}

#endif
