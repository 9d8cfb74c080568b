/* SPDX-License-Identifier: BSD-3-Clause */

/* udma setup cleanup: what processes and boots have left behind. */

#include "setup.h"
#include "tool.h"

#include "spdk/string.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/var/tmp"
#define CLAIM  "spdk_pci_lock_"

struct cleanup {
	unsigned removed;
	int status;
};

/** Whether the name may go: a plain file, and it is we who have the lock now. */
static bool
is_left_over(int fd)
{
	struct flock claim = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1 &&
	       fcntl(fd, F_SETLK, &claim) == 0;
}

static void
remove_claim(void *ctx, const char *name)
{
	struct cleanup *cleanup = ctx;
	char path[PATH_MAX];
	int fd;

	if (strncmp(name, CLAIM, strlen(CLAIM)) != 0) {
		return;
	}
	setup_path(path, FOLDER "/%s", name);
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && is_left_over(fd)) {
		if (setup_is_dry_run() || unlink(path) == 0) {
			setup_say("remove %s: no process holds it", path);
			cleanup->removed++;
		} else {
			complain("cannot remove %s: %s", path, spdk_strerror(errno));
			cleanup->status = STATUS_FAILED;
		}
	}
	if (fd >= 0) {
		close(fd);
	}
}

static int
cleanup_all(void)
{
	struct cleanup cleanup = {.status = STATUS_OK};
	char path[PATH_MAX];

	setup_path(path, FOLDER);
	setup_each_name(path, remove_claim, &cleanup);
	if (setup_journal_count() < 0) {
		setup_say("remove the journal of another boot");
		cleanup.removed++;
		if (setup_journal_discard() != 0) {
			cleanup.status = STATUS_FAILED;
		}
	}
	if (cleanup.removed == 0 && cleanup.status == STATUS_OK) {
		setup_say("nothing to clean up");
	}
	return cleanup.status;
}

int
setup_cleanup(const struct setup_options *options)
{
	int status = setup_journal_open(true);

	(void)options;
	if (status == STATUS_OK) {
		status = cleanup_all();
		setup_journal_close();
	}
	return status;
}
