/* SPDX-License-Identifier: BSD-3-Clause */

/* Devices that come and go, as the kernel tells: messages of "KEY=value" strings. */

#include <linux/netlink.h>

#include "pci_internal.h"
#include "spdk/log.h"

#define KERNEL_GROUP 1         /* the kernel's own messages; udev's go to another */
#define MESSAGE_SIZE 8192      /* the kernel's limit is 2048 and the path */
#define QUEUE_SIZE   (1 << 20) /* a socket of virtual functions comes as a burst */

struct fields {
	const char *action;
	const char *devpath;
	const char *subsystem;
	const char *driver;
	const char *pci_slot;
};

/* Takes the value of a "key=value" string, if it is of that key. */
static void
take(const char *string, const char *key, const char **value)
{
	size_t len = strlen(key);

	if (strncmp(string, key, len) == 0 && string[len] == '=') {
		*value = string + len + 1;
	}
}

/* A string without its closing NUL, at the end of a message that was cut, is left out. */
static void
read_fields(struct fields *fields, const char *message, size_t len)
{
	const char *end = message + len, *nul;

	while (message < end && (nul = memchr(message, '\0', (size_t)(end - message))) != NULL) {
		take(message, "ACTION", &fields->action);
		take(message, "DEVPATH", &fields->devpath);
		take(message, "SUBSYSTEM", &fields->subsystem);
		take(message, "DRIVER", &fields->driver);
		take(message, "PCI_SLOT_NAME", &fields->pci_slot);
		message = nul + 1;
	}
}

static bool
is(const char *value, const char *wanted)
{
	return value != NULL && strcmp(value, wanted) == 0;
}

/* "…/ADDRESS/uio/uioN": the device in front of "/uio/". */
static int
parse_uio_path(struct spdk_pci_addr *addr, const char *devpath)
{
	const char *uio = devpath ? strstr(devpath, "/uio/") : NULL;
	const char *start = uio;

	if (uio == NULL) {
		return -EINVAL;
	}
	while (start > devpath && start[-1] != '/') {
		start--;
	}
	return udma_pci_addr_parse(addr, start, (size_t)(uio - start));
}

int
udma_pci_event_parse(const char *message, size_t len, struct spdk_pci_event *event)
{
	struct fields fields = {0};
	struct spdk_pci_event parsed;
	int rc = -EINVAL;

	read_fields(&fields, message, len);
	/* A device that a driver is bound to later comes by "bind". */
	if (is(fields.action, "add") || is(fields.action, "bind")) {
		parsed.action = SPDK_UEVENT_ADD;
	} else if (is(fields.action, "remove") || is(fields.action, "unbind")) {
		parsed.action = SPDK_UEVENT_REMOVE;
	} else {
		return 0;
	}
	if (is(fields.subsystem, "uio")) {
		rc = parse_uio_path(&parsed.traddr, fields.devpath);
	} else if (is(fields.driver, "vfio-pci") && fields.pci_slot != NULL) {
		rc = udma_pci_addr_parse(&parsed.traddr, fields.pci_slot, strlen(fields.pci_slot));
	}
	if (rc != 0) {
		return 0;
	}
	*event = parsed;
	return 1;
}

/* ---- Of devices that the kernel knows nothing of ---- */

#define OWN_EVENTS 64

static struct {
	pthread_mutex_t lock;
	struct spdk_pci_event list[OWN_EVENTS];
	unsigned count;
} g_own = {.lock = PTHREAD_MUTEX_INITIALIZER};

void
udma_pci_event_push(const struct spdk_pci_event *event)
{
	pthread_mutex_lock(&g_own.lock);
	if (g_own.count == OWN_EVENTS) {
		/* Nobody reads them; the newest say how things are. */
		memmove(g_own.list, g_own.list + 1, --g_own.count * sizeof(g_own.list[0]));
	}
	g_own.list[g_own.count++] = *event;
	pthread_mutex_unlock(&g_own.lock);
}

void
udma_pci_event_forget(void)
{
	pthread_mutex_lock(&g_own.lock);
	g_own.count = 0;
	pthread_mutex_unlock(&g_own.lock);
}

static bool
take_own(struct spdk_pci_event *event)
{
	bool there;

	pthread_mutex_lock(&g_own.lock);
	there = g_own.count > 0;
	if (there) {
		*event = g_own.list[0];
		memmove(g_own.list, g_own.list + 1, --g_own.count * sizeof(g_own.list[0]));
	}
	pthread_mutex_unlock(&g_own.lock);
	return there;
}

int
spdk_pci_event_listen(void)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
	int size = QUEUE_SIZE, rc = 0;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd < 0) {
		rc = -errno;
	} else if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		rc = -errno;
		close(fd);
	}
	if (rc != 0) {
		SPDK_ERRLOG("cannot listen for PCI events: %s; devices that come and go later "
			    "are not noticed\n",
			    strerror(-rc));
		return rc;
	}
	udma_pci_event_forget(); /* as the kernel does: what was before is not told */
	/* Past the system's limit where that is allowed, else up to it. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
	return fd;
}

int
spdk_pci_get_event(int fd, struct spdk_pci_event *event)
{
	char message[MESSAGE_SIZE];
	int rc;

	if (take_own(event)) {
		return 1;
	}
	/* What is about other devices is read over, or it would hide the next event. */
	for (;;) {
		struct sockaddr_nl from = {0};
		struct iovec iov = {.iov_base = message, .iov_len = sizeof(message)};
		struct msghdr header = {.msg_name = &from,
					.msg_namelen = sizeof(from),
					.msg_iov = &iov,
					.msg_iovlen = 1};
		ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			break;
		}
		/* Only the kernel's own, which have port 0, and only whole ones. */
		if (from.nl_pid == 0 && !(header.msg_flags & MSG_TRUNC) &&
		    udma_pci_event_parse(message, (size_t)n, event) == 1) {
			return 1;
		}
		if (n == 0) {
			return 0;
		}
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		return 0;
	}
	rc = -errno;
	SPDK_ERRLOG("cannot read PCI events: %s%s\n", strerror(-rc),
		    rc == -ENOBUFS ? "; some are lost: enumerate the devices again" : "");
	return rc;
}

int
spdk_pci_register_error_handler(spdk_pci_error_handler sighandler, void *ctx)
{
	(void)sighandler;
	(void)ctx;
	SPDK_ERRLOG("no signal handlers are installed here: a program that expects SIGBUS installs "
		    "its own\n");
	return -ENOTSUP;
}

void
spdk_pci_unregister_error_handler(spdk_pci_error_handler sighandler)
{
	(void)sighandler;
}
