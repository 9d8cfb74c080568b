/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What I/OAT channels can do beyond SPDK's interface, on the same channels as spdk/ioat.h and free
 * to mix with it: requests that end with a status, gathering and scattering, ordering, XOR and P+Q,
 * batches, a CPU that does what the engine cannot, and channels that go on after an error.
 *
 * Everything here is called from the thread that the channel belongs to, and none of build, flush
 * and poll enters the kernel, takes a lock or allocates, except after an error and for requests
 * with UDMA_IOAT_ELSE_CPU.
 *
 * A channel stays with its process. A child of fork() may detach its copy, or end the environment,
 * which does nothing to the device and calls nothing back; everything else is the parent's. Of a
 * real channel it has neither the registers nor the descriptors, so that a parent that is killed
 * leaves no engine running, and the channel to the next one.
 *
 * Recovery. When the engine halts, the next poll finds the request at fault, ends it with its
 * cause, and restarts the engine behind it; everything else goes on. Through spdk/ioat.h a failed
 * request's callback does not run, and one call of spdk_ioat_process_events() returns -EIO for it.
 *
 * A channel that halts again and again, hangs, is gone or cannot be restarted has failed: whatever
 * is outstanding has ended, each poll returns the same -EIO or -ENODEV, and so does each request,
 * until udma_ioat_reset(), which brings back one with -ENODEV as well, once the device is there.
 * An engine hangs that finishes no descriptor in ten seconds of polling.
 */

#ifndef UDMA_IOAT_H
#define UDMA_IOAT_H

#include "spdk/ioat.h"

#include <stdio.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** How a request has ended. The causes are those of CHANERR (section 11). */
enum udma_ioat_status {
	UDMA_IOAT_OK = 0,
	UDMA_IOAT_BAD_SOURCE,      /**< The source cannot be reached or read: bits 0, 8. */
	UDMA_IOAT_BAD_DESTINATION, /**< The destination, likewise: bits 1, 9. */
	UDMA_IOAT_BAD_DESCRIPTOR,  /**< The engine refuses it, or cannot read it: bits 2 to 5, 10,
				      11, 14, 18, 23. */
	UDMA_IOAT_BAD_DATA,        /**< Data that was damaged on its way: bits 6, 7. */
	UDMA_IOAT_BAD_COMPLETION,  /**< The completion word could not be written: bit 12. */
	UDMA_IOAT_MISMATCH, /**< Something that was checked differs: bits 16, 17, 19 to 22, 24
			       to 27. */
	UDMA_IOAT_UNKNOWN,  /**< The engine has halted and does not say why, or talks nonsense. */
	UDMA_IOAT_ABORTED,  /**< It stood behind the fence of one that failed, or by
			       udma_ioat_abort() or a detach. */
	UDMA_IOAT_HUNG,     /**< The engine makes no progress. The channel has failed. */
	UDMA_IOAT_GONE,   /**< The device is gone, or was and is there again: its function was reset
			     by someone else. The channel has failed. */
	UDMA_IOAT_FAILED, /**< The channel has failed with others before it. */
};
/** How many there are. */
#define UDMA_IOAT_STATUSES (UDMA_IOAT_FAILED + 1)

/** \return a few words for a status; "unknown status" if it is none. */
const char *udma_ioat_status_text(enum udma_ioat_status status);

/** The end of a request. */
struct udma_ioat_result {
	enum udma_ioat_status status;
	/**
	 * CHANERR at the halt, 0 if that was not the reason. After UDMA_IOAT_MISMATCH bit 16 says
	 * that XOR or P differs, bit 17 that Q does, whoever has found it.
	 */
	uint32_t chanerr;
	/**
	 * Bytes of the destination, from its first on, that are certain to have been written; of a
	 * check, to be as they should. What follows may have been written in part. All of them if
	 * the status is UDMA_IOAT_OK.
	 */
	uint64_t bytes;
};

