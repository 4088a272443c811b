/* The native methods of linreg.Model: Java's arrays to tensors of liblinreg.so and back.
 *
 * Where a function of JNI fails, an exception is pending: nothing more is done, and Java throws it.
 */
#include "linreg.h"

#include <jni.h>

/* Throw a LinregException; NULL, so that a function can end with it. */
static void *throw_line(JNIEnv *env, const char *line) {
  const jsize length = (jsize)strlen(line);
  const jclass kind = (*env)->FindClass(env, "linreg/LinregException");
  const jmethodID make = kind != NULL ? (*env)->GetMethodID(env, kind, "<init>", "([B)V") : NULL;
  const jbyteArray bytes = make != NULL ? (*env)->NewByteArray(env, length) : NULL;
  if (bytes == NULL) return NULL;
  (*env)->SetByteArrayRegion(env, bytes, 0, length, (const jbyte *)line);
  const jobject failure = (*env)->NewObject(env, kind, make, bytes);
  if (failure != NULL) (*env)->Throw(env, (jthrowable)failure);
  return NULL;
}

/* A text that ends with a zero, to be freed; NULL with an exception pending. */
static char *text_of(JNIEnv *env, jbyteArray bytes) {
  const jsize length = (*env)->GetArrayLength(env, bytes);
  char *text = (char *)calloc((size_t)length + 1, 1);
  if (text == NULL) throw_line(env, "no memory");
  else (*env)->GetByteArrayRegion(env, bytes, 0, length, (jbyte *)text);
  return text;
}

/* linreg.Tensor, its constructor and its fields. */
typedef struct {
  jclass kind;
  jmethodID make;
  jfieldID element_type, shape, data;
} TensorClass;

static bool find_class(JNIEnv *env, TensorClass *type) {
  type->kind = (*env)->FindClass(env, "linreg/Tensor");
  if (type->kind == NULL) return false;
  type->make = (*env)->GetMethodID(env, type->kind, "<init>", "(I[J[B)V");
  type->element_type = type->make != NULL ? (*env)->GetFieldID(env, type->kind, "type", "I") : NULL;
  type->shape = type->element_type != NULL ? (*env)->GetFieldID(env, type->kind, "shape", "[J") : NULL;
  type->data = type->shape != NULL ? (*env)->GetFieldID(env, type->kind, "data", "[B") : NULL;
  return type->data != NULL;
}

/* Copy a linreg.Tensor to C. */
static bool to_c(JNIEnv *env, const TensorClass *type, jobject source, Tensor *tensor, char *error) {
  if (source == NULL) return failed(error, "an input is null");
  const jlongArray shape = (jlongArray)(*env)->GetObjectField(env, source, type->shape);
  const jbyteArray data = (jbyteArray)(*env)->GetObjectField(env, source, type->data);
  if (shape == NULL || data == NULL) return failed(error, "a tensor has no shape or no data");
  const jsize rank = (*env)->GetArrayLength(env, shape), bytes = (*env)->GetArrayLength(env, data);
  int64_t dims[TENSOR_MAX_RANK] = {0};
  if (rank > TENSOR_MAX_RANK) return failed(error, "has %d axes, expected at most %d", (int)rank, (int)TENSOR_MAX_RANK);
  (*env)->GetLongArrayRegion(env, shape, 0, rank, (jlong *)dims);
  const jint element_type = (*env)->GetIntField(env, source, type->element_type);
  if (!linreg_allocate_tensor(tensor, element_type, (size_t)rank, dims, error)) return false;
  if (tensor->bytes != (size_t)bytes) return failed(error, "got %d bytes, expected %zu", (int)bytes, tensor->bytes);
  (*env)->GetByteArrayRegion(env, data, 0, bytes, (jbyte *)tensor->data);
  (*env)->DeleteLocalRef(env, shape);
  (*env)->DeleteLocalRef(env, data);
  return true;
}

