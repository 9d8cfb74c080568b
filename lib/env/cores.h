/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What threads.c needs to know of the cores.
 */

#ifndef UDMA_ENV_CORES_H
#define UDMA_ENV_CORES_H

#include <stdbool.h>
#include <stdint.h>

/** \return whether `core` is one of ours; `*cpu` is set to the CPU it stands for. */
bool udma_cores_lookup(uint32_t core, uint32_t *cpu);

/** Makes the calling thread the one on `core`, until the environment ends. */
void udma_cores_enter(uint32_t core);

/** The program's name, to name threads after. */
const char *udma_cores_program(void);

#endif
