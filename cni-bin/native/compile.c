/*
 * Compiles bundles to the bytecode of the engine that it is linked with, and prints the table `programs` as C.
 *
 * usage: compile NAME=BUNDLE.js ... >programs.c
 *
 * As modules: a closure takes a module's variable by its number, but one of a function it searches for among all that are
 * taken already, which made a start six times as long.
 */
#include <quickjs/quickjs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void fail(const char *file, const char *why) {
  fprintf(stderr, "Cannot compile \"%s\": %s\n", file, why);
  exit(1);
}

static char *read_all(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail(path, "it cannot be read");
  *size = (size_t)ftell(file);
  rewind(file);
  char *text = malloc(*size + 1);
  if (!text || fread(text, 1, *size, file) != *size) fail(path, "it cannot be read");
  text[*size] = 0; /* JS_Eval wants it */
  fclose(file);
  return text;
}

int main(int count, char **arguments) {
  puts("#include \"native.h\"\n");
  for (int i = 1; i < count; i++) {
    char *path = strchr(arguments[i], '=');
    if (!path) fail(arguments[i], "it is no NAME=BUNDLE");
    *path++ = 0;
    JSRuntime *runtime = JS_NewRuntime(); /* one each: their atoms are numbered apart */
    JSContext *js = JS_NewContext(runtime);
    JS_SetStripInfo(runtime, JS_STRIP_DEBUG);
    size_t size;
    char *source = read_all(path, &size);
    int flags = JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY;
    JSValue code = JS_Eval(js, source, size, arguments[i], flags);
    if (JS_IsException(code)) fail(path, JS_ToCString(js, JS_GetException(js)));
    uint8_t *bytes = JS_WriteObject(js, &size, code, JS_WRITE_OBJ_BYTECODE);
    if (!bytes) fail(path, "it cannot be written as bytecode");
    printf("static const uint8_t code_%d[] = {", i);
    for (size_t at = 0; at < size; at++) printf("%s%u,", at % 32 ? "" : "\n", bytes[at]);
    puts("\n};\n");
    free(source);
  }
  puts("const Program programs[] = {");
  for (int i = 1; i < count; i++) printf("  {\"%s\", code_%d, sizeof code_%d},\n", arguments[i], i, i);
  puts("  {0},\n};");
  return fflush(stdout) ? 1 : 0;
}
