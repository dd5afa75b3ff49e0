// {{description}}.

#include "tool.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char TOOL_NAME[] = "word_count";
const char TOOL_DESCRIPTION[] = "Counts the words of a text.";
const char TOOL_ARGUMENT[] = "text";
const char TOOL_SCHEMA[] =
    "{\"type\": \"object\", \"required\": [\"text\"], \"additionalProperties\": false,"
    " \"properties\": {\"text\": {\"type\": \"string\", \"description\": \"The text.\"}}}";
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
  (void)error;
  size_t count = words(text, size);
  *failed = count == 0;
  int written = *failed ? asprintf(answer, "there are no words in it; give a `text` with some")
                        : asprintf(answer, "%zu words", count);
  if (written < 0) abort();
  return true;
}
