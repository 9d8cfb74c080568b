/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Functions bound to a UIO driver: registers through sysfs, and physical addresses. /dev/uioN is
 * held open for what the kernel does when it is closed, also by the death of the process: it takes
 * bus mastering from the function. Each close of it does that, also another process's, so the file
 * is opened by whoever has the claim only, and nothing is mapped without it.
 */

#include "real.h"

#include "env/sysfs.h"
#include "spdk/log.h"
#include "spdk/string.h"

#include <sys/stat.h>

#define DEVICE "bus/pci/devices/%s"

/** The name of the UIO device, "uioN". \return 0; -ENOENT. */
static int
uio_name(const struct udma_pci_real *real, char *name, size_t size)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int rc = udma_sysfs_path(path, sizeof(path), DEVICE "/uio", real->name);
	DIR *dir = rc == 0 ? opendir(path) : NULL;

	rc = -ENOENT;
	while (dir != NULL && rc != 0 && (entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, "uio", 3) == 0 &&
		    isdigit((unsigned char)entry->d_name[3]) && strlen(entry->d_name) < size) {
			strcpy(name, entry->d_name);
			rc = 0;
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return rc;
}

/** Whether an IOMMU translates what the function sends, and nobody tells it how. */
static bool
is_translated(const struct udma_pci_real *real)
{
	char type[32];

	return real->iommu_group >= 0 &&
	       udma_sysfs_read(type, sizeof(type), "kernel/iommu_groups/%d/type",
			       real->iommu_group) == 0 &&
	       strncmp(type, "DMA", 3) == 0;
}

static int
resource_path(const struct udma_pci_real *real, unsigned bar, char *path, size_t size)
{
	return udma_sysfs_path(path, size, DEVICE "/resource%u", real->name, bar);
}

/** \return 0: this user may have the registers, whose file is `path`; a negative errno. */
static int
ask_access(const struct udma_pci_real *real, char *path, size_t size)
{
	int rc = resource_path(real, 0, path, size);

	return rc == 0 && faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0 ? -errno : rc;
}

bool
udma_uio_is_usable(const struct udma_pci_real *real)
{
	char path[PATH_MAX], name[32];

	return !is_translated(real) && uio_name(real, name, sizeof(name)) == 0 &&
	       ask_access(real, path, sizeof(path)) == 0;
}

/** Says why a file could not be opened. \return `rc`. */
static int
log_not_opened(const struct udma_pci_real *real, const char *path, int rc)
{
	SPDK_ERRLOG("%s: cannot open %s: %s%s\n", real->name, path, spdk_strerror(-rc),
		    rc == -EACCES || rc == -EPERM
			    ? "; UIO is for root only, vfio-pci with an IOMMU is not"
			    : "");
	return rc;
}

/**
 * Whether this user may have the registers: asked first, for whoever may not has had addresses of
 * another kind settled, and another kind would be no help.
 */
static int
check_access(const struct udma_pci_real *real)
{
	char path[PATH_MAX];
	int rc = ask_access(real, path, sizeof(path));

	return rc != 0 ? log_not_opened(real, path, rc) : 0;
}

static int
check_addresses(const struct udma_pci_real *real)
{
	if (is_translated(real)) {
		SPDK_ERRLOG("%s: an IOMMU translates what it sends, and UIO cannot tell it how: "
			    "bind it to vfio-pci, or start the kernel with iommu=pt\n",
			    real->name);
		return -ENOTSUP;
	}
	if (udma_iova_kind() != UDMA_IOVA_PA) {
		SPDK_ERRLOG("%s: over UIO it sees physical addresses, and those of this process "
			    "were settled as others at the start: set iova_mode \"pa\", or bind it "
			    "to vfio-pci\n",
			    real->name);
		return -ENOTSUP;
	}
	return 0;
}

static int
check_holder(const struct udma_pci_real *real, const char *path)
{
	pid_t holder = udma_pci_find_holder(path);
	char name[32];

	if (holder == 0) {
		return 0;
	}
	udma_pci_process_name(holder, name, sizeof(name));
	SPDK_ERRLOG("%s: process %d (%s) has %s open; end that one, or leave the device to it "
		    "(pci_blocked)\n",
		    real->name, (int)holder, name, path);
	return -EBUSY;
}

/** \return a descriptor, to be closed by udma_stay_close(); a negative errno, logged. */
static int
open_file(const struct udma_pci_real *real, const char *path)
{
	int fd = udma_stay_open(path);

	return fd >= 0 ? fd : log_not_opened(real, path, fd);
}

static void
uio_close(struct udma_pci_real *real)
{
	udma_stay_close(real->cfg_fd);
	udma_stay_close(real->fd);
	real->cfg_fd = -1;
	real->fd = -1;
}

