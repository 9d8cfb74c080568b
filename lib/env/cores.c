/* SPDX-License-Identifier: BSD-3-Clause */

/* Which cores the program has, the CPU that each stands for, and its NUMA node. */

#include "cores.h"
#include "env_internal.h"
#include "sysfs.h"
#include "spdk/cpuset.h"
#include "spdk/log.h"

#define DEFAULT_CORE_MASK "0x1"
#define NO_NODE           INT32_MAX

/** Written by init and fini, which run while no other thread asks. */
static struct {
	struct spdk_cpuset set;
	struct spdk_cpuset nodes; /* NUMA nodes of the machine */
	uint32_t main_core;
	uint16_t cpu[SPDK_CPUSET_SIZE];
	int16_t node[SPDK_CPUSET_SIZE];
	char program[16];
} g_cores;

/** Told apart from start to start, so that no thread keeps a core of an environment that ended. */
static uint64_t g_start;
static bool g_started;

static __thread struct {
	uint64_t start;
	uint32_t core;
} t_core;

/* Reads a kernel list ("0-3,8") into a set. */
static int
read_cpu_list(struct spdk_cpuset *set, char *text, size_t size, const char *file)
{
	char list[4096 + 3];
	int rc = udma_sysfs_read(text, size, "devices/system/%s", file);

	if (rc != 0) {
		return rc;
	}
	if (text[0] == '\0' || (size_t)snprintf(list, sizeof(list), "[%s]", text) >= sizeof(list)) {
		return -EINVAL;
	}
	return spdk_cpuset_parse(set, list);
}

/* \return the first set bit from `from` on; SPDK_CPUSET_SIZE if there is none. */
static uint32_t
next_in(const struct spdk_cpuset *set, uint32_t from)
{
	while (from < SPDK_CPUSET_SIZE && !spdk_cpuset_get_cpu(set, from)) {
		from++;
	}
	return from;
}

/* Core masks and lists name CPUs: each core stands for the CPU of its number. */
static int
parse_core_mask(struct spdk_cpuset *set, const char *mask)
{
	char *list;
	int rc;

	if (strpbrk(mask, ",-") == NULL || strchr(mask, '[') != NULL) {
		rc = spdk_cpuset_parse(set, mask);
	} else {
		list = NULL;
		rc = asprintf(&list, "[%s]", mask) < 0 ? -ENOMEM : spdk_cpuset_parse(set, list);
		free(list);
	}
	for (uint32_t core = 0; core < SPDK_CPUSET_SIZE; core++) {
		g_cores.cpu[core] = (uint16_t)core;
	}
	return rc;
}

static const char *
parse_number(const char *text, uint32_t *number)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)*text)) {
		return NULL;
	}
	value = strtoul(text, &end, 10);
	*number = (uint32_t)value;
	return value < SPDK_CPUSET_SIZE ? end : NULL;
}

/* Reads "a" or "a-b". \return what follows; NULL if it is neither. */
static const char *
parse_range(const char *text, uint32_t *first, uint32_t *last)
{
	text = parse_number(text, first);
	*last = *first;
	if (text != NULL && *text == '-') {
		text = parse_number(text + 1, last);
	}
	return *last < *first ? NULL : text;
}

/* Reads one "core[@cpu]" or "a-b[@c-d]", pairwise, or "a-b@c", all on one CPU. */
static const char *
parse_map_entry(struct spdk_cpuset *set, const char *text)
{
	uint32_t first = 0, last = 0, cpu, last_cpu, step = 1;

	text = parse_range(text, &first, &last);
	cpu = first;
	if (text != NULL && *text == '@') {
		text = parse_range(text + 1, &cpu, &last_cpu);
		if (text != NULL && cpu == last_cpu) {
			step = 0;
		} else if (text != NULL && last_cpu - cpu != last - first) {
			return NULL;
		}
	}
	if (text == NULL) {
		return NULL;
	}
	for (uint32_t core = first; core <= last; core++, cpu += step) {
		if (spdk_cpuset_get_cpu(set, core)) {
			return NULL;
		}
		spdk_cpuset_set_cpu(set, core, true);
		g_cores.cpu[core] = (uint16_t)cpu;
	}
	return text;
}

static int
parse_lcore_map(struct spdk_cpuset *set, const char *map)
{
	const char *text = map;

	for (;;) {
		text = parse_map_entry(set, text);
		if (text == NULL || (*text != ',' && *text != '\0')) {
			SPDK_ERRLOG(
				"cannot read lcore_map '%s': give each core once, as 'core@cpu' "
				"or 'a-b@c-d', separated by commas, numbers below %d\n",
				map, SPDK_CPUSET_SIZE);
			return -EINVAL;
		}
		if (*text++ == '\0') {
			return 0;
		}
	}
}

