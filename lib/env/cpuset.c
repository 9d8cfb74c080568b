/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/cpuset.h"
#include "spdk/log.h"

#define CPUSET_BYTES  (SPDK_CPUSET_SIZE / 8)
#define CPUSET_DIGITS (SPDK_CPUSET_SIZE / 4)

struct spdk_cpuset *
spdk_cpuset_alloc(void)
{
	return calloc(1, sizeof(struct spdk_cpuset));
}

void
spdk_cpuset_free(struct spdk_cpuset *set)
{
	free(set);
}

bool
spdk_cpuset_equal(const struct spdk_cpuset *set1, const struct spdk_cpuset *set2)
{
	return memcmp(set1->cpus, set2->cpus, CPUSET_BYTES) == 0;
}

void
spdk_cpuset_copy(struct spdk_cpuset *dst, const struct spdk_cpuset *src)
{
	memmove(dst->cpus, src->cpus, CPUSET_BYTES);
}

void
spdk_cpuset_negate(struct spdk_cpuset *set)
{
	for (size_t i = 0; i < CPUSET_BYTES; i++) {
		set->cpus[i] = (uint8_t)~set->cpus[i];
	}
}

void
spdk_cpuset_and(struct spdk_cpuset *dst, const struct spdk_cpuset *src)
{
	for (size_t i = 0; i < CPUSET_BYTES; i++) {
		dst->cpus[i] &= src->cpus[i];
	}
}

void
spdk_cpuset_or(struct spdk_cpuset *dst, const struct spdk_cpuset *src)
{
	for (size_t i = 0; i < CPUSET_BYTES; i++) {
		dst->cpus[i] |= src->cpus[i];
	}
}

void
spdk_cpuset_xor(struct spdk_cpuset *dst, const struct spdk_cpuset *src)
{
	for (size_t i = 0; i < CPUSET_BYTES; i++) {
		dst->cpus[i] ^= src->cpus[i];
	}
}

void
spdk_cpuset_zero(struct spdk_cpuset *set)
{
	memset(set->cpus, 0, CPUSET_BYTES);
}

void
spdk_cpuset_set_cpu(struct spdk_cpuset *set, uint32_t cpu, bool state)
{
	uint8_t bit = (uint8_t)(1u << cpu % 8);

	assert(cpu < SPDK_CPUSET_SIZE);
	if (state) {
		set->cpus[cpu / 8] |= bit;
	} else {
		set->cpus[cpu / 8] &= (uint8_t)~bit;
	}
}

bool
spdk_cpuset_get_cpu(const struct spdk_cpuset *set, uint32_t cpu)
{
	assert(cpu < SPDK_CPUSET_SIZE);
	return set->cpus[cpu / 8] >> cpu % 8 & 1;
}

uint32_t
spdk_cpuset_count(const struct spdk_cpuset *set)
{
	uint32_t count = 0;

	for (size_t i = 0; i < CPUSET_BYTES; i++) {
		count += (uint32_t)__builtin_popcount(set->cpus[i]);
	}
	return count;
}

const char *
spdk_cpuset_fmt(struct spdk_cpuset *set)
{
	char *out = set->str;

	for (size_t digit = CPUSET_DIGITS; digit-- > 0;) {
		unsigned value = set->cpus[digit / 2] >> digit % 2 * 4 & 0xf;

		if (value != 0 || out != set->str || digit == 0) {
			*out++ = "0123456789abcdef"[value];
		}
	}
	*out = '\0';
	return set->str;
}

/* Reads the hexadecimal digits of [text, end), the lowest last. */
static int
parse_mask(struct spdk_cpuset *set, const char *text, const char *end)
{
	if (end - text > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		text += 2;
	}
	if (text == end) {
		return -EINVAL;
	}
	for (size_t digit = 0; end > text; digit++) {
		char c = *--end;
		unsigned value;

		if (!isxdigit((unsigned char)c)) {
			return -EINVAL;
		}
		value = (unsigned)(isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10);
		if (digit < CPUSET_DIGITS) {
			set->cpus[digit / 2] |= (uint8_t)(value << digit % 2 * 4);
		} else if (value != 0) {
			return -EINVAL;
		}
	}
	return 0;
}

static const char *
skip_blanks(const char *text)
{
	while (*text == ' ' || *text == '\t') {
		text++;
	}
	return text;
}

/* Reads one decimal core number. \return what follows it; NULL if there is none in range. */
static const char *
parse_cpu(const char *text, uint32_t *cpu)
{
	text = skip_blanks(text);
	if (!isdigit((unsigned char)*text)) {
		return NULL;
	}
	for (*cpu = 0; isdigit((unsigned char)*text); text++) {
		*cpu = *cpu * 10 + (uint32_t)(*text - '0');
		if (*cpu >= SPDK_CPUSET_SIZE) {
			return NULL;
		}
	}
	return skip_blanks(text);
}

/* Reads "a,b-c]" up to `end`. */
static int
parse_list(struct spdk_cpuset *set, const char *text, const char *end)
{
	for (;;) {
		uint32_t first, last;

		text = parse_cpu(text, &first);
		if (text == NULL) {
			return -EINVAL;
		}
		last = first;
		if (*text == '-') {
			text = parse_cpu(text + 1, &last);
			if (text == NULL || last < first) {
				return -EINVAL;
			}
		}
		for (uint32_t cpu = first; cpu <= last; cpu++) {
			spdk_cpuset_set_cpu(set, cpu, true);
		}
		if (*text == ']') {
			return text + 1 == end ? 0 : -EINVAL;
		}
		if (*text++ != ',') {
			return -EINVAL;
		}
	}
}

void
spdk_cpuset_for_each_cpu(const struct spdk_cpuset *set, void (*fn)(void *ctx, uint32_t cpu),
			 void *ctx)
{
	for (uint32_t cpu = 0; cpu < SPDK_CPUSET_SIZE; cpu++) {
		if (spdk_cpuset_get_cpu(set, cpu)) {
			fn(ctx, cpu);
		}
	}
}

int
spdk_cpuset_parse(struct spdk_cpuset *set, const char *mask)
{
	struct spdk_cpuset parsed = {0};
	const char *text, *end;
	int rc;

	if (set == NULL || mask == NULL) {
		SPDK_ERRLOG("cannot read a set of cores: NULL given\n");
		return -EINVAL;
	}
	text = skip_blanks(mask);
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1])) {
		end--;
	}
	rc = *text == '[' ? parse_list(&parsed, text + 1, end) : parse_mask(&parsed, text, end);
	if (rc != 0) {
		SPDK_ERRLOG("cannot read '%s' as a set of cores: give a mask such as 0x5 or a list "
			    "such as [0,2-3], cores below %d\n",
			    mask, SPDK_CPUSET_SIZE);
		return rc;
	}
	spdk_cpuset_copy(set, &parsed);
	return 0;
}
