/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The engine of a channel from any state to one that works, and to one that writes nothing more:
 * sections 12.1 and 12.2 of the hardware reference.
 */

#include "channel.h"
#include "patience.h"

#include "spdk/log.h"
#include "spdk/string.h"
#include "udma/pci.h"

/* Drivers in use wait 20 to 200 ms (section 12.5), silicon takes microseconds; an emulated engine
 * may have to wait for its turn on a busy machine, where 1.5 s were seen. */
#define SUSPEND_LIMIT_US 100000
#define RESET_LIMIT_US   3000000
#define START_LIMIT_US   3000000

#define PCI_COMMAND            0x04
#define PCI_COMMAND_MEMORY     0x0002
#define PCI_COMMAND_BUS_MASTER 0x0004

static unsigned
state_of(uint64_t status)
{
	return status & SPDK_IOAT_CHANSTS_STATUS;
}

/** Whether the engine may be working, or would start at a doorbell. */
static bool
is_running(uint64_t status)
{
	unsigned state = state_of(status);

	return state == SPDK_IOAT_CHANSTS_ACTIVE || state == SPDK_IOAT_CHANSTS_IDLE;
}

/** Before version 3.3 CHANERR_INT has to be cleared in configuration space as well. */
static void
clear_chanerr_int(struct spdk_ioat_chan *chan)
{
	uint32_t value;
	int rc;

	if (chan->version >= SPDK_IOAT_VER_3_3) {
		return;
	}
	rc = spdk_pci_device_cfg_read32(chan->device, &value, SPDK_IOAT_PCI_CHANERR_INT_OFFSET);
	if (rc == 0) {
		rc = spdk_pci_device_cfg_write32(chan->device, value,
						 SPDK_IOAT_PCI_CHANERR_INT_OFFSET);
	}
	if (rc != 0) {
		/* Known of some kernels and machines; the reset works without it. */
		SPDK_NOTICELOG("%s: configuration register 180h (CHANERR_INT) cannot be accessed: "
			       "%s; going on without clearing it\n",
			       chan->name, spdk_strerror(-rc));
	}
}

int
udma_ioat_reset_engine(struct spdk_ioat_chan *chan)
{
	struct patience patience = patience_of(SUSPEND_LIMIT_US);
	uint64_t status = read_chansts(chan->bar);

	if (is_running(status)) {
		write_chancmd(chan->bar, SPDK_IOAT_CHANCMD_SUSPEND);
		do {
			status = read_chansts(chan->bar);
		} while (is_running(status) && wait_a_little(&patience));
		/* One that does not stop is reset all the same: that is what RESET is for. */
	}
	write_chanerr(chan->bar, read_chanerr(chan->bar));
	clear_chanerr_int(chan);

	write_chancmd(chan->bar, SPDK_IOAT_CHANCMD_RESET);
	patience = patience_of(RESET_LIMIT_US);
	while (read_chancmd(chan->bar) & SPDK_IOAT_CHANCMD_RESET) {
		if (read_chansts(chan->bar) == UINT64_MAX) {
			SPDK_ERRLOG("%s: reset failed: all registers read as ones: the device is "
				    "gone\n",
				    chan->name);
			return -ENODEV;
		}
		if (!wait_a_little(&patience)) {
			SPDK_ERRLOG("%s: reset failed: CHANCMD reads %#x and CHANSTS %#" PRIx64
				    " after %u ms; the function needs a reset of its own, or the "
				    "machine one\n",
				    chan->name, read_chancmd(chan->bar), read_chansts(chan->bar),
				    RESET_LIMIT_US / 1000);
			return -EIO;
		}
	}
	return 0;
}

int
udma_ioat_reset_hard(struct spdk_ioat_chan *chan)
{
	int rc = udma_ioat_reset_engine(chan);

	if (rc != 0 && udma_pci_device_reset(chan->device) == 0) {
		SPDK_NOTICELOG("%s: the function has been reset as a whole\n", chan->name);
		rc = udma_ioat_reset_engine(chan);
	}
	return rc;
}

/** Where the engine sees the slot of a position. */
static uint64_t
slot_iova(const struct spdk_ioat_chan *chan, uint64_t position)
{
	return chan->ring_iova + (position & UDMA_IOAT_RING_MASK) * sizeof(*chan->ring);
}

