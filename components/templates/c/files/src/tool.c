#include "tool.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

{{snake}}_string_t tool_text(const char *bytes, size_t size) {
  {{snake}}_string_t text = {malloc(size == 0 ? 1 : size), size};
  if (text.ptr == NULL) abort();
  memcpy(text.ptr, bytes, size);
  return text;
}

static {{snake}}_string_t copy(const char *text) { return tool_text(text, strlen(text)); }

static bool refuse(hydroid_core_types_error_t *error, hydroid_core_types_error_kind_t kind,
                   const char *message) {
  memset(error, 0, sizeof *error);
  error->kind = kind;
  error->message = copy(message);
  return false;
}

bool exports_hydroid_tool_tool_definitions(exports_hydroid_tool_tool_list_definition_t *ret,
                                           exports_hydroid_tool_tool_error_t *err) {
  (void)err;
  exports_hydroid_tool_tool_definition_t *definition = calloc(1, sizeof *definition);
  if (definition == NULL) abort();
  definition->name = copy(TOOL_NAME);
  definition->description = copy(TOOL_DESCRIPTION);
  definition->input_schema = copy(TOOL_SCHEMA);
  definition->hints = TOOL_HINTS;
  ret->ptr = definition;
  ret->len = 1;
  return true;
}

bool exports_hydroid_tool_tool_invoke(exports_hydroid_tool_tool_call_t *call,
                                      exports_hydroid_tool_tool_outcome_t *ret,
                                      exports_hydroid_tool_tool_error_t *err) {
  if (call->name.len != strlen(TOOL_NAME) || memcmp(call->name.ptr, TOOL_NAME, call->name.len) != 0) {
    return refuse(err, HYDROID_CORE_TYPES_ERROR_KIND_NOT_FOUND, "no such tool here");
  }
  char *text;
  size_t size;
  if (!json_one_text((const char *)call->args_json.ptr, call->args_json.len, TOOL_ARGUMENT, &text,
                     &size)) {
    return refuse(err, HYDROID_CORE_TYPES_ERROR_KIND_INVALID_INPUT,
                  "the arguments do not fit the schema");
  }
  char *answer = NULL;
  bool failed = false;
  hydroid_core_types_error_t error;
  bool ran = tool_run(text, size, &answer, &failed, &error);
  free(text);
  if (!ran && error.kind == HYDROID_CORE_TYPES_ERROR_KIND_CANCELLED) {
    *err = error;
    return false;
  }
  memset(ret, 0, sizeof *ret);
  hydroid_core_types_part_t *part = calloc(1, sizeof *part);
  if (part == NULL) abort();
  part->tag = HYDROID_CORE_TYPES_PART_TEXT;
  if (ran) {
    part->val.text = copy(answer);
    free(answer);
  } else {
    // What the host refuses is something the model can act on.
    part->val.text = tool_text((const char *)error.message.ptr, error.message.len);
    hydroid_core_types_error_free(&error);
  }
  ret->content.ptr = part;
  ret->content.len = 1;
  ret->is_error = failed || !ran;
  return true;
}
