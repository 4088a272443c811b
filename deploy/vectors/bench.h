/* Time calls as bench/worker/rounds.py does: blocks of about 0.1 ms around one pair of clock readings, 8 untimed calls before.
 *
 *     static bool call(void *context);        (one call on inputs that are bound already; false where it fails)
 *
 *     if (!bench_inputs(bundle, batch, &inputs, error)) ..     (those of the first vectors of that batch; free them)
 *     if (!bench_number(argument, &batch)) ..     (a whole number of the command line)
 *     return bench_print("c", version, batch, blocks, call, &bound);     (the exit code)
 *
 * Where the call is so short that a compiler could drop it, it must be in another translation unit.
 */
#ifndef LINREG_BENCH_H
#define LINREG_BENCH_H

#include "vectors.h"

#include <time.h>

#define BENCH_BLOCK_NS 100000.0
enum { BENCH_WARM_IN_CALLS = 8, BENCH_TRIALS = 5, BENCH_MAX_CALLS = 100000 };

typedef bool (*BenchCall)(void *context);

/* Nanoseconds of a block of calls, in whatever language makes them; -1 where one failed. */
typedef int64_t (*BenchBlock)(void *context, int64_t calls);

/* A whole number from 0 to a million. */
static inline bool bench_number(const char *text, int64_t *value) {
  const size_t length = strlen(text);
  *value = strtoll(text, NULL, 10);
  return length > 0 && length < 8 && strspn(text, "0123456789") == length && *value <= 1000000;
}

/* The inputs of the first case whose first input has that many rows. */
static inline bool bench_inputs(const char *bundle, int64_t batch, TensorList *inputs, char *error) {
  char place[PATH_BYTES];
  CaseNames *cases = (CaseNames *)malloc(sizeof *cases);
  bool found = false, good = cases != NULL ? vectors_find_cases(bundle, cases, error) : failed(error, "no memory");
  inputs->count = 0;
  for (size_t index = 0; good && !found && index < cases->count; index++) {
    tensor_list_free(inputs);
    const int length = snprintf(place, sizeof place, "%s/%s", bundle, cases->names[index]);
    good = length > 0 && length < (int)sizeof place ? true : failed(error, "the bundle's path is too long");
    good = good && vectors_no_link(place, true, error);
    good = good && vectors_read_list(place, "input_", vectors_count_files(place, "input_"), inputs, error);
    found = good && inputs->tensors[0].rank > 0 && inputs->tensors[0].dims[0] == batch;
  }
  free(cases);
  if (good && found) return true;
  tensor_list_free(inputs);
  return good ? failed(error, "%.300s: has no vectors of batch %lld", bundle, (long long)batch) : false;
}

static inline int64_t bench_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A call of C, and a BenchBlock of it. */
typedef struct {
  BenchCall call;
  void *context;
} BenchCalls;

static inline int64_t bench_block(void *context, int64_t calls) {
  const BenchCalls *block = (const BenchCalls *)context;
  bool good = true;
  const int64_t start = bench_now_ns();
  for (int64_t done = 0; done < calls; done++) good &= block->call(block->context);
  const int64_t taken = bench_now_ns() - start;
  return good ? taken : -1;
}

/* The calls that a block takes, from the least of several trials: one preempted trial cannot end it.
 * 0: a call failed. */
static inline int64_t bench_calibrate(BenchBlock block, void *context) {
  int64_t calls = 1;
  if (block(context, BENCH_WARM_IN_CALLS) < 0) return 0;
  for (;;) {
    int64_t least = INT64_MAX;
    for (int trial = 0; trial < BENCH_TRIALS; trial++) {
      const int64_t taken = block(context, calls);
      if (taken < 0) return 0;
      if (taken < least) least = taken;
    }
    if ((double)least >= BENCH_BLOCK_NS || calls >= BENCH_MAX_CALLS) return calls;
    int64_t wanted = least > 0 ? (int64_t)((double)calls * BENCH_BLOCK_NS / (double)least) + 1 : calls * 10;
    if (wanted < calls + 1) wanted = calls + 1;
    if (wanted > calls * 10) wanted = calls * 10;
    calls = wanted > BENCH_MAX_CALLS ? (int64_t)BENCH_MAX_CALLS : wanted;
  }
}

/* Print one JSON line; the exit code. All blocks are timed before any is printed. */
static inline int bench_print_blocks(const char *runtime, const char *version, int64_t batch, size_t blocks,
                                     BenchBlock block, void *context) {
  const int64_t calls = bench_calibrate(block, context);
  int64_t *taken = calls > 0 ? (int64_t *)calloc(blocks + 1, sizeof *taken) : NULL;
  bool good = taken != NULL;
  for (size_t index = 0; good && index < blocks; index++) {
    good = block(context, BENCH_WARM_IN_CALLS) >= 0;
    taken[index] = block(context, calls);
    good = good && taken[index] >= 0;
  }
  if (good) {
    printf("{\"runtime\": \"%s\", \"version\": \"%s\", \"batch\": %lld, \"calls\": %lld, \"block_s\": [", runtime,
           version, (long long)batch, (long long)calls);
    for (size_t index = 0; index < blocks; index++) {
      printf("%s%.9f", index > 0 ? ", " : "", (double)taken[index] * 1e-9);
    }
    printf("]}\n");
  } else {
    fprintf(stderr, "error: a call failed, or there is no memory; run verify\n");
  }
  free(taken);
  return good ? 0 : 1;
}

/* The same for a call of C. */
static inline int bench_print(const char *runtime, const char *version, int64_t batch, size_t blocks, BenchCall call,
                              void *context) {
  BenchCalls calls = {call, context};
  return bench_print_blocks(runtime, version, batch, blocks, bench_block, &calls);
}

#endif
