/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the engine does, on the CPU. The results are the same; that it is fast is not asked for.
 */

#include "record.h"

#define BLOCK 1024

/* RAID 6: GF(2^8) with the polynomial 11Dh (section 7), here without its highest term. */
#define POLYNOMIAL 0x1D

/* CHANERR of a check that differs (section 11). */
#define P_DIFFERS (1u << 16)
#define Q_DIFFERS (1u << 17)

static void
fill(uint8_t *dst, uint64_t pattern, uint64_t nbytes)
{
	uint8_t bytes[8];

	memcpy(bytes, &pattern, sizeof(bytes)); /* little-endian: channel.h */
	for (uint64_t i = 0; i < nbytes; i++) {
		dst[i] = bytes[i % 8];
	}
}

/** \return the bytes. */
static uint64_t
copy_lists(const struct udma_ioat_op *op)
{
	uint64_t into = 0, total = 0;
	unsigned s = 0;

	for (unsigned d = 0; d < op->dst_count; d++) {
		uint64_t done = 0, all = op->dst_list[d].iov_len;

		while (done < all) {
			uint64_t piece = spdk_min(all - done, op->src_list[s].iov_len - into);

			if (piece == 0) {
				s++;
				into = 0;
				continue;
			}
			memmove((uint8_t *)op->dst_list[d].iov_base + done,
				(const uint8_t *)op->src_list[s].iov_base + into, piece);
			done += piece;
			into += piece;
		}
		total += all;
	}
	return total;
}

/** The products of a coefficient with each byte. */
static void
multiply(uint8_t coefficient, uint8_t product[256])
{
	uint8_t power = coefficient; /* times 2 to the power of `bit` */

	product[0] = 0;
	for (unsigned bit = 1; bit < 256; bit <<= 1) {
		for (unsigned low = 0; low < bit; low++) {
			product[bit + low] = product[low] ^ power;
		}
		power = (uint8_t)(power << 1) ^ (power & 0x80 ? POLYNOMIAL : 0);
	}
}

/** A block of both results. */
struct parity {
	uint8_t p[BLOCK], q[BLOCK];
};

static void
compute(const struct udma_ioat_op *op, uint8_t products[][256], uint64_t done, uint64_t n,
	struct parity *parity)
{
	memset(parity, 0, sizeof(*parity));
	for (unsigned i = 0; i < op->source_count; i++) {
		const uint8_t *source = (const uint8_t *)op->sources[i] + done;

		for (uint64_t at = 0; at < n; at++) {
			parity->p[at] ^= source[at];
		}
		for (uint64_t at = 0; op->q != NULL && at < n; at++) {
			parity->q[at] ^= products[i][source[at]];
		}
	}
}

/** Notes where a block of a result first differs from what is expected. */
static void
compare(const uint8_t *result, const void *expected, uint64_t done, uint64_t n, uint32_t bit,
	struct udma_ioat_result *end)
{
	const uint8_t *there = (const uint8_t *)expected + done;
	uint64_t at = 0;

	while (at < n && result[at] == there[at]) {
		at++;
	}
	if (at < n) {
		end->status = UDMA_IOAT_MISMATCH;
		end->chanerr |= bit;
		end->bytes = spdk_min(end->bytes, done + at);
	}
}

static struct udma_ioat_result
parity(const struct udma_ioat_op *op, bool checks)
{
	struct udma_ioat_result end = {.status = UDMA_IOAT_OK, .bytes = op->nbytes};
	uint8_t products[UDMA_IOAT_SOURCES][256];
	struct parity block;
	uint64_t n;

	for (unsigned i = 0; op->q != NULL && i < op->source_count; i++) {
		multiply(op->coefficients[i], products[i]);
	}
	for (uint64_t done = 0; done < op->nbytes; done += n) {
		n = spdk_min(op->nbytes - done, (uint64_t)BLOCK);
		compute(op, products, done, n, &block);
		if (checks) {
			if (op->dst != NULL) {
				compare(block.p, op->dst, done, n, P_DIFFERS, &end);
			}
			if (op->q != NULL) {
				compare(block.q, op->q, done, n, Q_DIFFERS, &end);
			}
			continue;
		}
		if (op->dst != NULL) {
			memcpy((uint8_t *)op->dst + done, block.p, n);
		}
		if (op->q != NULL) {
			memcpy((uint8_t *)op->q + done, block.q, n);
		}
	}
	return end;
}

struct udma_ioat_result
udma_ioat_on_cpu(const struct udma_ioat_op *op)
{
	struct udma_ioat_result end = {.status = UDMA_IOAT_OK, .bytes = op->nbytes};

	if (op->kind != UDMA_IOAT_OP_COPYV && op->nbytes == 0) {
		return end; /* its addresses may be none */
	}
	switch (op->kind) {
	case UDMA_IOAT_OP_COPY:
		memmove(op->dst, op->src, op->nbytes);
		break;
	case UDMA_IOAT_OP_FILL:
		fill(op->dst, op->pattern, op->nbytes);
		break;
	case UDMA_IOAT_OP_COPYV:
		end.bytes = copy_lists(op);
		break;
	case UDMA_IOAT_OP_XOR:
	case UDMA_IOAT_OP_PQ:
		return parity(op, false);
	case UDMA_IOAT_OP_XOR_CHECK:
	case UDMA_IOAT_OP_PQ_CHECK:
		return parity(op, true);
	case UDMA_IOAT_OP_NULL:
		end.bytes = 0;
		break;
	}
	return end;
}
