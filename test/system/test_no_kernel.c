/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * No kernel on the way: a million copies are submitted, flushed and polled by a thread under a
 * seccomp filter that allows it no system call at all; the first one would end the process.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "spdk/ioat.h"

#define COPIES 1000000u
#define BATCH  32u
#define BYTES  64u

struct work {
	struct spdk_ioat_chan *chan;
	uint8_t *memory;
	unsigned completed;
	int error;
	int filter;
	bool done;
};

/** Forbids every system call to the calling thread, this one's successors included. */
static int
forbid_all_system_calls(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {.len = 1, .filter = rules};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		return -1;
	}
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void
completed(void *arg)
{
	((struct work *)arg)->completed++;
}

static void
copy_all(struct work *work)
{
	unsigned submitted = 0;

	while (work->completed < COPIES && work->error == 0) {
		while (submitted < COPIES && submitted - work->completed < BATCH) {
			uint8_t *source = work->memory + submitted % BATCH * BYTES;

			work->error = spdk_ioat_build_copy(work->chan, work, completed,
							   source + BATCH * BYTES, source, BYTES);
			if (work->error != 0) {
				return;
			}
			submitted++;
		}
		spdk_ioat_flush(work->chan);
		if (spdk_ioat_process_events(work->chan) < 0) {
			work->error = -EIO;
		}
	}
}

static void *
run(void *arg)
{
	struct work *work = arg;

	work->filter = forbid_all_system_calls();
	if (work->filter == 0) {
		copy_all(work);
	}
	__atomic_store_n(&work->done, true, __ATOMIC_RELEASE);
	/* There is no way out: ending a thread takes a system call too. */
	while (work->done) {
		spdk_pause();
	}
	return NULL;
}

static bool
say_yes(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	(void)device;
	return true;
}

static void
take(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)device;
	*(struct spdk_ioat_chan **)ctx = chan;
}

/** In a process of its own. \return its exit status. */
static int
child(bool break_the_rule)
{
	struct work work = {.filter = -1};
	struct spdk_env_opts opts;
	pthread_t thread;

	opts.opts_size = sizeof(opts);
	spdk_env_opts_init(&opts);
	if (spdk_env_init(&opts) != 0 || spdk_ioat_probe(&work.chan, say_yes, take) != 0 ||
	    work.chan == NULL) {
		return 2;
	}
	work.memory = (uint8_t *)spdk_dma_zmalloc(2 * BATCH * BYTES, 64, NULL);
	if (work.memory == NULL) {
		return 3;
	}
	for (unsigned i = 0; i < BATCH * BYTES; i++) {
		work.memory[i] = (uint8_t)(i * 7);
	}
	if (break_the_rule) {
		forbid_all_system_calls();
		syscall(SYS_getppid);
	}
	pthread_create(&thread, NULL, run, &work);
	while (!__atomic_load_n(&work.done, __ATOMIC_ACQUIRE)) {
		usleep(1000);
	}
	if (work.filter != 0 || work.error != 0 || work.completed != COPIES) {
		return 4;
	}
	return memcmp(work.memory, work.memory + BATCH * BYTES, BATCH * BYTES) == 0 ? 0 : 5;
}

static int
status_of_child(bool break_the_rule)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		setenv("UDMA_EMULATE", "1", 1);
		_exit(child(break_the_rule));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
a_million_copies_without_a_system_call(void **state)
{
	int status = status_of_child(false);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
the_filter_would_notice_one(void **state)
{
	int status = status_of_child(true);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_copies_without_a_system_call),
		cmocka_unit_test(the_filter_would_notice_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