/**
 * Called by a poll for each request, exactly once, whatever happens: when it has succeeded or
 * failed, when its channel fails, and when the channel is detached. Requests end in the order in
 * which they were built. It may submit, poll and detach.
 */
typedef void (*udma_ioat_cb)(void *arg, const struct udma_ioat_result *result);

/** Flags of a request. */
enum udma_ioat_flags {
	/**
	 * What is built behind this request starts only when this one and everything before it has
	 * finished (section 7, fence). If one of those fails, what is behind and already built ends
	 * as UDMA_IOAT_ABORTED, untouched.
	 */
	UDMA_IOAT_FENCE = 1 << 0,
	/**
	 * What the engine cannot carry out, the CPU does: an operation that the part does not have,
	 * memory that is not registered, a request that needs more than the ring or that the engine
	 * has halted at (but not because of damaged data, nor one whose destination overlaps a
	 * source, as one with more than 65,536 pairs of pieces may), and of a channel that has
	 * failed everything that it has not begun: what it has not been told of yet, and what is
	 * behind a halt at a known place.
	 *
	 * It does so in a poll, when everything before it has ended: with the same callback, in the
	 * same order, and fences of this request, before it and behind it hold. It never does what
	 * an engine may still be working at: a request that was announced to an engine which then
	 * hangs or goes ends with that status, for nobody can say whether it was carried out and
	 * its source overwritten by others behind it.
	 *
	 * It is a flag of the request, not of the channel, so that nothing that others do on the
	 * channel changes, and since it has a price: an allocation for each request.
	 */
	UDMA_IOAT_ELSE_CPU = 1 << 1,
};

/**
 * Builds a copy, as spdk_ioat_build_copy() does.
 *
 * \param flags of enum udma_ioat_flags. \param cb may be NULL: nobody hears of the end then.
 * \return 0; -EINVAL for flags that do not exist; or as spdk_ioat_build_copy(), and `cb` is not
 * called.
 */
int udma_ioat_copy(struct spdk_ioat_chan *chan, void *dst, const void *src, uint64_t nbytes,
		   unsigned flags, udma_ioat_cb cb, void *cb_arg);

/** Builds a fill, as spdk_ioat_build_fill() does. \return likewise. */
int udma_ioat_fill(struct spdk_ioat_chan *chan, void *dst, uint64_t pattern, uint64_t nbytes,
		   unsigned flags, udma_ioat_cb cb, void *cb_arg);

/** Builds a request that moves nothing, and ends in its turn. \return as udma_ioat_copy(). */
int udma_ioat_null(struct spdk_ioat_chan *chan, unsigned flags, udma_ioat_cb cb, void *cb_arg);

/**
 * Builds one request that copies from a list of pieces to another list, cut in other places. It
 * takes a descriptor for each run of bytes that both lists have in one piece; where these are whole
 * pages of 4096 bytes, at multiples of 4096, one for two of them, if the part can
 * (DMACAPABILITY.PB).
 *
 * \param dst, dst_count, src, src_count the lists; not used any more when the call returns. Both
 * have the same number of bytes in all.
 * \return as udma_ioat_copy(); -EINVAL if the lists differ in bytes.
 */
int udma_ioat_copyv(struct spdk_ioat_chan *chan, const struct iovec *dst, unsigned dst_count,
		    const struct iovec *src, unsigned src_count, unsigned flags, udma_ioat_cb cb,
		    void *cb_arg);

/* ---- XOR and P+Q ---- */

/** What the engine of a channel can do. */
enum udma_ioat_capability {
	UDMA_IOAT_CAN_COPY = 1 << 0, /**< Always. */
	UDMA_IOAT_CAN_FILL = 1 << 1,
	UDMA_IOAT_CAN_XOR = 1 << 2, /**< udma_ioat_xor(), udma_ioat_xor_check() */
	UDMA_IOAT_CAN_PQ = 1 << 3,  /**< udma_ioat_pq(), udma_ioat_pq_check() */
};

