/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The I/OAT driver against a hostile device. The front of the input is a program that uses the
 * driver, the back is what the device does meanwhile (device.c). Whatever that is, what the
 * interface promises has to hold; each CHECK() is one promise.
 */

#include "device.h"
#include "env/region.h"
#include "memory.h"
#include "spdk/ioat.h"
#include "udma/ioat.h"

/* Two registrations that meet, memory that is not registered, and memory that comes and goes. */
#define MEMORY_SIZE 0x80000
#define SEAM        0x11000
#define REGISTERED  0x60000

/* Rounds of the ring in one run, of half a ring each. */
#define ROUNDS 4096

/* As many as can be accepted and not called back; a power of two. */
#define REQUESTS 64

/* What a callback does. */
enum in_callback {
	DO_NOTHING,
	POLL,
	SUBMIT,
	BUILD_AND_FLUSH,
	DETACH,
	POLL_TWICE,
	FLUSH,
	DETACH_AND_ATTACH,
};

struct request {
	bool is_fill;
	enum in_callback in_callback;
	uint64_t destination, source;
	uint64_t len;
	uint64_t announced_len; /* bytes in the descriptors that were announced so far */
	uint64_t end;           /* position behind its last descriptor; 0: not all announced */
};

static uint8_t *g_memory;
static void *g_removable;

static struct {
	struct input input;
	struct spdk_ioat_chan *chan; /* NULL: none */
	struct request requests[REQUESTS];
	uint64_t accepted, announced, called; /* requests */
	unsigned calls_allowed;               /* in how many calls that may call back we are */
	bool detaching;
	int error; /* that a poll has returned */
	bool detach_at_once;
	unsigned rounds; /* of the ring */
} g;

/* ---- What has been announced is what was asked for ---- */

static void
check_address(uint64_t iova, uint64_t expected, uint32_t size)
{
	struct udma_region region;

	CHECK(udma_region_find(iova, &region));
	CHECK(region.vaddr + (iova - region.iova) == expected);
	CHECK(size <= region.len - (iova - region.iova));
}

void
on_announced(uint64_t position, const union spdk_ioat_hw_desc *desc)
{
	struct request *request = &g.requests[g.announced % REQUESTS];
	bool is_null = desc->dma.u.control.null;

	/* Op, null and completion update are all that the driver uses. */
	CHECK((desc->generic.u.control_raw & ~0xff000028u) == 0);
	CHECK(desc->generic.size > 0 && desc->generic.size <= device_max_piece());
	if (g.announced == g.accepted) {
		/* The driver's own, as it attaches. */
		CHECK(g.chan == NULL);
		CHECK(is_null || desc->generic.u.control.op == SPDK_IOAT_OP_FILL);
		return;
	}
	CHECK(is_null == (request->len == 0));
	if (!is_null) {
		CHECK(desc->generic.u.control.op == request->is_fill);
		check_address(desc->generic.dest_addr,
			      request->destination + request->announced_len, desc->generic.size);
		if (!request->is_fill) {
			check_address(desc->generic.src_addr,
				      request->source + request->announced_len, desc->generic.size);
		}
		request->announced_len += desc->generic.size;
	}
	CHECK(request->announced_len <= request->len);
	if (request->announced_len == request->len) {
		request->end = position + 1;
		g.announced++;
	}
}

/* ---- Requests, and their callbacks ---- */

static void submit(bool flush, enum in_callback in_callback);
static void poll_once(void);
static void detach(void);
static void attach(void);

static void
flush(void)
{
	if (g.chan != NULL) {
		spdk_ioat_flush(g.chan);
		device_look();
	}
}

static void
on_done(void *arg)
{
	uint64_t number = (uintptr_t)arg;
	struct request *request = &g.requests[number % REQUESTS];

	device_look();
	CHECK(g.calls_allowed > 0 && g.chan != NULL && g.error == 0);
	/* Once, in order, and only what the device can have finished. */
	CHECK(number == g.called && number < g.announced);
	CHECK(request->end != 0 && request->end <= g_device.said_done);
	g.called++;
	switch (request->in_callback) {
	case POLL_TWICE:
		poll_once();
		/* fallthrough */
	case POLL:
		poll_once();
		break;
	case SUBMIT:
		submit(true, DO_NOTHING);
		break;
	case BUILD_AND_FLUSH:
		submit(false, POLL);
		flush();
		break;
	case FLUSH:
		flush();
		break;
	case DETACH:
		detach();
		break;
	case DETACH_AND_ATTACH:
		detach();
		attach();
		break;
	case DO_NOTHING:
		break;
	}
}

