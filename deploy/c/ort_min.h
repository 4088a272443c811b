/* The slots of ONNX Runtime's C API that a program needs to load a model, ask for its names and run it.
 *
 * OrtApi is a table of functions that only ever grows at its end: slots 0 to 101 are version 1, 102 to 118, with the
 * metadata, version 2, and ONNX Runtime's own source asserts that neither moves. So this part can be declared without
 * its header, which no wheel and no Debian package has, and serves old and new libraries alike. Ask for it with
 * GetApi(ORT_MIN_VERSION). Slots that are not used are arrays of pointers named by their numbers.
 *
 * Every function that gives an OrtStatus * gives NULL where it did its work. C11 and C++17. Not for Windows, where the
 * functions are __stdcall and paths are wchar_t.
 */
#ifndef LINREG_ORT_MIN_H
#define LINREG_ORT_MIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORT_MIN_VERSION = 2 };
enum { ORT_LOG_FATAL = 4 };                             /* OrtLoggingLevel */
enum { ORT_DEVICE_ALLOCATOR = 0, ORT_MEM_DEFAULT = 0 }; /* OrtAllocatorType, OrtMemType */

typedef struct OrtAllocator OrtAllocator;
typedef struct OrtEnv OrtEnv;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtModelMetadata OrtModelMetadata;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtStatus OrtStatus;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtValue OrtValue;

typedef void (*OrtUnused)(void);

/* Types of elements are ONNX's numbers. Names that are given out are freed with AllocatorFree. */
typedef struct OrtApi {
  OrtUnused slots_0_to_1[2];
  const char *(*GetErrorMessage)(const OrtStatus *status);
  OrtStatus *(*CreateEnv)(int logging_level, const char *log_id, OrtEnv **out);
  OrtUnused slots_4_to_6[3];
  OrtStatus *(*CreateSession)(const OrtEnv *env, const char *path, const OrtSessionOptions *options, OrtSession **out);
  OrtUnused slot_8[1];
  OrtStatus *(*Run)(OrtSession *session, const OrtRunOptions *options, const char *const *input_names,
                    const OrtValue *const *inputs, size_t input_count, const char *const *output_names,
                    size_t output_count, OrtValue **outputs);
  OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **out);
  OrtUnused slots_11_to_21[11];
  OrtStatus *(*SetSessionLogSeverityLevel)(OrtSessionOptions *options, int level);
  OrtUnused slot_23[1];
  OrtStatus *(*SetIntraOpNumThreads)(OrtSessionOptions *options, int threads);
  OrtStatus *(*SetInterOpNumThreads)(OrtSessionOptions *options, int threads);
  OrtUnused slots_26_to_29[4];
  OrtStatus *(*SessionGetInputCount)(const OrtSession *session, size_t *out);
  OrtStatus *(*SessionGetOutputCount)(const OrtSession *session, size_t *out);
  OrtUnused slot_32[1];
  OrtStatus *(*SessionGetInputTypeInfo)(const OrtSession *session, size_t index, OrtTypeInfo **out);
  OrtUnused slots_34_to_35[2];
  OrtStatus *(*SessionGetInputName)(const OrtSession *session, size_t index, OrtAllocator *allocator, char **out);
  OrtStatus *(*SessionGetOutputName)(const OrtSession *session, size_t index, OrtAllocator *allocator, char **out);
  OrtUnused slots_38_to_48[11];
  /* The data stays the caller's, and must outlive the value. */
  OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *info, void *data, size_t bytes, const int64_t *dims,
                                               size_t rank, int type, OrtValue **out);
  OrtUnused slot_50[1];
  OrtStatus *(*GetTensorMutableData)(OrtValue *value, void **out);
  OrtUnused slots_52_to_54[3];
  /* Gives NULL for what is no tensor; what it gives lives as long as type_info. */
  OrtStatus *(*CastTypeInfoToTensorInfo)(const OrtTypeInfo *type_info, const OrtTensorTypeAndShapeInfo **out);
  OrtUnused slots_56_to_59[4];
  OrtStatus *(*GetTensorElementType)(const OrtTensorTypeAndShapeInfo *info, int *out);
  OrtStatus *(*GetDimensionsCount)(const OrtTensorTypeAndShapeInfo *info, size_t *out);
  OrtStatus *(*GetDimensions)(const OrtTensorTypeAndShapeInfo *info, int64_t *dims, size_t rank);
  OrtUnused slots_63_to_64[2];
  OrtStatus *(*GetTensorTypeAndShape)(const OrtValue *value, OrtTensorTypeAndShapeInfo **out);
  OrtUnused slots_66_to_68[3];
  OrtStatus *(*CreateCpuMemoryInfo)(int allocator_type, int memory_type, OrtMemoryInfo **out);
  OrtUnused slots_70_to_75[6];
  OrtStatus *(*AllocatorFree)(OrtAllocator *allocator, void *memory);
  OrtUnused slot_77[1];
  OrtStatus *(*GetAllocatorWithDefaultOptions)(OrtAllocator **out); /* not to be released */
  OrtUnused slots_79_to_91[13];
  void (*ReleaseEnv)(OrtEnv *env);
  void (*ReleaseStatus)(OrtStatus *status);
  void (*ReleaseMemoryInfo)(OrtMemoryInfo *info);
  void (*ReleaseSession)(OrtSession *session);
  void (*ReleaseValue)(OrtValue *value);
  OrtUnused slot_97[1];
  void (*ReleaseTypeInfo)(OrtTypeInfo *info);
  void (*ReleaseTensorTypeAndShapeInfo)(OrtTensorTypeAndShapeInfo *info);
  void (*ReleaseSessionOptions)(OrtSessionOptions *options);
  OrtUnused slot_101[1]; /* the end of version 1 */
  OrtUnused slots_102_to_110[9];
  OrtStatus *(*SessionGetModelMetadata)(const OrtSession *session, OrtModelMetadata **out);
  OrtUnused slots_112_to_115[4];
  OrtStatus *(*ModelMetadataLookupCustomMetadataMap)(const OrtModelMetadata *metadata, OrtAllocator *allocator,
                                                     const char *key, char **out); /* NULL where there is no such key */
  OrtUnused slot_117[1];
  void (*ReleaseModelMetadata)(OrtModelMetadata *metadata); /* the end of version 2 */
} OrtApi;

