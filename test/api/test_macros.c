/* SPDX-License-Identifier: BSD-3-Clause */

/* The macros of the public headers, used as programs for SPDK use them: without a semicolon behind
 * those that define something. */

#include "spdk/stdinc.h"

#include <cmocka.h>

#include "spdk/env.h"
#include "spdk/likely.h"
#include "spdk/log.h"
#include "spdk/memory.h"
#include "spdk/mmio.h"
#include "spdk/queue.h"
#include "spdk/string.h"
#include "spdk/util.h"

SPDK_STATIC_ASSERT(sizeof(uint64_t) == 8, "can be used at file scope");

/* ---- What comes with any header ---- */

static void
linux_calls_are_declared(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_true(sched_getcpu() >= 0);
	close(fd);
}

/* ---- Log components ---- */

static unsigned g_messages;

static void
count_message(int level, const char *file, const int line, const char *func, const char *format,
	      va_list args)
{
	(void)level, (void)file, (void)line, (void)func, (void)format, (void)args;
	g_messages++;
}

static void
infolog_follows_its_flag(void **state)
{
	(void)state;
	assert_false(spdk_log_get_flag("macros"));
	spdk_log_open(count_message);
	spdk_log_set_level(SPDK_LOG_INFO);
	SPDK_INFOLOG(macros, "off %d\n", 1);
	assert_int_equal(g_messages, 0);
	assert_int_equal(spdk_log_set_flag("macros"), 0);
	assert_true(spdk_log_get_flag("macros"));
	SPDK_INFOLOG(macros, "on\n");
	assert_int_equal(g_messages, 1);
	SPDK_ERRLOG("an error: %s\n", "text");
	assert_int_equal(g_messages, 2);
	assert_int_equal(spdk_log_clear_flag("macros"), 0);
	SPDK_INFOLOG(macros, "off again\n");
	assert_int_equal(g_messages, 2);
	spdk_log_set_level(SPDK_LOG_NOTICE);
	spdk_log_close();
}

/* As the last line of lib/ioat/ioat.c has it; here behind its use, as there. */
SPDK_LOG_REGISTER_COMPONENT(macros)

/* ---- Drivers and providers, registered before main() ---- */

static struct spdk_pci_id g_ids[] = {
	{SPDK_PCI_DEVICE(SPDK_PCI_VID_INTEL, 0x1234)},
	{.vendor_id = 0},
};

SPDK_PCI_DRIVER_REGISTER(macros_driver, g_ids, SPDK_PCI_DRIVER_NEED_MAPPING)

static unsigned g_asked;

static int
provider_attach(const struct spdk_pci_addr *addr)
{
	g_asked += addr->bus == 0x77;
	return -ENODEV;
}

static void
provider_detach(struct spdk_pci_device *dev)
{
	(void)dev;
}

static struct spdk_pci_device_provider g_provider = {
	.name = "macros",
	.attach_cb = provider_attach,
	.detach_cb = provider_detach,
};

SPDK_PCI_REGISTER_DEVICE_PROVIDER(macros_provider, &g_provider)

static void
pci_device_matches_any_class_and_subsystem(void **state)
{
	(void)state;
	assert_int_equal(g_ids[0].class_id, 0xffffff);
	assert_int_equal(g_ids[0].vendor_id, 0x8086);
	assert_int_equal(g_ids[0].device_id, 0x1234);
	assert_int_equal(g_ids[0].subvendor_id, 0xffff);
	assert_int_equal(g_ids[0].subdevice_id, 0xffff);
}

static int
refuse(void *ctx, struct spdk_pci_device *dev)
{
	(void)ctx;
	(void)dev;
	return 1;
}

static void
drivers_are_known_by_name(void **state)
{
	(void)state;
	assert_non_null(spdk_pci_get_driver("macros_driver"));
	assert_non_null(spdk_pci_ioat_get_driver());
	assert_ptr_equal(spdk_pci_get_driver("ioat"), spdk_pci_ioat_get_driver());
	assert_null(spdk_pci_get_driver("nobody's"));
	assert_null(spdk_pci_nvme_get_driver());
}

static void
providers_are_asked(void **state)
{
	struct spdk_pci_addr nowhere = {.domain = 0xfff0, .bus = 0x77};

	(void)state;
	assert_int_equal(spdk_env_init(NULL), 0);
	assert_int_equal(spdk_pci_device_attach(spdk_pci_get_driver("macros_driver"), refuse, NULL,
						&nowhere),
			 -1);
	assert_int_equal(g_asked, 1);
	spdk_env_fini();
}

/* ---- Lists ---- */

struct item {
	int value;
	TAILQ_ENTRY(item) link;
	STAILQ_ENTRY(item) single;
};

static TAILQ_HEAD(items, item) g_items = TAILQ_HEAD_INITIALIZER(g_items);

