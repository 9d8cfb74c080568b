/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Programs: what one does follows from its seed and the number of each of its steps, so that steps
 * can be left out and the others stay what they were.
 *
 * calls.c has the calls into the driver and what each promises, faults.c what goes wrong, program.c
 * which of them comes next.
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
	IN_CALLBACK,
};

extern uint64_t g_random; /* what the program does */

/** Once. */
void program_init(void);
/** \param left_out steps that are not taken. \param step where it is, for whoever watches. */
void program_run(uint64_t seed, const bool *left_out, volatile uint64_t *step);

/* calls.c */

void call_build(bool flush);
void call_flush(void);
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
/** A request that moves nothing, or little. \return whether it was accepted. */
bool call_build_small(void);

/* faults.c */

/** Makes the device do something wrong, from now on or once. */
void faults_choose(void);

#endif
