/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A channel, as the files of this room share it.
 *
 * Positions (head, announced, completed, the end of a request) count descriptors since the channel
 * was started and never wrap; a position's slot is `position & mask`. At all times
 *
 *     limit - mask <= completed <= announced <= head <= limit
 *
 * where limit - mask is the end of the last request that is over, its callback called. One slot
 * always stays free, so that a completion address tells "none" from "all".
 */

#ifndef UDMA_IOAT_CHANNEL_H
#define UDMA_IOAT_CHANNEL_H

#include "spdk/ioat.h"
#include "spdk/queue.h"
#include "env/translate.h"
#include "registers.h"
#include "udma/ioat.h"
#include "wait.h"

/** Programs rely on the ring's size (design: "What makes it fast"). Only test/fuzz has another. */
#ifndef UDMA_IOAT_RING_ORDER
#define UDMA_IOAT_RING_ORDER 15
#endif
#define UDMA_IOAT_RING_SIZE (1u << UDMA_IOAT_RING_ORDER)
#define UDMA_IOAT_RING_MASK ((uint64_t)UDMA_IOAT_RING_SIZE - 1)

/* Control word of a descriptor (section 6.1). */
#define UDMA_IOAT_CONTROL_INT_ENABLE        (1u << 0)
#define UDMA_IOAT_CONTROL_COMPLETION_UPDATE (1u << 3)
#define UDMA_IOAT_CONTROL_FENCE             (1u << 4)
#define UDMA_IOAT_CONTROL_NULL              (1u << 5)
#define UDMA_IOAT_CONTROL_SRC_PAGE_BREAK    (1u << 6)
#define UDMA_IOAT_CONTROL_DST_PAGE_BREAK    (1u << 7)
#define UDMA_IOAT_CONTROL_OP_SHIFT          24

/** The engine's pages, whatever the processor's are (section 7). */
#define UDMA_IOAT_PAGE_SIZE 4096u

/** CHANCTRL: errors halt, and show where polls look (section 4.1). */
#define UDMA_IOAT_CHANCTRL                                                                         \
	(SPDK_IOAT_CHANCTRL_ANY_ERR_ABORT_EN | SPDK_IOAT_CHANCTRL_ERR_COMPLETION_EN)

/* What a request is beside a callback of SPDK's kind. */
#define UDMA_IOAT_TELLS_STATUS 0x01 /* cb_fn is an udma_ioat_cb */
#define UDMA_IOAT_FENCED       0x02 /* what is behind waits for it */
#define UDMA_IOAT_SILENT       0x04 /* whoever has ended it knows: polls do not tell of it */
#define UDMA_IOAT_RECORDED     0x08 /* cb_arg is its record: record.h */
#define UDMA_IOAT_ON_CPU       0x10 /* the CPU carries it out: record.h */

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "descriptors are little-endian, and written as they lie in memory; fates are set by one store"
#endif

/** What is to be told of a request; all zero for one of SPDK's that succeeds. */
union udma_ioat_fate {
	struct {
		uint8_t what;
		uint8_t status; /* enum udma_ioat_status */
		uint16_t done;  /* descriptors that are certain, if it has failed */
		uint32_t chanerr;
	};
	uint64_t all;
};

/** Sources, and the two results. */
#define UDMA_IOAT_SOURCES  8
#define UDMA_IOAT_OPERANDS (UDMA_IOAT_SOURCES + 2)

/** A request in the ring. */
struct udma_ioat_request {
	spdk_ioat_req_cb cb_fn;
	void *cb_arg;
	uint64_t end; /* position behind its last descriptor */
	union udma_ioat_fate fate;
};

/** A halt that was pushed to memory and whose cause has not been shown yet: stall.c. */
struct udma_ioat_halt {
	bool awaits_cause;
	bool at_known_address;
	unsigned causeless; /* halts that have shown none, at most those that shorten the wait */
	uint64_t looked_at; /* ticks: when its cause was looked for last */
	uint64_t waited;    /* ticks in which it was */
};

