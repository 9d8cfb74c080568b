/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Attaching a function as a channel, in whatever state it is, and detaching it so that nothing is
 * written afterwards: section 14.5 of the hardware reference.
 */

#include "channel.h"
#include "patience.h"

#include "spdk/log.h"
#include "spdk/string.h"
#include "spdk/util.h"

/* How long detach waits for an engine that completes nothing. */
#define DRAIN_LIMIT_US 3000000

/* Section 3: XFERCAP holds a power of two in bits 4:0; below 4 KiB none is defined. */
#define XFERCAP_MASK 0x1f
#define XFERCAP_MIN  12
/* XFERCAP 0 is said to mean 4 GiB, which the size field cannot hold (section 16, point 5). */
#define LARGEST_PIECE (1u << 31)

#define RING_BYTES (UDMA_IOAT_RING_SIZE * sizeof(union spdk_ioat_hw_desc))

/** Back to a ring in which nothing has been built. */
static void
forget(struct spdk_ioat_chan *chan)
{
	chan->head = chan->announced = chan->completed = 0;
	chan->request_head = chan->request_tail = 0;
	chan->error = 0;
	udma_ioat_accept(chan);
	memset(chan->errors, 0, sizeof(chan->errors));
	chan->untold = chan->recoveries = 0;
	chan->bytes = chan->high_water = 0;
	chan->failed = false;
	udma_ioat_take_care(chan);
	chan->halts = chan->halt.causeless = 0;
	chan->halted_at = 0;
	chan->trouble.is_noted = false;
}

/** Stops the engine for good. What one that cannot be stopped may write to is never freed. */
static void
stop(struct spdk_ioat_chan *chan)
{
	if (udma_ioat_engine_stops(chan)) {
		return;
	}
	SPDK_ERRLOG(
		"%s: the engine cannot be stopped; its ring (%zu bytes) stays allocated so that it "
		"cannot overwrite anything else\n",
		chan->name, RING_BYTES);
	chan->ring = NULL;
	chan->completion_line = NULL;
}

/* The memory beside the ring: the completion word has a line to itself, for polls read it, and the
 * trial below has one. Both are the engine's until it is stopped. */
#define LINE        64
#define LINES_BYTES (2 * LINE)

#define TRIAL_PATTERN 0x0706050403020100ull
#define TRIAL_OFFSET  3
#define TRIAL_BYTES   21
/* As for a start: reset.c. */
#define TRIAL_LIMIT_US 3000000

/**
 * Where the pattern starts in a fill to an address that is not a multiple of 8 is not documented
 * (section 16, point 13): one fill of our own memory tells.
 */
static bool
try_fill(struct spdk_ioat_chan *chan)
{
	struct patience patience = patience_of(TRIAL_LIMIT_US);
	uint8_t *trial = (uint8_t *)chan->completion_line + LINE;
	bool at_start = true, at_multiple = true;
	int rc = 0;

	chan->fill_anchor = UDMA_IOAT_FILL_AT_START;
	if (spdk_ioat_submit_fill(chan, NULL, NULL, trial + TRIAL_OFFSET, TRIAL_PATTERN,
				  TRIAL_BYTES) == 0) {
		do {
			rc = spdk_ioat_process_events(chan);
		} while (rc == 0 && wait_a_little(&patience));
	}
	for (unsigned i = 0; i < TRIAL_BYTES; i++) {
		at_start = at_start && trial[TRIAL_OFFSET + i] == i % 8;
		at_multiple = at_multiple && trial[TRIAL_OFFSET + i] == (TRIAL_OFFSET + i) % 8;
	}
	chan->fill_anchor = at_start      ? UDMA_IOAT_FILL_AT_START
			    : at_multiple ? UDMA_IOAT_FILL_AT_MULTIPLE_OF_8
					  : UDMA_IOAT_FILL_UNKNOWN;
	if (rc == 1 && chan->fill_anchor == UDMA_IOAT_FILL_UNKNOWN) {
		SPDK_WARNLOG("%s: a trial fill has written something else than its pattern: fills "
			     "are refused at addresses that are not multiples of 8\n",
			     chan->name);
	}
	return rc == 1;
}

