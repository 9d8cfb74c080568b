/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Mixes copies and fills of random size and place, and compares each with what the CPU expects in
 * its callback, which then submits the next. Targets are the elements of one pool of 512 KiB
 * buffers, which all cores share.
 */

#include "program.h"

#define BUFFERS     256
#define BUFFER_SIZE (512ull * 1024)
/* Bytes around a target that nothing may be written to. */
#define GUARD      64
#define GUARD_BYTE 0x5a
#define LARGEST    (BUFFER_SIZE - 2 * GUARD)

struct worker {
	const struct options *options;
	struct channel *channel;
	struct spdk_mempool *tasks;
	struct spdk_mempool *buffers;
	const char *source; /* BUFFER_SIZE random bytes, shared */
	uint64_t random;
	uint64_t outstanding;
	uint64_t copies;
	uint64_t fills;
	uint64_t end;
	bool failed;
};

struct task {
	struct worker *worker;
	char *buffer;
	uint64_t offset; /* of the target in the buffer */
	uint64_t size;
	const char *source; /* NULL for a fill */
	uint64_t pattern;
};

static void
fail(struct worker *worker, const struct task *task, const char *what, int error)
{
	if (!worker->failed) {
		fprintf(stderr,
			"%s: %s: %s: %s of %" PRIu64 " bytes to offset %" PRIu64 ", after %" PRIu64
			" copies and %" PRIu64 " fills\n",
			worker->channel->name, what, strerror(-error),
			task->source != NULL ? "copy" : "fill", task->size, task->offset,
			worker->copies, worker->fills);
	}
	worker->failed = true;
}

static bool
all_bytes_are(const char *memory, char byte, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (memory[i] != byte) {
			return false;
		}
	}
	return true;
}

static bool
is_filled(const char *memory, uint64_t pattern, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if ((uint8_t)memory[i] != (uint8_t)(pattern >> i % 8 * 8)) {
			return false;
		}
	}
	return true;
}

static void
check(const struct task *task)
{
	const char *target = task->buffer + task->offset;
	bool same = task->source != NULL ? memcmp(target, task->source, task->size) == 0
					 : is_filled(target, task->pattern, task->size);

	if (!same) {
		fail(task->worker, task, "wrong bytes", -EILSEQ);
	}
	if (!all_bytes_are(target - GUARD, GUARD_BYTE, GUARD) ||
	    !all_bytes_are(target + task->size, GUARD_BYTE, GUARD)) {
		fail(task->worker, task, "bytes beside the target were written", -EILSEQ);
	}
}

static void start_one(struct worker *worker);

static void
done(void *arg)
{
	struct task *task = arg;
	struct worker *worker = task->worker;

	worker->outstanding--;
	check(task);
	if (task->source != NULL) {
		worker->copies++;
	} else {
		worker->fills++;
	}
	spdk_mempool_put(worker->buffers, task->buffer);
	spdk_mempool_put(worker->tasks, task);
	if (!worker->failed && spdk_get_ticks() < worker->end) {
		start_one(worker);
	}
}

/** Chooses what a task is to do, and prepares its target. */
static void
choose(struct worker *worker, struct task *task)
{
	struct spdk_ioat_chan *ioat = worker->channel->ioat;
	bool can_fill = spdk_ioat_get_dma_capabilities(ioat) & SPDK_IOAT_ENGINE_FILL_SUPPORTED;
	char *target;

	task->worker = worker;
	task->size = 1 + random_below(&worker->random, worker->options->size);
	task->offset = GUARD + random_below(&worker->random, LARGEST - task->size + 1);
	task->source = NULL;
	task->pattern = random_next(&worker->random);
	if (!can_fill || task->pattern % 2) {
		task->source = worker->source +
			       random_below(&worker->random, BUFFER_SIZE - task->size + 1);
	}
	target = task->buffer + task->offset;
	memset(target - GUARD, GUARD_BYTE, GUARD);
	memset(target + task->size, GUARD_BYTE, GUARD);
}

static void
start_one(struct worker *worker)
{
	struct task *task = spdk_mempool_get(worker->tasks);
	int rc;

	if (task == NULL) {
		fprintf(stderr, "%s: the pool of tasks is empty\n", worker->channel->name);
		worker->failed = true;
		return;
	}
	task->buffer = spdk_mempool_get(worker->buffers);
	if (task->buffer == NULL) {
		fprintf(stderr, "%s: the pool of buffers is empty\n", worker->channel->name);
		worker->failed = true;
		return;
	}
	choose(worker, task);
	if (task->source != NULL) {
		rc = spdk_ioat_submit_copy(worker->channel->ioat, task, done,
					   task->buffer + task->offset, task->source, task->size);
	} else {
		rc = spdk_ioat_submit_fill(worker->channel->ioat, task, done,
					   task->buffer + task->offset, task->pattern, task->size);
	}
	if (rc != 0) {
		fail(worker, task, "refused", rc);
		return;
	}
	worker->outstanding++;
}

