/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What no driver would do: any access at any place, switches thrown at any time.
 */

#include <string.h>

#include "generate.h"
#include "random.h"

static uint32_t
some_offset(struct generator *g)
{
	const struct reference_part *part = g->reference->part;

	switch (generate_below(g, 8)) {
	case 0:
		return (uint32_t)generate_below(g, 0x20);
	case 1:
		return part->table + (uint32_t)generate_below(g, 20);
	case 2:
		return part->pba + (uint32_t)generate_below(g, 10);
	case 3:
		return 0x48 + (uint32_t)generate_below(g, 8);
	case 4:
		return (uint32_t)generate_below(g, REFERENCE_BAR_SIZE + 64);
	case 5:
		if (generate_chance(g, 5)) {
			return (uint32_t)generate_value(g);
		}
	}
	return 0x80 + (uint32_t)generate_below(g, 0x38);
}

static void
wild_access(struct generator *g, enum operation_kind kind)
{
	unsigned width = 1u << generate_below(g, 4);
	uint32_t offset = some_offset(g);

	if (generate_chance(g, 2)) {
		width = (unsigned)generate_below(g, 17);
	} else if (generate_chance(g, 97)) {
		offset &= ~(width - 1);
	}
	generate_push(g, kind, offset, width)->value = generate_value(g);
}

static void
some_command(struct generator *g)
{
	static const uint8_t commands[] = {0x04, 0x10, 0x20, 0x08, 0x04, 0x10, 0x01, 0x02, 0x00};

	generate_write(g, 0x84, 1,
		       generate_chance(g, 90) ? commands[generate_below(g, sizeof(commands))]
					      : generate_value(g));
}

static uint32_t
some_config_offset(struct generator *g)
{
	static const uint16_t places[] = {
		0x04,  0x06,  0x0C,  0x10,  0x14,  0x3C,  0x48,  0x60,  0x80,  0x82,  0x82,
		0x84,  0x88,  0x90,  0x94,  0x98,  0x9A,  0xB4,  0xB8,  0xD0,  0xD2,  0xD4,
		0xD8,  0xDC,  0xE0,  0xE4,  0xE4,  0x100, 0x104, 0x108, 0x10C, 0x110, 0x114,
		0x118, 0x148, 0x14C, 0x150, 0x154, 0x160, 0x180, 0x184, 0x188, 0x18C};

	if (generate_chance(g, 8)) {
		return (uint32_t)generate_below(g, REFERENCE_CONFIG_SIZE + 16);
	}
	if (generate_chance(g, 1)) {
		return (uint32_t)generate_value(g);
	}
	return places[generate_below(g, sizeof(places) / sizeof(places[0]))] +
	       (generate_chance(g, 10) ? (uint32_t)generate_below(g, 4) : 0);
}

static uint32_t
some_length(struct generator *g)
{
	return generate_chance(g, 90) ? 1u << generate_below(g, 3)
				      : (uint32_t)generate_below(g, 65);
}

static void
wild_config(struct generator *g)
{
	uint32_t offset = some_config_offset(g);
	uint32_t len = some_length(g);
	struct operation *op;

	if (generate_chance(g, 30)) {
		generate_push(g, DO_CONFIG_READ, offset, len);
		return;
	}
	op = generate_push(g, DO_CONFIG_WRITE, offset, len);
	for (uint32_t i = 0; i < len; i += 8) {
		uint64_t value = generate_value(g);

		memcpy(op->bytes + i, &value, len - i < 8 ? len - i : 8);
	}
}

static void
switch_something(struct generator *g)
{
	switch (generate_below(g, 6)) {
	case 0:
		generate_config_write(g, 0x04, 2, generate_below(g, 2048));
		break;
	case 1:
		generate_config_write(g, 0x83, 1, generate_below(g, 4) << 6);
		break;
	case 2:
		generate_config_write(g, 0xD2, 1, generate_below(g, 2));
		break;
	case 3:
		generate_config_write(g, 0xE4, 1, generate_below(g, 4));
		break;
	case 4:
		generate_write(g, g->reference->part->table + 12, 4, generate_below(g, 2));
		break;
	case 5:
		generate_write(g, 0x03, 1, generate_below(g, 16));
		break;
	}
}

static void
change_grants(struct generator *g)
{
	uint64_t kind = generate_below(g, ARENA_KINDS);
	uint32_t offset = (uint32_t)generate_below(g, ARENA_SIZE);
	uint32_t len = 1 + (uint32_t)generate_below(g, generate_chance(g, 50) ? 64 : 8192);

	if (generate_chance(g, 25)) {
		offset = 0;
		len = ARENA_SIZE;
		kind = generate_chance(g, 90) ? ARENA_RW : ARENA_CALL;
	} else if (generate_chance(g, 50)) {
		kind = generate_chance(g, 50) ? ARENA_RW_2 : ARENA_CALL;
	}
	generate_push(g, DO_PLACE, offset, len)->value = kind;
}

static void
poke(struct generator *g)
{
	uint32_t len = 1 + (uint32_t)generate_below(g, 64);
	uint32_t offset = generate_chance(g, 30)
				  ? g->ring + (uint32_t)generate_below(g, 64 * g->slots)
				  : (uint32_t)generate_below(g, ARENA_SIZE - 64);
	struct operation *op = generate_push(g, DO_POKE, offset, len);

	for (uint32_t i = 0; i < len; i++) {
		op->bytes[i] = (uint8_t)random_next(&g->random);
	}
}

void
generate_wild(struct generator *g)
{
	switch (generate_below(g, 16)) {
	case 0:
	case 1:
	case 2:
		wild_access(g, DO_READ);
		break;
	case 3:
	case 4:
	case 5:
		wild_access(g, DO_WRITE);
		break;
	case 6:
	case 7:
		wild_config(g);
		break;
	case 8:
	case 9:
		switch_something(g);
		break;
	case 10:
	case 11:
		some_command(g);
		break;
	case 12:
		change_grants(g);
		break;
	case 13:
		poke(g);
		break;
	case 14:
		generate_push(g, DO_ELAPSE, 0,
			      (uint32_t)(generate_chance(g, 95) ? generate_below(g, 60)
								: generate_value(g)));
		break;
	case 15:
		if (generate_chance(g, 25)) {
			generate_push(g, DO_RESET, 0, 0);
		}
		break;
	}
}
