/* SPDX-License-Identifier: BSD-3-Clause */

/* Hugepages: how many there are on each node, and more of those that the library takes. There are
 * never made fewer, except by reset. */

#include "setup.h"
#include "tool.h"

#include "env/dma_chunk.h"
#include "env/sysfs.h"
#include "spdk/string.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODES          "/sys/devices/system/node"
#define ALL_NODES      "/sys/kernel/mm"
#define PAGE_KB        ((1u << UDMA_HUGE_SHIFT) / 1024)
#define MOST_PAGES     (1ul << 40)
#define MOST_NODE      (SETUP_NODES - 1)
#define EACH_NODE_SIGN "nodes_hp["

/* ---- Reading ---- */

struct visit {
	void (*fn)(void *ctx, const struct setup_pages *pages);
	void *ctx;
	int node;
	const char *folder; /* where "hugepages-2048kB" is */
};

/** The folder of a node, below the root. */
static void
folder_of(int node, char *folder, size_t size)
{
	if (node < 0) {
		snprintf(folder, size, ALL_NODES "/hugepages");
	} else {
		snprintf(folder, size, NODES "/node%d/hugepages", node);
	}
}

static unsigned long
read_count(const char *folder, const char *size, const char *file)
{
	long value;

	return udma_sysfs_read_number(&value, 0, LONG_MAX, "%s/%s/%s", folder + strlen("/sys/"),
				      size, file) == 0
		       ? (unsigned long)value
		       : 0;
}

static void
visit_size(void *ctx, const char *name)
{
	struct visit *visit = ctx;
	struct setup_pages pages = {.node = visit->node};

	if (sscanf(name, "hugepages-%ukB", &pages.kilobytes) == 1 && pages.kilobytes > 0) {
		pages.count = read_count(visit->folder, name, "nr_hugepages");
		pages.free = read_count(visit->folder, name, "free_hugepages");
		visit->fn(visit->ctx, &pages);
	}
}

static void
visit_node(void *ctx, const char *name)
{
	struct visit *visit = ctx;
	char folder[DRIVER_BYTES], path[PATH_MAX];

	if (sscanf(name, "node%d", &visit->node) == 1 && visit->node >= 0) {
		folder_of(visit->node, folder, sizeof(folder));
		visit->folder = folder;
		setup_path(path, "%s", folder);
		setup_each_name(path, visit_size, visit);
	}
}

void
setup_each_pages(void (*fn)(void *ctx, const struct setup_pages *pages), void *ctx)
{
	struct visit visit = {.fn = fn, .ctx = ctx, .node = -1, .folder = ALL_NODES "/hugepages"};
	char path[PATH_MAX];

	setup_path(path, NODES);
	if (setup_count_names(path) > 0) {
		setup_each_name(path, visit_node, &visit);
	} else {
		setup_path(path, "%s", visit.folder);
		setup_each_name(path, visit_size, &visit);
	}
}

/* ---- What is wanted ---- */

/** Reads "0", or "nodes_hp[0]=512", of which the number of pages may be missing. */
static bool
parse_node(const char *word, struct setup_request *request)
{
	bool has_count = strncmp(word, EACH_NODE_SIGN, strlen(EACH_NODE_SIGN)) == 0;
	unsigned long node, count = 0;
	int end = 0;

	/* sscanf() takes signs, and blanks before a number. */
	if (strpbrk(word, "-+ \t") != NULL) {
		return false;
	}
	if (has_count) {
		sscanf(word, EACH_NODE_SIGN "%lu]=%lu%n", &node, &count, &end);
	} else {
		sscanf(word, "%lu%n", &node, &end);
	}
	if (end == 0 || word[end] != '\0' || node > MOST_NODE || count > MOST_PAGES) {
		return false;
	}
	request->node = (int)node;
	request->count = has_count ? count : request->count;
	return true;
}

/** Of two requests for a node the later one counts. */
static void
request_pages(struct setup_requests *requests, const struct setup_request *request)
{
	unsigned i = 0;

	while (i < requests->count && requests->list[i].node != request->node) {
		i++;
	}
	requests->list[i] = *request;
	requests->count += i == requests->count;
}

static bool
parse_nodes(char *text, unsigned long count, struct setup_requests *requests)
{
	char *word;

	while ((word = strsep(&text, SETUP_SEPARATORS)) != NULL) {
		struct setup_request request = {.count = count};

		if (word[0] == '\0') {
			continue;
		}
		if (!parse_node(word, &request)) {
			return false;
		}
		request_pages(requests, &request);
	}
	return requests->count > 0;
}

struct node_count {
	unsigned kilobytes, nodes;
};

static void
count_node(void *ctx, const struct setup_pages *pages)
{
	struct node_count *sum = ctx;

	sum->nodes += pages->kilobytes == sum->kilobytes;
}

/** Without a list of nodes, each has an equal share. */
static int
share_out(unsigned long count, struct setup_requests *requests)
{
	struct node_count sum = {.kilobytes = requests->kilobytes};

	requests->all_nodes = true;
	if (count == 0) {
		return STATUS_OK;
	}
	setup_each_pages(count_node, &sum);
	if (sum.nodes == 0) {
		complain("hugepages of %u kB cannot be made: the kernel has none; --no-huge leaves "
			 "them alone",
			 requests->kilobytes);
		return STATUS_FAILED;
	}
	requests->list[0].count = (count + sum.nodes - 1) / sum.nodes;
	return STATUS_OK;
}

