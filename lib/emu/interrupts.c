/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * From a cause to a message or a level (section 10; what it leaves open is in choices.h).
 *
 * A cause makes an interrupt wait. It is sent when INTRDELAY no longer holds it back, the channel
 * is armed (CHANCTRL bit 0 is 0), MASTER_INT_EN is set and there is a way. Sending disarms the
 * channel. A message may then still wait for its vector to be unmasked.
 */

#include "choices.h"
#include "fault.h"

static void
emit(struct udma_emu *emu, struct udma_emu_interrupt interrupt)
{
	/* The fall of the line is no interrupt. */
	if (emu->faulty && interrupt.level &&
	    udma_emu_fault_takes(emu, UDMA_FAULT_LOST_INTERRUPT) != NULL) {
		return;
	}
	if (emu->host.interrupt != NULL) {
		emu->host.interrupt(emu->ctx, &interrupt);
	}
}

/** Sends the message of MSI-X, or leaves it in the PBA. */
static void
send_msix(struct udma_emu *emu, const struct udma_emu_interrupt_setup *setup)
{
	struct udma_emu_interrupts *interrupts = &emu->interrupts;
	bool in_host = emu->config.msix_table_in_host;

	interrupts->msix_pending = !in_host && (setup->msix_masked || interrupts->msix_masked);
	if (!interrupts->msix_pending) {
		emit(emu, (struct udma_emu_interrupt){
				  .kind = UDMA_EMU_MSIX,
				  .address = in_host ? 0 : interrupts->msix_address,
				  .data = in_host ? 0 : interrupts->msix_data,
				  .level = true,
			  });
	}
}

/** \return whether there is a way, and it was taken. */
static bool
send_one_way(struct udma_emu *emu, const struct udma_emu_interrupt_setup *setup)
{
	if (setup->msix_enabled || setup->msi_enabled) {
		/* A message is a write to memory. */
		if (!emu->may_dma) {
			return false;
		}
		if (setup->msix_enabled) {
			send_msix(emu, setup);
			return true;
		}
		emu->interrupts.attention = true;
		emit(emu, (struct udma_emu_interrupt){
				  .kind = UDMA_EMU_MSI,
				  .address = setup->msi_address,
				  .data = setup->msi_data,
				  .level = true,
			  });
		return true;
	}
	if (!(emu->config.interrupts & UDMA_EMU_INTX)) {
		return false;
	}
	emu->interrupts.attention = true;
	return true;
}

/** Lets the line follow INTRCTRL bit 2, and PCISTS bit 3 with it. */
static void
settle_line(struct udma_emu *emu, const struct udma_emu_interrupt_setup *setup)
{
	bool status = (emu->config.interrupts & UDMA_EMU_INTX) && !setup->msix_enabled &&
		      !setup->msi_enabled && emu->interrupts.attention &&
		      (emu->intrctrl & SPDK_IOAT_INTRCTRL_MASTER_INT_EN);
	bool line = status && !setup->intx_disabled && setup->d0;

	udma_emu_config_space_intx(emu, status);
	if (line != emu->interrupts.line) {
		emu->interrupts.line = line;
		emit(emu, (struct udma_emu_interrupt){.kind = UDMA_EMU_INTX, .level = line});
	}
}

void
udma_emu_interrupts_settle(struct udma_emu *emu)
{
	struct udma_emu_interrupts *interrupts = &emu->interrupts;
	struct udma_emu_channel *chan = &emu->chan;
	struct udma_emu_interrupt_setup setup;

	if (emu->config.interrupts == 0) {
		return;
	}
	setup = udma_emu_config_space_interrupts(emu);
	if (interrupts->msix_pending && setup.msix_enabled && emu->may_dma) {
		send_msix(emu, &setup);
	}
	if (interrupts->pending && interrupts->delay_us == 0 &&
	    !(chan->chanctrl & SPDK_IOAT_CHANCTRL_INT_REARM) &&
	    (emu->intrctrl & SPDK_IOAT_INTRCTRL_MASTER_INT_EN) && send_one_way(emu, &setup)) {
		interrupts->pending = false;
		chan->chanctrl |= SPDK_IOAT_CHANCTRL_INT_REARM;
	}
	settle_line(emu, &setup);
}

void
udma_emu_interrupts_cause(struct udma_emu *emu)
{
	if (emu->config.interrupts == 0) {
		return;
	}
	if (!emu->interrupts.pending) {
		emu->interrupts.pending = true;
		emu->interrupts.delay_us = emu->intrdelay;
	}
	udma_emu_interrupts_settle(emu);
}

void
udma_emu_interrupts_rearm(struct udma_emu *emu)
{
	emu->chan.chanctrl &= (uint16_t)~SPDK_IOAT_CHANCTRL_INT_REARM;
	emu->interrupts.attention = false;
	udma_emu_interrupts_settle(emu);
}

void
udma_emu_interrupts_spurious(struct udma_emu *emu)
{
	struct udma_emu_interrupt_setup setup = udma_emu_config_space_interrupts(emu);
	struct udma_emu_interrupt line = {.kind = UDMA_EMU_INTX, .level = true};

	if (setup.msix_enabled || setup.msi_enabled) {
		bool attention = emu->interrupts.attention;

		send_one_way(emu, &setup);
		emu->interrupts.attention = attention;
	} else if ((emu->config.interrupts & UDMA_EMU_INTX) && !emu->interrupts.line &&
		   !setup.intx_disabled && setup.d0) {
		emit(emu, line);
		line.level = false;
		emit(emu, line);
	}
}

static void
clear_msix(struct udma_emu_interrupts *interrupts)
{
	interrupts->msix_address = 0;
	interrupts->msix_data = 0;
	interrupts->msix_masked = true;
	interrupts->msix_pending = false;
}

void
udma_emu_interrupts_reset(struct udma_emu *emu)
{
	emu->interrupts.pending = false;
	emu->interrupts.delay_us = 0;
	if (emu->part->reset_clears_msix) {
		clear_msix(&emu->interrupts);
	}
	udma_emu_interrupts_rearm(emu);
}

void
udma_emu_interrupts_power_on(struct udma_emu *emu)
{
	udma_emu_interrupts_reset(emu);
	clear_msix(&emu->interrupts);
}

void
udma_emu_elapse(struct udma_emu *emu, uint32_t us)
{
	struct udma_emu_interrupts *interrupts = &emu->interrupts;

	interrupts->delay_us -= spdk_min(us, interrupts->delay_us);
	udma_emu_interrupts_settle(emu);
	if (emu->faulty) {
		udma_emu_faults_elapse(emu, us);
	}
}

uint32_t
udma_emu_interrupt_due(const struct udma_emu *emu)
{
	uint32_t due = UINT32_MAX, fault_due;

	if (emu->interrupts.pending && emu->interrupts.delay_us > 0) {
		due = emu->interrupts.delay_us;
	}
	if (emu->faulty) {
		fault_due = udma_emu_faults_due_in(emu);
		due = spdk_min(due, fault_due);
	}
	return due;
}
