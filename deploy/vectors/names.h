/* The names of a model's columns, from its metadata: a JSON array of strings, alone or as a member of an object.
 *
 *     if (!names_parse(json, NULL, &names, error)) ..            ["bill_length_mm", "bill_depth_mm"]
 *     if (!names_parse(json, "features", &names, error)) ..      {"features": [..], ..}; no such member: no names
 */
#ifndef LINREG_NAMES_H
#define LINREG_NAMES_H

#include "tensor.h"

/* Texts one after another, each ended by a zero; names_free gives the memory back. */
typedef struct {
  size_t count;
  size_t *starts;
  char *texts;
  size_t used;
} Names;

static inline void names_free(Names *names) {
  free(names->starts);
  free(names->texts);
  memset(names, 0, sizeof *names);
}

static inline const char *names_at(const Names *names, size_t index) { return names->texts + names->starts[index]; }

static inline const char *json_space(const char *next) { return next + strspn(next, " \t\r\n"); }

/* Four hexadecimal digits; -1 where they are none. */
static inline int32_t json_hexadecimal(const char *next) {
  int32_t value = 0;
  for (int digit = 0; digit < 4; digit++) {
    const char *all = "0123456789abcdef0123456789ABCDEF";
    const char *found = next[digit] != '\0' ? strchr(all, next[digit]) : NULL;
    if (found == NULL) return -1;
    value = value * 16 + (int32_t)((found - all) % 16);
  }
  return value;
}

/* Write a code point as UTF-8; how many bytes. */
static inline size_t json_utf8(uint32_t code, char *text) {
  const size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  const uint32_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t index = count - 1; index > 0; index--, code >>= 6) text[index] = (char)(0x80 | (code & 0x3f));
  text[0] = (char)(marks[count] | code);
  return count;
}

/* What stands after the backslash; NULL where it is no escape. At most 4 bytes are written, fewer than are read. */
static inline const char *json_escape(const char *next, char *text, size_t *used) {
  const char *plain = "\"\\/bfnrt", *meant = "\"\\/\b\f\n\r\t";
  const char *found = *next != '\0' ? strchr(plain, *next) : NULL;
  if (found != NULL) {
    text[(*used)++] = meant[found - plain];
    return next + 1;
  }
  if (*next != 'u') return NULL;
  int32_t code = json_hexadecimal(next + 1);
  next += code > 0 ? 5 : 0;
  if (code >= 0xd800 && code < 0xdc00) { /* the first half of a pair */
    const int32_t second = next[0] == '\\' && next[1] == 'u' ? json_hexadecimal(next + 2) : -1;
    if (second < 0xdc00 || second > 0xdfff) return NULL;
    code = 0x10000 + (code - 0xd800) * 0x400 + (second - 0xdc00);
    next += 6;
  } else if (code <= 0 || (code >= 0xdc00 && code < 0xe000)) {
    return NULL;
  }
  *used += json_utf8((uint32_t)code, text + *used);
  return next;
}

/* A string into text, which must hold as many bytes as are left to read; what stands after it, or NULL. */
static inline const char *json_string(const char *next, char *text, size_t *used) {
  if (*next++ != '"') return NULL;
  while (*next != '"') {
    if ((unsigned char)*next < 0x20) return NULL;
    if (*next == '\\') {
      next = json_escape(next + 1, text, used);
      if (next == NULL) return NULL;
    } else {
      text[(*used)++] = *next++;
    }
  }
  text[(*used)++] = '\0';
  return next + 1;
}

/* What stands after a value of any kind, its brackets only counted; NULL where it does not end. */
static inline const char *json_skip(const char *next, char *scratch) {
  size_t depth = 0;
  do {
    next = json_space(next);
    size_t used = 0;
    if (*next == '\0') return NULL;
    if (*next == '"') {
      next = json_string(next, scratch, &used);
      if (next == NULL) return NULL;
      continue;
    }
    if (*next == '[' || *next == '{') depth++;
    if ((*next == ']' || *next == '}') && depth-- == 0) return NULL;
    next++;
  } while (depth > 0 || strchr(",]}", *json_space(next)) == NULL);
  return next;
}

/* The value of a member of an object: "" where there is no such member, NULL where it is no object. */
static inline const char *json_member(const char *next, const char *key, char *scratch) {
  next = json_space(next);
  if (*next++ != '{') return NULL;
  if (*json_space(next) == '}') return "";
  for (;;) {
    size_t used = 0;
    next = json_string(json_space(next), scratch, &used);
    if (next == NULL) return NULL;
    const bool found = strcmp(scratch, key) == 0;
    next = json_space(next);
    if (*next++ != ':') return NULL;
    if (found) return next;
    next = json_skip(next, scratch);
    if (next == NULL) return NULL;
    next = json_space(next);
    if (*next == '}') return "";
    if (*next++ != ',') return NULL;
  }
}

/* The strings of an array, ended by its bracket. */
static inline bool names_array(const char *next, Names *names) {
  next = json_space(next);
  if (*next++ != '[') return false;
  for (;;) {
    names->starts[names->count] = names->used;
    next = json_string(json_space(next), names->texts, &names->used);
    if (next == NULL) return false;
    names->count++;
    next = json_space(next);
    if (*next == ']') return true;
    if (*next++ != ',') return false;
  }
}

static inline bool names_parse(const char *json, const char *key, Names *names, char *error) {
  const size_t size = strlen(json) + 1; /* no text in it is longer, and it has fewer texts than bytes */
  memset(names, 0, sizeof *names);
  names->texts = (char *)malloc(size);
  names->starts = (size_t *)calloc(size, sizeof *names->starts);
  bool good = names->texts != NULL && names->starts != NULL;
  const char *array = good && key != NULL ? json_member(json, key, names->texts) : json;
  good = good && array != NULL;
  if (good && *array == '\0') return true;
  if (good && names_array(array, names)) return true;
  names_free(names);
  return failed(error, "its metadata does not name its columns as a JSON array of strings; export it with linreg");
}

#endif
