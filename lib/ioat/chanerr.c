/* SPDX-License-Identifier: BSD-3-Clause */

/* What the bits of CHANERR mean: section 11 of the hardware reference. */

#include "channel.h"

#include "spdk/util.h"

static const char *const chanerr_bits[32] = {
	[0] = "bad source address",
	[1] = "bad destination address",
	[2] = "bad next descriptor address",
	[3] = "bad descriptor",
	[4] = "bad chain address",
	[5] = "illegal command",
	[6] = "uncorrectable chipset data",
	[7] = "uncorrectable DMA data",
	[8] = "source could not be read",
	[9] = "destination could not be written",
	[10] = "illegal operation or control bits",
	[11] = "illegal transfer size",
	[12] = "bad completion address",
	[13] = "interrupt configuration",
	[14] = "bad super-extended descriptor address",
	[15] = "unaffiliated error",
	[16] = "CRC or XOR/P mismatch",
	[17] = "Q mismatch",
	[18] = "descriptor count",
	[19] = "DIF all ones",
	[20] = "DIF guard",
	[21] = "DIF application tag",
	[22] = "DIF reference tag",
	[23] = "misused bundle bit",
	[24] = "result DIF all ones",
	[25] = "result DIF guard",
	[26] = "result DIF application tag",
	[27] = "result DIF reference tag",
};

const char *
udma_ioat_chanerr_text(uint32_t chanerr, char *text, size_t size)
{
	size_t used = 0;

	snprintf(text, size, "no cause given");
	for (unsigned bit = 0; bit < 32 && used < size; bit++) {
		if (chanerr & 1u << bit) {
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
						 chanerr_bits[bit] ? chanerr_bits[bit]
								   : "reserved");
		}
	}
	return text;
}
