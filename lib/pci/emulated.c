/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Emulated I/OAT functions in this process: what UDMA_EMULATE asks for.
 *
 * One thread serves all of them. Their BARs are memory that the driver stores to, as it would to
 * silicon; the thread watches that memory (lib/emu/watch.c) and sleeps while nothing happens
 * (sleep.c).
 */

#include "emulated.h"

#include "env/env_internal.h"
#include "pci_internal.h"

#include "spdk/ioat_spec.h"
#include "spdk/log.h"
#include "spdk/string.h"
#include "spdk/util.h"
#include "udma/pci.h"

/* A domain that no machine has, so that emulated functions are known by their address too. They
 * sit where a socket's channels do: device 4 on, eight functions each (section 1.3). */
#define EMULATED_DOMAIN      0xeeee
#define FIRST_DEVICE         4
#define FUNCTIONS_PER_DEVICE 8

#define EMULATED_CLASS 0x088000

/* Spinning pays while the next doorbell is near: not after a sleep longer than this. */
#define SPIN_US        50
#define SHORT_SLEEP_US 1000
/* Short sleeps in a row that show a busy driver which has to wake us each time. */
#define SHORT_SLEEPS 16

/* After a store has woken us: the first and the longest nap until it is there, and the time after
 * which it is not waited for any more. */
#define NAP_MIN_NS     25000l
#define NAP_MAX_NS     500000l
#define STORE_LIMIT_US 200000

/* Descriptors carried out between two looks at the registers, or as many as that time holds. */
#define STEPS_PER_LOOK 16
#define STEPS_US       200

static struct {
	struct udma_emulated *functions;
	unsigned count;
	uint8_t *bars; /* one after the other */
	size_t bars_size;
	struct udma_sleep sleep;
	pthread_t thread;
	pid_t process; /* that has the thread: it does not follow a fork */
	bool running;
	bool stopping;
	/* The models belong to whoever holds it: the thread, or a configuration access. */
	pthread_mutex_t lock;
	unsigned waiting; /* configuration accesses that want the lock */
	bool timed;       /* something ends by itself, with time */
} g_host = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- The thread ---- */

static uint64_t
ticks_of_us(uint64_t us)
{
	return spdk_get_ticks_hz() / 1000000 * us;
}

static void
publish(struct udma_emulated *function)
{
	udma_emu_watch_publish(&function->watch);
	if (function->watch.away != function->away) {
		udma_emulated_came_or_went(function);
	}
}

static bool
serve(struct udma_emulated *function)
{
	bool seen = udma_emu_watch_look(&function->watch);
	bool more = udma_emu_step(function->emu);
	uint64_t end = more ? spdk_get_ticks() + ticks_of_us(STEPS_US) : 0;

	for (unsigned i = 1; more && i < STEPS_PER_LOOK && spdk_get_ticks() < end; i++) {
		more = udma_emu_step(function->emu);
	}
	g_host.timed |= udma_emulated_let_time_pass(function);
	publish(function);
	return seen || more;
}

static bool
serve_all(void)
{
	bool busy = false;

	/* A mutex is not fair: whoever waits would hardly ever find it free under load. */
	while (__atomic_load_n(&g_host.waiting, __ATOMIC_RELAXED) > 0) {
		sched_yield();
	}
	pthread_mutex_lock(&g_host.lock);
	g_host.timed = false;
	for (unsigned i = 0; i < g_host.count; i++) {
		busy |= serve(&g_host.functions[i]);
	}
	pthread_mutex_unlock(&g_host.lock);
	return busy;
}

/** Whoever has the models may be storing to a BAR, and so waiting for the sleeper: it is not waited
 * for. */
static bool
anything_to_see(void)
{
	bool seen = false;

	if (pthread_mutex_trylock(&g_host.lock) != 0) {
		return true;
	}
	for (unsigned i = 0; !seen && i < g_host.count; i++) {
		seen = udma_emu_watch_changed(&g_host.functions[i].watch);
	}
	pthread_mutex_unlock(&g_host.lock);
	return seen;
}

/**
 * Naps until the store that has woken us is there. Its thread may be waiting for this very core, so
 * that spinning would keep it from storing, and yielding would let it poll for its whole time slice
 * before we ran again. On a busy machine it may wait longer; were the BAR closed again meanwhile it
 * would be stopped once more, for ever. A store that changes nothing is never seen: there is an
 * end.
 */
static void
nap_until_store(void)
{
	struct timespec nap = {.tv_nsec = NAP_MIN_NS};
	uint64_t start = spdk_get_ticks();

	do {
		nanosleep(&nap, NULL);
		nap.tv_nsec = spdk_min(nap.tv_nsec * 2, NAP_MAX_NS);
	} while (!anything_to_see() && spdk_get_ticks() - start < ticks_of_us(STORE_LIMIT_US) &&
		 !__atomic_load_n(&g_host.stopping, __ATOMIC_ACQUIRE));
}

