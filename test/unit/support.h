/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What several unit tests need: the log as text, and a directory tree that goes away again.
 */

#ifndef UDMA_TEST_SUPPORT_H
#define UDMA_TEST_SUPPORT_H

#include "spdk/stdinc.h"
#include "spdk/log.h"
#include <ftw.h>
#include <sys/prctl.h>
#include <cmocka.h>

static char g_logged[65536];
static int g_log_lines;
static pthread_mutex_t g_logged_lock = PTHREAD_MUTEX_INITIALIZER;

static inline void
capture_line(int level, const char *file, const int line, const char *func, const char *format,
	     va_list args)
{
	size_t len;

	(void)level, (void)file, (void)line, (void)func;
	pthread_mutex_lock(&g_logged_lock);
	len = strlen(g_logged);
	vsnprintf(g_logged + len, sizeof(g_logged) - len, format, args);
	g_log_lines++;
	pthread_mutex_unlock(&g_logged_lock);
}

/** Starts with an empty log. */
static inline void
capture_log(void)
{
	g_logged[0] = '\0';
	g_log_lines = 0;
	spdk_log_open(capture_line);
}

/** Exactly one line has been logged since capture_log(), and it says `text`. */
static inline void
assert_logged_once(const char *text)
{
	if (g_log_lines != 1 || strstr(g_logged, text) == NULL) {
		fail_msg("expected one line with '%s', got %d: %s", text, g_log_lines, g_logged);
	}
	capture_log();
}

/** This program, as others name it: under an emulator of the processor that is the emulator. */
static inline const char *
own_name(void)
{
	static char name[16];

	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	return name;
}

static char g_tree[64];

/** Makes an empty directory, named in g_tree. */
static inline void
make_tree(void)
{
	snprintf(g_tree, sizeof(g_tree), "%s", P_tmpdir "/udma-test-XXXXXX");
	assert_non_null(mkdtemp(g_tree));
}

static inline int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void
remove_tree(void)
{
	assert_int_equal(nftw(g_tree, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/** The path of an entry of the tree; directories on the way are made. Valid until the next call. */
static inline const char *
tree_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", g_tree, name);
	for (char *slash = path + strlen(g_tree) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	return path;
}

static inline void
tree_bytes(const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(tree_path(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline void
tree_file(const char *name, const char *text)
{
	tree_bytes(name, text, strlen(text));
}

static inline void
tree_link(const char *name, const char *target)
{
	assert_int_equal(symlink(target, tree_path(name)), 0);
}

#endif
