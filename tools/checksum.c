/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A CRC is the remainder of the message, taken as a polynomial over GF(2), by a generator. Putting
 * n bytes behind a message multiplies it by x^(8n), so checksums can be put together, and zeroes
 * appended, without looking at the bytes: by one multiplication with x^(8n) modulo the generator.
 */

#include "checksum.h"

#include <isa-l/crc.h>

/* The generator of gzip's CRC-32 (RFC 1952), and the polynomials 1 and x^8. Bits are reflected:
 * the highest bit is the coefficient of x^0. */
#define GENERATOR 0xedb88320u
#define ONE       0x80000000u
#define X_TO_8    0x00800000u

static uint32_t
multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t term = ONE; term != 0; term >>= 1) {
		if (a & term) {
			product ^= b;
		}
		b = b >> 1 ^ (b & 1 ? GENERATOR : 0); /* times x */
	}
	return product;
}

/** x^(8 * bytes), by squaring. */
static uint32_t
shift_by(uint64_t bytes)
{
	uint32_t result = ONE;

	for (uint32_t power = X_TO_8; bytes != 0; bytes >>= 1) {
		if (bytes & 1) {
			result = multiply(result, power);
		}
		power = multiply(power, power);
	}
	return result;
}

uint32_t
checksum_of(const void *bytes, size_t length)
{
	return crc32_gzip_refl(0, bytes, length);
}

uint32_t
checksum_append(uint32_t first, uint32_t second, uint64_t second_length)
{
	return multiply(first, shift_by(second_length)) ^ second;
}

uint32_t
checksum_append_zeroes(uint32_t first, uint64_t count)
{
	/* gzip starts from all ones and ends with a complement. */
	return ~multiply(~first, shift_by(count));
}