/* Copy a tensor to a new linreg.Tensor; NULL with an exception pending. */
static jobject to_java(JNIEnv *env, const TensorClass *type, const Tensor *tensor) {
  if (tensor->bytes > INT32_MAX) return throw_line(env, "a tensor has more bytes than an array of Java");
  const jlongArray shape = (*env)->NewLongArray(env, (jsize)tensor->rank);
  const jbyteArray data = shape != NULL ? (*env)->NewByteArray(env, (jsize)tensor->bytes) : NULL;
  if (data == NULL) return NULL;
  (*env)->SetLongArrayRegion(env, shape, 0, (jsize)tensor->rank, (const jlong *)tensor->dims);
  (*env)->SetByteArrayRegion(env, data, 0, (jsize)tensor->bytes, (const jbyte *)tensor->data);
  const jobject made = (*env)->NewObject(env, type->kind, type->make, (jint)tensor->type, shape, data);
  (*env)->DeleteLocalRef(env, shape);
  (*env)->DeleteLocalRef(env, data);
  return made;
}

/* An array of linreg.Tensor; NULL with an exception pending. */
static jobjectArray array_of(JNIEnv *env, const TensorClass *type, const Tensor *tensors, size_t count) {
  const jobjectArray array = (*env)->NewObjectArray(env, (jsize)count, type->kind, NULL);
  for (size_t index = 0; array != NULL && index < count; index++) {
    const jobject element = to_java(env, type, &tensors[index]);
    if (element == NULL) return NULL;
    (*env)->SetObjectArrayElement(env, array, (jsize)index, element);
    (*env)->DeleteLocalRef(env, element);
  }
  return array;
}

/* The tensors of an array of as many. */
static bool tensors_of(JNIEnv *env, const TensorClass *type, jobjectArray array, Tensor *tensors, size_t count,
                       char *error) {
  for (size_t index = 0; index < count; index++) {
    const jobject element = (*env)->GetObjectArrayElement(env, array, (jsize)index);
    if (!to_c(env, type, element, &tensors[index], error)) return false;
    (*env)->DeleteLocalRef(env, element);
  }
  return true;
}

JNIEXPORT jlong JNICALL Java_linreg_Model_open(JNIEnv *env, jclass self, jbyteArray path, jboolean bundle) {
  (void)self;
  char error[ERROR_BYTES] = "", *text = text_of(env, path);
  if (text == NULL) return 0;
  Model *model = bundle ? linreg_open_bundle(text, error) : linreg_open(text, error);
  free(text);
  if (model == NULL) throw_line(env, error);
  return (jlong)(intptr_t)model;
}

JNIEXPORT void JNICALL Java_linreg_Model_close(JNIEnv *env, jclass self, jlong handle) {
  (void)env, (void)self;
  linreg_close((Model *)(intptr_t)handle);
}

JNIEXPORT jobjectArray JNICALL Java_linreg_Model_run(JNIEnv *env, jclass self, jlong handle, jobjectArray inputs) {
  (void)self;
  const Model *model = (const Model *)(intptr_t)handle;
  const size_t input_count = (size_t)(*env)->GetArrayLength(env, inputs), output_count = linreg_output_count(model);
  char error[ERROR_BYTES] = "";
  jobjectArray answers = NULL;
  TensorClass type;
  if (!find_class(env, &type)) return NULL;
  if (input_count > VECTORS_MAX_TENSORS) return throw_line(env, "too many inputs");
  TensorList from, to;
  memset(&from, 0, sizeof from);
  memset(&to, 0, sizeof to);
  from.count = input_count;
  to.count = output_count;
  const bool good = tensors_of(env, &type, inputs, from.tensors, input_count, error) &&
                    linreg_run(model, from.tensors, input_count, to.tensors, output_count, error);
  if (good) answers = array_of(env, &type, to.tensors, output_count);
  else throw_line(env, error);
  tensor_list_free(&from);
  tensor_list_free(&to);
  return answers;
}

/* What a callback needs: the thread's environment, the model or the bound call, and the method of linreg.Model. */
typedef struct {
  JNIEnv *env;
  jobject model;
  jlong call;
  jclass kind;
  jmethodID method;
} Caller;

