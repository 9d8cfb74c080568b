/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The I/OAT driver against a hostile device. The front of the input is a program that uses the
 * driver, the back is what the device does meanwhile (device.c). Whatever that is, what the
 * interface promises has to hold; each CHECK() is one promise.
 */

#include "device.h"
#include "ioat/channel.h"
#include "memory.h"
#include "requests.h"
#include "spdk/util.h"

/* Two registrations that meet, memory that is not registered, and memory that comes and goes. */
#define MEMORY_SIZE 0x80000
#define SEAM        0x11000
#define REGISTERED  0x60000

/* Rounds of the ring in one run, of half a ring each. */
#define ROUNDS 4096

/* Shorter than ten seconds, so that an input that hangs for as long need not be long. */
#define HANG_US 50000

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
	ABORT,
	RESET_IT,
	DRAIN,
};

static uint8_t *g_memory;
static void *g_removable;

static struct {
	struct input input;
	bool detaching;
	int error; /* what polls of a channel that has failed return */
	bool detach_at_once;
	unsigned rounds; /* of the ring */
} g;

static void submit(bool flush, enum in_callback in_callback);
static void poll_once(void);
static void detach(void);
static void attach(void);
static void abort_it(void);
static void reset_it(void);
static void drain(void);

static bool
has_failed(void)
{
	return udma_ioat_get_state(g_requests.chan) == UDMA_IOAT_HAS_FAILED;
}

static FILE *g_null;

/** What must hold whenever no call is under way. */
static void
check_all(void)
{
	struct udma_ioat_stats stats;

	if (g_requests.chan == NULL || g_requests.calls_allowed > 0) {
		return;
	}
	requests_note();
	udma_ioat_get_stats(g_requests.chan, &stats, sizeof(stats));
	CHECK(stats.completed + g_requests.failures + g_requests.errors <=
	      stats.completed + stats.failed);
	CHECK(stats.doorbells <= stats.descriptors + stats.recoveries);
	if (has_failed()) {
		CHECK(g_device.misbehaved);
		CHECK(requests_ended() == g_requests.accepted);
		CHECK(udma_ioat_room(g_requests.chan) == 0);
	}
	CHECK(spdk_ioat_get_dma_capabilities(g_requests.chan) & 1);
	CHECK(spdk_ioat_get_max_descriptors(g_requests.chan) == DEVICE_RING);
}

/* ---- Requests, and their callbacks ---- */

static void
flush(void)
{
	if (g_requests.chan != NULL) {
		spdk_ioat_flush(g_requests.chan);
		device_look();
	}
}

static void
act(enum in_callback in_callback)
{
	switch (in_callback) {
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
	case ABORT:
		abort_it();
		break;
	case RESET_IT:
		reset_it();
		break;
	case DRAIN:
		drain();
		break;
	case DO_NOTHING:
		break;
	}
}

static void
on_success(void *arg)
{
	device_look();
	act(requests_end((uintptr_t)arg, NULL)->in_callback);
}

static void
on_end(void *arg, const struct udma_ioat_result *result)
{
	device_look();
	act(requests_end((uintptr_t)arg, result)->in_callback);
}

static uint8_t *
any_memory(void)
{
	return g_memory + (size_t)input_front(&g.input) * 0x871;
}

/** Cuts `len` bytes of memory into a list. */
static struct list
cut(uint8_t *memory, uint64_t len, uint8_t how)
{
	struct list list = {.count = 1 + how % PIECES_MAX};
	uint64_t left = len, at = (uintptr_t)memory;

	for (unsigned i = 0; i < list.count; i++) {
		uint64_t piece = i + 1 == list.count
					 ? left
					 : spdk_min(left, (uint64_t)(how >> 2) << (8 * i));

		list.piece[i] = (struct iovec){(void *)(uintptr_t)at, piece};
		left -= piece;
		at += piece + (how & 0x80 ? 64 : 0);
	}
	return list;
}

enum kind {
	SPDK_COPY,
	SPDK_FILL,
	COPY,
	FILL,
	NOTHING,
	COPYV,
};

