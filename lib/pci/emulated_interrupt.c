/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Interrupts of the emulated functions: MSI-X, for the status register of INTx and MSI clears on
 * read, which the host of a polled BAR does not hear. The host has the table: the one in the BAR
 * is memory that nobody looks at.
 */

#include "emulated.h"

#include "pci_internal.h"
#include "spdk/string.h"
#include "spdk/util.h"
#include "udma/pci.h"

/* Section 2: the capability's control word. */
#define MSIX_CONTROL        0x82
#define MSIX_CONTROL_ENABLE 0x8000

static struct udma_emulated *
function_of(struct spdk_pci_device *device)
{
	return SPDK_CONTAINEROF(device, struct udma_emulated, device);
}

void
udma_emulated_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt)
{
	const struct udma_emulated *function = ctx;
	int fd = __atomic_load_n(&function->interrupt_fd, __ATOMIC_ACQUIRE);
	uint64_t one = 1;

	(void)interrupt;
	if (fd >= 0 && write(fd, &one, sizeof(one)) != sizeof(one)) {
		/* The counter is full, and so readable. */
	}
}

static int
set_msix(struct spdk_pci_device *device, bool on)
{
	uint16_t control;
	int rc = spdk_pci_device_cfg_read16(device, &control, MSIX_CONTROL);

	if (rc == 0) {
		control = (uint16_t)(on ? control | MSIX_CONTROL_ENABLE
					: control & ~MSIX_CONTROL_ENABLE);
		rc = spdk_pci_device_cfg_write16(device, control, MSIX_CONTROL);
	}
	return rc;
}

static int
enable(struct spdk_pci_device *device, int *fds, uint32_t count)
{
	struct udma_emulated *function = function_of(device);
	int rc;

	if (count > 1) {
		return -EINVAL;
	}
	rc = udma_pci_make_eventfds(fds, 1);
	if (rc != 0) {
		return rc;
	}
	rc = set_msix(device, true);
	if (rc != 0) {
		udma_pci_close_eventfds(fds, 1);
		return rc;
	}
	__atomic_store_n(&function->interrupt_fd, fds[0], __ATOMIC_RELEASE);
	return UDMA_PCI_MSIX;
}

static void
disable(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	__atomic_store_n(&function_of(device)->interrupt_fd, -1, __ATOMIC_RELEASE);
	set_msix(device, false);
	/* No interrupt is on its way any more once the models were ours. */
	udma_emulated_unlock(udma_emulated_lock(device));
	udma_pci_close_eventfds(fds, count);
}

/** After a reset of the whole function. */
static int
again(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	(void)fds;
	(void)count;
	return set_msix(device, true);
}

const struct udma_pci_interrupt_ops udma_emulated_interrupts = {
	.enable = enable,
	.disable = disable,
	.again = again,
};
