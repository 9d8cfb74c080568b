/* SPDX-License-Identifier: BSD-3-Clause */

/* udma setup config: which functions, which drivers, then the changes one after another. */

#include "setup.h"
#include "tool.h"

#include "env/sysfs.h"
#include "pci/pci_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A value of --allow: hugepages alone. */
#define NO_CHANNEL "none"

/**
 * Whether an address is in a list.
 *
 * \param addr NULL: only whether it is one.
 * \return an exit status, said, if the list is not one.
 */
static int
find_in_list(const char *option, const char *list, const struct spdk_pci_addr *addr, bool *found)
{
	char *copy = strdup(list), *rest = copy, *word;
	int status = copy != NULL ? STATUS_OK : STATUS_FAILED;

	*found = false;
	while (status == STATUS_OK && (word = strsep(&rest, SETUP_SEPARATORS)) != NULL) {
		struct spdk_pci_addr listed;

		if (word[0] == '\0') {
			continue;
		}
		if (udma_pci_addr_parse(&listed, word, strlen(word)) != 0) {
			complain("%s has '%s'; an address is expected, such as 0000:00:04.0",
				 option, word);
			status = STATUS_USAGE;
		} else if (addr != NULL && spdk_pci_addr_compare(&listed, addr) == 0) {
			*found = true;
		}
	}
	free(copy);
	return status;
}

/** Whether a list has this one word; "" if it is to have none. */
static bool
is_only(const char *list, const char *word)
{
	const char *start = list + strspn(list, SETUP_SEPARATORS);
	const char *end = start + strlen(word);

	return strncmp(start, word, strlen(word)) == 0 &&
	       end[strspn(end, SETUP_SEPARATORS)] == '\0';
}

static bool
is_for_no_channel(const struct setup_options *options)
{
	return options->allowed != NULL && is_only(options->allowed, NO_CHANNEL);
}

/* ---- Options that cannot be ---- */

/** \return an exit status, said. */
static int
check_lists(const struct setup_options *options)
{
	int status = STATUS_OK;
	bool found;

	if (options->allowed != NULL && !is_for_no_channel(options)) {
		status = find_in_list("--allow", options->allowed, NULL, &found);
	}
	if (status == STATUS_OK && options->blocked != NULL) {
		status = find_in_list("--block", options->blocked, NULL, &found);
	}
	return status;
}

