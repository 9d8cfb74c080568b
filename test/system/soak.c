/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A soak: random copies and fills of every size and alignment, against the CPU's result.
 *
 * Each channel has a thread of its own, with a source of random bytes, a target, and a mirror of
 * the target that the CPU keeps: what the engine is asked to write there, the CPU writes here. Each
 * request is compared with the mirror in its callback, with some bytes on both sides of it that
 * must be as they were; and the whole of the target each time it has been gone through. The same
 * seed asks for the same requests.
 */

#include <getopt.h>

#include "program.h"

#include "spdk/string.h"
#include "spdk/util.h"

#define MIB         ((uint64_t)1024 * 1024)
#define SOURCE_SIZE (8 * MIB)
#define TARGET_SIZE (16 * MIB)
/* The target is registered in two parts, so that requests run over the seam. */
#define TARGET_SEAM (5 * MIB)
#define LARGEST     (4 * MIB)
#define LARGEST_LOG 22
/* Bytes checked on both sides of what a request writes. */
#define GUARD 32
/* Bytes between two requests: at least both guards, and then any alignment. */
#define GAP        (2 * GUARD)
#define GAP_RANDOM 4096
#define MAX_DEPTH  256

struct request {
	struct soak *soak;
	uint64_t number;
	uint64_t target;  /* offset */
	uint64_t source;  /* offset, for a copy */
	uint64_t pattern; /* for a fill */
	uint64_t size;
	bool fill;
};

struct soak {
	pthread_t thread;
	unsigned index;
	struct channel *channel;
	uint64_t seed;
	uint64_t random; /* chooses the requests */
	uint64_t pace;   /* chooses when to flush and poll, which depends on the time */
	uint64_t seconds;
	uint64_t end; /* ticks */
	char *source;
	char *target;
	char *mirror;
	struct request requests[MAX_DEPTH];
	uint64_t started;
	uint64_t finished;
	uint64_t bytes; /* read by the thread that shows progress */
	bool failed;
};

/* ---- Comparing ---- */

static void
print_request(const struct soak *soak, const struct request *request)
{
	fprintf(stderr, "soak: seed %" PRIu64 ", channel %u (%s), request %" PRIu64 ": ",
		soak->seed, soak->index, soak->channel->name, request->number);
	if (request->fill) {
		fprintf(stderr, "fill with %#018" PRIx64, request->pattern);
	} else {
		fprintf(stderr, "copy from offset %" PRIu64, request->source);
	}
	fprintf(stderr, " to offset %" PRIu64 ", %" PRIu64 " bytes: ", request->target,
		request->size);
}

/** \return the first offset in [from, to) where target and mirror differ; `to` if they do not. */
static uint64_t
first_difference(const struct soak *soak, uint64_t from, uint64_t to)
{
	if (memcmp(soak->target + from, soak->mirror + from, to - from) == 0) {
		return to;
	}
	while (from < to && soak->target[from] == soak->mirror[from]) {
		from++;
	}
	return from;
}

static void
check(struct soak *soak, const struct request *request)
{
	uint64_t from = request->target - GUARD;
	uint64_t to = request->target + request->size + GUARD;
	uint64_t at = first_difference(soak, from, to);

	if (at == to || soak->failed) {
		return;
	}
	soak->failed = true;
	print_request(soak, request);
	fprintf(stderr,
		"MISMATCH at offset %" PRIu64 " of the target (byte %" PRId64
		" of the request%s): expected %#04x, got %#04x\n",
		at, (int64_t)(at - request->target),
		at - request->target < request->size ? "" : ", outside of it",
		(uint8_t)soak->mirror[at], (uint8_t)soak->target[at]);
}

/** Unless it has failed nothing is outstanding: every byte of the target must be the mirror's. */
static void
check_all(struct soak *soak)
{
	uint64_t at = soak->failed ? TARGET_SIZE : first_difference(soak, 0, TARGET_SIZE);

	if (at < TARGET_SIZE) {
		soak->failed = true;
		fprintf(stderr,
			"soak: seed %" PRIu64 ", channel %u (%s), after request %" PRIu64
			": MISMATCH at offset %" PRIu64
			" of the target, which no request wrote to: expected %#04x, got %#04x\n",
			soak->seed, soak->index, soak->channel->name, soak->started, at,
			(uint8_t)soak->mirror[at], (uint8_t)soak->target[at]);
	}
}

/* ---- Requests ---- */

static void
finish(void *arg)
{
	struct request *request = arg;
	struct soak *soak = request->soak;

	soak->finished++;
	__atomic_fetch_add(&soak->bytes, request->size, __ATOMIC_RELAXED);
	check(soak, request);
}

