/* SPDX-License-Identifier: BSD-3-Clause */

/* The values of options: one way to read them, and one to say what is wrong with them. */

#include "tool.h"

#include "spdk/string.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#define SIZE_BYTES 32

int
bad_option(char **argv)
{
	complain("option '%s' is not understood; --help lists those that are", argv[optind - 1]);
	return STATUS_USAGE;
}

/** \return the number; a negative one if it is none, or too large for anything. */
static long long
parse(const char *text, uint64_t min, uint64_t max)
{
	long long number = spdk_strtoll(text, 10);

	return number >= 0 && (uint64_t)number >= min && (uint64_t)number <= max ? number : -1;
}

int
option_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	long long value = parse(text, min, max);

	if (value < 0) {
		complain("%s is '%s'; a number from %" PRIu64 " to %" PRIu64 " is expected", option,
			 text, min, max);
		return STATUS_USAGE;
	}
	*number = (uint64_t)value;
	return STATUS_OK;
}

int
option_size(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	size_t length = strlen(text);
	const char *unit = length > 0 ? strchr(units, text[length - 1]) : NULL;
	unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
	char digits[SIZE_BYTES];
	long long value;

	snprintf(digits, sizeof(digits), "%.*s", (int)(length - (unit != NULL)), text);
	value = length < sizeof(digits) ? parse(digits, 0, max >> shift) : -1;
	if (value < 0 || (uint64_t)value << shift < min) {
		complain("%s is '%s'; a size from %" PRIu64 " to %" PRIu64
			 " bytes is expected, such as 4096 or 64K",
			 option, text, min, max);
		return STATUS_USAGE;
	}
	*bytes = (uint64_t)value << shift;
	return STATUS_OK;
}
