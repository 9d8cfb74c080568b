/* SPDX-License-Identifier: BSD-3-Clause */

#include "sysfs.h"
#include "spdk/stdinc.h"

const char *udma_sysfs_root = "/sys";

static int
format_path(char *path, size_t size, const char *format, va_list args)
{
	int root = snprintf(path, size, "%s/", udma_sysfs_root);
	int rest;

	if (root < 0 || (size_t)root >= size) {
		return -ENAMETOOLONG;
	}
	rest = vsnprintf(path + root, size - (size_t)root, format, args);
	return rest < 0 || (size_t)rest >= size - (size_t)root ? -ENAMETOOLONG : 0;
}

int
udma_sysfs_path(char *path, size_t size, const char *format, ...)
{
	va_list args;
	int rc;

	va_start(args, format);
	rc = format_path(path, size, format, args);
	va_end(args);
	return rc;
}

/* Reads up to `size` bytes. \return how many; a negative errno. */
static ssize_t
read_bytes(char *buf, size_t size, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;
	ssize_t n;

	if (fd < 0) {
		return -errno;
	}
	do {
		n = read(fd, buf + len, size - len);
		if (n > 0) {
			len += (size_t)n;
		}
	} while ((n > 0 && len < size) || (n < 0 && errno == EINTR));
	n = n < 0 ? -errno : (ssize_t)len;
	close(fd);
	return n;
}

static int
read_text(char *text, size_t size, const char *path)
{
	ssize_t n = read_bytes(text, size, path);
	size_t len = (size_t)n;

	if (n < 0) {
		return (int)n;
	}
	if (len == size) {
		return -EMSGSIZE;
	}
	if (memchr(text, '\0', len) != NULL) {
		return -EINVAL;
	}
	while (len > 0 && isspace((unsigned char)text[len - 1])) {
		len--;
	}
	text[len] = '\0';
	return 0;
}

int
udma_sysfs_read(char *text, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int rc;

	va_start(args, format);
	rc = format_path(path, sizeof(path), format, args);
	va_end(args);
	return rc != 0 ? rc : read_text(text, size, path);
}

int
udma_sysfs_read_number(long *value, long min, long max, const char *format, ...)
{
	char path[PATH_MAX], text[32], *end;
	va_list args;
	long number;
	int rc;

	va_start(args, format);
	rc = format_path(path, sizeof(path), format, args);
	va_end(args);
	if (rc == 0) {
		rc = read_text(text, sizeof(text), path);
	}
	if (rc != 0) {
		return rc;
	}
	errno = 0;
	number = strtol(text, &end, 0);
	if (end == text || *end != '\0') {
		return -EINVAL;
	}
	if (errno == ERANGE || number < min || number > max) {
		return -ERANGE;
	}
	*value = number;
	return 0;
}

int
udma_sysfs_read_link(char *name, size_t size, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX], *slash;
	va_list args;
	ssize_t n;
	int rc;

	va_start(args, format);
	rc = format_path(path, sizeof(path), format, args);
	va_end(args);
	if (rc != 0) {
		return rc;
	}
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0) {
		return -errno;
	}
	target[n] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, size, "%s", slash ? slash + 1 : target);
	return 0;
}
