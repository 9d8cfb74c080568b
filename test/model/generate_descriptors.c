/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Descriptors: chains as a driver makes them, with mistakes in some.
 */

#include <string.h>

#include "generate.h"
#include "random.h"

#define PAGE_BREAKS 0xC0u
#define P_AND_Q     0x1800u
#define WB_EN       0x2000u

/* What is to be written: the slots from the engine's place on. */
struct chain {
	struct generator *g;
	uint32_t slot;      /* number of the next one in the ring */
	uint16_t count;     /* slots so far */
	uint64_t words[16]; /* the last base and its extension */
	bool extended;      /* the last one has an extension */
};

/* Where the engine looks next. */
static uint64_t
engine_place(const struct generator *g)
{
	const struct reference *r = g->reference;

	return r->first ? r->start : r->next;
}

void
generate_words(struct generator *g, uint64_t iova, const uint64_t *words, unsigned count)
{
	struct operation *op;
	uint32_t offset;

	if (!arena_find(iova, &offset)) {
		return;
	}
	op = generate_push(g, DO_POKE, offset, 8 * count);
	for (unsigned i = 0; i < 8 * count; i++) {
		op->bytes[i] = (uint8_t)(words[i / 8] >> 8 * (i % 8));
	}
}

static uint64_t
some_size(struct generator *g)
{
	uint64_t cap = 1ull << g->reference->config.xfercap;

	switch (generate_below(g, 40)) {
	case 0:
		return 0;
	case 1:
		return generate_chance(g, 50) ? cap + 1 : cap + generate_below(g, 65536);
	case 2:
		return generate_value(g);
	case 3:
		return cap;
	case 4:
	case 5:
		return 1 + generate_below(g, 65536);
	case 6:
	case 7:
		return 4096ull << generate_below(g, 2);
	case 8:
	case 9:
	case 10:
	case 11:
		return 1024 * (1 + generate_below(g, 3)) - 2 + generate_below(g, 5);
	}
	return 1 + generate_below(g, generate_chance(g, 50) ? 64 : 2100);
}

static uint8_t
some_opcode(struct generator *g)
{
	static const uint8_t raid[] = {0x87, 0x88, 0x89, 0x8A, 0x8B, 0xA0, 0xA1};
	static const uint8_t others[] = {0x41, 0x81, 0x84, 0x85, 0x86, 0x02, 0x8C, 0xA2};
	bool has_raid = (g->reference->part->capabilities & (CAP_XOR | CAP_PQ)) != 0;

	if (generate_chance(g, has_raid ? 70 : 5)) {
		return raid[generate_below(g, sizeof(raid))];
	}
	if (generate_chance(g, 4)) {
		return generate_chance(g, 50) ? others[generate_below(g, sizeof(others))]
					      : (uint8_t)generate_below(g, 256);
	}
	return generate_chance(g, 70) ? 0x00 : 0x01;
}

static uint32_t
some_control(struct generator *g, uint8_t opcode)
{
	uint32_t control = (uint32_t)opcode << 24 | (generate_chance(g, 60) ? 8 : 0) |
			   (generate_chance(g, 30) ? 1 : 0);

	if (generate_chance(g, 10)) {
		control |= (uint32_t)generate_value(g) & 0xFFFFFF;
	}
	if (opcode >= 0x80) {
		control |= (uint32_t)generate_below(g, generate_chance(g, 95) ? 7 : 8) << 5;
		control |= generate_chance(g, 25) ? (uint32_t)generate_value(g) & P_AND_Q : 0;
		control |= generate_chance(g, 30) ? WB_EN : 0;
		control |= (uint32_t)generate_below(g, 256) << 16;
	} else if (generate_chance(g, 25)) {
		control |= (uint32_t)generate_below(g, 4) << 6 & PAGE_BREAKS;
	} else if (generate_chance(g, 15)) {
		control |= 0x20;
	}
	return control;
}

/* Operands: every qword that can be one. */
static void
some_operands(struct generator *g, uint64_t *words, uint64_t size)
{
	for (unsigned i = 1; i < 16; i++) {
		words[i] = generate_address(g, size);
	}
	if (generate_chance(g, 15)) {
		words[2] = words[1] + generate_below(g, 2 * size + 2) - size;
	}
}