/** Every order of magnitude is as likely as any other; the small ones are where the edges are. */
static uint64_t
random_size(uint64_t *random)
{
	uint64_t limit = 1ull << random_below(random, LARGEST_LOG + 1);

	return random_below(random, limit + 1);
}

/** The CPU does in the mirror what the engine is asked to do in the target. */
static void
write_mirror(struct soak *soak, const struct request *request)
{
	char *to = soak->mirror + request->target;

	if (!request->fill) {
		memcpy(to, soak->source + request->source, request->size);
		return;
	}
	for (uint64_t i = 0; i < request->size; i++) {
		to[i] = (char)(request->pattern >> i % 8 * 8);
	}
}

static void
poll_once(struct soak *soak)
{
	int rc = spdk_ioat_process_events(soak->channel->ioat);

	if (rc < 0 && !soak->failed) {
		soak->failed = true;
		fprintf(stderr, "soak: seed %" PRIu64 ", channel %u (%s): the channel failed: %s\n",
			soak->seed, soak->index, soak->channel->name, strerror(-rc));
	}
}

static void
drain(struct soak *soak)
{
	spdk_ioat_flush(soak->channel->ioat);
	while (!soak->failed && soak->finished < soak->started) {
		poll_once(soak);
	}
}

/** Builds, or builds and flushes: one is as good as the other. */
static int
build(struct soak *soak, struct request *request)
{
	struct spdk_ioat_chan *ioat = soak->channel->ioat;
	char *target = soak->target + request->target;
	bool submit = random_below(&soak->pace, 4) == 0;

	if (request->fill) {
		return (submit ? spdk_ioat_submit_fill : spdk_ioat_build_fill)(
			ioat, request, finish, target, request->pattern, request->size);
	}
	return (submit ? spdk_ioat_submit_copy : spdk_ioat_build_copy)(
		ioat, request, finish, target, soak->source + request->source, request->size);
}

static void
start_one(struct soak *soak, uint64_t offset, uint64_t size, bool can_fill)
{
	struct request *request = &soak->requests[soak->started % MAX_DEPTH];
	int rc;

	request->soak = soak;
	request->number = soak->started;
	request->target = offset;
	request->size = size;
	request->source = random_below(&soak->random, SOURCE_SIZE - size + 1);
	request->pattern = random_next(&soak->random);
	request->fill = can_fill && random_below(&soak->random, 3) == 0;
	write_mirror(soak, request);
	while ((rc = build(soak, request)) == -ENOMEM && !soak->failed) {
		poll_once(soak);
	}
	if (rc == 0) {
		soak->started++;
	} else if (!soak->failed) {
		soak->failed = true;
		print_request(soak, request);
		fprintf(stderr, "refused: %s\n", strerror(-rc));
	}
}

/** Goes through the target once, from its start to its end. */
static void
pass(struct soak *soak, bool can_fill)
{
	uint64_t depth = 1 + random_below(&soak->random, MAX_DEPTH);
	uint64_t offset = 0;

	while (!soak->failed && spdk_get_ticks() < soak->end) {
		uint64_t size = random_size(&soak->random);

		offset += GAP + random_below(&soak->random, GAP_RANDOM);
		if (offset + size + GAP > TARGET_SIZE) {
			break;
		}
		start_one(soak, offset, size, can_fill);
		offset += size;
		if (soak->started - soak->finished == depth) {
			spdk_ioat_flush(soak->channel->ioat);
			while (!soak->failed && soak->started - soak->finished == depth) {
				poll_once(soak);
			}
		} else if (random_below(&soak->pace, 8) == 0) {
			poll_once(soak);
		}
	}
	drain(soak);
	check_all(soak);
}

static void *
work(void *arg)
{
	struct soak *soak = arg;
	bool can_fill = spdk_ioat_get_dma_capabilities(soak->channel->ioat) &
			SPDK_IOAT_ENGINE_FILL_SUPPORTED;

	random_fill(&soak->random, soak->source, SOURCE_SIZE);
	random_fill(&soak->random, soak->target, TARGET_SIZE);
	memcpy(soak->mirror, soak->target, TARGET_SIZE);
	/* Preparing takes long under valgrind, and is not the soak. */
	soak->end = spdk_get_ticks() + soak->seconds * spdk_get_ticks_hz();
	do {
		pass(soak, can_fill);
	} while (!soak->failed && spdk_get_ticks() < soak->end);
	return NULL;
}

/* ---- The whole ---- */

