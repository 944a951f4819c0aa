/*
 * The engine's memory. A start makes ten thousand small blocks and frees few, so they are cut one after the other from
 * chunks whose pages the kernel hands over all at once, and freed ones wait by size to be used again. Against malloc(3)
 * this takes a quarter off the start of `bridge`. Large blocks are malloc's.
 *
 *   ┌──────┬─────────┐
 *   │ size │ payload │  size is of both, a multiple of 16 bytes; the payload lies on a multiple of 8, all the engine asks
 *   └──────┴─────────┘
 */
#define _GNU_SOURCE
#include "native.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
  GRAIN = 16,
  LARGEST_SMALL = 1024,
  CHUNK = 256 << 10,
};

typedef struct Block {
  size_t size;
  struct Block *next; /* where the payload is, while the block is free */
} Block;

static Block *freed[LARGEST_SMALL / GRAIN + 1];
static char *top, *end;

static Block *block_of(const void *payload) { return (Block *)((char *)payload - sizeof(size_t)); }

static Block *cut(size_t size) {
  if ((size_t)(end - top) < size) { /* what is left of the chunk before is lost: less than a kilobyte */
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    char *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (chunk == MAP_FAILED) return NULL;
    top = chunk, end = chunk + CHUNK;
  }
  Block *block = (Block *)top;
  top += size;
  return block;
}

static Block *take(size_t size) {
  if (size > LARGEST_SMALL) return malloc(size);
  Block *block = freed[size / GRAIN];
  if (!block) return cut(size);
  freed[size / GRAIN] = block->next;
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
  if (block->size > LARGEST_SMALL) return free(block);
  block->next = freed[block->size / GRAIN];
  freed[block->size / GRAIN] = block;
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
  static const JSMallocFunctions heap = {heap_malloc, heap_free, heap_realloc, heap_usable};
  return WATCHED ? JS_NewRuntime() : JS_NewRuntime2(&heap, NULL);
}
