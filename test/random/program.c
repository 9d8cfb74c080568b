/* SPDX-License-Identifier: BSD-3-Clause */

#include "program.h"

#include "ioat/channel.h"
#include "spdk/log.h"
#include "spdk/util.h"

/* Shorter than ten seconds, so that not many steps are needed to see one that hangs. */
#define HANG_US 50000

/* Turns of the ring, so that the doorbell's count of 16 bits wraps. */
#define ROUNDS_MAX (3 * 65536 / (RING / 2))

uint64_t g_random;

static void
nobody_reads(int level, const char *file, const int line, const char *func, const char *format,
	     va_list args)
{
	(void)level, (void)file, (void)line, (void)func, (void)format, (void)args;
}

void
program_init(void)
{
	struct spdk_env_opts opts;

	opts.opts_size = sizeof(opts);
	spdk_env_opts_init(&opts);
	opts.name = "random";
	opts.no_pci = true;
	opts.iova_mode = "mapped"; /* the device's addresses are not ours */
	unsetenv("UDMA_EMULATE");
	CHECK(spdk_env_init(&opts) == 0);
	if (!g_trace) {
		spdk_log_open(nobody_reads);
	}
	udma_ioat_hang_us = HANG_US;
	memory_init();
	device_init();
}

/** The processor writes where no request does. */
static void
write_by_processor(void)
{
	struct range range = {.len = 1 + (uint32_t)random_below(&g_random, 2000)};

	range.start = (uint32_t)random_below(&g_random, MEMORY_SIZE - range.len);
	if (requests_leave_free(range)) {
		random_fill(&g_random, g_memory + range.start, range.len);
		memory_accept(range);
	}
}

static void
turn_the_ring(void)
{
	unsigned rounds = random_below(&g_random, 512) == 0 ? ROUNDS_MAX : 4;

	TRACE("  %u rounds of half a ring\n", rounds);
	for (unsigned i = 0; i < rounds && g_requests.chan != NULL; i++) {
		for (unsigned k = 0; k < RING / 2; k++) {
			if (!call_build_small()) {
				break;
			}
		}
		call_flush();
		device_turn();
		call_poll();
	}
}

/** Ends what is wrong. A device comes back only when its channel has noticed that it was gone. */
static void
heal(void)
{
	if (!g_device.gone || g_requests.chan == NULL || channel_has_failed()) {
		TRACE("  is sound again\n");
		device_heal();
	}
}

static void
build_many(void)
{
	for (uint64_t n = 1 + random_below(&g_random, 40); n > 0; n--) {
		call_build(false);
	}
}

static void
complete_often(void)
{
	if (g_requests.chan != NULL) {
		udma_ioat_complete_every(g_requests.chan, (uint32_t)random_below(&g_random, 6));
	}
}

/** Most of what a channel does that is not in use would do nothing. */
static void
come_back(void)
{
	if (random_below(&g_random, 2)) {
		heal();
	}
	if (g_requests.chan == NULL) {
		call_attach();
	} else {
		call_reset();
	}
}

static void
take_step(void)
{
	static const struct {
		unsigned weight;
		const char *name;
		void (*take)(void);
	} rare[] = {
		{30, "drain", call_drain},
		{20, "abort", call_abort},
		{12, "reset", call_reset},
		{8, "detach", call_detach},
		{60, "the processor writes", write_by_processor},
		{20, "memory comes or goes", call_toggle_memory},
		{70, "a fault", faults_choose},
		{30, "healed", heal},
		{20, "the ring turns", turn_the_ring},
		{60, "many requests", build_many},
		{50, "a batch", call_submit},
		{10, "completions within batches", complete_often},
		{40, "wait", call_wait},
		{40, "an event loop", call_event_loop},
		{30, "sleep at once", call_sleep_at_once},
		{4, "interrupts are held back", call_coalesce},
	};
	unsigned kind = (unsigned)random_below(&g_random, 1000);

	if ((g_requests.chan == NULL || channel_has_failed()) && random_below(&g_random, 2)) {
		TRACE("come back\n");
		come_back();
		return;
	}
	for (unsigned i = 0; i < SPDK_COUNTOF(rare); i++) {
		if (kind < rare[i].weight) {
			TRACE("%s\n", rare[i].name);
			rare[i].take();
			return;
		}
		kind -= rare[i].weight;
	}
	switch (kind % 8) {
	case 0:
	case 1:
		TRACE("submit\n");
		call_build(true);
		break;
	case 2:
	case 3:
		TRACE("build\n");
		call_build(false);
		break;
	case 4:
		TRACE("flush\n");
		call_flush();
		break;
	case 5:
		TRACE("the device works\n");
		device_work((unsigned)random_below(&g_random, 8));
		break;
	case 6:
		TRACE("time passes\n");
		device_pass(random_below(&g_random, 10000));
		/* fallthrough */
	default:
		TRACE("poll\n");
		call_poll();
		break;
	}
}

/** A sound device ends everything, and tells of all that has failed. */
static void
settle(void)
{
	unsigned turns = 0;

	TRACE("settle\n");
	if (g_device.gone) {
		call_abort(); /* it notices */
	}
	device_heal();
	if (g_requests.chan == NULL) {
		call_attach();
	}
	do {
		CHECK(turns++ < 1000 && g_requests.chan != NULL);
		if (channel_has_failed()) {
			call_reset();
		}
		call_flush();
		device_pass(1000);
		device_turn();
		if (g_waits) {
			call_wait_for_good();
		} else {
			call_poll();
		}
		if (g_requests.chan == NULL) {
			call_attach();
		}
		check_all();
	} while (channel_has_failed() || g_requests.owed_least > 0 ||
		 g_requests.noted < g_requests.accepted);
	requests_check_memory();
	check_quiet();
	call_detach();
}

void
program_run(uint64_t seed, const bool *left_out, volatile uint64_t *step)
{
	uint64_t random = seed;

	memset(&g_requests, 0, sizeof(g_requests));
	memset(&g_calls, 0, sizeof(g_calls));
	memory_begin(&random);
	device_begin(&random);
	g_waits = random_next(&random) % 4 != 0;
	g_random = random;
	call_attach();
	for (uint64_t i = 0; i < PROGRAM_STEPS; i++) {
		if (left_out[i]) {
			continue;
		}
		*step = i;
		/* Apart from each other, so that what one does not take the next does not get. */
		g_random = seed * PROGRAM_STEPS + i;
		g_device.random = random_next(&g_random);
		TRACE("%" PRIu64 ". ", i);
		take_step();
		if (g_requests.chan != NULL) {
			check_all();
		}
		if (i % 32 == 0) {
			requests_check_memory();
		}
	}
	*step = PROGRAM_STEPS;
	settle();
	device_end();
}
