/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the targets share: the fuzzer's entries, its bytes, what must hold, and the log.
 */

#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include "spdk/log.h"
#include "spdk/stdinc.h"

/** Called once. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
/** Called with each input. \return 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** What must hold. Unlike assert() it cannot be left out of a build. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static inline void
fuzz_log(int level, const char *file, const int line, const char *func, const char *format,
	 va_list args)
{
	char text[1024];

	(void)level, (void)file, (void)line, (void)func;
	/* Put together all the same: it may read what it should not. */
	vsnprintf(text, sizeof(text), format, args);
}

/** Nobody reads the log of thousands of runs a second; whoever looks at one sets FUZZ_LOG. */
static inline void
fuzz_quiet(void)
{
	if (getenv("FUZZ_LOG") == NULL) {
		spdk_log_open(fuzz_log);
	}
}

/**
 * An input as two streams: a program takes bytes from the front, the device it runs against from
 * the back, so that a change to one leaves the other as it was. Past the end they are zeroes.
 */
struct input {
	const uint8_t *front;
	const uint8_t *back;
};

static inline bool
input_is_over(const struct input *input)
{
	return input->front == input->back;
}

static inline uint8_t
input_front(struct input *input)
{
	return input_is_over(input) ? 0 : *input->front++;
}

static inline uint8_t
input_back(struct input *input)
{
	return input_is_over(input) ? 0 : *--input->back;
}

static inline uint64_t
input_back64(struct input *input)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++) {
		value = value << 8 | input_back(input);
	}
	return value;
}

#endif
