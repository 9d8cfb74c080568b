/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Sleeping on descriptors: interrupts arrive at real ones, timers and the sleep itself are in the
 * device's time. Whoever sleeps lets the device work, until the descriptor is readable.
 */

#include "device.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "emu/emu_internal.h"
#include "pci/pci_internal.h"
#include "spdk/util.h"
#include "udma/fault.h"
#include "udma/pci.h"

#define COMMAND              0x04 /* in configuration space */
#define COMMAND_INTX_DISABLE 0x0400
#define MSIX_CONTROL         0x82
#define MSIX_ENABLE          0x8000
#define MSI_CONTROL          0xd2
#define MSI_ENABLE           0x0001

/* How late a sleeper is woken by the clock, at most. */
#define LATE_US 16
/* Whatever is waited for comes before that. */
#define LONGEST_US 100000000
/* One sleep in so many is ended by a signal. */
#define SIGNALS 64

/* ---- Time ---- */

static struct {
	int fd;
	bool runs, expired; /* expired: it stands until it is read, as the kernel's */
	uint64_t due_us, period_us;
} g_timer = {.fd = -1};

int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *value,
			   struct itimerspec *old);
ssize_t __real_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size);
int __real_close(int fd);
int __wrap_close(int fd);

static void
signal_fd(int fd)
{
	const uint64_t one = 1;

	CHECK(write(fd, &one, sizeof(one)) == sizeof(one));
}

static void
expire(void)
{
	if (g_timer.runs && !g_timer.expired && g_device.now_us >= g_timer.due_us) {
		g_timer.expired = true;
		signal_fd(g_timer.fd);
	}
}

void
device_pass(uint64_t us)
{
	g_device.now_us += us;
	if (!g_device.gone) {
		udma_emu_elapse(g_device.emu, (uint32_t)spdk_min(us, (uint64_t)UINT32_MAX));
	}
	expire();
}

int
__wrap_epoll_create1(int flags)
{
	if (g_device.no_descriptors) {
		errno = EMFILE;
		return -1;
	}
	return __real_epoll_create1(flags);
}

int
__wrap_timerfd_create(int clock, int flags)
{
	CHECK(clock == CLOCK_MONOTONIC && (flags & TFD_NONBLOCK));
	g_timer.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	g_timer.runs = false;
	return g_timer.fd;
}

static uint64_t
us_of(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_nsec / 1000;
}

int
__wrap_timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
	uint64_t unread;

	CHECK(fd == g_timer.fd && flags == 0 && old == NULL);
	if (__real_read(fd, &unread, sizeof(unread)) < 0) {
		CHECK(errno == EAGAIN);
	}
	g_timer.expired = false;
	g_timer.period_us = us_of(&value->it_interval);
	g_timer.runs = us_of(&value->it_value) > 0;
	g_timer.due_us = g_device.now_us + us_of(&value->it_value);
	return 0;
}

ssize_t
__wrap_read(int fd, void *buf, size_t size)
{
	ssize_t rc = __real_read(fd, buf, size);

	if (fd == g_timer.fd && rc > 0) {
		uint64_t periods = 1 + (g_device.now_us - g_timer.due_us) / g_timer.period_us;

		g_timer.expired = false;
		g_timer.due_us += periods * g_timer.period_us;
		memcpy(buf, &periods, sizeof(periods));
	}
	return rc;
}

int
__wrap_close(int fd)
{
	if (fd == g_timer.fd) {
		g_timer.fd = -1;
		g_timer.runs = false;
	}
	return __real_close(fd);
}

/* ---- Interrupts ---- */

static uint64_t
interrupts_lost(void)
{
	return udma_emu_fault_count(g_device.emu, UDMA_FAULT_LOST_INTERRUPT);
}

void
device_rearmed(void)
{
	g_device.lost_before = interrupts_lost();
}

void
device_forget_causes(void)
{
	struct udma_emu_interrupts *interrupts = &g_device.emu->interrupts;

	/* The section on interrupts does not say that silicon keeps what it may not tell of. */
	if (g_device.forgets && interrupts->delay_us == 0) {
		interrupts->pending = false;
	}
}

void
device_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt)
{
	(void)ctx;
	if (interrupt->kind == UDMA_EMU_INTX) {
		g_device.line = interrupt->level;
	}
	if (!interrupt->level || g_device.interrupt_fd < 0 || g_device.vector_lost ||
	    g_device.line_masked) {
		return;
	}
	g_device.line_masked = interrupt->kind == UDMA_EMU_INTX;
	signal_fd(g_device.interrupt_fd);
}

/** \return 0; what the configuration access returned. */
static int
set_bits(struct spdk_pci_device *device, uint32_t offset, uint16_t bits, bool on)
{
	uint16_t value;
	int rc = spdk_pci_device_cfg_read16(device, &value, offset);

	if (rc == 0) {
		value = (uint16_t)(on ? value | bits : value & ~bits);
		rc = spdk_pci_device_cfg_write16(device, value, offset);
	}
	return rc;
}

