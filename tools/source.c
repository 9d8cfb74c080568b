/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Reading the source of a copy. Of a file, what was there when it was opened is read: one that
 * grows is copied up to its old end, one that shrinks is an error.
 */

#include "file.h"
#include "progress.h"
#include "stop.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/** \return the way out of an error of open(). */
static const char *
advice(int error)
{
	switch (error) {
	case ENOENT:
		return "; is the name right?";
	case EACCES:
	case EPERM:
		return "; run it as a user who may read it";
	default:
		return "";
	}
}

static int
open_path(const char *name)
{
	int fd;

	do {
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0 && errno == EINTR && stop_requested()) {
			return -EINTR;
		}
	} while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		int error = errno;

		complain("cannot open '%s': %s%s", name, strerror(error), advice(error));
		return -error;
	}
	return fd;
}

/** Finds out what was opened, and how large it is. */
static int
identify(struct source *source)
{
	if (fstat(source->fd, &source->stat) != 0) {
		complain("cannot look at '%s': %s", source->name, strerror(errno));
		return -errno;
	}
	if (S_ISDIR(source->stat.st_mode)) {
		complain("'%s' is a directory; one file is copied at a time", source->name);
		return -EISDIR;
	}
	source->kind = FILE_STREAM;
	source->size = SIZE_UNKNOWN;
	/* Standard input is read on from where it stands. Files of /proc say that they are empty
	 * and are not: they are read to the end. */
	if (strcmp(source->name, "-") == 0) {
		return 0;
	}
	if (S_ISREG(source->stat.st_mode) && source->stat.st_size > 0) {
		source->kind = FILE_REGULAR;
		source->size = (uint64_t)source->stat.st_size;
		posix_fadvise(source->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	if (S_ISBLK(source->stat.st_mode)) {
		source->kind = FILE_BLOCK;
		if (ioctl(source->fd, BLKGETSIZE64, &source->size) != 0) {
			complain("cannot tell the size of '%s': %s", source->name, strerror(errno));
			return -errno;
		}
	}
	return 0;
}

int
source_open(struct source *source, const char *name)
{
	int rc;

	*source = (struct source){.name = name, .fd = STDIN_FILENO};
	if (strcmp(name, "-") != 0) {
		source->fd = open_path(name);
		if (source->fd < 0) {
			return source->fd;
		}
	}
	rc = identify(source);
	if (rc != 0) {
		source_close(source);
	}
	return rc;
}

void
source_of_file(struct source *source, const char *name, int fd, enum file_kind kind, uint64_t size)
{
	*source = (struct source){.name = name, .fd = fd, .kind = kind, .size = size};
}

static int
read_failed(const struct source *source, int error)
{
	complain("cannot read '%s' at byte %" PRIu64 ": %s", source->name, source->position,
		 strerror(error));
	return -error;
}

/** The file has ended before its size. */
static int
too_short(const struct source *source, uint64_t end)
{
	struct stat now;

	if (fstat(source->fd, &now) == 0 && (uint64_t)now.st_size < source->size) {
		complain("'%s' shrank from %" PRIu64 " to %" PRIu64
			 " bytes while it was read; copy it again when nobody changes it",
			 source->name, source->size, (uint64_t)now.st_size);
	} else {
		complain("'%s' ended after %" PRIu64 " of the %" PRIu64
			 " bytes that it says it has; read it as a stream: "
			 "cat '%s' | udma copy - DST",
			 source->name, end, source->size, source->name);
	}
	return -EIO;
}

/** Whether there is something to read, or comes within `ms`; -1 for as long as it takes. */
static bool
is_ready(int fd, int ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return poll(&ready, 1, ms) > 0;
}

/** Fills the buffer as far as the stream goes without a wait. */
static int
next_of_stream(struct source *source, uint8_t *buffer, size_t size, struct piece *piece)
{
	size_t got = 0;

	while (got < size && (got == 0 || is_ready(source->fd, 0))) {
		ssize_t n = read(source->fd, buffer + got, size - got);

		if (n < 0 && errno == EINTR && !stop_requested()) {
			continue;
		}
		/* Somebody may have made standard input non-blocking. */
		if (n < 0 && errno == EAGAIN && !stop_requested()) {
			is_ready(source->fd, -1);
			continue;
		}
		if (n < 0) {
			return stop_requested() ? -EINTR : read_failed(source, errno);
		}
		if (n == 0) {
			break;
		}
		got += (size_t)n;
	}
	*piece = (struct piece){.offset = source->position, .length = got};
	source->position += got;
	return got > 0;
}

/**
 * Finds out where the next hole is, and where it ends.
 *
 * \return 1 if the position is in a hole, of which `piece` tells; 0 if it is in data.
 */
static int
look_for_hole(struct source *source, struct piece *piece)
{
	off_t data, hole;
	struct stat now;

	data = lseek(source->fd, (off_t)source->position, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		/* Nothing but a hole up to the end, which may have come nearer. */
		if (fstat(source->fd, &now) != 0) {
			return read_failed(source, errno);
		}
		if ((uint64_t)now.st_size < source->size) {
			return too_short(source, source->position);
		}
		data = (off_t)source->size;
	} else if (data < 0) {
		/* A file system that cannot tell: all of it is data. */
		source->data_end = source->size;
		return 0;
	}
	if ((uint64_t)data > source->position) {
		uint64_t end = (uint64_t)data < source->size ? (uint64_t)data : source->size;

		*piece = (struct piece){
			.offset = source->position,
			.length = end - source->position,
			.is_hole = true,
		};
		source->position = end;
		return 1;
	}
	hole = lseek(source->fd, data, SEEK_HOLE);
	source->data_end =
		hole < 0 || (uint64_t)hole > source->size ? source->size : (uint64_t)hole;
	return 0;
}

static int
next_of_file(struct source *source, uint8_t *buffer, size_t size, struct piece *piece)
{
	uint64_t left;
	size_t wanted, got = 0;

	if (source->position >= source->size) {
		return 0;
	}
	if (source->kind == FILE_BLOCK) {
		source->data_end = source->size;
	} else if (source->position >= source->data_end) {
		int rc = look_for_hole(source, piece);

		if (rc != 0) {
			return rc;
		}
	}
	/* If the file was cut off between the two looks, the read below finds out. */
	left = source->data_end > source->position ? source->data_end - source->position
						   : source->size - source->position;
	wanted = left < size ? (size_t)left : size;
	while (got < wanted) {
		ssize_t n = pread(source->fd, buffer + got, wanted - got,
				  (off_t)(source->position + got));

		if (n < 0 && errno == EINTR && !stop_requested()) {
			continue;
		}
		if (n < 0) {
			return errno == EINTR ? -EINTR : read_failed(source, errno);
		}
		if (n == 0) {
			return too_short(source, source->position + got);
		}
		got += (size_t)n;
	}
	*piece = (struct piece){.offset = source->position, .length = got};
	source->position += got;
	return 1;
}

int
source_next(struct source *source, void *buffer, size_t size, struct piece *piece)
{
	if (source->kind == FILE_STREAM) {
		return next_of_stream(source, buffer, size, piece);
	}
	return next_of_file(source, buffer, size, piece);
}

void
source_close(struct source *source)
{
	if (source->fd != STDIN_FILENO) {
		close(source->fd);
	}
}
