/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Waiting for an engine: how to poll without keeping the core from others, and when to give up.
 */

#ifndef UDMA_TOOL_PATIENCE_H
#define UDMA_TOOL_PATIENCE_H

/** An engine that has completed nothing for so long will not any more. */
#define HANG_SECONDS 30.0

/** A wait. Zeroed, it has not begun. */
struct patience {
	unsigned polls;
	double last;
	double waited;
};

/** Work for the engine begins, or it has completed some. */
void patience_renew(struct patience *patience);
/**
 * After a poll that has found nothing: pauses, or naps.
 *
 * \return the seconds without progress. Those in which this process was suspended do not count.
 */
double patience_wait(struct patience *patience);

#endif
