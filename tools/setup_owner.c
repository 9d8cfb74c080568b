/* SPDX-License-Identifier: BSD-3-Clause */

/* Who may open the file of an IOMMU group: with an IOMMU no other privilege is needed. */

#include "setup.h"
#include "tool.h"

#include "spdk/string.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** \return 0; a negative errno, said. */
static int
give(const char *path, unsigned uid, unsigned gid)
{
	if (setup_is_dry_run()) {
		setup_say("give %s to user %u, group %u", path, uid, gid);
		return 0;
	}
	if (lchown(path, uid, gid) != 0) {
		int rc = -errno;

		complain("cannot give %s to user %u, group %u: %s", path, uid, gid,
			 spdk_strerror(-rc));
		return rc;
	}
	return 0;
}

/** \param who is said of the user. */
static int
change(const char *file, const char *path, const struct passwd *user, const char *who)
{
	struct setup_record record = {.kind = SETUP_OWNER};
	struct stat status = {0};
	int rc, is_new;

	if (stat(path, &status) != 0 && !setup_is_dry_run()) {
		rc = -errno;
		complain("%s cannot be given to %s: %s", path, user->pw_name, spdk_strerror(-rc));
		return rc;
	}
	if (status.st_nlink > 0 && status.st_uid == user->pw_uid) {
		setup_say("%s: %s's already", file, user->pw_name);
		return 0;
	}
	snprintf(record.target, sizeof(record.target), "%s", file);
	snprintf(record.first, sizeof(record.first), "%u:%u", status.st_uid, status.st_gid);
	is_new = setup_journal_keep(&record);
	rc = is_new < 0 ? is_new : give(path, user->pw_uid, user->pw_gid);
	if (rc == 0) {
		setup_say("%s: user %u -> %s%s", file, status.st_uid, user->pw_name, who);
	} else if (is_new > 0) {
		setup_journal_forget(&record);
	}
	return rc;
}

int
setup_check_user(const char *user)
{
	if (getpwnam(user) == NULL) {
		complain("--user is '%s', and there is no such user to give the channels to", user);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

void
setup_choose_user(struct setup_options *options)
{
	const char *caller = getenv("SUDO_USER");
	const struct passwd *entry = NULL;

	if (options->user == NULL && caller != NULL) {
		entry = getpwnam(caller);
	}
	if (entry != NULL && entry->pw_uid != 0) {
		options->user = caller;
		options->user_called_sudo = true;
	}
}

bool
setup_can_give(const struct setup_function *function)
{
	return strcmp(function->driver, "vfio-pci") == 0 && function->has_iommu;
}

int
setup_change_owner(const struct setup_function *function, const struct setup_options *options)
{
	static const char cannot[] = "%s: %s without an IOMMU is for root only, and not for %s";
	const struct passwd *entry = getpwnam(options->user);
	char file[DRIVER_BYTES], path[PATH_MAX];
	bool can = entry != NULL && setup_can_give(function);

	if (!can && options->user_called_sudo) { /* who has not asked for it */
		setup_say(cannot, function->name, function->driver, options->user);
		return STATUS_OK;
	}
	if (!can) {
		complain(cannot, function->name, function->driver, options->user);
		return STATUS_FAILED;
	}
	snprintf(file, sizeof(file), "/dev/vfio/%d", function->pci.iommu_group);
	setup_path(path, "%s", file);
	return change(file, path, entry, options->user_called_sudo ? ", who called sudo" : "") == 0
		       ? STATUS_OK
		       : STATUS_FAILED;
}

int
setup_restore_owner(const struct setup_record *record)
{
	char path[PATH_MAX];
	struct stat status;
	unsigned uid, gid;

	if (sscanf(record->first, "%u:%u", &uid, &gid) != 2) {
		complain("the journal has '%s' as the owner of %s", record->first, record->target);
		return -EINVAL;
	}
	setup_path(path, "%s", record->target);
	/* It went with the last function of the group, and its owner with it. */
	if (stat(path, &status) != 0 || (status.st_uid == uid && status.st_gid == gid)) {
		return 0;
	}
	if (give(path, uid, gid) != 0) {
		return -EPERM;
	}
	setup_say("%s: user %u -> %u", record->target, status.st_uid, uid);
	return 0;
}
