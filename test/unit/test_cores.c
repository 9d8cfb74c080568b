/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "env/env_internal.h"
#include "env/sysfs.h"
#include "spdk/cpuset.h"

static struct spdk_env_opts
options(const char *core_mask, const char *lcore_map, int main_core)
{
	struct spdk_env_opts opts;

	memset(&opts, 0, sizeof(opts));
	opts.name = "test_program";
	opts.core_mask = core_mask;
	opts.lcore_map = lcore_map;
	opts.main_core = main_core;
	return opts;
}

static int
start(const char *core_mask, const char *lcore_map, int main_core)
{
	struct spdk_env_opts opts = options(core_mask, lcore_map, main_core);

	return udma_cores_init(&opts);
}

/* A machine of 8 CPUs, 0-5 and 8 online, on two nodes; core 3 has a sibling. */
static int
fixture(void **state)
{
	(void)state;
	make_tree();
	tree_file("devices/system/cpu/online", "0-5,8\n");
	tree_file("devices/system/cpu/possible", "0-9\n");
	tree_file("devices/system/node/online", "0,2\n");
	tree_file("devices/system/cpu/cpu0/node0/x", "");
	tree_file("devices/system/cpu/cpu3/node2/x", "");
	tree_file("devices/system/cpu/cpu3/nodes/x", "");
	tree_file("devices/system/cpu/cpu3/topology/thread_siblings_list", "3,5\n");
	tree_file("devices/system/cpu/cpu4/topology/thread_siblings_list", "garbage\n");
	udma_sysfs_root = g_tree;
	capture_log();
	return 0;
}

static int
real_machine(void **state)
{
	(void)state;
	capture_log();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	udma_cores_fini();
	if (udma_sysfs_root == g_tree) {
		remove_tree();
		udma_sysfs_root = "/sys";
	}
	return 0;
}

static void
assert_no_cores(void)
{
	struct spdk_cpuset set;
	uint32_t core;
	int32_t node;

	assert_int_equal(spdk_env_get_core_count(), 0);
	assert_int_equal(spdk_env_get_first_core(), UINT32_MAX);
	assert_int_equal(spdk_env_get_last_core(), UINT32_MAX);
	assert_int_equal(spdk_env_get_main_core(), UINT32_MAX);
	assert_int_equal(spdk_env_get_next_core(0), UINT32_MAX);
	assert_int_equal(spdk_env_get_current_core(), SPDK_ENV_LCORE_ID_ANY);
	assert_int_equal(spdk_env_get_numa_id(0), SPDK_ENV_NUMA_ID_ANY);
	SPDK_ENV_FOREACH_CORE (core) {
		fail();
	}
	SPDK_ENV_FOREACH_NUMA_ID (node) {
		fail();
	}
	spdk_env_get_cpuset(&set);
	assert_int_equal(spdk_cpuset_count(&set), 0);
}

/* The cores as "0 2 3 ". */
static const char *
cores_text(void)
{
	static char text[256];
	uint32_t core;
	size_t len = 0;

	text[0] = '\0';
	SPDK_ENV_FOREACH_CORE (core) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%u ", core);
	}
	return text;
}

static void
no_cores_before_start_and_after_the_end(void **state)
{
	(void)state;
	assert_no_cores();
	assert_int_equal(start("0x3", NULL, -1), 0);
	assert_int_equal(spdk_env_get_core_count(), 2);
	udma_cores_fini();
	assert_no_cores();
	udma_cores_fini();
	assert_int_equal(start("0x1", NULL, -1), 0);
	assert_int_equal(spdk_env_get_current_core(), 0);
}

static void
masks_and_lists_are_accepted(void **state)
{
	static const struct {
		const char *text, *cores;
	} cases[] = {
		{"0x3", "0 1 "}, {"3", "0 1 "},   {"[0,2-3]", "0 2 3 "}, {"0-3,5", "0 1 2 3 5 "},
		{"1,2", "1 2 "}, {"0x100", "8 "}, {NULL, "0 "}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(start(cases[i].text, NULL, -1), 0);
		assert_string_equal(cores_text(), cases[i].cores);
		assert_int_equal(spdk_env_get_main_core(), spdk_env_get_first_core());
		assert_int_equal(spdk_env_get_current_core(), spdk_env_get_main_core());
		udma_cores_fini();
	}
	assert_int_equal(g_log_lines, 0);
}

static void
bad_masks_are_refused(void **state)
{
	static const char *const texts[] = {"",   "0",    "0x0", "x",        "[]",
					    "0-", "-l 0", "3-1", "1024-1025"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(start(texts[i], NULL, -1), -EINVAL);
		assert_logged_once(texts[i]);
		assert_no_cores();
	}
}