/**
 * \return a mask of enum udma_ioat_capability: what DMACAPABILITY says (section 3.1), less what is
 * known not to work there. XOR and P+Q are offered where the kernel's driver uses them: not by
 * version 3.2, Skylake-SP, Broadwell-DE, and 0C52h and 0C53h (section 13).
 */
unsigned udma_ioat_get_capabilities(const struct spdk_ioat_chan *chan);

/**
 * Builds an XOR: each byte of `dst` is that of all sources, XORed.
 *
 * \param sources 2 to 8 of `nbytes` bytes each; the list is not used any more when the call
 * returns. `dst` may be one of them.
 * \return as udma_ioat_copy(); -ENOTSUP, this part cannot; -EINVAL for another number of sources.
 */
int udma_ioat_xor(struct spdk_ioat_chan *chan, void *dst, const void *const *sources,
		  unsigned source_count, uint64_t nbytes, unsigned flags, udma_ioat_cb cb,
		  void *cb_arg);

/**
 * Builds a check that `expected` is what udma_ioat_xor() would write. It writes nothing; where they
 * differ, it ends as UDMA_IOAT_MISMATCH: the engine halts at it, and the channel goes on behind it.
 *
 * \return as udma_ioat_xor().
 */
int udma_ioat_xor_check(struct spdk_ioat_chan *chan, const void *expected,
			const void *const *sources, unsigned source_count, uint64_t nbytes,
			unsigned flags, udma_ioat_cb cb, void *cb_arg);

/**
 * Builds the two results of RAID 6: P is the XOR of all sources; Q the sum of the sources, each
 * times its coefficient, in GF(2^8) with the polynomial 11Dh (section 7).
 *
 * \param p, q either may be NULL, it is left out then. \param coefficients one for each source; may
 * be NULL if `q` is. Like the list of sources they are not used any more when the call returns.
 * \return as udma_ioat_xor(); -EINVAL also if there is no result, or Q without coefficients.
 */
int udma_ioat_pq(struct spdk_ioat_chan *chan, void *p, void *q, const void *const *sources,
		 const uint8_t *coefficients, unsigned source_count, uint64_t nbytes,
		 unsigned flags, udma_ioat_cb cb, void *cb_arg);

/**
 * Builds a check that `p` and `q` are what udma_ioat_pq() would write, as udma_ioat_xor_check().
 * Which of them differs is in `chanerr` of the result.
 *
 * \return as udma_ioat_pq().
 */
int udma_ioat_pq_check(struct spdk_ioat_chan *chan, const void *p, const void *q,
		       const void *const *sources, const uint8_t *coefficients,
		       unsigned source_count, uint64_t nbytes, unsigned flags, udma_ioat_cb cb,
		       void *cb_arg);

/* ---- Many at once ---- */

/** The kinds of request, by the calls above. */
enum udma_ioat_op_kind {
	UDMA_IOAT_OP_COPY,      /**< dst, src, nbytes */
	UDMA_IOAT_OP_FILL,      /**< dst, pattern, nbytes */
	UDMA_IOAT_OP_NULL,      /**< nothing */
	UDMA_IOAT_OP_COPYV,     /**< dst_list, dst_count, src_list, src_count */
	UDMA_IOAT_OP_XOR,       /**< dst, sources, source_count, nbytes */
	UDMA_IOAT_OP_XOR_CHECK, /**< likewise; `dst` is what is expected */
	UDMA_IOAT_OP_PQ,        /**< dst (that is P), q, coefficients, as XOR */
	UDMA_IOAT_OP_PQ_CHECK,  /**< likewise */
};

/** A request of a batch. What its kind does not use is not looked at. */
struct udma_ioat_op {
	enum udma_ioat_op_kind kind;
	unsigned flags;
	udma_ioat_cb cb;
	void *cb_arg;
	void *dst;
	const void *src;
	uint64_t nbytes;
	uint64_t pattern;
	void *q;
	const void *const *sources;
	const uint8_t *coefficients;
	unsigned source_count;
	unsigned dst_count;
	const struct iovec *dst_list;
	const struct iovec *src_list;
	unsigned src_count;
};

