/* SPDX-License-Identifier: BSD-3-Clause */

/* udma setup: its options, and which verb gets them. */

#include "setup.h"
#include "tool.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#define USUAL_HUGE_BYTES ((uint64_t)2 << 30)
#define MOST_HUGE_BYTES  ((uint64_t)1 << 50)

static const char help[] =
	"udma setup - prepare this machine's I/OAT channels for user space\n"
	"\n"
	"Usage: udma setup VERB [OPTION]...\n"
	"\n"
	"  config   bind the channels to a driver for user space, and make hugepages\n"
	"  reset    restore what was there before: drivers, hugepages, owners\n"
	"  status   show channels, drivers, IOMMU groups, hugepages and limits\n"
	"  cleanup  remove files that ended processes and earlier boots have left\n"
	"\n"
	"The driver is vfio-pci where there is an IOMMU, uio_pci_generic elsewhere. Nothing but\n"
	"I/OAT functions is touched, and none that the kernel or a process uses. What a failed "
	"step\n"
	"has changed is put back. " JOURNAL " has what was there before, for reset;\n"
	"it counts until the next boot.\n"
	"\n"
	"Options:\n"
	"  --allow=ADDR[,ADDR]...  these channels only; none: hugepages alone\n"
	"  --block=ADDR[,ADDR]...  not these channels\n"
	"  --driver=NAME           bind to this driver: vfio-pci, uio_pci_generic, igb_uio, or\n"
	"                          another one for UIO; none: take the driver away, and no more\n"
	"  --user=NAME             give the channels to a user (vfio-pci with an IOMMU); default:\n"
	"                          who called sudo, and else they stay root's\n"
	"  --huge-mem=SIZE         hugepages, of 2M each, in all (default 2G), or on each of\n"
	"                          --huge-nodes; K, M, G or T may follow the number\n"
	"  --huge-pages=N          in place of it, a number of pages; 0: none are made\n"
	"  --huge-nodes=LIST       on these NUMA nodes: 0,1 or nodes_hp[0]=512,nodes_hp[1]=64\n"
	"  --no-huge               leave hugepages alone\n"
	"  --force                 also take channels that the kernel uses: it may crash where a\n"
	"                          copy is under way\n"
	"  --persistent            print the files that do what config does after each boot\n"
	"  --dry-run               print each write, and write nothing\n"
	"  --json                  print the status as an object\n"
	"  --root=DIR              a tree of files instead of this machine, for trying out: what\n"
	"                          is read below /sys and /proc; /run/udma is made in it\n"
	"  --help                  print this\n"
	"\n"
	"Example:\n"
	"  sudo udma setup config --no-huge\n"
	"\n"
	"Exit status: 0 fine; 1 failed, or a channel was left; 2 wrong usage, or no device.\n";