static void
main_core_is_one_of_the_cores(void **state)
{
	(void)state;
	assert_int_equal(start("0xc", NULL, 3), 0);
	assert_int_equal(spdk_env_get_main_core(), 3);
	assert_int_equal(spdk_env_get_current_core(), 3);
	assert_int_equal(spdk_env_get_first_core(), 2);
	assert_int_equal(spdk_env_get_last_core(), 3);
	udma_cores_fini();
	assert_int_equal(start("0xc", NULL, 0), -EINVAL);
	assert_logged_once("main_core 0");
	assert_int_equal(start("0xc", NULL, 1024), -EINVAL);
	assert_int_equal(start("0xc", NULL, -2), -EINVAL);
}

static void
a_cpu_that_is_not_there_is_named(void **state)
{
	(void)state;
	assert_int_equal(start("0x41", NULL, -1), -EINVAL);
	assert_logged_once("there are 0-5,8");
	assert_int_equal(start(NULL, "0@1,1@7", -1), -EINVAL);
	assert_logged_once("CPU 7");
	/* The caller of the main core is never moved, so its CPU need not be there. */
	assert_int_equal(start("0x40", NULL, -1), 0);
	udma_cores_fini();
	assert_int_equal(start("0x41", NULL, 6), 0);
}

static void
maps_are_read(void **state)
{
	static const struct {
		const char *text, *cores;
	} cases[] = {{"0@1,1@0", "0 1 "},
		     {"7@8", "7 "},
		     {"0-2@3-5,9@0", "0 1 2 9 "},
		     {"100-102@1", "100 101 102 "},
		     {"1,3-4", "1 3 4 "}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(start(NULL, cases[i].text, -1), 0);
		assert_string_equal(cores_text(), cases[i].cores);
		udma_cores_fini();
	}
}

static void
bad_maps_are_refused(void **state)
{
	static const char *const texts[] = {
		"",    ",",    "0@",     "@0",   "0@1,",    "0@1,0@2", "0@1x",  "0-1@0-2",
		"1-0", "1024", "0@1024", "0@-1", "0-2,1@3", "(0,1)@2", "0@1@2", "99999999999@0"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(start(NULL, texts[i], -1), -EINVAL);
		assert_logged_once("cannot read lcore_map");
		assert_no_cores();
	}
	assert_int_equal(start("0x1", "0@0", -1), -EINVAL);
	assert_logged_once("set one of them to NULL");
}

static void
before_the_first_core_is_any(void **state)
{
	(void)state;
	assert_int_equal(start("[1,3]", NULL, -1), 0);
	assert_int_equal(spdk_env_get_next_core(UINT32_MAX), 1);
	assert_int_equal(spdk_env_get_next_core(1), 3);
	assert_int_equal(spdk_env_get_next_core(3), UINT32_MAX);
	assert_int_equal(spdk_env_get_next_core(UINT32_MAX - 1), UINT32_MAX);
}

static void
nodes_come_from_sysfs(void **state)
{
	(void)state;
	assert_int_equal(start(NULL, "0@0,1@3,2@5", -1), 0);
	assert_int_equal(spdk_env_get_numa_id(0), 0);
	assert_int_equal(spdk_env_get_numa_id(1), 2);
	assert_int_equal(spdk_env_get_numa_id(2), SPDK_ENV_NUMA_ID_ANY);
	assert_int_equal(spdk_env_get_numa_id(3), SPDK_ENV_NUMA_ID_ANY);
	assert_int_equal(spdk_env_get_numa_id(UINT32_MAX), SPDK_ENV_NUMA_ID_ANY);
	assert_int_equal(spdk_env_get_first_numa_id(), 0);
	assert_int_equal(spdk_env_get_next_numa_id(0), 2);
	assert_int_equal(spdk_env_get_last_numa_id(), 2);
	assert_int_equal(spdk_env_get_next_numa_id(2), INT32_MAX);
	assert_int_equal(spdk_env_get_next_numa_id(INT32_MAX), INT32_MAX);
}

static void
siblings_come_from_sysfs(void **state)
{
	struct spdk_cpuset set;

	(void)state;
	assert_int_equal(start("[0,3-4]", NULL, -1), 0);
	assert_true(spdk_env_core_get_smt_cpuset(&set, 3));
	assert_string_equal(spdk_cpuset_fmt(&set), "28");
	assert_false(spdk_env_core_get_smt_cpuset(&set, 4)); /* garbage */
	assert_false(spdk_env_core_get_smt_cpuset(&set, 0)); /* no file */
	assert_false(spdk_env_core_get_smt_cpuset(&set, 5)); /* not ours */
	assert_false(spdk_env_core_get_smt_cpuset(&set, UINT32_MAX));
}

