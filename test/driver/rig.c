/* SPDX-License-Identifier: BSD-3-Clause */

#include <sys/eventfd.h>

#include "rig.h"

#include "env/region.h"
#include "spdk/util.h"
#include "udma/fault.h"
#include "udma/pci.h"

static void *
grant(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	struct udma_region region;

	(void)ctx;
	if (!udma_region_find(iova, &region) || (write && !region.writable)) {
		return NULL;
	}
	*len = spdk_min(*len, region.len - (iova - region.iova));
	return (void *)(uintptr_t)(region.vaddr + (iova - region.iova));
}

uint16_t
rig_read16(const struct rig *rig, uint32_t offset)
{
	return __atomic_load_n((uint16_t *)(rig->function.watch.bar + offset), __ATOMIC_ACQUIRE);
}

uint64_t
rig_read64(const struct rig *rig, uint32_t offset)
{
	return __atomic_load_n((uint64_t *)(rig->function.watch.bar + offset), __ATOMIC_ACQUIRE);
}

void
rig_poke(struct rig *rig, uint32_t offset, unsigned width, uint64_t value)
{
	uint8_t *at = rig->function.watch.bar + offset;

	switch (width) {
	case 1:
		__atomic_store_n(at, (uint8_t)value, __ATOMIC_RELEASE);
		break;
	case 2:
		__atomic_store_n((uint16_t *)at, (uint16_t)value, __ATOMIC_RELEASE);
		break;
	case 4:
		__atomic_store_n((uint32_t *)at, (uint32_t)value, __ATOMIC_RELEASE);
		break;
	default:
		__atomic_store_n((uint64_t *)at, value, __ATOMIC_RELEASE);
		break;
	}
}

/* ---- Interrupts: MSI-X, for the BAR is polled. The host has the table. ---- */

#define MSIX_CONTROL        0x82
#define MSIX_CONTROL_ENABLE 0x8000

static void
on_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt)
{
	struct rig *rig = ctx;

	(void)interrupt;
	rig->interrupts++;
	if (!rig->loses_interrupts) {
		rig_interrupt(rig);
	}
}

void
rig_interrupt(const struct rig *rig)
{
	int fd = __atomic_load_n(&rig->interrupt_fd, __ATOMIC_ACQUIRE);

	if (fd >= 0 && eventfd_write(fd, 1) != 0) {
		abort();
	}
}