/** The source is DMA memory, the target ordinary memory that is registered. */
static bool
soak_init(struct soak *soak)
{
	soak->mirror = malloc(TARGET_SIZE);
	soak->source = spdk_dma_malloc(SOURCE_SIZE, 0, NULL);
	soak->target =
		mmap(NULL, TARGET_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return soak->mirror != NULL && soak->source != NULL && soak->target != MAP_FAILED &&
	       spdk_mem_register(soak->target, TARGET_SEAM) == 0 &&
	       spdk_mem_register(soak->target + TARGET_SEAM, TARGET_SIZE - TARGET_SEAM) == 0;
}

static bool
soak_fini(struct soak *soak)
{
	bool good = spdk_mem_unregister(soak->target, TARGET_SIZE) == 0;

	munmap(soak->target, TARGET_SIZE);
	spdk_dma_free(soak->source);
	free(soak->mirror);
	return good;
}

/** Until the end, if somebody is watching. */
static void
show_progress(const struct soak *soaks, unsigned count)
{
	uint64_t start = spdk_get_ticks();
	uint64_t hz = spdk_get_ticks_hz();
	uint64_t end = start + soaks->seconds * hz;

	while (isatty(STDERR_FILENO) && spdk_get_ticks() < end) {
		uint64_t bytes = 0;

		for (unsigned i = 0; i < count; i++) {
			bytes += __atomic_load_n(&soaks[i].bytes, __ATOMIC_RELAXED);
		}
		fprintf(stderr, "\rsoak: %" PRIu64 " of %" PRIu64 " s, %" PRIu64 " MiB ",
			(spdk_get_ticks() - start) / hz, soaks->seconds, bytes / MIB);
		usleep(200000);
	}
	if (isatty(STDERR_FILENO)) {
		fprintf(stderr, "\n");
	}
}

static bool
soak_all(struct soak *soaks, unsigned count)
{
	uint64_t requests = 0;
	uint64_t bytes = 0;
	bool good = true;
	unsigned running = 0;

	while (good && running < count) {
		good = pthread_create(&soaks[running].thread, NULL, work, &soaks[running]) == 0;
		running += good;
	}
	show_progress(soaks, count);
	for (unsigned i = 0; i < running; i++) {
		pthread_join(soaks[i].thread, NULL);
		good &= !soaks[i].failed;
		requests += soaks[i].finished;
		bytes += soaks[i].bytes;
	}
	printf("soak: %u channels, %" PRIu64 " requests, %" PRIu64 " MiB: %s\n", count, requests,
	       bytes / MIB, good ? "no mismatch" : "FAILED");
	return good && requests > 0;
}

static bool
run(uint64_t seconds, uint64_t seed, unsigned count)
{
	struct soak *soaks = calloc(count, sizeof(*soaks));
	struct channels channels;
	bool good = soaks != NULL && channels_attach(&channels, count);
	unsigned ready = 0;

	if (!good) {
		free(soaks);
		return false;
	}
	for (; good && ready < count; ready++) {
		soaks[ready].index = ready;
		soaks[ready].channel = &channels.list[ready];
		soaks[ready].seed = seed;
		soaks[ready].random = seed + ((uint64_t)ready << 32);
		soaks[ready].pace = ~soaks[ready].random;
		soaks[ready].seconds = seconds;
		good = soak_init(&soaks[ready]);
	}
	good = good && soak_all(soaks, count);
	good &= channels_detach(&channels);
	for (unsigned i = 0; i < ready; i++) {
		good &= soak_fini(&soaks[i]);
	}
	free(soaks);
	return good;
}

int
main(int argc, char **argv)
{
	const struct option names[] = {
		{"seconds", required_argument, NULL, 's'},
		{"seed", required_argument, NULL, 'r'},
		{"channels", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	long seconds = 5;
	long seed = (long)(time(NULL) % 1000000000);
	long count = 1;
	int option;
	bool good;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		long *number = option == 's' ? &seconds : option == 'r' ? &seed : &count;

		if (option == '?' || (*number = spdk_strtol(optarg, 0)) < 0) {
			fprintf(stderr, "usage: %s [--seconds S] [--seed X] [--channels N]\n",
				argv[0]);
			return 2;
		}
	}
	if (count < 1 || count > MAX_CHANNELS || seconds < 1) {
		fprintf(stderr, "soak: 1 to %u channels, and a second at least\n", MAX_CHANNELS);
		return 2;
	}
	printf("soak: seed %ld\n", seed);
	fflush(stdout);
	if (spdk_env_init(NULL) != 0) {
		return 1;
	}
	good = run((uint64_t)seconds, (uint64_t)seed, (unsigned)count);
	spdk_env_fini();
	return good ? 0 : 1;
}
