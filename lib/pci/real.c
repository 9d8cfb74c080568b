/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The machine's I/OAT functions as PCI devices. One that is bound to a driver for user space is
 * hooked, and opened when it is first touched: a program that only looks at its address and ids,
 * and leaves it, takes it from nobody.
 */

#include "real.h"

#include "spdk/log.h"
#include "spdk/string.h"
#include "spdk/util.h"
#include "udma/pci.h"

const char *udma_pci_dev_dir = "/dev";

static LIST_HEAD(, udma_pci_real) g_functions = LIST_HEAD_INITIALIZER(g_functions);
static bool g_enabled;
/* Held to change the list, and to open or close a function: those share groups and containers. */
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- Open and closed -------------------------------------------------------------------- */

/** Keeps other processes out, SPDK's too. */
static int
claim(struct udma_pci_real *real)
{
	bool claimed_before = udma_pci_claim_holder(&real->device.addr) == getpid();
	int rc = spdk_pci_device_claim(&real->device);

	if (rc != 0 && rc != -EACCES && !real->bus->needs_claim) {
		SPDK_NOTICELOG("%s: going on without the claim: the kernel lets no other process "
			       "in\n",
			       real->name);
		return 0;
	}
	real->claimed = rc == 0 && !claimed_before;
	return rc;
}

static void
unclaim(struct udma_pci_real *real)
{
	if (real->claimed) {
		spdk_pci_device_unclaim(&real->device);
		real->claimed = false;
	}
}

/** With the lock. */
static int
open_locked(struct udma_pci_real *real)
{
	int rc;

	if (real->is_open && real->process != getpid()) {
		SPDK_ERRLOG(
			"%s: it is the parent's, process %d; a child of fork() has it no more\n",
			real->name, (int)real->process);
		return -EPERM;
	}
	if (real->is_open) {
		return 0;
	}
	rc = claim(real);
	if (rc == 0) {
		rc = real->bus->open(real);
		if (rc != 0) {
			unclaim(real);
		}
	}
	real->is_open = rc == 0;
	real->process = getpid();
	return rc;
}

static int
open_function(struct udma_pci_real *real)
{
	int rc;

	pthread_mutex_lock(&g_lock);
	rc = open_locked(real);
	pthread_mutex_unlock(&g_lock);
	return rc;
}

/* The claim goes last: whoever gets it finds the function closed. */
static void
close_function(struct udma_pci_real *real)
{
	pthread_mutex_lock(&g_lock);
	if (real->is_open) {
		for (unsigned bar = 0; bar < UDMA_PCI_BARS; bar++) {
			udma_pci_real_unmap(real, bar);
		}
		real->bus->close(real);
		real->is_open = false;
		/* The kernel has what it may have asked for. */
		__atomic_store_n(&real->device.internal.pending_removal, false, __ATOMIC_RELAXED);
		unclaim(real);
	}
	pthread_mutex_unlock(&g_lock);
}

/* ---- As a PCI device -------------------------------------------------------------------- */

/** Reads or writes configuration space. \return 0; a negative errno, which the caller explains. */
static int
access_cfg(struct udma_pci_real *real, void *value, uint32_t len, uint32_t offset, bool write)
{
	int rc = open_function(real);
	uint64_t at;
	ssize_t n;

	if (rc != 0) {
		return rc;
	}
	if (offset > real->cfg_size || len > real->cfg_size - offset) {
		return -ENXIO;
	}
	at = real->cfg_offset + offset;
	n = write ? pwrite(real->cfg_fd, value, len, (off_t)at)
		  : pread(real->cfg_fd, value, len, (off_t)at);
	if (n < 0) {
		return -errno;
	}
	return (size_t)n == len ? 0 : -EIO;
}

static int
cfg_read(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	return access_cfg(udma_pci_real_of(device), value, len, offset, false);
}

static int
cfg_write(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	return access_cfg(udma_pci_real_of(device), value, len, offset, true);
}

