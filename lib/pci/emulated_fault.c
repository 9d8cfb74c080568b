/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Faults of the emulated functions of this process: injected by the program that they happen to.
 */

#include "emulated.h"
#include "pci_internal.h"

#include "spdk/util.h"

int
udma_fault_inject(struct spdk_pci_device *device, const struct udma_fault *fault)
{
	struct udma_emulated *function = udma_emulated_lock(device);
	int rc;

	if (function == NULL) {
		return -ENOTSUP;
	}
	rc = udma_emu_inject(function->emu, fault);
	udma_emulated_unlock(function);
	return rc;
}

int
udma_fault_withdraw(struct spdk_pci_device *device)
{
	struct udma_emulated *function = udma_emulated_lock(device);

	if (function == NULL) {
		return -ENOTSUP;
	}
	udma_emu_withdraw(function->emu);
	udma_emulated_unlock(function);
	return 0;
}

uint64_t
udma_fault_count(struct spdk_pci_device *device, enum udma_fault_kind kind)
{
	struct udma_emulated *function = udma_emulated_lock(device);
	uint64_t count = 0;

	if (function != NULL) {
		count = udma_emu_fault_count(function->emu, kind);
		udma_emulated_unlock(function);
	}
	return count;
}

void
udma_emulated_came_or_went(struct udma_emulated *function)
{
	struct spdk_pci_event event = {.traddr = function->device.addr};
	bool removed = udma_emu_is_removed(function->emu);

	function->away = function->watch.away;
	if (removed == function->removed) {
		return;
	}
	function->removed = removed;
	__atomic_store_n(&function->device.internal.removed, removed, __ATOMIC_RELAXED);
	event.action = removed ? SPDK_UEVENT_REMOVE : SPDK_UEVENT_ADD;
	udma_pci_event_push(&event);
	/* Who sleeps is to see it. */
	udma_emulated_interrupt(function, NULL);
}

bool
udma_emulated_let_time_pass(struct udma_emulated *function)
{
	uint64_t now, us, per_us;

	if (udma_emu_interrupt_due(function->emu) == UINT32_MAX) {
		function->time = 0;
		return false;
	}
	now = spdk_get_ticks();
	if (function->time == 0) {
		function->time = now;
	}
	per_us = spdk_get_ticks_hz() / 1000000;
	us = (now - function->time) / per_us;
	function->time += us * per_us;
	udma_emu_elapse(function->emu, (uint32_t)spdk_min(us, UINT32_MAX));
	return true;
}
