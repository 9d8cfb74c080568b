/* SPDX-License-Identifier: BSD-3-Clause */

/* From nothing to channels that take requests, and what to say where there are none. */

#include "device.h"
#include "stop.h"
#include "tool.h"

#include "spdk/string.h"
#include "udma/pci.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define EMULATE_VARIABLE "UDMA_EMULATE"

void
device_emulate(const char *value)
{
	setenv(EMULATE_VARIABLE, value, 1);
}

void
device_emulate_channels(const char *value, unsigned channels)
{
	char same_number[16];

	snprintf(same_number, sizeof(same_number), "%u", channels);
	device_emulate(value[0] != '\0' ? value : same_number);
}

const char *
device_emulation(void)
{
	return getenv(EMULATE_VARIABLE);
}

bool
device_is_emulating(void)
{
	const char *value = device_emulation();

	return value != NULL && value[0] != '\0' && strcmp(value, "0") != 0;
}

static int g_numa = -1;

int
device_choose_numa(const char *text)
{
	uint64_t node;
	int status = option_number("--numa", text, 0, INT_MAX, &node);

	g_numa = status == STATUS_OK ? (int)node : -1;
	return status;
}

int
device_numa(void)
{
	return g_numa;
}

const char *
device_kind(const struct spdk_pci_device *device)
{
	return strcmp(spdk_pci_device_get_type(device), "emulated") == 0 ? "emulated" : "real";
}

int
device_start(bool no_pci)
{
	struct spdk_env_opts opts;
	int rc;

	opts.opts_size = sizeof(opts);
	spdk_env_opts_init(&opts);
	opts.name = "udma";
	opts.no_pci = no_pci;
	rc = spdk_env_init(&opts); /* says itself what is wrong */
	if (rc == 0) {
		return STATUS_OK;
	}
	return rc == -EINVAL ? STATUS_USAGE : STATUS_FAILED;
}

/** The functions in sysfs, as far as they matter to somebody who has no channel. */
struct census {
	unsigned count;
	unsigned usable;
	struct udma_pci_function first;
};

static int
count_function(void *ctx, const struct udma_pci_function *function)
{
	struct census *census = ctx;

	if (census->count++ == 0) {
		census->first = *function;
	}
	census->usable += function->usable;
	return 0;
}

void
device_explain_none(void)
{
	struct census census = {0};
	char address[ADDRESS_BYTES];

	udma_pci_scan(count_function, &census);
	if (census.count == 0) {
		complain("no I/OAT channel: this machine has none. On one that has, 'udma setup "
			 "config' (scripts/setup.sh) binds it to vfio-pci; here, use an emulated "
			 "one: --emulate");
		return;
	}
	if (census.usable > 0) {
		complain("no I/OAT channel was offered, although %u of the machine's %u are bound "
			 "to vfio-pci or a UIO driver: try again, or use an emulated one: "
			 "--emulate",
			 census.usable, census.count);
		return;
	}
	spdk_pci_addr_fmt(address, sizeof(address), &census.first.addr);
	complain("no I/OAT channel to use: none of the machine's %u is bound to vfio-pci or a UIO "
		 "driver (%s: %s). As root, 'udma setup config' (scripts/setup.sh) does that; or "
		 "use an emulated one: --emulate",
		 census.count, address,
		 census.first.driver[0] != '\0' ? census.first.driver : "no driver");
}

static bool
is_wanted(void *ctx, struct spdk_pci_device *device)
{
	const struct channels *channels = ctx;

	return (g_numa < 0 || spdk_pci_device_get_numa_id(device) == g_numa) &&
	       channels->count < MAX_CHANNELS &&
	       (channels->wanted == ALL_CHANNELS || channels->count < channels->wanted);
}

static void
add_channel(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *ioat)
{
	struct channels *channels = ctx;
	struct channel *channel = &channels->list[channels->count++];
	struct spdk_pci_addr address = spdk_pci_device_get_addr(device);

	channel->ioat = ioat;
	channel->kind = device_kind(device);
	spdk_pci_addr_fmt(channel->address, sizeof(channel->address), &address);
	udma_ioat_get_stats(ioat, &channel->before, sizeof(channel->before));
}

int
channels_open(struct channels *channels, unsigned wanted)
{
	/* Who asks for emulated channels does not want a real one in their place. */
	int status = device_start(device_is_emulating());
	int rc;

	channels->count = 0;
	channels->wanted = wanted;
	if (status != STATUS_OK) {
		return status;
	}
	rc = spdk_ioat_probe(channels, is_wanted, add_channel);
	if (rc == 0 && channels->count > 0 &&
	    (wanted == ALL_CHANNELS || channels->count == wanted)) {
		return STATUS_OK;
	}
	if (rc != 0) {
		complain("no channel could be brought up: %s", spdk_strerror(-rc));
		status = STATUS_FAILED;
	} else if (channels->count == 0 && g_numa >= 0) {
		complain("no channel is known to be on NUMA node %d; 'udma list' shows where they "
			 "are",
			 g_numa);
		status = STATUS_USAGE;
	} else if (channels->count == 0) {
		device_explain_none();
		status = STATUS_USAGE;
	} else {
		complain("%u channels were asked for, and there %s %u: use --channels=%u, or "
			 "--emulate=%u",
			 wanted, channels->count == 1 ? "is" : "are", channels->count,
			 channels->count, wanted);
		status = STATUS_USAGE;
	}
	channels_close(channels);
	return status;
}

void
channels_close(struct channels *channels)
{
	for (unsigned i = 0; i < channels->count; i++) {
		struct spdk_ioat_chan *ioat = channels->list[i].ioat;

		/* A detach lets the engine finish, which takes seconds where it hangs: nobody who
		 * has pressed Ctrl-C wants to wait for what is thrown away. */
		if (stop_signal() != 0) {
			udma_ioat_abort(ioat);
		}
		spdk_ioat_detach(ioat);
	}
	channels->count = 0;
	spdk_env_fini();
}

struct udma_ioat_stats
channel_stats(const struct channel *channel)
{
	struct udma_ioat_stats stats;

	udma_ioat_get_stats(channel->ioat, &stats, sizeof(stats));
	stats.requests -= channel->before.requests;
	stats.completed -= channel->before.completed;
	stats.descriptors -= channel->before.descriptors;
	stats.doorbells -= channel->before.doorbells;
	stats.failed -= channel->before.failed;
	return stats;
}
