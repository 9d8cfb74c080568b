/* SPDX-License-Identifier: BSD-3-Clause */

/* A channel as text, for a bug report. */

#include "record.h"
#include "udma/pci.h"

/* Descriptors shown before the oldest that has not finished, and from it on. */
#define BEFORE 4
#define BEHIND 12
/* Requests shown. */
#define REQUESTS 16

static const char *
state_name(uint64_t status)
{
	static const char *const names[8] = {"ACTIVE", "IDLE", "SUSPENDED", "HALTED",
					     "ARMED",  "?",    "?",         "?"};

	return names[status & SPDK_IOAT_CHANSTS_STATUS];
}

static const char *
operation_name(uint8_t op)
{
	switch (op) {
	case SPDK_IOAT_OP_COPY:
		return "copy";
	case SPDK_IOAT_OP_FILL:
		return "fill";
	case SPDK_IOAT_OP_XOR:
		return "XOR";
	case SPDK_IOAT_OP_XOR_VAL:
		return "XOR check";
	case SPDK_IOAT_OP_PQ:
		return "PQ";
	case SPDK_IOAT_OP_PQ_VAL:
		return "PQ check";
	default:
		return "?";
	}
}

/** \return where the engine is, or was when the channel failed: all has ended since. */
static uint64_t
position_of_interest(const struct spdk_ioat_chan *chan)
{
	/* Its slots may have been used again for what the CPU has carried out since. */
	return chan->failed && chan->head - chan->trouble.at < UDMA_IOAT_RING_SIZE - BEFORE
		       ? chan->trouble.at
		       : chan->completed;
}

/** \return whether a position was announced, or had been when the channel failed. */
static bool
was_announced(const struct spdk_ioat_chan *chan, uint64_t position)
{
	return position < (chan->failed ? chan->trouble.announced : chan->announced);
}

/** A completion word or status, and the position of what it names. */
static void
dump_status(const struct spdk_ioat_chan *chan, FILE *file, const char *name, uint64_t status)
{
	uint64_t address = status & SPDK_IOAT_CHANSTS_COMPLETED_DESCRIPTOR_MASK;
	uint64_t into = (address - chan->ring_iova) / sizeof(union spdk_ioat_hw_desc);

	fprintf(file, "  %-15s 0x%016" PRIx64 "  %s", name, status, state_name(status));
	if (status == UINT64_MAX) {
		fprintf(file, ", or nothing answers");
	} else if (address == 0) {
		fprintf(file, ", nothing finished since CHAINADDR");
	} else if (address < chan->ring_iova || into >= UDMA_IOAT_RING_SIZE) {
		fprintf(file, ", not an address of the ring");
	} else {
		fprintf(file, ", slot %" PRIu64, into);
	}
	fprintf(file, "\n");
}

static void
dump_registers(const struct spdk_ioat_chan *chan, FILE *file)
{
	uint32_t chanerr;
	char causes[512];

	if (chan->detached || spdk_pci_device_is_removed(chan->device)) {
		fprintf(file, "registers: the device has been removed\n");
		return;
	}
	chanerr = read_chanerr(chan->bar);
	fprintf(file, "registers\n");
	fprintf(file, "  CBVER           0x%02x\n", read_cbver(chan->bar));
	fprintf(file, "  XFERCAP         %u\n", read_xfercap(chan->bar));
	fprintf(file, "  DMACAPABILITY   0x%08x\n", read_dmacapability(chan->bar));
	fprintf(file, "  CHANCTRL        0x%04x  as written: a read takes its semaphore\n",
		udma_ioat_chanctrl(chan)); /* section 4.1, IN_USE */
	fprintf(file, "  CHANCMD         0x%02x\n", read_chancmd(chan->bar));
	fprintf(file, "  DMACOUNT        %u\n", read_dmacount(chan->bar));
	dump_status(chan, file, "CHANSTS", read_chansts(chan->bar));
	fprintf(file, "  CHAINADDR       0x%016" PRIx64 "\n", read_chainaddr(chan->bar));
	fprintf(file, "  CHANCMP         0x%016" PRIx64 "\n", read_chancmp(chan->bar));
	fprintf(file, "  CHANERR         0x%08x  %s\n", chanerr,
		chanerr == UINT32_MAX ? "or nothing answers"
				      : udma_ioat_chanerr_text(chanerr, causes, sizeof(causes)));
	fprintf(file, "  INTRCTRL        0x%02x\n", read_intrctrl(chan->bar));
	fprintf(file, "  INTRDELAY       0x%04x\n", read_intrdelay(chan->bar));
}

