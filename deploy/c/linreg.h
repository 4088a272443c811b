/* liblinreg.so: model.onnx for programs in any language that can call C.
 *
 * Handles are opaque, and a Tensor is plain fields. A function that can fail takes `error`, a buffer of ERROR_BYTES,
 * and writes one line there. Threads may share a Model and call linreg_run at once; all else belongs to one thread.
 */
#ifndef LINREG_LINREG_H
#define LINREG_LINREG_H

#include "bench.h"
#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINREG_API __attribute__((visibility("default")))

/* Load a model. ORT_LIB in the environment names another libonnxruntime.so than the one found when this was built.
 * NULL on failure; linreg_close takes NULL. */
LINREG_API Model *linreg_open(const char *path, char *error);
LINREG_API void linreg_close(Model *model);

/* Load model.onnx of a bundle; a link in its place is refused. */
LINREG_API Model *linreg_open_bundle(const char *bundle, char *error);

/* The version of ONNX Runtime, and the number of outputs; of NULL, which a closed model is elsewhere, none. */
LINREG_API const char *linreg_version(const Model *model);
LINREG_API size_t linreg_output_count(const Model *model);

/* Run the model. The caller gives zeroed outputs, and frees each with linreg_free_tensor, after a failure too. */
LINREG_API bool linreg_run(const Model *model, const Tensor *inputs, size_t input_count, Tensor *outputs,
                           size_t output_count, char *error);

/* Give a tensor its type, its shape and zeroed memory in `data`; linreg_free_tensor gives the memory back. */
LINREG_API bool linreg_allocate_tensor(Tensor *tensor, int32_t type, size_t rank, const int64_t *dims, char *error);
LINREG_API void linreg_free_tensor(Tensor *tensor);

/* Run all test vectors of a bundle through a callback of the caller's language and print the verdict; the exit code.
 * The callback fills outputs with linreg_allocate_tensor, or writes one line into `error` and returns false. */
LINREG_API int linreg_verify(const char *runtime, const char *bundle, VectorsRun run, void *context);

/* One call on inputs that are bound already: those of the bundle's first vectors of that batch size. NULL on
 * failure. */
typedef struct Call Call;
LINREG_API Call *linreg_bind(const Model *model, const char *bundle, int64_t batch, char *error);
LINREG_API bool linreg_call(Call *call);
LINREG_API void linreg_unbind(Call *call);

/* Time blocks of calls and print one JSON line; the exit code. The callback makes `calls` calls in its own language and
 * returns the nanoseconds they took, or -1 if one failed. */
LINREG_API int linreg_bench(const char *runtime, const char *version, int64_t batch, size_t blocks, BenchBlock block,
                            void *context);

#ifdef __cplusplus
}
#endif
#endif