/* Sources and results at one place, so that a validation comes out right now and then. */
static void
equal_operands(struct generator *g, uint64_t *words, uint64_t size)
{
	uint64_t place = generate_address(g, size);

	for (unsigned i = 1; i < 16; i++) {
		if (generate_chance(g, 60)) {
			words[i] = place;
		}
	}
}

static void
some_sed(struct generator *g, uint64_t *words, uint64_t size)
{
	uint64_t sed[16];

	words[5] = generate_chance(g, 95) ? generate_aligned(g, 64) : generate_value(g);
	for (unsigned i = 0; i < 16; i++) {
		sed[i] = generate_address(g, size);
	}
	sed[0] = random_next(&g->random);
	generate_words(g, words[5], sed, 8);
	generate_words(g, words[5] + 64, sed + 8, 8);
}

static bool
takes_extension(const struct generator *g, uint32_t control)
{
	uint8_t base[64] = {0};

	for (unsigned i = 0; i < 4; i++) {
		base[4 + i] = (uint8_t)(control >> 8 * i);
	}
	return reference_has_extension(g->reference, base);
}

/* The address of the slot behind this one; now and then another one, or none. */
static uint64_t
next_of(struct chain *chain)
{
	struct generator *g = chain->g;

	chain->slot++;
	if (generate_chance(g, 1)) {
		return generate_value(g);
	}
	if (generate_chance(g, 2)) {
		chain->slot = (uint32_t)generate_below(g, g->slots);
	}
	return generate_slot(g, chain->slot);
}

static void
write_slots(struct chain *chain, uint64_t at)
{
	struct generator *g = chain->g;

	chain->words[3] = next_of(chain);
	chain->count++;
	generate_words(g, at, chain->words, 8);
	if (chain->extended) {
		uint64_t behind = chain->words[3];

		chain->words[11] = next_of(chain);
		chain->count++;
		generate_words(g, behind, chain->words + 8, 8);
	}
}

static void
new_descriptor(struct chain *chain)
{
	struct generator *g = chain->g;
	uint8_t opcode = some_opcode(g);
	uint32_t control = some_control(g, opcode);
	uint64_t size = some_size(g) & UINT32_MAX;

	some_operands(g, chain->words, size);
	if (opcode >= 0x80 && generate_chance(g, 20)) {
		equal_operands(g, chain->words, size);
	}
	if (opcode == 0xA0 || opcode == 0xA1) {
		some_sed(g, chain->words, size);
	}
	if (opcode < 0xA0 && opcode >= 0x89 && generate_chance(g, 70)) {
		chain->words[6] = random_next(&g->random) & random_next(&g->random);
	}
	chain->words[0] = size | (uint64_t)control << 32;
	chain->extended = takes_extension(g, control);
}

/* Validates what the last descriptor of the chain has computed, if it was XOR or PQ. */
static void
validate_last(struct chain *chain)
{
	uint8_t opcode = chain->words[0] >> 56;
	uint8_t validation = opcode == 0x87   ? 0x88
			     : opcode == 0x89 ? 0x8A
			     : opcode == 0xA0 ? 0xA1
					      : 0;

	if (validation == 0) {
		new_descriptor(chain);
		return;
	}
	chain->words[0] &= ~(0xFFull << 56);
	chain->words[0] |= (uint64_t)validation << 56;
	if (generate_chance(chain->g, 20)) {
		chain->words[0] ^= 1ull << (43 + generate_below(chain->g, 2));
	}
}

static void
ring_doorbell(struct chain *chain)
{
	struct generator *g = chain->g;
	uint64_t count = (uint16_t)(g->reference->done + chain->count);

	if (generate_chance(g, 4)) {
		count += generate_below(g, 3) - 1;
	} else if (generate_chance(g, 1)) {
		count = generate_value(g);
	}
	generate_write(g, 0x86, 2, count & 0xFFFF);
}

void
generate_submit(struct generator *g)
{
	struct chain chain = {.g = g};
	unsigned descriptors = 1 + (unsigned)generate_below(g, 6);
	uint64_t at = engine_place(g);
	uint64_t base = arena_iova(g->ring);

	chain.slot = at - base < 64ull * g->slots ? (uint32_t)((at - base) / 64) : 0;
	for (unsigned i = 0; i < descriptors; i++) {
		if (i > 0 && generate_chance(g, 40)) {
			validate_last(&chain);
		} else {
			new_descriptor(&chain);
		}
		write_slots(&chain, at);
		at = chain.extended ? chain.words[11] : chain.words[3];
	}
	ring_doorbell(&chain);
}
