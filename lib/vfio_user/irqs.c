/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Eventfds and their masks (section 7).
 */

#include "server_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
udma_vu_irqs_init(struct udma_vu_server *server)
{
	for (unsigned i = 0; i < UDMA_VU_IRQS; i++) {
		server->irqs[i].fd = -1;
		server->irqs[i].unmask_fd = -1;
	}
}

static void
replace_fd(int *fd, int with)
{
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = with;
}

/** As if no client had ever said anything of it. The level is the device's. */
static void
release(struct udma_vu_irq_state *irq)
{
	replace_fd(&irq->fd, -1);
	replace_fd(&irq->unmask_fd, -1);
	irq->masked = false;
	irq->pending = false;
}

void
udma_vu_irqs_release(struct udma_vu_server *server)
{
	for (unsigned i = 0; i < UDMA_VU_IRQS; i++) {
		release(&server->irqs[i]);
	}
}

uint32_t
udma_vu_irq_count(const struct udma_vu_server *server, uint32_t index)
{
	uint32_t offered = server->options.device.interrupts;

	switch (index) {
	case UDMA_VU_IRQ_INTX:
		return offered & UDMA_EMU_INTX ? 1 : 0;
	case UDMA_VU_IRQ_MSI:
		return offered & UDMA_EMU_MSI ? 1 : 0;
	case UDMA_VU_IRQ_MSIX:
		return offered & UDMA_EMU_MSIX ? 1 : 0;
	case UDMA_VU_IRQ_REQ:
		return 1;
	default:
		return 0;
	}
}

/* ---- Raising ---- */

static void
raise_irq(struct udma_vu_server *server, struct udma_vu_irq_state *irq)
{
	if (irq->masked) {
		irq->pending = true;
		return;
	}
	irq->pending = false;
	UDMA_VU_COUNT(server, interrupts, 1);
	if (irq->fd >= 0) {
		udma_vu_signal(&server->signaller, irq->fd);
	}
}

static void
unmask(struct udma_vu_server *server, struct udma_vu_irq_state *irq)
{
	irq->masked = false;
	/* A level that is still there interrupts again. */
	if (irq->pending || irq->line) {
		raise_irq(server, irq);
	}
}

void
udma_vu_irqs_unmask_signalled(struct udma_vu_server *server)
{
	struct udma_vu_irq_state *irq = &server->irqs[UDMA_VU_IRQ_INTX];

	if (udma_vu_take_signal(irq->unmask_fd)) {
		unmask(server, irq);
	}
}

void
udma_vu_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt)
{
	struct udma_vu_server *server = ctx;
	struct udma_vu_irq_state *irqs = server->irqs;

	switch (interrupt->kind) {
	case UDMA_EMU_MSIX:
		raise_irq(server, &irqs[UDMA_VU_IRQ_MSIX]);
		break;
	case UDMA_EMU_MSI:
		raise_irq(server, &irqs[UDMA_VU_IRQ_MSI]);
		break;
	case UDMA_EMU_INTX:
		irqs[UDMA_VU_IRQ_INTX].line = interrupt->level;
		irqs[UDMA_VU_IRQ_INTX].pending = false;
		if (interrupt->level) {
			raise_irq(server, &irqs[UDMA_VU_IRQ_INTX]);
		}
		break;
	}
}

/* ---- DEVICE_SET_IRQS ---- */

static bool
is_one_bit(uint32_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

/** A pipe or a file would be written to as if it were one. */
static bool
is_eventfd(int fd)
{
	char path[32], target[32];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0) {
		return false;
	}
	target[len] = '\0';
	return strcmp(target, "anon_inode:[eventfd]") == 0;
}

static int
check_fds(const struct udma_vu_irq_set *set, const struct udma_vu_message *message)
{
	if (message->fds_lost) {
		return -EINVAL;
	}
	if (message->fd_count == 0) {
		return 0;
	}
	if (!(set->flags & UDMA_VU_IRQ_DATA_EVENTFD) || message->fd_count != set->count) {
		return -EINVAL;
	}
	for (unsigned i = 0; i < message->fd_count; i++) {
		if (!is_eventfd(message->fds[i])) {
			return -EINVAL;
		}
	}
	return 0;
}