/** Checks what the device says of itself. */
static int
identify(struct spdk_ioat_chan *chan, uint64_t bar_size)
{
	uint32_t capability;
	unsigned order;

	/* 0: whoever mapped it did not say. */
	if (bar_size != 0 && bar_size < sizeof(struct spdk_ioat_registers)) {
		SPDK_ERRLOG("%s: BAR 0 has %" PRIu64 " bytes, an I/OAT channel has at least %zu\n",
			    chan->name, bar_size, sizeof(struct spdk_ioat_registers));
		return -EINVAL;
	}
	chan->version = read_cbver(chan->bar);
	if (chan->version == UINT8_MAX && read_chansts(chan->bar) == UINT64_MAX) {
		SPDK_ERRLOG("%s: all registers read as ones: the device is gone or asleep\n",
			    chan->name);
		return -ENODEV;
	}
	if (chan->version < SPDK_IOAT_VER_3_0) {
		SPDK_ERRLOG(
			"%s: CBVER is %u.%u; versions before 3.0 are programmed differently and "
			"not supported\n",
			chan->name, chan->version >> 4, chan->version & 0xf);
		return -ENOTSUP;
	}
	order = read_xfercap(chan->bar) & XFERCAP_MASK;
	if (order != 0 && order < XFERCAP_MIN) {
		SPDK_ERRLOG("%s: XFERCAP is %u, a largest transfer of %u bytes; at least 4096 are "
			    "expected\n",
			    chan->name, order, 1u << order);
		return -EINVAL;
	}
	chan->max_piece = order == 0 ? LARGEST_PIECE : 1u << order;
	chan->dma_capabilities = SPDK_IOAT_ENGINE_COPY_SUPPORTED;
	capability = read_dmacapability(chan->bar);
	if (capability & SPDK_IOAT_DMACAP_BFILL) {
		chan->dma_capabilities |= SPDK_IOAT_ENGINE_FILL_SUPPORTED;
	}
	chan->pairs_pages =
		(capability & SPDK_IOAT_DMACAP_PB) && chan->max_piece >= 2 * UDMA_IOAT_PAGE_SIZE;
	chan->parity = udma_ioat_parity_of(chan);
	return 0;
}

/** The address at which the engine sees one piece of our memory. */
static uint64_t
iova_of(const void *buf, uint64_t size)
{
	uint64_t contiguous = size;
	uint64_t iova = spdk_vtophys(buf, &contiguous);

	return contiguous == size ? iova : SPDK_VTOPHYS_ERROR;
}

static int
allocate(struct spdk_ioat_chan *chan)
{
	int numa_id = spdk_pci_device_get_numa_id(chan->device);

	chan->requests = calloc(UDMA_IOAT_RING_SIZE, sizeof(*chan->requests));
	/* Aligned to its own size, so that it is one piece even where memory is physical pages. */
	chan->ring = spdk_zmalloc(RING_BYTES, RING_BYTES, NULL, numa_id, SPDK_MALLOC_DMA);
	chan->completion_line = spdk_zmalloc(LINES_BYTES, LINE, NULL, numa_id, SPDK_MALLOC_DMA);
	if (chan->requests == NULL || chan->ring == NULL || chan->completion_line == NULL) {
		SPDK_ERRLOG("%s: no memory for the ring (%zu bytes of DMA memory)\n", chan->name,
			    RING_BYTES);
		return -ENOMEM;
	}
	chan->completion = chan->completion_line;
	chan->completion_iova = iova_of(chan->completion_line, sizeof(uint64_t));
	chan->ring_iova = iova_of(chan->ring, RING_BYTES);
	if (chan->ring_iova == SPDK_VTOPHYS_ERROR || chan->completion_iova == SPDK_VTOPHYS_ERROR) {
		SPDK_ERRLOG("%s: the ring is not contiguous for the device\n", chan->name);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < UDMA_IOAT_RING_SIZE; i++) {
		uint64_t next = (i + 1) % UDMA_IOAT_RING_SIZE;

		chan->ring[i].dma.next = chan->ring_iova + next * sizeof(*chan->ring);
	}
	return 0;
}

void
udma_ioat_free(struct spdk_ioat_chan *chan)
{
	spdk_free(chan->completion_line);
	spdk_free(chan->ring);
	free(chan->requests);
	free(chan);
}

/** An engine that halts or hangs at a fill still copies. */
static int
go_on_without_fill(struct spdk_ioat_chan *chan)
{
	int rc;

	SPDK_WARNLOG("%s: the engine says that it can fill, but halts or hangs at a fill: offering "
		     "copies only\n",
		     chan->name);
	chan->dma_capabilities &= ~(uint32_t)SPDK_IOAT_ENGINE_FILL_SUPPORTED;
	rc = udma_ioat_reset_engine(chan);
	if (rc == 0) {
		forget(chan);
		rc = udma_ioat_start(chan);
	}
	return rc;
}

