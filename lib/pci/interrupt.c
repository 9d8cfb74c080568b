/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Interrupts, as SPDK's calls and the driver have them: who can interrupt is in a list, with the
 * way of its bus, beside what is switched on.
 *
 * The lock covers the list only. What is in an entry belongs to whoever uses the device.
 */

#include <sys/eventfd.h>

#include "pci_internal.h"
#include "spdk/log.h"
#include "udma/pci.h"

/* An I/OAT function has one vector (section 16, point 19). */
#define VECTORS_MAX 32

struct entry {
	struct spdk_pci_device *dev;
	const struct udma_pci_interrupt_ops *ops;
	uint32_t count; /* of vectors that are on; 0: none */
	pid_t process;  /* that has switched them on */
	int fds[VECTORS_MAX];
	LIST_ENTRY(entry) link;
};

static LIST_HEAD(, entry) g_entries = LIST_HEAD_INITIALIZER(g_entries);
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;

static struct entry *
find(const struct spdk_pci_device *dev)
{
	struct entry *entry;

	pthread_mutex_lock(&g_lock);
	LIST_FOREACH (entry, &g_entries, link) {
		if (entry->dev == dev) {
			break;
		}
	}
	pthread_mutex_unlock(&g_lock);
	return entry;
}

int
udma_pci_hook_interrupts(struct spdk_pci_device *dev, const struct udma_pci_interrupt_ops *ops)
{
	struct entry *entry;

	if (dev == NULL || ops == NULL || ops->enable == NULL || ops->disable == NULL) {
		SPDK_ERRLOG("cannot hook the interrupts of a PCI device: the device or one of its "
			    "functions is NULL; give them all\n");
		return -EINVAL;
	}
	if (find(dev) != NULL) {
		return -EEXIST;
	}
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL) {
		return -ENOMEM;
	}
	entry->dev = dev;
	entry->ops = ops;
	pthread_mutex_lock(&g_lock);
	LIST_INSERT_HEAD(&g_entries, entry, link);
	pthread_mutex_unlock(&g_lock);
	return 0;
}

static void
switch_off(struct entry *entry)
{
	/* To a child of fork() they do not belong; what it has open of them, its end closes. */
	if (entry->count > 0 && entry->process == getpid()) {
		entry->ops->disable(entry->dev, entry->fds, entry->count);
	}
	entry->count = 0;
}

void
udma_pci_interrupts_off(struct spdk_pci_device *dev)
{
	struct entry *entry = find(dev);

	if (entry != NULL) {
		switch_off(entry);
	}
}

void
udma_pci_interrupts_forget(struct spdk_pci_device *dev)
{
	struct entry *entry = find(dev);

	if (entry != NULL) {
		switch_off(entry);
		pthread_mutex_lock(&g_lock);
		LIST_REMOVE(entry, link);
		pthread_mutex_unlock(&g_lock);
		free(entry);
	}
}

int
udma_pci_interrupts_on(struct spdk_pci_device *dev, uint32_t count)
{
	struct entry *entry = find(dev);
	int rc;

	if (entry == NULL) {
		return -ENOTSUP;
	}
	if (count == 0 || count > VECTORS_MAX) {
		return -EINVAL;
	}
	if (entry->count > 0) {
		return -EBUSY;
	}
	rc = entry->ops->enable(dev, entry->fds, count);
	if (rc > 0) {
		entry->process = getpid();
		entry->count = count;
	}
	return rc;
}

int
udma_pci_interrupt_fd(struct spdk_pci_device *dev, uint32_t index)
{
	const struct entry *entry = find(dev);

	if (entry == NULL) {
		return -ENOTSUP;
	}
	return index < entry->count ? entry->fds[index] : -EINVAL;
}

int
udma_pci_interrupts_again(struct spdk_pci_device *dev)
{
	struct entry *entry = find(dev);

	if (entry == NULL || entry->count == 0) {
		return -EINVAL;
	}
	return entry->ops->again != NULL ? entry->ops->again(dev, entry->fds, entry->count) : 0;
}

int
udma_pci_make_eventfds(int *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fds[i] < 0) {
			int rc = -errno;

			SPDK_ERRLOG("no eventfd for an interrupt: %s\n", strerror(-rc));
			udma_pci_close_eventfds(fds, i);
			return rc;
		}
	}
	return 0;
}

void
udma_pci_close_eventfds(const int *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		close(fds[i]);
	}
}

/* ---- SPDK's calls ---- */

/** One log line for what has failed. \return `rc`. */
static int
complain(const struct spdk_pci_device *dev, int rc, const char *tried)
{
	char text[UDMA_PCI_ADDR_LEN] = "no device";
	const char *why = strerror(-rc);

	if (dev != NULL) {
		spdk_pci_addr_fmt(text, sizeof(text), &dev->addr);
	}
	if (rc == -ENOTSUP) {
		why = "the device has no interrupts here; poll it";
	} else if (rc == -EBUSY) {
		why = "they are on already; disable them first";
	} else if (rc == -EINVAL) {
		why = "there is no such interrupt, or it is not enabled";
	}
	SPDK_ERRLOG("%s: cannot %s: %s\n", text, tried, why);
	return rc;
}

int
spdk_pci_device_enable_interrupts(struct spdk_pci_device *dev, uint32_t efd_count)
{
	int rc = udma_pci_interrupts_on(dev, efd_count);

	return rc < 0 ? complain(dev, rc, "enable interrupts") : 0;
}

int
spdk_pci_device_enable_interrupt(struct spdk_pci_device *dev)
{
	int rc = udma_pci_interrupts_on(dev, 1);

	if (rc == -EBUSY) {
		rc = udma_pci_interrupts_again(dev);
	}
	return rc < 0 ? complain(dev, rc, "enable an interrupt") : 0;
}

int
spdk_pci_device_disable_interrupts(struct spdk_pci_device *dev)
{
	if (find(dev) == NULL) {
		return complain(dev, -ENOTSUP, "disable interrupts");
	}
	udma_pci_interrupts_off(dev);
	return 0;
}

int
spdk_pci_device_disable_interrupt(struct spdk_pci_device *dev)
{
	return spdk_pci_device_disable_interrupts(dev);
}

int
spdk_pci_device_get_interrupt_efd_by_index(struct spdk_pci_device *dev, uint32_t index)
{
	int rc = udma_pci_interrupt_fd(dev, index);

	return rc < 0 ? complain(dev, rc, "give an interrupt's descriptor") : rc;
}

int
spdk_pci_device_get_interrupt_efd(struct spdk_pci_device *dev)
{
	return spdk_pci_device_get_interrupt_efd_by_index(dev, 0);
}
