/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/string.h"

long int
spdk_strtol(const char *nptr, int base)
{
	long long value = spdk_strtoll(nptr, base);

	return value > LONG_MAX ? -ERANGE : (long)value;
}

long long int
spdk_strtoll(const char *nptr, int base)
{
	long long value;
	char *end;

	if (nptr == NULL) {
		return -EINVAL;
	}
	errno = 0;
	value = strtoll(nptr, &end, base);
	/* For a base that it does not know, strtoll() leaves `end` alone. */
	if (errno == EINVAL || end == nptr || *end != '\0') {
		return -EINVAL;
	}
	return errno == ERANGE || value < 0 ? -ERANGE : value;
}

const char *
spdk_strerror(int errnum)
{
	static __thread char text[128];

	spdk_strerror_r(errnum, text, sizeof(text));
	return text;
}

void
spdk_strerror_r(int errnum, char *buf, size_t buflen)
{
	const char *text = strerror_r(errnum, buf, buflen);

	/* The GNU function may answer with a constant of its own and leave the buffer alone. */
	if (text != buf) {
		snprintf(buf, buflen, "%s", text);
	}
}

char *
spdk_sprintf_alloc(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = spdk_vsprintf_alloc(format, args);
	va_end(args);
	return text;
}

char *
spdk_vsprintf_alloc(const char *format, va_list args)
{
	char *text;

	return vasprintf(&text, format, args) < 0 ? NULL : text;
}

void
spdk_strcpy_pad(void *dst, const char *src, size_t size, int pad)
{
	size_t len = strnlen(src, size);

	memcpy(dst, src, len);
	memset((char *)dst + len, pad, size - len);
}

size_t
spdk_strlen_pad(const void *str, size_t size, int pad)
{
	const uint8_t *bytes = str;

	while (size > 0 && bytes[size - 1] == (uint8_t)pad) {
		size--;
	}
	return size;
}

bool
spdk_mem_all_zero(const void *data, size_t size)
{
	const char *bytes = data;

	/* The first byte is zero, and each is the same as the next. */
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

char *
spdk_strlwr(char *s)
{
	if (s != NULL) {
		for (char *p = s; *p != '\0'; p++) {
			*p = (char)tolower((unsigned char)*p);
		}
	}
	return s;
}

char *
spdk_str_trim(char *s)
{
	char *start = s;
	size_t len;

	if (s == NULL) {
		return NULL;
	}
	while (isspace((unsigned char)*start)) {
		start++;
	}
	len = strlen(start);
	while (len > 0 && isspace((unsigned char)start[len - 1])) {
		len--;
	}
	memmove(s, start, len);
	s[len] = '\0';
	return s;
}

size_t
spdk_str_chomp(char *s)
{
	size_t before = strlen(s);
	size_t len = before;

	while (len > 0 && (s[len - 1] == '\n' || s[len - 1] == '\r')) {
		s[--len] = '\0';
	}
	return before - len;
}
