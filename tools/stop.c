/* SPDX-License-Identifier: BSD-3-Clause */

/* Signals only set a flag; whoever owns a temporary file sees it and cleans up. */

#include "stop.h"
#include "tool.h"

#include "spdk/string.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int stoppers[] = {SIGINT, SIGTERM, SIGHUP};

static int g_signal;
static bool g_stop;

static void
asked_to_stop(int number)
{
	int error = errno;

	__atomic_store_n(&g_signal, number, __ATOMIC_RELAXED);
	__atomic_store_n(&g_stop, true, __ATOMIC_RELEASE);
	alarm(1);
	errno = error;
}

/**
 * The signal may come between a look at the flag and the call that then waits in the kernel; so
 * that call is interrupted again, each second, until the program has ended.
 */
static void
remind(int number)
{
	int error = errno;

	(void)number;
	if (stop_signal() != 0) {
		alarm(1);
	}
	errno = error;
}

static void
set_handler(int number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler}; /* without SA_RESTART */

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

static bool
is_ignored(int number)
{
	struct sigaction inherited;

	return sigaction(number, NULL, &inherited) != 0 || inherited.sa_handler == SIG_IGN;
}

void
stop_catch_signals(void)
{
	sigset_t kick;

	for (size_t i = 0; i < sizeof(stoppers) / sizeof(stoppers[0]); i++) {
		if (!is_ignored(stoppers[i])) {
			set_handler(stoppers[i], asked_to_stop);
		}
	}
	set_handler(STOP_KICK, remind);
	/* It works only if nobody has left it blocked for us. */
	sigemptyset(&kick);
	sigaddset(&kick, STOP_KICK);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	set_handler(SIGPIPE, SIG_IGN);
	set_handler(SIGXFSZ, SIG_IGN);
}

int
stop_open_signals(void)
{
	sigset_t heard;
	int fd;

	sigemptyset(&heard);
	for (size_t i = 0; i < sizeof(stoppers) / sizeof(stoppers[0]); i++) {
		if (!is_ignored(stoppers[i])) {
			sigaddset(&heard, stoppers[i]);
		}
	}
	set_handler(SIGPIPE, SIG_IGN);
	set_handler(SIGXFSZ, SIG_IGN);
	/* First blocked: from then on none is lost, whenever it comes. */
	pthread_sigmask(SIG_BLOCK, &heard, NULL);
	fd = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int
stop_start_thread(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
	sigset_t blocked, before;
	int rc;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(stoppers) / sizeof(stoppers[0]); i++) {
		sigaddset(&blocked, stoppers[i]);
	}
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	rc = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		complain("cannot start a thread: %s", spdk_strerror(rc));
		return -rc;
	}
	pthread_setname_np(*thread, name);
	return 0;
}

void
stop_now(void)
{
	__atomic_store_n(&g_stop, true, __ATOMIC_RELEASE);
}

bool
stop_requested(void)
{
	return __atomic_load_n(&g_stop, __ATOMIC_ACQUIRE);
}

int
stop_signal(void)
{
	return __atomic_load_n(&g_signal, __ATOMIC_RELAXED);
}
