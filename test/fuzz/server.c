/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The vfio-user server against any stream of bytes and descriptors.
 *
 * The input is a list of messages. Of each the first byte says how much of the header is made
 * right, and what descriptor goes with it; at the end the client goes away, possibly in the middle
 * of a message. Whatever it was, the server has to come to its end, and to have closed all that it
 * was sent.
 */

#include "fuzz.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "vfio_user/dma.h"
#include "vfio_user/server.h"

#define MEMORY_SIZE 0x4000

/* How a message is made of bytes */
#define WHOLE_HEADER 0x01 /* type, size and error are right */
#define NO_REPLY     0x02
#define FD_KIND(how) ((how) >> 2 & 7)
#define MORE_FDS     0x20

static int g_memory = -1, g_short = -1, g_eventfd = -1, g_stop = -1, g_pipe[2];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_quiet();
	g_memory = memfd_create("memory", 0);
	g_short = memfd_create("short", 0);
	g_eventfd = eventfd(0, EFD_NONBLOCK);
	g_stop = eventfd(0, 0);
	CHECK(ftruncate(g_memory, MEMORY_SIZE) == 0 && ftruncate(g_short, 1) == 0);
	CHECK(pipe(g_pipe) == 0 && g_eventfd >= 0 && g_stop >= 0);
	CHECK(udma_vu_dma_guard_process() == 0);
	return 0;
}

static int
descriptor(uint8_t how)
{
	const int fds[] = {-1, -1, -1, g_memory, g_memory, g_short, g_eventfd, g_pipe[1]};

	return fds[FD_KIND(how)];
}

static void
send_all(int socket, const uint8_t *bytes, size_t len, int fd, unsigned fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(12 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		for (unsigned i = 0; i < fd_count; i++) {
			memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(int));
		}
	}
	(void)!sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/** One message: how, command, length, payload. */
static void
send_message(int socket, struct input *input)
{
	uint8_t how = input_front(input), message[16 + 255];
	uint32_t size;

	memset(message, 0, 16);
	message[2] = input_front(input);
	size = 16u + input_front(input);
	if (how & WHOLE_HEADER) {
		memcpy(message + 4, &size, sizeof(size));
		message[8] = how & NO_REPLY ? 0x10 : 0;
	} else {
		for (unsigned i = 4; i < 16; i++) {
			message[i] = input_front(input);
		}
	}
	for (unsigned i = 16; i < size; i++) {
		message[i] = input_front(input);
	}
	send_all(socket, message, size, descriptor(how), how & MORE_FDS ? 12 : 1);
}

/** What nearly every client says first. */
static void
say_hello(int socket)
{
	static const uint8_t version[20] = {0, 0, 1, 0, 20};
	static const uint8_t map[48] = {0, 0, 2, 0, 48, [16] = 32, [20] = 3, [34] = 1, [41] = 0x40};

	send_all(socket, version, sizeof(version), -1, 0);
	send_all(socket, map, sizeof(map), g_memory, 1);
}

/** \return the lowest descriptor that is free: the same as before, if nothing was left open. */
static int
lowest_free(void)
{
	int fd = dup(g_stop);

	CHECK(fd >= 0);
	close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {.front = data, .back = data + size};
	struct udma_vu_server_options options = {0};
	uint8_t first = input_front(&input);
	struct udma_vu_server *server;
	int sockets[2], before = lowest_free();

	options.polled = first & 1;
	options.device.interrupts = options.polled ? UDMA_EMU_MSIX : 7;
	server = udma_vu_server_create(&options);
	CHECK(server != NULL);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
	if (first & 2) {
		say_hello(sockets[0]);
	}
	while (!input_is_over(&input)) {
		send_message(sockets[0], &input);
	}
	shutdown(sockets[0], SHUT_WR);
	CHECK(udma_vu_server_run(server, -1, sockets[1], g_stop) == 0);
	close(sockets[0]);
	udma_vu_server_destroy(server);
	CHECK(lowest_free() == before);
	/* A client may have made it shorter for all that the server knows. */
	CHECK(ftruncate(g_memory, MEMORY_SIZE) == 0);
	return 0;
}
