/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "pci/pci_internal.h"

static int
map(struct spdk_pci_device *dev, uint32_t bar, void **addr, uint64_t *phys, uint64_t *size)
{
	(void)dev, (void)bar, (void)addr, (void)phys, (void)size;
	return -ENODEV;
}

static int
unmap(struct spdk_pci_device *dev, uint32_t bar, void *addr)
{
	(void)dev, (void)bar, (void)addr;
	return -ENODEV;
}

static int
access_cfg(struct spdk_pci_device *dev, void *value, uint32_t len, uint32_t offset)
{
	(void)dev, (void)value, (void)len, (void)offset;
	return -ENODEV;
}

static void
fill(struct spdk_pci_device *dev, uint8_t number, const char *type)
{
	*dev = (struct spdk_pci_device){
		.addr = {.domain = 0x7e57, .bus = number},
		.id = {.vendor_id = 0x1234, .device_id = 0x5678},
		.numa_id = -1,
		.type = type,
		.map_bar = map,
		.unmap_bar = unmap,
		.cfg_read = access_cfg,
		.cfg_write = access_cfg,
	};
}

static struct spdk_pci_id g_no_ids[] = {{.vendor_id = 0}};
SPDK_PCI_DRIVER_REGISTER(test_driver, g_no_ids, 0)
SPDK_PCI_DRIVER_REGISTER(other_driver, g_no_ids, SPDK_PCI_DRIVER_NEED_MAPPING)

#define DEVICES 5

static struct spdk_pci_driver *g_driver;
static struct spdk_pci_device g_dev[DEVICES + 1]; /* the last is not hooked at first */

/* What the callback was offered, as the devices' numbers, and how it behaves. */
static char g_offered[64];
static int g_answer[DEVICES + 1];
static void (*g_inside)(struct spdk_pci_device *dev);

static int
take(void *ctx, struct spdk_pci_device *dev)
{
	char number[8];
	int answer = g_answer[dev->addr.bus];

	assert_ptr_equal(ctx, g_offered);
	snprintf(number, sizeof(number), "%u ", dev->addr.bus);
	strcat(g_offered, number);
	if (g_inside != NULL) {
		g_inside(dev);
	}
	return answer;
}

static const char *
enumerate(int want)
{
	g_offered[0] = '\0';
	assert_int_equal(spdk_pci_enumerate(g_driver, take, g_offered), want);
	return g_offered;
}

static int
attach(struct spdk_pci_device *dev)
{
	struct spdk_pci_addr addr = dev->addr;

	g_offered[0] = '\0';
	return spdk_pci_device_attach(g_driver, take, g_offered, &addr);
}

static void
start_env(struct spdk_pci_addr *allowed, struct spdk_pci_addr *blocked, size_t n)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	spdk_env_opts_init(&opts);
	opts.no_pci = true;
	opts.pci_allowed = allowed;
	opts.pci_blocked = blocked;
	opts.num_pci_addr = n;
	assert_int_equal(spdk_env_init(&opts), 0);
}

static int
setup(void **state)
{
	static const int order[DEVICES] = {3, 0, 4, 1, 2};

	(void)state;
	unsetenv("UDMA_EMULATE");
	start_env(NULL, NULL, 0);
	g_driver = spdk_pci_get_driver("test_driver");
	memset(g_answer, 0, sizeof(g_answer));
	g_inside = NULL;
	for (uint8_t i = 0; i <= DEVICES; i++) {
		fill(&g_dev[i], i, "test");
	}
	for (int i = 0; i < DEVICES; i++) {
		assert_int_equal(spdk_pci_hook_device(g_driver, &g_dev[order[i]]), 0);
	}
	capture_log();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i <= DEVICES; i++) {
		spdk_pci_device_detach(&g_dev[i]);
		spdk_pci_unhook_device(&g_dev[i]);
	}
	spdk_env_fini();
	spdk_log_close();
	return 0;
}