/**
 * Builds a list of requests and announces them, and all that was built before, by one doorbell; or
 * leaves nothing of them: no callback runs then, and nothing is carried out.
 *
 * It is one call with a list, not a beginning and an end around calls that build, so that nothing
 * can come between: no callback that builds or aborts, no error that ends half of it.
 *
 * \return 0; what the first request that cannot be built returns; -ENOMEM, there is no room for
 * all of them now, or no memory: poll, and try again; -E2BIG, there never is.
 */
int udma_ioat_submit(struct spdk_ioat_chan *chan, const struct udma_ioat_op *ops, unsigned count);

/**
 * \return how many descriptors can be built now. A request takes one for each piece, where whole
 * pages of lists may take one for two (udma_ioat_copyv()). A piece ends at udma_ioat_max_piece()
 * bytes, at each end of a piece of a list, and wherever the memory of one of its operands goes on
 * in another registration; a request of no bytes has one. XOR of more than 5 and P+Q of more than 3
 * sources take two for each piece, and both take one more.
 */
uint32_t udma_ioat_room(const struct spdk_ioat_chan *chan);

/** \return the most bytes that one descriptor moves: 1 << XFERCAP (section 3). */
uint64_t udma_ioat_max_piece(const struct spdk_ioat_chan *chan);

/**
 * Sets how often the engine reports within a batch: at every `descriptors`-th, and at its last one
 * as ever. 0, as after attaching: at the last one only. Callbacks of a long batch run the earlier
 * for it, and their slots are free; the engine writes 8 bytes more for each. It holds for what is
 * flushed from now on.
 */
void udma_ioat_complete_every(struct spdk_ioat_chan *chan, uint32_t descriptors);

/* ---- The channel ---- */

/** What a channel is doing. */
enum udma_ioat_state {
	UDMA_IOAT_RUNNING,
	UDMA_IOAT_HAS_FAILED, /**< It refuses requests until udma_ioat_reset(). */
};
enum udma_ioat_state udma_ioat_get_state(const struct spdk_ioat_chan *chan);

/**
 * Waits until everything built so far has ended, flushing first and calling callbacks; not for what
 * these build. The errors of spdk/ioat.h are left to the polls that follow.
 *
 * \return 0; -ETIMEDOUT after `timeout_us` microseconds with requests still outstanding; -EIO or
 * -ENODEV once the channel has failed, all requests have ended then as well; -ESHUTDOWN if a
 * callback has detached the channel.
 */
int udma_ioat_drain(struct spdk_ioat_chan *chan, uint64_t timeout_us);

/**
 * Stops the engine and ends every request that has not finished as UDMA_IOAT_ABORTED; through
 * spdk/ioat.h, with neither its callback nor an error. The channel goes on with what is built
 * afterwards.
 *
 * \return 0; -EIO or -ENODEV, the channel has failed; -ESHUTDOWN as udma_ioat_drain().
 */
int udma_ioat_abort(struct spdk_ioat_chan *chan);

/**
 * Brings a channel back that has failed, if the device is there; one that has not is aborted first.
 * All requests have ended before it returns.
 *
 * \return 0; a negative errno, logged: it stays failed.
 */
int udma_ioat_reset(struct spdk_ioat_chan *chan);

