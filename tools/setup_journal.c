/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What was there before udma setup changed it: a line for each thing, written before the change.
 * The file is replaced whole, so that a run that is killed leaves the old one or the new one. The
 * kernel forgets with each boot what is recorded here, so the first line names the boot.
 */

#include "setup.h"
#include "tool.h"

#include "env/sysfs.h"
#include "spdk/string.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN        "/run"
#define FOLDER     RUN "/udma"
#define TEMPORARY  JOURNAL ".new"
#define LOCK       FOLDER "/setup.lock"
#define HEADER     "udma setup 1 boot "
#define BOOT_BYTES 64
#define LINE_BYTES (PATH_MAX + 3 * DRIVER_BYTES)

static const char *const kinds[] = {"function", "pages", "owner"};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct {
	struct setup_record *list;
	unsigned count;
	int lock;
	bool other_boot, hidden;
} g_journal = {.lock = -1};

static void
read_boot(char *boot)
{
	if (udma_sysfs_read(boot, BOOT_BYTES, "../proc/sys/kernel/random/boot_id") != 0) {
		strcpy(boot, "unknown");
	}
}

/* ---- Writing ---- */

/** Writes all records to a file. \return 0; a negative errno. */
static int
write_records(const char *path)
{
	FILE *file = fopen(path, "we");
	char boot[BOOT_BYTES];
	int rc = 0;

	if (file == NULL) {
		return -errno;
	}
	read_boot(boot);
	fprintf(file, HEADER "%s\n", boot);
	for (unsigned i = 0; i < g_journal.count; i++) {
		const struct setup_record *record = &g_journal.list[i];

		fprintf(file, "%s\t%s\t%s\t%s\n", kinds[record->kind], record->target,
			record->first, record->second);
	}
	if (fflush(file) != 0 || ferror(file) || fsync(fileno(file)) != 0) {
		rc = errno != 0 ? -errno : -EIO;
	}
	fclose(file);
	return rc;
}

static int
save(void)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	int rc = 0;

	setup_path(path, JOURNAL);
	setup_path(temporary, TEMPORARY);
	if (g_journal.count == 0) {
		rc = unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
	} else {
		rc = write_records(temporary);
		if (rc == 0 && rename(temporary, path) != 0) {
			rc = -errno;
		}
		if (rc != 0) {
			unlink(temporary);
		}
	}
	if (rc != 0) {
		complain("cannot write the journal %s: %s; without it nothing is changed", path,
			 spdk_strerror(-rc));
	}
	return rc;
}

static bool
is_same(const struct setup_record *a, const struct setup_record *b)
{
	return a->kind == b->kind && strcmp(a->target, b->target) == 0;
}

static int
append(const struct setup_record *record)
{
	struct setup_record *grown =
		reallocarray(g_journal.list, g_journal.count + 1, sizeof(*grown));

	if (grown == NULL) {
		return -ENOMEM;
	}
	g_journal.list = grown;
	grown[g_journal.count++] = *record;
	return 0;
}

int
setup_journal_keep(const struct setup_record *record)
{
	int rc;

	for (unsigned i = 0; i < g_journal.count; i++) {
		if (is_same(&g_journal.list[i], record)) {
			return 0;
		}
	}
	rc = append(record);
	if (rc != 0) {
		complain("no memory for the journal");
		return rc;
	}
	if (setup_is_dry_run()) {
		return 1;
	}
	rc = save();
	if (rc != 0) {
		g_journal.count--;
		return rc;
	}
	g_journal.other_boot = false;
	return 1;
}

int
setup_journal_forget(const struct setup_record *record)
{
	for (unsigned i = 0; i < g_journal.count; i++) {
		if (is_same(&g_journal.list[i], record)) {
			g_journal.count--;
			memmove(&g_journal.list[i], &g_journal.list[i + 1],
				(g_journal.count - i) * sizeof(*g_journal.list));
			return setup_is_dry_run() ? 0 : save();
		}
	}
	return 0;
}

/* ---- Reading ---- */

/** \return whether a line is a record. */
static bool
parse(char *line, struct setup_record *record)
{
	char *rest = line, *kind = strsep(&rest, "\t"), *target = strsep(&rest, "\t");
	char *first = strsep(&rest, "\t"), *second = strsep(&rest, "\t");

	if (second == NULL || rest != NULL || strlen(first) >= sizeof(record->first) ||
	    strlen(second) >= sizeof(record->second) || strlen(target) >= PATH_MAX / 2) {
		return false;
	}
	for (unsigned i = 0; i < KINDS; i++) {
		if (strcmp(kind, kinds[i]) == 0) {
			record->kind = (enum setup_kind)i;
			strcpy(record->target, target);
			strcpy(record->first, first);
			strcpy(record->second, second);
			return true;
		}
	}
	return false;
}

