/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Programs: what one does follows from its seed and the number of each of its steps, so that steps
 * can be left out and the others stay what they were.
 *
 * choose.c chooses requests; builds.c, calls.c and waiting.c have the calls into the driver and
 * what each promises, faults.c what goes wrong, program.c which of them comes next.
 */

#ifndef TEST_RANDOM_PROGRAM_H
#define TEST_RANDOM_PROGRAM_H

#include "requests.h"

#define PROGRAM_STEPS 500

/** What a callback does. */
enum in_callback {
	DO_NOTHING,
	POLL,
	SUBMIT,
	BUILD,
	BUILD_AND_FLUSH,
	FLUSH,
	DRAIN,
	ABORT,
	RESET,
	DETACH,
	DETACH_AND_ATTACH,
	WAIT,
	EVENT_LOOP,
	IN_CALLBACK,
};

extern uint64_t g_random; /* what the program does */

/** Once. */
void program_init(void);
/** \param left_out steps that are not taken. \param step where it is, for whoever watches. */
void program_run(uint64_t seed, const bool *left_out, volatile uint64_t *step);

/* choose.c */

/** Chooses a request. \return false if none was found that is certain. */
bool request_choose(struct request *request, bool tells_status);

/* builds.c */

void call_build(bool flush);
/** Several at once. */
void call_submit(void);
void call_flush(void);
/** A request that moves nothing, or little. \return whether it was accepted. */
bool call_build_small(void);

/* calls.c */

/** What the calls know of each other. */
struct calls {
	unsigned depth;
	unsigned in_calls; /* that call back */
	bool detaching;
	unsigned draining;   /* whose polls keep their errors to themselves, until they are over */
	int error;           /* what polls of a channel that has failed return */
	unsigned waits;      /* polls that have found nothing, of a device that is gone */
	uint64_t watched_at; /* when the second of them was */
	uint64_t claimed;    /* events that polls have counted */
	int fd;              /* that a channel has given, */
	uint64_t fd_of;      /* and its generation */
	uint64_t waited_on;  /* generation of the channel that has a descriptor, perhaps */
	/* The callback that ran last. */
	struct {
		uint64_t number, at_us, events;
		unsigned in_calls;
	} told;
	/* Counters, as a channel was brought up. */
	struct udma_ioat_stats stats;
	uint64_t rung, doorbells;
	bool exact; /* all that was announced has been heard */
};

extern struct calls g_calls;

/** A call that may call back. */
struct call {
	struct spdk_ioat_chan *chan;
	uint64_t generation;
	uint64_t accepted, events, claimed; /* as it began */
	uint64_t oldest;                    /* position of what was not told of then */
	uint64_t said;                      /* what the completion word said then */
	uint64_t start_us;
	enum arms arms;
};

/** \param arms what the next start of the engine is. */
struct call call_enter(enum arms arms);
/** \return false if a callback has detached the channel. */
bool call_leave(const struct call *call);
/** \return events that it has to count: those that polls in callbacks have counted it has not. */
uint64_t call_own_events(const struct call *call);
/** What a call that returns as a poll does may have returned. */
void call_check_polled(const struct call *call, int rc);

void call_poll(void);
void call_drain(void);
void call_abort(void);
void call_reset(void);
void call_detach(void);
void call_attach(void);
/** Takes away, or brings back, memory that requests use. */
void call_toggle_memory(void);
/** What must hold whenever no call is under way. */
void check_all(void);

/* waiting.c */

/** Whether the program uses what is below. */
extern bool g_waits;
/** udma_ioat_wait(). */
void call_wait(void);
/** One for as long as it takes. */
void call_wait_for_good(void);
/** What an event loop does: makes ready, sleeps on the descriptor, polls. */
void call_event_loop(void);
/** What it should not do: it sleeps without having made ready. */
void call_sleep_at_once(void);
void call_coalesce(void);
/** With nothing outstanding, who is ready sleeps. */
void check_quiet(void);

/* faults.c */

/** Makes the device do something wrong, from now on or once. */
void faults_choose(void);

#endif
