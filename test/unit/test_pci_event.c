/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "pci/pci_internal.h"

#define UIO_PATH "/devices/pci0000:00/0000:00:04.1/uio/uio0"

#define UIO_ADD "add@" UIO_PATH "\0ACTION=add\0DEVPATH=" UIO_PATH "\0SUBSYSTEM=uio\0SEQNUM=1"
#define UIO_REMOVE                                                                                 \
	"remove@" UIO_PATH "\0ACTION=remove\0DEVPATH=" UIO_PATH "\0SUBSYSTEM=uio\0SEQNUM=2"
#define VFIO_BIND "bind@/x\0ACTION=bind\0SUBSYSTEM=pci\0DRIVER=vfio-pci\0PCI_SLOT_NAME=0000:80:04.7"
#define NET_ADD   "add@/x\0ACTION=add\0SUBSYSTEM=net\0DEVPATH=/devices/0000:00:05.0/net/eth0"

static void
assert_event(const char *message, size_t len, enum spdk_pci_event_type action, const char *addr)
{
	struct spdk_pci_event event;
	char text[32];

	assert_int_equal(udma_pci_event_parse(message, len, &event), 1);
	assert_int_equal(event.action, action);
	assert_int_equal(spdk_pci_addr_fmt(text, sizeof(text), &event.traddr), 0);
	assert_string_equal(text, addr);
}

static void
devices_come_and_go(void **state)
{
	static const char vfio_remove[] =
		"\0PCI_SLOT_NAME=0000:80:04.7\0DRIVER=vfio-pci\0ACTION=remove";

	(void)state;
	assert_event(UIO_ADD, sizeof(UIO_ADD), SPDK_UEVENT_ADD, "0000:00:04.1");
	assert_event(UIO_REMOVE, sizeof(UIO_REMOVE), SPDK_UEVENT_REMOVE, "0000:00:04.1");
	assert_event(VFIO_BIND, sizeof(VFIO_BIND), SPDK_UEVENT_ADD, "0000:80:04.7");
	assert_event(vfio_remove, sizeof(vfio_remove), SPDK_UEVENT_REMOVE, "0000:80:04.7");
}

#define MESSAGE(text)                                                                              \
	{                                                                                          \
		text, sizeof(text)                                                                 \
	}

static void
other_messages_are_none(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} none[] = {
		MESSAGE(""),
		MESSAGE("\0\0\0\0"),
		MESSAGE(NET_ADD),
		MESSAGE("ACTION=add"),
		MESSAGE("ACTION=add\0SUBSYSTEM=uio"),
		MESSAGE("ACTION=add\0SUBSYSTEM=uio\0DEVPATH="),
		MESSAGE("ACTION=add\0SUBSYSTEM=uio\0DEVPATH=/uio/"),
		MESSAGE("ACTION=add\0SUBSYSTEM=uio\0DEVPATH=/devices/0000:00:04.1/uio"),
		MESSAGE("ACTION=add\0SUBSYSTEM=uio\0DEVPATH=/devices/platform.1/uio/uio0"),
		MESSAGE("ACTION=change\0SUBSYSTEM=uio\0DEVPATH=" UIO_PATH),
		MESSAGE("SUBSYSTEM=uio\0DEVPATH=" UIO_PATH),
		MESSAGE("ACTION=add\0DRIVER=vfio-pci"),
		MESSAGE("ACTION=add\0DRIVER=vfio-pci\0PCI_SLOT_NAME="),
		MESSAGE("ACTION=add\0DRIVER=vfio-pci\0PCI_SLOT_NAME=0000:00:04.1x"),
		MESSAGE("ACTION=add\0DRIVER=vfio-pci-x\0PCI_SLOT_NAME=0000:00:04.1"),
		MESSAGE("ACTION=add\0DRIVER=nvme\0PCI_SLOT_NAME=0000:00:04.1"),
		MESSAGE("ACTIONS=add\0SUBSYSTEM=uio\0DEVPATH=" UIO_PATH),
		MESSAGE("=\0=add\0ACTION\0"),
	};
	struct spdk_pci_event event;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (udma_pci_event_parse(none[i].text, none[i].len, &event) != 0) {
			fail_msg("message %zu was taken for an event", i);
		}
	}
	assert_int_equal(udma_pci_event_parse("", 0, &event), 0);
}