static void
submit(bool flush_it, enum in_callback in_callback)
{
	static const uint64_t lens[16] = {
		8,      0,       1,       64,         4096,       4097,       0x8000, 0x11000,
		300000, 0x5ffff, 0x80000, 1ull << 31, 1ull << 33, UINT64_MAX, 24,     4095};
	uint8_t what = input_front(&g.input);
	uint8_t *destination = g_memory + (size_t)input_front(&g.input) * 0x871;
	uint8_t *source = g_memory + (size_t)input_front(&g.input) * 0x871;
	struct request request = {
		.is_fill = what & 1,
		.in_callback = in_callback,
		.destination = (uintptr_t)destination,
		.source = (uintptr_t)source,
		.len = lens[what >> 4] + (what >> 1 & 7),
	};
	void *number = (void *)(uintptr_t)g.accepted;
	int rc;

	if (g.chan == NULL) {
		return;
	}
	CHECK(g.accepted - g.called < REQUESTS);
	if (request.is_fill) {
		rc = spdk_ioat_build_fill(g.chan, number, on_done, destination,
					  0x8877665544332211ull, request.len);
	} else {
		rc = spdk_ioat_build_copy(g.chan, number, on_done, destination, source,
					  request.len);
	}
	if (rc == 0) {
		CHECK(g.error == 0 && !g.detaching);
		g.requests[g.accepted++ % REQUESTS] = request;
	} else {
		CHECK(rc < 0);
		CHECK(!g.detaching || rc == -ESHUTDOWN);
		CHECK(g.error == 0 || rc == g.error || g.detaching);
		/* Polling and trying again must help. */
		CHECK(rc != -ENOMEM || g.accepted > g.called);
	}
	device_look();
	if (rc == 0 && flush_it) {
		flush();
	}
}

static void
poll_once(void)
{
	uint64_t called = g.called;
	struct spdk_ioat_chan *chan = g.chan;
	int error = g.error; /* before: a poll in a callback may be the one that finds out */
	int rc;

	if (chan == NULL) {
		return;
	}
	device_look();
	g.calls_allowed++;
	rc = spdk_ioat_process_events(chan);
	g.calls_allowed--;
	device_look();
	if (g.chan != chan) {
		return; /* a callback has detached it */
	}
	CHECK(error == 0 || rc == error);
	if (rc < 0) {
		CHECK((rc == -EIO || rc == -ENODEV) && g_device.misbehaved);
		CHECK(g.called == called);
		g.error = rc;
	} else {
		/* Those that polls in callbacks have counted are not counted again. */
		CHECK((uint64_t)rc <= g.called - called);
		CHECK((rc == 0) == (g.called == called));
	}
}

/* ---- Coming and going ---- */

static bool
accept_device(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	(void)device;
	return true;
}

static void
take_channel(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)ctx;
	(void)device;
	device_look();
	CHECK(g.chan == NULL && chan != NULL);
	g.chan = chan;
	g.accepted = g.announced = g.called = 0;
	g.error = 0;
	if (g.detach_at_once) {
		detach();
	}
}

static void
attach(void)
{
	int rc;

	if (g.chan != NULL) {
		return;
	}
	g.accepted = g.announced = 0;
	rc = spdk_ioat_probe(NULL, accept_device, take_channel);
	CHECK(rc <= 0);
	CHECK(g_device.pci.internal.attached == (g.chan != NULL));
	CHECK(rc == 0 || g.chan == NULL);
	CHECK(rc == 0 || !device_is_sound() || memory_has_refused());
}

static void
detach(void)
{
	if (g.chan == NULL) {
		return;
	}
	if (g.detaching) {
		spdk_ioat_detach(g.chan); /* from a callback of it: ignored */
		return;
	}
	g.detaching = true;
	g.calls_allowed++;
	spdk_ioat_detach(g.chan);
	g.calls_allowed--;
	g.detaching = false;
	CHECK(g.called == g.accepted || g_device.misbehaved);
	g.chan = NULL;
	g.error = 0;
	g.accepted = g.announced = g.called = 0;
	CHECK(!g_device.pci.internal.attached);
}

