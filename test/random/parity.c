/* SPDX-License-Identifier: BSD-3-Clause */

/* What XOR and P+Q are, by their definition: sums in GF(2^8), byte by byte. */

#include "requests.h"

/* RAID 6: the polynomial 11Dh (section 7), here without its highest term. */
#define POLYNOMIAL 0x1d

static uint8_t
product_of(uint8_t a, uint8_t b)
{
	uint8_t sum = 0;

	for (; b != 0; b >>= 1) {
		sum ^= b & 1 ? a : 0;
		a = (uint8_t)(a << 1) ^ (a & 0x80 ? POLYNOMIAL : 0);
	}
	return sum;
}

/** Adds a source, times its coefficient. */
static void
add(uint8_t *sum, const uint8_t *source, uint8_t coefficient, uint32_t len)
{
	uint8_t products[256];

	for (unsigned byte = 0; byte < 256; byte++) {
		products[byte] = product_of(coefficient, (uint8_t)byte);
	}
	for (uint32_t i = 0; i < len; i++) {
		sum[i] ^= products[source[i]];
	}
}

void
request_compute_parity(struct request *request)
{
	uint8_t *p = request->after, *q = p + (request->has_p ? request->len : 0);
	static uint8_t source[LEN_MAX];

	memset(request->after, 0, sizeof(request->after));
	for (unsigned i = 0; i < request->source_count; i++) {
		requests_foresee(request->source.piece[i], source);
		if (request->has_p) {
			add(p, source, 1, request->len);
		}
		if (request->has_q) {
			add(q, source, request->coefficients[i], request->len);
		}
	}
}

uint32_t
request_mismatches(const struct request *request, uint32_t from, uint32_t len, uint32_t *first)
{
	const struct range *expected = &request->source.piece[request->source_count];
	const uint8_t *right = request->after;
	uint32_t bits = 0;

	*first = request->len;
	for (uint32_t bit = P_DIFFERS; bit <= Q_DIFFERS; bit <<= 1) {
		if (!(bit == P_DIFFERS ? request->has_p : request->has_q)) {
			continue;
		}
		for (uint32_t at = from; at < from + len; at++) {
			if (g_memory[expected->start + at] != right[at]) {
				bits |= bit;
				*first = at < *first ? at : *first;
				break;
			}
		}
		expected++;
		right += request->len;
	}
	return bits;
}
