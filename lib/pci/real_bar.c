/* SPDX-License-Identifier: BSD-3-Clause */

/* The BARs of a function of the machine that is open. */

#include "real.h"

#include "env/sysfs.h"
#include "spdk/log.h"
#include "spdk/string.h"

#define PCI_COMMAND        0x04
#define PCI_COMMAND_MEMORY 0x0002

/**
 * The function must answer to memory accesses before one is made: the kernel may end the process
 * (SIGBUS) for one to a function that does not.
 */
static int
enable_memory(struct udma_pci_real *real)
{
	uint16_t vendor, command;
	int rc = spdk_pci_device_cfg_read16(&real->device, &vendor, 0);

	if (rc == 0 && vendor == UINT16_MAX) {
		SPDK_ERRLOG("%s: configuration space reads as ones: the device is gone or asleep\n",
			    real->name);
		return -ENODEV;
	}
	if (rc == 0) {
		rc = spdk_pci_device_cfg_read16(&real->device, &command, PCI_COMMAND);
	}
	if (rc == 0 && !(command & PCI_COMMAND_MEMORY)) {
		command |= PCI_COMMAND_MEMORY;
		rc = spdk_pci_device_cfg_write16(&real->device, command, PCI_COMMAND);
	}
	if (rc != 0) {
		SPDK_ERRLOG("%s: the command register in configuration space cannot be accessed: "
			    "%s\n",
			    real->name, spdk_strerror(-rc));
	}
	return rc;
}

/** A kernel that has been locked down, as with Secure Boot, lets nobody map registers through
 * sysfs.
 */
static bool
is_locked_down(void)
{
	char text[64];

	/* "[none] integrity confidentiality", the one in force in brackets. */
	return udma_sysfs_read(text, sizeof(text), "kernel/security/lockdown") == 0 &&
	       strchr(text, '[') != NULL && strstr(text, "[none]") == NULL;
}

static void
log_not_mapped(const struct udma_pci_real *real, unsigned bar, uint64_t size, int rc)
{
	const char *why = "";

	if (rc == -EPERM && real->bus == &udma_pci_uio && is_locked_down()) {
		why = ": the kernel is locked down (/sys/kernel/security/lockdown), as it is with "
		      "Secure Boot, and that rules UIO out; bind it to vfio-pci, or switch Secure "
		      "Boot off";
	}
	SPDK_ERRLOG("%s: BAR %u of %" PRIu64 " bytes cannot be mapped: %s%s\n", real->name, bar,
		    size, spdk_strerror(-rc), why);
}

/** Maps what `where` describes. */
static int
map(struct udma_pci_real *real, unsigned bar, const struct udma_pci_bar *where)
{
	void *addr = mmap(NULL, where->size, PROT_READ | PROT_WRITE, MAP_SHARED, where->fd,
			  (off_t)where->offset);

	if (addr == MAP_FAILED) {
		int rc = -errno;

		log_not_mapped(real, bar, where->size, rc);
		return rc;
	}
	/* A mapping holds the file open as a descriptor does (stay.c). */
	madvise(addr, where->size, MADV_DONTFORK);
	real->bar[bar].addr = addr;
	real->bar[bar].size = where->size;
	return 0;
}

int
udma_pci_real_map(struct udma_pci_real *real, unsigned bar)
{
	struct udma_pci_bar where = {0};
	int rc;

	if (real->bar[bar].addr != NULL) {
		return 0;
	}
	rc = enable_memory(real);
	if (rc == 0) {
		rc = real->bus->find_bar(real, bar, &where);
	}
	if (rc == 0) {
		rc = map(real, bar, &where);
	}
	if (where.close_fd) {
		udma_stay_close(where.fd);
	}
	return rc;
}

void
udma_pci_real_unmap(struct udma_pci_real *real, unsigned bar)
{
	/* A child of fork() has other things there, if any. */
	if (real->bar[bar].addr != NULL && real->process == getpid()) {
		munmap(real->bar[bar].addr, real->bar[bar].size);
	}
	real->bar[bar].addr = NULL;
}

/* A line of the file for each BAR. */
uint64_t
udma_pci_real_bar_address(const struct udma_pci_real *real, unsigned bar)
{
	uint64_t first = 0, last, flags;
	char text[1024], *line = text;

	if (udma_sysfs_read(text, sizeof(text), "bus/pci/devices/%s/resource", real->name) != 0) {
		return 0;
	}
	while (bar-- > 0 && line != NULL) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	if (line == NULL ||
	    sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64, &first, &last, &flags) != 3) {
		return 0;
	}
	return first;
}
