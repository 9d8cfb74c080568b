/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The driver's cost in instructions, for callgrind:
 *
 *     test/bench/count
 *
 * The device completes at once: this program writes the completion word itself. Each piece of work
 * is a function of its own, run ROUNDS times, so that its inclusive count over ROUNDS is the
 * answer.
 */

#include "bench.h"
#include "udma/ioat.h"

#define ROUNDS 10000
#define BAR    4096

/* Sections 3 and 4 of the hardware reference. */
static struct {
	uint8_t bar[BAR] __attribute__((aligned(4096)));
	struct spdk_pci_device device;
} g_fake;

static unsigned long g_called;

static void
called(void *arg)
{
	(void)arg;
	g_called++;
}

static void
ended(void *arg, const struct udma_ioat_result *result)
{
	(void)arg;
	g_called += result->status == UDMA_IOAT_OK;
}

/** What the engine does at once: the newest announced descriptor is done. Not counted as work. */
static void __attribute__((noinline)) engine(void)
{
	uint64_t ring = *(volatile uint64_t *)(g_fake.bar + 0x90);
	uint64_t word = *(volatile uint64_t *)(g_fake.bar + 0x98);
	uint16_t count = *(volatile uint16_t *)(g_fake.bar + 0x86);
	uint64_t last = ring + (uint64_t)((count - 1) & 32767) * 64;

	*(volatile uint64_t *)(uintptr_t)word = last;
	*(volatile uint64_t *)(g_fake.bar + 0x88) = last | 1;
}

static void __attribute__((noinline)) one_at_a_time(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	spdk_ioat_submit_copy(chan, NULL, called, memory, memory + 4096, 4096);
	engine();
	spdk_ioat_process_events(chan);
}

static void __attribute__((noinline)) one_waited_for(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	spdk_ioat_submit_copy(chan, NULL, called, memory, memory + 4096, 4096);
	engine();
	udma_ioat_wait(chan, UINT64_MAX);
}

static void __attribute__((noinline)) batch_of_32(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	for (unsigned i = 0; i < 32; i++) {
		spdk_ioat_build_copy(chan, NULL, called, memory, memory + 4096, 4096);
	}
	spdk_ioat_flush(chan);
	engine();
	spdk_ioat_process_events(chan);
}

/** Of pages that lie apart, on both sides. */
static void __attribute__((noinline)) list_of_32_pages(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	struct iovec to[32], from[32];

	for (unsigned i = 0; i < 32; i++) {
		to[i] = (struct iovec){memory + 8192 * i, 4096};
		from[i] = (struct iovec){memory + (16 << 20) + 8192 * i, 4096};
	}
	udma_ioat_copyv(chan, to, 32, from, 32, 0, ended, NULL);
	spdk_ioat_flush(chan);
	engine();
	spdk_ioat_process_events(chan);
}

static void __attribute__((noinline))
contiguous_16_mib(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	spdk_ioat_submit_copy(chan, NULL, called, memory, memory + (16 << 20), 16 << 20);
	engine();
	spdk_ioat_process_events(chan);
}

static void __attribute__((noinline))
poll_with_nothing_outstanding(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	(void)memory;
	spdk_ioat_process_events(chan);
	__asm__ volatile("" ::: "memory"); /* no tail call, which callgrind would not see */
}

static int
map_bar(struct spdk_pci_device *device, uint32_t bar, void **address, uint64_t *bus, uint64_t *size)
{
	(void)device;
	(void)bar;
	*address = g_fake.bar;
	*bus = 0;
	*size = BAR;
	return 0;
}

static int
unmap_bar(struct spdk_pci_device *device, uint32_t bar, void *address)
{
	(void)device;
	(void)bar;
	(void)address;
	return 0;
}

static int
cfg_access(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	(void)device;
	(void)offset;
	memset(value, 0, len);
	return 0;
}

static volatile bool g_starting = true;

/** The little that bringing a channel up needs of a device. */
static void *
bring_up(void *arg)
{
	(void)arg;
	while (g_starting) {
		if (g_fake.bar[0x84] & 0x20) {
			*(volatile uint64_t *)(g_fake.bar + 0x88) = 3;
			g_fake.bar[0x84] = 0;
		}
		if (*(volatile uint16_t *)(g_fake.bar + 0x86) == 1) {
			engine();
		}
		sched_yield();
	}
	return NULL;
}

int
main(void)
{
	struct spdk_ioat_chan *chan = NULL;
	struct spdk_env_opts opts;
	uint8_t *memory;
	pthread_t thread;

	unsetenv("UDMA_EMULATE");
	opts.opts_size = sizeof(opts);
	spdk_env_opts_init(&opts);
	g_fake.bar[0x00] = 1;    /* CHANCNT */
	g_fake.bar[0x01] = 20;   /* XFERCAP: 1 MiB */
	g_fake.bar[0x08] = 0x33; /* CBVER */
	g_fake.bar[0x10] = 0x01; /* DMACAPABILITY: page break */
	g_fake.bar[0x88] = 3;    /* CHANSTS: halted */
	g_fake.device = (struct spdk_pci_device){
		.addr = {.bus = 0x99},
		.id = {SPDK_PCI_DEVICE(0x8086, 0x2021)},
		.numa_id = SPDK_ENV_NUMA_ID_ANY,
		.type = "bench",
		.map_bar = map_bar,
		.unmap_bar = unmap_bar,
		.cfg_read = cfg_access,
		.cfg_write = cfg_access,
	};
	pthread_create(&thread, NULL, bring_up, NULL);
	if (spdk_env_init(&opts) != 0 ||
	    spdk_pci_hook_device(spdk_pci_ioat_get_driver(), &g_fake.device) != 0 ||
	    spdk_ioat_probe(&chan, bench_say_yes, bench_take) != 0 || chan == NULL) {
		fprintf(stderr, "the stand-in for a device could not be brought up\n");
		return 1;
	}
	g_starting = false;
	pthread_join(thread, NULL);
	memory = (uint8_t *)mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (spdk_mem_register(memory, 32 << 20) != 0) {
		return 1;
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		one_at_a_time(chan, memory);
		one_waited_for(chan, memory);
		batch_of_32(chan, memory);
		list_of_32_pages(chan, memory);
		contiguous_16_mib(chan, memory);
		poll_with_nothing_outstanding(chan, memory);
	}
	printf("rounds %u callbacks %lu\n", ROUNDS, g_called);
	return g_called == ROUNDS * 36ul ? 0 : 1;
}
