/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The channel's registers, read and written by name. Offsets come from struct spdk_ioat_registers;
 * widths and orders are those of section 4 of the hardware reference.
 */

#ifndef UDMA_IOAT_REGISTERS_H
#define UDMA_IOAT_REGISTERS_H

#include "spdk/barrier.h"
#include "spdk/ioat_spec.h"
#include "spdk/mmio.h"

/** BAR0, as it is mapped. */
typedef volatile uint8_t udma_bar;

/*
 * What was loaded and stored before a write comes before it, and what is loaded behind a read after
 * it: the doorbell tells of descriptors, a status of memory, and RESET of a CHANERR that was stored
 * before it. Neither follows from an access to a register, and where a BAR is ordinary memory, that
 * of an emulated channel, not even two registers are in order by themselves. x86-64 keeps it all in
 * order but a load behind a store, on which nothing here relies; the compiler has to be told.
 */
#if defined(__SANITIZE_THREAD__)
/* ThreadSanitizer sees no barriers: an acquire of what was read tells it, too. */
#define before_register_write()  spdk_compiler_barrier()
#define after_register_read(reg) ((void)__atomic_load_n(reg, __ATOMIC_ACQUIRE))
#elif defined(__x86_64__)
#define before_register_write()  spdk_compiler_barrier()
#define after_register_read(reg) spdk_compiler_barrier()
#else
#define before_register_write()  spdk_mb()
#define after_register_read(reg) spdk_rmb()
#endif

#define REGISTER(bar, type, name)                                                                  \
	((volatile type *)((bar) + offsetof(struct spdk_ioat_registers, name)))

static inline uint8_t
read_1(const volatile uint8_t *reg)
{
	uint8_t value = spdk_mmio_read_1(reg);

	after_register_read(reg);
	return value;
}

static inline uint16_t
read_2(const volatile uint16_t *reg)
{
	uint16_t value = spdk_mmio_read_2(reg);

	after_register_read(reg);
	return value;
}

static inline uint32_t
read_4(const volatile uint32_t *reg)
{
	uint32_t value = spdk_mmio_read_4(reg);

	after_register_read(reg);
	return value;
}

static inline uint64_t
read_halves(volatile uint32_t *half)
{
	uint64_t low = read_4(half);

	return (uint64_t)read_4(half + 1) << 32 | low;
}

static inline void
write_1(volatile uint8_t *reg, uint8_t value)
{
	before_register_write();
	spdk_mmio_write_1(reg, value);
}

static inline void
write_2(volatile uint16_t *reg, uint16_t value)
{
	before_register_write();
	spdk_mmio_write_2(reg, value);
}

static inline void
write_4(volatile uint32_t *reg, uint32_t value)
{
	before_register_write();
	spdk_mmio_write_4(reg, value);
}

static inline uint8_t
read_cbver(udma_bar *bar)
{
	return read_1(REGISTER(bar, uint8_t, cbver));
}

static inline uint8_t
read_xfercap(udma_bar *bar)
{
	return read_1(REGISTER(bar, uint8_t, xfercap));
}

static inline uint32_t
read_dmacapability(udma_bar *bar)
{
	return read_4(REGISTER(bar, uint32_t, dmacapability));
}

/* INTRCTRL and INTRDELAY (section 3) */
#define INTRCTRL_MASTER      0x01
#define INTRCTRL_VECTOR_EACH 0x08
#define INTRDELAY_US         0x3fffu
#define INTRDELAY_SUPPORTED  0x8000u

static inline void
write_intrctrl(udma_bar *bar, uint8_t value)
{
	write_1(REGISTER(bar, uint8_t, intrctrl), value);
}

static inline uint16_t
read_intrdelay(udma_bar *bar)
{
	return read_2(REGISTER(bar, uint16_t, intrdelay));
}

/** Bit 15 is read-only; written as it reads, a BAR that is memory keeps it. */
static inline void
write_intrdelay(udma_bar *bar, unsigned us)
{
	write_2(REGISTER(bar, uint16_t, intrdelay), (uint16_t)(INTRDELAY_SUPPORTED | us));
}

/** Clears it, too. */
static inline uint32_t
read_attnstatus(udma_bar *bar)
{
	return read_4(REGISTER(bar, uint32_t, attnstatus));
}

static inline void
write_chanctrl(udma_bar *bar, uint16_t value)
{
	write_2(REGISTER(bar, uint16_t, chanctrl), value);
}

static inline uint8_t
read_chancmd(udma_bar *bar)
{
	return read_1(REGISTER(bar, uint8_t, chancmd));
}

static inline void
write_chancmd(udma_bar *bar, uint8_t value)
{
	write_1(REGISTER(bar, uint8_t, chancmd), value);
}

/**
 * In two halves, the low one first: one 64-bit read is not safe before version 3.3, and there the
 * halves may not belong together either (section 13, torn status).
 */
static inline uint64_t
read_chansts(udma_bar *bar)
{
	return read_halves(REGISTER(bar, uint32_t, chansts));
}

/* What was written reads back (section 4): for a dump. */

static inline uint8_t
read_intrctrl(udma_bar *bar)
{
	return read_1(REGISTER(bar, uint8_t, intrctrl));
}

static inline uint16_t
read_dmacount(udma_bar *bar)
{
	return read_2(REGISTER(bar, uint16_t, dmacount));
}

static inline uint64_t
read_chainaddr(udma_bar *bar)
{
	return read_halves(REGISTER(bar, uint32_t, chainaddr));
}

static inline uint64_t
read_chancmp(udma_bar *bar)
{
	return read_halves(REGISTER(bar, uint32_t, chancmp));
}

/* Low half, then high half: Linux has seen one 64-bit write fail (section 4, and 16 point 6). */

static inline void
write_chainaddr(udma_bar *bar, uint64_t value)
{
	volatile uint32_t *half = REGISTER(bar, uint32_t, chainaddr);

	write_4(half, (uint32_t)value);
	write_4(half + 1, (uint32_t)(value >> 32));
}

static inline void
write_chancmp(udma_bar *bar, uint64_t value)
{
	volatile uint32_t *half = REGISTER(bar, uint32_t, chancmp);

	write_4(half, (uint32_t)value);
	write_4(half + 1, (uint32_t)(value >> 32));
}

static inline uint32_t
read_chanerr(udma_bar *bar)
{
	return read_4(REGISTER(bar, uint32_t, chanerr));
}

static inline void
write_chanerr(udma_bar *bar, uint32_t value)
{
	write_4(REGISTER(bar, uint32_t, chanerr), value);
}

/**
 * The doorbell. What was stored before it is visible before it: on x86-64 a plain store after
 * plain stores, elsewhere a barrier that covers device memory.
 */
static inline void
write_dmacount(udma_bar *bar, uint16_t value)
{
#ifndef __x86_64__
	spdk_wmb();
#endif
	__atomic_store_n(REGISTER(bar, uint16_t, dmacount), value, __ATOMIC_RELEASE);
}

#endif