/** \return an exit status, said. */
static int
check_hugepages(const struct setup_options *options)
{
	bool has_pages = options->huge_pages != SETUP_BY_BYTES;
	const char *amount = has_pages ? "--huge-pages" : "--huge-mem";

	if (options->no_huge && (has_pages || options->has_huge_bytes)) {
		complain("--no-huge and %s do not go together: one leaves hugepages alone, the "
			 "other makes them",
			 amount);
		return STATUS_USAGE;
	}
	if (has_pages && options->has_huge_bytes) {
		complain("--huge-mem and --huge-pages do not go together: both say how much there "
			 "is to be");
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

/**
 * A driver for UIO may have any name, and modprobe may find it. What no such name looks like has to
 * be there already.
 */
static bool
can_be_driver(const char *name)
{
	char path[PATH_MAX];

	setup_path(path, "/sys/bus/pci/drivers/%s", name);
	return strcmp(name, "vfio-pci") == 0 || strcmp(name, SETUP_NO_DRIVER) == 0 ||
	       strstr(name, "uio") != NULL || access(path, F_OK) == 0;
}

int
setup_check_config(const struct setup_options *options)
{
	int status = check_lists(options);

	if (status == STATUS_OK) {
		status = check_hugepages(options);
	}
	if (status == STATUS_OK && options->driver != NULL && !can_be_driver(options->driver)) {
		complain("--driver is '%s', and no such driver is loaded; it can be vfio-pci, "
			 "uio_pci_generic, igb_uio, another one for UIO, or " SETUP_NO_DRIVER,
			 options->driver);
		status = STATUS_USAGE;
	}
	return status;
}

/* ---- Which functions ---- */

/** Applies --allow and --block. */
static int
choose(struct setup_function *function, const struct setup_options *options)
{
	bool allowed = true, blocked = false;
	int status = STATUS_OK;

	if (is_for_no_channel(options)) {
		allowed = false;
	} else if (options->allowed != NULL && !is_only(options->allowed, "")) {
		status = find_in_list("--allow", options->allowed, &function->pci.addr, &allowed);
	}
	if (status == STATUS_OK && options->blocked != NULL) {
		status = find_in_list("--block", options->blocked, &function->pci.addr, &blocked);
	}
	function->wanted = allowed && !blocked;
	return status;
}

/** VFIO where an IOMMU is, or where it has been told to do without; else UIO. */
static void
choose_driver(const struct setup_machine *machine, struct setup_function *function,
	      const struct setup_options *options)
{
	bool vfio = function->pci.iommu_group >= 0 || machine->noiommu;
	const char *driver = options->driver != NULL ? options->driver
			     : vfio                  ? "vfio-pci"
						     : "uio_pci_generic";

	snprintf(function->driver, sizeof(function->driver), "%s",
		 strcmp(driver, SETUP_NO_DRIVER) == 0 ? "" : driver);
}

/** \return whether somebody uses a function, so that it is left; said. */
static bool
is_left_to_user(const struct setup_function *function, bool force)
{
	if (function->user[0] == '\0' || strcmp(function->pci.driver, function->driver) == 0) {
		return false;
	}
	if (function->used_by_process) {
		complain("%s: %s has it, and it is left alone; end that one first", function->name,
			 function->user);
		return true;
	}
	if (!force) {
		complain("%s: %s uses it (driver %s), and it is left alone; --force takes it "
			 "nevertheless, and may crash a kernel that is in the middle of a copy",
			 function->name, function->user, function->pci.driver);
	}
	return !force;
}

struct group_check {
	const struct setup_machine *machine;
	char text[GROUP_BYTES];
};

/** Notes a member that keeps VFIO from the group. */
static void
note_hindrance(void *ctx, const char *name)
{
	static const char *const harmless[] = {"", "vfio-pci", "pci-stub", "pcieport"};
	struct group_check *check = ctx;
	const struct setup_function *function = setup_find(check->machine, name);
	size_t used = strlen(check->text);
	char driver[DRIVER_BYTES];

	setup_driver_of(name, driver, sizeof(driver));
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		if (strcmp(driver, harmless[i]) == 0) {
			return;
		}
	}
	if (function == NULL || !function->wanted) {
		snprintf(check->text + used, sizeof(check->text) - used, "%s%s (%s)",
			 used > 0 ? ", " : "", name, driver);
	}
}

/** \return whether the group of a function has members that VFIO does not go with; said. */
static bool
is_left_to_group(const struct setup_machine *machine, const struct setup_function *function)
{
	struct group_check check = {.machine = machine};

	if (strcmp(function->driver, "vfio-pci") != 0 || function->pci.iommu_group < 0) {
		return false;
	}
	setup_each_member(function->pci.iommu_group, note_hindrance, &check);
	if (check.text[0] != '\0') {
		complain("%s: VFIO needs all of IOMMU group %d, and %s has a driver that is left "
			 "alone; this channel is, too",
			 function->name, function->pci.iommu_group, check.text);
	}
	return check.text[0] != '\0';
}

/** \return whether a function before this one is in its group, and is changed as well. */
static bool
is_group_done(const struct setup_machine *machine, const struct setup_function *function)
{
	for (const struct setup_function *other = machine->list; other < function; other++) {
		if (other->wanted && other->pci.iommu_group == function->pci.iommu_group) {
			return function->pci.iommu_group >= 0;
		}
	}
	return false;
}

/** UIO tells no IOMMU what a function may reach. */
static void
warn_of_iommu(const struct setup_function *function)
{
	char type[DRIVER_BYTES];

	if (function->driver[0] != '\0' && strcmp(function->driver, "vfio-pci") != 0 &&
	    function->pci.iommu_group >= 0 &&
	    udma_sysfs_read(type, sizeof(type), "kernel/iommu_groups/%d/type",
			    function->pci.iommu_group) == 0 &&
	    strncmp(type, "DMA", 3) == 0) {
		complain(
			"%s: an IOMMU translates for it, which %s cannot tell about; use vfio-pci, "
			"or start the kernel with iommu=pt",
			function->name, function->driver);
	}
}

/** Applies --allow and --block, and chooses drivers. \return an exit status, said. */
static int
choose_all(struct setup_machine *machine, const struct setup_options *options)
{
	bool any = is_for_no_channel(options);

	for (unsigned i = 0; i < machine->count; i++) {
		struct setup_function *function = &machine->list[i];
		int status = choose(function, options);

		if (status != STATUS_OK) {
			return status;
		}
		choose_driver(machine, function, options);
		any = any || function->wanted;
	}
	if (!any) {
		complain("--allow and --block leave none of the machine's %u channels; 'udma setup "
			 "status' lists them",
			 machine->count);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

/** Leaves channels that are in use, or in a group with something else. \return an exit status. */
static int
decide(struct setup_machine *machine, const struct setup_options *options)
{
	int status = STATUS_OK;

	for (unsigned i = 0; i < machine->count; i++) {
		struct setup_function *function = &machine->list[i];

		if (function->wanted && is_left_to_user(function, options->force)) {
			function->wanted = false;
			status = STATUS_FAILED;
		}
	}
	/* What stays with its driver is in the way of its group. */
	for (unsigned i = 0; i < machine->count; i++) {
		struct setup_function *function = &machine->list[i];

		function->in_mixed_group = function->wanted && is_left_to_group(machine, function);
	}
	for (unsigned i = 0; i < machine->count; i++) {
		if (machine->list[i].in_mixed_group) {
			machine->list[i].wanted = false;
			status = STATUS_FAILED;
		}
	}
	return status;
}

static int
worse(int status, int other)
{
	return status != STATUS_OK ? status : other;
}

/**
 * After one that failed: with part of its group VFIO does nothing, so what has been changed of it
 * is put back, and the rest is left.
 */
static void
leave_group(struct setup_machine *machine, struct setup_function *failed)
{
	bool by_group = strcmp(failed->driver, "vfio-pci") == 0 && failed->pci.iommu_group >= 0;

	failed->wanted = false;
	for (unsigned i = 0; i < machine->count && by_group; i++) {
		struct setup_function *other = &machine->list[i];

		if (!other->wanted || other->pci.iommu_group != failed->pci.iommu_group) {
			continue;
		}
		other->wanted = false;
		if (other < failed) {
			setup_undo_driver(other, failed);
		} else {
			complain("%s: left alone; VFIO needs all of IOMMU group %d, and %s could "
				 "not be set up",
				 other->name, other->pci.iommu_group, failed->name);
		}
	}
}

static int
change_drivers(struct setup_machine *machine)
{
	int status = STATUS_OK;

	for (unsigned i = 0; i < machine->count; i++) {
		struct setup_function *function = &machine->list[i];

		if (!function->wanted) {
			continue;
		}
		warn_of_iommu(function);
		if (setup_change_driver(function) != STATUS_OK) {
			leave_group(machine, function);
			status = STATUS_FAILED;
		}
	}
	return status;
}

/** Behind all drivers: the files of groups go with them, should they have to be put back. */
static int
change_owners(const struct setup_machine *machine, const struct setup_options *options)
{
	int status = STATUS_OK;

	for (unsigned i = 0; i < machine->count && options->user != NULL; i++) {
		const struct setup_function *function = &machine->list[i];

		if (function->wanted && function->driver[0] != '\0' &&
		    !is_group_done(machine, function)) {
			status = worse(status, setup_change_owner(function, options));
		}
	}
	return status;
}

static int
change_all(struct setup_machine *machine, const struct setup_options *options,
	   const struct setup_requests *requests)
{
	int status = change_drivers(machine);

	status = worse(status, change_owners(machine, options));
	if (!options->no_huge) {
		status = worse(status, setup_change_pages(requests));
	}
	return status;
}

static int
config(struct setup_machine *machine, const struct setup_options *options)
{
	struct setup_requests requests = {0};
	int status = STATUS_OK;

	if (!options->no_huge) {
		status = setup_read_requests(options, &requests);
	}
	if (status == STATUS_OK && options->user != NULL) {
		status = setup_check_user(options->user);
	}
	if (status == STATUS_OK) {
		status = choose_all(machine, options);
	}
	if (status != STATUS_OK) {
		return status;
	}
	status = decide(machine, options);
	if (options->persistent) {
		setup_print_persistent(machine, options, &requests);
		return status;
	}
	return worse(status, change_all(machine, options, &requests));
}

int
setup_config(const struct setup_options *options)
{
	struct setup_machine machine;
	int status = setup_journal_open(!options->persistent);

	if (status != STATUS_OK) {
		return status;
	}
	/* Behind the lock: until then another run may change what is read. */
	status = setup_machine_read(&machine);
	if (status == STATUS_OK && machine.count == 0 && !is_for_no_channel(options)) {
		complain(
			"no I/OAT channel: this machine has none, and nothing is changed; emulated "
			"ones (--emulate) need no setup");
		status = STATUS_USAGE;
	} else if (status == STATUS_OK) {
		status = config(&machine, options);
	}
	setup_machine_free(&machine);
	setup_journal_close();
	return status;
}
