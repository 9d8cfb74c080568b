/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Memory that a client has mapped without a descriptor: the device asks for it, and waits for the
 * answer (section 9).
 *
 * Commands may come first. They are kept, and carried out in their order when the descriptor in
 * hand is done: the device cannot be touched in the middle of it.
 */

#include "server_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A client that does not answer for so long, whatever else it says, is given up: QEMU waits as long
 * for us. */
#define ANSWER_US 5000000

/* Commands that are kept at the most. */
#define MAX_DEFERRED       1024
#define MAX_DEFERRED_BYTES ((size_t)8 * UDMA_VU_MAX_PAYLOAD)

/* ---- Commands that came first ---- */

static int
make_room(struct udma_vu_server *server)
{
	unsigned room = server->deferred_room == 0 ? 16 : server->deferred_room * 2;
	struct udma_vu_message *larger;

	if (server->deferred_next > 0) {
		/* Those taken already make room first. */
		server->deferred_count -= server->deferred_next;
		memmove(server->deferred, server->deferred + server->deferred_next,
			server->deferred_count * sizeof(*server->deferred));
		server->deferred_next = 0;
	}
	if (server->deferred_count < server->deferred_room) {
		return 0;
	}
	if (room > MAX_DEFERRED) {
		return -ENOBUFS;
	}
	larger = realloc(server->deferred, room * sizeof(*larger));
	if (larger == NULL) {
		return -ENOMEM;
	}
	server->deferred = larger;
	server->deferred_room = room;
	return 0;
}

/** Keeps the message in hand, with its descriptors. */
static int
defer(struct udma_vu_server *server)
{
	struct udma_vu_message *in = &server->link.in;
	struct udma_vu_message kept = *in;
	int rc = make_room(server);

	if (rc != 0 || server->deferred_bytes + in->size > MAX_DEFERRED_BYTES) {
		return rc != 0 ? rc : -ENOBUFS;
	}
	kept.payload = malloc(in->size + 1);
	if (kept.payload == NULL) {
		return -ENOMEM;
	}
	memcpy(kept.payload, in->payload, in->size);
	in->fd_count = 0;
	server->deferred[server->deferred_count++] = kept;
	server->deferred_bytes += kept.size;
	return 0;
}

bool
udma_vu_take_deferred(struct udma_vu_server *server, struct udma_vu_message *message)
{
	if (server->deferred_next == server->deferred_count) {
		server->deferred_next = 0;
		server->deferred_count = 0;
		return false;
	}
	*message = server->deferred[server->deferred_next++];
	server->deferred_bytes -= message->size;
	return true;
}

void
udma_vu_free_message(struct udma_vu_message *message)
{
	for (unsigned i = 0; i < message->fd_count; i++) {
		if (message->fds[i] >= 0) {
			close(message->fds[i]);
		}
	}
	free(message->payload);
}

void
udma_vu_drop_deferred(struct udma_vu_server *server)
{
	struct udma_vu_message message;

	while (udma_vu_take_deferred(server, &message)) {
		udma_vu_free_message(&message);
	}
	free(server->deferred);
	server->deferred = NULL;
	server->deferred_room = 0;
}

/* ---- Asking and waiting ---- */

/** \return 0 when the client has something to say; a negative errno, also at the time `end`. */
static int
wait_for_client(struct udma_vu_server *server, uint64_t end)
{
	struct pollfd fds[] = {
		{.fd = server->link.fd, .events = POLLIN},
		{.fd = udma_vu_poll_listen_fd(server), .events = POLLIN},
		{.fd = server->stop_fd, .events = POLLIN},
	};
	uint64_t now = udma_vu_now_us(), left = now < end ? end - now : 0;
	int n;

	if (udma_vu_link_has_output(&server->link)) {
		fds[0].events |= POLLOUT;
	}
	n = poll(fds, 3, (int)((left + 999) / 1000));
	if (n > 0 && fds[2].revents != 0) {
		return -ECANCELED;
	}
	if (n == 0 || left == 0) {
		return -ETIMEDOUT;
	}
	if (n > 0 && fds[1].revents != 0) {
		udma_vu_refuse(server);
	}
	return n > 0 && (fds[0].revents & POLLOUT) ? udma_vu_link_flush(&server->link) : 0;
}

