/*
 * The system calls: src/linux/sys.ts, row by row.
 *
 * A row has the call's name, what it takes, and the C expression. What it takes is a letter per argument:
 *
 *   i  an int                      t  text without a NUL, such as a path
 *   u  0 to 2^32 - 1               b  bytes
 *   w  an int of 53 bits           s  the bytes of a struct statx
 *   a  bytes, or what u is         l  a length, no longer than the bytes before it
 *
 * `call` checks them all before the expression runs. Nothing is converted, so no getter or valueOf of the caller's runs
 * between a check and its use; pointers into buffers are taken last.
 */
#define _GNU_SOURCE
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/nsfs.h>
#include <math.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 5 };

typedef struct {
  int64_t number;
  char *text;
  uint8_t *bytes;
  size_t size;
} Argument;

#define INT(i) ((int)a[i].number)
#define NUMBER(i) ((size_t)a[i].number)
#define TEXT(i) a[i].text
#define BYTES(i) a[i].bytes
#define SIZE(i) a[i].size
#define ADDRESS(i) ((struct sockaddr *)a[i].bytes), ((socklen_t)a[i].size)

/* Descriptors are closed in whatever program is run: O_CLOEXEC. */
#define CALLS(CALL)                                                                             \
  CALL(socket, "iii", socket(INT(0), INT(1) | SOCK_CLOEXEC, INT(2)))                            \
  CALL(bind, "ib", bind(INT(0), ADDRESS(1)))                                                    \
  CALL(connect, "ib", connect(INT(0), ADDRESS(1)))                                              \
  CALL(getsockname, "ib", getsockname_length(INT(0), (void *)BYTES(1), (socklen_t)SIZE(1)))     \
  CALL(send, "ibli", send(INT(0), BYTES(1), NUMBER(2), INT(3)))                                 \
  CALL(sendto, "iblib", sendto(INT(0), BYTES(1), NUMBER(2), INT(3), ADDRESS(4)))                \
  CALL(recv, "ibi", recv(INT(0), BYTES(1), SIZE(1), INT(2)))                                    \
  CALL(recvfrom, "ibib",                                                                        \
       recvfrom(INT(0), BYTES(1), SIZE(1), INT(2), (void *)BYTES(3), &(socklen_t){SIZE(3)}))    \
  CALL(setsockopt, "iiib", setsockopt(INT(0), INT(1), INT(2), BYTES(3), (socklen_t)SIZE(3)))    \
  CALL(setns, "ii", setns(INT(0), INT(1)))                                                      \
  CALL(unshare, "i", unshare(INT(0)))                                                           \
  CALL(ioctl, "iua", ioctl_known(INT(0), NUMBER(1), &a[2]))                                     \
  CALL(poll, "bi", poll((struct pollfd *)BYTES(0), SIZE(0) / sizeof(struct pollfd), INT(1)))    \
  CALL(open, "tiu", open(TEXT(0), INT(1) | O_CLOEXEC, (mode_t)NUMBER(2)))                       \
  CALL(close, "i", close(INT(0)))                                                               \
  CALL(read, "ib", read(INT(0), BYTES(1), SIZE(1)))                                             \
  CALL(write, "ibl", write_held(INT(0), BYTES(1), NUMBER(2)))                                   \
  CALL(fsync, "i", fsync(INT(0)))                                                               \
  CALL(flock, "ii", flock(INT(0), INT(1)))                                                      \
  CALL(ftruncate, "iw", ftruncate(INT(0), (off_t)NUMBER(1)))                                    \
  CALL(fchmod, "iu", fchmod(INT(0), (mode_t)NUMBER(1)))                                         \
  CALL(mkdir, "tu", mkdir(TEXT(0), (mode_t)NUMBER(1)))                                          \
  CALL(rmdir, "t", rmdir(TEXT(0)))                                                              \
  CALL(unlink, "t", unlink(TEXT(0)))                                                            \
  CALL(rename, "tt", rename(TEXT(0), TEXT(1)))                                                  \
  CALL(link, "tti", linkat(AT_FDCWD, TEXT(0), AT_FDCWD, TEXT(1), INT(2)))                       \
  CALL(readlink, "tb", readlink(TEXT(0), (char *)BYTES(1), SIZE(1)))                            \
  CALL(statx, "tis", statx(AT_FDCWD, TEXT(0), INT(1), STATX_BASIC_STATS, (void *)BYTES(2)))     \
  CALL(getdents64, "ib", syscall(SYS_getdents64, INT(0), BYTES(1), SIZE(1)))                    \
  CALL(mount, "tttut", mount(TEXT(0), TEXT(1), TEXT(2), NUMBER(3), TEXT(4)))                    \
  CALL(umount2, "ti", umount2(TEXT(0), INT(1)))                                                 \
  CALL(getrandom, "b", getrandom(BYTES(0), SIZE(0), 0))                                         \
  CALL(getpid, "", getpid())

