/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * From one driver to another. driver_override says which driver may take a function; then the
 * driver that has it lets go, and the kernel is asked to look for another.
 */

#include "setup.h"
#include "tool.h"

#include "env/sysfs.h"
#include "spdk/string.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices"
#define DRIVERS "/sys/bus/pci/drivers"
#define TYPE1   "vfio_iommu_type1"

/* The kernel has done what was asked when the write returns. Whoever plays the kernel in a tree
 * takes a moment. */
#define TREE_LOOKS   1000
#define TREE_WAIT_US 10000

/** \return whether a function has come to a driver, "" for none. */
static bool
has_come_to(const char *name, const char *driver)
{
	unsigned looks = setup_is_tree() ? TREE_LOOKS : 1;
	char current[DRIVER_BYTES];

	while (looks-- > 0) {
		setup_driver_of(name, current, sizeof(current));
		if (strcmp(current, driver) == 0) {
			return true;
		}
		if (looks > 0) {
			usleep(TREE_WAIT_US);
		}
	}
	return false;
}

static int
write_override(const char *name, const char *driver)
{
	char path[PATH_MAX], text[DRIVER_BYTES + 1];

	setup_path(path, DEVICES "/%s/driver_override", name);
	snprintf(text, sizeof(text), "%s\n", driver); /* an empty line takes it away */
	return setup_write(path, text);
}

static int
load_driver(const char *driver)
{
	char path[PATH_MAX];

	setup_path(path, DRIVERS "/%s", driver);
	if (access(path, F_OK) == 0) {
		return 0;
	}
	return setup_load_module(driver);
}

static int
unbind(const char *name, const char *driver)
{
	char path[PATH_MAX];
	int rc;

	setup_path(path, DRIVERS "/%s/unbind", driver);
	rc = setup_write(path, name);
	if (rc == 0 && !setup_is_dry_run() && !has_come_to(name, "")) {
		complain("%s: driver %s does not let go of it", name, driver);
		rc = -EBUSY;
	}
	return rc;
}

static int
probe(const char *name, const char *driver)
{
	char path[PATH_MAX];
	int rc;

	setup_path(path, "/sys/bus/pci/drivers_probe");
	rc = setup_write(path, name);
	if (rc == 0 && !setup_is_dry_run() && !has_come_to(name, driver)) {
		complain("%s: driver %s does not take it; the kernel's log (dmesg) may say why",
			 name, driver);
		rc = -ENODEV;
	}
	return rc;
}

/** Moves a function, whose override is already written. */
static int
move(const char *name, const char *from, const char *to)
{
	int rc = 0;

	if (from[0] != '\0') {
		rc = unbind(name, from);
	}
	if (rc == 0 && to[0] != '\0') {
		rc = probe(name, to);
	}
	return rc;
}

int
setup_bind(const char *name, const char *driver, const char *override_driver)
{
	char current[DRIVER_BYTES], now[DRIVER_BYTES];
	int rc = 0;

	setup_driver_of(name, current, sizeof(current));
	setup_read_override(name, now, sizeof(now));
	if (strcmp(current, driver) != 0) {
		if (driver[0] != '\0') {
			rc = load_driver(driver);
		}
		if (rc == 0 && driver[0] != '\0' && strcmp(now, driver) != 0) {
			rc = write_override(name, driver);
			snprintf(now, sizeof(now), "%s", driver);
		}
		if (rc == 0) {
			rc = move(name, current, driver);
		}
	}
	if (rc == 0 && strcmp(now, override_driver) != 0) {
		rc = write_override(name, override_driver);
	}
	return rc;
}

/**
 * What maps memory for vfio-pci. modprobe loads it as well where it is kmod's, and not where it is
 * busybox's. A kernel that is built without it has something in its place.
 */
static void
load_type1(const struct setup_function *function)
{
	char path[PATH_MAX];

	setup_path(path, "/sys/module/" TYPE1);
	if (strcmp(function->driver, "vfio-pci") == 0 && function->has_iommu &&
	    access(path, F_OK) != 0) {
		setup_try_module(TYPE1);
	}
}

static const char *
text_of(const char *driver)
{
	return driver[0] != '\0' ? driver : "no driver";
}

/** Puts a function back to where this run has found it, and forgets it. \return whether it is. */
static bool
put_back(const struct setup_function *function)
{
	struct setup_record record = {.kind = SETUP_FUNCTION};
	const char *name = function->name, *before = function->pci.driver;

	if (setup_bind(name, before, function->override_driver) != 0) {
		complain("%s: cannot be given back to %s; 'udma setup reset' tries again", name,
			 text_of(before));
		return false;
	}
	if (function->is_recorded) {
		snprintf(record.target, sizeof(record.target), "%s", name);
		setup_journal_forget(&record);
	}
	return true;
}

int
setup_change_driver(struct setup_function *function)
{
	const char *name = function->name, *before = function->pci.driver;
	struct setup_record record = {.kind = SETUP_FUNCTION};
	int is_new;

	if (strcmp(before, function->driver) == 0) {
		setup_say("%s: %s already", name, text_of(before));
		return STATUS_OK;
	}
	snprintf(record.target, sizeof(record.target), "%s", name);
	snprintf(record.first, sizeof(record.first), "%s", before);
	snprintf(record.second, sizeof(record.second), "%s", function->override_driver);
	is_new = setup_journal_keep(&record);
	if (is_new < 0) {
		return STATUS_FAILED;
	}
	function->is_recorded = is_new > 0;
	/* Without a driver to wait for, which one may come is left as it is. */
	if (setup_bind(name, function->driver,
		       function->driver[0] != '\0' ? function->driver
						   : function->override_driver) == 0) {
		load_type1(function);
		setup_say("%s: %s -> %s", name, text_of(before), text_of(function->driver));
		return STATUS_OK;
	}
	if (put_back(function)) {
		complain("%s: not set up, and as it was before: %s", name, text_of(before));
	}
	return STATUS_FAILED;
}

void
setup_undo_driver(const struct setup_function *function, const struct setup_function *failed)
{
	const char *before = function->pci.driver;

	if (strcmp(before, function->driver) != 0 && put_back(function)) {
		complain("%s: as it was before: %s; VFIO needs all of IOMMU group %d, and %s could "
			 "not be set up",
			 function->name, text_of(before), function->pci.iommu_group, failed->name);
	}
}