static int
map_bar(struct spdk_pci_device *device, uint32_t bar, void **mapped_addr, uint64_t *phys_addr,
	uint64_t *size)
{
	struct udma_pci_real *real = udma_pci_real_of(device);
	int rc = open_function(real);

	if (rc == 0) {
		rc = udma_pci_real_map(real, bar);
	}
	if (rc == 0) {
		*mapped_addr = real->bar[bar].addr;
		*size = real->bar[bar].size;
		*phys_addr = udma_pci_real_bar_address(real, bar);
	}
	return rc;
}

static int
unmap_bar(struct spdk_pci_device *device, uint32_t bar, void *addr)
{
	struct udma_pci_real *real = udma_pci_real_of(device);

	if (addr == NULL || addr != real->bar[bar].addr) {
		SPDK_ERRLOG("%s: BAR %u is not mapped at %p\n", real->name, bar, addr);
		return -EINVAL;
	}
	udma_pci_real_unmap(real, bar);
	return 0;
}

/** \return the function behind a device; NULL if it is none of ours. */
static struct udma_pci_real *
find_real(const struct spdk_pci_device *device)
{
	struct udma_pci_real *real;

	pthread_mutex_lock(&g_lock);
	LIST_FOREACH (real, &g_functions, link) {
		if (&real->device == device) {
			break;
		}
	}
	pthread_mutex_unlock(&g_lock);
	return real;
}

void
udma_pci_real_close(struct spdk_pci_device *device)
{
	struct udma_pci_real *real = find_real(device);

	if (real != NULL) {
		close_function(real);
	}
}

int
udma_pci_removal_fd(struct spdk_pci_device *device)
{
	struct udma_pci_real *real = find_real(device);

	return real != NULL && real->is_open && real->request_fd >= 0 ? real->request_fd : -ENOTSUP;
}

bool
udma_pci_real_is_wanted_back(struct spdk_pci_device *device)
{
	struct pollfd request = {.fd = udma_pci_removal_fd(device), .events = POLLIN};

	return request.fd >= 0 && poll(&request, 1, 0) == 1;
}

int
udma_pci_device_reset(struct spdk_pci_device *device)
{
	struct udma_pci_real *real = find_real(device);
	int rc = real != NULL ? open_function(real) : -ENOTSUP;

	return rc == 0 ? real->bus->reset(real) : rc;
}

/* ---- Interrupts ------------------------------------------------------------------------- */

static int
enable_interrupts(struct spdk_pci_device *device, int *fds, uint32_t count)
{
	struct udma_pci_real *real = udma_pci_real_of(device);
	int rc = open_function(real);

	return rc == 0 ? real->bus->interrupts.enable(device, fds, count) : rc;
}

static void
disable_interrupts(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	udma_pci_real_of(device)->bus->interrupts.disable(device, fds, count);
}

static int
interrupt_again(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	return udma_pci_real_of(device)->bus->interrupts.again(device, fds, count);
}

static const struct udma_pci_interrupt_ops g_interrupts = {
	.enable = enable_interrupts,
	.disable = disable_interrupts,
	.again = interrupt_again,
};

/* ---- Finding ---------------------------------------------------------------------------- */

/** \return the bus through which a function can be had; NULL for none. */
static const struct udma_pci_bus *
bus_of(const struct udma_pci_function *function)
{
	if (!function->usable) {
		return NULL;
	}
	return strcmp(function->driver, UDMA_PCI_VFIO_DRIVER) == 0 ? &udma_pci_vfio : &udma_pci_uio;
}

static struct udma_pci_real *
known(const struct udma_pci_function *function)
{
	struct udma_pci_real *real;

	LIST_FOREACH (real, &g_functions, link) {
		if (spdk_pci_addr_compare(&real->device.addr, &function->addr) == 0) {
			return real;
		}
	}
	return NULL;
}