static void
drivers_are_found_by_name(void **state)
{
	(void)state;
	assert_non_null(spdk_pci_ioat_get_driver());
	assert_ptr_equal(spdk_pci_get_driver("ioat"), spdk_pci_ioat_get_driver());
	assert_non_null(g_driver);
	assert_ptr_not_equal(g_driver, spdk_pci_get_driver("other_driver"));
	assert_null(spdk_pci_get_driver("none"));
	assert_null(spdk_pci_get_driver(NULL));
	assert_null(spdk_pci_nvme_get_driver());
	assert_null(spdk_pci_vmd_get_driver());
	assert_null(spdk_pci_idxd_get_driver());
	assert_null(spdk_pci_ae4dma_get_driver());
	assert_null(spdk_pci_virtio_get_driver());
	spdk_pci_driver_register("virtio", g_no_ids, 0);
	assert_non_null(spdk_pci_virtio_get_driver());
	/* Again: the same driver with other ids. */
	spdk_pci_driver_register("test_driver", udma_pci_ioat_ids, 0);
	assert_ptr_equal(spdk_pci_get_driver("test_driver"), g_driver);
	spdk_pci_driver_register(NULL, g_no_ids, 0);
	assert_logged_once("without a name");
	spdk_pci_driver_register("x", NULL, 0);
	assert_null(spdk_pci_get_driver("x"));
}

static void
devices_are_offered_in_order_and_once(void **state)
{
	(void)state;
	assert_string_equal(enumerate(0), "0 1 2 3 4 ");
	assert_string_equal(enumerate(0), "");
	spdk_pci_device_detach(&g_dev[3]);
	spdk_pci_device_detach(&g_dev[1]);
	assert_string_equal(enumerate(0), "1 3 ");
}

static void
what_is_left_is_offered_again(void **state)
{
	(void)state;
	g_answer[1] = 1;
	assert_string_equal(enumerate(0), "0 1 2 3 4 ");
	assert_string_equal(enumerate(0), "1 ");
	g_answer[1] = 0;
	assert_string_equal(enumerate(0), "1 ");
	assert_string_equal(enumerate(0), "");
}

static void
a_failure_does_not_keep_the_others_away(void **state)
{
	(void)state;
	g_answer[0] = -EIO;
	g_answer[3] = -ENODEV;
	assert_string_equal(enumerate(-1), "0 1 2 3 4 ");
	assert_int_equal(g_log_lines, 2);
	assert_non_null(strstr(g_logged, "7e57:03:00.0"));
	g_answer[3] = 0;
	assert_string_equal(enumerate(-1), "0 3 ");
	g_answer[0] = 0;
	assert_string_equal(enumerate(0), "0 ");
}

static void
devices_that_go_are_not_offered(void **state)
{
	(void)state;
	g_dev[1].internal.removed = true;
	g_dev[2].internal.pending_removal = true;
	assert_string_equal(enumerate(0), "0 3 4 ");
	assert_int_equal(attach(&g_dev[1]), -1);
	assert_int_equal(attach(&g_dev[2]), -1);
	assert_string_equal(g_offered, "");
}

static void
each_driver_has_its_devices(void **state)
{
	struct spdk_pci_driver *other = spdk_pci_get_driver("other_driver");

	(void)state;
	assert_int_equal(spdk_pci_hook_device(other, &g_dev[5]), 0);
	assert_string_equal(enumerate(0), "0 1 2 3 4 ");
	assert_int_equal(attach(&g_dev[5]), -1);
	assert_logged_once("another driver");
	assert_int_equal(spdk_pci_enumerate(other, take, g_offered), 0);
	assert_string_equal(g_offered, "5 ");
}

