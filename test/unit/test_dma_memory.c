/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"

#include "support.h"

#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static void
start_with(const struct spdk_env_opts *opts)
{
	assert_int_equal(udma_memory_init(opts, UDMA_IOVA_VA, 64), 0);
}

/** All of it can be translated, in one piece. */
static void
assert_reachable(const char *p, size_t len)
{
	uint64_t size = len;

	assert_int_not_equal(spdk_vtophys(p, &size), SPDK_VTOPHYS_ERROR);
	assert_int_equal(size, len);
}

static bool
is_zero(const unsigned char *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* ---- What is asked for ------------------------------------------------------------------ */

static void
memory_is_reachable_and_aligned_to_at_least_64(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 64 * MiB; size = size * 3 + 1) {
		char *p = spdk_dma_malloc(size, 0, NULL);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 64, 0);
		assert_reachable(p, size);
		memset(p, 1, size);
		spdk_dma_free(p);
	}
}

static void
every_power_of_two_is_an_alignment(void **state)
{
	(void)state;
	for (size_t align = 1; align <= GiB; align *= 2) {
		char *p = spdk_dma_malloc(100, align, NULL);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % align, 0);
		assert_reachable(p, 100);
		spdk_dma_free(p);
	}
	assert_null(spdk_dma_malloc(100, 3, NULL));
	assert_null(spdk_dma_malloc(100, 96, NULL));
	assert_null(spdk_dma_malloc(100, SIZE_MAX, NULL));
}

static void
zeroed_memory_is_zero_also_when_it_is_used_again(void **state)
{
	unsigned char *p;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		p = spdk_dma_zmalloc(100000, 0, NULL);
		assert_non_null(p);
		assert_true(is_zero(p, 100000));
		memset(p, 0xff, 100000);
		spdk_dma_free(p);
	}
	p = spdk_zmalloc(777, 4096, NULL, SPDK_ENV_NUMA_ID_ANY,
			 SPDK_MALLOC_DMA | SPDK_MALLOC_SHARE);
	assert_non_null(p);
	assert_true(is_zero(p, 777));
	spdk_free(p);
	spdk_free(NULL);
	spdk_dma_free(NULL);
}

static void
any_flag_gives_memory_that_devices_reach(void **state)
{
	char *p = spdk_malloc(64, 0, NULL, SPDK_ENV_NUMA_ID_ANY, SPDK_MALLOC_SHARE);
	char *q = spdk_zmalloc(64, 0, NULL, SPDK_ENV_NUMA_ID_ANY, SPDK_MALLOC_SHARE);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	assert_reachable(p, 64);
	assert_reachable(q, 64);
	spdk_free(p);
	spdk_free(q);
}

static void
what_makes_no_sense_gives_null(void **state)
{
	uint64_t unused;

	(void)state;
	assert_null(spdk_dma_zmalloc(0, 0, NULL));
	assert_null(spdk_dma_malloc(64, 0, &unused));
	assert_null(spdk_dma_zmalloc(64, 0, &unused));
	assert_null(spdk_malloc(64, 0, NULL, SPDK_ENV_NUMA_ID_ANY, 0));
	assert_null(spdk_dma_malloc(SIZE_MAX, 0, NULL));
	assert_null(spdk_dma_malloc(SIZE_MAX - 62, 64, NULL));
	assert_null(spdk_dma_malloc(SIZE_MAX / 2, 4096, NULL));
	assert_null(spdk_dma_malloc(1, (size_t)1 << 63, NULL));
	/* More than any machine has. */
	assert_null(spdk_dma_zmalloc((size_t)1 << 46, 0, NULL));
	assert_null(spdk_dma_realloc(NULL, 64, 0, &unused));
}