/** Builds what a request describes. \return what the interface returns. */
static int
build(const struct request *request, enum kind kind)
{
	void *number = (void *)(uintptr_t)g_requests.accepted;
	void *destination = request->destination.piece[0].iov_base;
	void *source = request->source.piece[0].iov_base;
	unsigned flags = request->fence ? UDMA_IOAT_FENCE : 0;
	const uint64_t pattern = 0x8877665544332211ull;

	switch (kind) {
	case SPDK_COPY:
		return spdk_ioat_build_copy(g_requests.chan, number, on_success, destination,
					    source, request->len);
	case SPDK_FILL:
		return spdk_ioat_build_fill(g_requests.chan, number, on_success, destination,
					    pattern, request->len);
	case COPY:
		return udma_ioat_copy(g_requests.chan, destination, source, request->len, flags,
				      on_end, number);
	case FILL:
		return udma_ioat_fill(g_requests.chan, destination, pattern, request->len, flags,
				      on_end, number);
	case COPYV:
		return udma_ioat_copyv(g_requests.chan, request->destination.piece,
				       request->destination.count, request->source.piece,
				       request->source.count, flags, on_end, number);
	default:
		return udma_ioat_null(g_requests.chan, flags, on_end, number);
	}
}

static void
submit(bool flush_it, enum in_callback in_callback)
{
	static const uint64_t lens[16] = {
		8,      0,       1,       64,         4096,       4097,       0x8000, 0x11000,
		300000, 0x5ffff, 0x80000, 1ull << 31, 1ull << 33, UINT64_MAX, 24,     4095};
	static const enum kind kinds[8] = {SPDK_COPY, SPDK_FILL, COPY, FILL,
					   NOTHING,   COPYV,     COPY, SPDK_COPY};
	uint8_t what = input_front(&g.input), how = input_front(&g.input);
	enum kind kind = kinds[what & 7];
	uint8_t *destination = any_memory(), *source = any_memory();
	struct request request = {
		.is_fill = kind == SPDK_FILL || kind == FILL,
		.tells_status = kind != SPDK_COPY && kind != SPDK_FILL,
		.in_callback = (uint8_t)(in_callback == DO_NOTHING ? how & 15 : in_callback),
		.len = kind == NOTHING ? 0 : lens[what >> 4] + (how >> 6),
	};
	uint32_t room;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	request.fence = request.tells_status && what & 8;
	request.destination = cut(destination, request.len, kind == COPYV ? how : 0);
	request.source = cut(source, request.len, kind == COPYV ? how ^ what : 0);
	requests_note();
	room = udma_ioat_room(g_requests.chan);
	rc = build(&request, kind);
	if (rc == 0) {
		CHECK(!has_failed() && !g.detaching);
		requests_accept(&request, room);
	} else {
		CHECK(rc < 0 && udma_ioat_room(g_requests.chan) == room);
		CHECK(!g.detaching || rc == -ESHUTDOWN);
		CHECK(!has_failed() || g.error == 0 || rc == g.error || g.detaching);
		/* Polling and trying again must help. */
		CHECK(rc != -ENOMEM || requests_ended() < g_requests.accepted);
	}
	device_look();
	if (rc == 0 && flush_it) {
		flush();
	}
}

/* ---- Calls that may call back ---- */

struct call {
	struct spdk_ioat_chan *chan;
	uint64_t accepted, calls;
	bool arms_at_head;
};

static struct call
enter(bool arms_at_head)
{
	struct call call = {
		.chan = g_requests.chan,
		.accepted = g_requests.accepted,
		.calls = g_requests.calls,
		.arms_at_head = g_requests.arms_at_head,
	};

	device_look();
	g_requests.calls_allowed++;
	g_requests.arms_at_head |= arms_at_head;
	return call;
}

/** \return false if a callback has detached the channel. */
static bool
leave(const struct call *call)
{
	g_requests.calls_allowed--;
	g_requests.arms_at_head = call->arms_at_head;
	device_look();
	if (g_requests.chan != call->chan) {
		return false;
	}
	requests_note();
	check_all();
	return true;
}

/** A channel that has failed says so, always in the same way, until it is reset. */
static void
check_error(int rc)
{
	CHECK(rc == -EIO || rc == -ENODEV);
	CHECK(g.error == 0 || rc == g.error);
	g.error = rc;
}

