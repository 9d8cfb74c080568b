/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * String helpers that programs written for SPDK use.
 */

#ifndef SPDK_STRING_H
#define SPDK_STRING_H

#include "spdk/stdinc.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/**
 * Reads a whole number that is not negative, the whole string and nothing else.
 *
 * \param base 2 to 36, or 0 to take it from the prefix, as strtol() does.
 * \return the number; -EINVAL if anything but a number stands there; -ERANGE if it is negative or
 * too large.
 */
long int spdk_strtol(const char *nptr, int base);

/** As spdk_strtol(), for long long. */
long long int spdk_strtoll(const char *nptr, int base);

/** \return the text of an errno value. Valid until the same thread's next call. */
const char *spdk_strerror(int errnum);

/** As spdk_strerror(), into the caller's buffer. */
void spdk_strerror_r(int errnum, char *buf, size_t buflen);

/** printf() into memory that the caller frees with free(). \return NULL if there is none. */
char *spdk_sprintf_alloc(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** As spdk_sprintf_alloc(), with a va_list. */
char *spdk_vsprintf_alloc(const char *format, va_list args);

/** Copies a string into a field of `size` bytes, filled up with `pad`, without a closing NUL. */
void spdk_strcpy_pad(void *dst, const char *src, size_t size, int pad);

/** \return the length of a field of `size` bytes without the `pad` bytes at its end. */
size_t spdk_strlen_pad(const void *str, size_t size, int pad);

/** Whether `size` bytes are all zero; none are. */
bool spdk_mem_all_zero(const void *data, size_t size);

/** Turns a string to lower case in place. \return `s`; NULL for NULL. */
char *spdk_strlwr(char *s);

/** Removes white space at both ends, in place. \return `s`; NULL for NULL. */
char *spdk_str_trim(char *s);

/** Removes line ends at the end, in place. \return how many characters were removed. */
size_t spdk_str_chomp(char *s);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
