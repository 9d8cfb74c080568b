/* SPDX-License-Identifier: BSD-3-Clause */

#include "number.h"
#include "tool.h"

#include "spdk/string.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_TEXT   "1G"
#define FEWEST_SECONDS 0.01

int
parse_count(const char *option, const char *text, unsigned max, unsigned *number)
{
	uint64_t value;
	int status = option_number(option, text, 1, max, &value);

	*number = status == STATUS_OK ? (unsigned)value : *number;
	return status;
}

int
parse_seconds(const char *option, const char *text, double most, double *seconds)
{
	/* strtod() knows more numbers than a user should: nan, 0x1p3. */
	bool is_plain = text[0] != '\0' && strspn(text, "0123456789.") == strlen(text);
	char *end = NULL;
	double value = is_plain ? strtod(text, &end) : 0;

	if (!is_plain || *end != '\0' || value < FEWEST_SECONDS || value > most) {
		complain("%s is '%s'; seconds from %.2f to %.0f are expected", option, text,
			 FEWEST_SECONDS, most);
		return STATUS_USAGE;
	}
	*seconds = value;
	return STATUS_OK;
}

/** \return a size; 0 if there is none in `text`, or it is too large. */
static uint64_t
parse_size(char *text)
{
	size_t length = strlen(text);
	unsigned shift = 0;
	long number;

	switch (length > 0 ? text[length - 1] : '\0') {
	case 'G':
	case 'g':
		shift += 10; /* fall through */
	case 'M':
	case 'm':
		shift += 10; /* fall through */
	case 'K':
	case 'k':
		shift += 10;
		text[length - 1] = '\0';
		break;
	}
	number = isdigit((unsigned char)text[0]) ? spdk_strtol(text, 10) : 0;
	return number > 0 && (uint64_t)number <= LARGEST_SIZE >> shift ? (uint64_t)number << shift
								       : 0;
}

/** Adds a size or a range. \return 0; -1. */
static int
add_sizes(char *word, struct sizes *sizes)
{
	char *last_text = strchr(word, '-');
	uint64_t first, last;

	if (last_text != NULL) {
		*last_text++ = '\0';
	}
	first = parse_size(word);
	last = last_text != NULL ? parse_size(last_text) : first;
	if (first == 0 || last < first) {
		return -1;
	}
	for (uint64_t size = first; size <= last; size *= 2) {
		if (sizes->count == MAX_SIZES) {
			return -1;
		}
		sizes->list[sizes->count++] = size;
	}
	return 0;
}

int
parse_sizes(const char *option, const char *text, struct sizes *sizes)
{
	char *copy = strdup(text), *next = copy, *word;
	int rc = copy != NULL ? 0 : -1;

	sizes->count = 0;
	while (rc == 0 && (word = strsep(&next, ",")) != NULL) {
		rc = add_sizes(word, sizes);
	}
	free(copy);
	if (rc != 0) {
		complain("%s is '%s'; up to %d sizes from 1 to " LARGEST_TEXT
			 " are expected, as in 4K, 512,4K,1M or 512-1M",
			 option, text, MAX_SIZES);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

const char *
size_exact_text(uint64_t bytes, char *text, size_t size)
{
	static const char units[][2] = {"", "K", "M", "G"};
	unsigned unit = 0;

	while (bytes % 1024 == 0 && bytes > 0 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, size, "%" PRIu64 "%s", bytes, units[unit]);
	return text;
}
