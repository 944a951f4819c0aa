/* What the C files of a plugin executable share. main.c opens with what they are for. */
#ifndef OVERLAB_NATIVE_H
#define OVERLAB_NATIVE_H

#include <quickjs/quickjs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A program: the name it is called by, and its bytecode. compile.c writes the table; a row without a name ends it. */
typedef struct {
  const char *name;
  const uint8_t *code;
  size_t size;
} Program;

extern const Program programs[];

/* main.c: how a program ends. stdout is held back until then, so that it carries one document and no more. */
bool hold_output(const uint8_t *bytes, size_t size);
_Noreturn void finish(JSContext *js, int status);

/* calls.c: gives the program its system calls, as the global `overlabSys`. */
bool add_calls(JSContext *js);

/* heap.c: the engine's memory, and the image of it that an executable may carry. */
typedef enum {
  IMAGE_UNUSED,   /* the engine is started each time */
  IMAGE_WANTED,   /* the build runs the file to have the image made */
  IMAGE_PREPARED, /* the engine is there, with all that the first program has set up */
} ImageState;
ImageState image_state(void);
JSRuntime *new_runtime(void);
/* The engine as it was prepared. */
JSContext *prepared_context(void);
/* What the build puts into the file. Nothing may run in the engine after it. */
const uint8_t *prepared_image(JSContext *js, size_t *size);

/* spawn.c: sys.run. */
JSValue run_program(JSContext *js, JSValueConst self, int count, JSValueConst *given);

/* text.c: text is UTF-16 in the engine and UTF-8 outside. What cannot be said in the other becomes U+FFFD. */
size_t utf8_sequence(const uint8_t *bytes, size_t size, bool *well_formed);
JSValue decode_utf8(JSContext *js, const uint8_t *bytes, size_t size);
/* Ends with a NUL that `size` does not count; js_free it. NULL with an exception pending when it is no string. */
char *encode_utf8(JSContext *js, JSValueConst value, size_t *size);
/* The same for what the kernel reads up to the first NUL: text that holds one is a RangeError. */
char *encode_name(JSContext *js, JSValueConst value);

/* text.c, too: the bytes that calls take and give. */
/* NULL with an exception pending for all but an array of bytes. The pointer holds until JavaScript runs again. */
uint8_t *bytes_of(JSContext *js, JSValueConst value, size_t *size);
JSValue new_bytes(JSContext *js, const uint8_t *bytes, size_t size);

#endif
