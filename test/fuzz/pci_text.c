/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Text from outside: addresses, sets of cores, UDMA_EMULATE, messages of the kernel, sysfs. The
 * first byte of the input chooses the reader, the rest is the text. What a reader accepts has to be
 * in its range, and to be the same once it has been printed and read again.
 */

#include "fuzz.h"

#include "env/cores.h"
#include "env/env_internal.h"
#include "env/sysfs.h"
#include "pci/pci_internal.h"
#include "spdk/cpuset.h"
#include "spdk/string.h"
#include "spdk/util.h"

static int g_file = -1; /* stands for any file of sysfs */

static void
check_address(const struct spdk_pci_addr *addr)
{
	struct spdk_pci_addr again;
	char text[UDMA_PCI_ADDR_LEN];

	CHECK(addr->dev < 32 && addr->func < 8);
	CHECK(spdk_pci_addr_fmt(text, sizeof(text), addr) == 0);
	CHECK(spdk_pci_addr_parse(&again, text) == 0);
	CHECK(spdk_pci_addr_compare(&again, addr) == 0);
}

static void
read_address(const char *text, size_t len)
{
	struct spdk_pci_addr addr, part;

	if (spdk_pci_addr_parse(&addr, text) == 0) {
		check_address(&addr);
	}
	/* Of any length, as sysfs and messages have it, and without a NUL behind it. */
	if (len > 0) {
		char *bare = malloc(len);

		CHECK(bare != NULL);
		memcpy(bare, text, len);
		if (udma_pci_addr_parse(&part, bare, len) == 0) {
			check_address(&part);
		}
		free(bare);
	}
}

static void
read_emulate(const char *text, size_t len)
{
	struct udma_emulated_config config;

	(void)len;
	if (udma_emulated_parse(text, &config) == 0) {
		CHECK(config.count <= 224);
		CHECK(config.xfercap >= 12 && config.xfercap <= 31);
		CHECK(config.iova_bits >= 32 && config.iova_bits <= 64);
	}
}

static void
read_cpuset(const char *text, size_t len)
{
	struct spdk_cpuset set, again;

	(void)len;
	if (spdk_cpuset_parse(&set, text) == 0) {
		CHECK(spdk_cpuset_count(&set) <= SPDK_CPUSET_SIZE);
		CHECK(spdk_cpuset_parse(&again, spdk_cpuset_fmt(&set)) == 0);
		CHECK(spdk_cpuset_equal(&again, &set));
	}
}

static void
read_cores(const struct spdk_env_opts *opts)
{
	struct spdk_cpuset set;
	uint32_t core, count = 0, cpu;

	if (udma_cores_init(opts) != 0) {
		return;
	}
	spdk_env_get_cpuset(&set);
	SPDK_ENV_FOREACH_CORE (core) {
		CHECK(spdk_cpuset_get_cpu(&set, core));
		CHECK(udma_cores_lookup(core, &cpu) && cpu < SPDK_CPUSET_SIZE);
		count++;
	}
	CHECK(count > 0 && count == spdk_env_get_core_count());
	CHECK(spdk_cpuset_get_cpu(&set, spdk_env_get_main_core()));
	udma_cores_fini();
}

static void
read_core_mask(const char *text, size_t len)
{
	(void)len;
	read_cores(&(struct spdk_env_opts){.core_mask = text, .main_core = -1});
}

static void
read_lcore_map(const char *text, size_t len)
{
	(void)len;
	read_cores(&(struct spdk_env_opts){.lcore_map = text, .main_core = -1});
}

static void
read_event(const char *text, size_t len)
{
	struct spdk_pci_event event;
	char *message = malloc(len > 0 ? len : 1); /* nothing behind it */

	CHECK(message != NULL);
	memcpy(message, text, len);
	if (udma_pci_event_parse(message, len, &event) == 1) {
		CHECK(event.action == SPDK_UEVENT_ADD || event.action == SPDK_UEVENT_REMOVE);
		check_address(&event.traddr);
	}
	free(message);
}

static void
read_number(const char *text, size_t len)
{
	long number = spdk_strtol(text, 10);
	char again[32];

	(void)len;
	if (number >= 0) {
		snprintf(again, sizeof(again), "%ld", number);
		CHECK(spdk_strtol(again, 10) == number);
	}
}

/** In memory: /proc leads to it. */
static void
read_sysfs(const char *text, size_t len)
{
	char small[16], large[4096];
	long number;

	CHECK(ftruncate(g_file, 0) == 0);
	CHECK(pwrite(g_file, text, len, 0) == (ssize_t)len);
	if (udma_sysfs_read(small, sizeof(small), "%d", g_file) == 0) {
		CHECK(strlen(small) < sizeof(small));
	}
	if (udma_sysfs_read(large, sizeof(large), "%d", g_file) == 0) {
		CHECK(strlen(large) <= len);
	}
	if (udma_sysfs_read_number(&number, -5, 70000, "%d", g_file) == 0) {
		CHECK(number >= -5 && number <= 70000);
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	g_file = memfd_create("sysfs", MFD_CLOEXEC);
	CHECK(g_file >= 0);
	udma_sysfs_root = "/proc/self/fd"; /* nothing else of sysfs is there */
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const char *text, size_t len) = {
		read_address,   read_emulate, read_cpuset, read_core_mask,
		read_lcore_map, read_event,   read_number, read_sysfs,
	};
	char *text;

	if (size == 0) {
		return 0;
	}
	text = malloc(size);
	CHECK(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	readers[data[0] % SPDK_COUNTOF(readers)](text, size - 1);
	free(text);
	return 0;
}