static void
freeing_twice_or_what_is_not_ours_does_no_harm(void **state)
{
	char *keep = spdk_dma_malloc(64, 0, NULL), *p = spdk_dma_malloc(64, 0, NULL);

	(void)state;
	spdk_free(p);
	spdk_free(p);
	spdk_free(keep + 1);
	spdk_free(&p);
	memset(keep, 1, 64);
	assert_non_null(p = spdk_dma_malloc(64, 0, NULL));
	assert_ptr_not_equal(p, keep);
	spdk_free(p);
	spdk_free(keep);
}

static void
realloc_keeps_the_contents(void **state)
{
	unsigned char *p = NULL, *held[20];
	uint64_t seed = test_seed();
	size_t size = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		size_t next = 1 + test_random(&seed) % (i % 2 ? 200 : 300000);
		size_t align = (size_t)1 << (test_random(&seed) % 16);
		unsigned char *q = spdk_realloc(p, next, align);

		assert_non_null(q);
		assert_int_equal((uintptr_t)q % align, 0);
		assert_reachable((char *)q, next);
		for (size_t at = 0; at < size && at < next; at++) {
			assert_int_equal(q[at], (unsigned char)(i * 7 + at));
		}
		p = q;
		size = next;
		for (size_t at = 0; at < size; at++) {
			p[at] = (unsigned char)((i + 1) * 7 + at);
		}
		/* Something in the way of growing. */
		held[i] = spdk_dma_malloc(64, 0, NULL);
	}
	/* Too much: NULL, and what there was stays. */
	assert_null(spdk_realloc(p, SIZE_MAX, 0));
	assert_null(spdk_realloc(p, size, 3));
	assert_int_equal(p[0], (unsigned char)(20 * 7));
	assert_null(spdk_dma_realloc(p, 0, 0, NULL));
	assert_null(spdk_realloc(&seed, 100, 0));
	for (unsigned i = 0; i < 20; i++) {
		spdk_free(held[i]);
	}
}

static void
the_file_behind_memory_is_known(void **state)
{
	char *p = spdk_dma_zmalloc(10000, 4096, NULL), local;
	uint64_t offset;
	char byte = 0;
	int fd = spdk_mem_get_fd_and_offset(p + 5000, &offset);

	(void)state;
	assert_true(fd >= 0);
	p[5000] = 'x';
	if (lseek(fd, 0, SEEK_END) > 0 && pread(fd, &byte, 1, (off_t)offset) == 1) {
		assert_int_equal(byte, 'x');
	}
	assert_int_equal(spdk_mem_get_fd_and_offset(&local, &offset), -EINVAL);
	spdk_free(p);
}

