/* Text and bytes: UTF-8 both ways (Unicode 15 §3.9), and the typed arrays that carry it. */
#include "native.h"

#include <string.h>

static const uint8_t replacement[] = {0xef, 0xbf, 0xbd}; /* U+FFFD */

/* The length of the sequence at `bytes`; of an ill-formed one, as much as could have begun a character: table 3-7. */
size_t utf8_sequence(const uint8_t *bytes, size_t size, bool *well_formed) {
  uint8_t lead = bytes[0];
  size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  size_t at = 1;
  for (; at < length && at < size && bytes[at] >= low && bytes[at] <= high; at++) low = 0x80, high = 0xbf;
  *well_formed = at == length;
  return at;
}

JSValue decode_utf8(JSContext *js, const uint8_t *bytes, size_t size) {
  bool well_formed = true;
  size_t at = 0;
  while (at < size && well_formed) at += utf8_sequence(bytes + at, size - at, &well_formed);
  if (well_formed) return JS_NewStringLen(js, (const char *)bytes, size);

  uint8_t *mended = js_malloc(js, size * sizeof replacement);
  if (!mended) return JS_EXCEPTION;
  size_t length = 0;
  for (at = 0; at < size;) {
    size_t step = utf8_sequence(bytes + at, size - at, &well_formed), width = well_formed ? step : sizeof replacement;
    memcpy(mended + length, well_formed ? bytes + at : replacement, width);
    length += width, at += step;
  }
  JSValue text = JS_NewStringLen(js, (const char *)mended, length);
  js_free(js, mended);
  return text;
}

char *encode_utf8(JSContext *js, JSValueConst value, size_t *size) {
  if (!JS_IsString(value)) return JS_ThrowTypeError(js, "Cannot encode what is not a string"), NULL;
  const char *text = JS_ToCStringLen(js, size, value);
  if (!text) return NULL;
  char *copy = js_malloc(js, *size + 1);
  if (copy) memcpy(copy, text, *size + 1);
  JS_FreeCString(js, text);
  /* The engine writes a lone surrogate as three bytes, ED A0..BF xx: as long as U+FFFD. */
  for (char *at = copy; at && (at = memchr(at, 0xed, (size_t)(copy + *size - at))); at++)
    if ((uint8_t)at[1] >= 0xa0) memcpy(at, replacement, sizeof replacement);
  return copy;
}

char *encode_name(JSContext *js, JSValueConst value) {
  size_t size;
  char *name = encode_utf8(js, value, &size);
  if (!name || strlen(name) == size) return name;
  js_free(js, name);
  return JS_ThrowRangeError(js, "Cannot use a name with a NUL in it"), NULL;
}

uint8_t *bytes_of(JSContext *js, JSValueConst value, size_t *size) {
  size_t offset, width, whole;
  JSValue buffer = JS_GetTypedArrayBuffer(js, value, &offset, size, &width);
  if (JS_IsException(buffer)) return NULL;
  uint8_t *bytes = JS_GetArrayBuffer(js, &whole, buffer);
  JS_FreeValue(js, buffer); /* the array itself holds it */
  if (!bytes) return NULL;
  if (width != 1) return JS_ThrowTypeError(js, "Cannot use a typed array of more than bytes"), NULL;
  if (offset > whole || *size > whole - offset) return JS_ThrowRangeError(js, "Cannot use an array past its buffer's end"), NULL;
  return bytes + offset;
}

JSValue new_bytes(JSContext *js, const uint8_t *bytes, size_t size) {
  JSValue buffer = JS_NewArrayBufferCopy(js, bytes, size);
  if (JS_IsException(buffer)) return buffer;
  JSValueConst whole[] = {buffer, JS_UNDEFINED, JS_UNDEFINED}; /* the constructor reads offset and length as well */
  JSValue array = JS_NewTypedArray(js, 3, whole, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(js, buffer);
  return array;
}
