/* SPDX-License-Identifier: BSD-3-Clause */

/* Starting and ending the environment, part by part. */

#include "dma_chunk.h"
#include "domain.h"
#include "env_internal.h"

#include "ioat/channel.h"
#include "pci/pci_internal.h"

#include "spdk/env.h"
#include "spdk/log.h"
#include "spdk/util.h"

#define DEFAULT_BASE_VIRTADDR 0x200000000000ull

/* Where "mapped" is asked for and no device is narrower. */
#define MAPPED_DEFAULT_BITS 48

/* The options as programs knew them before they had a size: up to base_virtaddr. */
#define OPTS_SIZE_OLD offsetof(struct spdk_env_opts, opts_size)

static bool g_initialized;

bool
udma_env_is_initialized(void)
{
	return g_initialized;
}

void
spdk_env_opts_init(struct spdk_env_opts *opts)
{
	struct spdk_env_opts defaults = {
		.name = "spdk",
		.core_mask = "0x1",
		.shm_id = -1,
		.mem_channel = -1,
		.main_core = -1,
		.mem_size = -1,
		.base_virtaddr = DEFAULT_BASE_VIRTADDR,
	};

	if (opts == NULL) {
		return;
	}
	/* An older program has not set opts_size, and what stands there may be anything: the
	 * structure has had this size ever since, so all of it can be written. */
	defaults.opts_size = sizeof(*opts);
	*opts = defaults;
}

/**
 * \return how many bits the virtual addresses in use have: the stack is at their end, as a rule,
 * and DMA memory where it is wanted.
 */
static unsigned
virtual_address_bits(uint64_t wanted)
{
	return 64 - (unsigned)__builtin_clzll((uintptr_t)__builtin_frame_address(0) | wanted);
}

/** Ordinary pages have no physical address that lasts: all DMA memory would be refused. */
static int
check_physical(const struct spdk_env_opts *opts)
{
	if (opts->no_huge) {
		SPDK_ERRLOG("iova_mode \"pa\" takes hugepages, and no_huge is set: leave one of "
			    "them out\n");
		return -ENOTSUP;
	}
	if (!udma_dma_chunk_huge_is_possible()) {
		SPDK_ERRLOG("iova_mode \"pa\" takes hugepages of 2 MiB, and there is none to be "
			    "had: provide some " UDMA_HUGE_WAY ", or leave iova_mode open\n");
		return -ENOTSUP;
	}
	return 0;
}

/** Settles how devices will see memory: asked for, or as the most limited device needs it. */
static int
choose_kind(const struct spdk_env_opts *opts, bool physical, unsigned device_bits,
	    enum udma_iova_kind *kind)
{
	unsigned needed = virtual_address_bits(opts->base_virtaddr);
	const char *mode = opts->iova_mode;
	bool narrow = device_bits < needed;

	if (mode == NULL) {
		*kind = physical ? UDMA_IOVA_PA : narrow ? UDMA_IOVA_MAPPED : UDMA_IOVA_VA;
	} else if (strcmp(mode, "mapped") == 0) {
		*kind = UDMA_IOVA_MAPPED;
	} else if (strcmp(mode, "pa") == 0) {
		*kind = UDMA_IOVA_PA;
		return check_physical(opts);
	} else if (strcmp(mode, "va") != 0) {
		SPDK_ERRLOG("iova_mode \"%s\" is none of \"va\", \"mapped\" and \"pa\"\n", mode);
		return -EINVAL;
	} else if (narrow) {
		SPDK_ERRLOG("iova_mode \"va\" needs %u bits and an IOMMU here has %u: use "
			    "\"mapped\", or leave it open\n",
			    needed, device_bits);
		return -ENOTSUP;
	} else {
		*kind = UDMA_IOVA_VA;
	}
	return 0;
}

static int
start_memory(const struct spdk_env_opts *opts, const struct udma_pci_reach *reach,
	     const struct udma_emulated_config *emulated)
{
	unsigned bits = udma_iova_ranges_bits(&reach->ranges);
	enum udma_iova_kind kind;
	int rc;

	if (emulated->count > 0) {
		bits = spdk_min(bits, emulated->iova_bits);
	}
	rc = choose_kind(opts, reach->physical, bits, &kind);
	if (rc == 0) {
		if (kind == UDMA_IOVA_MAPPED) {
			bits = spdk_min(bits, MAPPED_DEFAULT_BITS);
		}
		rc = udma_memory_init(opts, kind, bits);
	}
	if (rc == 0) {
		udma_domains_limit(&reach->ranges);
	}
	return rc;
}

/** What could not be started is ended again. */
static int
start(const struct spdk_env_opts *opts)
{
	struct udma_emulated_config emulated;
	struct udma_pci_reach reach;
	int rc = udma_emulated_parse(getenv("UDMA_EMULATE"), &emulated);

	if (rc != 0) {
		return rc;
	}
	rc = udma_cores_init(opts);
	if (rc != 0) {
		return rc;
	}
	/* Before memory: the devices say at what addresses they can see it. */
	rc = udma_pci_init(opts, &reach);
	if (rc != 0) {
		goto no_pci;
	}
	rc = start_memory(opts, &reach, &emulated);
	if (rc != 0) {
		goto no_memory;
	}
	rc = udma_emulated_init(&emulated);
	if (rc != 0) {
		goto no_emulated;
	}
	g_initialized = true;
	return 0;

no_emulated:
	udma_memory_fini();
no_memory:
	udma_pci_fini();
no_pci:
	udma_cores_fini();
	return rc;
}

int
spdk_env_init(const struct spdk_env_opts *user_opts)
{
	struct spdk_env_opts opts;

	if (g_initialized) {
		SPDK_ERRLOG(
			"the environment has been started already: spdk_env_fini() comes first\n");
		return -EINVAL;
	}
	spdk_env_opts_init(&opts);
	if (user_opts != NULL) {
		/* Fields that the program does not know keep their defaults. */
		size_t known = user_opts->opts_size;

		if (known < OPTS_SIZE_OLD || known > sizeof(opts)) {
			known = OPTS_SIZE_OLD;
		}
		memcpy(&opts, user_opts, known);
	}
	return start(&opts);
}

void
spdk_env_fini(void)
{
	if (!g_initialized) {
		return;
	}
	udma_ioat_fini();
	udma_pci_fini();
	udma_emulated_fini();
	udma_memory_fini();
	udma_cores_fini();
	g_initialized = false;
}
