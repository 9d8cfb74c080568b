/* SPDX-License-Identifier: BSD-3-Clause */

/* Interrupts through VFIO, and the kernel's request to have a function back. */

#include "spdk/util.h"
#include "fake_vfio.h"

#include <sys/eventfd.h>

#define F0 "0000:00:04.0"

static int
setup(void **state)
{
	(void)state;
	make_machine();
	make_vfio();
	add_vfio_function(F0, 1);
	assert_int_equal(start_env(NULL), 0);
	enumerate();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	remove_machine();
	return 0;
}

static bool
is_readable(int fd)
{
	struct pollfd event = {.fd = fd, .events = POLLIN};

	return poll(&event, 1, 0) == 1;
}

/** Interrupts come by an index: its eventfd is the device's descriptor. */
static void
assert_on(unsigned index)
{
	int fd = spdk_pci_device_get_interrupt_efd(g_device[0]);

	assert_true(fd >= 0);
	assert_int_equal(g_vfio.irq[index].fd, fd);
	assert_int_equal(spdk_pci_device_get_interrupt_efd_by_index(g_device[0], 0), fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_false(is_readable(fd));
	assert_int_equal(eventfd_write(fd, 1), 0);
	assert_true(is_readable(fd));
}

static void
msix_comes_first(void **state)
{
	unsigned descriptors = count_descriptors();

	(void)state;
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), 0);
	assert_on(VFIO_PCI_MSIX_IRQ_INDEX);
	assert_int_equal(g_vfio.irq[VFIO_PCI_MSI_IRQ_INDEX].sets, 0);
	assert_int_equal(g_vfio.irq[VFIO_PCI_INTX_IRQ_INDEX].sets, 0);
	/* The message is written again, as after a reset that has taken it. */
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), 0);
	assert_int_equal(g_vfio.irq[VFIO_PCI_MSIX_IRQ_INDEX].sets, 2);
	assert_int_equal(spdk_pci_device_disable_interrupt(g_device[0]), 0);
	assert_int_equal(g_vfio.irq[VFIO_PCI_MSIX_IRQ_INDEX].fd, -1);
	assert_int_equal(spdk_pci_device_get_interrupt_efd(g_device[0]), -EINVAL);
	spdk_pci_device_detach(g_device[0]);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
msi_is_next(void **state)
{
	(void)state;
	g_vfio.irq[VFIO_PCI_MSIX_IRQ_INDEX].count = 0;
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), 0);
	assert_on(VFIO_PCI_MSI_IRQ_INDEX);
}

static void
one_that_the_kernel_refuses_is_passed_over(void **state)
{
	(void)state;
	g_vfio.irq[VFIO_PCI_MSIX_IRQ_INDEX].error = ENOSPC;
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), 0);
	assert_logged(F0 ": VFIO gives no MSI-X: No space left on device");
	assert_on(VFIO_PCI_MSI_IRQ_INDEX);
}

static void
intx_is_last_and_unmasked_each_time(void **state)
{
	(void)state;
	g_vfio.irq[VFIO_PCI_MSIX_IRQ_INDEX].count = 0;
	g_vfio.irq[VFIO_PCI_MSI_IRQ_INDEX].count = 0;
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), 0);
	assert_on(VFIO_PCI_INTX_IRQ_INDEX);
	assert_int_equal(g_vfio.irq[VFIO_PCI_INTX_IRQ_INDEX].unmasks, 0);
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), 0);
		assert_int_equal(g_vfio.irq[VFIO_PCI_INTX_IRQ_INDEX].unmasks, i);
	}
	assert_int_equal(g_vfio.irq[VFIO_PCI_INTX_IRQ_INDEX].sets, 1);
}