static void
bad_calls_are_refused(void **state)
{
	struct spdk_pci_addr addr = g_dev[0].addr;

	(void)state;
	assert_int_equal(spdk_pci_enumerate(NULL, take, g_offered), -1);
	assert_logged_once("driver is NULL");
	assert_int_equal(spdk_pci_enumerate(g_driver, NULL, NULL), -1);
	assert_logged_once("callback is NULL");
	assert_int_equal(spdk_pci_device_attach(g_driver, take, g_offered, NULL), -1);
	assert_logged_once("address is NULL");
	spdk_env_fini();
	assert_int_equal(spdk_pci_enumerate(g_driver, take, g_offered), -1);
	assert_logged_once("spdk_env_init");
	assert_int_equal(spdk_pci_device_attach(g_driver, take, g_offered, &addr), -1);
	assert_logged_once("spdk_env_init");
	spdk_pci_device_detach(NULL);
	start_env(NULL, NULL, 0);
}

static void
hooks_are_checked(void **state)
{
	struct spdk_pci_device dev;

	(void)state;
	fill(&dev, 9, "test");
	assert_int_equal(spdk_pci_hook_device(NULL, &dev), -EINVAL);
	assert_int_equal(spdk_pci_hook_device(g_driver, NULL), -EINVAL);
	dev.map_bar = NULL;
	assert_int_equal(spdk_pci_hook_device(g_driver, &dev), -EINVAL);
	fill(&dev, 9, "test");
	dev.unmap_bar = NULL;
	assert_int_equal(spdk_pci_hook_device(g_driver, &dev), -EINVAL);
	fill(&dev, 9, "test");
	dev.cfg_read = NULL;
	assert_int_equal(spdk_pci_hook_device(g_driver, &dev), -EINVAL);
	fill(&dev, 9, "test");
	dev.cfg_write = NULL;
	assert_int_equal(spdk_pci_hook_device(g_driver, &dev), -EINVAL);
	fill(&dev, 3, "test");
	capture_log();
	assert_int_equal(spdk_pci_hook_device(g_driver, &dev), -EEXIST);
	assert_logged_once("7e57:03:00.0");
	assert_int_equal(spdk_pci_hook_device(g_driver, &g_dev[3]), -EEXIST);
	g_dev[4].addr = (struct spdk_pci_addr){0x7e57, 2, 1, 0}; /* the same one elsewhere */
	assert_int_equal(spdk_pci_hook_device(g_driver, &g_dev[4]), -EEXIST);
	g_dev[4].addr = (struct spdk_pci_addr){0x7e57, 4, 0, 0};
	assert_string_equal(enumerate(0), "0 1 2 3 4 ");
}

static void
attached_devices_stay_hooked(void **state)
{
	(void)state;
	assert_int_equal(attach(&g_dev[2]), 0);
	spdk_pci_unhook_device(&g_dev[2]);
	assert_logged_once("detach it first");
	spdk_pci_device_detach(&g_dev[2]);
	spdk_pci_unhook_device(&g_dev[2]);
	assert_int_equal(g_log_lines, 0);
	assert_string_equal(enumerate(0), "0 1 3 4 ");
	spdk_pci_unhook_device(&g_dev[2]);
	assert_logged_once("not hooked");
	assert_int_equal(spdk_pci_hook_device(g_driver, &g_dev[2]), 0);
	assert_string_equal(enumerate(0), "2 ");
}

static void
one_device_is_attached_by_address(void **state)
{
	struct spdk_pci_addr nowhere = {.domain = 0x7e57, .bus = 99};

	(void)state;
	assert_int_equal(attach(&g_dev[1]), 0);
	assert_string_equal(g_offered, "1 ");
	assert_int_equal(attach(&g_dev[1]), -1);
	assert_logged_once("attached already");
	assert_int_equal(spdk_pci_device_attach(g_driver, take, g_offered, &nowhere), -1);
	assert_logged_once("no such device");
	g_answer[2] = 7;
	assert_int_equal(attach(&g_dev[2]), -1);
	g_answer[2] = -EIO;
	assert_int_equal(attach(&g_dev[2]), -1);
	g_answer[2] = 0;
	assert_int_equal(attach(&g_dev[2]), 0);
}

static char g_listed[64];

static void
list(void *ctx, struct spdk_pci_device *dev)
{
	char number[8];

	assert_ptr_equal(ctx, g_listed);
	if (dev->addr.domain == 0x7e57) {
		snprintf(number, sizeof(number), "%u ", dev->addr.bus);
		strcat(g_listed, number);
	}
}