static void
dump_waiting(const struct spdk_ioat_chan *chan, FILE *file)
{
	static const char *const kinds[] = {
		[UDMA_PCI_MSIX] = "MSI-X", [UDMA_PCI_MSI] = "MSI", [UDMA_PCI_INTX] = "INTx"};
	const struct udma_ioat_waiting *waiting = &chan->waiting;

	if (!waiting->on) {
		fprintf(file, "  waiting         has not been asked for\n");
		return;
	}
	fprintf(file,
		"  waiting         descriptor %d, interrupts %s, %sarmed, timer %" PRIu64
		" us, held back %u us, silent until %" PRIu64 "%s\n",
		waiting->fd, waiting->interrupt_fd < 0 ? "none" : kinds[waiting->kind],
		waiting->armed ? "" : "not ", waiting->tick_us, waiting->coalesce_us,
		waiting->silent_until, waiting->missing ? "; one is missing" : "");
}

/** What was read at the last halt, or when the channel failed; a restart changes the registers. */
static void
dump_trouble(const struct spdk_ioat_chan *chan, FILE *file)
{
	const struct udma_ioat_trouble *trouble = &chan->trouble;
	char causes[512];

	if (!trouble->is_noted) {
		return;
	}
	fprintf(file, "%s at descriptor %" PRIu64 " (slot %" PRIu64 ")\n",
		chan->failed ? "failed" : "last halt", trouble->at,
		trouble->at & UDMA_IOAT_RING_MASK);
	dump_status(chan, file, "CHANSTS", trouble->status);
	fprintf(file, "  CHANERR         0x%08x  %s\n", trouble->chanerr,
		udma_ioat_chanerr_text(trouble->chanerr, causes, sizeof(causes)));
}

static void
dump_driver(const struct spdk_ioat_chan *chan, FILE *file)
{
	fprintf(file, "driver\n");
	fprintf(file, "  state           %s", chan->failed ? "failed" : "running");
	if (chan->error || chan->refuse) {
		fprintf(file, "; polls return %d, requests are refused with %d", chan->error,
			chan->refuse);
	}
	fprintf(file, "\n");
	dump_status(chan, file, "completion word",
		    __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE));
	dump_status(chan, file, "last taken in", chan->seen);
	fprintf(file, "  ring            %u slots at 0x%016" PRIx64 "\n", UDMA_IOAT_RING_SIZE,
		chan->ring_iova);
	fprintf(file,
		"  positions       base %" PRIu64 ", completed %" PRIu64 ", announced %" PRIu64
		", head %" PRIu64 ", limit %" PRIu64 "\n",
		chan->base, chan->completed, chan->announced, chan->head, chan->limit);
	fprintf(file, "  stalled         %s; halts in a row %u, depth %u, every %u\n",
		chan->stalled ? "yes" : "no", chan->halts, chan->depth, chan->complete_every);
	if (chan->cpus > 0 || chan->held) {
		fprintf(file, "  CPU             %" PRIu64 " requests outstanding%s\n", chan->cpus,
			chan->held ? "; what is behind the next fence is held back" : "");
	}
	if (chan->halt.awaits_cause) {
		fprintf(file, "  halted          and its cause has not been shown yet\n");
	}
	dump_waiting(chan, file);
}

/** How a request that is outstanding stands. */
static const char *
standing(const struct spdk_ioat_chan *chan, const struct udma_ioat_request *request)
{
	if (request->fate.status != UDMA_IOAT_OK) {
		return udma_ioat_status_text((enum udma_ioat_status)request->fate.status);
	}
	if (request->fate.what & UDMA_IOAT_ON_CPU) {
		return "the CPU's";
	}
	return request->end <= position_of_interest(chan) ? "finished"
	       : was_announced(chan, request->end - 1)    ? "announced"
							  : "not announced";
}