static int
add(const struct udma_pci_function *function, const struct udma_pci_bus *bus)
{
	struct udma_pci_real *real = calloc(1, sizeof(*real));
	int rc;

	if (real == NULL) {
		return -ENOMEM;
	}
	real->bus = bus;
	real->found = true;
	real->request_fd = -1;
	real->iommu_group = function->iommu_group;
	memcpy(real->driver, function->driver, sizeof(real->driver));
	spdk_pci_addr_fmt(real->name, sizeof(real->name), &function->addr);
	real->device = (struct spdk_pci_device){
		.addr = function->addr,
		.id = function->id,
		.numa_id = function->numa_id,
		.type = "pci",
		.map_bar = map_bar,
		.unmap_bar = unmap_bar,
		.cfg_read = cfg_read,
		.cfg_write = cfg_write,
	};
	rc = spdk_pci_hook_device(spdk_pci_ioat_get_driver(), &real->device);
	if (rc == 0) {
		rc = udma_pci_hook_interrupts(&real->device, &g_interrupts);
		if (rc != 0) {
			spdk_pci_unhook_device(&real->device);
		}
	}
	if (rc != 0) {
		free(real);
		/* A program that has hooked one there wants that one. */
		return rc == -EEXIST ? 0 : rc;
	}
	pthread_mutex_lock(&g_lock);
	LIST_INSERT_HEAD(&g_functions, real, link);
	pthread_mutex_unlock(&g_lock);
	return 0;
}

static void
forget(struct udma_pci_real *real)
{
	close_function(real);
	spdk_pci_unhook_device(&real->device);
	pthread_mutex_lock(&g_lock);
	LIST_REMOVE(real, link);
	pthread_mutex_unlock(&g_lock);
	free(real);
}

static int
see(void *ctx, const struct udma_pci_function *function)
{
	const struct udma_pci_bus *bus = bus_of(function);
	struct udma_pci_real *real = known(function);

	(void)ctx;
	if (real != NULL && !real->device.internal.attached &&
	    (real->bus != bus || real->iommu_group != function->iommu_group)) {
		forget(real);
		real = NULL;
	}
	if (real != NULL) {
		real->found = true;
		return 0;
	}
	return bus != NULL ? add(function, bus) : 0;
}

void
udma_pci_real_find(void)
{
	struct udma_pci_real *real, *next;

	if (!g_enabled) {
		return;
	}
	LIST_FOREACH (real, &g_functions, link) {
		real->found = false;
	}
	if (udma_pci_scan(see, NULL) == -ENOMEM) {
		SPDK_ERRLOG("no memory for the PCI functions of the machine\n");
	}
	LIST_FOREACH_SAFE(real, &g_functions, link, next)
	{
		if (!real->found && !real->device.internal.attached) {
			forget(real);
		}
	}
}

static void
ask(struct udma_pci_reach *reach)
{
	struct udma_pci_real *real;
	int *groups = NULL;
	unsigned count = 0;

	LIST_FOREACH (real, &g_functions, link) {
		bool known_group = false;

		if (!udma_pci_is_allowed(&real->device.addr)) {
			continue;
		}
		if (real->bus == &udma_pci_uio) {
			reach->physical = reach->physical || udma_uio_is_usable(real);
			continue;
		}
		for (unsigned i = 0; i < count; i++) {
			known_group = known_group || groups[i] == real->iommu_group;
		}
		if (!known_group && real->iommu_group >= 0) {
			int *grown = reallocarray(groups, count + 1, sizeof(*groups));

			if (grown == NULL) {
				break;
			}
			groups = grown;
			groups[count++] = real->iommu_group;
		}
	}
	if (count > 0) {
		udma_vfio_ask(groups, count, reach);
	}
	free(groups);
}

void
udma_pci_real_init(bool enabled, struct udma_pci_reach *reach)
{
	*reach = (struct udma_pci_reach){.ranges = udma_iova_ranges_of(64)};
	g_enabled = enabled;
	udma_pci_real_find();
	ask(reach);
}

void
udma_pci_real_fini(void)
{
	struct udma_pci_real *real;

	while ((real = LIST_FIRST(&g_functions)) != NULL) {
		forget(real);
	}
	g_enabled = false;
}
