/* SPDX-License-Identifier: BSD-3-Clause */

/* A verification as a whole: memory, a thread for each channel, and the wait for them. */

#include "verify.h"
#include "checksum.h"
#include "progress.h"
#include "random.h"
#include "stop.h"
#include "tool.h"

#include "spdk/util.h"

#include <errno.h>
#include <stdlib.h>

/* How often the main thread looks up: at the threads, for signals, and for the progress line. */
#define LOOK_UP_NS 10000000

#define NUMBER 32

/* ---- Memory ---- */

/** \return the memory that processes can still have; UINT64_MAX if that is not known. */
static uint64_t
available_memory(void)
{
	uint64_t kib = UINT64_MAX / 1024;
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1) {
			break;
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	return kib * 1024;
}

/** The kernel would grant it all, and end some process when it is used. */
static int
check_memory(const struct verify_job *job)
{
	uint64_t areas = MEMORY_KINDS + job->channels->count * 2 * MEMORY_KINDS;
	uint64_t needed = areas * area_size(job->max_size);
	uint64_t available = available_memory();
	char need[NUMBER], have[NUMBER];

	if (needed <= available) {
		return 0;
	}
	complain("this needs %s of memory, and %s are available; use fewer --channels or a smaller "
		 "--max-size",
		 size_text((double)needed, need, sizeof(need)),
		 size_text((double)available, have, sizeof(have)));
	return -ENOMEM;
}

static int
init_areas(struct area *areas, const struct verify_job *job, bool have_mirrors, uint64_t *random)
{
	int rc = 0;

	for (unsigned i = 0; i < MEMORY_KINDS && rc == 0; i++) {
		rc = area_init(&areas[i], (enum memory_kind)i, area_size(job->max_size),
			       have_mirrors, random);
	}
	return rc;
}

/** The lowest CPUs first, and from the beginning again when they are all taken. */
static int
next_cpu(const struct verify_job *job, int cpu)
{
	if (job->cores == NULL) {
		return -1;
	}
	do {
		cpu = (cpu + 1) % SPDK_CPUSET_SIZE;
	} while (!spdk_cpuset_get_cpu(&job->cpus, (uint32_t)cpu));
	return cpu;
}

static int
init_verifier(struct verifier *v)
{
	uint64_t random = v->job->seed;

	v->can_fill =
		spdk_ioat_get_dma_capabilities(v->channel->ioat) & SPDK_IOAT_ENGINE_FILL_SUPPORTED;
	v->random = random_next(&random) + (uint64_t)(v - v->job->verifiers);
	v->random = random_next(&v->random);
	v->pace = ~v->random;
	v->requests = calloc(v->job->depth, sizeof(*v->requests));
	if (v->requests == NULL) {
		complain("no memory for requests; use a smaller --depth");
		return -ENOMEM;
	}
	return init_areas(v->targets, v->job, true, &v->random);
}

static int
init_verifiers(struct verify_job *job)
{
	int cpu = -1;
	int rc = 0;

	job->verifiers = calloc(job->channels->count, sizeof(*job->verifiers));
	if (job->verifiers == NULL) {
		complain("no memory for %u channels", job->channels->count);
		return -ENOMEM;
	}
	job->verifier_count = job->channels->count;
	for (unsigned i = 0; i < job->verifier_count && rc == 0; i++) {
		struct verifier *v = &job->verifiers[i];

		v->job = job;
		v->channel = &job->channels->list[i];
		v->cpu = cpu = next_cpu(job, cpu);
		rc = init_verifier(v);
	}
	return rc;
}

static int
init_sources(struct verify_job *job)
{
	uint64_t random = job->seed;
	int rc = init_areas(job->sources, job, false, &random);

	for (unsigned i = 0; i < MEMORY_KINDS && rc == 0; i++) {
		area_fill(&job->sources[i], &random);
	}
	return rc;
}

void
verify_free(struct verify_job *job)
{
	for (unsigned i = 0; i < job->verifier_count; i++) {
		struct verifier *v = &job->verifiers[i];

		for (unsigned j = 0; j < MEMORY_KINDS; j++) {
			area_free(&v->targets[j]);
		}
		free(v->requests);
	}
	for (unsigned i = 0; i < MEMORY_KINDS; i++) {
		area_free(&job->sources[i]);
	}
	free(job->verifiers);
}

/* ---- Threads ---- */

/** Shows how much is done by all, and how much of it that is. */
static void
show_progress(const struct verify_job *job)
{
	double part = job->seconds > 0 ? job->elapsed / job->seconds : 0;
	uint64_t bytes = 0, finished = 0;

	for (unsigned i = 0; i < job->verifier_count; i++) {
		bytes += __atomic_load_n(&job->verifiers[i].bytes, __ATOMIC_RELAXED);
		finished += __atomic_load_n(&job->verifiers[i].finished, __ATOMIC_RELAXED);
	}
	if (job->count > 0) {
		part = spdk_max(part, (double)finished / (double)job->count / job->verifier_count);
	}
	progress_update_part(bytes, spdk_min(part, 1));
}

static bool
have_ended(const struct verify_job *job, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!__atomic_load_n(&job->verifiers[i].has_ended, __ATOMIC_ACQUIRE)) {
			return false;
		}
	}
	return true;
}

static int
run_threads(struct verify_job *job)
{
	struct timespec nap = {.tv_nsec = LOOK_UP_NS};
	double start = seconds_now();
	unsigned running = 0;
	int rc = 0;

	while (running < job->verifier_count && rc == 0) {
		struct verifier *v = &job->verifiers[running];

		rc = stop_start_thread(&v->thread, "udma-verify", verify_channel, v);
		running += rc == 0;
	}
	if (rc != 0) {
		stop_now();
	}
	while (!have_ended(job, running)) {
		job->elapsed = seconds_now() - start;
		show_progress(job);
		nanosleep(&nap, NULL);
	}
	for (unsigned i = 0; i < running; i++) {
		pthread_join(job->verifiers[i].thread, NULL);
	}
	job->elapsed = seconds_now() - start;
	return rc;
}

static uint32_t
checksum_of_sources(const struct verify_job *job)
{
	uint32_t crc = 0;

	for (unsigned i = 0; i < MEMORY_KINDS; i++) {
		const struct area *source = &job->sources[i];

		crc = checksum_append(crc, checksum_of(source->bytes, source->size), source->size);
	}
	return crc;
}

int
verify_run(struct verify_job *job)
{
	uint32_t before;
	int rc = check_memory(job);

	if (rc == 0) {
		rc = init_sources(job);
	}
	if (rc == 0) {
		rc = init_verifiers(job);
	}
	if (rc != 0) {
		return rc;
	}
	before = checksum_of_sources(job);
	if (!job->quiet) {
		progress_start("verify", SIZE_UNKNOWN);
	}
	rc = run_threads(job);
	progress_end();
	job->are_sources_changed = checksum_of_sources(job) != before;
	if (job->are_sources_changed) {
		verify_blame_sources(job);
	}
	return rc;
}
