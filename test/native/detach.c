/* Gives test programs what this engine's JavaScript cannot do: `detach(buffer)` takes an ArrayBuffer's bytes away. */
#include "native.h"

bool __real_add_calls(JSContext *js);
bool __wrap_add_calls(JSContext *js);

static JSValue detach(JSContext *js, JSValueConst self, int count, JSValueConst *given) {
  (void)self, (void)count;
  JS_DetachArrayBuffer(js, given[0]);
  return JS_UNDEFINED;
}

bool __wrap_add_calls(JSContext *js) {
  JSValue global = JS_GetGlobalObject(js);
  JS_SetPropertyStr(js, global, "detach", JS_NewCFunction(js, detach, "detach", 1));
  JS_FreeValue(js, global);
  return __real_add_calls(js);
}
