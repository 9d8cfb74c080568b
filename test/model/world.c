/* SPDX-License-Identifier: BSD-3-Clause */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

static_assert(UDMA_EMU_BAR_SIZE == REFERENCE_BAR_SIZE, "section 1.3");
static_assert(UDMA_EMU_CFG_SIZE == REFERENCE_CONFIG_SIZE, "section 2");
static_assert(UDMA_EMU_MSIX == REFERENCE_MSIX && UDMA_EMU_MSI == REFERENCE_MSI &&
		      UDMA_EMU_INTX == REFERENCE_INTX,
	      "the masks are passed on");

static bool differ(struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool
differ(struct world *world, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(world->difference, sizeof(world->difference), format, args);
	va_end(args);
	return false;
}

/* ---- Both functions ---- */

static void
take_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt)
{
	struct arena *arena = ctx;
	struct world *world = (struct world *)((char *)arena - offsetof(struct world, arena));

	if (world->emissions < REFERENCE_LOG) {
		world->emitted[world->emissions++] = *interrupt;
	}
}

void
world_init(struct world *world)
{
	memset(world, 0, sizeof(*world));
	arena_init(&world->arena);
}

void
world_fini(struct world *world)
{
	udma_emu_destroy(world->emu);
	world->emu = NULL;
	arena_fini(&world->arena);
}

static struct udma_emu *
create(struct world *world, const struct world_start *start)
{
	struct udma_emu_host host = {
		.grant = arena_grant,
		.read = start->has_read ? arena_read : NULL,
		.write = start->has_write ? arena_write : NULL,
		.interrupt = start->takes_interrupts ? take_interrupt : NULL,
	};

	return udma_emu_create(&start->config, &host, &world->arena);
}

static bool
create_reference(struct world *world, const struct udma_emu_config *config)
{
	const struct reference_config same = {
		.device_id = config->device_id,
		.xfercap = config->xfercap,
		.multifunction = config->multifunction,
		.interrupts = config->interrupts,
		.intx_pin = config->intx_pin,
		.msix_table_in_host = config->msix_table_in_host,
	};
	const struct reference_memory memory = {
		.ctx = &world->arena,
		.load = arena_load_byte,
		.store = arena_store_byte,
		.takes_word = arena_takes_word,
		.whole = arena_whole,
	};

	return reference_init(&world->reference, &same, &memory);
}

bool
world_start(struct world *world, const struct world_start *start)
{
	bool exists;

	udma_emu_destroy(world->emu);
	world->difference[0] = '\0';
	world->takes_interrupts = start->takes_interrupts;
	world->emissions = 0;
	arena_start(&world->arena, start->memory_seed, start->has_read, start->has_write);
	exists = create_reference(world, &start->config);
	errno = 0;
	world->emu = create(world, start);
	if (exists ? world->emu != NULL : world->emu == NULL && errno == EINVAL) {
		return true;
	}
	return differ(world, "id %04x, xfercap %u, interrupts %x, pin %u: created %d, reference %d",
		      start->config.device_id, start->config.xfercap, start->config.interrupts,
		      start->config.intx_pin, world->emu != NULL, exists);
}

/* ---- Comparing ---- */

static bool
same_interrupt(const struct udma_emu_interrupt *a, const struct reference_interrupt *b)
{
	return (uint32_t)a->kind == b->kind && a->vector == 0 && a->address == b->address &&
	       a->data == b->data && a->level == b->level;
}

static bool
compare_interrupts(struct world *world)
{
	const struct reference *r = &world->reference;

	for (unsigned i = 0; i < world->emissions || i < r->logged; i++) {
		const struct udma_emu_interrupt *a = &world->emitted[i];
		const struct reference_interrupt *b = &r->log[i];

		if (i >= world->emissions) {
			return differ(world, "interrupt %u: none, reference kind %u level %d", i,
				      b->kind, b->level);
		}
		if (i >= r->logged) {
			return differ(world, "interrupt %u: kind %u level %d, reference none", i,
				      a->kind, a->level);
		}
		if (!same_interrupt(a, b)) {
			return differ(world,
				      "interrupt %u: kind %u address %" PRIx64
				      " data %x level %d, reference %u %" PRIx64 " %x %d",
				      i, a->kind, a->address, a->data, a->level, b->kind,
				      b->address, b->data, b->level);
		}
	}
	return true;
}

