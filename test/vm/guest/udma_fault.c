/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A kernel module that makes a channel of ioatdma fail in the middle of a burst of copies.
 *
 * Loading it prepares a burst through the kernel's own driver, spoils one copy of it, announces it
 * with one doorbell, and says in the kernel's log what has become of each copy:
 *
 *     results 0000RAAA   0 success, R read failed, W write failed, A aborted, - no callback
 *     written 11110000   1 copied, 0 as before, x anything else
 *     victim untouched   the page that a bad address leads to
 *     recovered 1        which burst of good copies was the first to succeed as a whole
 *
 * The descriptors and registers are those of the driver's own headers, which come with its source.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "dma.h"

#define MOST 64

static char *channel = "dma0chan0";
module_param(channel, charp, 0);
MODULE_PARM_DESC(channel, "the channel that is to fail");
static char *fault = "none";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "none, source, destination, opcode, size, next, abort, reset or command");
static char *where = "nowhere";
module_param(where, charp, 0);
MODULE_PARM_DESC(where,
		 "a bad address: nowhere (no memory), physical (of a page that is not mapped "
		 "for the device) or stale (mapped before, and not any more)");
static unsigned int count = 16;
module_param(count, uint, 0);
static unsigned int at = 8;
module_param(at, uint, 0);
MODULE_PARM_DESC(at, "which of the copies is spoilt");
static unsigned int bytes = 4096;
module_param(bytes, uint, 0);

/* A copy of the burst, and what has become of it. */
struct copy {
	u8 *src, *dst;
	dma_addr_t src_dma, dst_dma;
	char result;
};

static struct copy copies[MOST];
static struct dma_chan *chan;
static u8 *victim;

static bool
is_channel(struct dma_chan *candidate, void *name)
{
	return strcmp(dma_chan_name(candidate), name) == 0;
}

static void
done(void *param, const struct dmaengine_result *result)
{
	static const char letters[] = {
		[DMA_TRANS_NOERROR] = '0',
		[DMA_TRANS_READ_FAILED] = 'R',
		[DMA_TRANS_WRITE_FAILED] = 'W',
		[DMA_TRANS_ABORTED] = 'A',
	};
	struct copy *copy = param;

	WRITE_ONCE(copy->result, letters[result->result]);
}

static dma_addr_t
bad_address(struct device *dev)
{
	dma_addr_t address;

	if (strcmp(where, "physical") == 0)
		return virt_to_phys(victim);
	if (strcmp(where, "stale") == 0) {
		address = dma_map_single(dev, victim, bytes, DMA_BIDIRECTIONAL);
		dma_unmap_single(dev, address, bytes, DMA_BIDIRECTIONAL);
		return address;
	}
	return 1ull << 45;
}

static int
map(struct device *dev)
{
	victim = kmalloc(bytes, GFP_KERNEL);
	if (!victim)
		return -ENOMEM;
	memset(victim, 0x77, bytes);
	for (unsigned int i = 0; i < count; i++) {
		struct copy *copy = &copies[i];

		copy->src = kmalloc(bytes, GFP_KERNEL);
		copy->dst = kmalloc(bytes, GFP_KERNEL);
		if (!copy->src || !copy->dst)
			return -ENOMEM;
		memset(copy->src, 0x80 + i, bytes);
		memset(copy->dst, 0x11, bytes);
		copy->src_dma = dma_map_single(dev, copy->src, bytes, DMA_TO_DEVICE);
		copy->dst_dma = dma_map_single(dev, copy->dst, bytes, DMA_BIDIRECTIONAL);
		if (dma_mapping_error(dev, copy->src_dma) || dma_mapping_error(dev, copy->dst_dma))
			return -ENOMEM;
	}
	return 0;
}

static void
unmap(struct device *dev)
{
	for (unsigned int i = 0; i < count; i++) {
		struct copy *copy = &copies[i];

		if (copy->src_dma)
			dma_unmap_single(dev, copy->src_dma, bytes, DMA_TO_DEVICE);
		if (copy->dst_dma)
			dma_unmap_single(dev, copy->dst_dma, bytes, DMA_BIDIRECTIONAL);
		kfree(copy->src);
		kfree(copy->dst);
	}
	kfree(victim);
}