static int
check(const struct udma_vu_server *server, const struct udma_vu_irq_set *set,
      const struct udma_vu_message *message)
{
	uint32_t data = set->flags & UDMA_VU_IRQ_DATA, action = set->flags & UDMA_VU_IRQ_ACTION;
	uint32_t count;

	if (set->argsz < sizeof(*set) || set->index >= UDMA_VU_IRQS || !is_one_bit(data) ||
	    !is_one_bit(action) || (set->flags & ~(UDMA_VU_IRQ_DATA | UDMA_VU_IRQ_ACTION)) != 0) {
		return -EINVAL;
	}
	/* Switching a whole index off is right even where there is nothing to switch off. */
	if (set->count == 0) {
		return data == UDMA_VU_IRQ_DATA_NONE && action == UDMA_VU_IRQ_ACTION_TRIGGER &&
				       set->start == 0 && message->fd_count == 0
			       ? 0
			       : -EINVAL;
	}
	count = udma_vu_irq_count(server, set->index);
	if (set->start >= count || set->count > count - set->start) {
		return -EINVAL;
	}
	if (action != UDMA_VU_IRQ_ACTION_TRIGGER && set->index >= UDMA_VU_IRQ_ERR) {
		return -EINVAL;
	}
	if (data == UDMA_VU_IRQ_DATA_BOOL && message->size != sizeof(*set) + set->count) {
		return -EINVAL;
	}
	return check_fds(set, message);
}

/** Keeps the descriptor of a message, or takes away what there was. */
static void
assign(int *fd, struct udma_vu_message *message)
{
	replace_fd(fd, message->fd_count > 0 ? message->fds[0] : -1);
	if (message->fd_count > 0) {
		message->fds[0] = -1;
	}
}

/* Every index has one interrupt at the most: `start` is 0 and `count` is 1 from here on. */

static void
trigger(struct udma_vu_server *server, struct udma_vu_irq_state *irq, uint32_t data, bool value,
	struct udma_vu_message *message)
{
	if (data == UDMA_VU_IRQ_DATA_EVENTFD) {
		assign(&irq->fd, message);
		/* A level that was there before anybody listened. */
		if (irq->fd >= 0 && irq->line) {
			raise_irq(server, irq);
		}
	} else if (value) {
		raise_irq(server, irq);
	}
}

int
udma_vu_set_irqs(struct udma_vu_server *server, struct udma_vu_message *message)
{
	struct udma_vu_irq_state *irq;
	struct udma_vu_irq_set set;
	uint32_t data;
	bool value;
	int rc;

	if (message->size < sizeof(set)) {
		return -EINVAL;
	}
	memcpy(&set, message->payload, sizeof(set));
	rc = check(server, &set, message);
	if (rc != 0) {
		return rc;
	}
	irq = &server->irqs[set.index];
	if (set.count == 0) {
		release(irq);
		return 0;
	}
	data = set.flags & UDMA_VU_IRQ_DATA;
	value = data != UDMA_VU_IRQ_DATA_BOOL || message->payload[sizeof(set)] != 0;
	if (set.flags & UDMA_VU_IRQ_ACTION_TRIGGER) {
		trigger(server, irq, data, value, message);
	} else if (data == UDMA_VU_IRQ_DATA_EVENTFD) {
		/* Of the two only that for unmasking is of use: the client signals it when it has
		 * dealt with a level (section 7). */
		if ((set.flags & UDMA_VU_IRQ_ACTION_UNMASK) && set.index == UDMA_VU_IRQ_INTX) {
			assign(&irq->unmask_fd, message);
		}
	} else if (value && (set.flags & UDMA_VU_IRQ_ACTION_MASK)) {
		irq->masked = true;
	} else if (value) {
		unmask(server, irq);
	}
	return 0;
}