/** Reads the lines behind the first. \return 0; a negative errno. */
static int
read_records(FILE *file)
{
	struct setup_record record;
	char line[LINE_BYTES];
	int rc = 0;

	while (rc == 0 && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		rc = parse(line, &record) ? append(&record) : -EINVAL;
	}
	return rc;
}

/** \return an exit status, said. */
static int
refuse(const char *path, int rc)
{
	if (rc == -EACCES) {
		complain("the journal %s cannot be read: %s; run this as root", path,
			 spdk_strerror(-rc));
	} else {
		complain("the journal %s cannot be read: %s; what it has is needed by reset, so "
			 "look at it, and remove it to go on without",
			 path, rc == -EINVAL ? "it is not of this program" : spdk_strerror(-rc));
	}
	return STATUS_FAILED;
}

/** \param need whether what it has is needed, or only shown. */
static int
load(bool need)
{
	char path[PATH_MAX], line[LINE_BYTES] = "", boot[BOOT_BYTES];
	FILE *file;
	int rc = 0;

	setup_path(path, JOURNAL);
	file = fopen(path, "re");
	if (file == NULL && errno == ENOENT) {
		return STATUS_OK;
	}
	read_boot(boot);
	if (file == NULL) {
		rc = -errno;
	} else if (fgets(line, sizeof(line), file) == NULL ||
		   strncmp(line, HEADER, strlen(HEADER)) != 0) {
		rc = -EINVAL;
	} else {
		line[strcspn(line, "\n")] = '\0';
		g_journal.other_boot = strcmp(line + strlen(HEADER), boot) != 0;
		rc = g_journal.other_boot ? 0 : read_records(file);
	}
	if (file != NULL) {
		fclose(file);
	}
	g_journal.hidden = rc == -EACCES && !need;
	return rc == 0 || g_journal.hidden ? STATUS_OK : refuse(path, rc);
}

/** One run at a time. */
static int
lock(void)
{
	char path[PATH_MAX];
	int rc = 0;

	/* Whoever asks for the status may read the journal, whatever root's shell keeps to itself.
	 */
	umask(S_IWGRP | S_IWOTH);
	/* A machine has one; a tree need not. */
	setup_path(path, RUN);
	if (setup_is_tree() && mkdir(path, 0755) != 0 && errno != EEXIST) {
		rc = -errno;
	}
	setup_path(path, FOLDER);
	if (rc == 0 && mkdir(path, 0755) != 0 && errno != EEXIST) {
		rc = -errno;
	}
	setup_path(path, LOCK);
	g_journal.lock = rc == 0 ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	if (rc == 0 && (g_journal.lock < 0 || flock(g_journal.lock, LOCK_EX | LOCK_NB) != 0)) {
		rc = -errno;
	}
	if (rc == -EWOULDBLOCK) {
		complain("another 'udma setup' is at work: wait until it has ended");
	} else if (rc != 0) {
		complain("cannot write to %s: %s", path, spdk_strerror(-rc));
	}
	return rc == 0 ? STATUS_OK : STATUS_FAILED;
}

int
setup_journal_open(bool change)
{
	int status = change && !setup_is_dry_run() ? lock() : STATUS_OK;

	if (status == STATUS_OK) {
		status = load(change);
	}
	if (status != STATUS_OK) {
		setup_journal_close();
	}
	return status;
}

void
setup_journal_close(void)
{
	char path[PATH_MAX];

	if (g_journal.lock >= 0) {
		/* A run that was killed may have left it. */
		setup_path(path, TEMPORARY);
		unlink(path);
		close(g_journal.lock);
		g_journal.lock = -1;
	}
	free(g_journal.list);
	g_journal.list = NULL;
	g_journal.count = 0;
	g_journal.other_boot = false;
	g_journal.hidden = false;
}

int
setup_journal_count(void)
{
	return g_journal.other_boot ? -1 : (int)g_journal.count;
}

bool
setup_journal_is_hidden(void)
{
	return g_journal.hidden;
}

int
setup_journal_discard(void)
{
	return setup_is_dry_run() ? 0 : save();
}

const struct setup_record *
setup_journal_record(unsigned i)
{
	return i < g_journal.count ? &g_journal.list[i] : NULL;
}
