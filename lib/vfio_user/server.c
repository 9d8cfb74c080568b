/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The life of a server: clients come and go, the engine works.
 */

#include "server_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Commands carried out, and descriptors, before the other side has its turn. */
#define COMMANDS_PER_TURN 64
#define STEPS_PER_TURN    64

/*
 * A BAR that is polled is looked at without a pause while a start may be near: Linux gives a
 * channel 20 us to leave HALTED. Afterwards naps grow, to a look every millisecond.
 */
#define START_US   2000000
#define AWAKE_US   200
#define NAP_MIN_US 20
#define NAP_MAX_US 1000

#define REG_CHANSTS 0x88
#define REG_CHANERR 0xA8
#define STATE       7
#define ACTIVE      0
#define HALTED      3

void
udma_vu_tell(struct udma_vu_server *server, enum udma_vu_event event, uint32_t detail)
{
	if (server->options.event != NULL) {
		server->options.event(server->options.ctx, event, detail);
	}
}

/* ---- What the device asks of its host ---- */

static void *
grant(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	struct udma_vu_server *server = ctx;
	const struct udma_vu_region *region = udma_vu_dma_find(&server->dma, iova);
	uint64_t into;

	if (region == NULL || region->memory == NULL ||
	    !(region->flags & (write ? UDMA_VU_DMA_WRITABLE : UDMA_VU_DMA_READABLE))) {
		return NULL;
	}
	into = iova - region->address;
	*len = *len < region->size - into ? *len : region->size - into;
	return region->memory + into;
}

/* ---- Coming and going ---- */