static const struct verb {
	const char *name;
	int (*main)(const struct setup_options *options);
	bool changes;
} verbs[] = {
	{"config", setup_config, true},
	{"reset", setup_reset, true},
	{"status", setup_status, false},
	{"cleanup", setup_cleanup, true},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

enum option_id {
	OPTION_ALLOW = 256,
	OPTION_BLOCK,
	OPTION_DRIVER,
	OPTION_DRY_RUN,
	OPTION_FORCE,
	OPTION_HELP,
	OPTION_HUGE_MEM,
	OPTION_HUGE_NODES,
	OPTION_HUGE_PAGES,
	OPTION_JSON,
	OPTION_NO_HUGE,
	OPTION_PERSISTENT,
	OPTION_ROOT,
	OPTION_USER,
};

/** The name becomes part of a path. */
static int
check_driver(const char *name)
{
	size_t length = strlen(name);
	bool is_plain = length > 0 && length < DRIVER_BYTES && name[0] != '-';

	for (size_t i = 0; i < length; i++) {
		is_plain = is_plain &&
			   (isalnum((unsigned char)name[i]) || name[i] == '_' || name[i] == '-');
	}
	if (is_plain) {
		return STATUS_OK;
	}
	if (strchr(name, '/') != NULL) {
		complain("--driver is '%s', a file; the name of a driver is expected: vfio-pci, "
			 "uio_pci_generic, another one for UIO that is loaded (insmod loads a "
			 "file), or " SETUP_NO_DRIVER,
			 name);
	} else {
		complain("--driver is '%s'; the name of a driver is expected, such as vfio-pci or "
			 "uio_pci_generic",
			 name);
	}
	return STATUS_USAGE;
}

struct command {
	struct setup_options options;
	const char *root;
	bool dry_run, help;
};

/** \return an exit status. */
static int
take_value(int option, const char *value, struct setup_options *options)
{
	switch (option) {
	case OPTION_ALLOW:
		options->allowed = value;
		return STATUS_OK;
	case OPTION_BLOCK:
		options->blocked = value;
		return STATUS_OK;
	case OPTION_DRIVER:
		options->driver = value;
		return check_driver(value);
	case OPTION_HUGE_MEM:
		options->has_huge_bytes = true;
		return option_size("--huge-mem", value, 0, MOST_HUGE_BYTES, &options->huge_bytes);
	case OPTION_HUGE_NODES:
		options->huge_nodes = value;
		return STATUS_OK;
	case OPTION_HUGE_PAGES:
		return option_number("--huge-pages", value, 0, MOST_HUGE_BYTES >> 12,
				     &options->huge_pages);
	default:
		options->user = value;
		return STATUS_OK;
	}
}

static int
take_option(int option, char **argv, struct command *command)
{
	switch (option) {
	case OPTION_DRY_RUN:
		command->dry_run = true;
		return STATUS_OK;
	case OPTION_FORCE:
		command->options.force = true;
		return STATUS_OK;
	case OPTION_JSON:
		command->options.json = true;
		return STATUS_OK;
	case OPTION_NO_HUGE:
		command->options.no_huge = true;
		return STATUS_OK;
	case OPTION_PERSISTENT:
		command->options.persistent = true;
		return STATUS_OK;
	case OPTION_ROOT:
		command->root = optarg;
		return STATUS_OK;
	case OPTION_HELP:
	case 'h':
		command->help = true;
		return STATUS_OK;
	case '?':
		return bad_option(argv);
	default:
		return take_value(option, optarg, &command->options);
	}
}

static const struct verb *
find_verb(int argc, char **argv)
{
	for (size_t i = 0; i < VERBS && optind + 1 == argc; i++) {
		if (strcmp(argv[optind], verbs[i].name) == 0) {
			return &verbs[i];
		}
	}
	if (optind == argc) {
		complain("a verb is missing: config, reset, status or cleanup; --help explains "
			 "them");
	} else {
		complain("'%s' is not expected; one verb is: config, reset, status or cleanup",
			 argv[optind + 1 < argc ? optind + 1 : optind]);
	}
	return NULL;
}

/** \return an exit status, said. */
static int
check_options(const struct verb *verb, const struct setup_options *options)
{
	bool is_status = verb->main == setup_status, is_config = verb->main == setup_config;

	if (options->json && !is_status) {
		complain("--json is for status: 'udma setup status --json'");
		return STATUS_USAGE;
	}
	if (options->persistent && !is_config) {
		complain("--persistent is for config: 'udma setup config --persistent'");
		return STATUS_USAGE;
	}
	if (options->persistent && options->driver != NULL &&
	    strcmp(options->driver, SETUP_NO_DRIVER) == 0) {
		complain("--persistent and --driver=" SETUP_NO_DRIVER " do not go together: there "
			 "is no driver to bind to after each boot");
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

static int
run(const struct verb *verb, const struct command *command)
{
	int status = check_options(verb, &command->options);

	if (status == STATUS_OK) {
		status = setup_tree_init(command->root, command->dry_run);
	}
	if (status == STATUS_OK && verb->main == setup_config) {
		status = setup_check_config(&command->options);
	}
	if (status != STATUS_OK) {
		return status;
	}
	if (verb->changes && !command->dry_run && !command->options.persistent &&
	    !setup_is_tree() && geteuid() != 0) {
		complain("%s changes the machine, which takes root: sudo udma setup %s; --dry-run "
			 "shows what it would do",
			 verb->name, verb->name);
		return STATUS_FAILED;
	}
	status = verb->main(&command->options);
	if (command->dry_run && verb->changes && status != STATUS_USAGE) {
		setup_say("dry run: nothing was changed");
	}
	return status;
}

int
setup_main(int argc, char **argv)
{
	static const struct option known[] = {
		{"allow", required_argument, NULL, OPTION_ALLOW},
		{"block", required_argument, NULL, OPTION_BLOCK},
		{"driver", required_argument, NULL, OPTION_DRIVER},
		{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
		{"force", no_argument, NULL, OPTION_FORCE},
		{"help", no_argument, NULL, OPTION_HELP},
		{"huge-mem", required_argument, NULL, OPTION_HUGE_MEM},
		{"huge-nodes", required_argument, NULL, OPTION_HUGE_NODES},
		{"huge-pages", required_argument, NULL, OPTION_HUGE_PAGES},
		{"json", no_argument, NULL, OPTION_JSON},
		{"no-huge", no_argument, NULL, OPTION_NO_HUGE},
		{"persistent", no_argument, NULL, OPTION_PERSISTENT},
		{"root", required_argument, NULL, OPTION_ROOT},
		{"user", required_argument, NULL, OPTION_USER},
		{NULL, 0, NULL, 0},
	};
	struct command command = {
		.options = {.huge_bytes = USUAL_HUGE_BYTES, .huge_pages = SETUP_BY_BYTES},
		.root = "",
	};
	const struct verb *verb;
	int option, status;

	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		status = take_option(option, argv, &command);
		if (status != STATUS_OK) {
			return status;
		}
	}
	if (command.help) {
		fputs(help, stdout);
		return STATUS_OK;
	}
	setup_choose_user(&command.options);
	verb = find_verb(argc, argv);
	return verb != NULL ? run(verb, &command) : STATUS_USAGE;
}