typedef struct OrtApiBase {
  const OrtApi *(*GetApi)(uint32_t version); /* NULL where the library is older */
  const char *(*GetVersionString)(void);
} OrtApiBase;

/* What dlsym(library, "OrtGetApiBase") gives. */
typedef const OrtApiBase *(*OrtGetApiBaseFunction)(void);

#ifdef __cplusplus
}
#define ORT_MIN_ASSERT static_assert
#else
#define ORT_MIN_ASSERT _Static_assert
#endif

#define ORT_MIN_SLOT(name, number) \
  ORT_MIN_ASSERT(offsetof(OrtApi, name) == (number) * sizeof(void *), #name " is not in slot " #number)
ORT_MIN_SLOT(Run, 9);
ORT_MIN_SLOT(SetIntraOpNumThreads, 24);
ORT_MIN_SLOT(SessionGetInputName, 36);
ORT_MIN_SLOT(CreateTensorWithDataAsOrtValue, 49);
ORT_MIN_SLOT(GetTensorTypeAndShape, 65);
ORT_MIN_SLOT(GetAllocatorWithDefaultOptions, 78);
ORT_MIN_SLOT(ReleaseEnv, 92);
ORT_MIN_SLOT(ReleaseSessionOptions, 100);
ORT_MIN_SLOT(SessionGetModelMetadata, 111);
ORT_MIN_SLOT(ReleaseModelMetadata, 118);

#endif