/* Write the message of the pending exception into error, and end the exception. */
static bool failed_in_java(JNIEnv *env, char *error) {
  const jthrowable failure = (*env)->ExceptionOccurred(env);
  (*env)->ExceptionClear(env);
  const jclass kind = (*env)->FindClass(env, "java/lang/Throwable");
  const jmethodID get = kind != NULL ? (*env)->GetMethodID(env, kind, "getMessage", "()Ljava/lang/String;") : NULL;
  const jstring message = get != NULL ? (jstring)(*env)->CallObjectMethod(env, failure, get) : NULL;
  const char *text = message != NULL ? (*env)->GetStringUTFChars(env, message, NULL) : NULL;
  failed(error, "%.400s", text != NULL ? text : "an exception without a message");
  if (text != NULL) (*env)->ReleaseStringUTFChars(env, message, text);
  (*env)->ExceptionClear(env);
  return false;
}

/* A VectorsRun: Model.run in Java. */
static bool run_case(void *context, const Tensor *inputs, size_t input_count, Tensor *outputs, size_t output_count,
                     char *error) {
  const Caller *caller = (const Caller *)context;
  JNIEnv *env = caller->env;
  TensorClass type;
  if ((*env)->PushLocalFrame(env, 32) != 0 || !find_class(env, &type)) return failed_in_java(env, error);
  const jobjectArray from = array_of(env, &type, inputs, input_count);
  jobjectArray to = NULL;
  if (from != NULL) to = (jobjectArray)(*env)->CallObjectMethod(env, caller->model, caller->method, from);
  bool good = to != NULL && !(*env)->ExceptionCheck(env) ? true : failed_in_java(env, error);
  const size_t count = good ? (size_t)(*env)->GetArrayLength(env, to) : 0;
  if (good && count != output_count) good = failed(error, "has %zu outputs, the model %zu", output_count, count);
  good = good && tensors_of(env, &type, to, outputs, output_count, error);
  (*env)->PopLocalFrame(env, NULL);
  return good;
}

JNIEXPORT jint JNICALL Java_linreg_Model_verify(JNIEnv *env, jobject self, jlong handle, jbyteArray bundle) {
  (void)handle;
  Caller caller = {env, self, 0, (*env)->GetObjectClass(env, self), NULL};
  caller.method = (*env)->GetMethodID(env, caller.kind, "run", "([Llinreg/Tensor;)[Llinreg/Tensor;");
  char *text = caller.method != NULL ? text_of(env, bundle) : NULL;
  const jint code = text != NULL ? linreg_verify("java", text, run_case, &caller) : 1;
  free(text);
  return code;
}

JNIEXPORT jboolean JNICALL Java_linreg_Model_call(JNIEnv *env, jclass self, jlong call) {
  (void)env, (void)self;
  return linreg_call((Call *)(intptr_t)call) ? JNI_TRUE : JNI_FALSE;
}

/* A BenchBlock: Model.timeBlock in Java. */
static int64_t time_block(void *context, int64_t calls) {
  const Caller *caller = (const Caller *)context;
  JNIEnv *env = caller->env;
  const jlong taken = (*env)->CallStaticLongMethod(env, caller->kind, caller->method, caller->call, (jlong)calls);
  return (*env)->ExceptionCheck(env) ? -1 : taken;
}

JNIEXPORT jint JNICALL Java_linreg_Model_bench(JNIEnv *env, jclass self, jlong handle, jbyteArray bundle, jlong batch,
                                               jlong blocks) {
  const Model *model = (const Model *)(intptr_t)handle;
  char error[ERROR_BYTES] = "", *text = text_of(env, bundle);
  if (text == NULL) return 1;
  Call *call = linreg_bind(model, text, batch, error);
  free(text);
  if (call == NULL) {
    throw_line(env, error);
    return 1;
  }
  Caller caller = {env, NULL, (jlong)(intptr_t)call, self, (*env)->GetStaticMethodID(env, self, "timeBlock", "(JJ)J")};
  jint code = 1;
  if (caller.method != NULL) {
    code = linreg_bench("java", linreg_version(model), batch, (size_t)blocks, time_block, &caller);
  }
  linreg_unbind(call);
  return code;
}
