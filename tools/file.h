/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Both ends of a copy: a source that is read piece by piece, and a destination.
 *
 * Every call says itself what went wrong (complain()), except that it was told to stop, and then
 * returns a negative errno: -EINTR if it was told to stop.
 */

#ifndef UDMA_TOOL_FILE_H
#define UDMA_TOOL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum file_kind {
	FILE_REGULAR,
	FILE_BLOCK,
	FILE_STREAM, /* anything without a size: a pipe, a terminal, standard input and output */
};

/** Part of a file: bytes, or a hole, which reads as zeroes and takes no space. */
struct piece {
	uint64_t offset;
	uint64_t length;
	bool is_hole;
};

struct source {
	const char *name;
	int fd;
	enum file_kind kind;
	struct stat stat;
	uint64_t size;     /* as it was when it was opened; SIZE_UNKNOWN for a stream */
	uint64_t position; /* of the next piece */
	uint64_t data_end; /* up to here there is no hole */
};

/** \param name a path, or "-" for standard input. */
int source_open(struct source *source, const char *name);
/** Takes an open file as a source, from its beginning. It is not closed by source_close(). */
void source_of_file(struct source *source, const char *name, int fd, enum file_kind kind,
		    uint64_t size);
/**
 * Reads on.
 *
 * \param buffer gets the bytes, unless it is a hole. \param size of the buffer.
 * \return 1 and a piece; 0 at the end.
 */
int source_next(struct source *source, void *buffer, size_t size, struct piece *piece);
void source_close(struct source *source);

struct destination {
	char *path;      /* where it ends up; "-" for standard output */
	char *temporary; /* NULL: written in place */
	int fd;
	enum file_kind kind;
	uint64_t written; /* offset behind the last piece */
};

/**
 * Opens a destination for a source: a path, a directory that gets a file of the source's name, or
 * "-" for standard output. A regular file is written under a temporary name beside it.
 */
int destination_open(struct destination *destination, const char *name,
		     const struct source *source);
/** Writes a piece behind the last one. */
int destination_write(struct destination *destination, const void *bytes,
		      const struct piece *piece);
/** After the last piece: the file is complete, but not under its name yet. */
int destination_complete(struct destination *destination);
/** Gives the file its name. */
int destination_commit(struct destination *destination);
/** Closes it; what was not committed is removed. */
void destination_close(struct destination *destination);

#endif
