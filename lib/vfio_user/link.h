/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A connection: a stream of bytes, cut into messages with file descriptors (sections 1 and 2).
 *
 * Nothing here blocks. Never more is read than the message in hand needs, so that descriptors that
 * come with its bytes are its own.
 */

#ifndef UDMA_VFIO_USER_LINK_H
#define UDMA_VFIO_USER_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol.h"

/** A message that has arrived. */
struct udma_vu_message {
	struct udma_vu_header header;
	uint8_t *payload; /* the link's */
	size_t size;      /* of the payload */
	int fds[UDMA_VU_MAX_FDS];
	unsigned fd_count;
	bool fds_lost; /* some were not kept: more than we take, or a socket */
};

struct udma_vu_link {
	int fd; /* -1: not connected */
	struct udma_vu_message in;
	size_t received;         /* bytes of header and payload that are here */
	uint8_t *payload_buffer; /* UDMA_VU_MAX_PAYLOAD bytes */
	uint8_t *out;            /* what the socket has not taken */
	size_t out_size, out_sent, out_room;
};

/** Takes over a connected socket. \return 0; a negative errno, and the socket is closed. */
int udma_vu_link_open(struct udma_vu_link *link, int fd);
/** Closes the socket, and the descriptors of a message in hand. */
void udma_vu_link_close(struct udma_vu_link *link);

/**
 * Receives as much as there is of one message.
 *
 * \return 1 with a whole message in `link->in`, to be given back by udma_vu_link_done(); 0 if there
 * is none yet; a negative errno if the connection is over (-ECONNRESET: the peer has gone; -EPROTO:
 * the stream cannot be followed any more).
 */
int udma_vu_link_receive(struct udma_vu_link *link);
/** Gives a message back: closes those of its descriptors that are not -1. */
void udma_vu_link_done(struct udma_vu_link *link);

/**
 * Sends a message, or keeps what the socket does not take. The payload is two parts one behind the
 * other, either may be empty.
 *
 * \param fd goes with it, -1 for none; the caller keeps it.
 * \return 0; a negative errno: the peer has gone, or does not read.
 */
int udma_vu_link_send(struct udma_vu_link *link, const struct udma_vu_header *header,
		      const void *first, size_t first_size, const void *second, size_t second_size,
		      int fd);
/** Sends what was kept. \return as udma_vu_link_send(). */
int udma_vu_link_flush(struct udma_vu_link *link);
/** \return whether something is kept. */
bool udma_vu_link_has_output(const struct udma_vu_link *link);

#endif
