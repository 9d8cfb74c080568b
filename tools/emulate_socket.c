/* SPDX-License-Identifier: BSD-3-Clause */

/* The sockets that clients come to. */

#include "emulate.h"
#include "tool.h"

#include "spdk/string.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
make_socket(void)
{
	/* Nothing that others do with theirs, a full queue for one, keeps us waiting. */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		complain("cannot make a socket: %s", spdk_strerror(errno));
		return -errno;
	}
	return fd;
}

/** A socket that nobody listens on any more is left by a server that was killed. */
static int
remove_stale(const char *path, const struct sockaddr_un *address)
{
	struct stat stat;
	int probe, rc;

	if (lstat(path, &stat) != 0) {
		return 0;
	}
	if (!S_ISSOCK(stat.st_mode)) {
		complain("'%s' is there and is no socket; name another path", path);
		return -EEXIST;
	}
	probe = make_socket();
	if (probe < 0) {
		return probe;
	}
	rc = connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
	close(probe);
	if (rc != ECONNREFUSED) {
		complain("'%s' is in use by another server (%s); stop it, or name another path",
			 path, rc == 0 ? "it answers" : spdk_strerror(rc));
		return -EADDRINUSE;
	}
	unlink(path);
	return 0;
}

static int
bind_and_listen(struct served *served, const struct sockaddr_un *address)
{
	struct stat stat;
	/* Whoever may connect may have the device write to its memory: only us (mode 0600). */
	mode_t mask = umask(0177);
	int rc = bind(served->listen_fd, (const struct sockaddr *)address, sizeof(*address));

	umask(mask);
	if (rc != 0 || listen(served->listen_fd, 1) != 0 || lstat(served->path, &stat) != 0) {
		rc = -errno;
		complain("cannot listen on '%s': %s", served->path, spdk_strerror(errno));
		return rc;
	}
	served->device = stat.st_dev;
	served->inode = stat.st_ino;
	return 0;
}

static int
listen_at_path(struct served *served)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int rc;

	if (strlen(served->path) >= sizeof(address.sun_path) || served->path[0] == '\0') {
		complain("the socket path '%s' is %s; 1 to %zu bytes are possible", served->path,
			 served->path[0] == '\0' ? "empty" : "too long",
			 sizeof(address.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, served->path, strlen(served->path) + 1);
	rc = remove_stale(served->path, &address);
	if (rc != 0) {
		return rc;
	}
	served->listen_fd = make_socket();
	return served->listen_fd < 0 ? served->listen_fd : bind_and_listen(served, &address);
}

/** A connected socket, as the specification has it; a listening one will do as well. */
static int
take_given(struct served *served)
{
	int listening = 0, type = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(served->given_fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
	    getsockopt(served->given_fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 ||
	    type != SOCK_STREAM) {
		complain("--fd=%d is no stream socket", served->given_fd);
		return -ENOTSOCK;
	}
	fcntl(served->given_fd, F_SETFD, FD_CLOEXEC);
	*(listening ? &served->listen_fd : &served->client_fd) = served->given_fd;
	return 0;
}

int
emulate_socket_open(struct served *served)
{
	served->listen_fd = -1;
	served->client_fd = -1;
	return served->path != NULL ? listen_at_path(served) : take_given(served);
}

void
emulate_socket_close(struct served *served)
{
	struct stat stat;

	if (served->listen_fd >= 0) {
		close(served->listen_fd);
	}
	/* Somebody may have taken it away, and put another one there. */
	if (served->path != NULL && served->inode != 0 && lstat(served->path, &stat) == 0 &&
	    stat.st_dev == served->device && stat.st_ino == served->inode) {
		unlink(served->path);
	}
}
