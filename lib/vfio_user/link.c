/* SPDX-License-Identifier: BSD-3-Clause */

#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* A peer that does not read its replies is given up when this much is waiting for it. */
#define MAX_OUTPUT ((size_t)4 * UDMA_VU_MAX_PAYLOAD)

/* Descriptors that one call can bring. The kernel takes no more than 253 in one message. */
#define CONTROL_FDS 253

int
udma_vu_link_open(struct udma_vu_link *link, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	*link = (struct udma_vu_link){.fd = -1};
	link->payload_buffer = malloc(UDMA_VU_MAX_PAYLOAD);
	if (link->payload_buffer == NULL) {
		close(fd);
		return -ENOMEM;
	}
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		int rc = -errno;

		free(link->payload_buffer);
		link->payload_buffer = NULL;
		close(fd);
		return rc;
	}
	link->fd = fd;
	return 0;
}

void
udma_vu_link_close(struct udma_vu_link *link)
{
	udma_vu_link_done(link);
	if (link->fd >= 0) {
		close(link->fd);
	}
	free(link->payload_buffer);
	free(link->out);
	*link = (struct udma_vu_link){.fd = -1};
}

/* ---- Receiving ---- */

/** No command takes a socket; and one that is the peer's own end would keep it from ever leaving.
 */
static bool
is_socket(int fd)
{
	struct stat stat;

	return fstat(fd, &stat) == 0 && S_ISSOCK(stat.st_mode);
}

static void
keep_fd(struct udma_vu_message *in, int fd)
{
	if (in->fd_count < UDMA_VU_MAX_FDS && !in->fds_lost && !is_socket(fd)) {
		in->fds[in->fd_count++] = fd;
	} else {
		in->fds_lost = true;
		close(fd);
	}
}

static void
keep_fds(struct udma_vu_message *in, struct msghdr *msg)
{
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
			keep_fd(in, fd);
		}
	}
	in->fds_lost |= (msg->msg_flags & MSG_CTRUNC) != 0;
}

/** \return bytes received, at most `len`; 0 if there are none now; a negative errno. */
static ssize_t
receive(struct udma_vu_link *link, void *to, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = to, .iov_len = len};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(link->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0) {
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	keep_fds(&link->in, &msg);
	return n == 0 ? -ECONNRESET : n;
}

/** The header is here: what is to come behind it? */
static int
begin_payload(struct udma_vu_link *link)
{
	struct udma_vu_message *in = &link->in;

	if (in->header.size < sizeof(in->header) ||
	    in->header.size - sizeof(in->header) > UDMA_VU_MAX_PAYLOAD) {
		return -EPROTO;
	}
	in->size = in->header.size - sizeof(in->header);
	in->payload = link->payload_buffer;
	return 0;
}

int
udma_vu_link_receive(struct udma_vu_link *link)
{
	struct udma_vu_message *in = &link->in;
	ssize_t n;

	if (link->received < sizeof(in->header)) {
		n = receive(link, (char *)&in->header + link->received,
			    sizeof(in->header) - link->received);
		if (n <= 0) {
			return (int)n;
		}
		link->received += (size_t)n;
		if (link->received < sizeof(in->header)) {
			return 0;
		}
		n = begin_payload(link);
		if (n < 0) {
			return (int)n;
		}
	}
	while (link->received < in->header.size) {
		size_t at = link->received - sizeof(in->header);

		n = receive(link, in->payload + at, in->size - at);
		if (n <= 0) {
			return (int)n;
		}
		link->received += (size_t)n;
	}
	return 1;
}

void
udma_vu_link_done(struct udma_vu_link *link)
{
	for (unsigned i = 0; i < link->in.fd_count; i++) {
		if (link->in.fds[i] >= 0) {
			close(link->in.fds[i]);
		}
	}
	link->in = (struct udma_vu_message){.fd_count = 0};
	link->received = 0;
}

/* ---- Sending ---- */

/** Keeps the part of a message that the socket has not taken. */
static int
keep_output(struct udma_vu_link *link, const struct iovec *parts, unsigned count, size_t sent)
{
	size_t total = 0;

	for (unsigned i = 0; i < count; i++) {
		total += parts[i].iov_len;
	}
	if (link->out_size + total - sent > MAX_OUTPUT) {
		return -ENOBUFS;
	}
	if (link->out_size + total - sent > link->out_room) {
		/* Doubled, for it may grow by small replies. */
		size_t room = 2 * (link->out_size + total - sent);
		uint8_t *larger = realloc(link->out, room);

		if (larger == NULL) {
			return -ENOMEM;
		}
		link->out = larger;
		link->out_room = room;
	}
	for (unsigned i = 0; i < count; i++) {
		size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;
		size_t left = parts[i].iov_len - skip;

		/* A part of no length may be nowhere. */
		if (left > 0) {
			memcpy(link->out + link->out_size, (const char *)parts[i].iov_base + skip,
			       left);
		}
		link->out_size += left;
		sent -= skip;
	}
	return 0;
}

static ssize_t
send_parts(struct udma_vu_link *link, struct iovec *parts, unsigned count, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = count};
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	n = sendmsg(link->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0) {
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	return n;
}

int
udma_vu_link_flush(struct udma_vu_link *link)
{
	while (link->out_sent < link->out_size) {
		struct iovec part = {
			.iov_base = link->out + link->out_sent,
			.iov_len = link->out_size - link->out_sent,
		};
		ssize_t n = send_parts(link, &part, 1, -1);

		if (n <= 0) {
			return (int)n;
		}
		link->out_sent += (size_t)n;
	}
	link->out_size = 0;
	link->out_sent = 0;
	return 0;
}

bool
udma_vu_link_has_output(const struct udma_vu_link *link)
{
	return link->out_size > 0;
}

int
udma_vu_link_send(struct udma_vu_link *link, const struct udma_vu_header *header, const void *first,
		  size_t first_size, const void *second, size_t second_size, int fd)
{
	struct iovec parts[] = {
		{.iov_base = (void *)(uintptr_t)header, .iov_len = sizeof(*header)},
		{.iov_base = (void *)(uintptr_t)first, .iov_len = first_size},
		{.iov_base = (void *)(uintptr_t)second, .iov_len = second_size},
	};
	ssize_t sent = udma_vu_link_flush(link);

	if (sent < 0) {
		return (int)sent;
	}
	/* A descriptor goes with its message's first byte: it cannot be kept. */
	if (udma_vu_link_has_output(link)) {
		return fd >= 0 ? -ENOBUFS : keep_output(link, parts, 3, 0);
	}
	sent = send_parts(link, parts, 3, fd);
	if (sent < 0 || (sent == 0 && fd >= 0)) {
		return sent < 0 ? (int)sent : -ENOBUFS;
	}
	if ((size_t)sent < sizeof(*header) + first_size + second_size) {
		return keep_output(link, parts, 3, (size_t)sent);
	}
	return 0;
}
