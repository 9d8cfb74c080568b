/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Those who come to the listening socket: accepted, refused, or kept waiting.
 */

#include "server_internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/** Whoever comes may be the one who has just left, or its successor: that is seen here first. */
static bool
client_has_left(const struct udma_vu_server *server)
{
	struct pollfd client = {.fd = server->link.fd};

	return poll(&client, 1, 0) == 1 && (client.revents & POLLHUP);
}

int
udma_vu_accept(struct udma_vu_server *server)
{
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	int error = errno;

	if (fd >= 0 || error == EAGAIN || error == EINTR || error == ECONNABORTED) {
		server->accept_at_us = 0;
		return fd;
	}
	/* Out of descriptors or memory, which others may give back. */
	if (server->accept_at_us == 0) {
		udma_vu_tell(server, UDMA_VU_EVENT_NOT_ACCEPTED, (uint32_t)error);
	}
	server->accept_at_us = udma_vu_now_us() + UDMA_VU_ACCEPT_AGAIN_US;
	return -1;
}

int
udma_vu_poll_listen_fd(const struct udma_vu_server *server)
{
	return server->accept_at_us > udma_vu_now_us() ? -1 : server->listen_fd;
}

void
udma_vu_refuse(struct udma_vu_server *server)
{
	int fd;

	if (client_has_left(server)) {
		return; /* in a moment there is room */
	}
	fd = udma_vu_accept(server);
	if (fd >= 0) {
		close(fd);
		udma_vu_tell(server, UDMA_VU_EVENT_REFUSED, 0);
	}
}
