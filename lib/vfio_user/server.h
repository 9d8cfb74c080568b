/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A vfio-user server of one emulated I/OAT function: a socket, one client at a time.
 *
 * udma_vu_server_run() is the life of a thread; several servers share nothing. The device belongs
 * to the server, and outlives its clients: one that leaves takes its memory, its eventfds and the
 * engine's leave to go on with it, and nothing else (section 1).
 */

#ifndef UDMA_VFIO_USER_SERVER_H
#define UDMA_VFIO_USER_SERVER_H

#include "udma/emu.h"
#include "udma/fault.h"

struct udma_vu_server;

/** What a server tells its owner, from its own thread. */
enum udma_vu_event {
	UDMA_VU_EVENT_CONNECTED,
	UDMA_VU_EVENT_REFUSED,      /* a second client */
	UDMA_VU_EVENT_DISCONNECTED, /* detail: an errno, 0 if the client has left */
	UDMA_VU_EVENT_HALTED,       /* detail: CHANERR */
	UDMA_VU_EVENT_RESET,
	UDMA_VU_EVENT_NOT_ACCEPTED, /* detail: an errno; the client waits, and it is tried again */
	UDMA_VU_EVENT_FULL,         /* of mappings; detail: how many */
};

struct udma_vu_server_options {
	struct udma_emu_config device;   /* msix_table_in_host is set by the server */
	const struct udma_fault *faults; /* in effect from the beginning */
	unsigned fault_count;
	bool polled;           /* BAR0's registers can be mapped, and are watched */
	unsigned max_mappings; /* of a client's memory, by the kernel; 0: as many as it asks for */
	void (*event)(void *ctx, enum udma_vu_event event, uint32_t detail); /* may be NULL */
	void *ctx;
};

/** What a server has done; each may be read at any time. */
struct udma_vu_server_counts {
	uint64_t messages;
	uint64_t descriptors; /* carried out with success */
	uint64_t interrupts;
	uint64_t clients;
	bool connected;
};

/** \return a server; NULL, with errno, if it cannot be made. */
struct udma_vu_server *udma_vu_server_create(const struct udma_vu_server_options *options);
void udma_vu_server_destroy(struct udma_vu_server *server);

/**
 * Serves until `stop_fd` can be read.
 *
 * \param listen_fd a listening socket; -1 if there is none.
 * \param client_fd a connected one; -1: the first client comes through the listening one.
 * \return 0; without a listening socket also once the client has left. A negative errno if it
 * cannot go on.
 */
int udma_vu_server_run(struct udma_vu_server *server, int listen_fd, int client_fd, int stop_fd);

/**
 * Injects a fault (udma/fault.h), from another thread than the server's; it is in effect when this
 * returns. At a removal only the registers tell of it: the connection stays.
 *
 * \param fault NULL: withdraws all.
 * \return as udma_emu_inject(); -ESHUTDOWN if the server has ended.
 */
int udma_vu_server_inject(struct udma_vu_server *server, const struct udma_fault *fault);

struct udma_vu_server_counts udma_vu_server_counts(const struct udma_vu_server *server);

#endif