static int
open_files(struct udma_pci_real *real)
{
	char path[PATH_MAX], name[32];
	struct stat st;
	int rc = uio_name(real, name, sizeof(name));

	if (rc != 0) {
		SPDK_ERRLOG("%s: its UIO device has gone from sysfs; bind it again\n", real->name);
		return rc;
	}
	snprintf(path, sizeof(path), "%s/%s", udma_pci_dev_dir, name);
	rc = check_holder(real, path);
	if (rc != 0) {
		return rc;
	}
	real->fd = open_file(real, path);
	if (real->fd < 0) {
		return real->fd;
	}
	rc = udma_sysfs_path(path, sizeof(path), DEVICE "/config", real->name);
	real->cfg_fd = rc == 0 ? open_file(real, path) : rc;
	if (real->cfg_fd < 0) {
		udma_stay_close(real->fd);
		return real->cfg_fd;
	}
	real->cfg_offset = 0;
	real->cfg_size = fstat(real->cfg_fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return 0;
}

static int
uio_open(struct udma_pci_real *real)
{
	int rc = check_access(real);

	if (rc == 0) {
		rc = check_addresses(real);
	}
	return rc == 0 ? open_files(real) : rc;
}

static int
uio_find_bar(struct udma_pci_real *real, unsigned bar, struct udma_pci_bar *where)
{
	char path[PATH_MAX];
	struct stat st;
	int rc = resource_path(real, bar, path, sizeof(path));

	where->fd = rc == 0 ? open_file(real, path) : rc;
	if (where->fd < 0) {
		return where->fd;
	}
	where->close_fd = true;
	if (fstat(where->fd, &st) != 0 || st.st_size <= 0) {
		SPDK_ERRLOG("%s: BAR %u has no bytes\n", real->name, bar);
		return -ENODEV;
	}
	where->size = (uint64_t)st.st_size;
	return 0;
}

static int
uio_reset(struct udma_pci_real *real)
{
	char path[PATH_MAX];
	int rc = udma_sysfs_path(path, sizeof(path), DEVICE "/reset", real->name);
	int fd = rc == 0 ? open(path, O_WRONLY | O_CLOEXEC) : rc;

	if (fd < 0) {
		return -ENOTSUP;
	}
	rc = write(fd, "1", 1) != 1 ? -errno : 0;
	close(fd);
	if (rc != 0) {
		SPDK_ERRLOG("%s: the kernel cannot reset the function: %s\n", real->name,
			    spdk_strerror(-rc));
	}
	return rc;
}

/* ---- Interrupts ---- */

#define PCI_COMMAND              0x04
#define PCI_COMMAND_INTX_DISABLE 0x0400

/** Lets INTx through, or not. uio_pci_generic stops it when it has come, by the same bit. */
static int
let_intx(struct spdk_pci_device *device, bool through)
{
	uint16_t command;
	int rc = spdk_pci_device_cfg_read16(device, &command, PCI_COMMAND);

	if (rc == 0) {
		command = (uint16_t)(through ? command & ~PCI_COMMAND_INTX_DISABLE
					     : command | PCI_COMMAND_INTX_DISABLE);
		rc = spdk_pci_device_cfg_write16(device, command, PCI_COMMAND);
	}
	if (rc != 0) {
		SPDK_ERRLOG("%s: the command register in configuration space cannot be accessed: "
			    "%s\n",
			    udma_pci_real_of(device)->name, spdk_strerror(-rc));
	}
	return rc;
}

/** There is INTx only, and it is heard of by /dev/uioN. */
static int
uio_irq_enable(struct spdk_pci_device *device, int *fds, uint32_t count)
{
	struct udma_pci_real *real = udma_pci_real_of(device);
	struct pollfd interrupt = {.fd = real->fd, .events = POLLIN};
	int rc;

	/* Without an interrupt line the kernel answers polls with an error. */
	if (poll(&interrupt, 1, 0) < 0 || (interrupt.revents & POLLERR)) {
		return -ENOTSUP;
	}
	if (count > 1) {
		return -EINVAL;
	}
	rc = let_intx(device, true);
	fds[0] = real->fd;
	return rc == 0 ? UDMA_PCI_INTX : rc;
}

static void
uio_irq_disable(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	(void)fds;
	(void)count;
	let_intx(device, false);
}

static int
uio_irq_again(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	(void)fds;
	(void)count;
	return let_intx(device, true);
}

const struct udma_pci_bus udma_pci_uio = {
	.open = uio_open,
	.close = uio_close,
	.find_bar = uio_find_bar,
	.reset = uio_reset,
	.interrupts = {.enable = uio_irq_enable,
		       .disable = uio_irq_disable,
		       .again = uio_irq_again},
	.needs_claim = true,
};
