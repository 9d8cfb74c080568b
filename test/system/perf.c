/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Keeps many copies outstanding on every core, and drains them when the time is up.
 *
 * Each core has a channel and a pool of tasks. A callback gives its task back, takes one out again
 * and builds the next copy; the doorbell is rung for every half of the depth. Every copy is
 * compared with its source.
 */

#include "program.h"

#define SOURCES 7

struct worker {
	const struct options *options;
	struct channel *channel;
	struct spdk_mempool *tasks;
	struct spdk_mempool *targets;
	char *sources; /* SOURCES buffers, different, never written to again */
	uint64_t random;
	uint64_t built; /* not yet announced */
	uint64_t outstanding;
	uint64_t completed;
	bool draining;
	bool failed;
};

struct task {
	struct worker *worker;
	const char *source;
	char *target;
};

static void
fail(struct worker *worker, const char *what, int error)
{
	if (!worker->failed) {
		fprintf(stderr, "%s: %s: %s, after %" PRIu64 " copies\n", worker->channel->name,
			what, strerror(-error), worker->completed);
	}
	worker->failed = true;
}

static void start_one(struct worker *worker);

static void
copied(void *arg)
{
	struct task *task = arg;
	struct worker *worker = task->worker;

	worker->outstanding--;
	if (memcmp(task->target, task->source, worker->options->size) != 0) {
		fail(worker, "a copy differs from its source", -EILSEQ);
	}
	worker->completed++;
	spdk_mempool_put(worker->targets, task->target);
	spdk_mempool_put(worker->tasks, task);
	if (!worker->draining && !worker->failed) {
		start_one(worker);
	}
}

static void
start_one(struct worker *worker)
{
	struct task *task = spdk_mempool_get(worker->tasks);
	uint64_t size = worker->options->size;
	int rc;

	/* As many as the depth, and one has just been given back. */
	if (task == NULL) {
		fail(worker, "the pool of tasks is empty", -ENOMEM);
		return;
	}
	task->worker = worker;
	task->source = worker->sources + random_below(&worker->random, SOURCES) * size;
	task->target = spdk_mempool_get(worker->targets);
	if (task->target == NULL) {
		fail(worker, "the pool of targets is empty", -ENOMEM);
		return;
	}
	/* Both ends are wrong until the copy is made, whatever was here before. */
	task->target[0] = ~task->source[0];
	task->target[size - 1] = ~task->source[size - 1];
	rc = spdk_ioat_build_copy(worker->channel->ioat, task, copied, task->target, task->source,
				  size);
	if (rc != 0) {
		fail(worker, "a copy was refused", rc);
		return;
	}
	worker->outstanding++;
	if (++worker->built >= worker->options->depth / 2) {
		spdk_ioat_flush(worker->channel->ioat);
		worker->built = 0;
	}
}

static void
poll_once(struct worker *worker)
{
	int rc = spdk_ioat_process_events(worker->channel->ioat);

	if (rc < 0) {
		fail(worker, "the channel failed", rc);
	}
}

static int
work(void *arg)
{
	struct worker *worker = arg;
	uint64_t end = spdk_get_ticks() + worker->options->seconds * spdk_get_ticks_hz();

	for (uint64_t i = 0; i < worker->options->depth && !worker->failed; i++) {
		start_one(worker);
	}
	while (!worker->failed && spdk_get_ticks() < end) {
		poll_once(worker);
	}
	worker->draining = true;
	spdk_ioat_flush(worker->channel->ioat);
	while (!worker->failed && worker->outstanding > 0) {
		poll_once(worker);
	}
	return 0;
}

static bool
worker_init(struct worker *worker, const struct options *options, struct channel *channel,
	    unsigned index)
{
	char name[SPDK_MAX_MEMPOOL_NAME_LEN];

	worker->options = options;
	worker->channel = channel;
	worker->random = index;
	snprintf(name, sizeof(name), "tasks %u", index);
	worker->tasks = spdk_mempool_create(name, options->depth, sizeof(struct task),
					    SPDK_MEMPOOL_DEFAULT_CACHE_SIZE, SPDK_ENV_NUMA_ID_ANY);
	snprintf(name, sizeof(name), "targets %u", index);
	worker->targets =
		spdk_mempool_create(name, options->depth, options->size,
				    SPDK_MEMPOOL_DEFAULT_CACHE_SIZE, SPDK_ENV_NUMA_ID_ANY);
	worker->sources = spdk_dma_zmalloc(SOURCES * options->size, 0, NULL);
	if (worker->tasks == NULL || worker->targets == NULL || worker->sources == NULL) {
		fprintf(stderr, "no memory for %" PRIu64 " copies of %" PRIu64 " bytes\n",
			options->depth, options->size);
		return false;
	}
	random_fill(&worker->random, worker->sources, SOURCES * options->size);
	return true;
}

/** Prints what a worker has done. \return whether all of it was right. */
static bool
worker_fini(struct worker *worker)
{
	bool good = !worker->failed && worker->outstanding == 0 && worker->completed > 0;

	if (good) {
		printf("%s: %" PRIu64 " copies of %" PRIu64 " bytes verified\n",
		       worker->channel->name, worker->completed, worker->options->size);
	}
	if (good && (spdk_mempool_count(worker->tasks) != worker->options->depth ||
		     spdk_mempool_count(worker->targets) != worker->options->depth)) {
		fprintf(stderr, "%s: something is missing in the pools\n", worker->channel->name);
		good = false;
	}
	return good;
}

static void
worker_free(struct worker *worker)
{
	spdk_dma_free(worker->sources);
	spdk_mempool_free(worker->targets);
	spdk_mempool_free(worker->tasks);
}

static bool
run(const struct options *options)
{
	unsigned cores = spdk_env_get_core_count();
	struct worker *workers = calloc(cores, sizeof(*workers));
	struct channels channels;
	bool good;

	if (workers == NULL || !channels_attach(&channels, cores)) {
		free(workers);
		return false;
	}
	good = true;
	for (unsigned i = 0; i < cores && good; i++) {
		good = worker_init(&workers[i], options, &channels.list[i], i);
	}
	good = good && run_on_all_cores(work, workers, sizeof(*workers));
	for (unsigned i = 0; i < cores && good; i++) {
		good = worker_fini(&workers[i]);
	}
	/* The engine has stopped when its buffers are freed. */
	good &= channels_detach(&channels);
	for (unsigned i = 0; i < cores; i++) {
		worker_free(&workers[i]);
	}
	free(workers);
	return good;
}

int
main(int argc, char **argv)
{
	struct options options = {.seconds = 2, .core_mask = "0x1", .depth = 256, .size = 4096};
	struct spdk_env_opts env = {.opts_size = sizeof(env)};
	bool good;

	if (!options_parse(&options, argc, argv)) {
		return 2;
	}
	spdk_env_opts_init(&env);
	env.name = "perf";
	env.core_mask = options.core_mask;
	if (spdk_env_init(&env) != 0) {
		return 1;
	}
	good = run(&options);
	spdk_env_fini();
	return good ? 0 : 1;
}