/**
 * Waits for the answer to a command of ours, which is the message in hand then. Whatever comes in
 * its place, be it a byte, puts off neither the end of the wait nor that of the server.
 */
static int
wait_for_answer(struct udma_vu_server *server, uint16_t id, uint16_t command)
{
	struct udma_vu_message *in = &server->link.in;
	uint64_t end = udma_vu_now_us() + ANSWER_US;

	for (;;) {
		int rc = udma_vu_link_receive(&server->link);

		if (rc == 1) {
			if ((in->header.flags & UDMA_VU_TYPE) != UDMA_VU_TYPE_REPLY) {
				rc = defer(server);
			} else if (in->header.id == id && in->header.command == command) {
				return 0;
			} else {
				rc = 0; /* an answer to nothing */
			}
			udma_vu_link_done(&server->link);
		}
		if (rc == 0) {
			rc = wait_for_client(server, end);
		}
		if (rc < 0) {
			return rc;
		}
	}
}

/** \return the bytes that may be asked for at once: within the region and the client's limit. */
static uint64_t
piece(struct udma_vu_server *server, uint64_t address, uint64_t len, uint32_t access)
{
	const struct udma_vu_region *region = udma_vu_dma_find(&server->dma, address);
	uint64_t left;

	if (region == NULL || !(region->flags & access) || server->broken != 0) {
		return 0;
	}
	left = region->size - (address - region->address);
	len = len < left ? len : left;
	return len < server->client_max_xfer ? len : server->client_max_xfer;
}

/** Asks, and waits. \return 0 with the answer in hand; -EIO if it says no; other: it is over. */
static int
ask(struct udma_vu_server *server, uint16_t command, const struct udma_vu_dma_access *access,
    const void *data)
{
	struct udma_vu_header header = {
		.id = server->next_id++,
		.command = command,
		.size = (uint32_t)(sizeof(header) + sizeof(*access) +
				   (data != NULL ? access->count : 0)),
	};
	int rc = udma_vu_link_send(&server->link, &header, access, sizeof(*access), data,
				   data != NULL ? access->count : 0, -1);

	if (rc == 0) {
		rc = wait_for_answer(server, header.id, command);
	}
	if (rc != 0) {
		server->broken = rc;
		return rc;
	}
	return server->link.in.header.flags & UDMA_VU_ERROR ? -EIO : 0;
}

uint64_t
udma_vu_socket_read(void *ctx, uint64_t address, void *buf, uint64_t len)
{
	struct udma_vu_server *server = ctx;
	struct udma_vu_message *in = &server->link.in;
	struct udma_vu_dma_access access = {
		.address = address,
		.count = piece(server, address, len, UDMA_VU_DMA_READABLE),
	};
	uint64_t got = 0;

	if (access.count == 0) {
		return 0;
	}
	if (ask(server, UDMA_VU_DMA_READ, &access, NULL) == 0 &&
	    in->size == sizeof(access) + access.count &&
	    memcmp(in->payload, &access, sizeof(access)) == 0) {
		memcpy(buf, in->payload + sizeof(access), access.count);
		got = access.count;
	}
	udma_vu_link_done(&server->link);
	return got;
}

/** The answer repeats the address and the count; of the latter the specification has 4 bytes. */
static bool
confirms(const struct udma_vu_message *in, const struct udma_vu_dma_access *access)
{
	size_t size = in->size < sizeof(*access) ? in->size : sizeof(*access);

	return size >= sizeof(access->address) + sizeof(uint32_t) &&
	       memcmp(in->payload, access, size) == 0;
}

uint64_t
udma_vu_socket_write(void *ctx, uint64_t address, const void *buf, uint64_t len)
{
	struct udma_vu_server *server = ctx;
	struct udma_vu_dma_access access = {
		.address = address,
		.count = piece(server, address, len, UDMA_VU_DMA_WRITABLE),
	};
	uint64_t put = 0;

	if (access.count == 0) {
		return 0;
	}
	if (ask(server, UDMA_VU_DMA_WRITE, &access, buf) == 0 &&
	    confirms(&server->link.in, &access)) {
		put = access.count;
	}
	udma_vu_link_done(&server->link);
	return put;
}
