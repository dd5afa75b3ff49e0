// Reads the arguments of a tool that takes one text. Not a JSON library: for more, bring one.
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

// True if the JSON is an object with this one member, a string. Its text is allocated and belongs
// to the caller; it may hold zeros.
bool json_one_text(const char *json, size_t length, const char *name, char **text, size_t *size);

#endif
