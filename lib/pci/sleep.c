/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Sleeping until somebody stores to a page.
 *
 * The page is write-protected through userfaultfd, which needs no privilege for faults that user
 * space causes. A store to it then stops its thread, wakes us, and goes on once we have lifted the
 * protection; while we are awake stores cost nothing. Nothing can be lost: the sleeper protects
 * first, then looks for what was stored before, then waits.
 *
 * Where the kernel refuses (valgrind, some containers) the sleeper naps and looks.
 */

#include "emulated.h"

#include <linux/userfaultfd.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "spdk/log.h"
#include "spdk/string.h"

/* ThreadSanitizer's atomic store holds a lock of its own while it stores: stopped there by the
 * protection, it would keep the sleeper from its look. */
#if defined(__SANITIZE_THREAD__)
#define MAY_STOP_STORES false
#elif defined(__has_feature)
#define MAY_STOP_STORES (!__has_feature(thread_sanitizer))
#else
#define MAY_STOP_STORES true
#endif

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* Naps grow from short ones, while work may come soon, to long ones that cost next to nothing. */
#define NAP_MIN_NS 20000
#define NAP_MAX_NS 1000000

SPDK_LOG_REGISTER_COMPONENT(emulated);

static bool
protect(struct udma_sleep *sleep, bool on)
{
	struct uffdio_writeprotect range = {
		.range = {.start = (uintptr_t)sleep->pages, .len = sleep->size},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};
	int rc;

	do {
		rc = ioctl(sleep->uffd, UFFDIO_WRITEPROTECT, &range);
	} while (rc != 0 && (errno == EAGAIN || errno == EINTR));
	return rc == 0;
}

static int
open_userfaultfd(void *pages, size_t size)
{
	struct uffdio_api api = {.api = UFFD_API,
				 .features =
					 UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_THREAD_ID};
	struct uffdio_register range = {
		.range = {.start = (uintptr_t)pages, .len = size},
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int fd = -1;

	if (MAY_STOP_STORES) {
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	}
	if (fd < 0) {
		return -1;
	}
	if (ioctl(fd, UFFDIO_API, &api) != 0 || ioctl(fd, UFFDIO_REGISTER, &range) != 0 ||
	    !(range.ioctls & (1ull << _UFFDIO_WRITEPROTECT))) {
		close(fd);
		return -1;
	}
	return fd;
}

int
udma_sleep_init(struct udma_sleep *sleep, void *pages, size_t size)
{
	*sleep = (struct udma_sleep){.pages = pages, .size = size, .nap_ns = NAP_MIN_NS};
	sleep->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sleep->wake_fd < 0) {
		int rc = -errno;

		SPDK_ERRLOG("no eventfd for the emulated I/OAT functions: %s\n",
			    spdk_strerror(-rc));
		return rc;
	}
	sleep->initialized = true;
	sleep->uffd = open_userfaultfd(pages, size);
	if (sleep->uffd < 0) {
		SPDK_INFOLOG(emulated,
			     "userfaultfd is not to be had: emulated channels look for work "
			     "up to every millisecond while idle\n");
	}
	return 0;
}

void
udma_sleep_fini(struct udma_sleep *sleep)
{
	if (!sleep->initialized) {
		return;
	}
	if (sleep->uffd >= 0) {
		close(sleep->uffd);
	}
	close(sleep->wake_fd);
	sleep->initialized = false;
}

void
udma_sleep_init_thread(void)
{
	/* A nap of 20 us takes 70 with the default slack. */
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
}

bool
udma_sleep_prepare(struct udma_sleep *sleep)
{
	sleep->prepared = sleep->uffd < 0 || protect(sleep, true);
	return sleep->prepared;
}

void
udma_sleep_cancel(struct udma_sleep *sleep)
{
	if (sleep->uffd >= 0 && sleep->prepared) {
		protect(sleep, false);
	}
	sleep->prepared = false;
	sleep->nap_ns = NAP_MIN_NS;
}

/** Takes in what has woken us. \return the thread whose store was stopped; 0 if none was. */
static uint32_t
drain(struct udma_sleep *sleep)
{
	struct uffd_msg fault;
	uint32_t thread = 0;
	uint64_t wakes;

	while (sleep->uffd >= 0 && read(sleep->uffd, &fault, sizeof(fault)) == sizeof(fault)) {
		thread = fault.arg.pagefault.feat.ptid;
	}
	if (read(sleep->wake_fd, &wakes, sizeof(wakes)) != sizeof(wakes)) {
		/* Nobody has called udma_sleep_wake(). */
	}
	return thread;
}

uint32_t
udma_sleep_wait(struct udma_sleep *sleep)
{
	struct pollfd fds[2] = {{.fd = sleep->wake_fd, .events = POLLIN},
				{.fd = sleep->uffd, .events = POLLIN}};
	struct timespec nap = {.tv_nsec = (long)sleep->nap_ns};
	uint32_t thread;

	sleep->prepared = false;
	if (sleep->uffd >= 0) {
		poll(fds, 2, -1);
		thread = drain(sleep);
		/* This also lets the store go on that was stopped. */
		protect(sleep, false);
		return thread;
	}
	ppoll(fds, 1, &nap, NULL);
	drain(sleep);
	sleep->nap_ns = sleep->nap_ns * 2 > NAP_MAX_NS ? NAP_MAX_NS : sleep->nap_ns * 2;
	return 0;
}

/** \return the core that a thread of this process ran on last; -1 if it cannot be told. */
static int
core_of(uint32_t thread)
{
	char path[64], text[512];
	const char *field;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%u/stat", thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -1;
	}
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	/* Fields are separated by blanks; the second, a name, may hold some and ends with the last
	 * parenthesis. The core is the 39th. */
	field = strrchr(text, ')');
	for (unsigned i = 2; field != NULL && i < 39; i++) {
		field = strchr(field + 1, ' ');
	}
	return field != NULL ? atoi(field) : -1;
}

void
udma_sleep_step_aside(uint32_t thread)
{
	cpu_set_t allowed, others;
	int core = sched_getcpu();

	if (core < 0 || core_of(thread) != core ||
	    sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
		return;
	}
	others = allowed;
	CPU_CLR(core, &others);
	if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof(others), &others) == 0) {
		sched_setaffinity(0, sizeof(allowed), &allowed);
	}
}

void
udma_sleep_wake(struct udma_sleep *sleep)
{
	uint64_t one = 1;

	if (write(sleep->wake_fd, &one, sizeof(one)) != sizeof(one)) {
		/* The counter is full, so the sleeper will wake anyway. */
	}
}
