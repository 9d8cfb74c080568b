/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Functions of the machine that a user-space driver can have: found in sysfs, opened when they are
 * first touched, through the bus that the kernel driver bound to them makes the way.
 */

#ifndef UDMA_PCI_REAL_H
#define UDMA_PCI_REAL_H

#include "env/iova.h"
#include "pci_internal.h"
#include "udma/pci.h"

#define UDMA_PCI_BARS 6

struct udma_pci_real;

/** Where a BAR is. */
struct udma_pci_bar {
	int fd; /* to be mapped; of its own, for udma_stay_close(), if `close_fd` */
	bool close_fd;
	uint64_t offset;
	uint64_t size;
};

/** A way to reach functions. Its functions return 0 or a negative errno, logged. */
struct udma_pci_bus {
	/** Takes the function: sets `fd` and the `cfg_…` fields. */
	int (*open)(struct udma_pci_real *real);
	void (*close)(struct udma_pci_real *real);
	int (*find_bar)(struct udma_pci_real *real, unsigned bar, struct udma_pci_bar *where);
	/** Resets the function. \return -ENOTSUP, without a word, if it cannot be. */
	int (*reset)(struct udma_pci_real *real);
	/** Whether open() needs the claim, because the kernel would let another process in. */
	bool needs_claim;
	/** As in udma/pci.h; the function is open. */
	struct udma_pci_interrupt_ops interrupts;
};

/** One function. */
struct udma_pci_real {
	struct spdk_pci_device device;
	const struct udma_pci_bus *bus;
	char name[UDMA_PCI_ADDR_LEN]; /* its address, as sysfs has it */
	char driver[64];
	int iommu_group;
	bool is_open;
	pid_t process; /* that has opened it: not a child of fork() */
	bool claimed;  /* by open(), not by the program */
	bool found;    /* by the last look at sysfs */
	int fd;
	int cfg_fd; /* configuration space: a range of a file */
	uint64_t cfg_offset;
	uint64_t cfg_size;
	struct udma_vfio_group *group; /* of VFIO */
	int request_fd; /* of VFIO: the kernel asks for the function; -1: it cannot */
	int irq_index;  /* of VFIO, while interrupts are on */
	struct {
		void *addr;
		uint64_t size;
	} bar[UDMA_PCI_BARS];
	LIST_ENTRY(udma_pci_real) link;
};

extern const struct udma_pci_bus udma_pci_vfio;
extern const struct udma_pci_bus udma_pci_uio;

/** "/dev"; tests put a tree of their own here. */
extern const char *udma_pci_dev_dir;

/** The function behind a device that is one of the machine's. */
static inline struct udma_pci_real *
udma_pci_real_of(struct spdk_pci_device *device)
{
	return (struct udma_pci_real *)((char *)device - offsetof(struct udma_pci_real, device));
}

/* real_bar.c */

/** Maps a BAR of a function that is open, unless it is mapped. \return 0; a negative errno, logged.
 */
int udma_pci_real_map(struct udma_pci_real *real, unsigned bar);
/** Does nothing for one that is not mapped. */
void udma_pci_real_unmap(struct udma_pci_real *real, unsigned bar);
/** The physical address of a BAR. \return 0 if it is not known. */
uint64_t udma_pci_real_bar_address(const struct udma_pci_real *real, unsigned bar);

/* stay.c: descriptors that a child of fork() does not get. What it has under their numbers is of no
 * use, and may be closed as they are. */

/** Opens a file to read and write. \return a descriptor; a negative errno. */
int udma_stay_open(const char *path);
/** For what open() does not open: nobody forks from here to udma_stay_end(). */
void udma_stay_begin(void);
/** \param fd what has been opened, or a negative errno. \return that; a negative errno. */
int udma_stay_end(int fd);
void udma_stay_close(int fd);

/* vfio_irq.c */

/** Asks the kernel to tell when it wants the function back. */
void udma_vfio_hear_requests(struct udma_pci_real *real);
int udma_vfio_irq_enable(struct spdk_pci_device *device, int *fds, uint32_t count);
void udma_vfio_irq_disable(struct spdk_pci_device *device, const int *fds, uint32_t count);
int udma_vfio_irq_again(struct spdk_pci_device *device, const int *fds, uint32_t count);

/* vfio_container.c */

/** A group that is open, in the container that all groups of the process share. */
struct udma_vfio_group {
	int number;
	int fd;
	bool no_iommu;
	unsigned users;
	LIST_ENTRY(udma_vfio_group) link;
};

/** Opens the group of a function, or uses it once more; its domain has all regions then. */
int udma_vfio_group_get(const struct udma_pci_real *real, struct udma_vfio_group **group);
void udma_vfio_group_put(struct udma_vfio_group *group);

/**
 * Asks what the IOMMU of some groups can map, and lets go of them again. Those that cannot be
 * opened, now or in a moment, are left out, without a word.
 */
void udma_vfio_ask(const int *groups, unsigned count, struct udma_pci_reach *reach);

/* uio.c */

/** Whether this process could open a function that is bound to a UIO driver. */
bool udma_uio_is_usable(const struct udma_pci_real *real);

#endif