static int
parse_cores(struct spdk_cpuset *set, const struct spdk_env_opts *opts)
{
	const char *mask = opts->core_mask;
	int rc;

	if (opts->lcore_map != NULL && mask != NULL) {
		SPDK_ERRLOG("core_mask '%s' and lcore_map '%s' given: set one of them to NULL\n",
			    mask, opts->lcore_map);
		return -EINVAL;
	}
	if (opts->lcore_map != NULL) {
		return parse_lcore_map(set, opts->lcore_map);
	}
	mask = mask != NULL ? mask : DEFAULT_CORE_MASK;
	rc = parse_core_mask(set, mask);
	if (rc == 0 && spdk_cpuset_count(set) == 0) {
		SPDK_ERRLOG("core_mask '%s' names no core: name at least one\n", mask);
		rc = -EINVAL;
	}
	return rc;
}

static int
choose_main(const struct spdk_cpuset *set, int wanted, uint32_t *main_core)
{
	if (wanted == -1) {
		*main_core = next_in(set, 0);
		return 0;
	}
	if (wanted < 0 || wanted >= SPDK_CPUSET_SIZE ||
	    !spdk_cpuset_get_cpu(set, (uint32_t)wanted)) {
		SPDK_ERRLOG("main_core %d is not one of the cores given: add it to them, or "
			    "leave it at -1\n",
			    wanted);
		return -EINVAL;
	}
	*main_core = (uint32_t)wanted;
	return 0;
}

/* The main core's CPU need not be online: the caller runs where it runs already. */
static int
check_cpus(const struct spdk_cpuset *set, uint32_t main_core)
{
	struct spdk_cpuset online = {0}, possible = {0};
	char text[4096];

	if (read_cpu_list(&possible, text, sizeof(text), "cpu/possible") != 0 ||
	    read_cpu_list(&online, text, sizeof(text), "cpu/online") != 0) {
		return 0; /* not known: the launch will tell */
	}
	for (uint32_t core = next_in(set, 0); core < SPDK_CPUSET_SIZE;
	     core = next_in(set, core + 1)) {
		const struct spdk_cpuset *there = core == main_core ? &possible : &online;

		if (!spdk_cpuset_get_cpu(there, g_cores.cpu[core])) {
			SPDK_ERRLOG("core %u wants CPU %u, which is not online: there are %s\n",
				    core, g_cores.cpu[core], text);
			return -EINVAL;
		}
	}
	return 0;
}

/* A CPU's directory has a link "nodeN". */
static int16_t
find_node(uint32_t cpu)
{
	char path[PATH_MAX];
	int16_t node = SPDK_ENV_NUMA_ID_ANY;
	struct dirent *entry;
	DIR *dir;

	if (udma_sysfs_path(path, sizeof(path), "devices/system/cpu/cpu%u", cpu) != 0 ||
	    (dir = opendir(path)) == NULL) {
		return node;
	}
	while ((entry = readdir(dir)) != NULL) {
		const char *end;
		uint32_t number;

		if (strncmp(entry->d_name, "node", 4) == 0 &&
		    (end = parse_number(entry->d_name + 4, &number)) != NULL && *end == '\0') {
			node = (int16_t)number;
		}
	}
	closedir(dir);
	return node;
}

static void
learn_nodes(void)
{
	char text[4096];

	spdk_cpuset_zero(&g_cores.nodes);
	if (read_cpu_list(&g_cores.nodes, text, sizeof(text), "node/online") != 0) {
		spdk_cpuset_set_cpu(&g_cores.nodes, 0, true); /* a kernel without NUMA */
	}
	for (uint32_t core = 0; core < SPDK_CPUSET_SIZE; core++) {
		if (spdk_cpuset_get_cpu(&g_cores.set, core)) {
			g_cores.node[core] = find_node(g_cores.cpu[core]);
		}
	}
}

int
udma_cores_init(const struct spdk_env_opts *opts)
{
	struct spdk_cpuset set = {0};
	uint32_t main_core;
	int rc;

	rc = parse_cores(&set, opts);
	if (rc == 0) {
		rc = choose_main(&set, opts->main_core, &main_core);
	}
	if (rc == 0) {
		rc = check_cpus(&set, main_core);
	}
	if (rc != 0) {
		return rc;
	}
	spdk_cpuset_copy(&g_cores.set, &set);
	g_cores.main_core = main_core;
	snprintf(g_cores.program, sizeof(g_cores.program), "%s", opts->name ? opts->name : "spdk");
	learn_nodes();
	g_start++;
	g_started = true;
	udma_cores_enter(main_core);
	return 0;
}

