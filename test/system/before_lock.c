/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Preloaded in front of udma setup: right before it takes its lock, it says so with a file, and
 * goes on when another one is there. What it has read by then can become old meanwhile.
 *
 * BEFORE_LOCK=PATH  PATH.reached appears, PATH.go is waited for
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define LOOK_US 2000

__attribute__((visibility("default"))) int
flock(int fd, int operation)
{
	int (*next)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
	const char *path = getenv("BEFORE_LOCK");
	char file[PATH_MAX];

	if (path != NULL) {
		snprintf(file, sizeof(file), "%s.reached", path);
		close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		snprintf(file, sizeof(file), "%s.go", path);
		while (access(file, F_OK) != 0) {
			usleep(LOOK_US);
		}
	}
	return next(fd, operation);
}
