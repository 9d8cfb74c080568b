/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * For a guest in which a process that was copying has been killed: takes the memory that it may
 * have had, and looks whether anything still writes there.
 *
 * guard MIB MILLISECONDS [huge]
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PATTERN 0xa5a5a5a5a5a5a5a5ull

int
main(int argc, char **argv)
{
	size_t bytes = argc > 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
	long ms = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	int huge = argc > 3 && strcmp(argv[3], "huge") == 0 ? MAP_HUGETLB : 0;
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	uint64_t *guard;

	guard = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | huge, -1, 0);
	if (bytes == 0 || guard == MAP_FAILED) {
		printf("no %zu bytes to guard\n", bytes);
		return 2;
	}
	for (size_t i = 0; i < bytes / sizeof(*guard); i++) {
		guard[i] = PATTERN;
	}
	nanosleep(&pause, NULL);
	for (size_t i = 0; i < bytes / sizeof(*guard); i++) {
		if (guard[i] != PATTERN) {
			printf("stray write: %#llx at byte %zu of %zu\n",
			       (unsigned long long)guard[i], i * sizeof(*guard), bytes);
			return 1;
		}
	}
	return 0;
}