static bool
compare_register(struct world *world, uint32_t offset, unsigned width)
{
	uint64_t real = udma_emu_read(world->emu, offset, width);
	uint64_t want = reference_read(&world->reference, offset, width);

	return real == want || differ(world, "BAR0 %04x/%u: %" PRIx64 ", reference %" PRIx64,
				      offset, width, real, want);
}

static bool
compare_config(struct world *world, uint32_t offset, uint32_t len)
{
	uint8_t real[REFERENCE_CONFIG_SIZE], want[REFERENCE_CONFIG_SIZE];

	udma_emu_cfg_read(world->emu, offset, real, len);
	reference_config_read(&world->reference, offset, want, len);
	for (uint32_t i = 0; i < len; i++) {
		if (real[i] != want[i]) {
			return differ(world, "configuration %03x: %02x, reference %02x", offset + i,
				      real[i], want[i]);
		}
	}
	return true;
}

/* The registers that change most, but for those whose reading has an effect. */
static bool
compare_some(struct world *world)
{
	static const struct {
		uint32_t offset;
		unsigned width;
	} registers[] = {
		{0x02, 2}, {0x0C, 2}, {0x80, 1}, {0x84, 4}, {0x88, 8},
		{0x90, 8}, {0x98, 8}, {0xA0, 8}, {0xA8, 8}, {0xB0, 4},
	};
	static const uint32_t dwords[] = {0x04, 0x98, 0xE4, 0x180};
	uint32_t due = udma_emu_interrupt_due(world->emu);

	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		if (!compare_register(world, registers[i].offset, registers[i].width)) {
			return false;
		}
	}
	for (size_t i = 0; i < sizeof(dwords) / sizeof(dwords[0]); i++) {
		if (!compare_config(world, dwords[i], 4)) {
			return false;
		}
	}
	return due == reference_due(&world->reference) ||
	       differ(world, "due: %u, reference %u", due, reference_due(&world->reference));
}

static bool
differing_byte(struct world *world, uint32_t offset)
{
	return differ(world, "memory at %" PRIx64 " (kind %u): %02x, reference %02x",
		      arena_iova(offset), world->arena.kind[offset],
		      arena_real_byte(&world->arena, offset), world->arena.flat[offset]);
}

bool
world_compare_all(struct world *world)
{
	uint32_t offset;

	for (offset = 0; offset < REFERENCE_BAR_SIZE; offset += 8) {
		if (!compare_register(world, offset, 8)) {
			return false;
		}
	}
	if (!arena_same(&world->arena, &offset)) {
		return differing_byte(world, offset);
	}
	return compare_config(world, 0, REFERENCE_CONFIG_SIZE);
}

/* ---- Operations ---- */

static bool
apply_read(struct world *world, const struct operation *op)
{
	uint64_t real = udma_emu_read(world->emu, op->offset, op->len);
	uint64_t want = reference_read(&world->reference, op->offset, op->len);

	return real == want || differ(world, "read: %" PRIx64 ", reference %" PRIx64, real, want);
}

static bool
apply_config_read(struct world *world, const struct operation *op)
{
	uint8_t real[64] = {0}, want[64] = {0};
	int rc = udma_emu_cfg_read(world->emu, op->offset, real, op->len);
	bool good = reference_config_read(&world->reference, op->offset, want, op->len);

	if ((rc == 0) != good || memcmp(real, want, sizeof(real)) != 0) {
		return differ(world, "configuration read: %d, first byte %02x, reference %d %02x",
			      rc, real[0], good, want[0]);
	}
	return true;
}

