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
enable(struct spdk_pci_device *device, int *fds, uint32_t count)
{
	struct udma_emulated *function = function_of(device);
	uint16_t control;
	int rc;

	if (count > 1) {
		return -EINVAL;
	}
	rc = udma_pci_make_eventfds(fds, 1);
	if (rc != 0) {
		return rc;
	}
	__atomic_store_n(&function->interrupt_fd, fds[0], __ATOMIC_RELEASE);
	spdk_pci_device_cfg_read16(device, &control, MSIX_CONTROL);
	spdk_pci_device_cfg_write16(device, control | MSIX_CONTROL_ENABLE, MSIX_CONTROL);
	return UDMA_PCI_MSIX;
}

static void
disable(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	struct udma_emulated *function = function_of(device);
	uint16_t control;

	__atomic_store_n(&function->interrupt_fd, -1, __ATOMIC_RELEASE);
	/* The access takes the model's lock: no interrupt is on its way afterwards. */
	spdk_pci_device_cfg_read16(device, &control, MSIX_CONTROL);
	control &= (uint16_t)~MSIX_CONTROL_ENABLE;
	spdk_pci_device_cfg_write16(device, control, MSIX_CONTROL);
	udma_pci_close_eventfds(fds, count);
}

const struct udma_pci_interrupt_ops udma_emulated_interrupts = {
	.enable = enable,
	.disable = disable,
};

uint32_t
udma_emulated_tell_time(struct udma_emulated *function)
{
	uint64_t per_us = spdk_get_ticks_hz() / 1000000;
	uint64_t now = spdk_get_ticks(), passed = (now - function->told) / per_us;

	if (udma_emu_interrupt_due(function->emu) == UINT32_MAX) {
		function->told = now;
		return UINT32_MAX;
	}
	if (passed > 0) {
		udma_emu_elapse(function->emu, (uint32_t)spdk_min(passed, UINT32_MAX));
		function->told += passed * per_us;
	}
	return udma_emu_interrupt_due(function->emu);
}
