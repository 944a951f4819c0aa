/*
 * sys.run: another program, to its end. It gets `stdin`, its stdout and stderr are collected, and its stderr is passed on.
 *
 *        ┌────────┐  stdin   ┌─────────┐
 *        │ plugin │─────────→│ program │      poll() serves whichever pipe is ready, so neither side waits for the
 *        │        │←─────────│         │      other with its pipe full
 *        └────────┘ out, err └─────────┘
 *
 * All of the caller's values are read first (a getter of his may do anything meanwhile), the pointer to stdin last.
 */
#define _GNU_SOURCE
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  MAX_STRINGS = 65536,
  MAX_OUTPUT = 64 << 20, /* bytes of each stream: a CNI result is one of hundreds */
};

/* A NULL-terminated vector, as execve(2) takes. */
typedef struct {
  char **at;
  uint32_t count;
} Strings;

typedef struct {
  uint8_t *bytes;
  size_t size, room;
} Collected;

typedef struct {
  int in[2], out[2], err[2]; /* [0] is read from, [1] written to */
} Pipes;

static void free_strings(JSContext *js, Strings *strings) {
  for (uint32_t i = 0; i < strings->count; i++) js_free(js, strings->at[i]);
  js_free(js, strings->at);
}

static bool make_room(JSContext *js, Strings *strings, uint32_t count) {
  if (count > MAX_STRINGS) return JS_ThrowRangeError(js, "Cannot pass %u strings to a program", count), false;
  return (strings->at = js_mallocz(js, (count + 1) * sizeof *strings->at)) != NULL;
}

static bool take_arguments(JSContext *js, JSValueConst array, Strings *strings) {
  if (JS_IsArray(js, array) != 1) return JS_ThrowTypeError(js, "Cannot use what is not an array as argv"), false;
  JSValue length = JS_GetPropertyStr(js, array, "length");
  uint32_t count;
  bool good = !JS_IsException(length) && JS_ToUint32(js, &count, length) >= 0 && make_room(js, strings, count);
  JS_FreeValue(js, length);
  for (uint32_t i = 0; good && i < count; i++) {
    JSValue text = JS_GetPropertyUint32(js, array, i);
    good = !JS_IsException(text) && (strings->at[i] = encode_name(js, text));
    strings->count += good;
    JS_FreeValue(js, text);
  }
  return good;
}

/* "NAME=value", or NULL with an exception pending. */
static char *take_variable(JSContext *js, JSValueConst variables, JSAtom atom) {
  JSValue name = JS_AtomToString(js, atom), value = JS_GetProperty(js, variables, atom);
  char *key = JS_IsException(name) || JS_IsException(value) ? NULL : encode_name(js, name);
  char *text = key ? encode_name(js, value) : NULL, *both = NULL;
  if (text && (!*key || strchr(key, '='))) JS_ThrowRangeError(js, "Cannot name a variable \"%s\"", key);
  else if (text && (both = js_malloc(js, strlen(key) + strlen(text) + 2))) stpcpy(stpcpy(stpcpy(both, key), "="), text);
  js_free(js, key);
  js_free(js, text);
  JS_FreeValue(js, name);
  JS_FreeValue(js, value);
  return both;
}

static bool take_environment(JSContext *js, JSValueConst variables, Strings *strings) {
  JSPropertyEnum *names;
  uint32_t count;
  if (!JS_IsObject(variables)) return JS_ThrowTypeError(js, "Cannot use what is not an object as environment"), false;
  if (JS_GetOwnPropertyNames(js, &names, &count, variables, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) < 0) return false;
  bool good = make_room(js, strings, count);
  for (uint32_t i = 0; good && i < count; i++) {
    good = (strings->at[i] = take_variable(js, variables, names[i].atom)) != NULL;
    strings->count += good;
  }
  for (uint32_t i = 0; i < count; i++) JS_FreeAtom(js, names[i].atom);
  js_free(js, names);
  return good;
}

