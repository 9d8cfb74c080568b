/* SPDX-License-Identifier: BSD-3-Clause */

/* From the name of a destination to an open file: directories, links, and what must not be. */

#include "place.h"
#include "progress.h"
#include "stop.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* As many links in a row as the kernel follows. */
#define MAX_LINKS 40

#define PERMISSIONS 0777

static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/** \return `name` in the directory that `beside` is in; NULL if there is no memory. */
static char *
path_beside(const char *beside, const char *name)
{
	char *path;

	return asprintf(&path, "%.*s%s", (int)(base_of(beside) - beside), beside, name) < 0 ? NULL
											    : path;
}

static int
no_memory(void)
{
	complain("no memory for a file name");
	return -ENOMEM;
}

/** Replaces a path that is a symbolic link by what it points to, so that the link stays. */
static int
follow_links(char **path)
{
	char target[PATH_MAX];
	struct stat link;

	for (int i = 0; i < MAX_LINKS; i++) {
		char *followed;
		ssize_t length;

		if (lstat(*path, &link) != 0 || !S_ISLNK(link.st_mode)) {
			return 0;
		}
		length = readlink(*path, target, sizeof(target) - 1);
		if (length < 0) {
			complain("cannot read the link '%s': %s", *path, strerror(errno));
			return -errno;
		}
		target[length] = '\0';
		followed = target[0] == '/' ? strdup(target) : path_beside(*path, target);
		if (followed == NULL) {
			return no_memory();
		}
		free(*path);
		*path = followed;
	}
	complain("'%s' is a link that leads back to itself", *path);
	return -ELOOP;
}

/** In a directory the copy has the name of its source. */
static int
enter_directory(char **path, const struct source *source)
{
	const char *slash = (*path)[strlen(*path) - 1] == '/' ? "" : "/";
	char *inside;

	if (strcmp(source->name, "-") == 0) {
		complain("'%s' is a directory, and standard input has no name: name the file",
			 *path);
		return -EISDIR;
	}
	if (asprintf(&inside, "%s%s%s", *path, slash, base_of(source->name)) < 0) {
		return no_memory();
	}
	free(*path);
	*path = inside;
	return 0;
}

/** Whether two names lead to the same bytes. */
static bool
is_same(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode)) {
		return a->st_rdev == b->st_rdev;
	}
	return S_ISREG(a->st_mode) && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int
refuse_same(const struct stat *there, const struct source *source, const char *path)
{
	if (!is_same(&source->stat, there)) {
		return 0;
	}
	complain("'%s' and '%s' are the same file; choose another name", source->name, path);
	return -EINVAL;
}

static int
cannot_open(const char *path, int error)
{
	complain("cannot open '%s' to write: %s%s", path, strerror(error),
		 error == EBUSY                      ? "; it is in use: unmount it first"
		 : error == EACCES || error == EPERM ? "; run it as a user who may write it"
						     : "");
	return -error;
}

/** A pipe or a device, which is written as it is. */
static int
open_in_place(struct destination *destination, int flags)
{
	do {
		destination->fd = open(destination->path, flags | O_CLOEXEC | O_NOCTTY);
		if (destination->fd < 0 && errno == EINTR && stop_requested()) {
			return -EINTR;
		}
	} while (destination->fd < 0 && errno == EINTR);
	return destination->fd < 0 ? cannot_open(destination->path, errno) : 0;
}

static int
open_block_device(struct destination *destination, const struct source *source)
{
	uint64_t size;
	/* O_EXCL keeps us away from one that is mounted. */
	int rc = open_in_place(destination, O_RDWR | O_EXCL);

	if (rc != 0) {
		return rc;
	}
	if (ioctl(destination->fd, BLKGETSIZE64, &size) != 0) {
		complain("cannot tell the size of '%s': %s", destination->path, strerror(errno));
		return -errno;
	}
	if (source->size != SIZE_UNKNOWN && source->size > size) {
		complain("'%s' has %" PRIu64 " bytes and '%s' has room for %" PRIu64
			 "; choose a larger device",
			 source->name, source->size, destination->path, size);
		return -ENOSPC;
	}
	destination->kind = FILE_BLOCK;
	return 0;
}

