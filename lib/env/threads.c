/* SPDX-License-Identifier: BSD-3-Clause */

/* Threads pinned to cores; and a thread's freedom from them. */

#include "cores.h"
#include "spdk/cpuset.h"
#include "spdk/env.h"
#include "spdk/log.h"

enum worker_state {
	WORKER_NONE,
	WORKER_RUNNING,
	WORKER_DONE, /* returned, and waits to be joined */
};

struct worker {
	enum worker_state state;
	pthread_t thread;
	uint32_t core;
	thread_start_fn fn;
	void *arg;
};

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_done = PTHREAD_COND_INITIALIZER;
static struct worker g_workers[SPDK_CPUSET_SIZE]; /* by core */

static void
note_done(void *arg)
{
	struct worker *worker = arg;

	pthread_mutex_lock(&g_lock);
	worker->state = WORKER_DONE;
	pthread_cond_broadcast(&g_done);
	pthread_mutex_unlock(&g_lock);
}

static void *
run(void *arg)
{
	struct worker *worker = arg;
	char name[16];

	udma_cores_enter(worker->core);
	snprintf(name, sizeof(name), "%.9s-%u", udma_cores_program(), worker->core);
	pthread_setname_np(pthread_self(), name);
	/* The function may also leave by pthread_exit(). */
	pthread_cleanup_push(note_done, worker);
	worker->fn(worker->arg);
	pthread_cleanup_pop(1);
	return NULL;
}

/* Under the lock: the thread has nothing left to do but to end. */
static void
join_if_done(struct worker *worker)
{
	if (worker->state == WORKER_DONE) {
		pthread_join(worker->thread, NULL);
		worker->state = WORKER_NONE;
	}
}

/* The affinity is in the attributes: the function never runs anywhere else. */
static int
start(struct worker *worker, uint32_t cpu)
{
	pthread_attr_t attr;
	cpu_set_t cpus;
	int rc;

	rc = pthread_attr_init(&attr);
	if (rc != 0) {
		return -rc;
	}
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	rc = pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	if (rc == 0) {
		worker->state = WORKER_RUNNING;
		rc = pthread_create(&worker->thread, &attr, run, worker);
		if (rc != 0) {
			worker->state = WORKER_NONE;
		}
	}
	pthread_attr_destroy(&attr);
	return -rc;
}

int
spdk_env_thread_launch_pinned(uint32_t core, thread_start_fn fn, void *arg)
{
	struct worker *worker;
	uint32_t cpu;
	int rc;

	if (fn == NULL) {
		SPDK_ERRLOG("cannot launch a thread on core %u: there is no function to run\n",
			    core);
		return -EINVAL;
	}
	if (!udma_cores_lookup(core, &cpu) || core == spdk_env_get_current_core()) {
		SPDK_ERRLOG("cannot launch a thread on core %u: it is %s\n", core,
			    core == spdk_env_get_current_core() && core != SPDK_ENV_LCORE_ID_ANY
				    ? "the caller's own"
				    : "not in the core mask given at start");
		return -1;
	}
	worker = &g_workers[core];
	pthread_mutex_lock(&g_lock);
	join_if_done(worker);
	/* On the main core there is always a function running: the program's own. */
	if (worker->state == WORKER_RUNNING || core == spdk_env_get_main_core()) {
		rc = -EBUSY;
	} else {
		worker->core = core;
		worker->fn = fn;
		worker->arg = arg;
		rc = start(worker, cpu);
	}
	pthread_mutex_unlock(&g_lock);
	if (rc == -EBUSY) {
		SPDK_ERRLOG("cannot launch a thread on core %u: one is running there; wait for it "
			    "first\n",
			    core);
	} else if (rc != 0) {
		SPDK_ERRLOG("cannot launch a thread on core %u (CPU %u): %s; leave out CPUs that "
			    "the process may not use\n",
			    core, cpu, strerror(-rc));
	}
	return rc;
}

/* A thread of ours does not wait for itself. */
static bool
others_running(uint32_t own)
{
	for (uint32_t core = 0; core < SPDK_CPUSET_SIZE; core++) {
		if (core != own && g_workers[core].state == WORKER_RUNNING) {
			return true;
		}
	}
	return false;
}

void
spdk_env_thread_wait_all(void)
{
	uint32_t own = spdk_env_get_current_core();

	pthread_mutex_lock(&g_lock);
	while (others_running(own)) {
		pthread_cond_wait(&g_done, &g_lock);
	}
	for (uint32_t core = 0; core < SPDK_CPUSET_SIZE; core++) {
		join_if_done(&g_workers[core]);
	}
	pthread_mutex_unlock(&g_lock);
}

void
spdk_unaffinitize_thread(void)
{
	cpu_set_t all;
	int rc;

	/* The kernel takes out the CPUs that the process may not use. */
	memset(&all, 0xff, sizeof(all));
	rc = pthread_setaffinity_np(pthread_self(), sizeof(all), &all);
	if (rc != 0) {
		SPDK_ERRLOG("cannot lift the affinity of thread %d: %s\n", spdk_get_tid(),
			    strerror(rc));
	}
}

void *
spdk_call_unaffinitized(void *cb(void *arg), void *arg)
{
	cpu_set_t before;
	void *result;
	int rc;

	if (cb == NULL) {
		return NULL;
	}
	rc = pthread_getaffinity_np(pthread_self(), sizeof(before), &before);
	if (rc == 0) {
		spdk_unaffinitize_thread();
	}
	result = cb(arg);
	if (rc == 0) {
		rc = pthread_setaffinity_np(pthread_self(), sizeof(before), &before);
	}
	if (rc != 0) {
		SPDK_ERRLOG("cannot keep and restore the affinity of thread %d: %s\n",
			    spdk_get_tid(), strerror(rc));
	}
	return result;
}

int
spdk_get_tid(void)
{
	return gettid();
}

bool
spdk_process_is_primary(void)
{
	return true;
}
