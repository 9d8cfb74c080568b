/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A hostile I/OAT device. It works as silicon does until the input has it do something else, and
 * can do so each time the driver accesses a register, looks at the clock or waits: nothing depends
 * on real time, and the same input is the same run.
 */

#ifndef TEST_FUZZ_DEVICE_H
#define TEST_FUZZ_DEVICE_H

#include "fuzz.h"
#include "spdk/env.h"
#include "spdk/ioat_spec.h"

#define DEVICE_RING (1u << UDMA_IOAT_RING_ORDER)

/** Makes the device appear. Once. */
void device_init(void);
/** Powers it on for another input, as the front of that says. */
void device_begin(struct input *input);
/** Lets it do what it likes `turns` times. */
void device_take_turns(unsigned turns);
/** From here on it only works as it should, as far as what it has done lets it. */
void device_behave(void);

/** Takes in what the driver may read by now, and what it has announced. */
void device_look(void);
/** \return the position up to which descriptors have been said to be done, as the driver counts. */
uint64_t device_said_done(void);
/** \return the position up to which descriptors have been announced. */
uint64_t device_announced(void);
/** Whether the driver has been shown an end of the engine: HALTED, or all ones. */
bool device_has_shown_an_end(void);
/** Forgets that it has been shown. */
void device_forget_shown_end(void);
/** Whether the driver may take it that the engine writes nothing any more. */
bool device_is_stopped(void);
/** Whether a reset did not end at once, so that the driver may have given up on it. */
bool device_has_refused_a_reset(void);
bool device_is_attached(void);
/** The largest transfer that the driver was told of. */
uint64_t device_max_piece(void);
/** Starts a call into the driver, which has to end. */
void device_begin_call(void);
void device_advance_clock(uint64_t us);

/** Called by the memory's wrapper: the engine must not be able to write there any more. */
void device_memory_is_freed(const void *memory);
/** To be defined by the target: a descriptor has been announced. */
void on_announced(uint64_t position, const union spdk_ioat_hw_desc *desc);

#endif