static void
dump_stats(const struct spdk_ioat_chan *chan, FILE *file)
{
	struct udma_ioat_stats stats;

	udma_ioat_get_stats(chan, &stats, sizeof(stats));
	fprintf(file,
		"statistics\n"
		"  requests        %" PRIu64 " accepted, %" PRIu64 " succeeded, %" PRIu64
		" failed, %" PRIu64 " by the CPU; %" PRIu64 " bytes\n"
		"  descriptors     %" PRIu64 " in %" PRIu64 " batches, %" PRIu64
		" finished, at most %" PRIu64 " at once\n"
		"  polls           %" PRIu64 " empty\n"
		"  recoveries      %" PRIu64 "\n",
		stats.requests, stats.completed, stats.failed, stats.by_cpu, stats.bytes,
		stats.descriptors, stats.doorbells, stats.finished, stats.high_water,
		stats.empty_polls, stats.recoveries);
	for (unsigned i = 0; i < UDMA_IOAT_STATUSES; i++) {
		if (stats.errors[i] > 0) {
			fprintf(file, "  ended           %" PRIu64 ": %s\n", stats.errors[i],
				udma_ioat_status_text((enum udma_ioat_status)i));
		}
	}
}

static void
dump_requests(const struct spdk_ioat_chan *chan, FILE *file)
{
	uint64_t count = chan->request_head - chan->request_tail;
	uint64_t shown = spdk_min(count, (uint64_t)REQUESTS);

	fprintf(file, "requests outstanding: %" PRIu64 "\n", count);
	for (uint64_t i = chan->request_tail; i != chan->request_tail + shown; i++) {
		const struct udma_ioat_request *request = &chan->requests[i & UDMA_IOAT_RING_MASK];
		uint64_t start = chan->requests[(i - 1) & UDMA_IOAT_RING_MASK].end;

		fprintf(file, "  %" PRIu64 ": descriptors %" PRIu64 " to %" PRIu64 "%s, %s\n", i,
			start, request->end - 1,
			request->fate.what & UDMA_IOAT_FENCED ? ", fence" : "",
			standing(chan, request));
	}
	if (count > shown) {
		fprintf(file, "  ... and %" PRIu64 " more\n", count - shown);
	}
}

/** What the bits say of a copy they do not say of XOR and P+Q (section 6.1). */
static bool
has_two_pages(const union spdk_ioat_hw_desc *desc)
{
	return desc->generic.u.control.op == SPDK_IOAT_OP_COPY &&
	       (desc->generic.u.control_raw &
		(UDMA_IOAT_CONTROL_SRC_PAGE_BREAK | UDMA_IOAT_CONTROL_DST_PAGE_BREAK)) != 0;
}

static void
dump_descriptor(const struct spdk_ioat_chan *chan, FILE *file, uint64_t position)
{
	const union spdk_ioat_hw_desc *desc = udma_ioat_slot(chan, position);
	uint32_t control = desc->generic.u.control_raw;
	const char *where = position < position_of_interest(chan) ? "finished"
			    : was_announced(chan, position)       ? "announced"
								  : "built";

	fprintf(file, "  %" PRIu64 " (slot %" PRIu64 ") %s: ", position,
		position & UDMA_IOAT_RING_MASK, where);
	if (position > 0 && udma_ioat_extends(udma_ioat_slot(chan, position - 1))) {
		fprintf(file, "extension\n");
	} else {
		fprintf(file, "%s, %u bytes%s%s%s\n",
			udma_ioat_is_null(desc) ? "null"
						: operation_name(desc->generic.u.control.op),
			desc->generic.size, has_two_pages(desc) ? " in two pages" : "",
			control & UDMA_IOAT_CONTROL_COMPLETION_UPDATE ? ", completion" : "",
			control & UDMA_IOAT_CONTROL_FENCE ? ", fence" : "");
	}
	fprintf(file, "    ");
	for (unsigned i = 0; i < 8; i++) {
		fprintf(file, "%016" PRIx64 "%s", desc->raw.field[i],
			i == 3   ? "\n    "
			: i == 7 ? "\n"
				 : " ");
	}
}

void
udma_ioat_dump(const struct spdk_ioat_chan *chan, FILE *file)
{
	uint64_t at = position_of_interest(chan);
	uint64_t from = at > BEFORE ? at - BEFORE : 0;
	uint64_t to = spdk_min(at + BEHIND, chan->head);

	fprintf(file, "I/OAT channel %s\n", chan->name);
	dump_registers(chan, file);
	dump_driver(chan, file);
	dump_trouble(chan, file);
	dump_stats(chan, file);
	dump_requests(chan, file);
	fprintf(file, "descriptors %" PRIu64 " to %" PRIu64 "\n", from, to);
	for (; from < to; from++) {
		dump_descriptor(chan, file, from);
	}
}
