/* SPDX-License-Identifier: BSD-3-Clause */

#include "host.h"

#define PAGE 4096

/** Where the byte of an address is. Scattered pages are exchanged in pairs. */
static uint8_t *
locate(struct host *h, uint64_t iova)
{
	uint64_t offset = iova - h->base;

	return h->memory + (h->scattered ? offset ^ PAGE : offset);
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/** How many of `len` bytes are there for an access; 0 if the first is not. */
static uint64_t
allowed(struct host *h, uint64_t iova, uint64_t len, bool write)
{
	bool hit = h->forbidden == EVERYTHING || (h->forbidden == WRITES && write);
	uint64_t reach = h->scattered ? PAGE : h->reach;

	assert_true(len >= 1);
	assert_true(len - 1 <= UINT64_MAX - iova); /* addresses do not go round */
	if (iova < h->base || iova - h->base >= MEMORY_SIZE ||
	    (hit && iova >= h->from && iova - h->from < h->size)) {
		h->refusals++;
		return 0;
	}
	len = smaller(len, MEMORY_SIZE - (iova - h->base));
	if (hit && iova < h->from) {
		len = smaller(len, h->from - iova);
	}
	return reach != 0 ? smaller(len, reach - iova % reach) : len;
}

static void *
grant(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	struct host *h = ctx;
	uint64_t n;

	if (h->on_grant != NULL) {
		h->on_grant(h, iova, write);
	}
	h->grants++;
	n = allowed(h, iova, *len, write);
	if (n == 0 || iova - h->unmappable < h->unmappable_size) {
		return NULL;
	}
	if (iova < h->unmappable) {
		n = smaller(n, h->unmappable - iova);
	}
	*len = h->empty ? 0 : n;
	return locate(h, iova);
}

static uint64_t
copy_out(void *ctx, uint64_t iova, void *buf, uint64_t len)
{
	struct host *h = ctx;
	uint64_t n = allowed(h, iova, len, false);

	h->copies++;
	if (n > 0) {
		memcpy(buf, locate(h, iova), n);
	}
	return n;
}

static uint64_t
copy_in(void *ctx, uint64_t iova, const void *buf, uint64_t len)
{
	struct host *h = ctx;
	uint64_t n = allowed(h, iova, len, true);

	h->copies++;
	if (n > 0) {
		memcpy(locate(h, iova), buf, n);
	}
	return n;
}

static void
take_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt)
{
	struct host *h = ctx;

	h->interrupts++;
	h->last = *interrupt;
	if (h->on_interrupt != NULL) {
		h->on_interrupt(h);
	}
}

static struct host *
make(const struct udma_emu_config *config, const struct udma_emu_host *functions)
{
	struct host *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->base = MEMORY;
	h->memory = aligned_alloc(PAGE, MEMORY_SIZE);
	assert_non_null(h->memory);
	memset(h->memory, 0, MEMORY_SIZE);
	h->emu = udma_emu_create(config, functions, h);
	assert_non_null(h->emu);
	cfg_wr(h, 0x04, 2, 0x0006);
	return h;
}

struct host *
host_new(const struct udma_emu_config *config)
{
	return make(config, &(struct udma_emu_host){.grant = grant, .interrupt = take_interrupt});
}

struct host *
host_new_that_copies(const struct udma_emu_config *config)
{
	return make(config, &(struct udma_emu_host){.grant = grant,
						    .read = copy_out,
						    .write = copy_in,
						    .interrupt = take_interrupt});
}

void
host_free(struct host *h)
{
	udma_emu_destroy(h->emu);
	free(h->memory);
	free(h);
}

int
host_setup(void **state)
{
	static const struct udma_emu_config config = {.device_id = 0x2021, .xfercap = 20};

	*state = host_new(&config);
	return 0;
}

int
host_teardown(void **state)
{
	host_free(*state);
	return 0;
}

void
forbid(struct host *h, enum forbidden what, uint64_t from, uint64_t size)
{
	h->forbidden = what;
	h->from = from;
	h->size = size;
}

void
put(struct host *h, uint64_t iova, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t i;

	for (i = 0; i < len; i++) {
		*locate(h, iova + i) = bytes[i];
	}
}

void
get(struct host *h, uint64_t iova, void *data, size_t len)
{
	uint8_t *bytes = data;
	size_t i;

	for (i = 0; i < len; i++) {
		bytes[i] = *locate(h, iova + i);
	}
}

void
put64(struct host *h, uint64_t iova, uint64_t value)
{
	put(h, iova, &value, sizeof(value));
}

uint64_t
get64(struct host *h, uint64_t iova)
{
	uint64_t value;

	get(h, iova, &value, sizeof(value));
	return value;
}

void
scribble(struct host *h, uint64_t iova, size_t len, uint8_t salt)
{
	uint32_t mix = salt + 1u;
	size_t i;

	for (i = 0; i < len; i++) {
		mix = mix * 1664525u + 1013904223u;
		*locate(h, iova + i) = mix >> 24;
	}
}