/** What was read when the channel halted last, or failed: for a dump. */
struct udma_ioat_trouble {
	bool is_noted;
	uint64_t at;        /* `completed` */
	uint64_t announced; /* likewise */
	uint64_t status;    /* CHANSTS */
	uint32_t chanerr;
};

/** Where the engine starts its pattern in a fill whose destination is not a multiple of 8. */
enum udma_ioat_fill_anchor {
	UDMA_IOAT_FILL_UNKNOWN, /* unaligned fills are refused */
	UDMA_IOAT_FILL_AT_START,
	UDMA_IOAT_FILL_AT_MULTIPLE_OF_8,
};

struct spdk_ioat_chan {
	/* Building and announcing. */
	union spdk_ioat_hw_desc *ring;
	struct udma_ioat_request *requests;
	uint64_t head;      /* next descriptor to be built */
	uint64_t limit;     /* head may not pass it; equal to head once requests are refused */
	uint64_t cap;       /* nor may limit; all ones unless requests are refused */
	uint64_t announced; /* head at the last doorbell; read by other threads (quiesce.c) */
	uint64_t request_head;
	uint64_t bytes; /* of the requests accepted */
	udma_bar *bar;
	uint32_t max_piece; /* bytes in one descriptor */
	uint32_t dma_capabilities;
	bool careful;          /* a flush may not simply announce all: ring.c */
	bool pairs_pages;      /* a descriptor can hold two pages that lie apart: gather.c */
	uint32_t last_control; /* of the last descriptor of a batch */
	struct udma_translation source;
	struct udma_translation destination;
	uint64_t base; /* position at which the engine's count began, when it was started last */

	/* Polling. */
	const uint64_t *completion; /* the engine's word, on a cache line of its own */
	uint64_t seen;              /* its value at the last poll */
	uint64_t empty_polls;       /* that have found it as it was */
	uint64_t completed;         /* read by other threads (quiesce.c) */
	uint64_t high_water;        /* the most descriptors that were outstanding at once */
	uint64_t request_tail;
	uint64_t ring_iova;
	bool failed; /* until it is reset; read by other threads (quiesce.c) */
	int error;   /* what a poll returns that has nothing else to report; 0: nothing */
	int refuse;  /* what new requests are refused with */
	bool stalled;
	uint64_t look_at;   /* ticks: when a stalled channel's status is looked at next */
	uint64_t looked_at; /* and when that was done last, or it stalled */
	uint64_t waited;    /* ticks in which it was watched and finished nothing */
	uint64_t progress;  /* descriptors that its status says it has finished, without a word */

	/* The rest is cold. */
	struct udma_ioat_stats before; /* what bringing it up has counted */
	uint64_t doorbells;
	uint64_t errors[UDMA_IOAT_STATUSES]; /* requests that have ended so, except OK */
	uint64_t untold; /* those of SPDK's among them that are an error of polls to come */
	uint64_t kept;   /* errors that a drain has met and will give back */
	uint64_t recoveries;
	uint64_t halted_at; /* `completed` at the last halt */
	unsigned halts;     /* in a row, without a descriptor that succeeded */
	struct udma_ioat_halt halt;
	struct udma_ioat_trouble trouble;
	unsigned depth; /* of polls inside callbacks of polls */
	/* What is behind a fence that waits for the CPU is not announced: record.h. */
	bool held;
	bool flush_held;         /* more would have been announced */
	uint64_t hold;           /* position behind the fence */
	uint64_t hold_request;   /* whose fence that is */
	uint64_t cpus;           /* requests outstanding that the CPU carries out */
	uint64_t by_cpu;         /* those that it has carried out */
	uint32_t complete_every; /* descriptors; 0: the last of a batch only */
	bool detached;           /* by a callback: freed by the outermost poll */
	enum udma_ioat_fill_anchor fill_anchor;
	uint8_t version;
	struct udma_ioat_waiting waiting;
	uint8_t parity; /* UDMA_IOAT_CAN_XOR, UDMA_IOAT_CAN_PQ */
	bool quiet;     /* whoever asks for a request has another way */
	bool in_batch;  /* what is being built may yet be taken back */
	bool alone;     /* nothing is outstanding but the batch that is being built */
	bool no_memory; /* that has refused one of its requests, and not the ring */
	struct udma_translation operands[UDMA_IOAT_OPERANDS]; /* of XOR and PQ */
	void *completion_line;
	uint64_t completion_iova;
	struct spdk_pci_device *device;
	pid_t process; /* that it belongs to: not a child of fork() */
	char name[32]; /* the PCI address, for log lines */
	TAILQ_ENTRY(spdk_ioat_chan) link;
};