/* The sanitizer watches the byte behind each piece. */
static void
cut_messages_are_not_read_past_their_end(void **state)
{
	struct spdk_pci_event event;
	int events = 0;

	(void)state;
	for (size_t len = 0; len <= sizeof(VFIO_BIND); len++) {
		char *cut = malloc(len + 1);

		assert_non_null(cut);
		memcpy(cut + 1, VFIO_BIND, len);
		events += udma_pci_event_parse(cut + 1, len, &event);
		free(cut);
	}
	assert_int_equal(events, 1); /* the whole one: half an address is no address */
}

static void
random_bytes_do_no_harm(void **state)
{
	static const char alphabet[] = "\0\0=/:.01ACTIONDEVPATHuioadd";
	struct spdk_pci_event event;
	char message[256];
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)rand_r(&seed) % sizeof(message);

		memcpy(message, UIO_ADD, sizeof(UIO_ADD));
		memset(message + sizeof(UIO_ADD), 0, sizeof(message) - sizeof(UIO_ADD));
		for (int i = 0; i < 4; i++) {
			message[(size_t)rand_r(&seed) % sizeof(message)] =
				alphabet[(size_t)rand_r(&seed) % sizeof(alphabet)];
		}
		udma_pci_event_parse(message, len, &event);
	}
}

static void
events_are_read_from_a_descriptor(void **state)
{
	struct spdk_pci_event event;
	int fd[2];

	(void)state;
	capture_log();
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
	assert_int_equal(spdk_pci_get_event(fd[0], &event), 0);
	assert_int_equal(send(fd[1], NET_ADD, sizeof(NET_ADD), 0), sizeof(NET_ADD));
	assert_int_equal(spdk_pci_get_event(fd[0], &event), 0);
	/* What concerns others does not hide what follows. */
	assert_int_equal(send(fd[1], NET_ADD, sizeof(NET_ADD), 0), sizeof(NET_ADD));
	assert_int_equal(send(fd[1], UIO_ADD, sizeof(UIO_ADD), 0), sizeof(UIO_ADD));
	assert_int_equal(send(fd[1], UIO_REMOVE, sizeof(UIO_REMOVE), 0), sizeof(UIO_REMOVE));
	assert_int_equal(spdk_pci_get_event(fd[0], &event), 1);
	assert_int_equal(event.action, SPDK_UEVENT_ADD);
	assert_int_equal(spdk_pci_get_event(fd[0], &event), 1);
	assert_int_equal(event.action, SPDK_UEVENT_REMOVE);
	assert_int_equal(spdk_pci_get_event(fd[0], &event), 0);
	close(fd[0]);
	close(fd[1]);
	assert_int_equal(g_log_lines, 0);
	assert_int_equal(spdk_pci_get_event(-1, &event), -EBADF);
	assert_logged_once("cannot read PCI events");
}

static void
listening_does_not_block(void **state)
{
	struct spdk_pci_event event;
	int fd = spdk_pci_event_listen();

	(void)state;
	if (fd < 0) {
		skip(); /* a sandbox without netlink */
	}
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(spdk_pci_get_event(fd, &event) >= 0);
	close(fd);
}

static void
handler(const void *failure_addr, void *ctx)
{
	(void)failure_addr, (void)ctx;
}

static void
no_signal_handler_is_installed(void **state)
{
	struct sigaction before, after;

	(void)state;
	capture_log();
	assert_int_equal(sigaction(SIGBUS, NULL, &before), 0);
	assert_int_equal(spdk_pci_register_error_handler(handler, NULL), -ENOTSUP);
	assert_logged_once("SIGBUS");
	spdk_pci_unregister_error_handler(handler);
	assert_int_equal(sigaction(SIGBUS, NULL, &after), 0);
	assert_true(before.sa_handler == after.sa_handler);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_come_and_go),
		cmocka_unit_test(other_messages_are_none),
		cmocka_unit_test(cut_messages_are_not_read_past_their_end),
		cmocka_unit_test(random_bytes_do_no_harm),
		cmocka_unit_test(events_are_read_from_a_descriptor),
		cmocka_unit_test(listening_does_not_block),
		cmocka_unit_test(no_signal_handler_is_installed),
	};

	return cmocka_run_group_tests_name("pci_event", tests, NULL, NULL);
}
