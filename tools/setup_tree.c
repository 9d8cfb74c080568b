/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The files that udma setup reads and writes: the machine's, or those below the directory of
 * --root, which stand in for them. A dry run stops here, where everything is written.
 */

#include "setup.h"
#include "tool.h"

#include "env/sysfs.h"
#include "pci/pci_internal.h"
#include "spdk/string.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODPROBE "/sbin/modprobe"

static const char *g_root = "";
static bool g_dry_run;

int
setup_tree_init(const char *root, bool dry_run)
{
	static char sysfs[PATH_MAX], proc[PATH_MAX];
	struct stat status;
	int length = snprintf(sysfs, sizeof(sysfs), "%s/sys", root);

	if (root[0] != '\0' && (stat(root, &status) != 0 || !S_ISDIR(status.st_mode))) {
		complain("--root is '%s', and there is no such directory", root);
		return STATUS_USAGE;
	}
	/* Room for what comes below. */
	if (length > PATH_MAX / 2) {
		complain("--root is too long: %d characters", length);
		return STATUS_USAGE;
	}
	g_root = root;
	g_dry_run = dry_run;
	udma_sysfs_root = sysfs;
	snprintf(proc, sizeof(proc), "%s/proc", root);
	udma_pci_proc_dir = proc;
	return STATUS_OK;
}

bool
setup_is_tree(void)
{
	return g_root[0] != '\0';
}

bool
setup_is_dry_run(void)
{
	return g_dry_run;
}

void
setup_path(char *path, const char *format, ...)
{
	int root = snprintf(path, PATH_MAX, "%s", g_root);
	va_list args;

	va_start(args, format);
	vsnprintf(path + root, (size_t)(PATH_MAX - root), format, args);
	va_end(args);
}

void
setup_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

int
setup_write(const char *path, const char *text)
{
	size_t length = strlen(text);
	int fd, rc = 0;

	if (g_dry_run) {
		setup_say("write '%.*s' to %s", (int)strcspn(text, "\n"), text, path);
		return 0;
	}
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, text, length) != (ssize_t)length) {
		rc = errno != 0 ? -errno : -EIO;
		complain("cannot write '%.*s' to %s: %s", (int)strcspn(text, "\n"), text, path,
			 spdk_strerror(-rc));
	}
	if (fd >= 0) {
		close(fd);
	}
	return rc;
}

/** \return 0 if a program has run, and has ended with 0; a negative errno. */
static int
run(char *const *argv)
{
	extern char **environ;
	pid_t pid;
	int status, rc = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);

	if (rc != 0) {
		return -rc;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return -errno;
		}
	}
	return status == 0 ? 0 : -ENOENT;
}

int
setup_try_module(const char *module)
{
	char path[PATH_MAX], name[DRIVER_BYTES], quiet[] = "-q";
	char *argv[] = {path, quiet, name, NULL};

	setup_path(path, MODPROBE);
	snprintf(name, sizeof(name), "%s", module);
	if (g_dry_run) {
		setup_say("run %s %s", path, name);
		return 0;
	}
	fflush(stdout);
	return run(argv);
}

int
setup_load_module(const char *module)
{
	char path[PATH_MAX];
	int rc = setup_try_module(module);

	setup_path(path, MODPROBE);
	if (rc == -ENOENT && access(path, X_OK) != 0) {
		complain("the kernel's module %s cannot be loaded: %s is missing (package kmod)",
			 module, path);
	} else if (rc != 0) {
		complain("the kernel's module %s cannot be loaded: %s finds none that works; "
			 "kernels for the cloud lack some that linux-image-amd64 has",
			 module, path);
	}
	return rc;
}

static int
is_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

unsigned
setup_each_name(const char *path, void (*fn)(void *ctx, const char *name), void *ctx)
{
	struct dirent **names;
	int count = scandir(path, &names, is_name, versionsort);

	for (int i = 0; i < count; i++) {
		if (fn != NULL) {
			fn(ctx, names[i]->d_name);
		}
		free(names[i]);
	}
	if (count >= 0) {
		free(names);
	}
	return count > 0 ? (unsigned)count : 0;
}

unsigned
setup_count_names(const char *path)
{
	return setup_each_name(path, NULL, NULL);
}