static long getsockname_length(int fd, struct sockaddr *address, socklen_t length) {
  return getsockname(fd, address, &length) < 0 ? -1 : (long)length;
}

/* What an ioctl takes only the kernel knows. These are made: `size` bytes are behind the argument, or it is a number. */
static const struct {
  unsigned long request;
  size_t size;
} ioctls[] = {
    {TUNSETIFF, sizeof(struct ifreq)},
    {TUNSETPERSIST, 0},
    {TUNSETOWNER, 0},
    {TUNSETGROUP, 0},
    {SIOCGIFINDEX, sizeof(struct ifreq)},
    {SIOCGIFNAME, sizeof(struct ifreq)},
    {NS_GET_NSTYPE, 0},
    {FIONREAD, sizeof(int)},
};

static long ioctl_known(int fd, unsigned long request, const Argument *argument) {
  for (size_t row = 0; row < sizeof ioctls / sizeof *ioctls; row++) {
    if (ioctls[row].request != request) continue;
    if (ioctls[row].size == 0 && !argument->bytes) return ioctl(fd, request, argument->number);
    if (ioctls[row].size > 0 && argument->size >= ioctls[row].size) return ioctl(fd, request, argument->bytes);
    return errno = EINVAL, -1;
  }
  return errno = ENOTTY, -1;
}

static long write_held(int fd, const uint8_t *bytes, size_t size) {
  if (fd != STDOUT_FILENO) return write(fd, bytes, size);
  return hold_output(bytes, size) ? (long)size : (errno = ENOMEM, -1);
}

typedef struct {
  const char *name;
  const char *takes;
  long (*make)(const Argument *);
} Call;

#define MAKE(name, takes, expression) \
  static long make_##name(const Argument *a) { return (void)a, (expression); }
#define ROW(name, takes, expression) {#name, takes, make_##name},

CALLS(MAKE)
static const Call calls[] = {CALLS(ROW)};

/* The number, when it is an integer from `low` to `high`: RangeError, or TypeError when it is none at all. */
static bool take_integer(JSContext *js, JSValueConst value, double low, double high, int64_t *number) {
  double given;
  if (!JS_IsNumber(value)) return JS_ThrowTypeError(js, "Cannot use what is not a number as one"), false;
  if (JS_ToFloat64(js, &given, value) < 0) return false;
  if (!(given >= low && given <= high) || given != trunc(given))
    return JS_ThrowRangeError(js, "Cannot use %g: it is no integer from %.0f to %.0f", given, low, high), false;
  *number = (int64_t)given;
  return true;
}

static bool take_plain(JSContext *js, char letter, JSValueConst value, Argument *argument) {
  switch (letter) {
    case 'i': return take_integer(js, value, INT32_MIN, INT32_MAX, &argument->number);
    case 'u': return take_integer(js, value, 0, UINT32_MAX, &argument->number);
    case 'w': return take_integer(js, value, -9007199254740991, 9007199254740991, &argument->number);
    case 't': return (argument->text = encode_name(js, value)) != NULL;
    case 'a': return !JS_IsNumber(value) || take_integer(js, value, 0, UINT32_MAX, &argument->number);
    default: return true;
  }
}

static bool take_pointers(JSContext *js, const char *takes, JSValueConst *given, Argument *a) {
  for (int i = 0; takes[i]; i++) {
    bool pointer = takes[i] == 'b' || takes[i] == 's' || (takes[i] == 'a' && !JS_IsNumber(given[i]));
    if (pointer && !(a[i].bytes = bytes_of(js, given[i], &a[i].size))) return false;
    if (takes[i] == 's' && a[i].size < sizeof(struct statx))
      return JS_ThrowRangeError(js, "Cannot fit a struct statx into %zu bytes", a[i].size), false;
    if (takes[i] == 'l' && !take_integer(js, given[i], 0, (double)a[i - 1].size, &a[i].number)) return false;
  }
  return true;
}

static JSValue call(JSContext *js, JSValueConst self, int count, JSValueConst *given, int row) {
  (void)self, (void)count; /* the engine fills up with undefined what is not given */
  const char *takes = calls[row].takes;
  Argument a[MAX_ARGUMENTS] = {0};
  bool good = true;
  for (int i = 0; good && takes[i]; i++) good = take_plain(js, takes[i], given[i], &a[i]);
  JSValue result = JS_EXCEPTION;
  if (good && take_pointers(js, takes, given, a)) {
    long answer = calls[row].make(a);
    result = JS_NewInt64(js, answer < 0 ? -errno : answer);
  }
  for (int i = 0; takes[i]; i++) js_free(js, a[i].text);
  return result;
}

