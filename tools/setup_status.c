/* SPDX-License-Identifier: BSD-3-Clause */

/* udma setup status: what there is, as tables and as JSON. */

#include "setup.h"
#include "json.h"
#include "number.h"
#include "table.h"
#include "tool.h"

#include "env/sysfs.h"

#include <stdlib.h>
#include <string.h>

#define LIMITS_BYTES 4096
#define SIZE_BYTES   32

/** What this process may lock, which says nothing of other users. \return false if it is not known,
 * or not limited. */
static bool
read_locked_limit(unsigned long *bytes, bool *unlimited)
{
	static const char name[] = "Max locked memory";
	char text[LIMITS_BYTES], *line, *rest;

	*unlimited = false;
	if (udma_sysfs_read(text, sizeof(text), "../proc/self/limits") != 0 ||
	    (line = strstr(text, name)) == NULL) {
		return false;
	}
	line += strlen(name);
	line += strspn(line, " ");
	*unlimited = strncmp(line, "unlimited", strlen("unlimited")) == 0;
	*bytes = strtoul(line, &rest, 10);
	return !*unlimited && rest != line;
}

/* ---- As tables ---- */

#define COLUMNS 9

static void
fill_row(char **row, const struct setup_function *function)
{
	const struct udma_pci_function *pci = &function->pci;

	row[0] = table_cell("%s", function->name);
	row[1] = table_cell("%04x:%04x", pci->id.vendor_id, pci->id.device_id);
	row[2] = table_cell("%s", udma_pci_generation(pci->id.device_id));
	row[3] = table_cell("%s", pci->driver);
	row[4] = table_cell("%s", function->override_driver);
	row[5] = pci->numa_id >= 0 ? table_cell("%d", pci->numa_id) : table_cell("-");
	row[6] = pci->iommu_group >= 0 ? table_cell("%d", pci->iommu_group) : table_cell("-");
	row[7] = table_cell("%s", function->user);
	row[8] = table_cell("%s", function->others);
}

static int
print_channels(const struct setup_machine *machine)
{
	static const char *const heading[COLUMNS] = {
		"ADDRESS", "ID",    "GENERATION", "DRIVER",        "OVERRIDE",
		"NUMA",    "GROUP", "USED BY",    "ALSO IN GROUP",
	};
	char **cells;

	if (machine->count == 0) {
		puts("no I/OAT channel");
		return STATUS_OK;
	}
	cells = calloc(machine->count, COLUMNS * sizeof(*cells));
	for (unsigned i = 0; cells != NULL && i < machine->count; i++) {
		fill_row(&cells[i * COLUMNS], &machine->list[i]);
	}
	return table_print(stdout, heading, cells, machine->count, COLUMNS);
}

#define PAGES_COLUMNS 4

struct rows {
	char **cells;
	unsigned count;
	bool no_memory;
};

static void
add_row(void *ctx, const struct setup_pages *pages)
{
	struct rows *rows = ctx;
	char **grown = reallocarray(rows->cells, rows->count + 1, PAGES_COLUMNS * sizeof(*grown));
	char size[SIZE_BYTES];
	char **row;

	if (grown == NULL) {
		rows->no_memory = true;
		return;
	}
	rows->cells = grown;
	row = grown + PAGES_COLUMNS * rows->count++;
	row[0] = pages->node >= 0 ? table_cell("%d", pages->node) : table_cell("all");
	row[1] = table_cell("%s",
			    size_exact_text((uint64_t)pages->kilobytes * 1024, size, sizeof(size)));
	row[2] = table_cell("%lu", pages->count);
	row[3] = table_cell("%lu", pages->free);
}

static int
print_pages(void)
{
	static const char *const heading[PAGES_COLUMNS] = {"NODE", "HUGEPAGES OF", "THERE", "FREE"};
	struct rows rows = {0};

	setup_each_pages(add_row, &rows);
	if (rows.count == 0 && !rows.no_memory) {
		puts("no hugepages: the kernel has none");
		return STATUS_OK;
	}
	return table_print(stdout, heading, rows.cells, rows.count, PAGES_COLUMNS);
}

