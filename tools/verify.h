/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * One verification, as its parts share it.
 *
 * Each channel has a thread of its own, which asks it for random copies and fills. The sources are
 * shared by all; the targets are the thread's, and each has a mirror that the CPU keeps: what the
 * engine is asked to write in the target, the CPU writes in the mirror. Each request is compared
 * with the mirror when it has finished, with what lies around it; and everything from time to time.
 */

#ifndef UDMA_TOOL_VERIFY_H
#define UDMA_TOOL_VERIFY_H

#include "device.h"
#include "patience.h"

#include "spdk/cpuset.h"

#include <pthread.h>

/* ---- verify_memory.c ---- */

enum memory_kind {
	MEMORY_DMA,      /* spdk_dma_malloc() */
	MEMORY_ORDINARY, /* registered in pieces, so that requests run over their seams */
	MEMORY_KINDS,
};

/** Memory that engines read or write. It begins at a page. */
struct area {
	enum memory_kind kind;
	char *bytes;
	char *mirror; /* NULL for a source */
	uint64_t size;
};

/** \return the size of an area for requests of up to `max_size` bytes. */
uint64_t area_size(uint64_t max_size);
/**
 * \param random chooses the seams.
 * \return 0; a negative errno, said. What there is then goes with area_free() all the same.
 */
int area_init(struct area *area, enum memory_kind kind, uint64_t size, bool has_mirror,
	      uint64_t *random);
/** Fills it, and its mirror, with random bytes. */
void area_fill(struct area *area, uint64_t *random);
/**
 * Registers it in other pieces, while nothing asked for touches it.
 *
 * \return 0; -EBUSY if it stays as it was, because some engine does not come to an end; another
 * negative errno.
 */
int area_change_seams(struct area *area, uint64_t *random);
/** \return the first offset in [from, to) where it differs from its mirror; `to` for none. */
uint64_t area_first_difference(const struct area *area, uint64_t from, uint64_t to);
/** \return how many bytes in [from, to) differ from the mirror. */
uint64_t area_count_differences(const struct area *area, uint64_t from, uint64_t to);
/** After spdk_env_fini(), which has taken back the registrations and the DMA memory. */
void area_free(struct area *area);
/** \return what to call a kind of memory. */
const char *memory_kind_text(enum memory_kind kind);

/* ---- The work ---- */

struct request {
	struct verifier *verifier;
	uint64_t number; /* on its channel, from 1 */
	uint64_t size;
	const struct area *target;
	uint64_t target_offset;
	bool fill;
	uint64_t pattern;          /* of a fill */
	const struct area *source; /* of a copy */
	uint64_t source_offset;
};

enum trouble {
	TROUBLE_NONE,
	TROUBLE_MISMATCH, /* in or around a request that has just finished */
	TROUBLE_STRAY,    /* somewhere in the targets */
	TROUBLE_REFUSED,  /* a request was */
	TROUBLE_FAILED,   /* the channel did */
	TROUBLE_HANG,
	TROUBLE_DISORDER, /* requests did not finish once each, in order */
	TROUBLE_MEMORY,   /* could not be registered */
};

#define TROUBLE_TEXT_BYTES 1024
#define COMMAND_BYTES      1024

/** The first that went wrong on a channel, and the last, because it is not used any further. */
struct verify_error {
	enum trouble trouble;
	int rc; /* a negative errno, 0 for none */
	bool has_request;
	struct request request;
	/* Of a difference: the first byte, and how many there are. */
	const struct area *area;
	uint64_t offset;
	uint8_t expected;
	uint8_t got;
	uint64_t inside; /* the request */
	uint64_t outside;
	char text[TROUBLE_TEXT_BYTES];
};

/** What is done with one channel. */
struct verifier {
	const struct verify_job *job;
	const struct channel *channel;
	pthread_t thread;
	int cpu; /* to run on, -1 for any */
	bool can_fill;
	uint64_t random; /* chooses the requests */
	uint64_t pace;   /* chooses when to flush and poll, which depends on the time */
	double end;
	struct area targets[MEMORY_KINDS];
	struct request *requests; /* those outstanding, by number */
	struct patience patience;
	uint64_t started;
	uint64_t copies, fills;
	bool keeps_seams; /* of its targets, from now on */
	bool is_given_up; /* told to stop, and the engine does not finish */
	struct verify_error error;
	/* Read by the main thread meanwhile. */
	uint64_t finished;
	uint64_t bytes;
	bool has_ended;
};

struct verify_job {
	double seconds; /* 0: no limit */
	uint64_t count; /* requests on each channel; 0: no limit */
	uint64_t seed;
	uint64_t depth;
	uint64_t max_size;
	const char *cores; /* NULL: wherever the kernel runs the threads */
	struct spdk_cpuset cpus;
	bool json;
	bool quiet;
	struct channels *channels;
	struct verifier *verifiers; /* one for each channel */
	unsigned verifier_count;
	struct area sources[MEMORY_KINDS];
	bool are_sources_changed;
	double elapsed;
};

#define DEFAULT_DEPTH    256
#define DEFAULT_MAX_SIZE ((uint64_t)2 << 20)
/* Bytes on both sides of what a request writes, which must be as they were. */
#define GUARD ((uint64_t)32)

/** verify_channel.c: asks a channel for requests until it is over. \param verifier of a thread. */
void *verify_channel(void *verifier);

/** verify_run.c: memory, threads and progress. \return 0; a negative errno, said. */
int verify_run(struct verify_job *job);
/** Frees what verify_run() has made, after the engines have been stopped. */
void verify_free(struct verify_job *job);

/* ---- What is said ---- */

/** verify_error.c: takes an error of a channel down, and says it. */
void verify_blame(struct verifier *verifier, const struct verify_error *error);
/** Says that a source has changed, which nothing was asked to do. */
void verify_blame_sources(const struct verify_job *job);
/** Writes the command line that asks each channel for the same again. \return `text`. */
const char *verify_repeat(const struct verify_job *job, uint64_t count, char *text, size_t size);
/** \return how many requests it takes to see an error again. */
uint64_t verify_error_count(const struct verifier *verifier);
/** \return how an error is called in JSON. */
const char *trouble_name(enum trouble trouble);

struct verify_sum {
	uint64_t requests, copies, fills, bytes, descriptors;
	unsigned errors;
};

struct verify_sum verify_sum(const struct verify_job *job);
/** verify_report.c: prints what has been verified. \return an exit status, said. */
int verify_report(const struct verify_job *job);

#endif