static void
none_at_all(void **state)
{
	unsigned descriptors;

	(void)state;
	assert_int_equal(map_bar(0, 0), 0);
	descriptors = count_descriptors();
	for (unsigned i = 0; i <= VFIO_PCI_MSIX_IRQ_INDEX; i++) {
		g_vfio.irq[i].count = 0;
	}
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), -ENOTSUP);
	assert_logged(F0 ": cannot enable an interrupt: the device has no interrupts here");
	for (unsigned i = 0; i <= VFIO_PCI_MSIX_IRQ_INDEX; i++) {
		g_vfio.irq[i].count = 1;
		g_vfio.irq[i].error = EPERM;
	}
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), -EPERM);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
as_many_as_there_are(void **state)
{
	(void)state;
	g_vfio.irq[VFIO_PCI_MSIX_IRQ_INDEX].count = 3;
	assert_int_equal(spdk_pci_device_enable_interrupts(g_device[0], 4), -EINVAL);
	assert_int_equal(spdk_pci_device_enable_interrupts(g_device[0], 0), -EINVAL);
	assert_int_equal(spdk_pci_device_enable_interrupts(g_device[0], UINT32_MAX), -EINVAL);
	assert_int_equal(spdk_pci_device_enable_interrupts(g_device[0], 3), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(spdk_pci_device_get_interrupt_efd_by_index(g_device[0], i) >= 0);
	}
	assert_int_equal(spdk_pci_device_get_interrupt_efd_by_index(g_device[0], 3), -EINVAL);
	assert_int_equal(spdk_pci_device_enable_interrupts(g_device[0], 3), -EBUSY);
	assert_int_equal(spdk_pci_device_disable_interrupts(g_device[0]), 0);
	assert_int_equal(spdk_pci_device_enable_interrupts(g_device[0], 1), 0);
}

static void
detach_takes_them_away(void **state)
{
	unsigned descriptors = count_descriptors();

	(void)state;
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), 0);
	spdk_pci_device_detach(g_device[0]);
	assert_int_equal(g_vfio.irq[VFIO_PCI_MSIX_IRQ_INDEX].fd, -1);
	assert_int_equal(count_descriptors(), descriptors);
	enumerate();
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), 0);
	assert_on(VFIO_PCI_MSIX_IRQ_INDEX);
}

static void
a_function_that_is_wanted_back_counts_as_removed(void **state)
{
	(void)state;
	assert_int_equal(map_bar(0, 0), 0);
	assert_false(spdk_pci_device_is_removed(g_device[0]));
	assert_true(g_vfio.irq[VFIO_PCI_REQ_IRQ_INDEX].fd >= 0);
	assert_int_equal(eventfd_write(g_vfio.irq[VFIO_PCI_REQ_IRQ_INDEX].fd, 1), 0);
	assert_true(spdk_pci_device_is_removed(g_device[0]));
	assert_true(spdk_pci_device_is_removed(g_device[0]));
	/* Given back, it may come again. */
	spdk_pci_device_detach(g_device[0]);
	assert_string_equal(enumerate(), "0 ");
	assert_int_equal(map_bar(0, 0), 0);
	assert_false(spdk_pci_device_is_removed(g_device[0]));
}

static void
a_kernel_that_cannot_ask(void **state)
{
	(void)state;
	g_vfio.irq[VFIO_PCI_REQ_IRQ_INDEX].count = 0;
	assert_int_equal(map_bar(0, 0), 0);
	assert_false(spdk_pci_device_is_removed(g_device[0]));
	assert_int_equal(udma_pci_removal_fd(g_device[0]), -ENOTSUP);
	spdk_pci_device_detach(g_device[0]);
	g_vfio.irq[VFIO_PCI_REQ_IRQ_INDEX].count = 1;
	g_vfio.irq[VFIO_PCI_REQ_IRQ_INDEX].error = EINVAL;
	enumerate();
	assert_int_equal(map_bar(0, 0), 0);
	assert_false(spdk_pci_device_is_removed(g_device[0]));
}

#define WITH_MACHINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MACHINE(msix_comes_first),
		WITH_MACHINE(msi_is_next),
		WITH_MACHINE(one_that_the_kernel_refuses_is_passed_over),
		WITH_MACHINE(intx_is_last_and_unmasked_each_time),
		WITH_MACHINE(none_at_all),
		WITH_MACHINE(as_many_as_there_are),
		WITH_MACHINE(detach_takes_them_away),
		WITH_MACHINE(a_function_that_is_wanted_back_counts_as_removed),
		WITH_MACHINE(a_kernel_that_cannot_ask),
	};

	return cmocka_run_group_tests_name("vfio interrupts", tests, NULL, NULL);
}
