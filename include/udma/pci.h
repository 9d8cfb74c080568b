/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The I/OAT functions of the machine, whoever drives them.
 *
 * spdk_pci_enumerate() offers what a program can have; this lists what there is, also what the
 * kernel's driver holds, from sysfs. Emulated functions are not in sysfs and so not here.
 */

#ifndef UDMA_PCI_H
#define UDMA_PCI_H

#include "spdk/env.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** What sysfs says of one function. */
struct udma_pci_function {
	struct spdk_pci_addr addr;
	struct spdk_pci_id id;
	/** The kernel driver bound to it, "" for none. */
	char driver[64];
	/** SPDK_ENV_NUMA_ID_ANY if it is not known. */
	int numa_id;
	/** The IOMMU group, -1 for none. */
	int iommu_group;
	/**
	 * Whether its driver leaves it to user space (vfio-pci, or one of UIO), so that
	 * spdk_pci_enumerate() offers it.
	 */
	bool usable;
	/**
	 * The process that has claimed it (spdk_pci_device_claim()), 0 for none, a negative errno
	 * if it cannot be told.
	 */
	pid_t holder;
};

/**
 * Visits each I/OAT function in sysfs, in the order of addresses.
 *
 * \param fn returns 0 to go on; anything else ends the visit and is returned.
 * \return 0; what `fn` returned; a negative errno if sysfs cannot be read (-ENOENT: there is none).
 */
int udma_pci_scan(int (*fn)(void *ctx, const struct udma_pci_function *function), void *ctx);

/**
 * \return the process that has claimed the function at an address: 0 for none, a negative errno if
 * it cannot be told.
 */
pid_t udma_pci_claim_holder(const struct spdk_pci_addr *addr);

/**
 * Resets a function by itself, as its registers cannot (function-level reset, or what the kernel
 * has in its place). Nothing else may be using it. Configuration space comes back as it was.
 *
 * \return 0; -ENOTSUP if there is no such reset, as for emulated and hooked devices; a negative
 * errno, logged.
 */
int udma_pci_device_reset(struct spdk_pci_device *dev);

/**
 * \return the name of the part that an I/OAT device id belongs to ("Skylake-SP"); NULL if it is
 * none (section 1.1 of the hardware reference).
 */
const char *udma_pci_generation(uint16_t device_id);

/** How an interrupt travels (section 10 of the hardware reference). */
enum udma_pci_interrupt_kind {
	UDMA_PCI_MSIX = 1,
	UDMA_PCI_MSI = 2,
	UDMA_PCI_INTX = 3, /**< A level: masked when it has come, until `again`. */
};

/** The way in which a device interrupts. Called by whoever uses the device, one at a time. */
struct udma_pci_interrupt_ops {
	/**
	 * Lets vectors 0 to count - 1 interrupt.
	 *
	 * \param fds set to a descriptor for each, which becomes readable when it has; one that
	 * signals an eventfd must go on to do so if nobody reads it.
	 * \return an enum udma_pci_interrupt_kind; -EINVAL if there are not so many; -ENOTSUP.
	 */
	int (*enable)(struct spdk_pci_device *dev, int *fds, uint32_t count);
	/** Ends that, and closes the descriptors. */
	void (*disable)(struct spdk_pci_device *dev, const int *fds, uint32_t count);
	/**
	 * After an INTx, or a reset that may have taken the vectors from the device: lets them
	 * interrupt as before. May be NULL if there is nothing to do.
	 *
	 * \return 0; a negative errno.
	 */
	int (*again)(struct spdk_pci_device *dev, const int *fds, uint32_t count);
};

/**
 * Tells how a device of the program's own interrupts, for spdk_pci_device_enable_interrupt() and
 * udma_ioat_wait(). Called behind spdk_pci_hook_device(); undone by spdk_pci_unhook_device().
 *
 * \param ops kept, not copied.
 * \return 0; -EEXIST if that has been told; -EINVAL; -ENOMEM.
 */
int udma_pci_hook_interrupts(struct spdk_pci_device *dev, const struct udma_pci_interrupt_ops *ops);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
