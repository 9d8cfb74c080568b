/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Signalling eventfds that others have as well.
 */

#ifndef UDMA_VFIO_USER_SIGNALLER_H
#define UDMA_VFIO_USER_SIGNALLER_H

#include <stdbool.h>
#include <stdint.h>

struct udma_vu_signaller {
	unsigned long context; /* of the kernel's asynchronous I/O; 0: not to be had */
	int file;
	unsigned ends; /* reads that have ended and were not taken */
};

/** Always succeeds; where the kernel has no asynchronous I/O, signals are plain writes. */
void udma_vu_signaller_init(struct udma_vu_signaller *signaller);
void udma_vu_signaller_fini(struct udma_vu_signaller *signaller);
/** Adds 1 to an eventfd's counter; one that is full stays so. Does not wait. */
void udma_vu_signal(struct udma_vu_signaller *signaller, int fd);
/** Sets an eventfd's counter to 0. Does not wait. \return whether it was not. */
bool udma_vu_take_signal(int fd);

#endif