static int
set_way(struct spdk_pci_device *device, bool on)
{
	switch (g_device.interrupts) {
	case UDMA_EMU_MSIX:
		return set_bits(device, MSIX_CONTROL, MSIX_ENABLE, on);
	case UDMA_EMU_MSI:
		return set_bits(device, MSI_CONTROL, MSI_ENABLE, on);
	default:
		return set_bits(device, COMMAND, COMMAND_INTX_DISABLE, !on);
	}
}

static int
enable(struct spdk_pci_device *device, int *fds, uint32_t count)
{
	int rc;

	CHECK(count == 1 && g_device.interrupt_fd < 0);
	if (g_device.interrupts == 0) {
		return -ENOTSUP;
	}
	rc = set_way(device, true);
	if (rc != 0 || udma_pci_make_eventfds(fds, 1) != 0) {
		return rc != 0 ? rc : -EMFILE;
	}
	device_look();
	g_device.interrupt_fd = fds[0];
	g_device.silent_until = g_device.announced;
	g_device.vector_lost = false;
	g_device.line_masked = false;
	return g_device.interrupts == UDMA_EMU_MSIX  ? UDMA_PCI_MSIX
	       : g_device.interrupts == UDMA_EMU_MSI ? UDMA_PCI_MSI
						     : UDMA_PCI_INTX;
}

static void
disable(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	g_device.interrupt_fd = -1;
	set_way(device, false);
	udma_pci_close_eventfds(fds, count);
}

static int
again(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	(void)count;
	g_device.vector_lost = false;
	g_device.line_masked = g_device.line;
	if (g_device.line) {
		signal_fd(fds[0]);
	}
	return set_way(device, true);
}

void
device_hook_interrupts(void)
{
	static const struct udma_pci_interrupt_ops ops = {enable, disable, again};

	CHECK(udma_pci_hook_interrupts(&g_device.pci, &ops) == 0);
}

/* ---- Asleep ---- */

bool
device_fd_is_readable(int fd)
{
	struct pollfd event = {.fd = fd, .events = POLLIN};

	return poll(&event, 1, 0) == 1;
}

/** Whether an interrupt should have told of what the completion word says. */
static bool
should_have_told(void)
{
	bool sleeps = g_device.polled && g_device.now_us < g_device.idle_until;

	return g_device.interrupt_fd >= 0 && !g_device.gone && !sleeps &&
	       interrupts_lost() == g_device.lost_before &&
	       udma_emu_interrupt_due(g_device.emu) == UINT32_MAX && requests_are_to_be_told_of();
}

/** When something happens next that the device or the timer does by itself; UINT64_MAX. */
static uint64_t
next_event(void)
{
	uint64_t next = UINT64_MAX;
	uint32_t due = udma_emu_interrupt_due(g_device.emu);

	if (g_timer.runs && !g_timer.expired) {
		next = g_timer.due_us;
	}
	if (!g_device.gone && due != UINT32_MAX) {
		next = spdk_min(next, g_device.now_us + due);
	}
	if (device_has_work()) {
		next = spdk_min(next, spdk_max(g_device.now_us, g_device.idle_until));
	}
	return next;
}

bool
device_sleep(int fd, uint64_t until_us, bool ready)
{
	uint64_t start = g_device.now_us, next;

	g_device.ready = ready;
	while (!device_fd_is_readable(fd)) {
		if (g_device.now_us >= until_us) {
			return false;
		}
		device_turn();
		device_hear();
		/* A completion that is slept through. */
		CHECK(device_fd_is_readable(fd) || !should_have_told());
		next = spdk_min(next_event(), until_us);
		/* A sleep that nothing would ever end. */
		CHECK(device_fd_is_readable(fd) || next != UINT64_MAX);
		CHECK(g_device.now_us - start < LONGEST_US);
		if (!device_fd_is_readable(fd)) {
			device_pass((next > g_device.now_us ? next - g_device.now_us : 0) +
				    random_below(&g_device.random, LATE_US));
		}
	}
	return true;
}

int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		 const sigset_t *mask);

/** The driver's. */
int
__wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	uint64_t until = timeout != NULL ? g_device.now_us + us_of(timeout) : UINT64_MAX;

	CHECK(count == 1 && mask == NULL && fds->events == POLLIN);
	if (random_below(&g_device.random, SIGNALS) == 0 &&
	    !device_sleep(fds->fd, spdk_min(until, g_device.now_us + 1000), true)) {
		g_device.signals++;
		errno = EINTR;
		return -1;
	}
	fds->revents = device_sleep(fds->fd, until, true) ? POLLIN : 0;
	return fds->revents != 0;
}