/** Memory goes away while the engine runs, and comes back. */
static void
remove_memory(void)
{
	uint64_t announced = g_device.announced;
	int rc;

	g_device.shown_end = false;
	rc = spdk_mem_unregister(g_removable, 4096);
	CHECK(rc == 0 || rc == -EBUSY);
	if (rc == 0) {
		/* Nothing that was announced can be inside it any more. */
		CHECK(g.chan == NULL || g_device.shown_end || device_is_stopped() ||
		      g_device.said_done >= announced);
		CHECK(spdk_mem_register(g_removable, 4096) == 0);
	}
}

/* ---- The program ---- */

/** Keeps the ring turning, so that its counts wrap: the doorbell's after 65536. */
static void
turn_the_ring(unsigned rounds)
{
	while (rounds-- > 0 && g.rounds++ < ROUNDS && g.chan != NULL && g.error == 0) {
		uint64_t accepted = g.accepted;

		while (g.accepted - accepted < DEVICE_RING / 2 && g.accepted - g.called < 60) {
			int rc = spdk_ioat_build_copy(g.chan, (void *)(uintptr_t)g.accepted,
						      on_done, g_memory, g_memory, 8);

			if (rc != 0) {
				break;
			}
			g.requests[g.accepted++ % REQUESTS] = (struct request){
				.destination = (uintptr_t)g_memory,
				.source = (uintptr_t)g_memory,
				.len = 8,
			};
		}
		flush();
		device_begin_call();
		device_take_turn();
		poll_once();
	}
}

static void
step(void)
{
	uint8_t op = input_front(&g.input);
	enum in_callback in_callback = op >> 4 & 7;

	device_begin_call();
	switch (op & 15) {
	case 0:
	case 1:
		poll_once();
		break;
	case 2:
	case 3:
		submit(true, in_callback);
		break;
	case 4:
	case 5:
		submit(false, in_callback);
		break;
	case 6:
		flush();
		break;
	case 7:
		for (unsigned i = 0; i <= in_callback; i++) {
			device_take_turn();
		}
		break;
	case 8:
		device_advance_clock(1000);
		poll_once();
		break;
	case 9:
		remove_memory();
		break;
	case 10:
		detach();
		break;
	case 11:
		attach();
		break;
	case 12:
		for (unsigned i = 0; i < 16; i++) {
			submit(false, in_callback);
		}
		break;
	case 13:
		turn_the_ring(16u << in_callback);
		break;
	case 14:
		if (g.chan != NULL) {
			struct udma_ioat_stats stats;

			udma_ioat_get_stats(g.chan, &stats);
			CHECK(stats.requests == g.accepted && stats.completed == g.called);
			CHECK(spdk_ioat_get_dma_capabilities(g.chan) & 1);
			CHECK(spdk_ioat_get_max_descriptors(g.chan) == DEVICE_RING);
		}
		break;
	default:
		g.detach_at_once = op & 0x80;
		break;
	}
}

/** Nothing is lost without an error: an engine that works ends each request, or a poll says why. */
static void
settle(void)
{
	device_behave();
	flush();
	for (unsigned i = 0; i < 200 && g.chan != NULL && g.error == 0 && g.called < g.accepted;
	     i++) {
		device_begin_call();
		device_advance_clock(1000);
		device_take_turn();
		poll_once();
	}
	CHECK(g.chan == NULL || g.error != 0 || g.called == g.accepted);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct spdk_env_opts opts;

	(void)argc;
	(void)argv;
	opts.opts_size = sizeof(opts);
	spdk_env_opts_init(&opts);
	opts.name = "fuzz";
	opts.no_pci = true;
	opts.iova_mode = "mapped"; /* the device's addresses are not ours */
	unsetenv("UDMA_EMULATE");
	CHECK(spdk_env_init(&opts) == 0);
	fuzz_quiet();
	g_memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	g_removable = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	CHECK(g_memory != MAP_FAILED && g_removable != MAP_FAILED);
	CHECK(spdk_mem_register(g_memory, SEAM) == 0);
	CHECK(spdk_mem_register(g_memory + SEAM, REGISTERED - SEAM) == 0);
	CHECK(spdk_mem_register(g_removable, 4096) == 0);
	memory_init();
	device_init();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how;

	memset(&g, 0, sizeof(g));
	g.input = (struct input){.front = data, .back = data + size};
	how = input_front(&g.input);
	memory_begin(how & 15);
	device_begin(&g.input);
	device_begin_call();
	attach();
	while (!input_is_over(&g.input)) {
		step();
	}
	if (how & 16) {
		settle();
	}
	device_begin_call();
	detach();
	/* Only what an engine that nobody could stop may still write to is left. */
	CHECK(memory_pieces() == 0 || g_device.refused);
	return 0;
}
