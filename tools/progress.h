/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The progress line on stderr, and sizes and times in words.
 */

#ifndef UDMA_TOOL_PROGRESS_H
#define UDMA_TOOL_PROGRESS_H

#include <stdint.h>
#include <stddef.h>
#include <time.h>

/** As a total: not known. */
#define SIZE_UNKNOWN UINT64_MAX

/** Starts a line, if stderr is a terminal. \param what the word in front ("copy"). */
void progress_start(const char *what, uint64_t total);
/** The same for what is no number of bytes: the line has only its part of the total. */
void progress_start_parts(const char *what, uint64_t total);
/** Shows how much is done; not more often than an eye can follow. From one thread. */
void progress_update(uint64_t done);
/** As progress_update(), where it is not bytes that end it. \param part of it, 0 to 1. */
void progress_update_part(uint64_t done, double part);
/** Shows a line of one's own instead, if stderr is a terminal. */
void progress_show(const char *line);
/** Takes the line off the screen; the next update brings it back. */
void progress_clear(void);
/** Ends it: the line goes, and stays away. */
void progress_end(void);

/** \return seconds on a clock, such as the CPU time of a thread. */
double seconds_on(clockid_t clock);
/** \return seconds on a clock that only goes forward. */
double seconds_now(void);

/** Writes a size with a binary unit ("20.0 MiB"). \return `text`. */
const char *size_text(double bytes, char *text, size_t size);

#endif