/** What a channel has done since it was attached. Later versions may add to the end. */
struct udma_ioat_stats {
	uint64_t requests;    /**< Requests accepted. */
	uint64_t completed;   /**< Requests that have succeeded. */
	uint64_t descriptors; /**< Descriptors announced to the engine. */
	uint64_t doorbells;   /**< Batches: writes to DMACOUNT. */
	uint64_t failed;      /**< Requests that have ended with another status than OK. */
	uint64_t recoveries;  /**< Restarts after a halt, and resets of a failed channel. */
	uint64_t bytes;       /**< Of the requests accepted; of XOR and P+Q, those of one source. */
	uint64_t finished;    /**< Descriptors that the engine, as far as polls have seen, is done
				 with: carried out, or skipped with a request that failed. */
	uint64_t high_water;  /**< The most descriptors that were outstanding at once. */
	uint64_t by_cpu;      /**< Requests that the CPU has carried out: UDMA_IOAT_ELSE_CPU. */
	/** Requests that have ended so, by enum udma_ioat_status; UDMA_IOAT_OK is 0. */
	uint64_t errors[UDMA_IOAT_STATUSES];
	uint64_t empty_polls; /**< That have found no new completion word: one instruction each. */
};

/**
 * Reads the counters.
 *
 * \param size sizeof(*stats), as the program was built with it.
 */
void udma_ioat_get_stats(const struct spdk_ioat_chan *chan, struct udma_ioat_stats *stats,
			 size_t size);

/**
 * Writes what a bug report needs, as text: registers with the names of what they say, positions,
 * requests outstanding, and the descriptors around the oldest that has not finished; on a channel
 * that has failed, around the place where it did, with what its registers said then. It changes
 * nothing, and works on a channel that has failed and on a device that is gone.
 */
void udma_ioat_dump(const struct spdk_ioat_chan *chan, FILE *file);

/* ---- Waiting without polling ------------------------------------------------------------ */

/**
 * Announces what has been built, and waits until a request ends, calling callbacks as a poll does.
 * It polls first, for a time that it learns (at most 20 us), and then sleeps. Without interrupts
 * the sleep is naps of at most 1 ms; one log line says so.
 *
 * Completions, errors, a device that is gone or that the kernel wants back end the wait; so does a
 * hang, when its time has come.
 *
 * \param timeout_us in microseconds; 0 polls once and enters no kernel; UINT64_MAX: without limit.
 * \return as spdk_ioat_process_events(): how many have ended, or an error; 0 at once if nothing is
 * outstanding; -ETIMEDOUT; -EINTR if a signal was handled; -ESHUTDOWN if a callback has detached
 * the channel while it slept; a negative errno if there are no descriptors left for it.
 */
int udma_ioat_wait(struct spdk_ioat_chan *chan, uint64_t timeout_us);

/**
 * Gives a descriptor for an event loop: poll, epoll, io_uring. It is to be watched for reading, is
 * not read, stays the channel's and is closed by its detach. From the first call on the channel's
 * descriptors interrupt.
 *
 * An event loop does this each time before it sleeps, with nothing built or flushed in between:
 *
 *     rc = udma_ioat_before_sleep(chan);    if it is 0, sleep, else do not
 *
 * Left out, nothing is lost that was flushed: from the first event on the descriptor is readable
 * until the next such call, so that the program does not sleep; and a device that says nothing is
 * looked at as below.
 *
 * \return the descriptor; a negative errno.
 */
int udma_ioat_get_fd(struct spdk_ioat_chan *chan);

/**
 * Announces what has been built, sees to it that the descriptor becomes readable when there is
 * something to poll for, and polls once more. It also becomes readable now and then for nothing:
 * to look at a device that says nothing (ten times a second while requests are outstanding, and
 * once behind the last; without interrupts, as often as udma_ioat_wait() looks).
 *
 * \return 0: sleep; else as spdk_ioat_process_events(), and callbacks may have run: -ESHUTDOWN if
 * one of them has detached the channel; or as udma_ioat_get_fd().
 */
int udma_ioat_before_sleep(struct spdk_ioat_chan *chan);

/**
 * Holds interrupts back for a time after the first completion (INTRDELAY), so that one tells of
 * several. It is of the whole function, and lasts until the channel is detached.
 *
 * \param us microseconds, at most 16383; 0: none.
 * \return 0; -ENOTSUP if the part cannot, or there are no interrupts; -EINVAL; as
 * udma_ioat_get_fd().
 */
int udma_ioat_coalesce(struct spdk_ioat_chan *chan, unsigned us);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
