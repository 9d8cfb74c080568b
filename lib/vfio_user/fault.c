/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Faults for a function that is being served: another thread hands one over, and waits until the
 * server's has it in effect.
 */

#include "server_internal.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int
udma_vu_faults_init(struct udma_vu_server *server)
{
	pthread_mutex_init(&server->faults.lock, NULL);
	pthread_cond_init(&server->faults.answered, NULL);
	server->faults.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return server->faults.fd >= 0 ? 0 : -errno;
}

void
udma_vu_faults_fini(struct udma_vu_server *server)
{
	if (server->faults.fd >= 0) {
		close(server->faults.fd);
	}
	pthread_cond_destroy(&server->faults.answered);
	pthread_mutex_destroy(&server->faults.lock);
}

int
udma_vu_server_inject(struct udma_vu_server *server, const struct udma_fault *fault)
{
	struct udma_vu_faults *faults = &server->faults;
	const uint64_t one = 1;
	int rc;

	pthread_mutex_lock(&faults->lock);
	faults->fault = fault;
	faults->asked = true;
	(void)!write(faults->fd, &one, sizeof(one));
	while (faults->asked && !faults->ended) {
		pthread_cond_wait(&faults->answered, &faults->lock);
	}
	rc = faults->asked ? -ESHUTDOWN : faults->rc;
	faults->asked = false;
	pthread_mutex_unlock(&faults->lock);
	return rc;
}

void
udma_vu_faults_take(struct udma_vu_server *server)
{
	struct udma_vu_faults *faults = &server->faults;
	uint64_t count;

	(void)!read(faults->fd, &count, sizeof(count));
	pthread_mutex_lock(&faults->lock);
	if (faults->asked) {
		if (faults->fault != NULL) {
			faults->rc = udma_emu_inject(server->emu, faults->fault);
		} else {
			udma_emu_withdraw(server->emu);
			faults->rc = 0;
		}
		if (server->bar_fd >= 0) {
			udma_emu_watch_publish(&server->watch);
		}
		faults->asked = false;
		pthread_cond_signal(&faults->answered);
	}
	pthread_mutex_unlock(&faults->lock);
}

void
udma_vu_faults_end(struct udma_vu_server *server)
{
	pthread_mutex_lock(&server->faults.lock);
	server->faults.ended = true;
	pthread_cond_signal(&server->faults.answered);
	pthread_mutex_unlock(&server->faults.lock);
}