static mode_t
mode_of_new_file(const struct source *source)
{
	mode_t mask;

	if (S_ISREG(source->stat.st_mode) && strcmp(source->name, "-") != 0) {
		return source->stat.st_mode & PERMISSIONS;
	}
	mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

/** \param replaced what has the name already, NULL if nothing has. */
static int
open_temporary(struct destination *destination, const struct source *source,
	       const struct stat *replaced)
{
	mode_t mode = replaced ? replaced->st_mode & PERMISSIONS : mode_of_new_file(source);

	if (replaced != NULL && faccessat(AT_FDCWD, destination->path, W_OK, AT_EACCESS) != 0) {
		return cannot_open(destination->path, errno);
	}
	destination->temporary = path_beside(destination->path, ".udma-copy-XXXXXX");
	if (destination->temporary == NULL) {
		return no_memory();
	}
	destination->fd = mkostemp(destination->temporary, O_CLOEXEC);
	if (destination->fd < 0) {
		int error = errno;

		complain("cannot create a file in the directory of '%s': %s%s", destination->path,
			 strerror(error),
			 error == ENOENT   ? "; create the directory first"
			 : error == EACCES ? "; run it as a user who may write there"
					   : "");
		free(destination->temporary);
		destination->temporary = NULL;
		return -error;
	}
	/* Root keeps the owner as well; others could not, and own the new file. */
	if (replaced != NULL && fchown(destination->fd, replaced->st_uid, replaced->st_gid) != 0 &&
	    geteuid() == 0) {
		complain("the owner of '%s' cannot be kept: %s; going on as the owner",
			 destination->path, strerror(errno));
	}
	if (fchmod(destination->fd, mode) != 0) {
		complain("cannot set the mode of '%s': %s", destination->temporary,
			 strerror(errno));
		return -errno;
	}
	destination->kind = FILE_REGULAR;
	return 0;
}

/** What is there and is no regular file is opened as it is, by whatever links lead to it. */
static int
open_special(struct destination *destination, const struct source *source, const struct stat *there)
{
	if (S_ISDIR(there->st_mode)) {
		return cannot_open(destination->path, EISDIR);
	}
	if (S_ISBLK(there->st_mode)) {
		return open_block_device(destination, source);
	}
	destination->kind = FILE_STREAM;
	return open_in_place(destination, O_WRONLY);
}

/** A regular file, or nothing yet: a new file takes the name that the links lead to. */
static int
open_file(struct destination *destination, const struct source *source, const struct stat *there)
{
	int rc = follow_links(&destination->path);
	struct stat followed;

	if (rc != 0) {
		return rc;
	}
	if (*base_of(destination->path) == '\0') {
		complain("'%s' is not a directory; create it first", destination->path);
		return -ENOTDIR;
	}
	/* Links in /proc can lead to a file that has lost its name. */
	if (there != NULL &&
	    (stat(destination->path, &followed) != 0 || !is_same(there, &followed))) {
		complain("cannot replace what '%s' was: it has no name any more",
			 destination->path);
		return -ENOENT;
	}
	return open_temporary(destination, source, there);
}

static int
open_path(struct destination *destination, const struct source *source)
{
	struct stat there;
	bool is_there = stat(destination->path, &there) == 0;
	int rc;

	if (destination->path[0] == '\0') {
		complain("DST is empty; name a file");
		return -ENOENT;
	}
	if (is_there && S_ISDIR(there.st_mode)) {
		rc = enter_directory(&destination->path, source);
		if (rc != 0) {
			return rc;
		}
		is_there = stat(destination->path, &there) == 0;
	}
	rc = is_there ? refuse_same(&there, source, destination->path) : 0;
	if (rc != 0) {
		return rc;
	}
	if (is_there && !S_ISREG(there.st_mode)) {
		return open_special(destination, source, &there);
	}
	return open_file(destination, source, is_there ? &there : NULL);
}

/** Standard output is written on from where it stands. */
static int
open_stdout(struct destination *destination, const struct source *source)
{
	struct stat there;

	destination->fd = STDOUT_FILENO;
	destination->kind = FILE_STREAM;
	if (fstat(STDOUT_FILENO, &there) != 0) {
		complain("standard output is closed; name a file");
		return -errno;
	}
	return refuse_same(&there, source, "standard output");
}

int
place_open(struct destination *destination, const char *name, const struct source *source)
{
	int rc;

	destination->path = strdup(name);
	if (destination->path == NULL) {
		return no_memory();
	}
	if (strcmp(name, "-") == 0) {
		rc = open_stdout(destination, source);
	} else {
		rc = open_path(destination, source);
	}
	if (rc != 0) {
		destination_close(destination);
		*destination = (struct destination){.fd = -1};
	}
	return rc;
}