static void
poll_once(void)
{
	struct call call;
	uint64_t resets;
	bool failed;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	failed = has_failed();
	resets = g_requests.stopped;
	call = enter(false);
	rc = spdk_ioat_process_events(call.chan);
	if (!leave(&call)) {
		return;
	}
	if (rc >= 0) {
		CHECK(!failed || g_requests.calls > call.calls);
		/* Those that polls in callbacks have counted are not counted again. */
		CHECK((uint64_t)rc <= g_requests.calls - call.calls);
		CHECK((rc == 0) == (g_requests.calls == call.calls));
		return;
	}
	CHECK(g_device.misbehaved || resets);
	CHECK(g_requests.calls == call.calls);
	if (has_failed()) {
		check_error(rc);
	} else {
		CHECK(rc == -EIO);
		g_requests.errors++;
	}
}

static void
abort_it(void)
{
	struct call call;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	g_requests.stopped = true;
	g_requests.stopping++;
	call = enter(!has_failed());
	rc = udma_ioat_abort(call.chan);
	g_requests.stopping--;
	if (!leave(&call)) {
		CHECK(rc == -ESHUTDOWN);
		return;
	}
	CHECK(requests_ended() >= call.accepted);
	CHECK((rc != 0) == has_failed());
	if (rc != 0) {
		check_error(rc);
	}
}

static void
reset_it(void)
{
	struct call call;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	g_requests.stopped = true;
	g_requests.stopping++;
	g_requests.resetting++;
	call = enter(!g.detaching);
	rc = udma_ioat_reset(call.chan);
	g_requests.resetting--;
	g_requests.stopping--;
	if (!leave(&call)) {
		CHECK(rc == -ESHUTDOWN);
		return;
	}
	CHECK(rc <= 0 && (rc == -ESHUTDOWN) == g.detaching);
	if (!g.detaching) {
		CHECK(requests_ended() >= call.accepted);
		CHECK((rc != 0) == has_failed());
		g.error = 0;
	}
}

