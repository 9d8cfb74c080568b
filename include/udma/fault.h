/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Faults on demand: what an emulated I/OAT function does wrong, and when.
 *
 * A fault is injected into a function that one steps oneself (udma_emu_inject()), into one of this
 * process (udma_fault_inject()), or by its text: UDMA_EMULATE=N,fault=TEXT, `udma emulate
 * --fault=TEXT`, and lines of text to `udma emulate --control`. test/faults/README.md lists each
 * with what a program sees.
 *
 * A fault has *occasions*: the data-moving descriptors that are carried out, unless its kind names
 * something else. Null descriptors and those that are malformed do not count. They are counted from
 * the injection on, and for each fault by itself. With UDMA_EMULATE that is before the channel is
 * attached, and the first occasion is the attach's own: a fill that tells where patterns start. So
 * `at=1` spoils that one, and `at=2` is the program's first; a fault that udma_fault_inject()
 * brings in afterwards begins with the program.
 */

#ifndef UDMA_FAULT_H
#define UDMA_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** Faults that one function can have at a time. */
#define UDMA_FAULTS_MAX 32
/** Bytes that hold what is wrong with the text of one. */
#define UDMA_FAULT_WHY_SIZE 320

/** What goes wrong; `value` is that of struct udma_fault. Section numbers are as in udma/emu.h. */
enum udma_fault_kind {
	/* Of the engine. */
	UDMA_FAULT_ERROR, /**< The descriptor ends at `step` with the bits `value` of CHANERR. */
	UDMA_FAULT_HALT,  /**< The channel halts at `step`, also without ANY_ERR_ABORT_EN. `value`:
			     bits of CHANERR, 0 for a halt without a cause. */
	UDMA_FAULT_HANG,  /**< The engine stops at `step`, for `value` microseconds; 0: for ever. */
	UDMA_FAULT_DELAY, /**< The engine stops at `step` for `value` microseconds. */
	UDMA_FAULT_FLIP,  /**< One byte that was written is inverted; which one `seed` chooses.
			     Validations are no occasion. */
	UDMA_FAULT_LATE_STORE,   /**< What a copy writes is stored behind what the next descriptor
				    reads and writes; not behind a fence nor a completion word. */
	UDMA_FAULT_EARLY_SOURCE, /**< The source of the next descriptor is read before this one is
				    carried out; not past a fence. */
	/* Of the completion word. Occasions: words that are stored, those of errors too. */
	UDMA_FAULT_LOST_WORD,    /**< It is not stored. */
	UDMA_FAULT_DOUBLED_WORD, /**< It is stored a second time, at once behind the next one and
				    over it: before CHANSTS shows that one's descriptor or halt, and
				    before its interrupt. Until there is a next one nothing is;
				    CHANCMD's RESET and ABORT forget it: what a device has stored is
				    there before its answer to a read that shows their end. */
	UDMA_FAULT_WRONG_WORD,   /**< `value` is stored in its place; 0: an address far from it. */
	/* Of interrupts. */
	UDMA_FAULT_LOST_INTERRUPT,     /**< One that is sent does not arrive. Occasions: those. */
	UDMA_FAULT_SPURIOUS_INTERRUPT, /**< One is sent without a cause. */
	/* Of the function. */
	UDMA_FAULT_RESET, /**< CHANCMD.RESET does not end, and the engine does nothing. Occasions:
			     such commands. `value`: microseconds, 0 for ever. */
	UDMA_FAULT_ONES,  /**< Nothing answers: registers and configuration space read as ones, and
			     stores to them do nothing. `value`: microseconds, 0 for ever; then it
			     is as after power-on. */
	UDMA_FAULT_REMOVAL, /**< Likewise, and the function is known to be gone: see
			       udma_fault_inject(). */
	UDMA_FAULT_CONFIG,  /**< An access to configuration space fails. Occasions: those that touch
			       offset `value`; 0: all. */
	UDMA_FAULT_KINDS    /**< How many kinds there are. */
};

/** The steps of a descriptor; the engine stops, halts or ends it before one of them. */
enum udma_fault_step {
	UDMA_FAULT_READ = 0,  /**< The source is read. */
	UDMA_FAULT_FETCH,     /**< The descriptor is fetched. */
	UDMA_FAULT_WRITE,     /**< The second half of the destination is written; the first is. Of
				 XOR and PQ nothing is. */
	UDMA_FAULT_STATUS,    /**< The completion word is stored, and CHANSTS shows it. */
	UDMA_FAULT_INTERRUPT, /**< It interrupts. The descriptor has succeeded. */
	UDMA_FAULT_STEPS      /**< How many steps there are. */
};

