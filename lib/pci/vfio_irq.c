/* SPDX-License-Identifier: BSD-3-Clause */

/* What a function bound to vfio-pci tells by eventfds: interrupts, and that it is wanted back. */

#include "real.h"

#include "spdk/log.h"
#include "spdk/string.h"
#include "spdk/util.h"

#include <linux/vfio.h>

/* VFIO has as many vectors as the function; interrupt.c asks for no more than these. */
#define VECTORS_MAX 32

/* In the order of preference. */
static const struct {
	unsigned index;
	enum udma_pci_interrupt_kind kind;
	const char *name;
} g_ways[] = {
	{VFIO_PCI_MSIX_IRQ_INDEX, UDMA_PCI_MSIX, "MSI-X"},
	{VFIO_PCI_MSI_IRQ_INDEX, UDMA_PCI_MSI, "MSI"},
	{VFIO_PCI_INTX_IRQ_INDEX, UDMA_PCI_INTX, "INTx"},
};

/** \return how many interrupts of an index can signal eventfds. */
static uint32_t
offered(const struct udma_pci_real *real, unsigned index)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};

	if (ioctl(real->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) != 0 ||
	    !(info.flags & VFIO_IRQ_INFO_EVENTFD)) {
		return 0;
	}
	return info.count;
}

/** \param fds of the `count` first; NULL: `action` on them, without data. */
static int
set_irqs(const struct udma_pci_real *real, unsigned index, uint32_t action, const int *fds,
	 uint32_t count)
{
	uint32_t buffer[sizeof(struct vfio_irq_set) / sizeof(uint32_t) + VECTORS_MAX];
	struct vfio_irq_set *set = (struct vfio_irq_set *)buffer;

	*set = (struct vfio_irq_set){
		.argsz = sizeof(*set) + (uint32_t)(fds != NULL ? count * sizeof(*fds) : 0),
		.flags =
			action | (fds != NULL ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE),
		.index = index,
		.count = count,
	};
	if (fds != NULL) {
		memcpy(set->data, fds, count * sizeof(*fds));
	}
	return ioctl(real->fd, VFIO_DEVICE_SET_IRQS, set) == 0 ? 0 : -errno;
}

int
udma_vfio_irq_enable(struct spdk_pci_device *device, int *fds, uint32_t count)
{
	struct udma_pci_real *real = udma_pci_real_of(device);
	int rc = udma_pci_make_eventfds(fds, count), result = -ENOTSUP;

	if (rc != 0) {
		return rc;
	}
	for (unsigned i = 0; i < SPDK_COUNTOF(g_ways); i++) {
		uint32_t vectors = offered(real, g_ways[i].index);

		if (vectors < count) {
			result = vectors > 0 ? -EINVAL : result;
			continue;
		}
		rc = set_irqs(real, g_ways[i].index, VFIO_IRQ_SET_ACTION_TRIGGER, fds, count);
		if (rc == 0) {
			real->irq_index = (int)g_ways[i].index;
			return g_ways[i].kind;
		}
		SPDK_WARNLOG("%s: VFIO gives no %s: %s\n", real->name, g_ways[i].name,
			     spdk_strerror(-rc));
		result = rc;
	}
	udma_pci_close_eventfds(fds, count);
	return result;
}

void
udma_vfio_irq_disable(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	struct udma_pci_real *real = udma_pci_real_of(device);
	int rc = set_irqs(real, (unsigned)real->irq_index, VFIO_IRQ_SET_ACTION_TRIGGER, NULL, 0);

	if (rc != 0) {
		SPDK_WARNLOG("%s: VFIO does not take the interrupts back: %s\n", real->name,
			     spdk_strerror(-rc));
	}
	udma_pci_close_eventfds(fds, count);
}

int
udma_vfio_irq_again(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	struct udma_pci_real *real = udma_pci_real_of(device);

	if (real->irq_index == VFIO_PCI_INTX_IRQ_INDEX) {
		return set_irqs(real, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_UNMASK, NULL, 1);
	}
	/* The kernel writes the message into the function's table again. */
	return set_irqs(real, (unsigned)real->irq_index, VFIO_IRQ_SET_ACTION_TRIGGER, fds, count);
}

void
udma_vfio_hear_requests(struct udma_pci_real *real)
{
	int fd = -1;

	if (offered(real, VFIO_PCI_REQ_IRQ_INDEX) == 0 || udma_pci_make_eventfds(&fd, 1) != 0) {
		return;
	}
	if (set_irqs(real, VFIO_PCI_REQ_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, &fd, 1) != 0) {
		close(fd);
		return;
	}
	real->request_fd = fd;
}
