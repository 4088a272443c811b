/* CSV as a stream of UTF-8, memory for one record only: quotes, any end of line, a byte order mark, empty lines passed
 * over. A line of two quotes is no empty line: it has one cell. */
#ifndef LINREG_CSV_H
#define LINREG_CSV_H

#include "tensor.h"

enum { CSV_MAX_COLUMNS = 10000, CSV_MAX_RECORD_BYTES = 1 << 20 };

/* All zero but the file at the start; csv_free gives the memory back. */
typedef struct {
  FILE *file;
  char *text; /* the cells of the record one after another, each ended by a zero */
  size_t used, capacity;
  size_t cells;
  size_t starts[CSV_MAX_COLUMNS];
  int pushed[3]; /* read already, to be read again, the last one first */
  size_t pushed_count;
  bool begun;
  bool quoted; /* whether the record has quotes */
} Csv;

static inline void csv_free(Csv *csv) {
  free(csv->text);
  csv->text = NULL;
}

static inline const char *csv_cell(const Csv *csv, size_t index) { return csv->text + csv->starts[index]; }

static inline bool csv_put(Csv *csv, char sign, char *error) {
  if (csv->used == csv->capacity) {
    const size_t wanted = csv->capacity > 0 ? csv->capacity * 2 : 4096;
    char *larger = wanted <= CSV_MAX_RECORD_BYTES ? (char *)realloc(csv->text, wanted) : NULL;
    if (larger == NULL) {
      return failed(error, "a row has more than %" PRIuPTR " bytes; is a quote not closed?", csv->capacity);
    }
    csv->text = larger;
    csv->capacity = wanted;
  }
  csv->text[csv->used++] = sign;
  return true;
}

static inline int csv_raw(Csv *csv) {
  return csv->pushed_count > 0 ? csv->pushed[--csv->pushed_count] : getc_unlocked(csv->file);
}

/* The next sign; CRLF is one end of a line, and so is CR alone. */
static inline int csv_get(Csv *csv) {
  const int sign = csv_raw(csv);
  if (sign != '\r') return sign;
  const int second = csv_raw(csv);
  if (second != '\n') csv->pushed[csv->pushed_count++] = second;
  return '\n';
}

/* Skip a byte order mark at the start of the stream. */
static inline void csv_begin(Csv *csv) {
  const int mark[3] = {0xef, 0xbb, 0xbf};
  int signs[3] = {0, 0, 0};
  size_t count = 0;
  if (csv->begun) return;
  csv->begun = true;
  do signs[count] = csv_raw(csv);
  while (signs[count] == mark[count] && ++count < 3);
  if (count == 3) return;
  for (size_t index = count + 1; index > 0; index--) csv->pushed[csv->pushed_count++] = signs[index - 1];
}

static inline bool csv_is_utf8(const char *text) {
  const unsigned char *next = (const unsigned char *)text;
  while (*next != '\0') {
    const unsigned char lead = *next++;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const size_t more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    /* What follows the lead decides against forms that are too long, surrogates and what is beyond U+10FFFF. */
    const unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (*next < least || *next > most) return false;
    for (size_t count = 0; count < more; count++, next++) {
      if ((*next & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

/* Read one cell; *end is what stands after it: a comma, '\n' or EOF. */
static inline bool csv_read_cell(Csv *csv, int *end, char *error) {
  int sign = csv_get(csv);
  if (csv->cells == CSV_MAX_COLUMNS) return failed(error, "a row has more than %d cells", (int)CSV_MAX_COLUMNS);
  csv->starts[csv->cells++] = csv->used;
  if (sign == '"') {
    csv->quoted = true;
    for (sign = csv_raw(csv);; sign = csv_raw(csv)) { /* an end of line in quotes stays as it is */
      if (sign == EOF) return failed(error, "a quote is not closed");
      if (sign == '"') {
        sign = csv_get(csv);
        if (sign != '"') break;
      }
      if (sign == '\0') return failed(error, "it has a zero byte, expected text");
      if (!csv_put(csv, (char)sign, error)) return false;
    }
    if (sign != ',' && sign != '\n' && sign != EOF) return failed(error, "text stands after a closing quote");
  }
  for (; sign != ',' && sign != '\n' && sign != EOF; sign = csv_get(csv)) {
    if (sign == '"') return failed(error, "a quote stands inside a cell");
    if (sign == '\0') return failed(error, "it has a zero byte, expected text");
    if (!csv_put(csv, (char)sign, error)) return false;
  }
  *end = sign;
  if (!csv_put(csv, '\0', error)) return false;
  return csv_is_utf8(csv_cell(csv, csv->cells - 1)) ? true : failed(error, "it is not UTF-8; save it as 'CSV UTF-8'");
}

/* The next record that is no empty line: 1, 0 at the end of the file, -1 with an error. */
static inline int csv_next(Csv *csv, char *error) {
  csv_begin(csv);
  for (;;) {
    int end = ',';
    csv->used = csv->cells = 0;
    csv->quoted = false;
    while (end == ',') {
      if (!csv_read_cell(csv, &end, error)) return -1;
    }
    if (ferror(csv->file)) {
      failed(error, "cannot be read: %s", strerror(errno));
      return -1;
    }
    if (csv->cells > 1 || csv->used > 1 || csv->quoted) return 1;
    if (end == EOF) return 0;
  }
}

#endif