void
assert_same(struct host *h, uint64_t a, uint64_t b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (*locate(h, a + i) != *locate(h, b + i)) {
			fail_msg("byte %zu of %zu: 0x%02x, not 0x%02x", i, len, *locate(h, b + i),
				 *locate(h, a + i));
		}
	}
}

void
assert_all(struct host *h, uint64_t iova, size_t len, uint8_t value)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (*locate(h, iova + i) != value) {
			fail_msg("byte %zu of %zu: 0x%02x, not 0x%02x", i, len,
				 *locate(h, iova + i), value);
		}
	}
}

void
put_descriptor(struct host *h, uint64_t iova, struct raw raw)
{
	put64(h, iova + 0, (uint64_t)raw.control << 32 | raw.size);
	put64(h, iova + 8, raw.q1);
	put64(h, iova + 16, raw.q2);
	put64(h, iova + 24, raw.next);
	put64(h, iova + 32, raw.q4);
	put64(h, iova + 40, raw.q5);
	put64(h, iova + 48, 0);
	put64(h, iova + 56, 0);
}

void
put_null(struct host *h, uint64_t iova, uint32_t control, uint64_t next)
{
	put_descriptor(h, iova,
		       (struct raw){.size = 1, .control = NULL_BIT | control, .next = next});
}

void
put_copy(struct host *h, uint64_t iova, uint32_t control, uint64_t src, uint64_t dst, uint32_t size,
	 uint64_t next)
{
	put_descriptor(
		h, iova,
		(struct raw){.size = size, .control = control, .q1 = src, .q2 = dst, .next = next});
}

uint64_t
rd(struct host *h, uint32_t offset, unsigned width)
{
	return udma_emu_read(h->emu, offset, width);
}

void
wr(struct host *h, uint32_t offset, unsigned width, uint64_t value)
{
	udma_emu_write(h->emu, offset, width, value);
}

uint32_t
cfg(struct host *h, uint32_t offset, unsigned width)
{
	uint32_t value = 0;

	assert_int_equal(udma_emu_cfg_read(h->emu, offset, &value, width), 0);
	return value;
}

void
cfg_wr(struct host *h, uint32_t offset, unsigned width, uint32_t value)
{
	assert_int_equal(udma_emu_cfg_write(h->emu, offset, &value, width), 0);
}

void
enable_msix(struct host *h, uint32_t table)
{
	wr(h, table, 8, MSIX_ADDRESS);
	wr(h, table + 8, 4, MSIX_DATA);
	wr(h, table + 12, 4, 0);
	cfg_wr(h, 0x82, 2, 0x8000);
}

void
enable_msi(struct host *h)
{
	cfg_wr(h, 0xD4, 4, (uint32_t)MSI_ADDRESS);
	cfg_wr(h, 0xD8, 4, MSI_ADDRESS >> 32);
	cfg_wr(h, 0xDC, 2, MSI_DATA);
	cfg_wr(h, 0xD2, 2, 0x0001);
}

void
cause(struct host *h)
{
	put_null(h, RING, INT_EN, RING);
	run_alone(h, RING);
}

void
rearm(struct host *h)
{
	wr(h, CHANCTRL, 2, 0x001D);
}

void
assert_interrupt(struct host *h, unsigned *count, enum udma_emu_interrupt_kind kind, bool level)
{
	assert_int_equal(h->interrupts, *count + 1);
	assert_int_equal(h->last.kind, kind);
	assert_int_equal(h->last.level, level);
	*count = h->interrupts;
}

unsigned
run(struct host *h)
{
	unsigned steps = 1;

	while (udma_emu_step(h->emu)) {
		steps++;
		assert_true(steps <= 65536);
	}
	return steps;
}

void
start(struct host *h, uint64_t chain)
{
	wr(h, CHANCTRL, 2, 0x000C);
	wr(h, CHANCMP, 8, WORD);
	wr(h, CHAINADDR, 8, chain);
}

void
run_alone(struct host *h, uint64_t slot)
{
	wr(h, CHAINADDR, 8, slot);
	wr(h, DMACOUNT, 2, 1);
	run(h);
}

void
start_and_run(struct host *h, uint16_t count)
{
	start(h, RING);
	wr(h, DMACOUNT, 2, count);
	run(h);
}

void
copy_succeeds(struct host *h, uint64_t src, uint64_t dst, uint32_t size)
{
	put_copy(h, RING, COMPL_UPDATE, src, dst, size, RING);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

void
assert_halted(struct host *h, unsigned bit, uint64_t last)
{
	assert_int_equal(rd(h, CHANSTS, 8), last | HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 1u << bit);
	assert_int_equal(cfg(h, 0x180, 4), 1u << bit);
}
