/* SPDX-License-Identifier: BSD-3-Clause */

/* The list as a table, and as JSON. */

#include "list.h"
#include "json.h"
#include "table.h"
#include "tool.h"

#include "spdk/util.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES 64

/* ---- As a table ---- */

static const char *const g_capabilities[] = {"copy", "fill", "XOR", "P+Q"};

/** The name of each bit of enum udma_ioat_capability, with commas. */
static char *
cell_of_capabilities(unsigned capabilities)
{
	char text[TEXT_BYTES] = "";

	for (unsigned i = 0; i < SPDK_COUNTOF(g_capabilities); i++) {
		if (capabilities & 1u << i) {
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 text[0] ? ", " : "", g_capabilities[i]);
		}
	}
	return table_cell("%s", text);
}

static char *
cell_of_holder(const struct entry *entry)
{
	if (strcmp(entry->kind, "emulated") == 0) {
		return table_cell("this process");
	}
	if (entry->function.holder == 0) {
		return table_cell("-");
	}
	if (entry->function.holder < 0) {
		return table_cell("?");
	}
	return table_cell("%d (%s)", (int)entry->function.holder, entry->holder_name);
}

/** Whether a program that asks now gets it. */
static bool
is_usable(const struct entry *entry)
{
	return strcmp(entry->kind, "emulated") == 0 ||
	       (entry->function.usable && entry->function.holder == 0);
}

#define COLUMNS 9

static void
fill_row(char **row, const struct entry *entry)
{
	const struct udma_pci_function *function = &entry->function;
	const char *generation = udma_pci_generation(function->id.device_id);
	char address[TEXT_BYTES];

	spdk_pci_addr_fmt(address, sizeof(address), &function->addr);
	row[0] = table_cell("%s", address);
	row[1] = table_cell("%04x:%04x", function->id.vendor_id, function->id.device_id);
	row[2] = table_cell("%s", generation != NULL ? generation : "");
	row[3] = table_cell("%s", entry->kind);
	row[4] = table_cell("%s", function->driver);
	row[5] = function->numa_id >= 0 ? table_cell("%d", function->numa_id) : table_cell("-");
	row[6] = table_cell("%s", is_usable(entry) ? "yes" : "no");
	row[7] = cell_of_capabilities(entry->capabilities);
	row[8] = cell_of_holder(entry);
}

int
list_print_table(const struct entries *entries)
{
	static const char *const heading[COLUMNS] = {
		"ADDRESS", "ID",     "GENERATION",   "KIND",    "DRIVER",
		"NUMA",    "USABLE", "CAPABILITIES", "HELD BY",
	};
	char **cells = calloc(entries->count, COLUMNS * sizeof(*cells));

	for (unsigned i = 0; cells != NULL && i < entries->count; i++) {
		fill_row(&cells[i * COLUMNS], &entries->list[i]);
	}
	return table_print(stdout, heading, cells, entries->count, COLUMNS);
}

/* ---- As JSON ---- */

static struct json_object *
text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? json_of_text(text) : NULL;
}

static struct json_object *
json_of_capabilities(unsigned capabilities)
{
	struct json_object *array;

	if (capabilities == 0) {
		return NULL;
	}
	array = json_object_new_array();
	for (unsigned i = 0; i < SPDK_COUNTOF(g_capabilities); i++) {
		if (capabilities & 1u << i) {
			json_object_array_add(array, json_of_text(g_capabilities[i]));
		}
	}
	return array;
}

static struct json_object *
json_of_holder(const struct entry *entry)
{
	struct json_object *holder;

	if (entry->function.holder == 0) {
		return NULL;
	}
	holder = json_object_new_object();
	if (entry->function.holder < 0) { /* it cannot be told who, or whether anybody */
		json_object_object_add(holder, "pid", NULL);
		json_object_object_add(holder, "name", NULL);
		return holder;
	}
	json_object_object_add(holder, "pid", json_object_new_int(entry->function.holder));
	json_object_object_add(holder, "name", text_or_null(entry->holder_name));
	return holder;
}

static struct json_object *
json_of_entry(const struct entry *entry)
{
	const struct udma_pci_function *function = &entry->function;
	struct json_object *object = json_object_new_object();
	char text[TEXT_BYTES];

	spdk_pci_addr_fmt(text, sizeof(text), &function->addr);
	json_object_object_add(object, "address", json_of_text(text));
	snprintf(text, sizeof(text), "%04x:%04x", function->id.vendor_id, function->id.device_id);
	json_object_object_add(object, "id", json_of_text(text));
	json_object_object_add(object, "generation",
			       text_or_null(udma_pci_generation(function->id.device_id)));
	json_object_object_add(object, "kind", json_of_text(entry->kind));
	json_object_object_add(object, "driver", text_or_null(function->driver));
	json_object_object_add(object, "numa_node",
			       function->numa_id >= 0 ? json_object_new_int(function->numa_id)
						      : NULL);
	json_object_object_add(
		object, "iommu_group",
		function->iommu_group >= 0 ? json_object_new_int(function->iommu_group) : NULL);
	json_object_object_add(object, "usable", json_object_new_boolean(is_usable(entry)));
	json_object_object_add(object, "capabilities", json_of_capabilities(entry->capabilities));
	json_object_object_add(object, "holder", json_of_holder(entry));
	return object;
}

void
list_print_json(const struct entries *entries)
{
	struct json_object *array = json_object_new_array();

	for (unsigned i = 0; i < entries->count; i++) {
		json_object_array_add(array, json_of_entry(&entries->list[i]));
	}
	json_print(stdout, array);
}