static void
drain(void)
{
	struct call call;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	call = enter(false);
	rc = udma_ioat_drain(call.chan, 50u * (1 + input_front(&g.input) % 32));
	if (!leave(&call)) {
		CHECK(rc == -ESHUTDOWN);
		return;
	}
	CHECK(has_failed() || rc == 0 || rc == -ETIMEDOUT);
	CHECK(rc != 0 || requests_ended() >= call.accepted);
	if (has_failed()) {
		check_error(rc);
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
	CHECK(g_requests.chan == NULL && chan != NULL);
	g_requests.chan = chan;
	g.error = 0;
	if (g.detach_at_once) {
		detach();
	}
}

static void
attach(void)
{
	int rc;

	if (g_requests.chan != NULL) {
		return;
	}
	rc = spdk_ioat_probe(NULL, accept_device, take_channel);
	CHECK(rc <= 0);
	CHECK(g_device.pci.internal.attached == (g_requests.chan != NULL));
	CHECK(rc == 0 || g_requests.chan == NULL);
	CHECK(rc == 0 || !device_is_sound() || memory_has_refused());
}

static void
detach(void)
{
	struct spdk_ioat_chan *chan = g_requests.chan;

	if (chan == NULL) {
		return;
	}
	if (g.detaching) {
		spdk_ioat_detach(chan); /* from a callback of it: ignored */
		return;
	}
	g.detaching = true;
	g_requests.calls_allowed++;
	g_requests.stopping++;
	spdk_ioat_detach(chan);
	g_requests.stopping--;
	g_requests.calls_allowed--;
	g.detaching = false;
	CHECK(g_requests.chan == chan);
	requests_forget();
	g.error = 0;
	CHECK(!g_device.pci.internal.attached);
}

/** Memory goes away while the engine runs, and comes back. */
static void
remove_memory(void)
{
	uint64_t announced = g_device.announced;
	bool failed = g_requests.chan != NULL && has_failed();
	int rc;

	g_device.shown_halt = g_device.shown_gone = false;
	rc = spdk_mem_unregister(g_removable, 4096);
	CHECK(rc == 0 || rc == -EBUSY);
	if (rc == 0) {
		/* Nothing that was announced can be inside it any more, or will be. */
		CHECK(g_requests.chan == NULL || g_device.shown_gone ||
		      (failed && g_device.shown_halt) || device_is_stopped() ||
		      g_device.said_done >= announced);
		CHECK(spdk_mem_register(g_removable, 4096) == 0);
	}
}

/* ---- The program ---- */

/** Keeps the ring turning, so that its counts wrap: the doorbell's after 65536. */
static void
turn_the_ring(unsigned rounds)
{
	struct request request = {
		.destination = cut(g_memory, 8, 0),
		.source = cut(g_memory, 8, 0),
		.len = 8,
	};

	while (rounds-- > 0 && g.rounds++ < ROUNDS && g_requests.chan != NULL && !has_failed()) {
		requests_note();
		for (unsigned i = 0; i < DEVICE_RING / 2; i++) {
			uint32_t room = udma_ioat_room(g_requests.chan);

			request.tells_status = i % 2;
			if (build(&request, i % 2 ? COPY : SPDK_COPY) != 0) {
				break;
			}
			requests_accept(&request, room);
		}
		flush();
		device_begin_call();
		device_take_turn();
		poll_once();
	}
}

/** What a dump reads of a device that lies is not what the driver goes by since it has attached. */
static void
dump(void)
{
	uint8_t xfercap = g_device.xfercap_read;

	udma_ioat_dump(g_requests.chan, g_null);
	g_device.xfercap_read = xfercap;
}

static void
step(void)
{
	uint8_t op = input_front(&g.input);
	unsigned more = op >> 4;

	device_begin_call();
	switch (op & 15) {
	case 0:
	case 1:
		poll_once();
		break;
	case 2:
	case 3:
		submit(true, DO_NOTHING);
		break;
	case 4:
	case 5:
		submit(false, DO_NOTHING);
		break;
	case 6:
		if (more & 8 && g_requests.chan != NULL) {
			udma_ioat_complete_every(g_requests.chan, more & 7);
		}
		flush();
		break;
	case 7:
		for (unsigned i = 0; i <= more; i++) {
			device_take_turn();
		}
		break;
	case 8:
		device_advance_clock(1000u << more % 8);
		poll_once();
		break;
	case 9:
		remove_memory();
		if (more & 8 && g_requests.chan != NULL) {
			dump();
		}
		break;
	case 10:
		detach();
		break;
	case 11:
		attach();
		break;
	case 12:
		for (unsigned i = 0; i < 16; i++) {
			submit(false, DO_NOTHING);
		}
		break;
	case 13:
		turn_the_ring(16u << more % 8);
		break;
	case 14:
		act(more % 3 == 0 ? ABORT : more % 3 == 1 ? RESET_IT : DRAIN);
		break;
	default:
		g.detach_at_once = more & 8;
		break;
	}
	check_all();
}

/** Nothing is lost without an error: an engine that works ends each request, or a poll says why. */
static void
settle(void)
{
	struct udma_ioat_stats stats;

	device_behave();
	/* The cause of a halt is awaited for a second (stall.c), each of these is a millisecond. */
	for (unsigned i = 0; i < 4000 && g_requests.chan != NULL && !has_failed(); i++) {
		uint64_t told = g_requests.errors + g_requests.calls;

		flush(); /* callbacks may have built more */
		device_begin_call();
		device_advance_clock(1000);
		device_take_turn();
		poll_once();
		if (g_requests.chan != NULL && told == g_requests.errors + g_requests.calls &&
		    requests_ended() == g_requests.accepted) {
			break;
		}
	}
	if (g_requests.chan == NULL || has_failed()) {
		return;
	}
	CHECK(requests_ended() == g_requests.accepted);
	/* Each of SPDK's that has failed was one error. */
	udma_ioat_get_stats(g_requests.chan, &stats, sizeof(stats));
	CHECK(g_requests.stopped || g_requests.failures + g_requests.errors == stats.failed);
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
	udma_ioat_hang_us = HANG_US;
	fuzz_quiet();
	g_memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	g_removable = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	CHECK(g_memory != MAP_FAILED && g_removable != MAP_FAILED);
	CHECK(spdk_mem_register(g_memory, SEAM) == 0);
	CHECK(spdk_mem_register(g_memory + SEAM, REGISTERED - SEAM) == 0);
	CHECK(spdk_mem_register(g_removable, 4096) == 0);
	g_null = fopen("/dev/null", "w");
	CHECK(g_null != NULL);
	memory_init();
	device_init();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how;

	memset(&g, 0, sizeof(g));
	memset(&g_requests, 0, sizeof(g_requests));
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
