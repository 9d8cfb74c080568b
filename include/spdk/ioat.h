/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * I/OAT channels: copies and fills carried out by the DMA engine.
 *
 * A channel belongs to one thread at a time: that thread builds, flushes and polls. A request is
 * built into the channel's ring, becomes visible to the engine at a flush, and ends when a poll
 * finds it done and calls its callback, in the order of submission. None of build, submit, flush
 * and process_events enters the kernel, takes a lock or allocates.
 *
 * Buffers must be registered (spdk_mem_register(), or memory from spdk_dma_malloc() and its
 * kin) and stay valid until the callback.
 */

#ifndef SPDK_IOAT_H
#define SPDK_IOAT_H

#include "spdk/stdinc.h"
#include "spdk/env.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** One channel. Opaque. */
struct spdk_ioat_chan;

/**
 * Called by a poll for a request that has succeeded, exactly once; never for one that has failed.
 * Its slots in the ring are free by then, so it may submit, flush, poll and detach.
 */
typedef void (*spdk_ioat_req_cb)(void *arg);

/** Asked for each unattached I/OAT function. \return true to attach it. */
typedef bool (*spdk_ioat_probe_cb)(void *cb_ctx, struct spdk_pci_device *pci_dev);

/** Told of each channel that was brought up. It may submit, poll and detach. */
typedef void (*spdk_ioat_attach_cb)(void *cb_ctx, struct spdk_pci_device *pci_dev,
				    struct spdk_ioat_chan *ioat);

/**
 * Offers every I/OAT function that is not attached, and brings up those that are accepted,
 * whatever state a former user left them in. Both callbacks run before it returns.
 *
 * A function that cannot be brought up is logged and left; the others go on. One that was refused
 * or detached is offered again by the next probe.
 *
 * \return 0; a negative errno if spdk_env_init() has not run, or if functions were accepted and
 * none of them could be brought up.
 */
int spdk_ioat_probe(void *cb_ctx, spdk_ioat_probe_cb probe_cb, spdk_ioat_attach_cb attach_cb);

/**
 * Ends a channel: refuses new requests, flushes and waits for those accepted (running their
 * callbacks) as long as the engine makes progress, stops the engine, frees the ring and detaches
 * the PCI function. Requests that did not finish are counted in one log line; their callbacks do
 * not run. Once it returns the engine writes nothing any more.
 */
void spdk_ioat_detach(struct spdk_ioat_chan *ioat);

/**
 * Puts a copy into the ring; the engine sees it at the next flush.
 *
 * \param cb_arg, cb_fn called when it has succeeded; `cb_fn` may be NULL.
 * \param dst, src virtual addresses, any alignment. The result is undefined where they overlap.
 * \param nbytes any length; 0 completes like any other.
 *
 * \return 0. On a negative errno nothing of the request is left in the ring:
 * -ENOMEM no room: poll and try again (what was built has been flushed);
 * -E2BIG it needs more descriptors than the ring has;
 * -EINVAL part of a buffer is not registered, or `chan` is NULL;
 * -EIO the channel has halted; -ENODEV the device is gone; -ESHUTDOWN it is being detached.
 */
int spdk_ioat_build_copy(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn,
			 void *dst, const void *src, uint64_t nbytes);

/** As spdk_ioat_build_copy(), and flushes. */
int spdk_ioat_submit_copy(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn,
			  void *dst, const void *src, uint64_t nbytes);

/**
 * Puts a fill into the ring; the engine sees it at the next flush.
 *
 * Byte i of `dst` becomes byte i mod 8 of `fill_pattern`, lowest byte first, for any alignment and
 * length (section 7 of the hardware reference).
 *
 * \return as spdk_ioat_build_copy(), and -ENOTSUP if the engine cannot fill (see
 * SPDK_IOAT_ENGINE_FILL_SUPPORTED), or not at an address that is not a multiple of 8.
 */
int spdk_ioat_build_fill(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn,
			 void *dst, uint64_t fill_pattern, uint64_t nbytes);

/** As spdk_ioat_build_fill(), and flushes. */
int spdk_ioat_submit_fill(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn,
			  void *dst, uint64_t fill_pattern, uint64_t nbytes);

/** Announces everything built so far to the engine, with one doorbell; none if there is nothing. */
void spdk_ioat_flush(struct spdk_ioat_chan *chan);

/**
 * Calls the callbacks of the requests that have finished.
 *
 * \return how many requests finished, also those without a callback. Once the channel has halted
 * or its device is gone: a negative errno (-EIO, -ENODEV), after everything that had finished
 * before was counted and called. With nothing outstanding it only loads the completion word, and
 * does not find out that the device is gone: spdk_pci_device_is_removed().
 */
int spdk_ioat_process_events(struct spdk_ioat_chan *chan);

enum spdk_ioat_dma_capability_flags {
	SPDK_IOAT_ENGINE_COPY_SUPPORTED = 0x1, /**< Always set. */
	SPDK_IOAT_ENGINE_FILL_SUPPORTED = 0x2, /**< DMACAPABILITY bit 6. */
};

/** \return a mask of enum spdk_ioat_dma_capability_flags; 0 if `chan` is NULL. */
uint32_t spdk_ioat_get_dma_capabilities(struct spdk_ioat_chan *chan);

/** \return the number of slots in the ring; one of them always stays free. */
uint32_t spdk_ioat_get_max_descriptors(struct spdk_ioat_chan *chan);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