static int
work(void *arg)
{
	struct worker *worker = arg;

	worker->end = spdk_get_ticks() + worker->options->seconds * spdk_get_ticks_hz();
	for (uint64_t i = 0; i < worker->options->depth && !worker->failed; i++) {
		start_one(worker);
	}
	/* Each submit has announced its request, so polling is all that is left to do. */
	while (!worker->failed && worker->outstanding > 0) {
		int rc = spdk_ioat_process_events(worker->channel->ioat);

		if (rc < 0) {
			fprintf(stderr, "%s: the channel failed: %s\n", worker->channel->name,
				strerror(-rc));
			worker->failed = true;
		}
	}
	return 0;
}

static bool
worker_init(struct worker *worker, struct channel *channel, unsigned index)
{
	char name[SPDK_MAX_MEMPOOL_NAME_LEN];

	worker->channel = channel;
	worker->random = index;
	snprintf(name, sizeof(name), "tasks %u", index);
	worker->tasks = spdk_mempool_create(name, worker->options->depth, sizeof(struct task),
					    SPDK_MEMPOOL_DEFAULT_CACHE_SIZE, SPDK_ENV_NUMA_ID_ANY);
	return worker->tasks != NULL;
}

static bool
worker_report(const struct worker *worker)
{
	if (worker->failed || worker->outstanding > 0) {
		return false;
	}
	printf("%s: %" PRIu64 " copies and %" PRIu64 " fills verified\n", worker->channel->name,
	       worker->copies, worker->fills);
	return worker->copies + worker->fills > 0 &&
	       spdk_mempool_count(worker->tasks) == worker->options->depth;
}

static bool
run_workers(struct worker *workers, unsigned count, struct channels *channels)
{
	for (unsigned i = 0; i < count; i++) {
		if (!worker_init(&workers[i], &channels->list[i], i)) {
			return false;
		}
	}
	if (!run_on_all_cores(work, workers, sizeof(*workers))) {
		return false;
	}
	for (unsigned i = 0; i < count; i++) {
		if (!worker_report(&workers[i])) {
			return false;
		}
	}
	return spdk_mempool_count(workers[0].buffers) == BUFFERS;
}

static bool
run(const struct options *options)
{
	unsigned cores = spdk_env_get_core_count();
	struct worker *workers = calloc(cores, sizeof(*workers));
	struct spdk_mempool *buffers =
		spdk_mempool_create("buffers", BUFFERS, BUFFER_SIZE,
				    SPDK_MEMPOOL_DEFAULT_CACHE_SIZE, SPDK_ENV_NUMA_ID_ANY);
	char *source = spdk_dma_zmalloc(BUFFER_SIZE, 0, NULL);
	struct channels channels;
	uint64_t random = 1;
	bool good = false;

	if (workers != NULL && buffers != NULL && source != NULL &&
	    channels_attach(&channels, cores)) {
		random_fill(&random, source, BUFFER_SIZE);
		for (unsigned i = 0; i < cores; i++) {
			workers[i].options = options;
			workers[i].buffers = buffers;
			workers[i].source = source;
		}
		good = run_workers(workers, cores, &channels);
		good &= channels_detach(&channels);
	}
	for (unsigned i = 0; workers != NULL && i < cores; i++) {
		spdk_mempool_free(workers[i].tasks);
	}
	spdk_dma_free(source);
	spdk_mempool_free(buffers);
	free(workers);
	return good;
}

int
main(int argc, char **argv)
{
	struct options options = {.seconds = 2, .core_mask = "0x1", .depth = 32, .size = LARGEST};
	struct spdk_env_opts env = {.opts_size = sizeof(env)};
	bool good = false;

	if (!options_parse(&options, argc, argv)) {
		return 2;
	}
	spdk_env_opts_init(&env);
	env.name = "verify";
	env.core_mask = options.core_mask;
	if (spdk_env_init(&env) != 0) {
		return 1;
	}
	if (options.size > LARGEST || options.depth > BUFFERS / spdk_env_get_core_count()) {
		fprintf(stderr, "at most %llu bytes, and %d requests on all cores together\n",
			LARGEST, BUFFERS);
	} else {
		good = run(&options);
	}
	spdk_env_fini();
	return good ? 0 : 1;
}