static void
only_freeing_unregisters_it(void **state)
{
	char *p = spdk_dma_zmalloc(2 * MiB, 2 * MiB, NULL);
	char *before = p - PAGE;

	(void)state;
	assert_non_null(p);
	capture_log();
	assert_int_equal(spdk_mem_unregister(p, 2 * MiB), -EINVAL);
	assert_logged_once("spdk_free()");
	assert_int_equal(spdk_mem_unregister(p, PAGE), -EINVAL);
	assert_logged_once("spdk_free()");
	assert_int_equal(spdk_mem_register(p + PAGE, PAGE), -EBUSY);
	assert_logged_once("registered already");
	spdk_log_open(NULL);
	assert_reachable(p, 2 * MiB);
	/* Nor does it go with a neighbour of the program's. */
	if (mmap(before, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == before) {
		assert_int_equal(spdk_mem_register(before, PAGE), 0);
		assert_int_equal(spdk_mem_unregister(before, PAGE + 2 * MiB), -EINVAL);
		assert_reachable(before, PAGE);
		assert_reachable(p, 2 * MiB);
		assert_int_equal(spdk_mem_unregister(before, PAGE), 0);
		munmap(before, PAGE);
	}
	spdk_free(p);
}

/* ---- Where it comes from ---------------------------------------------------------------- */

static size_t told_bytes;
static unsigned told_regions;

static int
count(void *ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action, void *vaddr,
      size_t size)
{
	(void)ctx;
	(void)map;
	(void)vaddr;
	if (action == SPDK_MEM_MAP_NOTIFY_REGISTER) {
		told_bytes += size;
		told_regions++;
	} else {
		told_bytes -= size;
		told_regions--;
	}
	return 0;
}

static const struct spdk_mem_map_ops counting = {.notify_cb = count};

static void
memory_is_taken_when_it_is_needed_and_given_back(void **state)
{
	struct spdk_mem_map *map;
	char *small, *large, *larger;

	(void)state;
	told_bytes = told_regions = 0;
	map = spdk_mem_map_alloc(0, &counting, NULL);
	assert_int_equal(told_regions, 0);
	small = spdk_dma_malloc(64, 0, NULL);
	assert_int_equal(told_regions, 1);
	assert_int_equal(told_bytes, 2 * MiB);
	large = spdk_dma_malloc(100 * MiB, 0, NULL);
	assert_int_equal(told_regions, 2);
	larger = spdk_dma_malloc(200 * MiB, 0, NULL);
	assert_int_equal(told_regions, 3);
	spdk_free(large);
	spdk_free(larger);
	/* One free chunk is kept, the smaller one. */
	assert_int_equal(told_regions, 2);
	assert_true(told_bytes < 110 * MiB);
	spdk_free(small);
	assert_int_equal(told_regions, 1);
	assert_int_equal(told_bytes, 2 * MiB);
	for (unsigned i = 0; i < 100; i++) {
		spdk_free(spdk_dma_malloc(64, 0, NULL));
		assert_int_equal(told_regions, 1);
	}
	udma_memory_fini();
	assert_int_equal(told_regions, 0);
	spdk_mem_map_free(&map);
}

static void
there_are_few_chunks_however_much_is_allocated(void **state)
{
	struct spdk_mem_map *map;
	struct spdk_env_opts opts = memory_opts();

	(void)state;
	opts.no_huge = true;
	start_with(&opts);
	told_bytes = told_regions = 0;
	map = spdk_mem_map_alloc(0, &counting, NULL);
	for (unsigned i = 0; i < 4096; i++) {
		assert_non_null(spdk_dma_malloc(256 * KiB, 0, NULL));
	}
	assert_true(told_regions < 60);
	assert_true(told_bytes < GiB * 5 / 4);
	udma_memory_fini();
	spdk_mem_map_free(&map);
}

static int
refuse_removal(void *ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action,
	       void *vaddr, size_t size)
{
	(void)map;
	(void)vaddr;
	(void)size;
	return action == SPDK_MEM_MAP_NOTIFY_UNREGISTER && *(bool *)ctx ? -EBUSY : 0;
}

static void
a_chunk_that_an_engine_is_busy_with_stays(void **state)
{
	const struct spdk_mem_map_ops ops = {.notify_cb = refuse_removal};
	bool busy = true;
	struct spdk_mem_map *map = spdk_mem_map_alloc(0, &ops, &busy);
	char *one = spdk_dma_malloc(3 * MiB, 0, NULL), *two = spdk_dma_malloc(30 * MiB, 0, NULL);

	(void)state;
	spdk_free(one);
	spdk_free(two);
	assert_reachable(two, 30 * MiB);
	busy = false;
	two = spdk_dma_malloc(30 * MiB, 0, NULL);
	assert_non_null(two);
	memset(two, 1, 30 * MiB);
	spdk_free(two);
	spdk_mem_map_free(&map);
}

static void
mem_size_is_a_limit(void **state)
{
	struct spdk_env_opts opts = memory_opts();
	char *p, *q;

	(void)state;
	opts.mem_size = 8;
	start_with(&opts);
	assert_null(spdk_dma_malloc(8 * MiB + 1, 0, NULL));
	p = spdk_dma_malloc(8 * MiB, 0, NULL);
	assert_non_null(p);
	assert_null(spdk_dma_malloc(1, 0, NULL));
	spdk_free(p);
	p = spdk_dma_malloc(3 * MiB, 0, NULL);
	q = spdk_dma_malloc(5 * MiB, 0, NULL);
	assert_non_null(p);
	assert_non_null(q);
	udma_memory_fini();
	opts.mem_size = 0; /* not given */
	start_with(&opts);
	assert_non_null(spdk_dma_malloc(9 * MiB, 0, NULL));
	udma_memory_fini();
}

static void
what_is_free_can_be_had_up_to_the_limit(void **state)
{
	struct spdk_env_opts opts = memory_opts();
	char *p;

	(void)state;
	opts.mem_size = 7; /* which is 8 */
	start_with(&opts);
	spdk_free(spdk_dma_malloc(MiB, 0, NULL));
	p = spdk_dma_malloc(7 * MiB, 0, NULL);
	assert_non_null(p);
	assert_reachable(p, 7 * MiB);
	capture_log();
	assert_null(spdk_dma_malloc(2 * MiB, 0, NULL));
	assert_logged_once("mem_size");
	spdk_log_open(NULL);
	spdk_free(p);
	/* What was kept and is in use again stays. */
	p = spdk_dma_zmalloc(MiB, 0, NULL);
	assert_non_null(p);
	assert_null(spdk_dma_malloc(8 * MiB, 0, NULL));
	assert_reachable(p, MiB);
	assert_true(is_zero((unsigned char *)p, MiB));
	udma_memory_fini();
}

static void
the_base_address_is_a_hint(void **state)
{
	struct spdk_env_opts opts = memory_opts();
	char *taken;

	(void)state;
	/* Something is there already, and stays as it is. */
	taken = map_pages(2 * MiB);
	taken[0] = 'x';
	opts.base_virtaddr = (uintptr_t)taken;
	start_with(&opts);
	assert_non_null(spdk_dma_zmalloc(64, 0, NULL));
	assert_int_equal(taken[0], 'x');
	udma_memory_fini();
	munmap(taken, 2 * MiB);

	opts.base_virtaddr = UINT64_MAX & ~(2 * MiB - 1);
	start_with(&opts);
	assert_non_null(spdk_dma_zmalloc(64, 0, NULL));
	udma_memory_fini();
}

static void
a_node_that_does_not_exist_is_any_unless_enforced(void **state)
{
	struct spdk_env_opts opts = memory_opts();

	(void)state;
	start_with(&opts);
	assert_non_null(spdk_dma_malloc_socket(64, 0, NULL, 63));
	assert_non_null(spdk_dma_malloc_socket(64, 0, NULL, 12345));
	assert_non_null(spdk_dma_malloc_socket(64, 0, NULL, -7));
	/* As SPDK's I/OAT driver passes it. */
	assert_non_null(spdk_malloc(64, 0, NULL, (int)SPDK_ENV_LCORE_ID_ANY, SPDK_MALLOC_DMA));
	udma_memory_fini();

	opts.enforce_numa = true;
	start_with(&opts);
	assert_null(spdk_dma_malloc_socket(64, 0, NULL, 63));
	assert_null(spdk_dma_malloc_socket(64, 0, NULL, 12345));
	assert_null(spdk_dma_zmalloc_socket(64, 0, NULL, -7));
	assert_non_null(spdk_dma_malloc_socket(64, 0, NULL, SPDK_ENV_NUMA_ID_ANY));
	assert_non_null(spdk_dma_malloc_socket(64, 0, NULL, 0));
	udma_memory_fini();
}

static long
free_hugepages(void)
{
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");
	long pages = 0, kib = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		sscanf(line, "HugePages_Free: %ld", &pages);
		sscanf(line, "Hugepagesize: %ld", &kib);
	}
	if (f != NULL) {
		fclose(f);
	}
	return kib == 2048 ? pages : 0;
}

