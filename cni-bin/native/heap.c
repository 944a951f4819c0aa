/*
 * The engine's memory, and the image of it that the executable carries.
 *
 * To start an engine and to read and evaluate a plugin's bytecode takes milliseconds, and ends in the same memory every
 * time. So the build does it once: it links the executable, runs it, and puts what it finds in `image` then back into the
 * file. The plugin begins where the build left off; the kernel brings in the pages that it touches.
 *
 *   ┌──────┬──────────────────────────────────────────┬───────────────────┐
 *   │ heap │ blocks: engine, calls, plugins' functions │ room for more     │ image, an ELF section at a fixed address
 *   └──────┴──────────────────────────────────────────┴───────────────────┘
 *
 * All that the engine keeps is in blocks of this heap, and all its pointers lead into the image or into this very
 * executable, whose code is not moved: it is static and not position-independent.
 *
 * Of the ten thousand small blocks of a start few are freed, so they are cut one after the other, at first from the image
 * and then from chunks whose pages the kernel hands over all at once; freed ones wait by size to be used again. Large
 * blocks are malloc's, but for those of the image, which are never used again.
 *
 *   ┌──────┬─────────┐
 *   │ size │ payload │  size is of both, a multiple of 16 bytes; the payload lies on a multiple of 8, all the engine asks
 *   └──────┴─────────┘
 */
#define _GNU_SOURCE
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
  GRAIN = 16,
  LARGEST_SMALL = 1024,
  CHUNK = 256 << 10,
  IMAGE = 5 << 18, /* bytes; the plugins of today take four fifths of it */
};

typedef struct Block {
  size_t size;
  struct Block *next; /* where the payload is, while the block is free */
} Block;

typedef struct {
  ImageState state;
  JSContext *js; /* of the prepared engine */
  char *top, *end;
  Block *freed[LARGEST_SMALL / GRAIN + 1];
} Heap;

#ifndef IMAGE_STATE /* the build says which */
#define IMAGE_STATE IMAGE_UNUSED
#endif

static union {
  Heap heap;
  char bytes[IMAGE];
} image __attribute__((section(".image"), aligned(4096))) = {.heap = {.state = IMAGE_STATE}};

static Heap *const heap = &image.heap;

static Block *block_of(const void *payload) { return (Block *)((char *)payload - sizeof(size_t)); }

static bool is_in_image(const Block *block) {
  return (const char *)block >= image.bytes && (const char *)block < image.bytes + IMAGE;
}

static Block *cut(size_t size) {
  if ((size_t)(heap->end - heap->top) < size) { /* what is left before is lost: less than a kilobyte */
    if (heap->state == IMAGE_WANTED) { /* the engine would not say it, but fall over it */
      fprintf(stderr, "The plugins need an image of more than %d bytes: raise IMAGE in heap.c\n", IMAGE);
      _exit(1);
    }
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    char *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (chunk == MAP_FAILED) return NULL;
    heap->top = chunk, heap->end = chunk + CHUNK;
  }
  Block *block = (Block *)heap->top;
  heap->top += size;
  return block;
}

static Block *take(size_t size) {
  if (size > LARGEST_SMALL) return heap->state == IMAGE_WANTED ? cut(size) : malloc(size);
  Block *block = heap->freed[size / GRAIN];
  if (!block) return cut(size);
  heap->freed[size / GRAIN] = block->next;
  return block;
}

static size_t heap_usable(const void *payload) { return payload ? block_of(payload)->size - sizeof(size_t) : 0; }

static void *heap_malloc(JSMallocState *state, size_t wanted) {
  if (wanted > PTRDIFF_MAX) return NULL;
  size_t size = (wanted + sizeof(size_t) + GRAIN - 1) / GRAIN * GRAIN;
  Block *block = state->malloc_size + size <= state->malloc_limit ? take(size) : NULL;
  if (!block) return NULL;
  block->size = size;
  state->malloc_count++;
  state->malloc_size += size;
  return &block->next;
}

static void heap_free(JSMallocState *state, void *payload) {
  if (!payload) return;
  Block *block = block_of(payload);
  state->malloc_count--;
  state->malloc_size -= block->size;
  if (block->size <= LARGEST_SMALL) {
    block->next = heap->freed[block->size / GRAIN];
    heap->freed[block->size / GRAIN] = block;
  } else if (!is_in_image(block)) {
    free(block);
  }
}

static void *heap_realloc(JSMallocState *state, void *payload, size_t wanted) {
  size_t usable = heap_usable(payload);
  if (wanted == 0) return heap_free(state, payload), NULL;
  if (wanted <= usable && usable <= 2 * wanted + GRAIN) return payload;
  void *fresh = heap_malloc(state, wanted);
  if (fresh && payload) memcpy(fresh, payload, usable < wanted ? usable : wanted);
  if (fresh) heap_free(state, payload);
  return fresh;
}

#ifdef __SANITIZE_ADDRESS__ /* it watches malloc's blocks */
enum { WATCHED = true };
#else
enum { WATCHED = false };
#endif

JSRuntime *new_runtime(void) {
  static const JSMallocFunctions functions = {heap_malloc, heap_free, heap_realloc, heap_usable};
  heap->top = image.bytes + (sizeof *heap + GRAIN - 1) / GRAIN * GRAIN;
  heap->end = image.bytes + IMAGE;
  return WATCHED ? JS_NewRuntime() : JS_NewRuntime2(&functions, NULL);
}

ImageState image_state(void) { return heap->state; }

JSContext *prepared_context(void) {
  JS_UpdateStackTop(JS_GetRuntime(heap->js)); /* the stack was another one */
  return heap->js;
}

const uint8_t *prepared_image(JSContext *js, size_t *size) {
  JS_RunGC(JS_GetRuntime(js));
  heap->js = js;
  heap->state = IMAGE_PREPARED;
  *size = IMAGE;
  return (uint8_t *)image.bytes;
}
