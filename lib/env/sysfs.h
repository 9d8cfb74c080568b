/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The one way to read sysfs. Paths are printf formats, below udma_sysfs_root; what stands in the
 * files is checked, and nothing is logged: the caller knows what a missing file means.
 */

#ifndef UDMA_ENV_SYSFS_H
#define UDMA_ENV_SYSFS_H

#include <stddef.h>

/** "/sys"; tests put a tree of their own here. */
extern const char *udma_sysfs_root;

/** Puts a path together. \return 0; -ENAMETOOLONG. */
int udma_sysfs_path(char *path, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * Reads a text file without the white space at its end.
 *
 * \return 0; -EMSGSIZE if it does not fit; -EINVAL if it is not text; a negative errno.
 */
int udma_sysfs_read(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Reads a number, decimal or 0x. \return 0; -ERANGE, -EINVAL; a negative errno. */
int udma_sysfs_read_number(long *value, long min, long max, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/** Reads the last part of what a link points to, cut to `size`. \return 0; a negative errno. */
int udma_sysfs_read_link(char *name, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