static int
enable_interrupts(struct spdk_pci_device *device, int *fds, uint32_t count)
{
	struct rig *rig = SPDK_CONTAINEROF(device, struct rig, function.device);

	assert(count == 1);
	if (rig->no_interrupts) {
		return -ENOTSUP;
	}
	fds[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	__atomic_store_n(&rig->interrupt_fd, fds[0], __ATOMIC_RELEASE);
	spdk_pci_device_cfg_write16(device, MSIX_CONTROL_ENABLE, MSIX_CONTROL);
	return UDMA_PCI_MSIX;
}

static void
disable_interrupts(struct spdk_pci_device *device, const int *fds, uint32_t count)
{
	struct rig *rig = SPDK_CONTAINEROF(device, struct rig, function.device);

	(void)count;
	__atomic_store_n(&rig->interrupt_fd, -1, __ATOMIC_RELEASE);
	spdk_pci_device_cfg_write16(device, 0, MSIX_CONTROL);
	close(fds[0]);
}

static const struct udma_pci_interrupt_ops g_interrupts = {
	.enable = enable_interrupts,
	.disable = disable_interrupts,
};

/**
 * Changes announced fills: turns the pattern, so that the model seems to start it at multiples of
 * 8, or makes them an operation that there is not; or hangs at one.
 */
static void
change_fills(struct rig *rig, const struct udma_emu_shadow *before)
{
	const struct udma_emu_shadow *now = &rig->function.watch.shadow;
	uint16_t from = now->chainaddr == before->chainaddr ? before->dmacount : 0;

	/* Nothing is announced on a channel that has just been reset. */
	for (uint16_t i = from; now->chainaddr != 0 && i != now->dmacount; i++) {
		uint64_t *desc = (uint64_t *)(uintptr_t)(now->chainaddr + (i % 32768u) * 64u);
		unsigned bits = (unsigned)(desc[2] % 8) * 8; /* q2: destination, q1: pattern */

		if (desc[0] >> 56 == 1 && rig->lie_at_fills) {
			__atomic_store_n(rig_completion_word(rig), 64, __ATOMIC_RELEASE);
			rig->paused = true;
		} else if (desc[0] >> 56 == 1 && rig->refuse_fills) {
			desc[0] |= 0x55ull << 56;
		} else if (desc[0] >> 56 == 1 && bits != 0) {
			desc[1] = desc[1] >> bits | desc[1] << (64 - bits);
		}
	}
}

static bool
is_active(const struct rig *rig)
{
	return (udma_emu_read(rig->function.emu, BAR_CHANSTS, 8) & 7) == 0;
}

static void
work(struct rig *rig, unsigned steps)
{
	/* Only an engine that works may write to it: the driver clears it before a start. */
	uint64_t *word = rig->loses_words && is_active(rig) ? rig_completion_word(rig) : NULL;
	uint64_t kept = word != NULL ? __atomic_load_n(word, __ATOMIC_RELAXED) : 0;

	if (rig->slow_ms > 0 && is_active(rig)) {
		usleep(rig->slow_ms * 1000);
		steps = spdk_min(steps, 1u);
	}
	while (steps-- > 0 && udma_emu_step(rig->function.emu)) {
	}
	if (word != NULL) {
		__atomic_store_n(word, kept, __ATOMIC_RELEASE);
	}
}

/** By a fault of its own: what is looked at here may be another command when the device looks. */
static void
ignore_resets(struct rig *rig)
{
	const struct udma_fault fault = {.kind = UDMA_FAULT_RESET, .every = 1};

	if (rig->ignores_reset != rig->ignore_reset && rig->ignore_reset) {
		udma_emu_inject(rig->function.emu, &fault);
	} else if (rig->ignores_reset != rig->ignore_reset) {
		udma_emu_withdraw(rig->function.emu);
	}
	rig->ignores_reset = rig->ignore_reset;
}

/** With the lock held. */
static void
serve(struct rig *rig, unsigned steps)
{
	struct udma_emu_shadow before = rig->function.watch.shadow;

	ignore_resets(rig);
	udma_emu_watch_look(&rig->function.watch);
	if (rig->fill_at_multiple_of_8 || rig->refuse_fills || rig->lie_at_fills) {
		change_fills(rig, &before);
		steps = rig->paused ? 0 : steps;
	}
	work(rig, rig->hangs ? 0 : steps);
	udma_emu_watch_publish(&rig->function.watch);
}

static void *
run(void *arg)
{
	struct rig *rig = arg;

	while (!__atomic_load_n(&rig->stopping, __ATOMIC_ACQUIRE)) {
		pthread_mutex_lock(&rig->lock);
		if (rig->resume_at_command &&
		    __atomic_load_n(&rig->function.watch.bar[BAR_CHANCMD], __ATOMIC_ACQUIRE) != 0) {
			rig->paused = false;
		}
		if (!rig->paused) {
			serve(rig, 16);
		}
		pthread_mutex_unlock(&rig->lock);
		sched_yield();
	}
	return NULL;
}

void
rig_pause(struct rig *rig)
{
	pthread_mutex_lock(&rig->lock);
	rig->paused = true;
	pthread_mutex_unlock(&rig->lock);
}

void
rig_resume(struct rig *rig)
{
	pthread_mutex_lock(&rig->lock);
	rig->paused = false;
	pthread_mutex_unlock(&rig->lock);
}

void
rig_step(struct rig *rig, unsigned steps)
{
	pthread_mutex_lock(&rig->lock);
	assert(rig->paused);
	serve(rig, steps);
	pthread_mutex_unlock(&rig->lock);
}

void
rig_vanish(struct rig *rig)
{
	rig_pause(rig);
	for (uint32_t offset = 0; offset < 4096; offset += 8) {
		rig_poke(rig, offset, 8, UINT64_MAX);
	}
}

uint64_t *
rig_completion_word(const struct rig *rig)
{
	return (uint64_t *)(uintptr_t)rig_read64(rig, BAR_CHANCMP);
}

static struct rig *
rig_of(struct spdk_pci_device *device)
{
	return SPDK_CONTAINEROF(device, struct rig, function.device);
}

static int
map_bar(struct spdk_pci_device *device, uint32_t bar, void **mapped_addr, uint64_t *phys_addr,
	uint64_t *size)
{
	*mapped_addr = rig_of(device)->driver_bar;
	*phys_addr = 0;
	*size = rig_of(device)->bar_size;
	return bar == 0 ? rig_of(device)->map_rc : -EINVAL;
}

static int
unmap_bar(struct spdk_pci_device *device, uint32_t bar, void *addr)
{
	(void)device;
	(void)bar;
	(void)addr;
	return 0;
}

static int
cfg_read(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	struct rig *rig = rig_of(device);
	int rc;

	if ((rig->no_config_180 && offset == 0x180) || (rig->no_command && offset == 4)) {
		return -EIO;
	}
	pthread_mutex_lock(&rig->lock);
	rc = udma_emu_cfg_read(rig->function.emu, offset, value, len);
	pthread_mutex_unlock(&rig->lock);
	return rc;
}

static int
cfg_write(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	struct rig *rig = rig_of(device);
	int rc;

	pthread_mutex_lock(&rig->lock);
	rig->config_writes_180 += offset == 0x180;
	rc = udma_emu_cfg_write(rig->function.emu, offset, value, len);
	pthread_mutex_unlock(&rig->lock);
	return rc;
}

struct rig *
rig_create(uint8_t func, uint8_t xfercap)
{
	return rig_create_part(func, xfercap, 0x2021);
}

struct rig *
rig_create_part(uint8_t func, uint8_t xfercap, uint16_t device_id)
{
	static const struct udma_emu_host host = {.grant = grant, .interrupt = on_interrupt};
	const struct udma_emu_config config = {.device_id = device_id,
					       .xfercap = xfercap,
					       .interrupts = UDMA_EMU_MSIX,
					       .msix_table_in_host = true};
	struct rig *rig = calloc(1, sizeof(*rig));
	int fd = memfd_create("bar", MFD_CLOEXEC);

	assert(rig != NULL && fd >= 0 && ftruncate(fd, UDMA_EMU_BAR_SIZE) == 0);
	rig->function.watch.bar =
		mmap(NULL, UDMA_EMU_BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	rig->driver_bar = rig->function.watch.bar;
	rig->bar_fd = fd;
	rig->interrupt_fd = -1;
	rig->bar_size = UDMA_EMU_BAR_SIZE;
	pthread_mutex_init(&rig->lock, NULL);
	rig->function.emu = udma_emu_create(&config, &host, rig);
	assert(rig->function.emu != NULL);
	rig->function.watch.emu = rig->function.emu;
	udma_emu_watch_publish_all(&rig->function.watch);

	rig->function.device.addr = (struct spdk_pci_addr){.bus = 0x80, .dev = 4, .func = func};
	rig->function.device.id = (struct spdk_pci_id){SPDK_PCI_DEVICE(0x8086, 0x2021)};
	rig->function.device.id.device_id = device_id;
	rig->function.device.numa_id = SPDK_ENV_NUMA_ID_ANY;
	rig->function.device.type = "rig";
	rig->function.device.map_bar = map_bar;
	rig->function.device.unmap_bar = unmap_bar;
	rig->function.device.cfg_read = cfg_read;
	rig->function.device.cfg_write = cfg_write;
	if (spdk_pci_hook_device(spdk_pci_ioat_get_driver(), &rig->function.device) != 0 ||
	    udma_pci_hook_interrupts(&rig->function.device, &g_interrupts) != 0) {
		abort();
	}
	pthread_create(&rig->thread, NULL, run, rig);
	return rig;
}

void
rig_split_views(struct rig *rig)
{
	rig->driver_bar =
		mmap(NULL, UDMA_EMU_BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, rig->bar_fd, 0);
	assert(rig->driver_bar != MAP_FAILED);
}

void
rig_destroy(struct rig *rig)
{
	spdk_pci_unhook_device(&rig->function.device);
	__atomic_store_n(&rig->stopping, true, __ATOMIC_RELEASE);
	pthread_join(rig->thread, NULL);
	udma_emu_destroy(rig->function.emu);
	if (rig->driver_bar != rig->function.watch.bar) {
		munmap(rig->driver_bar, UDMA_EMU_BAR_SIZE);
	}
	munmap(rig->function.watch.bar, UDMA_EMU_BAR_SIZE);
	close(rig->bar_fd);
	pthread_mutex_destroy(&rig->lock);
	free(rig);
}

void
rig_env_init(void)
{
	struct spdk_env_opts opts;

	opts.opts_size = sizeof(opts);
	spdk_env_opts_init(&opts);
	opts.name = "test";
	opts.no_pci = true;
	unsetenv("UDMA_EMULATE");
	if (spdk_env_init(&opts) != 0) {
		abort();
	}
}

struct wanted {
	uint8_t func;
	struct spdk_ioat_chan *chan;
};

static bool
is_wanted(void *ctx, struct spdk_pci_device *device)
{
	return device->addr.func == ((struct wanted *)ctx)->func;
}

static void
take(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)device;
	((struct wanted *)ctx)->chan = chan;
}

struct spdk_ioat_chan *
rig_attach(uint8_t func)
{
	struct wanted wanted = {.func = func};

	spdk_ioat_probe(&wanted, is_wanted, take);
	return wanted.chan;
}

int
rig_poll(struct spdk_ioat_chan *chan, int count)
{
	int total = 0;

	while (total < count) {
		int rc = spdk_ioat_process_events(chan);

		if (rc < 0) {
			return rc;
		}
		total += rc;
		if (rc == 0) {
			sched_yield();
		}
	}
	return total;
}
