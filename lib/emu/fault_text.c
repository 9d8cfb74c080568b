/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Faults as text: KIND[:NAME=VALUE]…
 */

#include "udma/fault.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spdk/util.h"

/** What the number of a fault is called, and its largest value. */
enum value_name { NO_VALUE, BIT, US, WORD, OFFSET };

static const struct {
	const char *name;
	uint64_t max;
} g_values[] = {
	[NO_VALUE] = {NULL, 0},        [BIT] = {"bit", 31},          [US] = {"us", UINT32_MAX},
	[WORD] = {"word", UINT64_MAX}, [OFFSET] = {"offset", 0xFFF},
};

static const struct {
	const char *name;
	enum value_name value;
	bool stops; /* has a step */
	bool moves; /* has addresses */
} g_kinds[] = {
	[UDMA_FAULT_ERROR] = {"error", BIT, true, true},
	[UDMA_FAULT_HALT] = {"halt", BIT, true, true},
	[UDMA_FAULT_HANG] = {"hang", US, true, true},
	[UDMA_FAULT_DELAY] = {"delay", US, true, true},
	[UDMA_FAULT_FLIP] = {"flip", NO_VALUE, false, false},
	[UDMA_FAULT_LATE_STORE] = {"late-store", NO_VALUE, false, true},
	[UDMA_FAULT_EARLY_SOURCE] = {"early-source", NO_VALUE, false, true},
	[UDMA_FAULT_LOST_WORD] = {"lost-word", NO_VALUE, false, false},
	[UDMA_FAULT_DOUBLED_WORD] = {"doubled-word", NO_VALUE, false, false},
	[UDMA_FAULT_WRONG_WORD] = {"wrong-word", WORD, false, false},
	[UDMA_FAULT_LOST_INTERRUPT] = {"lost-interrupt", NO_VALUE, false, false},
	[UDMA_FAULT_SPURIOUS_INTERRUPT] = {"spurious-interrupt", NO_VALUE, false, true},
	[UDMA_FAULT_RESET] = {"reset", US, false, false},
	[UDMA_FAULT_ONES] = {"ones", US, false, true},
	[UDMA_FAULT_REMOVAL] = {"removal", US, false, true},
	[UDMA_FAULT_CONFIG] = {"config", OFFSET, false, false},
};

static const char *const g_steps[] = {
	[UDMA_FAULT_READ] = "read",           [UDMA_FAULT_FETCH] = "fetch",
	[UDMA_FAULT_WRITE] = "write",         [UDMA_FAULT_STATUS] = "status",
	[UDMA_FAULT_INTERRUPT] = "interrupt",
};

/** What is being read, for what is wrong with it. */
struct reader {
	struct udma_fault *fault;
	const char *kind;
	char *why;
	size_t why_size;
};

const char *
udma_fault_name(enum udma_fault_kind kind)
{
	return (unsigned)kind < UDMA_FAULT_KINDS ? g_kinds[kind].name : NULL;
}