static void
list_and_unhook(void *ctx, struct spdk_pci_device *dev)
{
	list(ctx, dev);
	if (dev->addr.domain == 0x7e57 && dev->addr.bus != 1) {
		spdk_pci_unhook_device(dev);
		memset(dev, 0xa5, sizeof(*dev)); /* it may be gone altogether */
	}
}

static void
all_devices_are_listed(void **state)
{
	(void)state;
	assert_int_equal(attach(&g_dev[1]), 0);
	g_listed[0] = '\0';
	spdk_pci_for_each_device(g_listed, list);
	assert_string_equal(g_listed, "0 1 2 3 4 ");
	g_listed[0] = '\0';
	spdk_pci_for_each_device(g_listed, list_and_unhook);
	assert_string_equal(g_listed, "0 1 2 3 4 ");
	g_listed[0] = '\0';
	spdk_pci_for_each_device(g_listed, list);
	assert_string_equal(g_listed, "1 ");
}

/* ---- Callbacks that change what is being walked ---- */

static void
detach_it(struct spdk_pci_device *dev)
{
	spdk_pci_device_detach(dev);
}

static void
a_callback_may_detach_its_device(void **state)
{
	(void)state;
	g_inside = detach_it;
	assert_string_equal(enumerate(0), "0 1 2 3 4 ");
	/* Detached, although the callback took it: it can be had again. */
	g_inside = NULL;
	assert_string_equal(enumerate(0), "0 1 2 3 4 ");
}

static void
detach_and_unhook(struct spdk_pci_device *dev)
{
	spdk_pci_device_detach(dev);
	spdk_pci_unhook_device(dev);
	memset(dev, 0xa5, sizeof(*dev));
}

static void
a_callback_may_unhook_its_device(void **state)
{
	struct spdk_pci_device gone;

	(void)state;
	memset(&gone, 0xa5, sizeof(gone));
	g_inside = detach_and_unhook;
	g_answer[2] = 1;
	g_answer[3] = -EIO;
	assert_string_equal(enumerate(-1), "0 1 2 3 4 ");
	assert_string_equal(enumerate(0), "");
	for (int i = 0; i < DEVICES; i++) {
		assert_memory_equal(&g_dev[i], &gone, sizeof(gone)); /* not touched after */
	}
}

static void
hook_another(struct spdk_pci_device *dev)
{
	if (dev == &g_dev[2]) {
		assert_int_equal(spdk_pci_hook_device(g_driver, &g_dev[5]), 0);
		spdk_pci_unhook_device(&g_dev[3]);
	}
}

static void
a_callback_may_hook_and_unhook_others(void **state)
{
	(void)state;
	g_inside = hook_another;
	assert_string_equal(enumerate(0), "0 1 2 4 5 ");
}

static void
detach_the_one_before(struct spdk_pci_device *dev)
{
	if (dev->addr.bus > 0) {
		spdk_pci_device_detach(dev - 1);
	}
}

static void
a_callback_may_detach_others(void **state)
{
	(void)state;
	g_inside = detach_the_one_before;
	assert_string_equal(enumerate(0), "0 1 2 3 4 "); /* each once in one pass */
	g_inside = NULL;
	assert_string_equal(enumerate(0), "0 1 2 3 ");
}

static int
refuse(void *ctx, struct spdk_pci_device *dev)
{
	(void)dev;
	++*(int *)ctx;
	return 1;
}

static void
enumerate_again(struct spdk_pci_device *dev)
{
	int offered = 0;

	assert_int_equal(spdk_pci_enumerate(g_driver, refuse, &offered), 0);
	/* Those behind are free still; it and those before are taken. */
	assert_int_equal(offered, DEVICES - 1 - dev->addr.bus);
}

static void
a_callback_may_enumerate(void **state)
{
	(void)state;
	g_inside = enumerate_again;
	assert_string_equal(enumerate(0), "0 1 2 3 4 ");
}