static bool
is_huge(char *p)
{
	uint64_t offset;
	struct statfs fs;

	assert_int_equal(fstatfs(spdk_mem_get_fd_and_offset(p, &offset), &fs), 0);
	return fs.f_type == HUGETLBFS_MAGIC;
}

static void
hugepages_are_used_first_and_ordinary_memory_after_them(void **state)
{
	struct spdk_env_opts opts = memory_opts();
	long pages = free_hugepages();
	bool huge = false;

	(void)state;
	if (pages < 1 || pages > 1024) {
		print_message("# not tested: it takes 1 to 1024 free hugepages of 2 MiB\n");
		return;
	}
	start_with(&opts);
	for (long i = 0; i <= pages; i++) {
		/* A hugepage for a hugepage: what is known of a block is kept elsewhere. */
		char *p = spdk_dma_zmalloc(2 * MiB, 2 * MiB, NULL);

		assert_non_null(p);
		huge = is_huge(p);
		assert_true(huge || i > 0);
		memset(p, 1, 2 * MiB);
	}
	assert_false(huge);
	udma_memory_fini();

	opts.no_huge = true;
	start_with(&opts);
	assert_false(is_huge(spdk_dma_zmalloc(2 * MiB, 0, NULL)));
	udma_memory_fini();
}

