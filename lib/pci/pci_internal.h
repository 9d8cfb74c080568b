/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the files of this room tell each other, and how the environment starts and ends it.
 */

#ifndef UDMA_PCI_INTERNAL_H
#define UDMA_PCI_INTERNAL_H

#include "env/iova.h"
#include "spdk/env.h"
#include "udma/fault.h"

/* address.c */

/** Long enough for any address as text. */
#define UDMA_PCI_ADDR_LEN 32

/** As spdk_pci_addr_parse(), of `len` characters, and without a log line. */
int udma_pci_addr_parse(struct spdk_pci_addr *addr, const char *text, size_t len);

/* ids.c */

/** The I/OAT functions that the driver serves, ended by an entry of zeroes. */
extern struct spdk_pci_id udma_pci_ioat_ids[];

/* claim.c */

/** Where the lock files are: "/var/tmp", as SPDK has them. Tests use a directory of their own. */
extern const char *udma_pci_claim_dir;

/* event.c */

/** Reads one message of the kernel. \return 1 and an event of a UIO or VFIO device; 0 if it is
 * none. */
int udma_pci_event_parse(const char *message, size_t len, struct spdk_pci_event *event);

/** Tells spdk_pci_get_event() of a device that the kernel knows nothing of. From any thread. */
void udma_pci_event_push(const struct spdk_pci_event *event);
/** Forgets those that nobody has read. */
void udma_pci_event_forget(void);

/* interrupt.c. Without a log line, unless the bus has one. */

/**
 * Switches vectors on, as spdk_pci_device_enable_interrupts().
 *
 * \return an enum udma_pci_interrupt_kind; -ENOTSUP if the device has none; -EBUSY if they are on.
 */
int udma_pci_interrupts_on(struct spdk_pci_device *dev, uint32_t count);
/** Switches them off, if they are on; their descriptors are gone. */
void udma_pci_interrupts_off(struct spdk_pci_device *dev);
/** Sees to it that the next one comes: see `again` of struct udma_pci_interrupt_ops. */
int udma_pci_interrupts_again(struct spdk_pci_device *dev);
/** \return the descriptor of a vector that is on; a negative errno. */
int udma_pci_interrupt_fd(struct spdk_pci_device *dev, uint32_t index);
/** Undoes udma_pci_hook_interrupts(). Does nothing for a device without. */
void udma_pci_interrupts_forget(struct spdk_pci_device *dev);
/** For a bus that signals eventfds. \return 0; a negative errno, logged. */
int udma_pci_make_eventfds(int *fds, uint32_t count);
void udma_pci_close_eventfds(const int *fds, uint32_t count);

/* registry.c */

/** What the functions of the machine that can be had ask of the address space. */
struct udma_pci_reach {
	bool physical;                  /* no IOMMU stands before one of them */
	struct udma_iova_ranges ranges; /* that the IOMMUs before the others can all map */
};

/** Takes over the allow and block lists (copied), and looks for functions. Before memory. */
int udma_pci_init(const struct spdk_env_opts *opts, struct udma_pci_reach *reach);
/** Detaches what is attached, with a log line each, and forgets functions and lists. Hooked devices
 * stay hooked. */
void udma_pci_fini(void);

/* scan.c */

#define UDMA_PCI_VFIO_DRIVER "vfio-pci"

/* real.c */

/** \param enabled false: functions of the machine are left alone. */
void udma_pci_real_init(bool enabled, struct udma_pci_reach *reach);
/** Forgets the functions, which must have been detached. */
void udma_pci_real_fini(void);
/** Looks again: hooks what has been bound to a driver for user space, and forgets what has not. */
void udma_pci_real_find(void);
/** Lets go of a function of the machine. Does nothing for another device, or none at all. */
void udma_pci_real_close(struct spdk_pci_device *device);
/** Whether the kernel has asked for a function of the machine that is open. */
bool udma_pci_real_is_wanted_back(struct spdk_pci_device *device);
/** \return a descriptor that becomes readable when the kernel asks for it; -ENOTSUP. */
int udma_pci_removal_fd(struct spdk_pci_device *device);

/* holder.c */

/** Where processes are: "/proc", or a directory that stands in for it. */
extern const char *udma_pci_proc_dir;
/** Finds another process that has a file open. \return 0 if none is seen. */
pid_t udma_pci_find_holder(const char *path);
/** The name of a process, safe to print; "?" if it is not known. */
void udma_pci_process_name(pid_t pid, char *name, size_t size);

/** Whether this process is in the namespace of a kind ("pid", "user") that has a number. */
bool udma_pci_is_in_namespace(const char *kind, ino_t number);

/* locker.c */

/**
 * Finds who has a POSIX lock on a file, by what stat() says of it: that takes no right to open it.
 *
 * \return 0 for nobody; -EACCES if the kernel does not let this process know.
 */
pid_t udma_pci_find_locker(const struct stat *file);

/* lists.c */

/** Takes over the allow and block lists (copied). \return 0; -EINVAL if both are given; -ENOMEM. */
int udma_pci_lists_init(const struct spdk_env_opts *opts);
/** Forgets the lists, and what spdk_pci_device_allow() has added. */
void udma_pci_lists_fini(void);
/** Whether the allow and block lists let an address be offered. */
bool udma_pci_is_allowed(const struct spdk_pci_addr *addr);

/* emulated_options.c, emulated.c: the in-process host of lib/emu */

/** What UDMA_EMULATE asks for. */
struct udma_emulated_config {
	unsigned count;     /* channels; 0 for none */
	unsigned iova_bits; /* width of the emulated IOMMU; 64 unless asked otherwise */
	uint8_t xfercap;    /* log2 of the largest transfer */
	char generation[8]; /* as for udma_emu_device_id() */
	struct udma_fault faults[UDMA_FAULTS_MAX];
	unsigned fault_count;
};

/** Reads a value of UDMA_EMULATE; NULL asks for none. \return 0; -EINVAL, logged. */
int udma_emulated_parse(const char *text, struct udma_emulated_config *config);
/** Makes the emulated functions appear. Memory registration must work already. */
int udma_emulated_init(const struct udma_emulated_config *config);
/** Takes them away again. They must have been detached. */
void udma_emulated_fini(void);

#endif
