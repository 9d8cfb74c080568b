/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What every subcommand of udma has in common.
 */

#ifndef UDMA_TOOL_H
#define UDMA_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** Exit statuses, as --help names them. After a signal it is 128 + its number. */
enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2, /* wrong usage, or no device */
	STATUS_SIGNAL = 128,
};

/* The subcommands: each parses its own options and returns an exit status. */
int list_main(int argc, char **argv);
int copy_main(int argc, char **argv);
int emulate_main(int argc, char **argv);
int perf_main(int argc, char **argv);
int setup_main(int argc, char **argv);
int verify_main(int argc, char **argv);

/* option.c */

/** Says that getopt_long() did not understand an option. \return STATUS_USAGE. */
int bad_option(char **argv);
/**
 * Reads the value of an option that is a number.
 *
 * \param option its name ("--channels"). \return STATUS_OK; STATUS_USAGE, said.
 */
int option_number(const char *option, const char *text, uint64_t min, uint64_t max,
		  uint64_t *number);
/** As option_number(), of bytes: K, M, G or T may follow the number ("64K"). */
int option_size(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *bytes);

/* message.c */

/** Sets what stands before error lines ("udma copy"), and routes the library's log lines here. */
void message_init(const char *command);
/** Prints one error line: what was attempted, the cause, the way out. From any thread. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Replaces what a terminal might obey: a name may hold anything. */
void make_printable(char *text);
/** Prints a text, made printable. */
void print_printable(FILE *stream, const char *text);

/* terminal.c */

/** \return the columns of the terminal that `stream` is, 0 if it is none. */
unsigned terminal_width(FILE *stream);
/** Prints a line; on a terminal that is too narrow for it, it is broken between words. */
void print_wrapped(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
