/* What a cell of a CSV holds, and the name of a column: a text with white space around it or not.
 *
 * White space is that of JavaScript's trim, so that every program in deploy/ reads a cell alike.
 */
#ifndef LINREG_CELLS_H
#define LINREG_CELLS_H

#include "tensor.h"

/* How many bytes of white space stand here: one sign of it, or 0. The text is UTF-8. */
static inline size_t cell_space(const char *text) {
  const unsigned char *sign = (const unsigned char *)text;
  if (sign[0] == ' ' || (sign[0] >= '\t' && sign[0] <= '\r')) return 1;
  if (sign[0] == 0xc2) return sign[1] == 0xa0 ? 2 : 0;
  if (sign[0] < 0xe1) return 0;
  static const char *const wide[] = {
      "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
      "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
      "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf"};
  for (size_t place = 0; place < sizeof wide / sizeof *wide; place++) {
    if (strncmp(text, wide[place], 3) == 0) return 3; /* stops at the end of the text */
  }
  return 0;
}

static inline const char *cell_skip_space(const char *text) {
  for (size_t count = cell_space(text); count > 0; count = cell_space(text)) text += count;
  return text;
}

/* How long a text is without the white space at its end. */
static inline size_t cell_length(const char *text) {
  size_t length = 0;
  for (size_t place = 0; text[place] != '\0';) {
    const size_t space = cell_space(text + place);
    place += space > 0 ? space : 1;
    if (space == 0) length = place;
  }
  return length;
}

/* Equal but for the white space around them. */
static inline bool cell_same_name(const char *cell, const char *name) {
  cell = cell_skip_space(cell);
  name = cell_skip_space(name);
  if (*cell != *name) return false;
  const size_t length = cell_length(name);
  return cell_length(cell) == length && memcmp(cell, name, length) == 0;
}

/* Where a decimal number ends: no hexadecimal, no words, no separators. NULL where none stands here. */
static inline const char *cell_number_end(const char *next) {
  const char *digits = "0123456789";
  next += *next == '+' || *next == '-';
  const size_t whole = strspn(next, digits);
  next += whole;
  const size_t part = *next == '.' ? strspn(next + 1, digits) : 0;
  next += *next == '.' ? 1 + part : 0;
  if (whole + part == 0) return NULL;
  if (*next == 'e' || *next == 'E') {
    next += 1;
    next += *next == '+' || *next == '-';
    const size_t exponent = strspn(next, digits);
    if (exponent == 0) return NULL;
    next += exponent;
  }
  return *cell_skip_space(next) == '\0' ? next : NULL;
}

/* A finite decimal number. */
static inline bool cell_number(const char *text, double *value) {
  const char *start = cell_skip_space(text), *wanted = cell_number_end(start);
  char *end = NULL;
  if (wanted == NULL) return false;
  *value = strtod(start, &end);
  return end == wanted && isfinite(*value); /* with a locale of decimal commas it ends before the point */
}

/* Equal but for the case of ASCII; the word is in lower case. */
static inline bool cell_same_word(const char *text, size_t length, const char *word) {
  if (strlen(word) != length) return false;
  for (size_t place = 0; place < length; place++) {
    const char sign = text[place];
    if ((sign >= 'A' && sign <= 'Z' ? sign - 'A' + 'a' : sign) != word[place]) return false;
  }
  return true;
}

/* Whether a number is missing here, or is beyond a double: what stands in a row of numbers, and is no name. */
static inline bool cell_misses_number(const char *text) {
  static const char *const words[] = {"", "na", "n/a", "#n/a", "nan", "null", "none", "inf", "infinity"};
  double ignored = 0;
  const char *start = cell_skip_space(text);
  if (cell_number_end(start) != NULL) return !cell_number(start, &ignored);
  start += *start == '+' || *start == '-';
  const size_t length = cell_length(start);
  for (size_t word = 0; word < sizeof words / sizeof *words; word++) {
    if (cell_same_word(start, length, words[word])) return true;
  }
  return false;
}

#endif