/** Sleeps until a register is stored to. \return the thread that did; 0 for another reason to wake.
 */
static uint32_t
sleep_until_touched(void)
{
	uint32_t thread = 0;

	if (!udma_sleep_prepare(&g_host.sleep) || anything_to_see() ||
	    __atomic_load_n(&g_host.stopping, __ATOMIC_ACQUIRE)) {
		udma_sleep_cancel(&g_host.sleep);
		return 0;
	}
	thread = udma_sleep_wait(&g_host.sleep);
	if (thread != 0) {
		nap_until_store();
	}
	return thread;
}

static bool
has_one_core(void)
{
	cpu_set_t cores;

	return sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) == 1;
}

static void *
run(void *arg)
{
	const bool one_core = has_one_core();
	uint64_t spin = 0, idle_since = 0;
	unsigned short_sleeps = 0;
	uint32_t thread = 0;

	(void)arg;
	udma_sleep_init_thread();
	while (!__atomic_load_n(&g_host.stopping, __ATOMIC_ACQUIRE)) {
		uint64_t now;

		if (serve_all()) {
			/* Where sleeping means napping, naps begin short again. */
			udma_sleep_cancel(&g_host.sleep);
			idle_since = 0;
			continue;
		}
		if (g_host.timed) {
			nanosleep(&(struct timespec){.tv_nsec = NAP_MIN_NS}, NULL);
			continue;
		}
		/* The scheduler likes to run the woken where the waker is, and leaves both there
		 * while they take turns, even if another core stands idle. */
		if (short_sleeps == SHORT_SLEEPS) {
			udma_sleep_step_aside(thread);
			short_sleeps = 0;
		}
		now = spdk_get_ticks();
		idle_since = idle_since == 0 ? now : idle_since;
		if (now - idle_since >= spin) {
			thread = sleep_until_touched();
			if (spdk_get_ticks() - now < ticks_of_us(SHORT_SLEEP_US)) {
				short_sleeps += thread != 0;
				spin = one_core ? 0 : ticks_of_us(SPIN_US);
			} else {
				short_sleeps = 0;
				spin = 0;
			}
			idle_since = 0;
		}
	}
	return NULL;
}

/* ---- The functions as PCI devices ---- */

static struct udma_emulated *
function_of(struct spdk_pci_device *device)
{
	return SPDK_CONTAINEROF(device, struct udma_emulated, device);
}

static int
map_bar(struct spdk_pci_device *device, uint32_t bar, void **mapped_addr, uint64_t *phys_addr,
	uint64_t *size)
{
	if (bar != 0) {
		return -EINVAL;
	}
	*mapped_addr = function_of(device)->watch.bar;
	*phys_addr = (uint64_t)(uintptr_t)function_of(device)->watch.bar;
	*size = UDMA_EMU_BAR_SIZE;
	return 0;
}

static int
unmap_bar(struct spdk_pci_device *device, uint32_t bar, void *addr)
{
	(void)device;
	(void)addr;
	return bar == 0 ? 0 : -EINVAL;
}

static void
lock_models(void)
{
	__atomic_fetch_add(&g_host.waiting, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&g_host.lock);
	__atomic_fetch_sub(&g_host.waiting, 1, __ATOMIC_RELAXED);
}

struct udma_emulated *
udma_emulated_lock(const struct spdk_pci_device *device)
{
	lock_models();
	for (unsigned i = 0; i < g_host.count; i++) {
		if (&g_host.functions[i].device == device) {
			return &g_host.functions[i];
		}
	}
	pthread_mutex_unlock(&g_host.lock);
	return NULL;
}

void
udma_emulated_unlock(struct udma_emulated *function)
{
	publish(function);
	pthread_mutex_unlock(&g_host.lock);
	udma_sleep_wake(&g_host.sleep);
}

static int
cfg_read(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	int rc;

	lock_models();
	rc = udma_emu_cfg_read(function_of(device)->emu, offset, value, len);
	pthread_mutex_unlock(&g_host.lock);
	return rc;
}

static int
cfg_write(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	struct udma_emulated *function = function_of(device);
	uint64_t resets;
	int rc;

	lock_models();
	resets = udma_emu_resets(function->emu);
	rc = udma_emu_cfg_write(function->emu, offset, value, len);
	/* A function-level reset shows in the registers before the write returns. */
	if (udma_emu_resets(function->emu) != resets) {
		udma_emu_watch_publish_all(&function->watch);
	}
	pthread_mutex_unlock(&g_host.lock);
	/* Bus mastering may have been what a doorbell was waiting for. */
	udma_sleep_wake(&g_host.sleep);
	return rc;
}