void
udma_cores_fini(void)
{
	spdk_env_thread_wait_all();
	g_started = false;
	spdk_cpuset_zero(&g_cores.set);
	spdk_cpuset_zero(&g_cores.nodes);
}

bool
udma_cores_lookup(uint32_t core, uint32_t *cpu)
{
	if (core >= SPDK_CPUSET_SIZE || !spdk_cpuset_get_cpu(&g_cores.set, core)) {
		return false;
	}
	*cpu = g_cores.cpu[core];
	return true;
}

void
udma_cores_enter(uint32_t core)
{
	t_core.core = core;
	t_core.start = g_start;
}

const char *
udma_cores_program(void)
{
	return g_cores.program;
}

uint32_t
spdk_env_get_core_count(void)
{
	return spdk_cpuset_count(&g_cores.set);
}

uint32_t
spdk_env_get_current_core(void)
{
	return g_started && t_core.start == g_start ? t_core.core : SPDK_ENV_LCORE_ID_ANY;
}

uint32_t
spdk_env_get_main_core(void)
{
	return g_started ? g_cores.main_core : SPDK_ENV_LCORE_ID_ANY;
}

/* \return the first core from `from` on; UINT32_MAX if there is none. */
static uint32_t
core_from(uint32_t from)
{
	uint32_t core = next_in(&g_cores.set, from);

	return core < SPDK_CPUSET_SIZE ? core : UINT32_MAX;
}

uint32_t
spdk_env_get_first_core(void)
{
	return core_from(0);
}

uint32_t
spdk_env_get_last_core(void)
{
	uint32_t last = UINT32_MAX, core;

	SPDK_ENV_FOREACH_CORE (core) {
		last = core;
	}
	return last;
}

uint32_t
spdk_env_get_next_core(uint32_t prev_core)
{
	/* UINT32_MAX is the one before the first: the sum is 0. */
	return core_from(prev_core + 1);
}

int32_t
spdk_env_get_numa_id(uint32_t core)
{
	uint32_t cpu;

	return udma_cores_lookup(core, &cpu) ? g_cores.node[core] : SPDK_ENV_NUMA_ID_ANY;
}

/* \return the first node from `from` on; INT32_MAX if there is none. */
static int32_t
node_from(uint32_t from)
{
	uint32_t node = next_in(&g_cores.nodes, from);

	return node < SPDK_CPUSET_SIZE ? (int32_t)node : NO_NODE;
}

int32_t
spdk_env_get_first_numa_id(void)
{
	return node_from(0);
}

int32_t
spdk_env_get_last_numa_id(void)
{
	int32_t last = NO_NODE, node;

	SPDK_ENV_FOREACH_NUMA_ID (node) {
		last = node;
	}
	return last;
}

int32_t
spdk_env_get_next_numa_id(int32_t prev_numa_id)
{
	if (prev_numa_id < 0 || prev_numa_id >= SPDK_CPUSET_SIZE) {
		return NO_NODE;
	}
	return node_from((uint32_t)prev_numa_id + 1);
}

void
spdk_env_get_cpuset(struct spdk_cpuset *cpuset)
{
	spdk_cpuset_copy(cpuset, &g_cores.set);
}

/* Adds the hardware threads that share a core with one of ours. \return whether they are known. */
static bool
add_siblings(struct spdk_cpuset *cpuset, uint32_t core)
{
	struct spdk_cpuset siblings = {0};
	char text[4096], file[64];
	uint32_t cpu;

	if (!udma_cores_lookup(core, &cpu)) {
		return false;
	}
	snprintf(file, sizeof(file), "cpu/cpu%u/topology/thread_siblings_list", cpu);
	if (read_cpu_list(&siblings, text, sizeof(text), file) != 0) {
		return false;
	}
	spdk_cpuset_or(cpuset, &siblings);
	return true;
}

bool
spdk_env_core_get_smt_cpuset(struct spdk_cpuset *cpuset, uint32_t core)
{
	spdk_cpuset_zero(cpuset);
	if (core != UINT32_MAX) {
		return add_siblings(cpuset, core);
	}
	SPDK_ENV_FOREACH_CORE (core) {
		if (!add_siblings(cpuset, core)) {
			return false;
		}
	}
	return g_started;
}
