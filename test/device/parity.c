/* SPDX-License-Identifier: BSD-3-Clause */

#include "parity.h"

#include <isa-l/erasure_code.h>

#define SOURCES_MAX 16
/* Around each result: as many bytes on either side must stay what they were. */
#define MARGIN 64

static int
setup(void **state, uint16_t id)
{
	struct udma_emu_config config = {.device_id = id, .interrupts = UDMA_EMU_MSI};

	*state = host_new(&config);
	return 0;
}

int
parity_setup(void **state)
{
	return setup(state, 0x6F2E);
}

int
parity16_setup(void **state)
{
	return setup(state, 0x0C50);
}

struct parity
parity_of(struct host *h, uint8_t op, unsigned count, uint32_t size)
{
	struct parity parity = {
		.op = op, .count = count, .size = size, .p = P_RESULT + 1, .q = Q_RESULT + 2};
	unsigned i;

	assert_in_range(count, 2, SOURCES_MAX);
	for (i = 0; i < count; i++) {
		parity.source[i] = SRC + SOURCE_STRIDE * i + 3 * i % 8;
		parity.coef[i] = i == 0 ? 1 : gf_mul(parity.coef[i - 1], 2);
		scribble(h, parity.source[i], size, i + size);
	}
	return parity;
}

static void
put_quads(struct host *h, uint64_t iova, const uint64_t *quads)
{
	put(h, iova, quads, 64);
}

static unsigned
put_xor(struct host *h, uint64_t slot, const struct parity *x)
{
	const uint64_t *s = x->source;
	uint32_t control = OP(x->op) | x->control | (x->count - 2) << 5;
	bool extended = x->count > 5;
	uint64_t next = slot + 64;

	put_quads(h, slot,
		  (uint64_t[8]){(uint64_t)control << 32 | x->size, s[0], x->p, next, s[1], s[2],
				s[3], s[4]});
	if (extended) {
		put_quads(h, next, (uint64_t[8]){s[5], s[6], s[7], next + 64});
	}
	return extended ? 2 : 1;
}

static unsigned
put_pq(struct host *h, uint64_t slot, const struct parity *x)
{
	const uint64_t *s = x->source;
	uint32_t control = OP(x->op) | x->control | (x->count - 2) << 5;
	bool extended = x->count > 3;
	uint64_t next = slot + 64;

	put_quads(h, slot,
		  (uint64_t[8]){(uint64_t)control << 32 | x->size, s[0], x->p, next, s[1], s[2], 0,
				x->q});
	put(h, slot + 48, x->coef, 8);
	if (extended) {
		put_quads(h, next, (uint64_t[8]){s[3], s[4], s[5], next + 64, s[6], s[7]});
	}
	return extended ? 2 : 1;
}

/** Point 18: the SED's address is q5, and coefficients 1 to 8 are where PQ has them. */
static unsigned
put_pq16(struct host *h, uint64_t slot, const struct parity *x)
{
	const uint64_t *s = x->source;
	uint32_t control = OP(x->op) | x->control | (x->count - 9) << 5;

	put_quads(h, slot,
		  (uint64_t[8]){(uint64_t)control << 32 | x->size, s[0], x->p, slot + 64, s[1], SED,
				0, x->q});
	put(h, slot + 48, x->coef, 8);
	put_quads(h, SED, (uint64_t[8]){0, s[2], s[3], s[4], s[5], s[6], s[7], s[8]});
	put(h, SED, x->coef + 8, 8);
	if (x->count > 9) {
		put_quads(h, SED + 64,
			  (uint64_t[8]){s[9], s[10], s[11], s[12], s[13], s[14], s[15]});
	}
	return 1;
}

unsigned
put_parity(struct host *h, uint64_t slot, const struct parity *parity)
{
	switch (parity->op) {
	case OP_XOR:
	case OP_XOR_VAL:
		return put_xor(h, slot, parity);
	case OP_PQ:
	case OP_PQ_VAL:
		return put_pq(h, slot, parity);
	default:
		return put_pq16(h, slot, parity);
	}
}

unsigned
run_parity(struct host *h, const struct parity *parity)
{
	unsigned slots = put_parity(h, RING, parity);

	start_and_run(h, slots);
	return slots;
}

void
store_expected(struct host *h, const struct parity *parity, uint64_t p, uint64_t q)
{
	unsigned char matrix[2 * SOURCES_MAX], tables[32 * 2 * SOURCES_MAX];
	unsigned char *data[SOURCES_MAX], *results[2];
	size_t room = (parity->size + 63) / 64 * 64;
	unsigned i;

	for (i = 0; i < parity->count; i++) {
		data[i] = aligned_alloc(64, room);
		assert_non_null(data[i]);
		get(h, parity->source[i], data[i], parity->size);
		matrix[i] = 1;
		matrix[parity->count + i] = parity->coef[i];
	}
	for (i = 0; i < 2; i++) {
		results[i] = aligned_alloc(64, room);
		assert_non_null(results[i]);
	}
	ec_init_tables(parity->count, 2, matrix, tables);
	ec_encode_data(parity->size, parity->count, 2, tables, data, results);
	put(h, p, results[0], parity->size);
	put(h, q, results[1], parity->size);
	for (i = 0; i < parity->count; i++) {
		free(data[i]);
	}
	free(results[0]);
	free(results[1]);
}

static void
set_all(struct host *h, uint64_t iova, size_t len, uint8_t value)
{
	for (; len > 0; len--) {
		put(h, iova++, &value, 1);
	}
}

/** Either the right result, or what was there. */
static void
assert_result(struct host *h, uint64_t iova, uint64_t expected, uint32_t size, bool written)
{
	assert_all(h, iova - MARGIN, MARGIN, 0xA5);
	if (written) {
		assert_same(h, expected, iova, size);
	} else {
		assert_all(h, iova, size, 0xA5);
	}
	assert_all(h, iova + size, MARGIN, 0xA5);
}

void
parity_succeeds(struct host *h, const struct parity *parity)
{
	uint64_t p = DST + 0x20000, q = DST + 0x28000;
	bool is_xor = parity->op == OP_XOR;

	store_expected(h, parity, p, q);
	set_all(h, parity->p - MARGIN, parity->size + 2 * MARGIN, 0xA5);
	set_all(h, parity->q - MARGIN, parity->size + 2 * MARGIN, 0xA5);
	run_parity(h, parity);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_result(h, parity->p, p, parity->size, is_xor || !(parity->control & P_DISABLE));
	assert_result(h, parity->q, q, parity->size, !is_xor && !(parity->control & Q_DISABLE));
}

void
spoil(struct host *h, uint64_t iova)
{
	uint8_t byte;

	get(h, iova, &byte, 1);
	byte = ~byte;
	put(h, iova, &byte, 1);
}
