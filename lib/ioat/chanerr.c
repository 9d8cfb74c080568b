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

const char *
udma_ioat_status_text(enum udma_ioat_status status)
{
	static const char *const texts[] = {
		[UDMA_IOAT_OK] = "done",
		[UDMA_IOAT_BAD_SOURCE] = "the source cannot be read",
		[UDMA_IOAT_BAD_DESTINATION] = "the destination cannot be written",
		[UDMA_IOAT_BAD_DESCRIPTOR] = "the engine refuses the descriptor",
		[UDMA_IOAT_BAD_DATA] = "data was damaged on its way",
		[UDMA_IOAT_BAD_COMPLETION] = "the completion could not be written",
		[UDMA_IOAT_MISMATCH] = "the check found a difference",
		[UDMA_IOAT_UNKNOWN] = "the engine halted for no known cause, or talks nonsense",
		[UDMA_IOAT_ABORTED] = "aborted",
		[UDMA_IOAT_HUNG] = "the engine makes no progress",
		[UDMA_IOAT_GONE] = "the device is gone",
		[UDMA_IOAT_FAILED] = "the channel has failed",
	};

	return status < SPDK_COUNTOF(texts) ? texts[status] : "unknown status";
}
