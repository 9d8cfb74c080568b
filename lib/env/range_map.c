/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The map is a radix tree in the shape of a page table: 512 slots a node, five levels. A slot is
 * empty (0), points to a node of the level below, or points to the entry of the range that covers
 * all of the slot's span. Such a leaf may be at any level, so a long range needs nodes only along
 * its two ends.
 *
 * Readers hold nothing. Entries and nodes are therefore never freed while the map lives, only used
 * again, and a reader must notice that this happened under its eyes:
 *
 * - An entry carries a generation, odd while it is spare. A reader copies the entry and accepts the
 *   copy if the generation was even and has not moved, and the address is inside. That answer was
 *   true at some moment of the lookup, even if the reader came by way of a node used elsewhere by
 *   then.
 * - "Nothing there" is accepted if no node was discarded meanwhile; else the empty slot may belong
 *   to a node that was replaced.
 *
 * A reader tries again only after a writer has got something done. There are no fences, because
 * ThreadSanitizer does not model them: the entry's fields are stored by release and loaded by
 * acquire, which orders them against the generation on both sides.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "range_map.h"

#define LEVELS     5
#define LEVEL_BITS 9
#define SLOTS      (1u << LEVEL_BITS)
#define PAGE_SHIFT 12
#define IS_ENTRY   ((uintptr_t)1)

/* A range has two ends. At each, one node of every level may have the end inside. */
#define NODES_FOR_ANY_RANGE (2 * LEVELS)
/* The new range, and what is left of old ones on both sides. */
#define ENTRIES_FOR_ANY_RANGE 3

struct udma_range_entry {
	uint64_t generation;
	uint64_t start;
	uint64_t len;
	uint64_t value;
	struct udma_range_entry *next;     /* spare, or about to be; of writers */
	struct udma_range_entry *next_all; /* of writers */
};

struct udma_range_node {
	uintptr_t slot[SLOTS];
	unsigned used; /* of writers */
	struct udma_range_node *next_spare;
};

/** Bytes that one slot at a level covers; level 0 is the last one. */
static uint64_t
span(int level)
{
	return 1ULL << (PAGE_SHIFT + LEVEL_BITS * level);
}

static unsigned
slot_index(uint64_t addr, int level)
{
	return (addr >> (PAGE_SHIFT + LEVEL_BITS * level)) & (SLOTS - 1);
}

static bool
is_entry(uintptr_t slot)
{
	return (slot & IS_ENTRY) != 0;
}

static bool
is_node(uintptr_t slot)
{
	return slot != 0 && !is_entry(slot);
}

static struct udma_range_entry *
as_entry(uintptr_t slot)
{
	return (struct udma_range_entry *)(slot & ~IS_ENTRY);
}

static struct udma_range_node *
as_node(uintptr_t slot)
{
	return (struct udma_range_node *)slot;
}