static void
siblings_of_all_cores_are_asked_for_at_once(void **state)
{
	struct spdk_cpuset set;

	(void)state;
	assert_false(spdk_env_core_get_smt_cpuset(&set, UINT32_MAX)); /* not started */
	tree_file("devices/system/cpu/cpu1/topology/thread_siblings_list", "1,8\n");
	assert_int_equal(start("[1,3]", NULL, -1), 0);
	assert_true(spdk_env_core_get_smt_cpuset(&set, UINT32_MAX));
	assert_string_equal(spdk_cpuset_fmt(&set), "12a");
}

/* Two CPUs that this process may use; the second is the first again where there is just one. */
static void
two_cpus(int cpu[2])
{
	cpu_set_t allowed;
	int found = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (int i = 0; i < CPU_SETSIZE && found < 2; i++) {
		if (CPU_ISSET(i, &allowed)) {
			cpu[found++] = i;
		}
	}
	assert_true(found > 0);
	if (found == 1) {
		cpu[1] = cpu[0];
	}
}

/* Cores 0 (main), 10 and 11, on CPUs that can be used. */
static int
start_three(int cpu[2])
{
	char map[64];

	two_cpus(cpu);
	snprintf(map, sizeof(map), "0@%d,10@%d,11@%d", cpu[0], cpu[0], cpu[1]);
	return start(NULL, map, -1);
}

struct seen {
	uint32_t core;
	cpu_set_t cpus;
	char name[32];
	int own;
	bool in_time;
};

static int
look_around(void *arg)
{
	struct seen *seen = arg;

	seen->core = spdk_env_get_current_core();
	sched_getaffinity(0, sizeof(seen->cpus), &seen->cpus);
	pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
	seen->own = spdk_env_thread_launch_pinned(seen->core, look_around, NULL);
	return 5;
}

static void
threads_run_pinned(void **state)
{
	struct seen seen[2];
	int cpu[2];

	(void)state;
	assert_int_equal(start_three(cpu), 0);
	assert_int_equal(spdk_env_thread_launch_pinned(10, look_around, &seen[0]), 0);
	assert_int_equal(spdk_env_thread_launch_pinned(11, look_around, &seen[1]), 0);
	spdk_env_thread_wait_all();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(seen[i].core, 10 + i);
		assert_int_equal(CPU_COUNT(&seen[i].cpus), 1);
		assert_true(CPU_ISSET(cpu[i], &seen[i].cpus));
		assert_int_equal(seen[i].own, -1);
	}
	assert_string_equal(seen[0].name, "test_prog-10");
	assert_int_equal(spdk_env_get_current_core(), 0);
}

static void
the_callers_affinity_stays(void **state)
{
	cpu_set_t before, after;
	int cpu[2];

	(void)state;
	sched_getaffinity(0, sizeof(before), &before);
	assert_int_equal(start_three(cpu), 0);
	sched_getaffinity(0, sizeof(after), &after);
	assert_true(CPU_EQUAL(&before, &after));
}

static void
launch_refuses_foreign_and_own_cores(void **state)
{
	int cpu[2];

	(void)state;
	assert_int_equal(spdk_env_thread_launch_pinned(0, look_around, NULL), -1);
	assert_int_equal(start_three(cpu), 0);
	capture_log();
	assert_int_equal(spdk_env_thread_launch_pinned(1, look_around, NULL), -1);
	assert_logged_once("core 1");
	assert_int_equal(spdk_env_thread_launch_pinned(SPDK_ENV_LCORE_ID_ANY, look_around, NULL),
			 -1);
	assert_logged_once("core mask");
	assert_int_equal(spdk_env_thread_launch_pinned(0, look_around, NULL), -1);
	assert_logged_once("own");
}

static sem_t g_go, g_started;

static int
wait_for_go(void *arg)
{
	(void)arg;
	sem_post(&g_started);
	sem_wait(&g_go);
	return 0;
}

static int
count_up(void *arg)
{
	++*(int *)arg;
	sem_post(&g_started);
	return 0;
}

static void
one_function_at_a_time(void **state)
{
	int cpu[2], count = 0;

	(void)state;
	sem_init(&g_go, 0, 0);
	sem_init(&g_started, 0, 0);
	assert_int_equal(start_three(cpu), 0);
	assert_int_equal(spdk_env_thread_launch_pinned(10, wait_for_go, NULL), 0);
	sem_wait(&g_started);
	capture_log();
	assert_int_equal(spdk_env_thread_launch_pinned(10, count_up, &count), -EBUSY);
	assert_logged_once("wait for it");
	sem_post(&g_go);
	spdk_env_thread_wait_all();
	/* One that has returned makes room, waited for or not. */
	for (int i = 0; i < 100; i++) {
		while (spdk_env_thread_launch_pinned(10, count_up, &count) == -EBUSY) {
			sched_yield();
		}
		sem_wait(&g_started);
	}
	spdk_env_thread_wait_all();
	spdk_env_thread_wait_all();
	assert_int_equal(count, 100);
}