/** Runs in a child, for limits that would not go away again. \return its exit status. */
static int
in_child(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(run());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		fail_msg("the child was killed by signal %d", WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}

static int
allocate_under_a_file_size_limit(void)
{
	const struct rlimit one_mib = {MiB, MiB};
	struct spdk_env_opts opts = memory_opts();
	sigset_t after, pending;

	opts.no_huge = true;
	if (udma_memory_init(&opts, UDMA_IOVA_VA, 64) != 0 ||
	    setrlimit(RLIMIT_FSIZE, &one_mib) != 0) {
		return 1;
	}
	capture_log();
	if (spdk_dma_malloc(64, 0, NULL) != NULL) {
		return 2;
	}
	if (g_log_lines != 1 || strstr(g_logged, "ulimit -f") == NULL) {
		return 4;
	}
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	sigpending(&pending);
	return sigismember(&after, SIGXFSZ) || sigismember(&pending, SIGXFSZ) ? 3 : 0;
}

static int
allocate_with_a_signal_pending(void)
{
	sigset_t xfsz, pending;

	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &xfsz, NULL);
	raise(SIGXFSZ);
	if (allocate_under_a_file_size_limit() != 3) {
		return 1;
	}
	sigpending(&pending);
	return sigismember(&pending, SIGXFSZ) ? 0 : 2;
}

static int
allocate_without_file_descriptors(void)
{
	const struct rlimit none = {0, 0};
	struct spdk_env_opts opts = memory_opts();

	if (udma_memory_init(&opts, UDMA_IOVA_VA, 64) != 0 ||
	    setrlimit(RLIMIT_NOFILE, &none) != 0) {
		return 1;
	}
	capture_log();
	if (spdk_dma_malloc(64, 0, NULL) != NULL) {
		return 2;
	}
	return g_log_lines != 1 || strstr(g_logged, "no DMA memory for 64 bytes: ") == NULL ||
			       strstr(g_logged, strerror(EMFILE)) == NULL ||
			       strstr(g_logged, "ulimit -n") == NULL
		       ? 3
		       : 0;
}

static void
the_log_names_the_limit_that_was_met(void **state)
{
	(void)state;
	assert_int_equal(in_child(allocate_without_file_descriptors), 0);
}

static int
refuse_registration(void *ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action,
		    void *vaddr, size_t size)
{
	(void)ctx, (void)map, (void)vaddr, (void)size;
	if (action == SPDK_MEM_MAP_NOTIFY_REGISTER) {
		SPDK_ERRLOG("refused\n");
		return -ENOMEM;
	}
	return 0;
}

