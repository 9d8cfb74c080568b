/* SPDX-License-Identifier: BSD-3-Clause */

/* The program udma: finds the subcommand and hands over to it. */

#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"udma - copy with the DMA engine of the processor (Intel I/OAT), from user space\n"
	"\n"
	"Usage:\n"
	"  udma list [OPTION]...           list the I/OAT channels of this machine\n"
	"  udma copy [OPTION]... SRC DST   copy a file through an I/OAT channel\n"
	"  udma perf [OPTION]...           measure I/OAT channels, and the CPU beside them\n"
	"  udma COMMAND --help             options of a command, and an example\n"
	"  udma --help | --version\n"
	"\n"
	"Without the hardware, --emulate makes emulated channels in the process.\n"
	"\n"
	"Example:\n"
	"  udma copy --emulate /usr/bin/gdb /tmp/gdb\n"
	"\n"
	"Exit status: 0 fine; 1 failed; 2 wrong usage, or no device.\n";

static const struct subcommand {
	const char *name;
	const char *prefix;
	int (*main)(int argc, char **argv);
} subcommands[] = {
	{"list", "udma list", list_main},
	{"copy", "udma copy", copy_main},
	{"perf", "udma perf", perf_main},
};

static const struct subcommand *
find(const char *name)
{
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (strcmp(subcommands[i].name, name) == 0) {
			return &subcommands[i];
		}
	}
	return NULL;
}

int
bad_option(char **argv)
{
	complain("option '%s' is not understood; --help lists those that are", argv[optind - 1]);
	return STATUS_USAGE;
}

static int
dispatch(int argc, char **argv)
{
	const struct subcommand *command;

	if (argc < 2) {
		complain("a command is missing: list, copy or perf; 'udma --help' explains them");
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 && argc == 3 && find(argv[2]) != NULL) {
		static char option[] = "--help";
		char *as_option[] = {argv[2], option, NULL};

		return find(argv[2])->main(2, as_option);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		fputs(help, stdout);
		return STATUS_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("udma " UDMA_VERSION);
		return STATUS_OK;
	}
	command = find(argv[1]);
	if (command == NULL) {
		complain("there is no %s '%s'; the commands are list, copy and perf; 'udma "
			 "--help' explains them",
			 argv[1][0] == '-' ? "option" : "command", argv[1]);
		return STATUS_USAGE;
	}
	message_init(command->prefix);
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
