/* SPDX-License-Identifier: BSD-3-Clause */

/* What the whole programs here share: see program.h. */

#include "program.h"

#include "spdk/string.h"

static bool
usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [-t seconds] [-c core mask] [-q requests outstanding] [-o bytes]\n",
		program);
	return false;
}

static bool
parse_number(uint64_t *number, const char *text)
{
	long value = spdk_strtol(text, 0);

	*number = (uint64_t)value;
	return value > 0;
}

bool
options_parse(struct options *options, int argc, char **argv)
{
	bool good = true;
	int option;

	while (good && (option = getopt(argc, argv, "t:c:q:o:")) != -1) {
		switch (option) {
		case 't':
			good = parse_number(&options->seconds, optarg);
			break;
		case 'c':
			options->core_mask = optarg;
			break;
		case 'q':
			good = parse_number(&options->depth, optarg);
			break;
		case 'o':
			good = parse_number(&options->size, optarg);
			break;
		default:
			good = false;
		}
	}
	return (good && optind == argc) || usage(argv[0]);
}

/* ---- Channels ---- */

static bool
want(void *ctx, struct spdk_pci_device *device)
{
	struct channels *channels = ctx;

	(void)device;
	return channels->count < channels->wanted;
}

static void
keep(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *ioat)
{
	struct channels *channels = ctx;
	struct channel *channel = &channels->list[channels->count++];

	channel->ioat = ioat;
	snprintf(channel->name, sizeof(channel->name), "%04x:%02x:%02x.%x",
		 spdk_pci_device_get_domain(device) & 0xffff, spdk_pci_device_get_bus(device),
		 spdk_pci_device_get_dev(device), spdk_pci_device_get_func(device) & 0xf);
}

bool
channels_attach(struct channels *channels, unsigned wanted)
{
	memset(channels, 0, sizeof(*channels));
	channels->wanted = wanted;
	if (wanted > MAX_CHANNELS) {
		fprintf(stderr, "%u channels asked for, %u is the most\n", wanted, MAX_CHANNELS);
		return false;
	}
	if (spdk_ioat_probe(channels, want, keep) != 0) {
		fprintf(stderr, "the channels cannot be brought up\n");
		channels_detach(channels);
		return false;
	}
	if (channels->count < wanted) {
		fprintf(stderr,
			"%u channels needed and %u found: bind more, or set UDMA_EMULATE=%u\n",
			wanted, channels->count, wanted);
		channels_detach(channels);
		return false;
	}
	return true;
}

/** Counts what is on offer, and takes nothing. */
static int
count_offered(void *ctx, struct spdk_pci_device *device)
{
	(void)device;
	++*(unsigned *)ctx;
	return 1;
}

bool
channels_detach(struct channels *channels)
{
	unsigned before = 0;
	unsigned after = 0;

	if (spdk_pci_enumerate(spdk_pci_ioat_get_driver(), count_offered, &before) != 0) {
		return false;
	}
	for (unsigned i = 0; i < channels->count; i++) {
		spdk_ioat_detach(channels->list[i].ioat);
	}
	if (spdk_pci_enumerate(spdk_pci_ioat_get_driver(), count_offered, &after) != 0 ||
	    after != before + channels->count) {
		fprintf(stderr, "%u channels detached, %u came back\n", channels->count,
			after - before);
		return false;
	}
	return true;
}

/* ---- Cores ---- */

bool
run_on_all_cores(thread_start_fn fn, void *arguments, size_t size)
{
	uint32_t own = spdk_env_get_current_core();
	char *argument = arguments;
	char *own_argument = NULL;
	bool good = true;
	uint32_t core;

	SPDK_ENV_FOREACH_CORE (core) {
		if (core == own) {
			own_argument = argument;
		} else if (spdk_env_thread_launch_pinned(core, fn, argument) != 0) {
			good = false;
		}
		argument += size;
	}
	if (own_argument != NULL) {
		fn(own_argument);
	}
	spdk_env_thread_wait_all();
	return good && own_argument != NULL;
}
