/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What must hold, and what is written down of a program that is shown.
 */

#ifndef TEST_RANDOM_CHECK_H
#define TEST_RANDOM_CHECK_H

#include "spdk/stdinc.h"

/** Whether what the program does is printed. */
extern bool g_trace;

/** What must hold; unlike assert() it cannot be left out of a build. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define TRACE(...)                                                                                 \
	do {                                                                                       \
		if (g_trace) {                                                                     \
			printf(__VA_ARGS__);                                                       \
		}                                                                                  \
	} while (0)

#endif
