/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Anything may be written to any register, and be found in memory. To be run under the address
 * sanitizer: memory ends at the last byte that is granted.
 */

#include "host.h"

static uint64_t g_random;

static uint64_t
any(void)
{
	g_random ^= g_random << 13;
	g_random ^= g_random >> 7;
	g_random ^= g_random << 17;
	return g_random;
}

/** Mostly an address in memory, at times one at its edges or anywhere. */
static uint64_t
any_address(void)
{
	switch (any() % 8) {
	case 0:
		return any();
	case 1:
		return MEMORY + MEMORY_SIZE - any() % 64;
	case 2:
		return MEMORY + any() % MEMORY_SIZE;
	default:
		return MEMORY + any() % MEMORY_SIZE / 64 * 64;
	}
}

/** Copies and fills, all kinds of parity, and what is none of them. */
static uint32_t
any_opcode(void)
{
	static const uint8_t raid[] = {0x87, 0x88, 0x89, 0x8A, 0x8B, 0xA0, 0xA1};

	switch (any() % 8) {
	case 0:
		return (uint32_t)any() % 256;
	case 1:
	case 2:
	case 3:
		return raid[any() % sizeof(raid)];
	default:
		return (uint32_t)any() % 2;
	}
}

/** A descriptor, an extension or an SED: each of its quadwords may be what one of them has there.
 */
static void
put_any_descriptor(struct host *h)
{
	uint64_t slot = MEMORY + any() % (MEMORY_SIZE / 64) * 64;
	struct raw raw = {.size = any() % 64 == 0 ? any() : any() % 9000,
			  .control = OP(any_opcode()) | (any() & 0xFFFFFF),
			  .q1 = any_address(),
			  .q2 = any_address(),
			  .next = any_address(),
			  .q4 = any_address(),
			  .q5 = any_address()};

	put_descriptor(h, slot, raw);
	put64(h, slot + 48, any_address());
	put64(h, slot + 56, any_address());
}

static void
write_any_register(struct host *h)
{
	unsigned width = 1u << any() % 4;

	switch (any() % 10) {
	case 0:
		wr(h, any() % 0x4100, width, any());
		break;
	case 1:
		wr(h, 0x80 + any() % 0x40, width, any());
		break;
	case 2:
		wr(h, CHANCMD, 1, 1u << any() % 8);
		break;
	case 3:
		wr(h, CHANERR, 4, any());
		break;
	case 4:
		wr(h, CHANCMP, 8, any_address());
		break;
	case 5:
		wr(h, CHAINADDR, 8, any_address());
		break;
	case 6:
		wr(h, CHANCTRL, 2, any());
		wr(h, INTRCTRL, 1, any());
		break;
	case 7:
		/* The MSI-X table, at either place. */
		wr(h, (any() % 2 ? 0x1000 : 0x2000) + any() % 16, width, any());
		break;
	default:
		wr(h, DMACOUNT, 2, any());
		break;
	}
	(void)rd(h, any() % 0x4100, width);
}

static void
write_any_config(struct host *h)
{
	uint8_t bytes[64];
	uint32_t offset = any() % 4 == 0 ? (uint32_t)any() : (uint32_t)any() % 0x200;
	uint32_t len = any() % sizeof(bytes), i;

	for (i = 0; i < sizeof(bytes); i++) {
		bytes[i] = any();
	}
	udma_emu_cfg_write(h->emu, offset, bytes, len);
	udma_emu_cfg_read(h->emu, any() % 5000, bytes, len);
	cfg_wr(h, 0x04, 2, 0x0006);
	cfg_wr(h, 0xE4, 2, 0);
}

/** Chooses what is there, and in which pieces. */
static void
rearrange_memory(struct host *h)
{
	static const uint64_t reaches[] = {0, 1, 64, 1000};

	h->reach = reaches[any() % 4];
	forbid(h, any() % 3, any_address(), any() % 10000);
	h->unmappable = any_address();
	h->unmappable_size = any() % 100000;
}

static uint32_t g_offered; /* kinds of interrupt */
static bool g_line;        /* the level of the pin */

static void
check_interrupt(struct host *h)
{
	assert_int_not_equal(h->last.kind & g_offered, 0);
	assert_int_equal(h->last.vector, 0);
	if (h->last.kind == UDMA_EMU_INTX) {
		assert_int_not_equal(h->last.level, g_line);
		g_line = h->last.level;
	} else {
		assert_true(h->last.level);
		assert_int_equal(h->last.address & 3, 0);
	}
}

/** What holds whatever has happened before. */
static void
assert_sane(struct host *h, uint16_t id)
{
	uint64_t chansts = rd(h, CHANSTS, 8);

	assert_true((chansts & 7) <= ARMED);
	assert_int_equal(chansts & 0x38, 0);
	assert_int_equal(rd(h, CHANERR, 4) & ~0x75F37u, 0); /* the bits that choices.h names */
	assert_int_equal(cfg(h, 0x00, 4), (uint32_t)id << 16 | 0x8086);
	assert_int_equal(rd(h, CHANCMD, 1), 0);
}

/** \return how many steps were taken. */
static unsigned long
torment(struct host *h, uint16_t id, unsigned rounds)
{
	unsigned long moved = 0;
	unsigned i, steps;

	h->on_interrupt = check_interrupt;
	g_line = false;
	g_random = id;
	for (i = 0; i < rounds; i++) {
		rearrange_memory(h);
		put_any_descriptor(h);
		write_any_register(h);
		if (any() % 16 == 0) {
			write_any_config(h);
		}
		if (any() % 4 == 0) {
			wr(h, CHANERR, 4, 0xFFFFFFFF);
			wr(h, CHAINADDR, 8, MEMORY + any() % (MEMORY_SIZE / 64) * 64);
			wr(h, DMACOUNT, 2, any());
		}
		for (steps = 0; steps < 8 && udma_emu_step(h->emu); steps++) {
			moved++;
		}
		udma_emu_elapse(h->emu, any() % 1000);
		assert_sane(h, id);
	}
	return moved;
}

static void
check(uint16_t id, uint32_t interrupts, struct host *(*make)(const struct udma_emu_config *config))
{
	struct udma_emu_config config = {.device_id = id, .interrupts = interrupts};
	struct host *h = make(&config);

	g_offered = interrupts;
	/* Otherwise it would have shown nothing. */
	assert_true(torment(h, id, 10000) > 500);
	if (interrupts != 0) {
		assert_true(h->interrupts > 100);
	}
	host_free(h);
}

static void
hostile_registers_and_descriptors(void **state)
{
	(void)state;
	check(0x2021, 0, host_new);
}

static void
hostile_with_interrupts(void **state)
{
	(void)state;
	check(0x6F2E, UDMA_EMU_MSIX | UDMA_EMU_MSI | UDMA_EMU_INTX, host_new);
	check(0x0B00, UDMA_EMU_INTX, host_new);
}

static void
hostile_with_parity_and_unmappable_memory(void **state)
{
	(void)state;
	check(0x0C50, UDMA_EMU_MSIX | UDMA_EMU_INTX, host_new_that_copies);
	check(0x0C51, UDMA_EMU_MSI, host_new_that_copies);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_registers_and_descriptors),
		cmocka_unit_test(hostile_with_interrupts),
		cmocka_unit_test(hostile_with_parity_and_unmappable_memory),
	};

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
