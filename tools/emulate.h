/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the files of udma emulate tell each other.
 */

#ifndef UDMA_TOOL_EMULATE_H
#define UDMA_TOOL_EMULATE_H

#include "vfio_user/server.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#define MAX_FUNCTIONS 64

/** One function: a socket, a server, a thread. */
struct served {
	unsigned index;
	const char *path; /* NULL: a descriptor was given */
	int given_fd;     /* that; -1 if it was not */
	int listen_fd;
	int client_fd;
	dev_t device; /* of the socket that was made, so that no other is removed */
	ino_t inode;
	struct udma_vu_server *server;
	pthread_t thread;
	bool running;
	int result;
};

/* emulate_socket.c */

/** Makes the socket at `served->path`, or looks at what was given. \return 0; a negative errno,
 * said. */
int emulate_socket_open(struct served *served);
/** Closes it, and takes its name away. */
void emulate_socket_close(struct served *served);

/* emulate_control.c */

/** Reads the text of a fault. \param what is called so. \return 0; -EINVAL, said. */
int emulate_fault(const char *what, const char *text, struct udma_fault *fault);
/** Does what standard input says, which can be read. \return whether more may come. */
bool emulate_control(struct served *list, unsigned count);

/* emulate_report.c */

/** Chooses between lines to read and JSON. */
void emulate_report_init(bool json, bool quiet);
/** \return 0; a negative errno, said, if standard output did not take all that was told. */
int emulate_report_check(void);
/** The function can be attached now. */
void emulate_report_ready(const struct served *served, uint16_t device_id);
/** Tells what happens to a function; from its thread. `ctx` is the struct served. */
void emulate_report_event(void *ctx, enum udma_vu_event event, uint32_t detail);
/** A fault was injected; NULL: all were withdrawn. */
void emulate_report_fault(const struct served *served, const char *fault);
/** Shows how things are, on a terminal. */
void emulate_report_status(const struct served *list, unsigned count);
/** Says what was done. */
void emulate_report_end(const struct served *list, unsigned count);

#endif
