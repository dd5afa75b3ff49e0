#include "json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *at;
  const char *end;
} reader;

static void spaces(reader *r) {
  while (r->at < r->end && strchr(" \t\r\n", *r->at) != NULL && *r->at != '\0') r->at++;
}

static bool mark(reader *r, char wanted) {
  spaces(r);
  if (r->at == r->end || *r->at != wanted) return false;
  r->at++;
  return true;
}

static bool hex(reader *r, uint32_t *code) {
  *code = 0;
  for (int digit = 0; digit < 4; digit++) {
    if (r->at == r->end) return false;
    char c = *r->at++;
    uint32_t value;
    if (c >= '0' && c <= '9') value = (uint32_t)(c - '0');
    else if (c >= 'a' && c <= 'f') value = (uint32_t)(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F') value = (uint32_t)(c - 'A' + 10);
    else return false;
    *code = *code * 16 + value;
  }
  return true;
}

static size_t utf8(uint32_t code, char *out) {
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    out[0] = (char)(0xc0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3f));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
  }
  out[0] = (char)(0xf0 | code >> 18);
  out[1] = (char)(0x80 | (code >> 12 & 0x3f));
  out[2] = (char)(0x80 | (code >> 6 & 0x3f));
  out[3] = (char)(0x80 | (code & 0x3f));
  return 4;
}

static bool escaped(reader *r, uint32_t *code) {
  static const char from[] = "\"\\/bfnrt";
  static const char to[] = "\"\\/\b\f\n\r\t";
  if (r->at == r->end) return false;
  char c = *r->at++;
  if (c != 'u') {
    const char *found = c == '\0' ? NULL : strchr(from, c);
    if (found == NULL) return false;
    *code = (uint32_t)to[found - from];
    return true;
  }
  if (!hex(r, code)) return false;
  if (*code < 0xd800 || *code > 0xdfff) return true;
  uint32_t low;
  if (*code > 0xdbff || r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u') return false;
  r->at += 2;
  if (!hex(r, &low) || low < 0xdc00 || low > 0xdfff) return false;
  *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
  return true;
}

// An escaped character is never shorter than what it stands for, so the text fits its source.
static bool string(reader *r, char **text, size_t *size) {
  if (!mark(r, '"')) return false;
  char *out = malloc((size_t)(r->end - r->at) + 1);
  if (out == NULL) return false;
  size_t length = 0;
  while (r->at < r->end && *r->at != '"') {
    char c = *r->at++;
    uint32_t code;
    if (c == '\\' && escaped(r, &code)) {
      length += utf8(code, out + length);
    } else if (c == '\\' || (unsigned char)c < 0x20) {
      break;
    } else {
      out[length++] = c;
    }
  }
  if (!mark(r, '"')) {
    free(out);
    return false;
  }
  *text = out;
  *size = length;
  return true;
}

bool json_one_text(const char *json, size_t length, const char *name, char **text, size_t *size) {
  reader r = {json, json + length};
  char *key;
  size_t key_size;
  if (!mark(&r, '{') || !string(&r, &key, &key_size)) return false;
  bool ours = key_size == strlen(name) && memcmp(key, name, key_size) == 0;
  free(key);
  if (!ours || !mark(&r, ':') || !string(&r, text, size)) return false;
  bool whole = mark(&r, '}');
  spaces(&r);
  if (whole && r.at == r.end) return true;
  free(*text);
  return false;
}