static void
print_rest(const struct setup_machine *machine)
{
	unsigned long bytes;
	bool unlimited;

	printf("IOMMU          ");
	if (machine->groups > 0) {
		printf("%u groups\n", machine->groups);
	} else {
		puts(machine->noiommu ? "none, and VFIO does without" : "none");
	}
	printf("locked memory  ");
	if (read_locked_limit(&bytes, &unlimited)) {
		printf("%lu bytes for this process\n", bytes);
	} else {
		puts(unlimited ? "unlimited for this process" : "not known");
	}
	printf("journal        ");
	if (setup_journal_is_hidden()) {
		puts("Permission denied; root may read it");
	} else if (setup_journal_count() < 0) {
		puts("of another boot; reset has nothing to do");
	} else if (setup_journal_count() == 0) {
		puts("none");
	} else {
		printf("%d to restore by reset\n", setup_journal_count());
	}
}

static int
print_tables(const struct setup_machine *machine)
{
	int status = print_channels(machine);

	putchar('\n');
	if (status == STATUS_OK) {
		status = print_pages();
		putchar('\n');
		print_rest(machine);
	}
	return status;
}

/* ---- As JSON ---- */

static struct json_object *
text_or_null(const char *text)
{
	return text[0] != '\0' ? json_of_text(text) : NULL;
}

static struct json_object *
number_or_null(int number)
{
	return number >= 0 ? json_object_new_int(number) : NULL;
}

static struct json_object *
json_of_function(const struct setup_function *function)
{
	const struct udma_pci_function *pci = &function->pci;
	struct json_object *object = json_object_new_object();
	char id[SIZE_BYTES];

	snprintf(id, sizeof(id), "%04x:%04x", pci->id.vendor_id, pci->id.device_id);
	json_object_object_add(object, "address", json_of_text(function->name));
	json_object_object_add(object, "id", json_of_text(id));
	json_object_object_add(object, "generation",
			       json_of_text(udma_pci_generation(pci->id.device_id)));
	json_object_object_add(object, "driver", text_or_null(pci->driver));
	json_object_object_add(object, "driver_override", text_or_null(function->override_driver));
	json_object_object_add(object, "numa_node", number_or_null(pci->numa_id));
	json_object_object_add(object, "iommu_group", number_or_null(pci->iommu_group));
	json_object_object_add(object, "used_by", text_or_null(function->user));
	json_object_object_add(object, "also_in_group", text_or_null(function->others));
	return object;
}

static void
add_pages(void *ctx, const struct setup_pages *pages)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "numa_node", number_or_null(pages->node));
	json_object_object_add(object, "bytes",
			       json_object_new_int64((int64_t)pages->kilobytes * 1024));
	json_object_object_add(object, "count", json_object_new_uint64(pages->count));
	json_object_object_add(object, "free", json_object_new_uint64(pages->free));
	json_object_array_add(ctx, object);
}

static struct json_object *
json_of_locked_limit(void)
{
	unsigned long bytes;
	bool unlimited;

	if (read_locked_limit(&bytes, &unlimited)) {
		return json_object_new_uint64(bytes);
	}
	return unlimited ? json_of_text("unlimited") : NULL;
}

static struct json_object *
json_of_journal(void)
{
	int count = setup_journal_count();

	return setup_journal_is_hidden() ? NULL : json_object_new_int(count > 0 ? count : 0);
}

static void
print_json(const struct setup_machine *machine)
{
	struct json_object *object = json_object_new_object();
	struct json_object *channels = json_object_new_array();
	struct json_object *pages = json_object_new_array();

	for (unsigned i = 0; i < machine->count; i++) {
		json_object_array_add(channels, json_of_function(&machine->list[i]));
	}
	setup_each_pages(add_pages, pages);
	json_object_object_add(object, "channels", channels);
	json_object_object_add(object, "iommu_groups", json_object_new_int((int)machine->groups));
	json_object_object_add(object, "vfio_without_iommu",
			       json_object_new_boolean(machine->noiommu));
	json_object_object_add(object, "hugepages", pages);
	json_object_object_add(object, "locked_memory", json_of_locked_limit());
	json_object_object_add(object, "to_restore", json_of_journal());
	json_print(stdout, object);
}

int
setup_status(const struct setup_options *options)
{
	struct setup_machine machine;
	int status = setup_machine_read(&machine);

	if (status != STATUS_OK) {
		return status;
	}
	status = setup_journal_open(false);
	if (status == STATUS_OK && options->json) {
		print_json(&machine);
	} else if (status == STATUS_OK) {
		status = print_tables(&machine);
	}
	setup_journal_close();
	setup_machine_free(&machine);
	return status;
}
