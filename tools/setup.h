/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * udma setup: what its files tell each other.
 *
 * A run is: lock out others and read the journal (setup_journal.c), then the machine
 * (setup_machine.c), decide (setup_config.c), and for each change first record what was there,
 * then make it (setup_bind.c, setup_owner.c, setup_huge.c). reset walks the journal backwards with
 * the same calls.
 */

#ifndef UDMA_TOOL_SETUP_H
#define UDMA_TOOL_SETUP_H

#include "udma/pci.h"

#include <limits.h>

#define DRIVER_BYTES 64
#define USER_BYTES   160
#define GROUP_BYTES  512

/* Between the words of a list. */
#define SETUP_SEPARATORS ", \t\n\v\f\r"

#define SETUP_BY_BYTES UINT64_MAX

/* In place of a driver: it is taken away, and no other given. */
#define SETUP_NO_DRIVER "none"

struct setup_options {
	const char *allowed, *blocked; /* lists of addresses; NULL for none */
	const char *driver;            /* NULL: the one that fits */
	const char *user;              /* who gets the groups; NULL: nobody */
	bool user_called_sudo;         /* and has not been named */
	uint64_t huge_bytes;           /* in all, or on each of `huge_nodes` */
	bool has_huge_bytes;           /* and they have been asked for */
	uint64_t huge_pages;           /* the same as a number; or SETUP_BY_BYTES */
	const char *huge_nodes;        /* NULL: all */
	bool no_huge, force, json, persistent;
};

/* ---- setup_tree.c: the files of the machine, or of a tree that stands in for it ---- */

/** \param root "" for this machine. \param dry_run print what would be written instead. */
int setup_tree_init(const char *root, bool dry_run);
bool setup_is_tree(void);
bool setup_is_dry_run(void);
/** Puts the path of a file together, "/dev/..." for one. Too long a one is cut, and then missing.
 */
