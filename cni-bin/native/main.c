/*
 * A CNI plugin as a native executable: overlab's TypeScript as QuickJS bytecode, the engine, and the system calls.
 *
 *   calls.c    the calls, a row each            compile.c  the build's tool: bundles in, the table `programs` out
 *   spawn.c    running another program
 *   text.c     UTF-8, typed arrays
 *   heap.c     the engine's memory, in which the build has set up everything but the plugin's own work
 *
 * One file is every plugin: it looks at the name it was called by.
 *
 * The program ends itself, by sys.exit. What ends any other way (an exception, a rejected promise, a job that throws, a
 * stack or memory that gives out, the last line reached without a word) is answered as the specification wants a failure
 * answered: one error object on stdout and a status that is not 0. What the program itself had written is then dropped.
 */
#define _GNU_SOURCE
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  MEMORY_LIMIT = 256 << 20,  /* bytes; an ADD takes 2 MB, a GC of 50,000 attachments some 60 */
  GARBAGE_THRESHOLD = 8 << 20, /* bytes before cycles are looked for: more than an ADD ever has */
  INTERNAL_ERROR = 999,        /* CniCode.internal */
};

static struct {
  uint8_t *bytes;
  size_t size, room;
} held;

static struct {
  int count;
  JSValue reason; /* of the last one */
} rejected;

bool hold_output(const uint8_t *bytes, size_t size) {
  if (size > held.room - held.size) {
    size_t room = (held.size + size) * 2;
    uint8_t *more = realloc(held.bytes, room);
    if (!more) return false;
    held.bytes = more, held.room = room;
  }
  if (size) memcpy(held.bytes + held.size, bytes, size);
  held.size += size;
  return true;
}

static bool write_all(int fd, const uint8_t *bytes, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, bytes, size);
    if (written < 0 && errno == EAGAIN) poll(&(struct pollfd){fd, POLLOUT, 0}, 1, -1);
    else if (written < 0 && errno != EINTR) return false;
    else if (written > 0) bytes += written, size -= (size_t)written;
  }
  return true;
}

/* The last resort asks nothing of the engine, nor for memory. */
static _Noreturn void fail(int status, const char *message) {
  static char answer[8192];
  const uint8_t *from = (const uint8_t *)message;
  char *to = answer + sprintf(answer, "{\"cniVersion\":\"1.1.0\",\"code\":%d,\"msg\":\"", INTERNAL_ERROR);
  for (size_t left = strlen(message), step; left > 0 && to < answer + sizeof answer - 16; from += step, left -= step) {
    bool well_formed;
    step = utf8_sequence(from, left, &well_formed);
    if (!well_formed) to = stpcpy(to, "\\ufffd");
    else if (*from < 0x20) to += sprintf(to, "\\u%04x", *from);
    else if (*from == '"' || *from == '\\') *to++ = '\\', *to++ = (char)*from;
    else to = mempcpy(to, from, step);
  }
  to = stpcpy(to, "\"}\n");
  write_all(STDOUT_FILENO, (uint8_t *)answer, (size_t)(to - answer));
  _exit(status ? status : 1);
}

static _Noreturn void fail_with(JSContext *js, JSValue thrown) {
  JS_SetMemoryLimit(JS_GetRuntime(js), (size_t)-1); /* for the words */
  if (JS_IsNull(thrown)) fail(1, "A plugin ran out of memory"); /* none was left for the engine's error */
  const char *message = JS_ToCString(js, thrown);
  if (message) fail(1, message);
  JS_FreeValue(js, JS_GetException(js));
  fail(1, "A plugin failed with what cannot be put in words");
}

static void note_rejection(JSContext *js, JSValueConst promise, JSValueConst reason, int handled, void *opaque) {
  (void)promise, (void)opaque;
  rejected.count += handled ? -1 : 1;
  if (handled) return;
  JS_FreeValue(js, rejected.reason);
  rejected.reason = JS_DupValue(js, reason);
}

/* Runs what promises have put off. */
static void settle(JSContext *js) {
  JSContext *failed;
  int ran;
  while ((ran = JS_ExecutePendingJob(JS_GetRuntime(js), &failed)) > 0) {}
  if (ran < 0) fail_with(failed, JS_GetException(failed));
  if (rejected.count > 0) fail_with(js, rejected.reason);
}