static int
create(struct udma_emulated *function, unsigned index, const struct udma_emulated_config *config)
{
	static const struct udma_emu_host host = {.grant = udma_emulated_grant,
						  .interrupt = udma_emulated_interrupt};
	const struct udma_emu_config identity = {
		.device_id = udma_emu_device_id(config->generation, index),
		.xfercap = config->xfercap,
		.multifunction = config->count > 1,
		.interrupts = UDMA_EMU_MSIX,
		.msix_table_in_host = true,
	};

	function->interrupt_fd = -1;
	function->emu = udma_emu_create(&identity, &host, function);
	if (function->emu == NULL) {
		SPDK_ERRLOG("no memory for an emulated I/OAT function\n");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < config->fault_count; i++) {
		struct udma_fault fault = config->faults[i];
		int rc;

		fault.seed += index;
		rc = udma_emu_inject(function->emu, &fault);
		if (rc != 0) {
			return rc;
		}
	}
	function->watch.emu = function->emu;
	function->watch.bar = g_host.bars + (size_t)index * UDMA_EMU_BAR_SIZE;
	udma_emu_watch_publish_all(&function->watch);

	function->device.addr = (struct spdk_pci_addr){
		.domain = EMULATED_DOMAIN,
		.dev = (uint8_t)(FIRST_DEVICE + index / FUNCTIONS_PER_DEVICE),
		.func = (uint8_t)(index % FUNCTIONS_PER_DEVICE),
	};
	function->device.id = (struct spdk_pci_id){
		.class_id = EMULATED_CLASS,
		.vendor_id = SPDK_PCI_VID_INTEL,
		.device_id = identity.device_id,
		.subvendor_id = SPDK_PCI_ANY_ID,
		.subdevice_id = SPDK_PCI_ANY_ID,
	};
	function->device.numa_id = SPDK_ENV_NUMA_ID_ANY;
	function->device.type = "emulated";
	function->device.map_bar = map_bar;
	function->device.unmap_bar = unmap_bar;
	function->device.cfg_read = cfg_read;
	function->device.cfg_write = cfg_write;
	return 0;
}

static int
start_thread(void)
{
	sigset_t all, before;
	int rc;

	/* Signals are the program's, and so for its own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&g_host.thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		SPDK_ERRLOG("no thread for the emulated I/OAT functions: %s\n", spdk_strerror(rc));
		return -rc;
	}
	pthread_setname_np(g_host.thread, "udma-emulated");
	g_host.process = getpid();
	g_host.running = true;
	return 0;
}

int
udma_emulated_init(const struct udma_emulated_config *config)
{
	int rc = 0;

	if (config->count == 0) {
		return 0;
	}
	/* Whole pages, whatever their size: sleep.c protects them. */
	g_host.bars_size =
		SPDK_ALIGN_CEIL((size_t)config->count * UDMA_EMU_BAR_SIZE, (size_t)getpagesize());
	g_host.bars = mmap(NULL, g_host.bars_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	g_host.functions = calloc(config->count, sizeof(*g_host.functions));
	if (g_host.bars == MAP_FAILED || g_host.functions == NULL) {
		g_host.bars = g_host.bars == MAP_FAILED ? NULL : g_host.bars;
		SPDK_ERRLOG("no memory for %u emulated I/OAT functions\n", config->count);
		udma_emulated_fini();
		return -ENOMEM;
	}
	while (rc == 0 && g_host.count < config->count) {
		rc = create(&g_host.functions[g_host.count], g_host.count, config);
		g_host.count += rc == 0;
	}
	if (rc == 0) {
		rc = udma_sleep_init(&g_host.sleep, g_host.bars, g_host.bars_size);
	}
	if (rc == 0) {
		rc = start_thread();
	}
	for (unsigned i = 0; rc == 0 && i < g_host.count; i++) {
		rc = spdk_pci_hook_device(spdk_pci_ioat_get_driver(), &g_host.functions[i].device);
		g_host.functions[i].hooked = rc == 0;
		if (rc == 0) {
			rc = udma_pci_hook_interrupts(&g_host.functions[i].device,
						      &udma_emulated_interrupts);
		}
	}
	if (rc != 0) {
		udma_emulated_fini();
	}
	return rc;
}

void
udma_emulated_fini(void)
{
	/* First: it tells devices that they come or go. */
	if (g_host.running && g_host.process == getpid()) {
		__atomic_store_n(&g_host.stopping, true, __ATOMIC_RELEASE);
		udma_sleep_wake(&g_host.sleep);
		pthread_join(g_host.thread, NULL);
	}
	for (unsigned i = 0; i < g_host.count; i++) {
		if (g_host.functions[i].hooked) {
			spdk_pci_unhook_device(&g_host.functions[i].device);
		}
	}
	udma_sleep_fini(&g_host.sleep);
	for (unsigned i = 0; i < g_host.count; i++) {
		udma_emu_destroy(g_host.functions[i].emu);
	}
	free(g_host.functions);
	if (g_host.bars != NULL) {
		munmap(g_host.bars, g_host.bars_size);
	}
	udma_emulated_forget_memory();
	udma_pci_event_forget();
	g_host.functions = NULL;
	g_host.bars = NULL;
	g_host.count = 0;
	g_host.running = false;
	g_host.stopping = false;
}