static int
launch_neighbour(void *arg)
{
	struct seen *seen = arg;

	/* The program itself runs on the main core. */
	seen->own = spdk_env_thread_launch_pinned(0, look_around, NULL);
	if (spdk_env_thread_launch_pinned(11, look_around, seen + 1) == 0) {
		spdk_env_thread_wait_all(); /* not for itself */
		seen->in_time = seen[1].core == 11;
	}
	return 0;
}

static void
threads_launch_threads(void **state)
{
	struct seen seen[2];
	int cpu[2];

	(void)state;
	memset(seen, 0, sizeof(seen));
	assert_int_equal(start_three(cpu), 0);
	assert_int_equal(spdk_env_thread_launch_pinned(10, launch_neighbour, seen), 0);
	spdk_env_thread_wait_all();
	assert_int_equal(seen[0].own, -EBUSY);
	assert_true(seen[0].in_time);
}

static int
leave(void *arg)
{
	pthread_exit(arg);
}

static void
a_thread_may_leave_by_pthread_exit(void **state)
{
	int cpu[2];

	(void)state;
	assert_int_equal(start_three(cpu), 0);
	assert_int_equal(spdk_env_thread_launch_pinned(11, leave, NULL), 0);
	spdk_env_thread_wait_all();
	assert_int_equal(spdk_env_thread_launch_pinned(11, leave, NULL), 0);
	spdk_env_thread_wait_all();
}

static void *
ask_core(void *arg)
{
	*(uint32_t *)arg = spdk_env_get_current_core();
	return NULL;
}

static void
other_threads_are_on_no_core(void **state)
{
	uint32_t core = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(start("0x1", NULL, -1), 0);
	assert_int_equal(pthread_create(&thread, NULL, ask_core, &core), 0);
	pthread_join(thread, NULL);
	assert_int_equal(core, SPDK_ENV_LCORE_ID_ANY);
}

static void *
take_affinity(void *arg)
{
	sched_getaffinity(0, sizeof(cpu_set_t), arg);
	return arg;
}

static void
affinity_is_lifted_and_restored(void **state)
{
	cpu_set_t before, one, inside, after;
	int cpu[2];

	(void)state;
	sched_getaffinity(0, sizeof(before), &before);
	two_cpus(cpu);
	CPU_ZERO(&one);
	CPU_SET(cpu[1], &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_ptr_equal(spdk_call_unaffinitized(take_affinity, &inside), &inside);
	assert_null(spdk_call_unaffinitized(NULL, NULL));
	CPU_AND(&after, &inside, &before);
	assert_true(CPU_EQUAL(&after, &before)); /* all that it had at first, at least */
	sched_getaffinity(0, sizeof(after), &after);
	assert_true(CPU_EQUAL(&after, &one));
	spdk_unaffinitize_thread();
	sched_getaffinity(0, sizeof(after), &after);
	assert_true(CPU_EQUAL(&after, &inside));
	sched_setaffinity(0, sizeof(before), &before);
}

static void
the_process_knows_itself(void **state)
{
	(void)state;
	assert_int_equal(spdk_get_tid(), getpid()); /* this is the first thread */
	assert_true(spdk_process_is_primary());
}

#define ON_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture, end)
#define ON_MACHINE(test) cmocka_unit_test_setup_teardown(test, real_machine, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_FIXTURE(no_cores_before_start_and_after_the_end),
		ON_FIXTURE(masks_and_lists_are_accepted),
		ON_FIXTURE(bad_masks_are_refused),
		ON_FIXTURE(main_core_is_one_of_the_cores),
		ON_FIXTURE(a_cpu_that_is_not_there_is_named),
		ON_FIXTURE(maps_are_read),
		ON_FIXTURE(bad_maps_are_refused),
		ON_FIXTURE(before_the_first_core_is_any),
		ON_FIXTURE(nodes_come_from_sysfs),
		ON_FIXTURE(siblings_come_from_sysfs),
		ON_FIXTURE(siblings_of_all_cores_are_asked_for_at_once),
		ON_MACHINE(threads_run_pinned),
		ON_MACHINE(the_callers_affinity_stays),
		ON_MACHINE(launch_refuses_foreign_and_own_cores),
		ON_MACHINE(one_function_at_a_time),
		ON_MACHINE(threads_launch_threads),
		ON_MACHINE(a_thread_may_leave_by_pthread_exit),
		ON_MACHINE(other_threads_are_on_no_core),
		ON_MACHINE(affinity_is_lifted_and_restored),
		ON_MACHINE(the_process_knows_itself),
	};

	return cmocka_run_group_tests_name("cores", tests, NULL, NULL);
}