_Noreturn void finish(JSContext *js, int status) {
  settle(js);
  if (status != 0 && held.size == 0) fail(status, "A plugin failed without saying why");
  _exit(write_all(STDOUT_FILENO, held.bytes, held.size) ? status : 1);
}

/*
 * Closed standard streams would give their numbers to the next files opened, and a result would be written there. What
 * stands in for them reads as empty and cannot be written to.
 */
static void open_standard_streams(void) {
  struct pollfd streams[] = {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}};
  poll(streams, 3, 0);
  for (int fd = 0; fd < 3; fd++)
    if (streams[fd].revents & POLLNVAL && open("/dev/null", O_RDONLY) < 0) _exit(1);
}

static const Program *program_named(const char *name) {
  for (const Program *program = programs; program->name; program++)
    if (strcmp(program->name, name) == 0) return program;
  return NULL;
}

/* All of the language but Date, eval, Proxy and weak references: what a plugin does not use need not be set up. */
static JSContext *new_context(JSRuntime *runtime) {
  JSContext *js = JS_NewContextRaw(runtime);
  if (!js) return NULL;
  JS_AddIntrinsicBaseObjects(js);
  JS_AddIntrinsicRegExp(js);
  JS_AddIntrinsicJSON(js);
  JS_AddIntrinsicMapSet(js);
  JS_AddIntrinsicTypedArrays(js);
  JS_AddIntrinsicPromise(js);
  return js;
}

static JSContext *start_engine(void) {
  JSRuntime *runtime = new_runtime();
  if (!runtime) fail(1, "Cannot start: out of memory");
  JS_SetMemoryLimit(runtime, MEMORY_LIMIT);
  JS_SetGCThreshold(runtime, GARBAGE_THRESHOLD);
  JS_SetHostPromiseRejectionTracker(runtime, note_rejection, NULL);
  JSContext *js = new_context(runtime);
  if (!js || !add_calls(js)) fail(1, "Cannot start: out of memory");
  return js;
}

static void evaluate(JSContext *js, const Program *program) {
  JSValue code = JS_ReadObject(js, program->code, program->size, JS_READ_OBJ_BYTECODE);
  bool linked = !JS_IsException(code) && JS_ResolveModule(js, code) >= 0;
  if (!linked || JS_IsException(JS_EvalFunction(js, code))) fail_with(js, JS_GetException(js)); /* else it is a promise */
  settle(js);
}

/* The function that a prepared plugin starts with: `overlabPlugins[name]`. */
static JSValue plugin_named(JSContext *js, const char *name) {
  JSValue global = JS_GetGlobalObject(js), plugins = JS_GetPropertyStr(js, global, "overlabPlugins");
  JSValue start = JS_IsObject(plugins) ? JS_GetPropertyStr(js, plugins, name) : JS_UNDEFINED;
  JS_FreeValue(js, plugins);
  JS_FreeValue(js, global);
  return start;
}

static bool start(const char *name) {
  if (image_state() == IMAGE_PREPARED) {
    JSContext *js = prepared_context();
    JSValue plugin = plugin_named(js, name);
    if (!JS_IsFunction(js, plugin)) return false;
    if (JS_IsException(JS_Call(js, plugin, JS_UNDEFINED, 0, NULL))) fail_with(js, JS_GetException(js));
    settle(js);
  } else {
    const Program *program = program_named(name);
    if (!program) return false;
    evaluate(start_engine(), program);
  }
  fail(1, "A plugin ended without an answer");
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* For the build: what the first program leaves behind goes to stdout. */
static _Noreturn void print_image(void) {
  size_t size;
  JSContext *js = start_engine();
  evaluate(js, &programs[0]);
  const uint8_t *image = prepared_image(js, &size);
  _exit(write_all(STDOUT_FILENO, image, size) ? 0 : 1);
}

int main(int count, char **arguments) {
  signal(SIGPIPE, SIG_IGN); /* EPIPE says the same, and can be answered */
  open_standard_streams();
  if (image_state() == IMAGE_WANTED) print_image();
  if (count > 0) start(base_name(arguments[0]));
  char path[4096];
  ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
  if (size >= 0) path[size] = 0, start(base_name(path));
  fail(1, "Cannot tell which plugin is wanted: call this file by a plugin's name");
}