static void close_at(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void close_pipes(Pipes *p) {
  close_at(&p->in[0]), close_at(&p->in[1]);
  close_at(&p->out[0]), close_at(&p->out[1]);
  close_at(&p->err[0]), close_at(&p->err[1]);
}

/* 0 or an errno. */
static int start(const char *path, char **argv, char **environment, const Pipes *p, pid_t *pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  int failed = posix_spawn_file_actions_init(&files);
  if (failed) return failed;
  if (!(failed = posix_spawnattr_init(&attributes))) {
    if (!failed) failed = posix_spawn_file_actions_adddup2(&files, p->in[0], STDIN_FILENO);
    if (!failed) failed = posix_spawn_file_actions_adddup2(&files, p->out[1], STDOUT_FILENO);
    if (!failed) failed = posix_spawn_file_actions_adddup2(&files, p->err[1], STDERR_FILENO);
    if (!failed) failed = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    if (!failed) failed = posix_spawnattr_setsigdefault(&attributes, &pipe_signal); /* main ignores it */
    if (!failed) failed = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    if (!failed) failed = posix_spawn(pid, path, &files, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&files);
  return failed;
}

/* Takes what there is. Closes at the end of the stream, past an error, and when it is too much to keep: `lost`. */
static void collect(int *fd, int pass_on, Collected *into, bool *lost) {
  uint8_t chunk[16384];
  ssize_t size = read(*fd, chunk, sizeof chunk);
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (size <= 0) return close_at(fd);
  if (pass_on >= 0 && write(pass_on, chunk, (size_t)size) < 0) {} /* nobody listens: it is collected all the same */
  if (into->size + (size_t)size > into->room) {
    size_t room = (into->size + (size_t)size) * 2;
    uint8_t *more = room > MAX_OUTPUT ? NULL : realloc(into->bytes, room);
    if (!more) return *lost = true, close_at(fd);
    into->bytes = more, into->room = room;
  }
  memcpy(into->bytes + into->size, chunk, (size_t)size);
  into->size += (size_t)size;
}

static void serve(Pipes *p, const uint8_t *input, size_t left, Collected *out, Collected *err, bool *lost) {
  while (p->in[1] >= 0 || p->out[0] >= 0 || p->err[0] >= 0) {
    if (left == 0) close_at(&p->in[1]);
    struct pollfd ends[] = {{p->in[1], POLLOUT, 0}, {p->out[0], POLLIN, 0}, {p->err[0], POLLIN, 0}}; /* -1 is skipped */
    if (poll(ends, 3, -1) < 0) continue; /* a signal */
    if (ends[0].revents) {
      ssize_t written = write(p->in[1], input, left);
      if (written > 0) input += written, left -= (size_t)written;
      else if (written < 0 && errno != EAGAIN && errno != EINTR) close_at(&p->in[1]); /* it does not read: EPIPE */
    }
    if (ends[1].revents) collect(&p->out[0], -1, out, lost);
    if (ends[2].revents) collect(&p->err[0], STDERR_FILENO, err, lost);
  }
}

/* The exit status, 128 + the signal, or a negated errno. */
static int run(const char *path, char **argv, char **environment, const uint8_t *input, size_t size, Collected *out,
               Collected *err, bool *lost) {
  Pipes p = {{-1, -1}, {-1, -1}, {-1, -1}};
  pid_t pid;
  int failed = 0, status = 0;
  if (pipe2(p.in, O_CLOEXEC) < 0 || pipe2(p.out, O_CLOEXEC) < 0 || pipe2(p.err, O_CLOEXEC) < 0 ||
      fcntl(p.in[1], F_SETFL, O_NONBLOCK) < 0)
    failed = errno;
  if (!failed) failed = start(path, argv, environment, &p, &pid);
  if (!failed) {
    close_at(&p.in[0]), close_at(&p.out[1]), close_at(&p.err[1]);
    serve(&p, input, size, out, err, lost);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  }
  close_pipes(&p);
  return failed ? -failed : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

JSValue run_program(JSContext *js, JSValueConst self, int count, JSValueConst *given) {
  (void)self, (void)count;
  Strings argv = {0}, environment = {0};
  Collected out = {0}, err = {0};
  JSValue result = JS_EXCEPTION;
  size_t size;
  bool lost = false;
  uint8_t *input = NULL;
  char *path = encode_name(js, given[0]);
  if (path && take_arguments(js, given[1], &argv) && take_environment(js, given[2], &environment))
    input = bytes_of(js, given[3], &size);
  if (input) {
    int status = run(path, argv.at, environment.at, input, size, &out, &err, &lost);
    result = lost ? JS_ThrowRangeError(js, "Cannot keep all that \"%s\" writes", path) : JS_NewObject(js);
    if (!JS_IsException(result) && (JS_SetPropertyStr(js, result, "status", JS_NewInt32(js, status)) < 0 ||
                                    JS_SetPropertyStr(js, result, "stdout", new_bytes(js, out.bytes, out.size)) < 0 ||
                                    JS_SetPropertyStr(js, result, "stderr", new_bytes(js, err.bytes, err.size)) < 0))
      JS_FreeValue(js, result), result = JS_EXCEPTION;
  }
  free(out.bytes), free(err.bytes);
  free_strings(js, &argv), free_strings(js, &environment);
  js_free(js, path);
  return result;
}
