// {{description}}.

#include "tool.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Most bytes of a page that are looked through for its title.
#define MOST (256 << 10)

const char TOOL_NAME[] = "page_title";
const char TOOL_DESCRIPTION[] = "Says the title of a web page.";
const char TOOL_ARGUMENT[] = "url";
const char TOOL_SCHEMA[] =
    "{\"type\": \"object\", \"required\": [\"url\"], \"additionalProperties\": false,"
    " \"properties\": {\"url\": {\"type\": \"string\", \"format\": \"uri\","
    " \"description\": \"The address, for example `https://example.com/`.\"}}}";
const exports_hydroid_tool_tool_hints_t TOOL_HINTS = {
    .read_only = true, .idempotent = true, .open_world = true};

// The whole of an answer, as far as it is looked through, with a zero behind it.
static bool whole(hydroid_cap_web_borrow_response_t response, char **page,
                  hydroid_core_types_error_t *error) {
  size_t size = 0;
  *page = malloc(1);
  if (*page == NULL) abort();
  while (size < MOST) {
    {{snake}}_option_list_u8_t piece;
    if (!hydroid_cap_web_method_response_read(response, 65536, &piece, error)) {
      free(*page);
      return false;
    }
    if (!piece.is_some) break;
    *page = realloc(*page, size + piece.val.len + 1);
    if (*page == NULL) abort();
    memcpy(*page + size, piece.val.ptr, piece.val.len);
    size += piece.val.len;
    {{snake}}_list_u8_free(&piece.val);
  }
  (*page)[size] = '\0';
  return true;
}

static char *title(const char *page) {
  const char *begin = strstr(page, "<title>");
  const char *end = begin == NULL ? NULL : strstr(begin, "</title>");
  if (end == NULL) return NULL;
  begin += strlen("<title>");
  while (begin < end && isspace((unsigned char)*begin)) begin++;
  while (end > begin && isspace((unsigned char)end[-1])) end--;
  return strndup(begin, (size_t)(end - begin));
}

bool tool_run(const char *text, size_t size, char **answer, bool *failed,
              hydroid_core_types_error_t *error) {
  hydroid_cap_web_request_t request = {0};
  request.method = tool_text("GET", 3);
  request.url = tool_text(text, size);
  hydroid_cap_web_own_response_t response;
  bool sent = hydroid_cap_web_fetch(&request, NULL, &response, error);
  hydroid_cap_web_request_free(&request);
  if (!sent) return false;
  hydroid_cap_web_borrow_response_t borrowed = hydroid_cap_web_borrow_response(response);
  int status = hydroid_cap_web_method_response_status(borrowed);
  char *page = NULL;
  bool read = status != 200 || whole(borrowed, &page, error);
  hydroid_cap_web_response_drop_own(response);
  if (!read) return false;
  char *found = page == NULL ? NULL : title(page);
  free(page);
  *failed = found == NULL;
  int written = 0;
  if (status != 200) {
    written = asprintf(answer, "the page answered %d; try another address", status);
  } else if (found == NULL) {
    written = asprintf(answer, "the page has no title; try another address");
  } else {
    *answer = found;
  }
  if (written < 0) abort();
  return true;
}