static inline union spdk_ioat_hw_desc *
udma_ioat_slot(const struct spdk_ioat_chan *chan, uint64_t position)
{
	return &chan->ring[position & UDMA_IOAT_RING_MASK];
}

/**
 * The rate of the ticks may be a multiple of nothing: a time is not counted in whole ticks per
 * microsecond.
 *
 * \return a time in ticks, rounded up, so that it does not end early; UINT64_MAX if it is longer
 * than they can say, or without end.
 */
static inline uint64_t
udma_ioat_ticks_of_us(uint64_t us)
{
	uint64_t hz = spdk_get_ticks_hz(), ticks;
	uint64_t rest = (us % 1000000 * hz + 999999) / 1000000;

	if (us == UINT64_MAX || __builtin_mul_overflow(us / 1000000, hz, &ticks) ||
	    __builtin_add_overflow(ticks, rest, &ticks)) {
		return UINT64_MAX;
	}
	return ticks;
}

/**
 * What CHANCTRL is to hold. Whoever waits wants to hear of errors too, also of those before the
 * next re-arm: a device that looks at its registers from time to time may see that one late.
 */
static inline uint16_t
udma_ioat_chanctrl(const struct spdk_ioat_chan *chan)
{
	return UDMA_IOAT_CHANCTRL | (chan->waiting.on ? SPDK_IOAT_CHANCTRL_ERR_INT_EN : 0);
}

static inline bool
udma_ioat_is_outstanding(const struct spdk_ioat_chan *chan)
{
	return chan->completed != chan->announced;
}

#define UDMA_IOAT_NOT_OUTSTANDING UINT64_MAX
/** Half the ring: what is farther ahead may as well be behind. */
#define UDMA_IOAT_NEAR (UDMA_IOAT_RING_SIZE / 2)

/**
 * \return how many descriptors have succeeded behind those `completed`, by a completion or status
 * address: that of the last one (section 9). UDMA_IOAT_NOT_OUTSTANDING: it is none of theirs.
 */
static inline uint64_t
udma_ioat_newly_between(const struct spdk_ioat_chan *chan, uint64_t address, uint64_t completed,
			uint64_t announced)
{
	uint64_t into = (address & SPDK_IOAT_CHANSTS_COMPLETED_DESCRIPTOR_MASK) - chan->ring_iova;
	uint64_t newly;

	if (into >= (uint64_t)UDMA_IOAT_RING_SIZE * sizeof(union spdk_ioat_hw_desc)) {
		return UDMA_IOAT_NOT_OUTSTANDING;
	}
	newly = (into / sizeof(union spdk_ioat_hw_desc) - completed + 1) & UDMA_IOAT_RING_MASK;
	return newly > announced - completed ? UDMA_IOAT_NOT_OUTSTANDING : newly;
}

/** Likewise, on the channel's thread. */
static inline uint64_t
udma_ioat_newly_completed(const struct spdk_ioat_chan *chan, uint64_t address)
{
	return udma_ioat_newly_between(chan, address, chan->completed, chan->announced);
}

/**
 * Whether a completion word is not to be believed by itself: it may be an old one that was stored a
 * second time.
 */
