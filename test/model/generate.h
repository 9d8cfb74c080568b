/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Random programs for a world: what a driver would do, and what none should.
 *
 * The generator looks at the reference's state to stay where something happens, so the operations
 * follow from the seed as long as the reference does not change. Each operation stands by itself:
 * others can be taken out of a program without changing what it does.
 */

#ifndef UDMA_TEST_GENERATE_H
#define UDMA_TEST_GENERATE_H

#include "world.h"

#define QUEUE 256

struct generator {
	uint64_t random;
	struct operation queue[QUEUE]; /**< to be done next */
	unsigned head, tail;
	const struct reference *reference;
	const struct arena *arena;
	uint32_t ring;  /**< arena offset of the slots */
	uint32_t slots; /**< in the ring */
};

/** Chooses the functions of the program. \param device_id 0: any. */
void generate_start(struct generator *generator, uint64_t seed, uint16_t device_id,
		    struct world_start *start);
/** A config of which some do not exist. */
void generate_config(uint64_t *random, struct udma_emu_config *config);
/** \return the next operation. */
struct operation generate(struct generator *generator, const struct world *world);

/* ---- Between the files of the generator ---- */

struct operation *generate_push(struct generator *generator, enum operation_kind kind,
				uint32_t offset, uint32_t len);
void generate_write(struct generator *generator, uint32_t offset, unsigned width, uint64_t value);
void generate_config_write(struct generator *generator, uint32_t offset, uint32_t len,
			   uint64_t value);
uint64_t generate_below(struct generator *generator, uint64_t limit);
/** \return true `percent` times of a hundred. */
bool generate_chance(struct generator *generator, unsigned percent);
/** A value with few or many bits, or the address of something. */
uint64_t generate_value(struct generator *generator);
/** An address at which `size` bytes probably are. */
uint64_t generate_address(struct generator *generator, uint64_t size);
/** An address that is a multiple of `alignment`, and probably granted. */
uint64_t generate_aligned(struct generator *generator, uint64_t alignment);
/** The address of a slot of the ring; numbers go round. */
uint64_t generate_slot(const struct generator *generator, uint32_t slot);
/** The CPU writes these words, if there is memory at the address. At most 8. */
void generate_words(struct generator *generator, uint64_t iova, const uint64_t *words,
		    unsigned count);
/** Some descriptors at the place that the engine looks at next, and the doorbell. */
void generate_submit(struct generator *generator);

/** One access, or one thing that changes. */
void generate_wild(struct generator *generator);

#endif
