/* SPDX-License-Identifier: BSD-3-Clause */

#include "json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* U+FFFD */
static const char replacement[] = "\xef\xbf\xbd";

/** \return the length of the UTF-8 character at `text`; 0 if there is none. */
static size_t
character_length(const unsigned char *text)
{
	/* The smallest code point that needs a length; a longer form of a smaller one is invalid.
	 */
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = text[0] < 0x80             ? 1
			: (text[0] & 0xe0) == 0xc0 ? 2
			: (text[0] & 0xf0) == 0xe0 ? 3
			: (text[0] & 0xf8) == 0xf0 ? 4
						   : 0;
	uint32_t code;

	if (length <= 1) {
		return length;
	}
	code = text[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80) {
			return 0;
		}
		code = code << 6 | (text[i] & 0x3f);
	}
	return code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)
		       ? 0
		       : length;
}

struct json_object *
json_of_text(const char *text)
{
	char *valid = malloc(strlen(text) * (sizeof(replacement) - 1) + 1);
	struct json_object *object;
	size_t used = 0;

	if (valid == NULL) {
		return NULL;
	}
	while (*text != '\0') {
		size_t length = character_length((const unsigned char *)text);
		const char *from = length > 0 ? text : replacement;
		size_t part = length > 0 ? length : sizeof(replacement) - 1;

		memcpy(valid + used, from, part);
		used += part;
		text += length > 0 ? length : 1;
	}
	object = json_object_new_string_len(valid, (int)used);
	free(valid);
	return object;
}

void
json_print(FILE *stream, struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(
		object,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);

	fprintf(stream, "%s\n", text);
	json_object_put(object);
}
