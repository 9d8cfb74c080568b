/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The emulated device without a driver of ours: a test of somebody else's would do what this does,
 * with that driver's register accesses in place of those below. Offsets and bits are those of an
 * I/OAT channel's data sheet.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "udma/emu.h"

#define MEMORY_SIZE 4096u

/* Where things are in the memory that the device sees, from address 0 on. */
enum { RING = 0x000, WORD = 0x100, SOURCE = 0x200, DESTINATION = 0x300 };

static void *
grant(void *memory, uint64_t address, uint64_t *len, bool write)
{
	(void)write;
	if (address >= MEMORY_SIZE) {
		return NULL; /* the channel halts, with the error that silicon reports */
	}
	*len = *len < MEMORY_SIZE - address ? *len : MEMORY_SIZE - address;
	return (uint8_t *)memory + address;
}

static void
hear(void *memory, const struct udma_emu_interrupt *interrupt)
{
	(void)memory;
	printf("interrupt: INTx %s\n", interrupt->level ? "rises" : "falls");
}

int
main(void)
{
	static struct udma_emu_config config;
	static struct udma_emu_host host;
	static uint64_t memory[MEMORY_SIZE / sizeof(uint64_t)];
	uint8_t *bytes = (uint8_t *)memory;
	uint16_t command = 0x0006; /* memory, bus master */
	struct udma_emu *emu;
	bool same;

	config.device_id = 0x0b00;
	config.interrupts = UDMA_EMU_INTX;
	host.grant = grant;
	host.interrupt = hear;
	emu = udma_emu_create(&config, &host, memory);
	if (emu == NULL) {
		perror("udma_emu_create");
		return EXIT_FAILURE;
	}
	/* One descriptor: copy 32 bytes, store the completion word, interrupt. */
	memory[RING / 8 + 0] = (uint64_t)0x09 << 32 | 32;
	memory[RING / 8 + 1] = SOURCE;
	memory[RING / 8 + 2] = DESTINATION;
	memory[RING / 8 + 3] = RING;
	memcpy(bytes + SOURCE, "thirty-two bytes, for the engine", 32);

	udma_emu_cfg_write(emu, 0x04, &command, sizeof(command));
	udma_emu_write(emu, 0x03, 1, 0x01);   /* INTRCTRL: interrupts on */
	udma_emu_write(emu, 0x80, 2, 0x001d); /* CHANCTRL */
	udma_emu_write(emu, 0x98, 8, WORD);   /* CHANCMP */
	udma_emu_write(emu, 0x90, 8, RING);   /* CHAINADDR */
	udma_emu_write(emu, 0x86, 2, 1);      /* DMACOUNT: one descriptor is ready */
	while (udma_emu_step(emu)) {
	}
	printf("CHANSTS: %#" PRIx64 "\n", udma_emu_read(emu, 0x88, 8));
	printf("ATTNSTATUS: %#" PRIx64 "\n", udma_emu_read(emu, 0x04, 4)); /* reading clears it */
	same = memcmp(bytes + SOURCE, bytes + DESTINATION, 32) == 0;
	printf("32 bytes copied: %s\n", same ? "equal" : "different");
	udma_emu_destroy(emu);
	return same ? EXIT_SUCCESS : EXIT_FAILURE;
}
