/* SPDX-License-Identifier: BSD-3-Clause */

/* Interrupts of a device that a program has hooked itself. */

#include "support.h"
#include "spdk/env.h"
#include "udma/pci.h"

#include <sys/eventfd.h>

static struct spdk_pci_device g_dev;
static int g_answer; /* of enable */
static unsigned g_on, g_off, g_again;

static int
map(struct spdk_pci_device *dev, uint32_t bar, void **addr, uint64_t *phys, uint64_t *size)
{
	(void)dev, (void)bar, (void)addr, (void)phys, (void)size;
	return -EINVAL;
}

static int
unmap(struct spdk_pci_device *dev, uint32_t bar, void *addr)
{
	(void)dev, (void)bar, (void)addr;
	return -EINVAL;
}

static int
cfg(struct spdk_pci_device *dev, void *value, uint32_t len, uint32_t offset)
{
	(void)dev, (void)value, (void)len, (void)offset;
	return -EIO;
}

static int
enable(struct spdk_pci_device *dev, int *fds, uint32_t count)
{
	assert_ptr_equal(dev, &g_dev);
	if (g_answer < 0) {
		return g_answer;
	}
	g_on += count;
	for (uint32_t i = 0; i < count; i++) {
		fds[i] = eventfd(i, EFD_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
	return g_answer;
}

static void
disable(struct spdk_pci_device *dev, const int *fds, uint32_t count)
{
	assert_ptr_equal(dev, &g_dev);
	g_off += count;
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(close(fds[i]), 0);
	}
}

static int
again(struct spdk_pci_device *dev, const int *fds, uint32_t count)
{
	assert_ptr_equal(dev, &g_dev);
	assert_true(fds[0] >= 0);
	assert_int_equal(count, 1);
	g_again++;
	return 0;
}

static const struct udma_pci_interrupt_ops g_ops = {enable, disable, again};

static int
setup(void **state)
{
	(void)state;
	g_answer = UDMA_PCI_INTX;
	g_on = g_off = g_again = 0;
	g_dev = (struct spdk_pci_device){
		.addr = {.bus = 0x99},
		.id = {SPDK_PCI_DEVICE(0x8086, 0x2021)},
		.type = "test",
		.map_bar = map,
		.unmap_bar = unmap,
		.cfg_read = cfg,
		.cfg_write = cfg,
	};
	capture_log();
	assert_int_equal(spdk_pci_hook_device(spdk_pci_ioat_get_driver(), &g_dev), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	spdk_pci_unhook_device(&g_dev);
	assert_int_equal(g_on, g_off);
	return 0;
}

static void
what_is_not_whole_is_refused(void **state)
{
	const struct udma_pci_interrupt_ops no_enable = {NULL, disable, again};
	const struct udma_pci_interrupt_ops no_disable = {enable, NULL, again};

	(void)state;
	assert_int_equal(udma_pci_hook_interrupts(NULL, &g_ops), -EINVAL);
	assert_int_equal(udma_pci_hook_interrupts(&g_dev, NULL), -EINVAL);
	assert_int_equal(udma_pci_hook_interrupts(&g_dev, &no_enable), -EINVAL);
	assert_int_equal(udma_pci_hook_interrupts(&g_dev, &no_disable), -EINVAL);
	assert_int_equal(spdk_pci_device_enable_interrupt(&g_dev), -ENOTSUP);
	assert_int_equal(spdk_pci_device_enable_interrupt(NULL), -ENOTSUP);
	assert_int_equal(udma_pci_hook_interrupts(&g_dev, &g_ops), 0);
	assert_int_equal(udma_pci_hook_interrupts(&g_dev, &g_ops), -EEXIST);
}

static void
spdks_calls_reach_the_device(void **state)
{
	eventfd_t value;

	(void)state;
	assert_int_equal(udma_pci_hook_interrupts(&g_dev, &g_ops), 0);
	assert_int_equal(spdk_pci_device_get_interrupt_efd(&g_dev), -EINVAL);
	assert_int_equal(spdk_pci_device_enable_interrupts(&g_dev, 4), 0);
	assert_int_equal(g_on, 4);
	assert_int_equal(
		eventfd_read(spdk_pci_device_get_interrupt_efd_by_index(&g_dev, 3), &value), 0);
	assert_int_equal(value, 3);
	assert_int_equal(spdk_pci_device_get_interrupt_efd_by_index(&g_dev, 4), -EINVAL);
	assert_int_equal(spdk_pci_device_enable_interrupts(&g_dev, 4), -EBUSY);
	assert_int_equal(spdk_pci_device_disable_interrupts(&g_dev), 0);
	assert_int_equal(g_off, 4);
	/* Once is enough. */
	assert_int_equal(spdk_pci_device_disable_interrupts(&g_dev), 0);
	assert_int_equal(g_off, 4);

	assert_int_equal(spdk_pci_device_enable_interrupt(&g_dev), 0);
	assert_int_equal(g_again, 0);
	assert_int_equal(spdk_pci_device_enable_interrupt(&g_dev), 0);
	assert_int_equal(g_again, 1);
	assert_int_equal(spdk_pci_device_disable_interrupt(&g_dev), 0);
}

static void
a_device_that_refuses_is_off(void **state)
{
	(void)state;
	assert_int_equal(udma_pci_hook_interrupts(&g_dev, &g_ops), 0);
	g_answer = -EIO;
	assert_int_equal(spdk_pci_device_enable_interrupt(&g_dev), -EIO);
	assert_int_equal(spdk_pci_device_get_interrupt_efd(&g_dev), -EINVAL);
	g_answer = UDMA_PCI_MSIX;
	assert_int_equal(spdk_pci_device_enable_interrupt(&g_dev), 0);
}

static void
unhook_switches_off_and_forgets(void **state)
{
	(void)state;
	assert_int_equal(udma_pci_hook_interrupts(&g_dev, &g_ops), 0);
	assert_int_equal(spdk_pci_device_enable_interrupt(&g_dev), 0);
	spdk_pci_unhook_device(&g_dev);
	assert_int_equal(g_off, 1);
	assert_int_equal(spdk_pci_hook_device(spdk_pci_ioat_get_driver(), &g_dev), 0);
	assert_int_equal(spdk_pci_device_enable_interrupt(&g_dev), -ENOTSUP);
	assert_int_equal(udma_pci_hook_interrupts(&g_dev, &g_ops), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_not_whole_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(spdks_calls_reach_the_device, setup, teardown),
		cmocka_unit_test_setup_teardown(a_device_that_refuses_is_off, setup, teardown),
		cmocka_unit_test_setup_teardown(unhook_switches_off_and_forgets, setup, teardown),
	};

	return cmocka_run_group_tests_name("pci_interrupt", tests, NULL, NULL);
}