/** Everything from the mapped BAR to a channel that takes requests. */
static int
bring_up(struct spdk_ioat_chan *chan, uint64_t bar_size)
{
	int rc = identify(chan, bar_size);

	if (rc == 0) {
		/* First: a former user's engine would go on as soon as it may master the bus. */
		rc = udma_ioat_reset_hard(chan);
	}
	if (rc == 0) {
		rc = udma_ioat_enable_bus_mastering(chan);
	}
	if (rc == 0) {
		rc = allocate(chan);
	}
	if (rc != 0) {
		return rc;
	}
	rc = udma_ioat_start(chan);
	if (rc == 0 && (chan->dma_capabilities & SPDK_IOAT_ENGINE_FILL_SUPPORTED) &&
	    !try_fill(chan)) {
		rc = udma_ioat_is_gone(chan) ? -ENODEV : go_on_without_fill(chan);
	}
	if (rc == 0) {
		rc = udma_ioat_quiesce_add(chan);
		udma_ioat_stats_begin(chan);
	}
	if (rc != 0) {
		stop(chan);
	}
	return rc;
}

int
udma_ioat_attach(struct spdk_pci_device *device, struct spdk_ioat_chan **attached)
{
	struct spdk_ioat_chan *chan;
	uint64_t bus_address, bar_size = 0;
	void *bar = NULL;
	int rc;

	if (posix_memalign((void **)&chan, 64, sizeof(*chan)) != 0) {
		return -ENOMEM;
	}
	memset(chan, 0, sizeof(*chan));
	udma_ioat_accept(chan);
	chan->device = device;
	chan->last_control = UDMA_IOAT_CONTROL_COMPLETION_UPDATE;
	chan->process = getpid();
	spdk_pci_addr_fmt(chan->name, sizeof(chan->name), &device->addr);

	rc = spdk_pci_device_map_bar(device, 0, &bar, &bus_address, &bar_size);
	if (rc != 0 || bar == NULL) {
		/* Functions of the machine have said so, with the cause and the way out. */
		if (device->type == NULL || strcmp(device->type, "pci") != 0) {
			SPDK_ERRLOG("%s: BAR 0 cannot be mapped: %s\n", chan->name,
				    spdk_strerror(-rc));
		}
		free(chan);
		return rc < 0 ? rc : -EIO;
	}
	chan->bar = bar;
	rc = bring_up(chan, bar_size);
	if (rc != 0) {
		spdk_pci_device_unmap_bar(device, 0, bar);
		udma_ioat_free(chan);
		return rc;
	}
	*attached = chan;
	return 0;
}

/** Lets the engine finish what was accepted, as long as it makes progress. */
static void
drain(struct spdk_ioat_chan *chan)
{
	struct patience patience = patience_of(DRAIN_LIMIT_US);

	spdk_ioat_flush(chan);
	while (chan->request_tail != chan->request_head && !chan->failed) {
		uint64_t before = chan->completed + chan->progress;

		spdk_ioat_process_events(chan);
		if (chan->completed + chan->progress != before) {
			patience = patience_of(DRAIN_LIMIT_US);
		} else if (!wait_a_little(&patience)) {
			break;
		}
	}
	/* What had finished before a halt has not been called back yet, perhaps. */
	udma_ioat_call_back(chan);
}

/** Ends all requests, and the engine. */
static void
finish(struct spdk_ioat_chan *chan)
{
	/* A callback of the drain may be one in which this very channel is polled: see call_back().
	 */
	chan->depth++;
	drain(chan);
	chan->depth--;
	if (chan->request_tail != chan->request_head) {
		SPDK_ERRLOG("%s: detached with %" PRIu64 " requests that did not finish; they are "
			    "aborted\n",
			    chan->name, chan->request_head - chan->request_tail);
		udma_ioat_give_up(chan, UDMA_IOAT_ABORTED);
		chan->depth++;
		udma_ioat_call_back(chan);
		chan->depth--;
	}
	stop(chan);
}

void
spdk_ioat_detach(struct spdk_ioat_chan *chan)
{
	/* A callback of the drain below may ask again. */
	if (chan == NULL || chan->refuse == -ESHUTDOWN) {
		return;
	}
	udma_ioat_refuse(chan, -ESHUTDOWN);
	/* In a child of fork() the engine and the requests are the parent's. */
	if (chan->process == getpid()) {
		finish(chan);
	}
	/* Only now: until the engine has stopped, removals of memory wait for it. */
	udma_ioat_quiesce_remove(chan);
	udma_ioat_waiting_end(chan);
	spdk_pci_device_unmap_bar(chan->device, 0, (void *)(uintptr_t)chan->bar);
	spdk_pci_device_detach(chan->device);

	chan->detached = true;
	if (chan->depth == 0) {
		udma_ioat_free(chan);
	}
}