static void
tail_queues(void **state)
{
	struct item items[3] = {{.value = 0}, {.value = 1}, {.value = 2}};
	STAILQ_HEAD(, item) single = STAILQ_HEAD_INITIALIZER(single);
	struct items other = TAILQ_HEAD_INITIALIZER(other);
	struct item *item;
	struct item *next;
	int expected = 0;

	(void)state;
	assert_true(TAILQ_EMPTY(&g_items));
	for (int i = 0; i < 3; i++) {
		TAILQ_INSERT_TAIL(&g_items, &items[i], link);
		STAILQ_INSERT_TAIL(&single, &items[i], single);
	}
	TAILQ_FOREACH (item, &g_items, link) {
		assert_int_equal(item->value, expected++);
	}
	assert_int_equal(expected, 3);
	assert_ptr_equal(TAILQ_NEXT(TAILQ_FIRST(&g_items), link), &items[1]);
	assert_ptr_equal(STAILQ_NEXT(STAILQ_FIRST(&single), single), &items[1]);
	assert_ptr_equal(STAILQ_LAST(&single, item, single), &items[2]);
	STAILQ_INIT(&single);
	assert_null(STAILQ_LAST(&single, item, single));
	TAILQ_SWAP(&g_items, &other, item, link);
	assert_true(TAILQ_EMPTY(&g_items));
	assert_ptr_equal(TAILQ_FIRST(&other), &items[0]);
	TAILQ_REMOVE(&other, &items[2], link);
	TAILQ_INSERT_TAIL(&g_items, &items[2], link);
	TAILQ_SWAP(&g_items, &other, item, link);
	assert_ptr_equal(TAILQ_FIRST(&other), &items[2]);
	assert_ptr_equal(TAILQ_LAST(&g_items, items), &items[1]);
	TAILQ_FOREACH_SAFE (item, &g_items, link, next) {
		TAILQ_REMOVE(&g_items, item, link);
		memset(&item->link, 0xff, sizeof(item->link));
	}
	assert_true(TAILQ_EMPTY(&g_items));
}

/* ---- Small things ---- */

static void
arithmetic(void **state)
{
	(void)state;
	assert_int_equal(spdk_min(1, 2), 1);
	assert_int_equal(spdk_min(2, 1), 1);
	assert_int_equal(spdk_max(1, 2), 2);
	assert_true(spdk_likely(1 == 1));
	assert_false(spdk_unlikely(1 == 2));
}

static void
mmio_is_one_access_of_8_bytes(void **state)
{
	volatile uint64_t word = 0;

	(void)state;
	spdk_mmio_write_8(&word, 0x1122334455667788);
	assert_true(word == 0x1122334455667788);
	assert_true(spdk_mmio_read_8(&word) == 0x1122334455667788);
}

static void
numa_nodes_end(void **state)
{
	int32_t previous = -1;
	int32_t node;
	int count = 0;

	(void)state;
	assert_int_equal(spdk_env_init(NULL), 0);
	SPDK_ENV_FOREACH_NUMA_ID (node) {
		assert_true(node > previous);
		previous = node;
		count++;
	}
	assert_int_equal(node, INT32_MAX);
	assert_true(count >= 1);
	spdk_env_fini();
}

static void
strtol_takes_whole_numbers_only(void **state)
{
	(void)state;
	assert_int_equal(spdk_strtol("0", 10), 0);
	assert_int_equal(spdk_strtol("10", 10), 10);
	assert_int_equal(spdk_strtol("ff", 16), 255);
	assert_int_equal(spdk_strtol("0x10", 0), 16);
	assert_int_equal(spdk_strtol("9223372036854775807", 10), LONG_MAX);
	assert_int_equal(spdk_strtol("10x", 10), -EINVAL);
	assert_int_equal(spdk_strtol("x", 10), -EINVAL);
	assert_int_equal(spdk_strtol("10 ", 10), -EINVAL);
	assert_int_equal(spdk_strtol("-1", 10), -ERANGE);
	assert_int_equal(spdk_strtol("9223372036854775808", 10), -ERANGE);
	assert_int_equal(spdk_strtol("99999999999999999999999", 10), -ERANGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_calls_are_declared),
		cmocka_unit_test(infolog_follows_its_flag),
		cmocka_unit_test(pci_device_matches_any_class_and_subsystem),
		cmocka_unit_test(drivers_are_known_by_name),
		cmocka_unit_test(providers_are_asked),
		cmocka_unit_test(tail_queues),
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(mmio_is_one_access_of_8_bytes),
		cmocka_unit_test(numa_nodes_end),
		cmocka_unit_test(strtol_takes_whole_numbers_only),
	};

	return cmocka_run_group_tests_name("macros", tests, NULL, NULL);
}