void setup_path(char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Writes a text to a file that is there. \return 0; a negative errno, said. */
int setup_write(const char *path, const char *text);
/** Loads a module of the kernel, if there is such a one. \return 0; a negative errno. */
int setup_try_module(const char *module);
/** Loads a module of the kernel. \return 0; a negative errno, said. */
int setup_load_module(const char *module);
/** Says on standard output what was done, or would be. */
void setup_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Visits the names in a directory, in their order. \return how many; 0 if there is none. */
unsigned setup_each_name(const char *path, void (*fn)(void *ctx, const char *name), void *ctx);
/** \return how many names a directory has. */
unsigned setup_count_names(const char *path);

/* ---- setup_machine.c ---- */

struct setup_function {
	struct udma_pci_function pci;
	char name[32];                      /* the address */
	char override_driver[DRIVER_BYTES]; /* driver_override; "" for none */
	char user[USER_BYTES];              /* who uses it; "" for nobody */
	bool used_by_process;               /* else by the kernel */
	bool has_iommu;                     /* its group is one, and not made up by VFIO */
	char others[GROUP_BYTES];           /* what else is in its group, with drivers */
	/* What setup_config.c has decided. */
	bool wanted, in_mixed_group;
	char driver[DRIVER_BYTES]; /* "" for none */
	bool is_recorded;          /* by this run, and not by an earlier one */
};

struct setup_machine {
	struct setup_function *list;
	unsigned count;
	unsigned groups;
	bool noiommu; /* VFIO has been told to do without an IOMMU */
};

/** Reads what there is. \return an exit status, said. */
int setup_machine_read(struct setup_machine *machine);
void setup_machine_free(struct setup_machine *machine);
/** \return the function at an address; NULL if it is not an I/OAT one. */
struct setup_function *setup_find(const struct setup_machine *machine, const char *name);
/** Visits the members of an IOMMU group. */
void setup_each_member(int group, void (*fn)(void *ctx, const char *name), void *ctx);
/** The driver that a PCI function is bound to, "" for none. */
void setup_driver_of(const char *name, char *driver, size_t size);
/** The driver that alone may take a PCI function, "" for any. */
void setup_read_override(const char *name, char *driver, size_t size);

/* ---- setup_users.c ---- */

/** Finds who uses a function: a process that has it open, or something in the kernel. */
void setup_find_user(struct setup_function *function);

/* ---- setup_journal.c: what was there before, for this boot ---- */

#define JOURNAL "/run/udma/setup.journal"

enum setup_kind { SETUP_FUNCTION, SETUP_PAGES, SETUP_OWNER };

struct setup_record {
	enum setup_kind kind;
	char target[PATH_MAX];     /* an address, a path without the root */
	char first[DRIVER_BYTES];  /* the driver; the number; uid:gid */
	char second[DRIVER_BYTES]; /* the override */
};

/**
 * Reads the journal.
 *
 * \param change lock out other runs; else it is no failure if this user may not read it.
 * \return an exit status, said.
 */
int setup_journal_open(bool change);
void setup_journal_close(void);
/** \return the number of records that a journal of this boot has; -1 if it is of another boot. */
int setup_journal_count(void);
/** \return whether this user may not read it. */
bool setup_journal_is_hidden(void);
/** Removes a journal of another boot. \return 0; a negative errno, said. */
int setup_journal_discard(void);
/** \return a record; NULL behind the last. */
const struct setup_record *setup_journal_record(unsigned i);
/**
 * Keeps what is there now, unless an earlier run has kept what was there before.
 *
 * \return 1 if it is new; 0 if it is known; a negative errno, said.
 */
int setup_journal_keep(const struct setup_record *record);
/** Forgets a record; without any the journal is gone. \return 0; a negative errno, said. */
int setup_journal_forget(const struct setup_record *record);

/* ---- Hugepages ---- */

/* As many as a kernel can be built for. */
#define SETUP_NODES 1024

/** Hugepages that are wanted on a node. */
struct setup_request {
	int node;
	unsigned long count;
};

struct setup_requests {
	unsigned kilobytes; /* a page */
	unsigned long total;
	bool all_nodes; /* list[0] is for each of them */
	struct setup_request list[SETUP_NODES];
	unsigned count;
};

/** What the options ask for. \return an exit status, said. */
int setup_read_requests(const struct setup_options *options, struct setup_requests *requests);

/* ---- setup_bind.c, setup_owner.c, setup_huge.c: making changes ---- */

/** Binds a function to a driver ("" for none), and leaves an override. \return 0; a negative errno,
 * said. */
int setup_bind(const char *name, const char *driver, const char *override_driver);
/** Gives a function the driver that was decided, or leaves it as it is. \return an exit status. */
int setup_change_driver(struct setup_function *function);
/** Gives a function back that setup_change_driver() has changed, because another one of its group
 * could not be. */
void setup_undo_driver(const struct setup_function *function, const struct setup_function *failed);
/** \return STATUS_OK if there is such a user; STATUS_USAGE, said. */
int setup_check_user(const char *user);
/** Where no user is named, it is who called sudo. */
void setup_choose_user(struct setup_options *options);
/** \return whether a function is one that root can give away, once it is set up. */
bool setup_can_give(const struct setup_function *function);
/** Gives the file of a function's group to the user. \return an exit status, said. */
int setup_change_owner(const struct setup_function *function, const struct setup_options *options);
/** \return 0; a negative errno, said. */
int setup_restore_owner(const struct setup_record *record);
/** Makes more hugepages; there are never made fewer. \return an exit status, said. */
int setup_change_pages(const struct setup_requests *requests);
/** \return 0; a negative errno, said. */
int setup_restore_pages(const struct setup_record *record);

/** Hugepages of one size on one node; -1 where nodes are not told apart. */
struct setup_pages {
	int node;
	unsigned kilobytes;
	unsigned long count, free;
};

/** Visits what there is of hugepages. */
void setup_each_pages(void (*fn)(void *ctx, const struct setup_pages *pages), void *ctx);
/* ---- The verbs: each returns an exit status ---- */

/** Refuses options of config that cannot be, before it looks at any channel. \return an exit
 * status, said. */
int setup_check_config(const struct setup_options *options);

int setup_config(const struct setup_options *options);
int setup_reset(const struct setup_options *options);
int setup_status(const struct setup_options *options);
int setup_cleanup(const struct setup_options *options);
/** Prints what would make it last, of what has been decided. */
void setup_print_persistent(const struct setup_machine *machine,
			    const struct setup_options *options,
			    const struct setup_requests *requests);

#endif