static inline bool
udma_ioat_is_far(uint64_t newly)
{
	return newly > UDMA_IOAT_NEAR && newly != UDMA_IOAT_NOT_OUTSTANDING;
}

/**
 * Whether a descriptor has the slot behind it as its extension (section 6.3). That one begins with
 * an address, whose highest byte, where the operation would be, is that of none that extends: no
 * address has bit 63.
 */
static inline bool
udma_ioat_extends(const union spdk_ioat_hw_desc *desc)
{
	/* SRC_CNT is what there is less two. */
	switch (desc->generic.u.control.op) {
	case SPDK_IOAT_OP_XOR:
	case SPDK_IOAT_OP_XOR_VAL:
		return desc->xor_desc.u.control.src_count + 2 > 5;
	case SPDK_IOAT_OP_PQ:
	case SPDK_IOAT_OP_PQ_VAL:
		return desc->pq.u.control.src_count + 2 > 3;
	default:
		return false;
	}
}

/** Whether a descriptor is one of copy's kind that moves nothing. */
static inline bool
udma_ioat_is_null(const union spdk_ioat_hw_desc *desc)
{
	/* In other operations the bit is another's. */
	return desc->generic.u.control.op == SPDK_IOAT_OP_COPY && desc->dma.u.control.null;
}

/* build.c */

/** Writes a null descriptor (nothing is moved), as every start needs one. Not announced. */
void udma_ioat_build_null(struct spdk_ioat_chan *chan);
/**
 * Makes a descriptor, and its extension, one that moves nothing. The engine must have been stopped,
 * or not been told of it.
 *
 * \return how many slots that were.
 */
unsigned udma_ioat_make_null(struct spdk_ioat_chan *chan, uint64_t position);

/* parity.c */

/**
 * Which of XOR and P+Q may be relied on. Version 3.2, and what else the kernel's driver leaves
 * alone because of errata, says that it has them, and does not (section 13).
 */
uint8_t udma_ioat_parity_of(const struct spdk_ioat_chan *chan);

/* ring.c */

/**
 * Calls the callbacks of what has ended. Each may submit, poll and detach: the caller has raised
 * `depth`, so that the channel is still there.
 */
void udma_ioat_call_back(struct spdk_ioat_chan *chan);
/** Lowers `depth` again. \return `rc`, or -ESHUTDOWN: it was detached, and may be freed. */
int udma_ioat_leave(struct spdk_ioat_chan *chan, int rc);
/** Refuses requests from now on with an errno. */
void udma_ioat_refuse(struct spdk_ioat_chan *chan, int error);
/** Takes requests again; how many there is room for, the caller knows. */
void udma_ioat_accept(struct spdk_ioat_chan *chan);
/** To be called when something has changed that a flush has to do besides. */
void udma_ioat_take_care(struct spdk_ioat_chan *chan);
/**
 * Takes in a completion or status address (section 9): the last descriptor that has succeeded.
 *
 * \return false if it is not one of those outstanding, nor the one reported last.
 */
bool udma_ioat_advance(struct spdk_ioat_chan *chan, uint64_t address);
/** The completion word has changed. \return what a poll returns; the channel may be gone then. */
int udma_ioat_take_completion(struct spdk_ioat_chan *chan, uint64_t word);
/** Ends a poll. \return what it returns; the channel may be gone then. */
int udma_ioat_report(struct spdk_ioat_chan *chan);

/* stall.c */

/** A poll: the completion word has not changed, and descriptors are outstanding. */
int udma_ioat_watch(struct spdk_ioat_chan *chan);
/**
 * Takes in what an idle engine shows by its status: all that was announced. Its word was lost, or
 * is not to be believed. \return whether there was that.
 */
