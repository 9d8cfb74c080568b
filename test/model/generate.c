/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Registers, configuration space, grants: everything but descriptors.
 */

#include <string.h>

#include "generate.h"
#include "random.h"

/* ---- Means ---- */

uint64_t
generate_below(struct generator *g, uint64_t limit)
{
	return random_below(&g->random, limit);
}

bool
generate_chance(struct generator *g, unsigned percent)
{
	return generate_below(g, 100) < percent;
}

struct operation *
generate_push(struct generator *g, enum operation_kind kind, uint32_t offset, uint32_t len)
{
	struct operation *op = &g->queue[g->tail < QUEUE - 1 ? g->tail++ : QUEUE - 1];

	*op = (struct operation){.kind = kind, .offset = offset, .len = len};
	return op;
}

void
generate_write(struct generator *g, uint32_t offset, unsigned width, uint64_t value)
{
	generate_push(g, DO_WRITE, offset, width)->value = value;
}

void
generate_config_write(struct generator *g, uint32_t offset, uint32_t len, uint64_t value)
{
	struct operation *op = generate_push(g, DO_CONFIG_WRITE, offset, len);

	for (uint32_t i = 0; i < 8; i++) {
		op->bytes[i] = (uint8_t)(value >> 8 * i);
	}
}

/* As one access, or as two: low half first. */
static void
write_64(struct generator *g, uint32_t offset, uint64_t value)
{
	if (generate_chance(g, 60)) {
		generate_write(g, offset, 8, value);
	} else {
		generate_write(g, offset, 4, value & UINT32_MAX);
		generate_write(g, offset + 4, 4, value >> 32);
	}
}

uint64_t
generate_value(struct generator *g)
{
	uint64_t value = random_next(&g->random);

	switch (generate_below(g, 8)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return 1ull << value % 64;
	case 3:
		return value % 64;
	case 4:
		return generate_aligned(g, 8);
	case 5:
		return value & random_next(&g->random) & random_next(&g->random);
	}
	return value;
}

/* ---- Addresses ---- */

static uint64_t
near_an_edge(struct generator *g, uint64_t size)
{
	const struct arena_region *region = &arena_regions[generate_below(g, ARENA_REGIONS)];
	uint64_t edge = region->iova + (generate_chance(g, 70) ? region->len : 0);

	return edge - generate_below(g, size + 2);
}

static uint64_t
near_a_page_end(struct generator *g)
{
	uint32_t page = (uint32_t)generate_below(g, ARENA_SIZE / 4096) * 4096;

	return arena_iova(page) + 4096 - generate_below(g, 300) - 1;
}

uint64_t
generate_address(struct generator *g, uint64_t size)
{
	const struct arena_region *region =
		&arena_regions[generate_chance(g, 70) ? ARENA_MAIN
						      : generate_below(g, ARENA_REGIONS)];
	uint64_t room = region->len > size ? region->len - size : 1;

	switch (generate_below(g, 24)) {
	case 0:
		return near_an_edge(g, size);
	case 1:
		return generate_value(g);
	case 2:
	case 3:
	case 4:
		return near_a_page_end(g);
	}
	return region->iova + generate_below(g, room);
}

uint64_t
generate_aligned(struct generator *g, uint64_t alignment)
{
	return generate_address(g, 64) & ~(alignment - 1);
}

uint64_t
generate_slot(const struct generator *g, uint32_t slot)
{
	return arena_iova(g->ring) + 64ull * (slot % g->slots);
}

/* ---- Start ---- */

static const uint16_t ids[][2] = {
	{0x3710, 10}, {0x3C20, 8}, {0x3C2E, 2}, {0x0E20, 8}, {0x0E2E, 2}, {0x2F20, 8},
	{0x2F2E, 2},  {0x6F20, 8}, {0x6F2E, 2}, {0x0C50, 4}, {0x6F50, 4}, {0x2021, 1},
	{0x0B00, 1},  {0x0000, 1}, {0x3718, 2}, {0x0C50, 2}, {0x0C50, 2}, {0x0C50, 2},
};

static uint16_t
any_id(uint64_t *random)
{
	size_t row = random_below(random, sizeof(ids) / sizeof(ids[0]));

	return (uint16_t)(ids[row][0] + random_below(random, ids[row][1]));
}

void
generate_config(uint64_t *random, struct udma_emu_config *config)
{
	memset(config, 0, sizeof(*config));
	config->device_id = any_id(random);
	if (random_below(random, 4) == 0) {
		config->device_id ^= (uint16_t)(1u << random_below(random, 16));
	}
	config->xfercap = (uint8_t)random_below(random, 36);
	config->interrupts = (uint32_t)random_below(random, 9);
	config->intx_pin = (uint8_t)random_below(random, 6);
}

void
generate_start(struct generator *g, uint64_t seed, uint16_t device_id, struct world_start *start)
{
	uint16_t id;

	memset(g, 0, sizeof(*g));
	memset(start, 0, sizeof(*start));
	g->random = seed;
	id = any_id(&g->random);
	start->config.device_id = device_id != 0 ? device_id : id;
	start->config.xfercap = (uint8_t)(generate_chance(g, 50)   ? 0
					  : generate_chance(g, 70) ? 12 + generate_below(g, 4)
								   : 12 + generate_below(g, 20));
	start->config.multifunction = generate_chance(g, 50);
	start->config.interrupts = (uint32_t)generate_below(g, 8);
	start->config.intx_pin = (uint8_t)generate_below(g, 5);
	start->config.msix_table_in_host = generate_chance(g, 20);
	start->has_read = generate_chance(g, 85);
	start->has_write = generate_chance(g, 85);
	start->takes_interrupts = generate_chance(g, 97);
	start->memory_seed = random_next(&g->random);
	g->slots = 4 + (uint32_t)generate_below(g, 29);
	g->ring = arena_regions[generate_chance(g, 80) ? ARENA_MAIN : 2].offset +
		  64 * (uint32_t)generate_below(g, 256);
}

