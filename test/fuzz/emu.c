/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The emulated function against a hostile driver: any register and configuration accesses, any
 * descriptors, and memory that comes and goes between them.
 *
 * The first three bytes choose the part, its interrupts and the largest transfer; the rest is a
 * program. Memory is exactly as large as what is granted, so that an access beside it is a finding.
 */

#include "fuzz.h"

#include "udma/emu.h"
#include "udma/fault.h"

#define MEMORY      0x10000ull
#define MEMORY_SIZE 0x4000u
#define PAGE        0x1000u
#define SLOT        64

/* Section 4, of the only channel. */
#define CHANCTRL  0x80
#define CHANCMD   0x84
#define DMACOUNT  0x86
#define CHANSTS   0x88
#define CHAINADDR 0x90
#define CHANCMP   0x98
#define CHANERR   0xA8

/* Steps that one turn of the program may take: chains may be closed. */
#define MAX_STEPS 64

struct function {
	struct udma_emu *emu;
	struct udma_emu_config config;
	uint8_t *memory;
	uint8_t granted;  /* a bit a page */
	uint8_t writable; /* likewise */
	uint8_t mapped;   /* of those granted: by a pointer, or else by copying */
	unsigned chop;    /* what one answer holds for at the most, 0 for no limit */
	bool line;
	bool spoilt;  /* it has had faults: it need not be as the reference has it */
	bool in_call; /* of a step or a write: only then may the host be asked */
};

static uint64_t
reach(const struct function *f, uint64_t iova, uint64_t len, bool write, bool mapped)
{
	uint64_t at = iova - MEMORY;
	uint8_t bit = (uint8_t)(1u << (at / PAGE % 8));
	uint64_t left = PAGE - at % PAGE;

	CHECK(f->in_call);
	CHECK(len >= 1 && iova + (len - 1) >= iova);
	if (iova < MEMORY || at >= MEMORY_SIZE || !(f->granted & bit) ||
	    (write && !(f->writable & bit)) || !!(f->mapped & bit) != mapped) {
		return 0;
	}
	left = left < len ? left : len;
	return f->chop != 0 && left > f->chop ? f->chop : left;
}

static void *
grant(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	struct function *f = ctx;

	*len = reach(f, iova, *len, write, true);
	return *len > 0 ? f->memory + (iova - MEMORY) : NULL;
}

static uint64_t
read_memory(void *ctx, uint64_t iova, void *buf, uint64_t len)
{
	struct function *f = ctx;
	uint64_t n = reach(f, iova, len, false, false);

	memcpy(buf, f->memory + (n > 0 ? iova - MEMORY : 0), n);
	return n;
}

static uint64_t
write_memory(void *ctx, uint64_t iova, const void *buf, uint64_t len)
{
	struct function *f = ctx;
	uint64_t n = reach(f, iova, len, true, false);

	memcpy(f->memory + (n > 0 ? iova - MEMORY : 0), buf, n);
	return n;
}

static void
interrupt(void *ctx, const struct udma_emu_interrupt *irq)
{
	struct function *f = ctx;

	CHECK(f->config.interrupts & irq->kind);
	if (irq->kind == UDMA_EMU_INTX) {
		CHECK(f->spoilt || irq->level != f->line); /* a change each time */
		f->line = irq->level;
	} else {
		CHECK(irq->level);
	}
}

static uint32_t
cfg32(struct function *f, uint32_t offset)
{
	uint32_t value = 0;

	CHECK(udma_emu_cfg_read(f->emu, offset, &value, sizeof(value)) == 0);
	return value;
}

/** What holds at any time. */
static void
check(struct function *f)
{
	uint64_t status = udma_emu_read(f->emu, CHANSTS, 8);

	if (f->spoilt) {
		return;
	}
	CHECK((status & 7) <= 4 && (status & 0x38) == 0);
	if ((status & 7) == 4) {
		CHECK(status == 4); /* ARMED: address 0 */
	}
	CHECK(udma_emu_read(f->emu, CHANCMD, 1) == 0);
	CHECK((cfg32(f, 0x00) & 0xFFFF) == 0x8086 && cfg32(f, 0x00) >> 16 == f->config.device_id);
	CHECK((cfg32(f, 0x10) & 0x3FFF) == 4);
	CHECK((cfg32(f, 0xE4) & 3) == 0 || (cfg32(f, 0xE4) & 3) == 3);
	CHECK(udma_emu_read(f->emu, 0x00, 1) == 1);
	/* Every error of the channel is in configuration space too, until it is cleared there. */
	CHECK((udma_emu_read(f->emu, CHANERR, 4) & 0x20000000) == 0);
}

static uint64_t
take(struct input *input, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++) {
		value |= (uint64_t)input_front(input) << 8 * i;
	}
	return value;
}

/** An address that is probably of some use: a place in memory, or anything. */
static uint64_t
take_address(struct input *input)
{
	uint16_t bits = (uint16_t)take(input, 2);

	if (bits & 0x8000) {
		return take(input, 8);
	}
	return MEMORY + (bits & 0x4000 ? bits & 0x3FFF : (bits & 0xFF) * SLOT);
}

static void
put_descriptor(struct function *f, struct input *input)
{
	unsigned slot = input_front(input);
	uint64_t q[8];

	q[0] = take(input, 1) << 56 | take(input, 2) << 32 | take(input, 2);
	for (unsigned i = 1; i < 8; i++) {
		q[i] = take_address(input);
	}
	memcpy(f->memory + slot * SLOT, q, sizeof(q));
}

