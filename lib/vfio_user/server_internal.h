/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the server's files tell each other.
 *
 *   server.c      the life of a server: clients come and go, the engine works
 *   commands.c    what each command does and answers
 *   version.c     the negotiation (section 4)
 *   irqs.c        eventfds and their masks (section 7)
 *   fault.c       faults that are injected while it serves
 *   socket_dma.c  memory that is reached by messages (section 9)
 *   dma.c         the memory that is mapped (section 5)
 *   link.c        bytes and messages (sections 1 and 2)
 */

#ifndef UDMA_VFIO_USER_SERVER_INTERNAL_H
#define UDMA_VFIO_USER_SERVER_INTERNAL_H

#include "dma.h"
#include "link.h"
#include "server.h"

#include "emu/watch.h"

#include <pthread.h>

/** An interrupt of the device, as a client hears it. */
struct udma_vu_irq_state {
	int fd;        /* the eventfd, -1 for none */
	int unmask_fd; /* an eventfd that unmasks it, -1 for none */
	bool masked;
	bool pending; /* it came while it was masked */
	bool line;    /* INTx: its level */
};

/** A fault on its way from another thread. */
struct udma_vu_faults {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	int fd;                         /* an eventfd: something is asked */
	const struct udma_fault *fault; /* NULL: withdraw all */
	bool asked;
	bool ended; /* nobody answers any more */
	int rc;
};

struct udma_vu_server {
	struct udma_vu_server_options options;
	struct udma_emu *emu;
	struct udma_emu_watch watch; /* polled: its BAR */
	int bar_fd;                  /* polled: the memory of that; else -1 */

	/* The connection. */
	struct udma_vu_link link;
	int listen_fd, stop_fd;
	bool negotiated;
	bool may_run; /* this client has touched the device: the engine may work for it */
	unsigned client_max_fds;
	uint32_t client_max_xfer;
	struct udma_vu_dma dma;
	struct udma_vu_irq_state irqs[UDMA_VU_IRQS];
	int broken; /* a negative errno: the connection must end */

	/* Commands that came while the server waited for a reply of its own. */
	struct udma_vu_message *deferred;
	unsigned deferred_count, deferred_next, deferred_room;
	size_t deferred_bytes;
	uint16_t next_id;

	uint8_t *scratch; /* UDMA_VU_MAX_XFER bytes: what was read of a region */
	struct udma_vu_server_counts counts;
	bool was_halted;
	struct udma_vu_faults faults;
	bool waits;             /* the device, for time to pass */
	uint64_t elapsed_at_us; /* until when the device knows that time has passed */
};

/** Adds to a count that other threads read. */
#define UDMA_VU_COUNT(server, what, n)                                                             \
	__atomic_fetch_add(&(server)->counts.what, (n), __ATOMIC_RELAXED)

/* server.c */

void udma_vu_tell(struct udma_vu_server *server, enum udma_vu_event event, uint32_t detail);
/** Refuses whoever else wants to be a client, unless the client has left. */
void udma_vu_refuse(struct udma_vu_server *server);
/** Lets a driver see a reset at once. */
void udma_vu_publish(struct udma_vu_server *server);

/* commands.c */

/** Carries a command out and answers it. Sets `server->broken` if the connection must end. */
void udma_vu_execute(struct udma_vu_server *server, struct udma_vu_message *message);
/** Answers with an error. */
void udma_vu_reply_error(struct udma_vu_server *server, const struct udma_vu_header *header,
			 int error);

/* version.c */

/** Reads what a client proposes. \return 0 and the answer; -EINVAL. */
int udma_vu_negotiate(struct udma_vu_server *server, const void *payload, size_t size,
		      struct udma_vu_version *version, const char **json);

/* irqs.c */

void udma_vu_irqs_init(struct udma_vu_server *server);
/** Forgets a client's eventfds and masks. */
void udma_vu_irqs_release(struct udma_vu_server *server);
/** \return how many interrupts the device has of a kind. */
uint32_t udma_vu_irq_count(const struct udma_vu_server *server, uint32_t index);
/** DEVICE_SET_IRQS. */
int udma_vu_set_irqs(struct udma_vu_server *server, struct udma_vu_message *message);
/** The device interrupts. */
void udma_vu_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt);
/** The eventfd that unmasks INTx can be read. */
void udma_vu_irqs_unmask_signalled(struct udma_vu_server *server);

/* fault.c */

int udma_vu_faults_init(struct udma_vu_server *server);
void udma_vu_faults_fini(struct udma_vu_server *server);
/** Takes what another thread has to hand over. */
void udma_vu_faults_take(struct udma_vu_server *server);
/** The server ends: nobody need wait for it. */
void udma_vu_faults_end(struct udma_vu_server *server);

/* socket_dma.c */

uint64_t udma_vu_socket_read(void *ctx, uint64_t address, void *buf, uint64_t len);
uint64_t udma_vu_socket_write(void *ctx, uint64_t address, const void *buf, uint64_t len);
/** Takes the next deferred command. \return false if there is none. */
bool udma_vu_take_deferred(struct udma_vu_server *server, struct udma_vu_message *message);
/** Frees a message that was taken. */
void udma_vu_free_message(struct udma_vu_message *message);
/** Forgets all deferred commands. */
void udma_vu_drop_deferred(struct udma_vu_server *server);

#endif