static void
a_refused_registration_is_logged_by_who_refuses(void **state)
{
	const struct spdk_mem_map_ops ops = {.notify_cb = refuse_registration};
	struct spdk_mem_map *map = spdk_mem_map_alloc(0, &ops, NULL);

	(void)state;
	capture_log();
	assert_null(spdk_dma_malloc(64, 0, NULL));
	assert_logged_once("refused");
	spdk_log_open(NULL);
	spdk_mem_map_free(&map);
}

static void
a_limit_of_file_sizes_does_not_kill(void **state)
{
	(void)state;
	assert_int_equal(in_child(allocate_under_a_file_size_limit), 0);
	/* A signal of the program's own is not eaten. */
	assert_int_equal(in_child(allocate_with_a_signal_pending), 0);
}

/* ---- Start and end ---------------------------------------------------------------------- */

static int
open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir) != NULL) {
		n++;
	}
	closedir(dir);
	return n;
}

static void
the_end_frees_what_the_program_did_not(void **state)
{
	struct spdk_env_opts opts = memory_opts();
	int files = open_files();

	(void)state;
	assert_null(spdk_dma_malloc(64, 0, NULL));
	assert_null(spdk_dma_zmalloc(64, 0, NULL));
	for (unsigned i = 0; i < 20; i++) {
		char *p;

		start_with(&opts);
		p = spdk_dma_zmalloc(5 * MiB, 0, NULL);
		assert_non_null(p);
		assert_non_null(spdk_dma_zmalloc(64, 0, NULL));
		udma_memory_fini();
		assert_int_equal(spdk_vtophys(p, NULL), SPDK_VTOPHYS_ERROR);
		assert_null(spdk_dma_malloc(64, 0, NULL));
	}
	assert_int_equal(open_files(), files);
}

/* ---- Threads ---------------------------------------------------------------------------- */

static void *
allocate_on(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	unsigned char *held[16] = {NULL};
	size_t sizes[16];
	uintptr_t wrong = 0;

	for (unsigned round = 0; round < 2000; round++) {
		unsigned i = test_random(&seed) % 16;

		if (held[i] == NULL) {
			sizes[i] = 1 + test_random(&seed) % (round % 50 ? 5000 : 3 * MiB);
			held[i] = spdk_dma_malloc(sizes[i], 0, NULL);
			if (held[i] == NULL) {
				wrong++;
				continue;
			}
			held[i][0] = held[i][sizes[i] - 1] = (unsigned char)(uintptr_t)arg;
		} else {
			wrong += held[i][0] != (unsigned char)(uintptr_t)arg;
			wrong += held[i][sizes[i] - 1] != (unsigned char)(uintptr_t)arg;
			wrong += spdk_vtophys(held[i], NULL) != (uintptr_t)held[i];
			spdk_dma_free(held[i]);
			held[i] = NULL;
		}
	}
	for (unsigned i = 0; i < 16; i++) {
		spdk_dma_free(held[i]);
	}
	return (void *)wrong;
}

static void
threads_allocate_at_once(void **state)
{
	pthread_t threads[4];
	void *wrong;

	(void)state;
	for (uintptr_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, allocate_on, (void *)(i + 1)),
				 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
}

static void *
take_and_give_chunks(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	unsigned char mark = (unsigned char)(uintptr_t)arg, *held[4] = {NULL};
	uintptr_t wrong = 0;

	for (unsigned round = 0; round < 2000; round++) {
		unsigned i = test_random(&seed) % 4;

		if (held[i] == NULL) {
			held[i] = spdk_dma_malloc((2 + test_random(&seed) % 3) * MiB, 0, NULL);
			if (held[i] == NULL) {
				wrong++;
			} else {
				*held[i] = mark;
			}
		} else {
			wrong += *held[i] != mark;
			spdk_dma_free(held[i]);
			held[i] = NULL;
		}
	}
	for (unsigned i = 0; i < 4; i++) {
		spdk_dma_free(held[i]);
	}
	return (void *)wrong;
}

