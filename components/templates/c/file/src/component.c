// {{description}}.

#include "tool.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Most bytes of a file that are looked at.
#define MOST (1 << 20)

const char TOOL_NAME[] = "file_word_count";
const char TOOL_DESCRIPTION[] = "Counts the words of a text file.";
const char TOOL_ARGUMENT[] = "path";
const char TOOL_SCHEMA[] =
    "{\"type\": \"object\", \"required\": [\"path\"], \"additionalProperties\": false,"
    " \"properties\": {\"path\": {\"type\": \"string\", \"format\": \"path\","
    " \"description\": \"The file, for example `/shared/notes.md`.\"}}}";
const exports_hydroid_tool_tool_hints_t TOOL_HINTS = {.read_only = true, .idempotent = true};

// How many words a text has.
static size_t words(const char *text, size_t size) {
  size_t count = 0;
  for (size_t i = 0; i < size; i++) {
    if (!isspace((unsigned char)text[i]) && (i == 0 || isspace((unsigned char)text[i - 1]))) count++;
  }
  return count;
}

bool tool_run(const char *text, size_t size, char **answer, bool *failed,
              hydroid_core_types_error_t *error) {
  {{snake}}_string_t path = {(uint8_t *)text, size};
  {{snake}}_list_u8_t content;
  if (!hydroid_cap_fs_read_read(&path, 0, MOST, &content, error)) return false;
  *failed = false;
  if (asprintf(answer, "%zu words", words((const char *)content.ptr, content.len)) < 0) abort();
  {{snake}}_list_u8_free(&content);
  return true;
}
