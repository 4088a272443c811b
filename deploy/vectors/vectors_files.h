/* Find the test vectors of a bundle.
 *
 * Where there is no POSIX there are no folders to list: test_data_set_0, 1, .. are tried until one is missing, and so
 * are the files in it. Count the cases that were run.
 */
#ifndef LINREG_VECTORS_FILES_H
#define LINREG_VECTORS_FILES_H

#include "tensor.h"

enum { VECTORS_MAX_CASES = 4096, VECTORS_NAME_BYTES = 64, PATH_BYTES = 4096 };

typedef struct {
  size_t count;
  char names[VECTORS_MAX_CASES][VECTORS_NAME_BYTES];
} CaseNames;

#if TENSOR_POSIX

#include <dirent.h>

/* See that a file or folder of a bundle is what it is called, and no link to another. */
static inline bool vectors_no_link(const char *path, bool folder, char *error) {
  struct stat status;
  if (lstat(path, &status) != 0) return failed(error, "%.300s: %s", path, strerror(errno));
  if (folder ? S_ISDIR(status.st_mode) : S_ISREG(status.st_mode)) return true;
  return failed(error, "%.300s: is a link or no %s; copy what linreg exported", path, folder ? "folder" : "file");
}

static inline int vectors_compare_names(const void *one, const void *other) {
  const char *left = (const char *)one, *right = (const char *)other;
  const size_t left_length = strlen(left), right_length = strlen(right);
  if (left_length != right_length) return left_length < right_length ? -1 : 1;
  return strcmp(left, right);
}

/* The folders test_data_set_N of a bundle, in order. */
static inline bool vectors_find_cases(const char *bundle, CaseNames *cases, char *error) {
  DIR *folder = opendir(bundle);
  cases->count = 0;
  if (folder == NULL) return failed(error, "%.300s: %s; name the folder of a bundle", bundle, strerror(errno));
  bool good = true;
  for (struct dirent *entry = readdir(folder); good && entry != NULL; entry = readdir(folder)) {
    const size_t length = strlen(entry->d_name);
    if (strncmp(entry->d_name, "test_data_set_", 14) != 0) continue;
    good = length > 14 && length < VECTORS_NAME_BYTES && cases->count < VECTORS_MAX_CASES;
    good = good && strspn(entry->d_name + 14, "0123456789") == length - 14;
    if (good) memcpy(cases->names[cases->count++], entry->d_name, length + 1);
  }
  closedir(folder);
  if (!good) {
    return failed(error, "%.300s: has too many test vectors, or one whose name is not test_data_set_NUMBER", bundle);
  }
  qsort(cases->names, cases->count, VECTORS_NAME_BYTES, vectors_compare_names);
  return true;
}

/* How many files PREFIX_*.pb a case has: what stands between is counted too, so that a file that is gone is missed. */
static inline size_t vectors_count_files(const char *place, const char *prefix) {
  DIR *folder = opendir(place);
  size_t count = 0;
  if (folder == NULL) return 0;
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    const size_t length = strlen(entry->d_name), start = strlen(prefix);
    if (length < start + 3) continue;
    count += strncmp(entry->d_name, prefix, start) == 0 && strcmp(entry->d_name + length - 3, ".pb") == 0;
  }
  closedir(folder);
  return count;
}

#else

static inline bool vectors_no_link(const char *path, bool folder, char *error) {
  (void)path;
  (void)folder;
  (void)error;
  return true;
}

static inline size_t vectors_count_files(const char *place, const char *prefix) {
  char path[PATH_BYTES];
  for (size_t count = 0;; count++) {
    const int length = snprintf(path, sizeof path, "%s/%s%" PRIuPTR ".pb", place, prefix, count);
    FILE *file = length > 0 && length < (int)sizeof path ? tensor_open(path) : NULL;
    if (file == NULL) return count;
    fclose(file);
  }
}

static inline bool vectors_find_cases(const char *bundle, CaseNames *cases, char *error) {
  char place[PATH_BYTES];
  cases->count = 0;
  for (; cases->count < VECTORS_MAX_CASES; cases->count++) {
    char *name = cases->names[cases->count];
    snprintf(name, VECTORS_NAME_BYTES, "test_data_set_%" PRIuPTR, cases->count);
    const int length = snprintf(place, sizeof place, "%s/%s", bundle, name);
    if (length < 0 || length >= (int)sizeof place) return failed(error, "the bundle's path is too long");
    if (vectors_count_files(place, "input_") == 0) break;
  }
  return true;
}

#endif

#endif
