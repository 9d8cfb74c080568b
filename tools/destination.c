/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Writing the destination of a copy. A regular file is written under a temporary name in the same
 * directory and renamed when it is complete, so that its name never shows half a file.
 */

#include "file.h"
#include "place.h"
#include "stop.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZEROES_BYTES ((size_t)64 * 1024)

int
destination_open(struct destination *destination, const char *name, const struct source *source)
{
	*destination = (struct destination){.fd = -1};
	return place_open(destination, name, source);
}

/** \return the way out of an error of write(). */
static const char *
advice(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return "; free some space, or choose another place";
	case EFBIG:
		return "; neither 'ulimit -f' nor the file system may be smaller than the file";
	case EPIPE:
		return "; whoever read it has closed it";
	default:
		return "";
	}
}

static int
write_failed(const struct destination *destination, const char *what, uint64_t offset, int error)
{
	const char *name =
		strcmp(destination->path, "-") == 0 ? "standard output" : destination->path;

	complain("cannot %s '%s' at byte %" PRIu64 ": %s%s", what, name, offset, strerror(error),
		 advice(error));
	return -error;
}

static int
write_all(const struct destination *destination, const uint8_t *bytes, size_t length,
	  uint64_t offset)
{
	while (length > 0) {
		ssize_t n = destination->kind == FILE_STREAM
				    ? write(destination->fd, bytes, length)
				    : pwrite(destination->fd, bytes, length, (off_t)offset);

		if (n < 0 && errno == EINTR && !stop_requested()) {
			continue;
		}
		/* Somebody may have made standard output non-blocking. */
		if (n < 0 && errno == EAGAIN && !stop_requested()) {
			struct pollfd room = {.fd = destination->fd, .events = POLLOUT};

			poll(&room, 1, -1);
			continue;
		}
		if (n <= 0) {
			int error = n == 0 ? ENOSPC : errno;

			return stop_requested() ? -EINTR
						: write_failed(destination, "write", offset, error);
		}
		bytes += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	return 0;
}

/** Where a hole cannot be left out, it is written. */
static int
write_zeroes(const struct destination *destination, const struct piece *piece)
{
	static const uint8_t zeroes[ZEROES_BYTES];
	uint64_t done = 0;

	while (done < piece->length) {
		uint64_t left = piece->length - done;
		size_t part = left < sizeof(zeroes) ? (size_t)left : sizeof(zeroes);
		int rc = stop_requested()
				 ? -EINTR
				 : write_all(destination, zeroes, part, piece->offset + done);

		if (rc != 0) {
			return rc;
		}
		done += part;
	}
	return 0;
}

int
destination_write(struct destination *destination, const void *bytes, const struct piece *piece)
{
	int rc = 0;

	if (!piece->is_hole) {
		rc = write_all(destination, bytes, (size_t)piece->length, piece->offset);
	} else if (destination->kind != FILE_REGULAR) {
		rc = write_zeroes(destination, piece);
	}
	destination->written = piece->offset + piece->length;
	return rc;
}

int
destination_complete(struct destination *destination)
{
	/* A hole at the end leaves the file too short. */
	if (destination->kind == FILE_REGULAR &&
	    ftruncate(destination->fd, (off_t)destination->written) != 0) {
		return write_failed(destination, "extend", destination->written, errno);
	}
	/* A device says only now what it could not take; and what is read back afterwards is to
	 * come from the device. */
	if (destination->kind == FILE_BLOCK) {
		if (fsync(destination->fd) != 0) {
			return write_failed(destination, "write", destination->written, errno);
		}
		posix_fadvise(destination->fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	return 0;
}

int
destination_commit(struct destination *destination)
{
	int fd = destination->fd;

	if (destination->kind == FILE_STREAM) {
		return 0;
	}
	destination->fd = -1;
	/* Some file systems report at close() that they had no room. */
	if (close(fd) != 0 && errno != EINTR) {
		return write_failed(destination, "write", destination->written, errno);
	}
	if (destination->temporary == NULL) {
		return 0;
	}
	if (rename(destination->temporary, destination->path) != 0) {
		int error = errno;

		complain("cannot rename '%s' to '%s': %s", destination->temporary,
			 destination->path, strerror(error));
		return -error;
	}
	free(destination->temporary);
	destination->temporary = NULL;
	return 0;
}

void
destination_close(struct destination *destination)
{
	if (destination->fd > STDERR_FILENO) {
		close(destination->fd);
	}
	if (destination->temporary != NULL) {
		unlink(destination->temporary);
		free(destination->temporary);
	}
	free(destination->path);
}