/* ---- What a driver does ---- */

static void
set_up_msix(struct generator *g)
{
	uint32_t table = g->reference->part->table;

	generate_config_write(g, 0x82, 2, generate_chance(g, 90) ? 0x8000 : 0xC000);
	generate_write(g, table, 8, generate_aligned(g, 4));
	generate_write(g, table + 8, 4, generate_below(g, 256));
	if (generate_chance(g, 80)) {
		generate_write(g, table + 12, 4, 0);
	}
}

static void
set_up_interrupts(struct generator *g)
{
	generate_write(g, 0x03, 1, generate_chance(g, 80) ? 0x01 : 0x09);
	if (generate_chance(g, 60)) {
		set_up_msix(g);
	}
	if (generate_chance(g, 30)) {
		generate_config_write(g, 0xD4, 8, generate_value(g));
		generate_config_write(g, 0xDC, 2, generate_value(g));
		generate_config_write(g, 0xD2, 2, 1);
	}
	if (generate_chance(g, 15)) {
		generate_write(g, 0x0C, 2, generate_below(g, 50));
	}
}

static uint64_t
some_chanctrl(struct generator *g)
{
	static const uint16_t usual[] = {0x1D, 0x08, 0x0C, 0x09, 0x1D, 0x1C, 0x11, 0x15, 0x00};

	if (generate_chance(g, 10)) {
		return generate_value(g);
	}
	return usual[generate_below(g, sizeof(usual) / sizeof(usual[0]))];
}

static void
start_chain(struct generator *g)
{
	generate_write(g, 0x80, 2, some_chanctrl(g));
	if (generate_chance(g, 70)) {
		write_64(g, 0x98,
			 generate_chance(g, 95) ? generate_aligned(g, 8) : generate_value(g));
	}
	write_64(g, 0x90,
		 generate_chance(g, 96) ? generate_slot(g, (uint32_t)generate_below(g, g->slots))
					: generate_value(g));
}

static void
bring_up(struct generator *g)
{
	generate_config_write(g, 0x04, 2, generate_chance(g, 85) ? 0x0006 : 0x0406);
	if (generate_chance(g, 50)) {
		generate_config_write(g, 0xE4, 2, 0);
	}
	if (generate_chance(g, 50)) {
		set_up_interrupts(g);
	}
	generate_push(g, DO_READ, 0x88, 8);
	generate_write(g, 0xA8, 4, UINT32_MAX);
	if (generate_chance(g, 70)) {
		generate_write(g, 0x84, 1, 0x20);
	}
	start_chain(g);
}

static void
recover(struct generator *g)
{
	generate_push(g, DO_READ, 0xA8, 4);
	if (generate_chance(g, 90)) {
		generate_write(g, 0xA8, 4, g->reference->chanerr);
	}
	if (generate_chance(g, 50)) {
		generate_config_write(g, 0x180, 4, UINT32_MAX);
	}
	if (generate_chance(g, 50)) {
		generate_write(g, 0x84, 1, 0x20);
	}
	start_chain(g);
}

static void
rearm(struct generator *g)
{
	generate_write(g, 0x80, 2, generate_chance(g, 80) ? 0x1D : some_chanctrl(g) | 1);
}

/* The handler for INTx and MSI. */
static void
handle_interrupt(struct generator *g)
{
	generate_push(g, DO_READ, 0x03, 1);
	generate_push(g, DO_READ, 0x04, 4);
	generate_write(g, 0x03, 1, 0x01);
	rearm(g);
}

/* ---- A program ---- */

static bool
can_run(const struct reference *r)
{
	return r->state != REFERENCE_HALTED && r->state != REFERENCE_SUSPENDED &&
	       reference_bus_master(r) && reference_in_d0(r);
}

/* The internal count goes to where it soon begins again at 0: by a null descriptor that is its own
 * next one. */
static void
count_up(struct generator *g)
{
	uint64_t slot = generate_slot(g, 0);
	const uint64_t null[] = {8 | 0x20ull << 32, 0, 0, slot};

	bring_up(g);
	generate_words(g, slot, null, 4);
	generate_write(g, 0x90, 8, slot);
	generate_write(g, 0x86, 2, 0xFFF0 + generate_below(g, 16));
	generate_push(g, DO_STEP, 0, UINT16_MAX);
}

static void
more(struct generator *g)
{
	const struct reference *r = g->reference;

	if (generate_below(g, 20000) == 0) {
		count_up(g);
	} else if (generate_chance(g, 30)) {
		generate_wild(g);
	} else if (!can_run(r)) {
		if (r->state == REFERENCE_SUSPENDED && generate_chance(g, 50)) {
			generate_write(g, 0x84, 1, 0x10);
		} else if (generate_chance(g, 40)) {
			bring_up(g);
		} else {
			recover(g);
		}
	} else if (r->state == REFERENCE_ACTIVE) {
		if (generate_chance(g, 5)) {
			generate_write(g, 0x86, 2, (uint16_t)(r->done + generate_below(g, 8)));
		}
		generate_push(g, DO_STEP, 0, 1);
	} else if (r->sent && generate_chance(g, 40)) {
		if (generate_chance(g, 50)) {
			handle_interrupt(g);
		} else {
			rearm(g);
		}
	} else {
		generate_submit(g);
	}
}

struct operation
generate(struct generator *g, const struct world *world)
{
	g->reference = &world->reference;
	g->arena = &world->arena;
	while (g->head == g->tail) {
		g->head = g->tail = 0;
		more(g);
	}
	return g->queue[g->head++];
}
