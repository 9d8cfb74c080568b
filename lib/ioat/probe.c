/* SPDX-License-Identifier: BSD-3-Clause */

/* Finding channels: each unattached I/OAT function is offered, and brought up if it is wanted. */

#include "channel.h"

#include "spdk/log.h"

struct probe {
	void *cb_ctx;
	spdk_ioat_probe_cb probe_cb;
	spdk_ioat_attach_cb attach_cb;
	unsigned attached;
	int error; /* of the last function that could not be brought up */
};

/** \return 0: taken; 1: left, and offered again next time; < 0: failed. */
static int
offer(void *ctx, struct spdk_pci_device *device)
{
	struct probe *probe = ctx;
	struct spdk_ioat_chan *chan;
	int rc;

	if (!probe->probe_cb(probe->cb_ctx, device)) {
		return 1;
	}
	rc = udma_ioat_attach(device, &chan);
	if (rc != 0) {
		probe->error = rc;
		return rc;
	}
	probe->attached++;
	/* The program may detach the channel in it, which gives the function back: from here on
	 * neither is ours to touch. */
	probe->attach_cb(probe->cb_ctx, device, chan);
	return 0;
}

int
spdk_ioat_probe(void *cb_ctx, spdk_ioat_probe_cb probe_cb, spdk_ioat_attach_cb attach_cb)
{
	struct probe probe = {.cb_ctx = cb_ctx, .probe_cb = probe_cb, .attach_cb = attach_cb};
	int rc;

	if (probe_cb == NULL || attach_cb == NULL) {
		SPDK_ERRLOG("probing for I/OAT channels needs both callbacks\n");
		return -EINVAL;
	}
	rc = spdk_pci_enumerate(spdk_pci_ioat_get_driver(), offer, &probe);
	if (rc == 0 || probe.attached > 0) {
		return 0;
	}
	/* Without a function that failed, it was the enumeration: the environment is not started.
	 */
	return probe.error != 0 ? probe.error : -EINVAL;
}