/* ---- Lists ---- */

static void
restart(struct spdk_pci_addr *allowed, struct spdk_pci_addr *blocked, size_t n)
{
	spdk_env_fini();
	start_env(allowed, blocked, n);
	capture_log();
}

static void
lists_are_about_our_devices(void **state)
{
	struct spdk_pci_addr some[] = {g_dev[1].addr, g_dev[3].addr};

	(void)state;
	g_dev[0].type = "pci";
	g_dev[1].type = "pci";
	g_dev[2].type = "emulated";
	g_dev[3].type = "emulated"; /* 4 is the program's own */
	restart(NULL, some, 2);
	some[0] = some[1] = (struct spdk_pci_addr){0}; /* copied */
	assert_string_equal(enumerate(0), "0 2 4 ");
	/* Asked for by address it is wanted. */
	assert_int_equal(attach(&g_dev[1]), 0);
	assert_int_equal(spdk_pci_device_allow(&g_dev[3].addr), 0);
	assert_int_equal(spdk_pci_device_allow(&g_dev[3].addr), 0);
	assert_string_equal(enumerate(0), "3 ");

	some[0] = g_dev[1].addr;
	some[1] = g_dev[3].addr;
	restart(some, NULL, 2);
	assert_true(udma_pci_is_allowed(&g_dev[1].addr));
	assert_false(udma_pci_is_allowed(&g_dev[0].addr));
	assert_string_equal(enumerate(0), "1 3 4 ");
	assert_int_equal(spdk_pci_device_allow(&g_dev[0].addr), 0);
	assert_string_equal(enumerate(0), "0 ");

	restart(NULL, NULL, 0); /* forgotten */
	assert_string_equal(enumerate(0), "0 1 2 3 4 ");
}

static void
only_one_list_at_a_time(void **state)
{
	struct spdk_env_opts opts = {
		.num_pci_addr = 1, .pci_allowed = &g_dev[0].addr, .pci_blocked = &g_dev[1].addr};

	(void)state;
	assert_int_equal(udma_pci_lists_init(&opts), -EINVAL);
	assert_logged_once("set one of them to NULL");
	assert_true(udma_pci_is_allowed(&g_dev[1].addr));
}

static void
the_end_detaches_what_is_attached(void **state)
{
	(void)state;
	assert_int_equal(attach(&g_dev[1]), 0);
	assert_int_equal(attach(&g_dev[4]), 0);
	capture_log();
	spdk_env_fini();
	assert_int_equal(g_log_lines, 2);
	assert_non_null(strstr(g_logged, "7e57:01:00.0"));
	assert_non_null(strstr(g_logged, "7e57:04:00.0"));
	assert_false(g_dev[1].internal.attached);
	start_env(NULL, NULL, 0);
	assert_string_equal(enumerate(0), "0 1 2 3 4 "); /* hooked as before */
}

/* ---- Providers ---- */

static int g_asked[3], g_told;
static struct spdk_pci_device *g_provided;
static bool g_lies;

static int
ask_first(const struct spdk_pci_addr *addr)
{
	(void)addr;
	g_asked[0]++;
	return g_lies ? 0 : -ENODEV; /* it may say yes and have none */
}

static int
ask_second(const struct spdk_pci_addr *addr)
{
	g_asked[1]++;
	if (addr->domain != 0x7e57 || addr->bus != 50) {
		return -ENODEV;
	}
	g_provided = malloc(sizeof(*g_provided));
	assert_non_null(g_provided);
	fill(g_provided, 50, "second");
	return spdk_pci_hook_device(spdk_pci_get_driver("test_driver"), g_provided);
}

static void
tell_second(struct spdk_pci_device *dev)
{
	g_told++;
	assert_ptr_equal(dev, g_provided);
	assert_false(dev->internal.attached);
	spdk_pci_unhook_device(dev);
	free(dev);
	g_provided = NULL;
}

static int
ask_third(const struct spdk_pci_addr *addr)
{
	(void)addr;
	g_asked[2]++;
	return -ENODEV;
}

