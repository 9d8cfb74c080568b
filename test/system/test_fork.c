/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Forks while memory is registered and copies run: what the parent's engine reads and writes is the
 * parent's, whatever its children do with their copies of the memory, and however they end.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "spdk/ioat.h"

#define COPIES   1000000u
#define CHILDREN 25u
#define SLOTS    256u /* copies outstanding at most */
#define BYTES    512u
#define BATCH    32u

/* In private memory, which a fork leaves to both until one writes to it. */
struct memory {
	uint8_t source[SLOTS][BYTES];
	uint8_t destination[SLOTS][BYTES];
};

static struct memory *g_memory;
static struct spdk_ioat_chan *g_chan;
static uint64_t g_built, g_completed;
static pid_t g_asleep; /* a child that keeps its copy of the memory to the end */

static bool
take_any(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx, (void)device;
	return g_chan == NULL;
}

static void
take(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)ctx, (void)device;
	g_chan = chan;
}

static int
start(void **state)
{
	struct spdk_env_opts opts;

	(void)state;
	setenv("UDMA_EMULATE", "1", 1);
	opts.opts_size = sizeof(opts);
	spdk_env_opts_init(&opts);
	if (spdk_env_init(&opts) != 0) {
		return -1;
	}
	g_memory = mmap(NULL, sizeof(*g_memory), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g_memory == MAP_FAILED || spdk_mem_register(g_memory, sizeof(*g_memory)) != 0) {
		return -1;
	}
	return spdk_ioat_probe(NULL, take_any, take) == 0 && g_chan != NULL ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	spdk_ioat_detach(g_chan);
	spdk_mem_unregister(g_memory, sizeof(*g_memory));
	munmap(g_memory, sizeof(*g_memory));
	spdk_env_fini();
	return 0;
}

/** What a copy's source holds. */
static uint64_t
word_of(uint64_t number, unsigned index)
{
	return (number << 8 | index) * 0x9e3779b97f4a7c15;
}

static void
copied(void *arg)
{
	uint64_t number = (uintptr_t)arg;
	const uint64_t *words = (const uint64_t *)g_memory->destination[number % SLOTS];

	assert_int_equal(number, g_completed);
	g_completed++;
	for (unsigned i = 0; i < BYTES / 8; i++) {
		assert_int_equal(words[i], word_of(number, i));
	}
}

static void
build_one(void)
{
	uint64_t *words = (uint64_t *)g_memory->source[g_built % SLOTS];

	for (unsigned i = 0; i < BYTES / 8; i++) {
		words[i] = word_of(g_built, i);
	}
	assert_int_equal(spdk_ioat_build_copy(g_chan, (void *)(uintptr_t)g_built, copied,
					      g_memory->destination[g_built % SLOTS], words, BYTES),
			 0);
	g_built++;
}

/** What children do: each writes to its memory, and ends in its own way. */
static void
be_a_child(unsigned which)
{
	memset(g_memory, 0xcc, sizeof(*g_memory));
	switch (which % 5) {
	case 0:
		_exit(0);
	case 1:
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	case 2: /* as a program that cleans up */
		spdk_ioat_detach(g_chan);
		spdk_mem_unregister(g_memory, sizeof(*g_memory));
		munmap(g_memory, sizeof(*g_memory));
		spdk_env_fini();
		_exit(0);
	case 3: /* one that takes things away in the wrong order, with the channel in use */
		if (spdk_mem_unregister(g_memory, sizeof(*g_memory)) != 0) {
			_exit(1);
		}
		spdk_env_fini();
		_exit(0);
	default:
		for (;;) {
			pause();
		}
	}
}

static void
have_a_child(unsigned which)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		be_a_child(which);
	}
	assert_true(child > 0);
	if (which % 5 == 4) {
		if (g_asleep != 0) {
			kill(g_asleep, SIGKILL);
			assert_int_equal(waitpid(g_asleep, &status, 0), g_asleep);
		}
		g_asleep = child;
	} else if (which % 2 == 0) {
		/* Waited for with copies outstanding; the others end beside them. */
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

static void
forks_during_a_million_copies(void **state)
{
	unsigned children = 0;
	int status;

	(void)state;
	while (g_completed < COPIES) {
		int rc;

		for (unsigned i = 0; i < BATCH && g_built < COPIES; i++) {
			if (g_built - g_completed < SLOTS) {
				build_one();
			}
		}
		spdk_ioat_flush(g_chan);
		if (g_completed >= children * (COPIES / CHILDREN)) {
			have_a_child(children++);
		}
		rc = spdk_ioat_process_events(g_chan);
		assert_true(rc >= 0);
		if (rc == 0) {
			sched_yield();
		}
	}
	assert_int_equal(children, CHILDREN);
	kill(g_asleep, SIGKILL);
	while (waitpid(-1, &status, 0) > 0) {
		assert_true(status == 0 || WIFSIGNALED(status));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(forks_during_a_million_copies, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