static void
access_bar(struct function *f, struct input *input)
{
	static const uint32_t registers[] = {CHANCTRL, CHANCMD, DMACOUNT, CHAINADDR,
					     CHANCMP,  CHANERR, 0x02,     0x03,
					     0x0C,     0xAC,    0x200C,   0x100C};
	uint8_t how = input_front(input);
	uint32_t offset = how & 0x80 ? (uint32_t)take(input, 2) : registers[how % 12];
	unsigned width = 1u << (how >> 4 & 3);

	if (how & 0x40) {
		udma_emu_read(f->emu, offset, width);
	} else {
		udma_emu_write(f->emu, offset, width,
			       offset == CHAINADDR || offset == CHANCMP ? take_address(input)
									: take(input, width));
	}
}

static void
access_cfg(struct function *f, struct input *input)
{
	uint32_t offset = (uint32_t)take(input, 2);
	uint8_t how = input_front(input), buf[8];
	uint32_t len = how & 7;

	if (how & 0x80) {
		int rc = udma_emu_cfg_read(f->emu, offset, buf, len);

		CHECK(rc == 0 || offset + len > UDMA_EMU_CFG_SIZE || (f->spoilt && rc == -EIO));
		return;
	}
	for (unsigned i = 0; i < sizeof(buf); i++) {
		buf[i] = input_front(input);
	}
	udma_emu_cfg_write(f->emu, offset, buf, len);
}

/** A channel that is ready to go, which bytes by themselves seldom make. */
static void
start(struct function *f, struct input *input)
{
	uint8_t command[2] = {0x06, 0};
	uint64_t at = take_address(input);

	udma_emu_cfg_write(f->emu, 0x04, command, 2);
	udma_emu_write(f->emu, CHANERR, 4, 0xFFFFFFFF);
	udma_emu_write(f->emu, CHANCMD, 1, 0x20);
	udma_emu_write(f->emu, CHANCTRL, 2, take(input, 1));
	udma_emu_write(f->emu, CHANCMP, 8, MEMORY + SLOT * 2);
	udma_emu_write(f->emu, CHAINADDR, 8, at);
	udma_emu_write(f->emu, DMACOUNT, 2, input_front(input));
}

static void
run(struct function *f)
{
	bool more = true;

	for (unsigned i = 0; more && i < MAX_STEPS; i++) {
		bool halted = (udma_emu_read(f->emu, CHANSTS, 8) & 7) == 3;

		more = udma_emu_step(f->emu);
		if (more && !f->spoilt) {
			CHECK((udma_emu_read(f->emu, CHANSTS, 8) & 7) == 0);
		}
		CHECK(f->spoilt || !halted || !more);
	}
}

/** A fault of any kind; what the function may then do is no matter of these checks. */
static void
inject(struct function *f, unsigned which)
{
	struct udma_fault fault = {
		.kind = which % UDMA_FAULT_KINDS,
		.step = which % UDMA_FAULT_STEPS,
		.value = which % UDMA_FAULT_KINDS == UDMA_FAULT_CONFIG ? 0 : 0x100,
		.at = which >= UDMA_FAULT_KINDS,
		.every = which >= UDMA_FAULT_KINDS,
	};

	f->spoilt = true;
	if (which == 24) {
		udma_emu_withdraw(f->emu);
	} else {
		CHECK(udma_emu_inject(f->emu, &fault) != -EINVAL);
	}
}

static void
one_call(struct function *f, struct input *input)
{
	uint8_t call = input_front(input);

	f->in_call = true;
	switch (call % 10) {
	case 0:
		access_cfg(f, input);
		break;
	case 1:
		put_descriptor(f, input);
		break;
	case 2:
		start(f, input);
		break;
	case 3:
		run(f);
		break;
	case 4:
		udma_emu_elapse(f->emu, (uint32_t)take(input, 2));
		CHECK(udma_emu_interrupt_due(f->emu) > 0);
		break;
	case 5:
		f->granted = input_front(input);
		f->writable = input_front(input);
		f->mapped = input_front(input);
		f->chop = input_front(input);
		break;
	case 6:
		if (call >= 250) {
			udma_emu_reset(f->emu);
			CHECK(!f->line);
		} else {
			inject(f, call / 10);
		}
		break;
	default:
		access_bar(f, input);
		break;
	}
	f->in_call = false;
	check(f);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_quiet();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t ids[] = {0x2021, 0x0B00, 0x0C50, 0x6F50, 0x2F20, 0x2F2E, 0x0C52};
	static const struct udma_emu_host host = {
		.grant = grant,
		.read = read_memory,
		.write = write_memory,
		.interrupt = interrupt,
	};
	struct input input = {.front = data, .back = data + size};
	struct function f = {.granted = 0xFF, .writable = 0xFF, .mapped = 0xFF};

	f.config.device_id = ids[input_front(&input) % 7];
	f.config.interrupts = input_front(&input) % 8;
	f.config.xfercap = (uint8_t)(12 + input_front(&input) % 3);
	f.memory = calloc(1, MEMORY_SIZE);
	f.emu = udma_emu_create(&f.config, &host, &f);
	CHECK(f.memory != NULL && f.emu != NULL);
	check(&f);
	while (!input_is_over(&input)) {
		one_call(&f, &input);
	}
	udma_emu_destroy(f.emu);
	free(f.memory);
	return 0;
}