/* The others: what they take or give is no system call's. */
#define OTHER(name) static JSValue name(JSContext *js, JSValueConst self, int count, JSValueConst *given)
#define UNUSED (void)self, (void)count, (void)given

OTHER(clock_nanoseconds) {
  UNUSED;
  int64_t id;
  struct timespec now;
  if (!take_integer(js, given[0], CLOCK_REALTIME, CLOCK_MONOTONIC, &id)) return JS_EXCEPTION;
  clock_gettime((clockid_t)id, &now);
  return JS_NewBigInt64(js, now.tv_sec * 1000000000LL + now.tv_nsec);
}

OTHER(sleep_milliseconds) {
  UNUSED;
  double milliseconds;
  if (!JS_IsNumber(given[0])) return JS_ThrowTypeError(js, "Cannot sleep for what is not a number");
  if (JS_ToFloat64(js, &milliseconds, given[0]) < 0) return JS_EXCEPTION;
  if (!(milliseconds >= 0 && milliseconds <= INT32_MAX)) return JS_ThrowRangeError(js, "Cannot sleep for %g ms", milliseconds);
  int64_t nanoseconds = (int64_t)(milliseconds * 1e6);
  struct timespec left = {nanoseconds / 1000000000, nanoseconds % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {}
  return JS_UNDEFINED;
}

OTHER(encode) {
  UNUSED;
  size_t size;
  char *text = encode_utf8(js, given[0], &size);
  if (!text) return JS_EXCEPTION;
  JSValue bytes = new_bytes(js, (uint8_t *)text, size);
  js_free(js, text);
  return bytes;
}

OTHER(decode) {
  UNUSED;
  size_t size;
  uint8_t *bytes = bytes_of(js, given[0], &size);
  return bytes ? decode_utf8(js, bytes, size) : JS_EXCEPTION;
}

OTHER(environment) {
  UNUSED;
  JSValue all = JS_NewObject(js);
  for (char **variable = environ; *variable && !JS_IsException(all); variable++) {
    const char *equals = strchr(*variable, '=');
    if (!equals) continue;
    JSValue value = decode_utf8(js, (const uint8_t *)equals + 1, strlen(equals + 1));
    JSAtom name = JS_IsException(value) ? JS_ATOM_NULL : JS_NewAtomLen(js, *variable, (size_t)(equals - *variable));
    if (name == JS_ATOM_NULL) JS_FreeValue(js, value);
    bool good = name != JS_ATOM_NULL && JS_DefinePropertyValue(js, all, name, value, JS_PROP_C_W_E) >= 0;
    JS_FreeAtom(js, name);
    if (!good) JS_FreeValue(js, all), all = JS_EXCEPTION;
  }
  return all;
}

OTHER(executable) {
  UNUSED;
  char path[4096];
  ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size < 0) return JS_ThrowInternalError(js, "Cannot read /proc/self/exe: %s", strerror(errno));
  return decode_utf8(js, (uint8_t *)path, (size_t)size);
}

OTHER(leave) {
  UNUSED;
  int64_t status;
  if (!take_integer(js, given[0], 0, 255, &status)) return JS_EXCEPTION;
  finish(js, (int)status);
}

static const struct {
  const char *name;
  int takes;
  JSCFunction *function;
} others[] = {
    {"clock", 1, clock_nanoseconds}, {"sleep", 1, sleep_milliseconds}, {"encode", 1, encode}, {"decode", 1, decode},
    {"environment", 0, environment}, {"executable", 0, executable},    {"exit", 1, leave},    {"run", 4, run_program},
};

bool add_calls(JSContext *js) {
  JSValue sys = JS_NewObject(js), global = JS_GetGlobalObject(js);
  for (int row = 0; row < (int)(sizeof calls / sizeof *calls); row++)
    JS_SetPropertyStr(js, sys, calls[row].name,
                      JS_NewCFunctionMagic(js, call, calls[row].name, (int)strlen(calls[row].takes), JS_CFUNC_generic_magic, row));
  for (size_t row = 0; row < sizeof others / sizeof *others; row++)
    JS_SetPropertyStr(js, sys, others[row].name,
                      JS_NewCFunction(js, others[row].function, others[row].name, others[row].takes));
  bool good = JS_SetPropertyStr(js, global, "overlabSys", sys) >= 0;
  JS_FreeValue(js, global);
  return good;
}