/** Also where there are no hugepages, for which each chunk asks first. */
static void
no_thread_maps_over_anothers_chunk(void **state)
{
	pthread_t threads[6];
	void *wrong;

	(void)state;
	for (uintptr_t i = 0; i < 6; i++) {
		assert_int_equal(
			pthread_create(&threads[i], NULL, take_and_give_chunks, (void *)(i + 1)),
			0);
	}
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
}

static int
allocate_when_told(void *ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action,
		   void *vaddr, size_t size)
{
	(void)ctx;
	(void)map;
	(void)action;
	(void)vaddr;
	(void)size;
	spdk_dma_free(spdk_dma_malloc(64, 0, NULL));
	spdk_dma_free(spdk_dma_malloc(50 * MiB, 0, NULL)); /* which would need a chunk */
	return 0;
}

static void
callbacks_may_allocate_what_needs_no_chunk(void **state)
{
	const struct spdk_mem_map_ops ops = {.notify_cb = allocate_when_told};
	char *first = spdk_dma_malloc(64, 0, NULL);
	struct spdk_mem_map *map = spdk_mem_map_alloc(0, &ops, NULL);
	pthread_t thread;
	void *wrong;

	(void)state;
	assert_non_null(map);
	assert_int_equal(pthread_create(&thread, NULL, allocate_on, (void *)1), 0);
	for (unsigned i = 0; i < 50; i++) {
		char *p = spdk_dma_malloc(20 * MiB, 0, NULL),
		     *q = spdk_dma_malloc(40 * MiB, 0, NULL);

		assert_non_null(p);
		assert_non_null(q);
		spdk_free(p);
		spdk_free(q);
	}
	assert_int_equal(pthread_join(thread, &wrong), 0);
	assert_null(wrong);
	spdk_free(first);
	spdk_mem_map_free(&map);
}

#define WITH_MEMORY(test) cmocka_unit_test_setup_teardown(test, start_memory, end_memory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MEMORY(memory_is_reachable_and_aligned_to_at_least_64),
		WITH_MEMORY(every_power_of_two_is_an_alignment),
		WITH_MEMORY(zeroed_memory_is_zero_also_when_it_is_used_again),
		WITH_MEMORY(any_flag_gives_memory_that_devices_reach),
		WITH_MEMORY(what_makes_no_sense_gives_null),
		WITH_MEMORY(freeing_twice_or_what_is_not_ours_does_no_harm),
		WITH_MEMORY(realloc_keeps_the_contents),
		WITH_MEMORY(the_file_behind_memory_is_known),
		WITH_MEMORY(only_freeing_unregisters_it),
		WITH_MEMORY(memory_is_taken_when_it_is_needed_and_given_back),
		cmocka_unit_test(there_are_few_chunks_however_much_is_allocated),
		WITH_MEMORY(a_chunk_that_an_engine_is_busy_with_stays),
		cmocka_unit_test(mem_size_is_a_limit),
		cmocka_unit_test(what_is_free_can_be_had_up_to_the_limit),
		cmocka_unit_test(the_base_address_is_a_hint),
		cmocka_unit_test(a_node_that_does_not_exist_is_any_unless_enforced),
		cmocka_unit_test(hugepages_are_used_first_and_ordinary_memory_after_them),
		cmocka_unit_test(a_limit_of_file_sizes_does_not_kill),
		cmocka_unit_test(the_log_names_the_limit_that_was_met),
		WITH_MEMORY(a_refused_registration_is_logged_by_who_refuses),
		cmocka_unit_test(the_end_frees_what_the_program_did_not),
		WITH_MEMORY(threads_allocate_at_once),
		WITH_MEMORY(no_thread_maps_over_anothers_chunk),
		WITH_MEMORY(callbacks_may_allocate_what_needs_no_chunk),
	};

	return cmocka_run_group_tests_name("dma_memory", tests, NULL, NULL);
}
