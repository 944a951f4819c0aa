/*
 * Starts programs and measures them, as closely as a process can: clock_gettime around posix_spawn and wait4.
 *
 * usage: launch OUTPUT <plan        a line per program, fields apart by tabs:
 *
 *   BATCH  PROGRAM  STDIN-FILE  NAME=VALUE ...
 *
 * Lines that follow each other with the same BATCH are started together. For each line it prints
 *
 *   BATCH  NANOSECONDS-AT-START  NANOSECONDS-AT-END  PEAK-MEMORY-IN-KB
 *
 * What programs print goes to the file OUTPUT, which is emptied before each batch. The first program that fails ends it all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_VARIABLES = 32, MAX_TOGETHER = 256 };

typedef struct {
  pid_t pid;
  char *line;
  char *batch, *program, *input;
  char *environment[MAX_VARIABLES + 1];
  int64_t start, end;
  long peak;
} Run;

static Run runs[MAX_TOGETHER];
static int output;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static _Noreturn void fail(const Run *run, const char *why) {
  char said[4096];
  ssize_t size = pread(output, said, sizeof said, 0);
  fprintf(stderr, "Cannot run %s: %s\n%.*s\n", run->program, why, (int)(size < 0 ? 0 : size), said);
  exit(1);
}

static void parse(Run *run) {
  char *rest = run->line;
  rest[strcspn(rest, "\n")] = 0;
  run->batch = strsep(&rest, "\t");
  run->program = strsep(&rest, "\t");
  run->input = strsep(&rest, "\t");
  int count = 0;
  while (rest && count < MAX_VARIABLES) run->environment[count++] = strsep(&rest, "\t");
  run->environment[count] = NULL;
}

static void start(Run *run) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, run->input, O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
  char *arguments[] = {run->program, NULL};
  run->start = now();
  int failed = posix_spawn(&run->pid, run->program, &files, NULL, arguments, run->environment);
  if (failed) fail(run, strerror(failed));
  posix_spawn_file_actions_destroy(&files);
}

static void finish(int count) {
  for (int left = count; left > 0; left--) {
    struct rusage usage;
    int status;
    pid_t pid = wait4(-1, &status, 0, &usage);
    int64_t end = now();
    for (int i = 0; i < count; i++) {
      if (runs[i].pid != pid) continue;
      if (status != 0) fail(&runs[i], "it failed");
      runs[i].end = end;
      runs[i].peak = usage.ru_maxrss;
    }
  }
  for (int i = 0; i < count; i++) {
    printf("%s\t%" PRId64 "\t%" PRId64 "\t%ld\n", runs[i].batch, runs[i].start, runs[i].end, runs[i].peak);
    free(runs[i].line);
  }
}

int main(int count, char **arguments) {
  if (count != 2) return fputs("usage: launch OUTPUT <plan\n", stderr), 2;
  output = open(arguments[1], O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) return perror(arguments[1]), 1;
  int together = 0;
  Run next = {0};
  size_t room = 0;
  for (;;) {
    bool more = getline(&next.line, &room, stdin) > 0;
    if (more) parse(&next);
    if (together > 0 && (!more || strcmp(next.batch, runs[0].batch) != 0 || together == MAX_TOGETHER)) {
      if (ftruncate(output, 0) < 0) return perror(arguments[1]), 1;
      for (int i = 0; i < together; i++) start(&runs[i]);
      finish(together);
      together = 0;
    }
    if (!more) return 0;
    runs[together++] = next;
    next = (Run){0};
    room = 0;
  }
}
