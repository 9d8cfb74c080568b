/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The set of registrations, and those who are told of its changes (register.c and mem_map.c).
 *
 * One lock guards both. Translation never takes it. It is held while callbacks run; a callback
 * that comes back for it gets -EDEADLK.
 */

#ifndef UDMA_ENV_REGISTRY_H
#define UDMA_ENV_REGISTRY_H

#include "env_internal.h"
#include "region.h"

int udma_registry_init(enum udma_iova_kind kind, unsigned iova_bits);
/** Forgets the registrations that are left. Maps are told, and stay. */
void udma_registry_fini(void);

/** \return 0; -EDEADLK for a notify callback. */
int udma_registry_lock(void);
void udma_registry_unlock(void);

/** spdk_mem_register() for what spdk_malloc() gives out, and the program cannot unregister. */
int udma_registry_add_chunk(void *vaddr, size_t len);
/** Undoes udma_registry_add_chunk(). \return as spdk_mem_unregister(). */
int udma_registry_remove_chunk(void *vaddr, size_t len);

struct udma_registration {
	uint64_t vaddr;
	uint64_t len;
};

/** The first registration at or behind an address; locked. \return whether there is one. */
bool udma_registry_next(uint64_t vaddr, struct udma_registration *reg);
/** The last registration that begins before an address; locked. \return whether there is one. */
bool udma_registry_previous(uint64_t vaddr, struct udma_registration *reg);
/** The registration that an address is in; locked. \return whether there is one. */
bool udma_registry_find(uint64_t vaddr, struct udma_registration *reg);

/** The first region at or behind an address; locked. \return whether there is one. */
bool udma_registry_next_region(uint64_t vaddr, struct udma_region *region);

/**
 * Tells the maps in the order they were made; locked. Who refuses has said why.
 *
 * \return 0; what a map refused with, and those told before it have been told the contrary.
 */
int udma_mem_maps_tell_registered(const struct udma_registration *reg);
/** Tells the maps in the opposite order. \return as above. */
int udma_mem_maps_tell_removed(const struct udma_registration *reg);
/** Makes room in all maps; locked. \return 0; -ENOMEM. */
int udma_mem_maps_reserve(uint64_t len);

#endif