bool udma_ioat_take_idle_status(struct spdk_ioat_chan *chan, uint64_t status);
/** Descriptors are outstanding: the next poll looks at the status register, whatever the time. */
void udma_ioat_look_now(struct spdk_ioat_chan *chan);
/**
 * The completion word says HALTED: recovers, now or as soon as a later look finds the cause.
 * Callbacks run when the engine goes on, for they may wait for it (quiesce.c). \return what a poll
 * returns; the channel may be gone then.
 */
int udma_ioat_meet_halt(struct spdk_ioat_chan *chan, bool address_is_known);

/* record.c */

/** Holds back what is behind a fence, which waits for the CPU; or behind another one before it. */
void udma_ioat_hold(struct spdk_ioat_chan *chan, uint64_t index);

/* stats.c */

/** From here on counters count for the program. */
void udma_ioat_stats_begin(struct spdk_ioat_chan *chan);

/* recover.c */

/** How long an engine with descriptors to carry out may finish none. Tests make it shorter. */
extern uint64_t udma_ioat_hang_us;

/** After a halt: ends the request at fault with its cause and goes on behind it, or fails. */
void udma_ioat_recover(struct spdk_ioat_chan *chan, bool address_is_known, uint32_t chanerr);
/**
 * Takes the channel out of use, with one log line: stops the engine, and ends every request that
 * has not completed. If the device is gone, that is the reason.
 */
void udma_ioat_fail(struct spdk_ioat_chan *chan, enum udma_ioat_status status, const char *what);
/** What is behind the fence of a failed request ends as aborted: its descriptors move nothing. */
void udma_ioat_abort_fenced(struct spdk_ioat_chan *chan, uint64_t failed);
/** Of what has been built, the engine carries out no more. */
void udma_ioat_skip_to_head(struct spdk_ioat_chan *chan);
/** Stops the engine and ends every request that has not completed; polls tell of it. */
void udma_ioat_give_up(struct spdk_ioat_chan *chan, enum udma_ioat_status status);

/* attach.c */

/** Brings up a function in any state. \return 0 and the channel, or a negative errno, logged. */
int udma_ioat_attach(struct spdk_pci_device *device, struct spdk_ioat_chan **chan);
/** Frees a channel whose engine has been stopped. */
void udma_ioat_free(struct spdk_ioat_chan *chan);

/* reset.c */

/**
 * Section 12.1, from any state. Afterwards the engine touches no memory.
 *
 * \return 0; -EIO or -ENODEV, logged.
 */
int udma_ioat_reset_engine(struct spdk_ioat_chan *chan);
/** Likewise, by a reset of the whole function (section 2.2) where that is not enough. */
int udma_ioat_reset_hard(struct spdk_ioat_chan *chan);
/** Arms an engine that was reset for the descriptors from a position on. */
void udma_ioat_arm(struct spdk_ioat_chan *chan, uint64_t position);
/**
 * Section 12.2, of an engine that was reset: one null descriptor, the driver's own, proves that it
 * reaches our memory. \return 0; -EIO, logged.
 */
int udma_ioat_start(struct spdk_ioat_chan *chan);
/** Lets the device reach memory: section 14.5, step 1. \return 0; a negative errno, logged. */
int udma_ioat_enable_bus_mastering(struct spdk_ioat_chan *chan);
/** Whether nothing answers any more. */
bool udma_ioat_is_gone(const struct spdk_ioat_chan *chan);
/** \return whether the engine can be relied on to write nothing more. */
bool udma_ioat_engine_stops(struct spdk_ioat_chan *chan);

/* quiesce.c */

/** Lets removals of memory wait for this channel's engine. \return 0; -ENOMEM. */
int udma_ioat_quiesce_add(struct spdk_ioat_chan *chan);
void udma_ioat_quiesce_remove(struct spdk_ioat_chan *chan);
/** Detaches what a program has left attached. Called as the environment ends. */
void udma_ioat_fini(void);

/* chanerr.c */

/** Writes the causes that a CHANERR value names (section 11). \return `text`. */
const char *udma_ioat_chanerr_text(uint32_t chanerr, char *text, size_t size);

#endif
