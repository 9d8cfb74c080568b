/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * udma/emu.h from C++: a function that copies and interrupts, hosted by an object.
 */

#include "udma/emu.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace
{

class Host
{
      public:
	explicit Host(const udma_emu_config &config) : memory(0x4000)
	{
		udma_emu_host functions = {};

		functions.grant = grant;
		functions.interrupt = interrupt;
		emu.reset(udma_emu_create(&config, &functions, this));
	}

	/** Copies 4096 bytes from 1000h to 2000h, with an interrupt. */
	void
	copy()
	{
		const uint64_t descriptor[8] = {uint64_t{0x09} << 32 | 4096, 0x1000, 0x2000, 0};
		const uint16_t command = 0x0006, msix = 0x8000;

		for (size_t i = 0; i < 4096; i++) {
			memory[0x1000 + i] = static_cast<uint8_t>(i * 7 + 1);
		}
		std::memcpy(memory.data(), descriptor, sizeof(descriptor));
		udma_emu_cfg_write(emu.get(), 0x04, &command, sizeof(command));
		udma_emu_cfg_write(emu.get(), 0x82, &msix, sizeof(msix));
		udma_emu_write(emu.get(), 0x2008, 8, 0x77); /* data; unmasked */
		udma_emu_write(emu.get(), 0x03, 1, 0x09);
		udma_emu_write(emu.get(), 0x98, 8, 0x800);
		udma_emu_write(emu.get(), 0x90, 8, 0);
		udma_emu_write(emu.get(), 0x86, 2, 1);
		while (udma_emu_step(emu.get())) {
		}
	}

	bool
	is_good() const
	{
		return emu && messages == 1 && udma_emu_read(emu.get(), 0x88, 8) == 1 &&
		       std::memcmp(&memory[0x1000], &memory[0x2000], 4096) == 0;
	}

      private:
	static void *
	grant(void *ctx, uint64_t iova, uint64_t *len, bool)
	{
		auto &host = *static_cast<Host *>(ctx);

		if (iova >= host.memory.size() || *len > host.memory.size() - iova) {
			return nullptr;
		}
		return &host.memory[iova];
	}

	static void
	interrupt(void *ctx, const udma_emu_interrupt *message)
	{
		static_cast<Host *>(ctx)->messages +=
			message->kind == UDMA_EMU_MSIX && message->data == 0x77;
	}

	struct Destroy {
		void
		operator()(udma_emu *e) const
		{
			udma_emu_destroy(e);
		}
	};
	std::unique_ptr<udma_emu, Destroy> emu;
	std::vector<uint8_t> memory;
	unsigned messages = 0;
};

} // namespace

int
main()
{
	udma_emu_config config = {};

	config.interrupts = UDMA_EMU_MSIX;
	Host host(config);
	host.copy();
	std::printf("1..1\n%s 1 - emu_from_cxx\n", host.is_good() ? "ok" : "not ok");
	return host.is_good() ? 0 : 1;
}
