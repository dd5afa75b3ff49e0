// The export of this component, for one tool that takes one text. `component.c` says which.
#ifndef TOOL_H
#define TOOL_H

#include "{{snake}}.h"

// What the model reads of it.
extern const char TOOL_NAME[];
extern const char TOOL_DESCRIPTION[];
extern const char TOOL_SCHEMA[];
extern const char TOOL_ARGUMENT[];
extern const exports_hydroid_tool_tool_hints_t TOOL_HINTS;

// Runs it. The answer is allocated; `failed` says that it ran and failed, and the answer why.
// False is an error of the host, which `error` then holds.
bool tool_run(const char *text, size_t size, char **answer, bool *failed,
              hydroid_core_types_error_t *error);

// A text of the contract with a copy of these bytes.
{{snake}}_string_t tool_text(const char *bytes, size_t size);

#endif