/** Addresses, as the device sees them. */
struct udma_fault_range {
	uint64_t addr;
	uint64_t len; /**< 0: any address. */
};

/** A fault. All zero but the kind: at the next occasion, once; UDMA_FAULT_ONES and _REMOVAL: now.
 */
struct udma_fault {
	enum udma_fault_kind kind;
	enum udma_fault_step step;
	uint64_t value;
	/**
	 * The first occasion, and from there on each `every`-th; 0: no other one. If `at` is 0, it
	 * is `every`; if both are, the first occasion, and all of them with `one_in` or a range.
	 */
	uint64_t at;
	uint64_t every;
	uint32_t one_in; /**< Of these only one in so many, at random; 0 or 1: all. */
	uint64_t seed;   /**< For what is at random. */
	uint64_t times;  /**< It happens no more often; 0: without an end. */
	/**
	 * Only descriptors that read from here or write there are an occasion: copies and fills,
	 * also at the second address of a broken page; of XOR and PQ, the first source and the
	 * destination or P.
	 */
	struct udma_fault_range source;
	struct udma_fault_range destination;
};

/**
 * Reads the text of a fault: KIND[:NAME=VALUE]…, as in "error:bit=8:every=100" or
 * "hang:step=write".
 *
 * KIND is error, halt, hang, delay, flip, late-store, early-source, lost-word, doubled-word,
 * wrong-word, lost-interrupt, spurious-interrupt, reset, ones, removal or config. The names are
 * step, at, every, random (`one_in`), seed, times, source and destination (ADDR+LENGTH); and for
 * `value` bit (0 to 31), us, word or offset, as the kind takes. Numbers are decimal, or hexadecimal
 * with 0x.
 *
 * \param why what is wrong, in words for a user; its size should be UDMA_FAULT_WHY_SIZE.
 * \return 0; -EINVAL.
 */
int udma_fault_parse(const char *text, struct udma_fault *fault, char *why, size_t size);

/** \return the word for a kind in such a text; NULL if it is none. */
const char *udma_fault_name(enum udma_fault_kind kind);

struct udma_emu;

/**
 * Injects a fault into a function. It stays until it has happened for the last time or is
 * withdrawn; a reset of the function does not take it away. Of several of a kind that are due at
 * once the one that was injected first happens.
 *
 * \return 0; -EINVAL if there is no such fault; -ENOSPC if there are UDMA_FAULTS_MAX; -ENOMEM.
 */
int udma_emu_inject(struct udma_emu *emu, const struct udma_fault *fault);

/** Withdraws all faults. An engine that was stopped goes on, a reset ends, and a function that was
 * not there is back. */
void udma_emu_withdraw(struct udma_emu *emu);

/** \return how often faults of a kind have happened since the function was created. */
uint64_t udma_emu_fault_count(const struct udma_emu *emu, enum udma_fault_kind kind);

/** \return whether UDMA_FAULT_REMOVAL has happened, and the function is not back. */
bool udma_emu_is_removed(const struct udma_emu *emu);

struct spdk_pci_device;

/**
 * Injects a fault into an emulated function of this process. May be called from any thread.
 *
 * A removal: spdk_pci_device_is_removed() is true, spdk_pci_get_event() tells of it
 * (SPDK_UEVENT_REMOVE), and it is not offered any more. When the function is back, after `value`
 * microseconds or once it is withdrawn, that ends with SPDK_UEVENT_ADD. The descriptor of
 * spdk_pci_event_listen() does not become readable by these.
 *
 * \return as udma_emu_inject(); -ENOTSUP if it is no emulated function of this process.
 */
int udma_fault_inject(struct spdk_pci_device *device, const struct udma_fault *fault);
/** Withdraws all faults of a function of this process. \return 0; -ENOTSUP. */
int udma_fault_withdraw(struct spdk_pci_device *device);
/** \return how often faults of a kind have happened to it; 0 if it is no such function. */
uint64_t udma_fault_count(struct spdk_pci_device *device, enum udma_fault_kind kind);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