int
setup_read_requests(const struct setup_options *options, struct setup_requests *requests)
{
	uint64_t size, count;
	char *copy;
	bool good;

	memset(requests, 0, sizeof(*requests));
	requests->kilobytes = PAGE_KB;
	size = (uint64_t)requests->kilobytes * 1024;
	count = options->huge_pages != SETUP_BY_BYTES ? options->huge_pages
						      : (options->huge_bytes + size - 1) / size;
	requests->total = count;
	if (options->huge_nodes == NULL) {
		return share_out(count, requests);
	}
	copy = strdup(options->huge_nodes);
	good = copy != NULL && parse_nodes(copy, count, requests);
	free(copy);
	if (!good) {
		complain("--huge-nodes is '%s'; NUMA nodes, 0 to %d, are expected, as in 0,1 or "
			 "nodes_hp[0]=512,nodes_hp[1]=64",
			 options->huge_nodes, MOST_NODE);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

/* ---- Making them ---- */

static void
name_of(int node, char *name, size_t size)
{
	if (node < 0) {
		snprintf(name, size, "hugepages");
	} else {
		snprintf(name, size, "node %d: hugepages", node);
	}
}

/** Writes a number, and checks what has come of it. \return 0; a negative errno, said. */
static int
write_count(const char *file, unsigned long count, bool restoring)
{
	char path[PATH_MAX], text[32];
	long now = 0;
	int rc;

	snprintf(text, sizeof(text), "%lu", count);
	setup_path(path, "%s", file);
	rc = setup_write(path, text);
	if (rc != 0 || setup_is_dry_run()) {
		return rc;
	}
	rc = udma_sysfs_read_number(&now, 0, LONG_MAX, "%s", file + strlen("/sys/"));
	if (rc == 0 && (unsigned long)now > count && !restoring) {
		return 0; /* somebody has made more meanwhile */
	}
	if (rc == 0 && (unsigned long)now > count) {
		complain("%s: %lu pages are to be left, and there are %ld: a process has more than "
			 "that in use; end it, then 'udma setup reset' again",
			 path, count, now);
		return -EBUSY;
	}
	if (rc != 0 || (unsigned long)now != count) {
		complain("%s: %lu pages were asked for, and there are %ld: memory is short or in "
			 "pieces; ask for fewer (--huge-mem), or right after the boot",
			 path, count, now);
		return -ENOMEM;
	}
	return 0;
}

static int
change_node(const struct setup_pages *pages, unsigned long wanted)
{
	struct setup_record record = {.kind = SETUP_PAGES};
	char name[DRIVER_BYTES], folder[DRIVER_BYTES];
	int is_new, rc;

	name_of(pages->node, name, sizeof(name));
	if (pages->count >= wanted) {
		setup_say("%s of %u kB: %lu already", name, pages->kilobytes, pages->count);
		return 0;
	}
	folder_of(pages->node, folder, sizeof(folder));
	snprintf(record.target, sizeof(record.target), "%s/hugepages-%ukB/nr_hugepages", folder,
		 pages->kilobytes);
	snprintf(record.first, sizeof(record.first), "%lu", pages->count);
	is_new = setup_journal_keep(&record);
	rc = is_new < 0 ? is_new : write_count(record.target, wanted, false);
	if (rc == 0) {
		setup_say("%s of %u kB: %lu -> %lu", name, pages->kilobytes, pages->count, wanted);
	} else if (is_new >= 0 && write_count(record.target, pages->count, true) == 0) {
		complain("%s of %u kB: as they were before: %lu", name, pages->kilobytes,
			 pages->count);
		if (is_new > 0) {
			setup_journal_forget(&record);
		}
	}
	return rc;
}

struct change {
	const struct setup_requests *requests;
	unsigned request; /* which of them */
	bool found;
	int status;
};

static void
visit_change(void *ctx, const struct setup_pages *pages)
{
	struct change *change = ctx;
	const struct setup_requests *requests = change->requests;
	const struct setup_request *request = &requests->list[change->request];

	if (pages->kilobytes == requests->kilobytes &&
	    (requests->all_nodes || pages->node == request->node)) {
		change->found = true;
		if (change_node(pages, request->count) != 0) {
			change->status = STATUS_FAILED;
		}
	}
}

int
setup_change_pages(const struct setup_requests *requests)
{
	struct change change = {.requests = requests};

	if (requests->all_nodes) {
		setup_each_pages(visit_change, &change);
		return change.status;
	}
	for (; change.request < requests->count; change.request++) {
		change.found = false;
		setup_each_pages(visit_change, &change);
		if (!change.found) {
			complain("node %d has no hugepages of %u kB; 'udma setup status' shows "
				 "which have",
				 requests->list[change.request].node, requests->kilobytes);
			change.status = STATUS_FAILED;
		}
	}
	return change.status;
}

int
setup_restore_pages(const struct setup_record *record)
{
	unsigned long count = strtoul(record->first, NULL, 10);
	long now = 0;
	int rc;

	udma_sysfs_read_number(&now, 0, LONG_MAX, "%s", record->target + strlen("/sys/"));
	if ((unsigned long)now == count) {
		return 0;
	}
	rc = write_count(record->target, count, true);
	if (rc == 0) {
		setup_say("%s: %ld -> %lu", record->target, now, count);
	}
	return rc;
}