/* Spoils a descriptor before the engine may read it. */
static void
spoil(struct ioat_dma_descriptor *hw, struct device *dev)
{
	if (strcmp(fault, "source") == 0)
		hw->src_addr = bad_address(dev);
	else if (strcmp(fault, "destination") == 0)
		hw->dst_addr = bad_address(dev);
	else if (strcmp(fault, "opcode") == 0)
		hw->ctl_f.op = 0xEE;
	else if (strcmp(fault, "size") == 0)
		hw->size = 0;
}

/* A command to a channel that is busy. */
static void
disturb(void)
{
	void __iomem *command = to_ioat_chan(chan)->reg_base + IOAT2_CHANCMD_OFFSET;

	if (strcmp(fault, "abort") == 0)
		writeb(IOAT_CHANCMD_ABORT, command);
	else if (strcmp(fault, "reset") == 0)
		writeb(IOAT_CHANCMD_RESET, command);
	else if (strcmp(fault, "command") == 0)
		writeb(IOAT_CHANCMD_RESET | IOAT_CHANCMD_SUSPEND, command);
}

/* How many copies have had their callback. */
static unsigned int
called(void)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < count; i++)
		sum += READ_ONCE(copies[i].result) != '-';
	return sum;
}

/* A burst with one doorbell: the parameter ioat_pending_level is to be above `count`. */
static int
burst(struct device *dev, bool spoilt)
{
	struct ioat_dma_descriptor *next_of = NULL;
	u64 next = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct copy *copy = &copies[i];
		struct dma_async_tx_descriptor *tx;
		struct ioat_dma_descriptor *hw;

		copy->result = '-';
		tx = chan->device->device_prep_dma_memcpy(chan, copy->dst_dma, copy->src_dma, bytes,
							  DMA_PREP_INTERRUPT | DMA_CTRL_ACK);
		if (!tx)
			return -EBUSY;
		hw = container_of(tx, struct ioat_ring_ent, txd)->hw;
		tx->callback_result = done;
		tx->callback_param = copy;
		if (spoilt && i == at)
			spoil(hw, dev);
		if (spoilt && i + 1 == at && strcmp(fault, "next") == 0) {
			next_of = hw;
			next = hw->next;
			hw->next |= 0x20; /* descriptors are at multiples of 64 */
		}
		if (dma_submit_error(tx->tx_submit(tx)))
			return -EIO;
	}
	dma_async_issue_pending(chan);
	if (spoilt)
		disturb();
	/* A channel that is reset by the driver's timer leaves one copy without a callback. */
	for (int ms = 0; ms < 60000 && called() < count - 1; ms += 10)
		msleep(10);
	msleep(500);
	if (next_of)
		next_of->next = next; /* the ring is used again */
	return 0;
}

static void
report(void)
{
	char results[MOST + 1] = "", written[MOST + 1] = "";

	for (unsigned int i = 0; i < count; i++) {
		const struct copy *copy = &copies[i];

		results[i] = copy->result;
		written[i] = memcmp(copy->dst, copy->src, bytes) == 0 ? '1'
			     : memchr_inv(copy->dst, 0x11, bytes)     ? 'x'
								      : '0';
	}
	pr_info("results %s\n", results);
	pr_info("written %s\n", written);
	pr_info("victim %s\n", memchr_inv(victim, 0x77, bytes) ? "changed" : "untouched");
}

/* Copies what is good, until all of a burst succeeds. */
static void
recover(struct device *dev)
{
	for (unsigned int try = 1; try <= 3; try++) {
		unsigned int good = 0;

		if (burst(dev, false) != 0)
			continue;
		for (unsigned int i = 0; i < count; i++)
			good += copies[i].result == '0' &&
				memcmp(copies[i].dst, copies[i].src, bytes) == 0;
		if (good == count) {
			pr_info("recovered %u\n", try);
			return;
		}
	}
	pr_info("recovered never\n");
}

static int __init
fault_init(void)
{
	struct device *dev;
	dma_cap_mask_t mask;
	int rc;

	if (count > MOST)
		return -EINVAL;
	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	chan = dma_request_channel(mask, is_channel, channel);
	if (!chan)
		return -ENODEV;
	dev = chan->device->dev;
	rc = map(dev);
	if (rc == 0)
		rc = burst(dev, true);
	if (rc == 0) {
		report();
		recover(dev);
	}
	dma_release_channel(chan);
	unmap(dev);
	return rc;
}

static void __exit
fault_exit(void)
{
}

module_init(fault_init);
module_exit(fault_exit);
MODULE_DESCRIPTION("errors of an I/OAT channel under the kernel's own driver");
MODULE_LICENSE("Dual BSD/GPL");