static void
tell_nobody(struct spdk_pci_device *dev)
{
	(void)dev;
	fail();
}

static struct spdk_pci_device_provider g_first = {"first", ask_first, tell_nobody, {0}};
static struct spdk_pci_device_provider g_second = {"second", ask_second, tell_second, {0}};
static struct spdk_pci_device_provider g_third = {"third", ask_third, NULL, {0}};
SPDK_PCI_REGISTER_DEVICE_PROVIDER(first, &g_first)
SPDK_PCI_REGISTER_DEVICE_PROVIDER(second, &g_second)
SPDK_PCI_REGISTER_DEVICE_PROVIDER(third, &g_third)

static int g_fifty;

static int
take_fifty(void *ctx, struct spdk_pci_device *dev)
{
	(void)ctx;
	assert_ptr_equal(dev, g_provided);
	g_fifty++;
	return 0;
}

static void
providers_are_asked_in_turn(void **state)
{
	struct spdk_pci_addr addr = {.domain = 0x7e57, .bus = 50},
			     nowhere = {.domain = 0x7e57, .bus = 51};
	struct spdk_pci_device *dev;

	(void)state;
	memset(g_asked, 0, sizeof(g_asked));
	g_told = g_fifty = 0;
	g_lies = true;
	assert_int_equal(attach(&g_dev[0]), 0);
	assert_int_equal(g_asked[0], 0); /* listed: nobody is asked */
	assert_int_equal(spdk_pci_device_attach(g_driver, take_fifty, NULL, &addr), 0);
	assert_int_equal(g_fifty, 1);
	assert_int_equal(g_asked[0], 1);
	assert_int_equal(g_asked[1], 1);
	assert_int_equal(g_asked[2], 0);
	assert_int_equal(spdk_pci_device_attach(g_driver, take_fifty, NULL, &addr), -1);
	assert_int_equal(spdk_pci_device_attach(g_driver, take_fifty, NULL, &nowhere), -1);
	assert_int_equal(g_asked[2], 1);
	assert_int_equal(g_fifty, 1);

	dev = g_provided;
	spdk_pci_device_detach(dev);
	assert_int_equal(g_told, 1);
	assert_null(g_provided);
	spdk_pci_device_detach(dev); /* gone: harmless, as some programs do */
	assert_int_equal(g_told, 1);
	/* And once more from the start. */
	assert_int_equal(spdk_pci_device_attach(g_driver, take_fifty, NULL, &addr), 0);
	spdk_pci_device_detach(g_provided);
	assert_int_equal(g_told, 2);
	/* Registered twice it is asked once. */
	spdk_pci_register_device_provider(&g_third);
	memset(g_asked, 0, sizeof(g_asked));
	assert_int_equal(spdk_pci_device_attach(g_driver, take_fifty, NULL, &nowhere), -1);
	assert_int_equal(g_asked[2], 1);
	capture_log();
	spdk_pci_register_device_provider(NULL);
	assert_logged_once("provider");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(drivers_are_found_by_name),
		CASE(devices_are_offered_in_order_and_once),
		CASE(what_is_left_is_offered_again),
		CASE(a_failure_does_not_keep_the_others_away),
		CASE(devices_that_go_are_not_offered),
		CASE(each_driver_has_its_devices),
		CASE(bad_calls_are_refused),
		CASE(hooks_are_checked),
		CASE(attached_devices_stay_hooked),
		CASE(one_device_is_attached_by_address),
		CASE(all_devices_are_listed),
		CASE(a_callback_may_detach_its_device),
		CASE(a_callback_may_unhook_its_device),
		CASE(a_callback_may_hook_and_unhook_others),
		CASE(a_callback_may_detach_others),
		CASE(a_callback_may_enumerate),
		CASE(lists_are_about_our_devices),
		CASE(only_one_list_at_a_time),
		CASE(the_end_detaches_what_is_attached),
		CASE(providers_are_asked_in_turn),
	};

	return cmocka_run_group_tests_name("pci_registry", tests, NULL, NULL);
}