void
udma_ioat_arm(struct spdk_ioat_chan *chan, uint64_t position)
{
	/* Nothing of the chain before may be taken for one of the new chain. */
	__atomic_store_n((uint64_t *)chan->completion_line, 0, __ATOMIC_RELAXED);
	chan->seen = 0;
	chan->stalled = false;
	chan->halt.awaits_cause = false;
	chan->base = position;
	write_chanctrl(chan->bar, udma_ioat_chanctrl(chan));
	write_chancmp(chan->bar, chan->completion_iova);
	write_chainaddr(chan->bar, slot_iova(chan, position));
	udma_ioat_waiting_restart(chan);
}

int
udma_ioat_start(struct spdk_ioat_chan *chan)
{
	struct patience patience = patience_of(START_LIMIT_US);
	uint32_t chanerr = 0;
	uint64_t status, word, slot = slot_iova(chan, chan->head);
	char causes[256];

	udma_ioat_arm(chan, chan->head);
	udma_ioat_build_null(chan);
	/* Fences of the CPU's hold back requests that come, not this one. */
	if (chan->held) {
		chan->hold = chan->head;
	}
	/* The first request begins where the one before it, which there is not, has ended. */
	chan->requests[(chan->request_head - 1) & UDMA_IOAT_RING_MASK].end = chan->head;
	/* What the CPU carries out may be outstanding at a reset. */
	chan->limit = chan->requests[(chan->request_tail - 1) & UDMA_IOAT_RING_MASK].end +
		      UDMA_IOAT_RING_MASK;
	spdk_ioat_flush(chan);
	do {
		word = __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE);
		status = read_chansts(chan->bar);
		if (state_of(status) == SPDK_IOAT_CHANSTS_IDLE &&
		    (word & SPDK_IOAT_CHANSTS_COMPLETED_DESCRIPTOR_MASK) == slot) {
			chan->seen = word;
			__atomic_store_n(&chan->completed, chan->announced, __ATOMIC_RELEASE);
			return 0;
		}
		/* HALTED without a cause is where RESET left it: a device that looks at its
		 * registers from time to time has not seen CHAINADDR yet. */
		if (state_of(status) == SPDK_IOAT_CHANSTS_HALTED) {
			chanerr = read_chanerr(chan->bar);
		}
	} while (chanerr == 0 && wait_a_little(&patience));

	SPDK_ERRLOG("%s: the channel does not start: CHANSTS %#" PRIx64
		    ", completion word %#" PRIx64
		    ", CHANERR %#x (%s); is the memory of this process mapped for it?\n",
		    chan->name, status, word, chanerr,
		    udma_ioat_chanerr_text(chanerr, causes, sizeof(causes)));
	return -EIO;
}

int
udma_ioat_enable_bus_mastering(struct spdk_ioat_chan *chan)
{
	uint16_t command;
	int rc = spdk_pci_device_cfg_read16(chan->device, &command, PCI_COMMAND);

	if (rc == 0) {
		command |= PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER;
		rc = spdk_pci_device_cfg_write16(chan->device, command, PCI_COMMAND);
	}
	if (rc != 0) {
		SPDK_ERRLOG(
			"%s: the command register in configuration space cannot be accessed: %s\n",
			chan->name, spdk_strerror(-rc));
	}
	return rc;
}

bool
udma_ioat_is_gone(const struct spdk_ioat_chan *chan)
{
	return read_chansts(chan->bar) == UINT64_MAX || spdk_pci_device_is_removed(chan->device);
}

bool
udma_ioat_engine_stops(struct spdk_ioat_chan *chan)
{
	uint16_t command;

	/* One that is said to be removed may answer yet. */
	if (read_chansts(chan->bar) == UINT64_MAX || udma_ioat_reset_engine(chan) == 0) {
		return true;
	}
	/* The last resort, one level below the engine: it may not master the bus. */
	if (spdk_pci_device_cfg_read16(chan->device, &command, PCI_COMMAND) == 0) {
		command &= (uint16_t)~PCI_COMMAND_BUS_MASTER;
		return spdk_pci_device_cfg_write16(chan->device, command, PCI_COMMAND) == 0;
	}
	return false;
}
