/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Coming to an orderly end early, because of a signal or because a thread has failed.
 */

#ifndef UDMA_TOOL_STOP_H
#define UDMA_TOOL_STOP_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/** Interrupts a thread that waits in the kernel; sent to threads with pthread_kill(). */
#define STOP_KICK SIGALRM

/**
 * Takes SIGINT, SIGTERM and SIGHUP (unless they are ignored) as requests to stop. Calls that wait
 * in the kernel return EINTR then. SIGPIPE and SIGXFSZ become errors of the write concerned.
 */
void stop_catch_signals(void);
/**
 * Likewise, for a program whose main thread only waits in poll(): the signals interrupt nothing, in
 * no thread, and are read from a descriptor instead. \return it, non-blocking; a negative errno.
 */
int stop_open_signals(void);
/** Starts a thread that leaves the signals to the main one. \return 0; a negative errno, said. */
int stop_start_thread(pthread_t *thread, const char *name, void *(*run)(void *), void *arg);
/** Asks every thread to stop. */
void stop_now(void);
/** \return whether to stop, for whatever reason. */
bool stop_requested(void);
/** \return the signal that asked for it, 0 for none. */
int stop_signal(void);

#endif