static bool
apply_config_write(struct world *world, const struct operation *op)
{
	int rc = udma_emu_cfg_write(world->emu, op->offset, op->bytes, op->len);
	bool good = reference_config_write(&world->reference, op->offset, op->bytes, op->len);

	return (rc == 0) == good ||
	       differ(world, "configuration write: %d, reference %d", rc, good);
}

static bool
apply_steps(struct world *world, const struct operation *op)
{
	bool real = true, want = true;

	for (uint32_t i = 0; i < op->len && real && want; i++) {
		real = udma_emu_step(world->emu);
		want = reference_step(&world->reference);
	}
	return real == want || differ(world, "step: %d, reference %d", real, want);
}

static bool
dispatch(struct world *world, const struct operation *op)
{
	switch (op->kind) {
	case DO_READ:
		return apply_read(world, op);
	case DO_WRITE:
		udma_emu_write(world->emu, op->offset, op->len, op->value);
		reference_write(&world->reference, op->offset, op->len, op->value);
		return true;
	case DO_CONFIG_READ:
		return apply_config_read(world, op);
	case DO_CONFIG_WRITE:
		return apply_config_write(world, op);
	case DO_STEP:
		return apply_steps(world, op);
	case DO_ELAPSE:
		udma_emu_elapse(world->emu, op->len);
		reference_elapse(&world->reference, op->len);
		return true;
	case DO_RESET:
		udma_emu_reset(world->emu);
		reference_reset(&world->reference);
		return true;
	case DO_PLACE:
		arena_place(&world->arena, op->offset, op->len, (enum arena_kind)op->value);
		return true;
	case DO_POKE:
		arena_poke(&world->arena, op->offset, op->bytes, op->len);
		return true;
	}
	return false;
}

bool
world_apply(struct world *world, const struct operation *op)
{
	uint32_t offset;

	world->emissions = 0;
	world->reference.logged = 0;
	world->reference.any_order = false;
	arena_forget_changes(&world->arena);
	if (!dispatch(world, op)) {
		return false;
	}
	if (world->arena.complaint != NULL) {
		return differ(world, "%s", world->arena.complaint);
	}
	if (world->reference.any_order) {
		arena_adopt_stores(&world->arena);
	}
	if (!arena_same_changes(&world->arena, &offset)) {
		return differing_byte(world, offset);
	}
	if (world->takes_interrupts && !compare_interrupts(world)) {
		return false;
	}
	return op->kind == DO_RESET ? world_compare_all(world) : compare_some(world);
}

/* ---- In words ---- */

static void
describe_bytes(const struct operation *op, char *text, size_t size, const char *what)
{
	size_t at = (size_t)snprintf(text, size, "%s %05x len %u:", what, op->offset, op->len);

	for (uint32_t i = 0; i < op->len && i < sizeof(op->bytes) && at < size; i++) {
		at += (size_t)snprintf(text + at, size - at, "%s%02x", i % 8 == 0 ? " " : "",
				       op->bytes[i]);
	}
}

void
operation_describe(const struct operation *op, char *text, size_t size)
{
	switch (op->kind) {
	case DO_READ:
		snprintf(text, size, "read     BAR0 %04x/%u", op->offset, op->len);
		break;
	case DO_WRITE:
		snprintf(text, size, "write    BAR0 %04x/%u = %" PRIx64, op->offset, op->len,
			 op->value);
		break;
	case DO_CONFIG_READ:
		snprintf(text, size, "cfg read  %03x len %u", op->offset, op->len);
		break;
	case DO_CONFIG_WRITE:
		describe_bytes(op, text, size, "cfg write");
		break;
	case DO_STEP:
		snprintf(text, size, "step     %u times at most", op->len);
		break;
	case DO_ELAPSE:
		snprintf(text, size, "elapse   %u us", op->len);
		break;
	case DO_RESET:
		snprintf(text, size, "reset");
		break;
	case DO_PLACE:
		snprintf(text, size, "place    %" PRIx64 " len %u as kind %" PRIu64,
			 arena_iova(op->offset), op->len, op->value);
		break;
	case DO_POKE:
		describe_bytes(op, text, size, "poke     arena");
		break;
	}
}
