/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Starting the environment and bringing up channels.
 */

#ifndef UDMA_TOOL_DEVICE_H
#define UDMA_TOOL_DEVICE_H

#include "udma/ioat.h"

#define MAX_CHANNELS  224
#define ADDRESS_BYTES 32
/* As a number of channels wanted: all there are. */
#define ALL_CHANNELS 0

/* An engine that has completed nothing for so long will not any more. */
#define HANG_SECONDS 30.0

/** The lines of --help on the options of emulated channels, behind those on their number. */
#define HELP_EMULATE_OPTIONS                                                                       \
	"                     options: generation=snb, ivb, hsw, bdx, bwd, bdxde, skx or icx, "    \
	"or\n"                                                                                     \
	"                     a device id; xfercap=12..31 (log2 of the largest transfer);\n"       \
	"                     iova_bits=32..64; flip=N (spoil one byte in every N-th "             \
	"descriptor);\n"                                                                           \
	"                     fault=KIND[:NAME=VALUE]... (error:bit=8:every=1000, hang:at=50, "    \
	"...)\n"

/** A channel that is open. */
struct channel {
	struct spdk_ioat_chan *ioat;
	char address[ADDRESS_BYTES];
	const char *kind;              /* "emulated" or "real" */
	struct udma_ioat_stats before; /* its counters when it was brought up */
};

struct channels {
	struct channel list[MAX_CHANNELS];
	unsigned count;
	unsigned wanted;
};

/** Asks for emulated devices, as the option --emulate does. \param value as in UDMA_EMULATE. */
void device_emulate(const char *value);
/** The same. \param value "" for as many as `channels`. */
void device_emulate_channels(const char *value, unsigned channels);
/** \return whether emulated devices are asked for, by the option or by the environment. */
bool device_is_emulating(void);
/** \return what was asked for, as in UDMA_EMULATE; NULL for nothing. */
const char *device_emulation(void);
/**
 * Leaves channels of other NUMA nodes, and those whose node is not known.
 *
 * \param text a value of --numa. \return STATUS_OK; STATUS_USAGE, said.
 */
int device_choose_numa(const char *text);
/** \return the node that was chosen; -1 for none. */
int device_numa(void);
/** \return "emulated" or "real". */
const char *device_kind(const struct spdk_pci_device *device);

/** Starts the environment. \param no_pci leaves real devices alone. \return an exit status, said.
 */
int device_start(bool no_pci);
/** Says that there is no channel, and the ways to one. */
void device_explain_none(void);

/** Brings channels up: emulated ones if they were asked for, else real ones. \return an exit
 * status. */
int channels_open(struct channels *channels, unsigned wanted);
/** Stops the engines, at once if a signal has asked for that. Once it returns they write nothing
 * any more. */
void channels_close(struct channels *channels);
/** \return what a channel has done since it was opened. */
struct udma_ioat_stats channel_stats(const struct channel *channel);

#endif