static uintptr_t
load_slot(const uintptr_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static void
store_slot(uintptr_t *slot, uintptr_t value)
{
	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
}

/* ---- Readers ---------------------------------------------------------------------------- */

/** \return whether the copy is of an entry in use that has the address inside. */
static bool
copy_entry(const struct udma_range_entry *entry, uint64_t addr, struct udma_range *out)
{
	uint64_t generation = __atomic_load_n(&entry->generation, __ATOMIC_ACQUIRE);

	out->start = __atomic_load_n(&entry->start, __ATOMIC_ACQUIRE);
	out->len = __atomic_load_n(&entry->len, __ATOMIC_ACQUIRE);
	out->value = __atomic_load_n(&entry->value, __ATOMIC_ACQUIRE);
	return (generation & 1) == 0 &&
	       generation == __atomic_load_n(&entry->generation, __ATOMIC_RELAXED) &&
	       addr - out->start < out->len;
}

bool
udma_range_map_lookup(const struct udma_range_map *map, uint64_t addr, struct udma_range *out)
{
	if (addr >> UDMA_RANGE_MAP_ADDR_BITS) {
		*out = (struct udma_range){.start = span(LEVELS), .len = 0 - span(LEVELS)};
		return false;
	}
	for (;;) {
		uint64_t discarded = __atomic_load_n(&map->discarded, __ATOMIC_ACQUIRE);
		uintptr_t slot = load_slot(&map->root);
		int level = LEVELS;

		while (is_node(slot) && level > 0) {
			level--;
			slot = load_slot(&as_node(slot)->slot[slot_index(addr, level)]);
		}
		if (is_entry(slot)) {
			if (copy_entry(as_entry(slot), addr, out)) {
				return true;
			}
		} else if (slot == 0 &&
			   discarded == __atomic_load_n(&map->discarded, __ATOMIC_RELAXED)) {
			*out = (struct udma_range){.start = addr & ~(span(level) - 1),
						   .len = span(level)};
			return false;
		}
	}
}

/* ---- Nodes and entries, of writers ------------------------------------------------------ */

static int
spare_up(struct udma_range_map *map, size_t nodes, size_t entries)
{
	while (map->spare_node_count < nodes) {
		struct udma_range_node *node = calloc(1, sizeof(*node));

		if (node == NULL) {
			return -ENOMEM;
		}
		node->next_spare = map->spare_nodes;
		map->spare_nodes = node;
		map->spare_node_count++;
		map->node_count++;
	}
	while (map->spare_entry_count < entries) {
		struct udma_range_entry *entry = calloc(1, sizeof(*entry));

		if (entry == NULL) {
			return -ENOMEM;
		}
		entry->generation = 1;
		entry->next_all = map->entries;
		map->entries = entry;
		entry->next = map->spare_entries;
		map->spare_entries = entry;
		map->spare_entry_count++;
	}
	return 0;
}

/** Takes a spare entry into use. \return a slot's content. */
static uintptr_t
new_entry(struct udma_range_map *map, uint64_t start, uint64_t len, uint64_t value)
{
	struct udma_range_entry *entry = map->spare_entries;

	map->spare_entries = entry->next;
	map->spare_entry_count--;
	__atomic_store_n(&entry->start, start, __ATOMIC_RELEASE);
	__atomic_store_n(&entry->len, len, __ATOMIC_RELEASE);
	__atomic_store_n(&entry->value, value, __ATOMIC_RELEASE);
	__atomic_store_n(&entry->generation, entry->generation + 1, __ATOMIC_RELEASE);
	return (uintptr_t)entry | IS_ENTRY;
}

/** Makes an entry spare. No slot of the tree points to it any more. */
static void
retire_entry(struct udma_range_map *map, struct udma_range_entry *entry)
{
	__atomic_store_n(&entry->generation, entry->generation + 1, __ATOMIC_RELEASE);
	entry->next = map->spare_entries;
	map->spare_entries = entry;
	map->spare_entry_count++;
}

/** Takes a spare node into use with one content in all slots. */
static struct udma_range_node *
new_node(struct udma_range_map *map, uintptr_t content)
{
	struct udma_range_node *node = map->spare_nodes;

	map->spare_nodes = node->next_spare;
	map->spare_node_count--;
	for (unsigned i = 0; content != 0 && i < SLOTS; i++) {
		store_slot(&node->slot[i], content);
	}
	node->used = content != 0 ? SLOTS : 0;
	return node;
}

/** Makes a node and all below it spare. The tree does not lead to it any more. */
static void
discard_node(struct udma_range_map *map, struct udma_range_node *node)
{
	/* Before the slots are emptied: who sees one empty sees this too. */
	__atomic_store_n(&map->discarded, map->discarded + 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; node->used > 0 && i < SLOTS; i++) {
		if (is_node(node->slot[i])) {
			discard_node(map, as_node(node->slot[i]));
		}
		store_slot(&node->slot[i], 0);
	}
	node->next_spare = map->spare_nodes;
	map->spare_nodes = node;
	map->spare_node_count++;
}

/* ---- Writers ---------------------------------------------------------------------------- */

/** Puts `content` into all slots for [start, last] below `slot`, which covers span(level) from
 * `base`. */
static void
fill(struct udma_range_map *map, uintptr_t *slot, int level, uint64_t base, uint64_t start,
     uint64_t last, uintptr_t content)
{
	uintptr_t old = *slot;
	struct udma_range_node *node;

	if (start <= base && last >= base + (span(level) - 1)) {
		store_slot(slot, content);
		if (is_node(old)) {
			discard_node(map, as_node(old));
		}
		return;
	}
	if (old == content) {
		return;
	}
	if (is_node(old)) {
		node = as_node(old);
	} else {
		node = new_node(map, old);
		store_slot(slot, (uintptr_t)node);
	}

	level--;
	unsigned from = start > base ? (start - base) / span(level) : 0;
	unsigned to = last - base < span(level + 1) ? (last - base) / span(level) : SLOTS - 1;

	for (unsigned i = from; i <= to; i++) {
		bool was_used = node->slot[i] != 0;

		fill(map, &node->slot[i], level, base + i * span(level), start, last, content);
		node->used += (node->slot[i] != 0) - was_used;
	}
	if (node->used == 0) {
		store_slot(slot, 0);
		discard_node(map, node);
	}
}

/** How many nodes it takes for `end` to be a boundary between two slots. */
static size_t
nodes_missing(const struct udma_range_map *map, uint64_t end)
{
	uintptr_t slot = map->root;
	size_t missing = 0;

	for (int level = LEVELS; level > 0 && (end & (span(level) - 1)) != 0; level--) {
		if (is_node(slot)) {
			slot = as_node(slot)->slot[slot_index(end, level - 1)];
		} else {
			slot = 0;
			missing++;
		}
	}
	return missing;
}

static uint64_t
last_of(const struct udma_range_entry *entry)
{
	return entry->start + entry->len - 1;
}

static struct udma_range_entry *
next_entry(uintptr_t slot, int level, uint64_t base, uint64_t addr)
{
	if (slot == 0 || is_entry(slot)) {
		return as_entry(slot);
	}
	level--;
	for (unsigned i = addr > base ? (addr - base) / span(level) : 0; i < SLOTS; i++) {
		struct udma_range_entry *entry =
			next_entry(as_node(slot)->slot[i], level, base + i * span(level), addr);

		if (entry != NULL) {
			return entry;
		}
	}
	return NULL;
}

/** The first entry that ends behind an address. */
static struct udma_range_entry *
entry_behind(const struct udma_range_map *map, uint64_t addr)
{
	return addr >> UDMA_RANGE_MAP_ADDR_BITS ? NULL : next_entry(map->root, LEVELS, 0, addr);
}

bool
udma_range_map_next(const struct udma_range_map *map, uint64_t addr, struct udma_range *out)
{
	const struct udma_range_entry *entry = entry_behind(map, addr);

	if (entry == NULL) {
		return false;
	}
	*out = (struct udma_range){entry->start, entry->len, entry->value};
	return true;
}

static struct udma_range_entry *
previous_entry(uintptr_t slot, int level, uint64_t base, uint64_t addr)
{
	if (slot == 0 || is_entry(slot)) {
		return as_entry(slot);
	}
	level--;
	for (unsigned i = addr - 1 - base < span(level + 1) ? (addr - 1 - base) / span(level) + 1
							    : SLOTS;
	     i > 0; i--) {
		struct udma_range_entry *entry = previous_entry(as_node(slot)->slot[i - 1], level,
								base + (i - 1) * span(level), addr);

		if (entry != NULL) {
			return entry;
		}
	}
	return NULL;
}

bool
udma_range_map_previous(const struct udma_range_map *map, uint64_t addr, struct udma_range *out)
{
	const struct udma_range_entry *entry =
		addr == 0 ? NULL : previous_entry(map->root, LEVELS, 0, addr);

	if (entry == NULL) {
		return false;
	}
	*out = (struct udma_range){entry->start, entry->len, entry->value};
	return true;
}

/** Replaces what is in a range by one entry, or by nothing. */
static int
replace(struct udma_range_map *map, uint64_t start, uint64_t len, const uint64_t *value)
{
	uint64_t last = start + len - 1;
	struct udma_range_entry *entry, *old = NULL;
	size_t entries = value != NULL;
	int rc;

	if (len == 0 || (start | len) & (UDMA_RANGE_MAP_PAGE - 1) || last < start ||
	    last >> UDMA_RANGE_MAP_ADDR_BITS) {
		return -EINVAL;
	}
	for (uint64_t addr = start; addr <= last; addr = last_of(entry) + 1) {
		entry = entry_behind(map, addr);
		if (entry == NULL || entry->start > last) {
			break;
		}
		entries += (entry->start < start) + (last_of(entry) > last);
		entry->next = old;
		old = entry;
	}
	/* To clear exactly what was set takes nothing, and so cannot fail. */
	rc = spare_up(map, nodes_missing(map, start) + nodes_missing(map, last + 1), entries);
	if (rc != 0) {
		return rc;
	}

	/* Until the old entries are retired they answer wherever the new ones are not in place. */
	for (entry = old; entry != NULL; entry = entry->next) {
		if (entry->start < start) {
			fill(map, &map->root, LEVELS, 0, entry->start, start - 1,
			     new_entry(map, entry->start, start - entry->start, entry->value));
		}
		if (last_of(entry) > last) {
			fill(map, &map->root, LEVELS, 0, last + 1, last_of(entry),
			     new_entry(map, last + 1, last_of(entry) - last, entry->value));
		}
	}
	fill(map, &map->root, LEVELS, 0, start, last,
	     value != NULL ? new_entry(map, start, len, *value) : 0);
	while (old != NULL) {
		entry = old;
		old = old->next;
		retire_entry(map, entry);
	}
	return 0;
}

int
udma_range_map_set(struct udma_range_map *map, uint64_t start, uint64_t len, uint64_t value)
{
	return replace(map, start, len, &value);
}

int
udma_range_map_clear(struct udma_range_map *map, uint64_t start, uint64_t len)
{
	return replace(map, start, len, NULL);
}

int
udma_range_map_reserve(struct udma_range_map *map, uint64_t len)
{
	return spare_up(map, len / span(2) + NODES_FOR_ANY_RANGE,
			len / span(1) + ENTRIES_FOR_ANY_RANGE);
}

static void
free_nodes(uintptr_t slot)
{
	if (!is_node(slot)) {
		return;
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		free_nodes(as_node(slot)->slot[i]);
	}
	free(as_node(slot));
}

void
udma_range_map_destroy(struct udma_range_map *map)
{
	free_nodes(map->root);
	while (map->spare_nodes != NULL) {
		struct udma_range_node *node = map->spare_nodes;

		map->spare_nodes = node->next_spare;
		free(node);
	}
	while (map->entries != NULL) {
		struct udma_range_entry *entry = map->entries;

		map->entries = entry->next_all;
		free(entry);
	}
	memset(map, 0, sizeof(*map));
}