/** A number up to `end` ('\0' or another character). \return where that is; NULL if it is none. */
static const char *
parse_number(const char *text, char end, uint64_t *number)
{
	char *rest;

	/* strtoull() would take a sign and blanks. */
	if (!isdigit((unsigned char)text[0])) {
		return NULL;
	}
	errno = 0;
	*number = strtoull(text, &rest, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
	return errno == 0 && *rest == end ? rest : NULL;
}

/** A number that is all of the text. */
static int
parse_value(const struct reader *reader, const char *name, const char *text, uint64_t min,
	    uint64_t max, uint64_t *number)
{
	if (parse_number(text, '\0', number) == NULL || *number < min || *number > max) {
		snprintf(reader->why, reader->why_size,
			 "%s is \"%.32s\"; a number from %ju to %ju is expected", name, text,
			 (uintmax_t)min, (uintmax_t)max);
		return -EINVAL;
	}
	return 0;
}

static int
parse_range(const struct reader *reader, const char *name, const char *text,
	    struct udma_fault_range *range)
{
	const char *plus = parse_number(text, '+', &range->addr);

	if (plus == NULL || parse_number(plus + 1, '\0', &range->len) == NULL || range->len == 0) {
		snprintf(reader->why, reader->why_size,
			 "%s is \"%.48s\"; ADDRESS+LENGTH is expected, as in 0x20000000+4096", name,
			 text);
		return -EINVAL;
	}
	return 0;
}

static int
parse_step(const struct reader *reader, const char *text)
{
	for (unsigned i = 0; i < UDMA_FAULT_STEPS; i++) {
		if (strcmp(text, g_steps[i]) == 0) {
			reader->fault->step = (enum udma_fault_step)i;
			return 0;
		}
	}
	snprintf(reader->why, reader->why_size,
		 "step is \"%.32s\"; fetch, read, write, status or interrupt is expected", text);
	return -EINVAL;
}

/** The number that the kind has a name of its own for. */
static int
parse_own(const struct reader *reader, const char *name, const char *text)
{
	enum value_name value = g_kinds[reader->fault->kind].value;
	uint64_t number = 0;
	int rc = parse_value(reader, name, text, 0, g_values[value].max, &number);

	if (value == BIT) {
		number = reader->fault->value | 1ull << number;
	}
	if (rc == 0) {
		reader->fault->value = number;
	}
	return rc;
}

static int
parse_name(const struct reader *reader, const char *name, const char *text)
{
	struct udma_fault *fault = reader->fault;
	const char *own = g_values[g_kinds[fault->kind].value].name;
	uint64_t number = 0;
	int rc;

	if (own != NULL && strcmp(name, own) == 0) {
		return parse_own(reader, name, text);
	}
	if (g_kinds[fault->kind].stops && strcmp(name, "step") == 0) {
		return parse_step(reader, text);
	}
	if (g_kinds[fault->kind].moves && strcmp(name, "source") == 0) {
		return parse_range(reader, name, text, &fault->source);
	}
	if (g_kinds[fault->kind].moves && strcmp(name, "destination") == 0) {
		return parse_range(reader, name, text, &fault->destination);
	}
	if (strcmp(name, "at") == 0) {
		return parse_value(reader, name, text, 1, UINT64_MAX, &fault->at);
	}
	if (strcmp(name, "every") == 0) {
		return parse_value(reader, name, text, 1, UINT64_MAX, &fault->every);
	}
	if (strcmp(name, "times") == 0) {
		return parse_value(reader, name, text, 1, UINT64_MAX, &fault->times);
	}
	if (strcmp(name, "seed") == 0) {
		return parse_value(reader, name, text, 0, UINT64_MAX, &fault->seed);
	}
	if (strcmp(name, "random") == 0) {
		rc = parse_value(reader, name, text, 1, UINT32_MAX, &number);
		fault->one_in = (uint32_t)number;
		return rc;
	}
	snprintf(reader->why, reader->why_size,
		 "%s has no \"%.32s\"; it has %s%s%s%sat, every, random, seed and times",
		 reader->kind, name, own != NULL ? own : "", own != NULL ? ", " : "",
		 g_kinds[fault->kind].stops ? "step, " : "",
		 g_kinds[fault->kind].moves ? "source, destination, " : "");
	return -EINVAL;
}

static int
parse_kind(const struct reader *reader, const char *text)
{
	size_t used;

	for (unsigned i = 0; i < UDMA_FAULT_KINDS; i++) {
		if (strcmp(text, g_kinds[i].name) == 0) {
			reader->fault->kind = (enum udma_fault_kind)i;
			return 0;
		}
	}
	used = (size_t)snprintf(reader->why, reader->why_size,
				"there is no fault \"%.24s\"; there are", text);
	for (unsigned i = 0; i < UDMA_FAULT_KINDS && used < reader->why_size; i++) {
		used += (size_t)snprintf(reader->why + used, reader->why_size - used, "%s %s",
					 i > 0 ? "," : "", g_kinds[i].name);
	}
	return -EINVAL;
}

/** What a kind cannot do without. */
static int
check(const struct reader *reader)
{
	const struct udma_fault *fault = reader->fault;

	if ((fault->kind == UDMA_FAULT_ERROR || fault->kind == UDMA_FAULT_DELAY) &&
	    fault->value == 0) {
		snprintf(reader->why, reader->why_size, "%s needs %s, as in %s", reader->kind,
			 g_values[g_kinds[fault->kind].value].name,
			 fault->kind == UDMA_FAULT_ERROR ? "error:bit=8:every=100"
							 : "delay:us=1000:every=100");
		return -EINVAL;
	}
	return 0;
}

int
udma_fault_parse(const char *text, struct udma_fault *fault, char *why, size_t size)
{
	struct reader reader = {.fault = fault, .why = why, .why_size = size};
	char *copy = strdup(text), *next = copy, *word;
	int rc;

	*fault = (struct udma_fault){0};
	if (copy == NULL) {
		snprintf(why, size, "there is no memory");
		return -ENOMEM;
	}
	reader.kind = strsep(&next, ":");
	rc = parse_kind(&reader, reader.kind);
	while (rc == 0 && (word = strsep(&next, ":")) != NULL) {
		char *value = strchr(word, '=');

		if (value != NULL) {
			*value++ = '\0';
		}
		rc = parse_name(&reader, word, value != NULL ? value : "");
	}
	if (rc == 0) {
		rc = check(&reader);
	}
	free(copy);
	return rc;
}