/** Makes a BAR that a client can map. */
static int
make_bar(int *bar_fd, uint8_t **bar)
{
	void *mapped;

	*bar_fd = memfd_create("udma-bar0", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	/* The client has it as well: it must not become shorter under us. */
	if (*bar_fd < 0 || ftruncate(*bar_fd, UDMA_EMU_BAR_SIZE) != 0 ||
	    fcntl(*bar_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		return -errno;
	}
	mapped = mmap(NULL, UDMA_EMU_BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		      *bar_fd, 0);
	if (mapped == MAP_FAILED) {
		return -errno;
	}
	*bar = mapped;
	return 0;
}

static void
free_bar(struct udma_vu_server *server)
{
	if (server->watch.bar != NULL) {
		munmap(server->watch.bar, UDMA_EMU_BAR_SIZE);
	}
	if (server->bar_fd >= 0) {
		close(server->bar_fd);
	}
}

/** A client that has left may still have the BAR mapped: the next one gets another. */
static int
renew_bar(struct udma_vu_server *server)
{
	uint8_t *bar = NULL;
	int bar_fd, rc;

	if (server->bar_fd < 0) {
		return 0;
	}
	rc = make_bar(&bar_fd, &bar);
	if (rc != 0) {
		if (bar_fd >= 0) {
			close(bar_fd);
		}
		return rc;
	}
	memcpy(bar, server->watch.bar, UDMA_EMU_BAR_SIZE);
	free_bar(server);
	server->bar_fd = bar_fd;
	server->watch.bar = bar;
	return 0;
}

static int
make_device(struct udma_vu_server *server)
{
	static const struct udma_emu_host host = {
		.grant = grant,
		.read = udma_vu_socket_read,
		.write = udma_vu_socket_write,
		.interrupt = udma_vu_interrupt,
	};

	server->options.device.msix_table_in_host = true;
	server->emu = udma_emu_create(&server->options.device, &host, server);
	if (server->emu == NULL) {
		return -errno;
	}
	server->scratch = malloc(UDMA_VU_MAX_XFER);
	if (server->scratch == NULL) {
		return -ENOMEM;
	}
	server->dma.max_mapped = server->options.max_mappings;
	server->watch.emu = server->emu;
	for (unsigned i = 0; i < server->options.fault_count; i++) {
		int rc = udma_emu_inject(server->emu, &server->options.faults[i]);

		if (rc != 0) {
			return rc;
		}
	}
	return server->options.polled ? make_bar(&server->bar_fd, &server->watch.bar) : 0;
}

struct udma_vu_server *
udma_vu_server_create(const struct udma_vu_server_options *options)
{
	struct udma_vu_server *server = calloc(1, sizeof(*server));
	int rc;

	if (server == NULL) {
		return NULL;
	}
	server->options = *options;
	server->link.fd = -1;
	server->bar_fd = -1;
	udma_vu_irqs_init(server);
	udma_vu_signaller_init(&server->signaller);
	rc = udma_vu_faults_init(server);
	if (rc == 0) {
		rc = make_device(server);
	}
	if (rc != 0) {
		udma_vu_server_destroy(server);
		errno = -rc;
		return NULL;
	}
	udma_vu_publish(server);
	return server;
}

void
udma_vu_server_destroy(struct udma_vu_server *server)
{
	free_bar(server);
	udma_emu_destroy(server->emu);
	udma_vu_faults_fini(server);
	udma_vu_signaller_fini(&server->signaller);
	free(server->scratch);
	free(server);
}

struct udma_vu_server_counts
udma_vu_server_counts(const struct udma_vu_server *server)
{
	const struct udma_vu_server_counts *counts = &server->counts;

	return (struct udma_vu_server_counts){
		.messages = __atomic_load_n(&counts->messages, __ATOMIC_RELAXED),
		.descriptors = __atomic_load_n(&counts->descriptors, __ATOMIC_RELAXED),
		.interrupts = __atomic_load_n(&counts->interrupts, __ATOMIC_RELAXED),
		.clients = __atomic_load_n(&counts->clients, __ATOMIC_RELAXED),
		.connected = __atomic_load_n(&counts->connected, __ATOMIC_RELAXED),
	};
}

void
udma_vu_publish(struct udma_vu_server *server)
{
	if (server->bar_fd >= 0) {
		udma_emu_watch_publish_all(&server->watch);
	}
}

static int
connect_client(struct udma_vu_server *server, int fd)
{
	int rc = renew_bar(server);

	if (rc != 0) {
		close(fd);
		return rc;
	}
	rc = udma_vu_link_open(&server->link, fd);
	if (rc == 0) {
		server->negotiated = false;
		server->may_run = false;
		server->was_full = false;
		server->broken = 0;
		__atomic_store_n(&server->counts.connected, true, __ATOMIC_RELAXED);
		UDMA_VU_COUNT(server, clients, 1);
		udma_vu_tell(server, UDMA_VU_EVENT_CONNECTED, 0);
	}
	return rc;
}

/** The device stays as it is, without memory and with nobody to interrupt (section 1). */
static void
disconnect_client(struct udma_vu_server *server)
{
	uint32_t error = server->broken == -ECONNRESET ? 0 : (uint32_t)-server->broken;

	udma_vu_drop_deferred(server);
	udma_vu_irqs_release(server);
	udma_vu_dma_unmap_all(&server->dma);
	udma_vu_link_close(&server->link);
	server->may_run = false;
	server->broken = 0;
	__atomic_store_n(&server->counts.connected, false, __ATOMIC_RELAXED);
	udma_vu_tell(server, UDMA_VU_EVENT_DISCONNECTED, error);
}

static void
accept_client(struct udma_vu_server *server)
{
	int fd;

	if (server->link.fd >= 0) {
		udma_vu_refuse(server);
		return;
	}
	fd = udma_vu_accept(server);
	if (fd >= 0) {
		connect_client(server, fd);
	}
}

/* ---- The engine ---- */

/** Tells of a halt once. */
static void
notice_halt(struct udma_vu_server *server)
{
	uint32_t chanerr = (uint32_t)udma_emu_read(server->emu, REG_CHANERR, 4);
	bool halted =
		chanerr != 0 && (udma_emu_read(server->emu, REG_CHANSTS, 4) & STATE) == HALTED;

	if (halted && !server->was_halted) {
		udma_vu_tell(server, UDMA_VU_EVENT_HALTED, chanerr);
	}
	server->was_halted = halted;
}

static void
let_time_pass(struct udma_vu_server *server)
{
	uint64_t now = udma_vu_now_us(), passed = now - server->elapsed_at_us;
	bool waits = udma_emu_interrupt_due(server->emu) != UINT32_MAX;
	bool begins = waits && !server->waits;

	server->elapsed_at_us = now;
	server->waits = waits;
	/* The time before it has begun to wait is not of its time. */
	if (!waits || begins) {
		return;
	}
	udma_emu_elapse(server->emu, passed < UINT32_MAX ? (uint32_t)passed : UINT32_MAX);
}

/** \return whether the engine has more to do. */
static bool
let_engine_work(struct udma_vu_server *server)
{
	bool more = server->may_run && server->link.fd >= 0 &&
		    (udma_emu_read(server->emu, REG_CHANSTS, 4) & STATE) == ACTIVE;
	unsigned steps = 0;

	while (more && steps < STEPS_PER_TURN && server->broken == 0 && !server->dma.lost) {
		more = udma_emu_step(server->emu);
		steps++;
	}
	__atomic_store_n(&server->counts.descriptors, udma_emu_completed(server->emu),
			 __ATOMIC_RELAXED);
	if (server->dma.lost) {
		server->broken = -EFAULT;
	}
	if (server->bar_fd >= 0) {
		udma_emu_watch_publish(&server->watch);
	}
	notice_halt(server);
	return more && server->broken == 0;
}

/* ---- The client ---- */

/** Follows a stream that cannot be followed any more only as far as to say so. */
static void
hear_nonsense(struct udma_vu_server *server)
{
	udma_vu_reply_error(server, &server->link.in.header, EINVAL);
	server->broken = -EPROTO;
}

/** Carries out what the client has sent, as far as a turn goes. */
static void
hear_client(struct udma_vu_server *server)
{
	struct udma_vu_message message;
	unsigned done = 0;

	while (server->broken == 0 && udma_vu_take_deferred(server, &message)) {
		udma_vu_execute(server, &message);
		udma_vu_free_message(&message);
		let_engine_work(server);
	}
	while (server->broken == 0 && done++ < COMMANDS_PER_TURN) {
		int rc = udma_vu_link_receive(&server->link);

		if (rc == -EPROTO) {
			hear_nonsense(server);
		} else if (rc < 0) {
			server->broken = rc;
		}
		if (rc <= 0) {
			return;
		}
		udma_vu_execute(server, &server->link.in);
		udma_vu_link_done(&server->link);
		let_engine_work(server);
		if (server->deferred_count > 0) {
			return;
		}
	}
}

/* ---- Waiting ---- */

/** \return how long nothing has to be looked at, in us; UINT64_MAX without an end. */
static uint64_t
time_to_sleep(struct udma_vu_server *server, bool more, uint64_t idle_us)
{
	uint32_t due = udma_emu_interrupt_due(server->emu);
	uint64_t us = due == UINT32_MAX ? UINT64_MAX : due, nap;
	bool halted = (udma_emu_read(server->emu, REG_CHANSTS, 4) & STATE) == HALTED;

	if (more || server->deferred_count > 0) {
		return 0;
	}
	if (udma_vu_poll_listen_fd(server) != server->listen_fd && us > UDMA_VU_ACCEPT_AGAIN_US) {
		us = UDMA_VU_ACCEPT_AGAIN_US;
	}
	if (server->bar_fd < 0 || server->link.fd < 0) {
		return us;
	}
	if (idle_us < (halted && server->may_run ? START_US : AWAKE_US)) {
		return 0;
	}
	nap = NAP_MIN_US + idle_us / 16;
	nap = nap < NAP_MAX_US ? nap : NAP_MAX_US;
	return us < nap ? us : nap;
}

/** Sleeps, and deals with what has come. \return whether to stop. */
static bool
wait_and_hear(struct udma_vu_server *server, uint64_t us)
{
	struct pollfd fds[] = {
		{.fd = server->stop_fd, .events = POLLIN},
		{.fd = udma_vu_poll_listen_fd(server), .events = POLLIN},
		{.fd = server->link.fd, .events = POLLIN},
		{.fd = server->irqs[UDMA_VU_IRQ_INTX].unmask_fd, .events = POLLIN},
		{.fd = server->faults.fd, .events = POLLIN},
	};
	struct timespec timeout = {.tv_sec = (time_t)(us / 1000000),
				   .tv_nsec = (long)(us % 1000000) * 1000};

	if (udma_vu_link_has_output(&server->link)) {
		fds[2].events |= POLLOUT;
	}
	if (ppoll(fds, 5, us == UINT64_MAX ? NULL : &timeout, NULL) < 0) {
		return false;
	}
	if (fds[0].revents != 0) {
		return true;
	}
	if (fds[4].revents != 0) {
		udma_vu_faults_take(server);
	}
	if (fds[3].revents != 0) {
		udma_vu_irqs_unmask_signalled(server);
	}
	if ((fds[2].revents & POLLOUT) && server->broken == 0) {
		server->broken = udma_vu_link_flush(&server->link);
	}
	if ((fds[2].revents & ~POLLOUT) != 0 || server->deferred_count > 0) {
		hear_client(server);
	}
	/* Last: what it had sent may hold the only trace of a client that has left, its own end. */
	if (fds[1].revents != 0 && server->broken == 0) {
		accept_client(server);
	}
	return false;
}

int
udma_vu_server_run(struct udma_vu_server *server, int listen_fd, int client_fd, int stop_fd)
{
	uint64_t active_at = udma_vu_now_us();
	bool stop = false;
	int rc = 0;

	server->listen_fd = listen_fd;
	server->stop_fd = stop_fd;
	server->elapsed_at_us = active_at;
	udma_vu_dma_guard_thread(&server->dma);
	if (client_fd >= 0) {
		rc = connect_client(server, client_fd);
	}
	while (rc == 0 && !stop) {
		bool seen = server->bar_fd >= 0 && server->link.fd >= 0 &&
			    udma_emu_watch_look(&server->watch);
		bool more = let_engine_work(server);

		server->may_run |= seen;
		if (seen || more) {
			active_at = udma_vu_now_us();
		}
		stop = wait_and_hear(
			server, time_to_sleep(server, more || seen, udma_vu_now_us() - active_at));
		let_time_pass(server);
		if (server->broken != 0) {
			disconnect_client(server);
			stop |= listen_fd < 0;
		}
	}
	if (server->link.fd >= 0) {
		disconnect_client(server);
	}
	udma_vu_dma_guard_thread(NULL);
	udma_vu_faults_end(server);
	return rc;
}
