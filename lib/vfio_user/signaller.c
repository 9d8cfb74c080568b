/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Signalling a client's eventfd without ever waiting.
 *
 * A write to an eventfd waits while its counter is full. The counter and O_NONBLOCK belong to the
 * file, which the client has as well: whatever is looked at before the write, the client can change
 * in between, and the server would stand still with it, deaf to SIGTERM too. The kernel's own
 * signals never wait, so it is made to signal: by the end of an asynchronous read of nothing.
 */

#include "signaller.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Ends of reads that the kernel keeps until they are taken. */
#define ENDS 32

void
udma_vu_signaller_init(struct udma_vu_signaller *signaller)
{
	*signaller = (struct udma_vu_signaller){.file = open("/dev/null", O_RDONLY | O_CLOEXEC)};
	if (signaller->file < 0 || syscall(SYS_io_setup, ENDS, &signaller->context) != 0) {
		/* An emulator, a container, or fs.aio-max-nr. */
		signaller->context = 0;
	}
}

void
udma_vu_signaller_fini(struct udma_vu_signaller *signaller)
{
	if (signaller->context != 0) {
		syscall(SYS_io_destroy, signaller->context);
	}
	if (signaller->file >= 0) {
		close(signaller->file);
	}
}

static void
take_ends(struct udma_vu_signaller *signaller)
{
	struct io_event ends[ENDS];
	struct timespec now = {0};

	syscall(SYS_io_getevents, signaller->context, 0, ENDS, ends, &now);
	signaller->ends = 0;
}

/** Where that cannot be had. A client that fills the counter between the two calls waits with us.
 */
static void
write_if_room(int fd)
{
	const uint64_t one = 1;
	struct pollfd room = {.fd = fd, .events = POLLOUT};

	if (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT)) {
		(void)!write(fd, &one, sizeof(one));
	}
}

void
udma_vu_signal(struct udma_vu_signaller *signaller, int fd)
{
	struct iocb read_nothing = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)signaller->file,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *list[] = {&read_nothing};

	if (signaller->context == 0) {
		write_if_room(fd);
		return;
	}
	if (signaller->ends == ENDS) {
		take_ends(signaller);
	}
	if (syscall(SYS_io_submit, signaller->context, 1, list) == 1) {
		signaller->ends++;
	} else {
		write_if_room(fd);
	}
}

bool
udma_vu_take_signal(int fd)
{
	uint64_t count;
	struct iovec to = {.iov_base = &count, .iov_len = sizeof(count)};
	ssize_t n = preadv2(fd, &to, 1, -1, RWF_NOWAIT);

	/* Before Linux 5.8. */
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
		struct pollfd signalled = {.fd = fd, .events = POLLIN};

		n = poll(&signalled, 1, 0) == 1 ? read(fd, &count, sizeof(count)) : -1;
	}
	return n == sizeof(count);
}
