/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Descriptors of devices stay with the process that has opened them. When a device is closed for
 * the last time the kernel stops its engine; a child of fork() with a descriptor of it, which has
 * not heard of it and outlives its parent, would keep the engine at memory that is others' by then,
 * and the device from them.
 *
 * In the child each is replaced, not closed: what the child knows by that number it may close once
 * more, and its next file must not get it before.
 */

#include "real.h"

#include <sys/eventfd.h>

/* Held by whoever forks, and by whoever changes the list or what is open. Nothing is logged, and no
 * other lock taken, while it is held: a fork from there would wait for itself. */
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static int g_handlers_rc;
static int *g_fds;
static unsigned g_count;

static void
before_fork(void)
{
	pthread_mutex_lock(&g_lock);
}

static void
in_parent(void)
{
	pthread_mutex_unlock(&g_lock);
}

/* System calls only, and no memory: other threads may have been anywhere. */
static void
in_child(void)
{
	int nothing = g_count > 0 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

	for (unsigned i = 0; i < g_count; i++) {
		if (nothing < 0 || dup3(nothing, g_fds[i], O_CLOEXEC) < 0) {
			close(g_fds[i]);
		}
	}
	if (nothing >= 0) {
		close(nothing);
	}
	g_count = 0;
	pthread_mutex_unlock(&g_lock);
}

/* At load, before the program's own: in the child they run in this order, and its handlers may
 * detach what it has a copy of; before the fork they run the other way round. */
static void __attribute__((constructor)) add_handlers(void)
{
	g_handlers_rc = -pthread_atfork(before_fork, in_parent, in_child);
}

/** \return `fd`; a negative errno, and it is closed. */
static int
add(int fd)
{
	int *grown = g_handlers_rc == 0 ? reallocarray(g_fds, g_count + 1, sizeof(*grown)) : NULL;

	if (grown == NULL) {
		close(fd);
		return g_handlers_rc != 0 ? g_handlers_rc : -ENOMEM;
	}
	g_fds = grown;
	g_fds[g_count++] = fd;
	return fd;
}

void
udma_stay_begin(void)
{
	pthread_mutex_lock(&g_lock);
}

int
udma_stay_end(int fd)
{
	int rc = fd >= 0 ? add(fd) : fd;

	pthread_mutex_unlock(&g_lock);
	return rc;
}

int
udma_stay_open(const char *path)
{
	int fd;

	udma_stay_begin();
	fd = open(path, O_RDWR | O_CLOEXEC);
	return udma_stay_end(fd >= 0 ? fd : -errno);
}

void
udma_stay_close(int fd)
{
	pthread_mutex_lock(&g_lock);
	for (unsigned i = 0; i < g_count; i++) {
		if (g_fds[i] == fd) {
			g_fds[i] = g_fds[--g_count];
			break;
		}
	}
	if (g_count == 0) {
		free(g_fds);
		g_fds = NULL;
	}
	close(fd);
	pthread_mutex_unlock(&g_lock);
}
