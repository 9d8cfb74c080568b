/* SPDX-License-Identifier: BSD-3-Clause */

/* The program udma: finds the subcommand and hands over to it. */

#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#define NAMES_BYTES  256
#define PREFIX_BYTES 32

/* All there is to say of a subcommand outside its own files: one line each. */
static const struct subcommand {
	const char *name;
	const char *arguments;
	const char *summary;
	int (*main)(int argc, char **argv);
} subcommands[] = {
	{"list", "[OPTION]...", "list the I/OAT channels of this machine", list_main},
	{"copy", "[OPTION]... SRC DST", "copy a file through I/OAT channels", copy_main},
	{"verify", "[OPTION]...", "check what channels do against the CPU", verify_main},
	{"perf", "[OPTION]...", "measure channels, and the CPU beside them", perf_main},
	{"setup", "VERB [OPTION]...", "prepare this machine's channels for user space", setup_main},
	{"emulate", "[OPTION]...", "serve emulated channels over vfio-user", emulate_main},
};

#define SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static void
print_help(void)
{
	puts("udma - copy with the DMA engine of the processor (Intel I/OAT), from user space\n"
	     "\n"
	     "Usage:");
	for (size_t i = 0; i < SUBCOMMANDS; i++) {
		printf("  udma %-7s %-20s  %s\n", subcommands[i].name, subcommands[i].arguments,
		       subcommands[i].summary);
	}
	printf("  udma %-28s  %s\n", "COMMAND --help", "options of a command, and an example");
	puts("  udma --help | --version\n"
	     "\n"
	     "Without the hardware, --emulate makes emulated channels in the process.\n"
	     "\n"
	     "Example:\n"
	     "  udma copy --emulate /usr/bin/gdb /tmp/gdb\n"
	     "\n"
	     "Exit status: 0 fine; 1 failed; 2 wrong usage, or no device.");
}

/** Writes "a, b and c". \param last stands before the last one (" and "). \return `text`. */
static const char *
names(const char *last, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < SUBCOMMANDS && used < size; i++) {
		const char *before = i == 0 ? "" : i + 1 < SUBCOMMANDS ? ", " : last;

		used += (size_t)snprintf(text + used, size - used, "%s%s", before,
					 subcommands[i].name);
	}
	return text;
}

static const struct subcommand *
find(const char *name)
{
	for (size_t i = 0; i < SUBCOMMANDS; i++) {
		if (strcmp(subcommands[i].name, name) == 0) {
			return &subcommands[i];
		}
	}
	return NULL;
}

/** \return STATUS_USAGE. */
static int
no_command(const char *name)
{
	char text[NAMES_BYTES];

	complain("there is no %s '%s'; the commands are %s; 'udma --help' explains them",
		 name[0] == '-' ? "option" : "command", name, names(" and ", text, sizeof(text)));
	return STATUS_USAGE;
}

static bool
asks_for_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/** \return an exit status, said. */
static int
help_on(char *name)
{
	static char option[] = "--help";
	char *as_option[] = {name, option, NULL};
	const struct subcommand *command = find(name);

	return command != NULL ? command->main(2, as_option) : no_command(name);
}

static int
dispatch(int argc, char **argv)
{
	static char prefix[PREFIX_BYTES];
	const struct subcommand *command;
	char text[NAMES_BYTES];

	if (argc < 2) {
		complain("a command is missing: %s; 'udma --help' explains them",
			 names(" or ", text, sizeof(text)));
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 && argc > 2 && !asks_for_help(argv[2])) {
		return help_on(argv[2]);
	}
	if (asks_for_help(argv[1])) {
		print_help();
		return STATUS_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("udma " UDMA_VERSION);
		return STATUS_OK;
	}
	command = find(argv[1]);
	if (command == NULL) {
		return no_command(argv[1]);
	}
	snprintf(prefix, sizeof(prefix), "udma %s", command->name);
	message_init(prefix);
	opterr = 0;
	return command->main(argc - 1, argv + 1);
}

/**
 * A file that is opened must not become standard output or error because those are closed: what is
 * printed would end up in it. The stand-ins fail as closed ones would.
 */
static void
occupy_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) {
			return;
		}
	}
}

int
main(int argc, char **argv)
{
	int status;

	occupy_standard_descriptors();
	message_init("udma");
	status = dispatch(argc, argv);
	/* What was asked for has not been given if it did not get out. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == STATUS_OK) {
		complain("cannot write to standard output: %s", strerror(errno));
		status = STATUS_FAILED;
	}
	return status;
}
