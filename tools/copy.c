/* SPDX-License-Identifier: BSD-3-Clause */

/* udma copy: options, and the order of events. */

#include "copy.h"
#include "checksum.h"
#include "progress.h"
#include "stop.h"
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES ((size_t)1 << 20)

static const char help[] =
	"udma copy - copy a file through I/OAT channels\n"
	"\n"
	"Usage: udma copy [OPTION]... SRC DST\n"
	"\n"
	"SRC and DST are files, block devices, pipes, or - for standard input and output. DST may\n"
	"be a directory. Holes in SRC stay holes. A file gets its name only when it is complete\n"
	"and has been read back: after an error, or Ctrl-C, DST is as it was. What SRC has at the\n"
	"start is copied: if it grows, up to its old end; if it shrinks, that is an error. A new\n"
	"DST has the permissions of SRC; one that was there keeps its own, and is replaced, so\n"
	"that other hard links to it keep the old contents. After kill -9 an unfinished\n"
	".udma-copy-XXXXXX stays beside DST.\n"
	"\n"
	"Options:\n"
	"  --channels=N       use N channels in turn (default 1)\n"
	"  --emulate[=N[,OPTION=VALUE]...]\n"
	"                     use emulated channels in this process (N: as many as "
	"--channels);\n" HELP_EMULATE_OPTIONS
	"  --numa=N           use channels of NUMA node N only\n"
	"  --no-verify        do not read DST back\n"
	"  --json             print the result as JSON\n"
	"  --quiet            print nothing but errors, also with --json\n"
	"  --help             print this\n"
	"\n"
	"The result goes to standard output, or to standard error if DST is -. After an error\n"
	"there is none, with --json neither: the exit status tells.\n"
	"\n"
	"Example:\n"
	"  udma copy --emulate=2 --channels=2 disk.img /mnt/backup/\n"
	"\n"
	"Exit status: 0 fine; 1 failed; 2 wrong usage, or no device; 130 after Ctrl-C (128 + n\n"
	"after signal n).\n";

struct options {
	struct copy_job job;
	const char *source;
	const char *destination;
	const char *emulate; /* NULL: not asked for; "": without a value */
	uint64_t channels;
	bool help;
};

enum option_id {
	OPTION_CHANNELS = 256,
	OPTION_EMULATE,
	OPTION_JSON,
	OPTION_NO_VERIFY,
	OPTION_NUMA,
	OPTION_QUIET,
	OPTION_HELP,
};

static int
parse_operands(int count, char **operands, struct options *options)
{
	if (count == 2) {
		options->source = operands[0];
		options->destination = operands[1];
		return STATUS_OK;
	}
	if (count > 2) {
		complain("%d names given, but one SRC and one DST are expected%s", count,
			 options->emulate != NULL && options->emulate[0] == '\0'
				 ? " (a value of --emulate follows after '=')"
				 : "");
	} else {
		complain("%s missing: udma copy SRC DST; --help explains them",
			 count == 0 ? "SRC and DST are" : "DST is");
	}
	return STATUS_USAGE;
}

static int
parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"channels", required_argument, NULL, OPTION_CHANNELS},
		{"emulate", optional_argument, NULL, OPTION_EMULATE},
		{"json", no_argument, NULL, OPTION_JSON},
		{"no-verify", no_argument, NULL, OPTION_NO_VERIFY},
		{"numa", required_argument, NULL, OPTION_NUMA},
		{"quiet", no_argument, NULL, OPTION_QUIET},
		{"help", no_argument, NULL, OPTION_HELP},
		{NULL, 0, NULL, 0},
	};
	int option, status;

	while ((option = getopt_long(argc, argv, "hq", known, NULL)) != -1) {
		switch (option) {
		case OPTION_CHANNELS:
			status = option_number("--channels", optarg, 1, MAX_CHANNELS,
					       &options->channels);
			if (status != STATUS_OK) {
				return status;
			}
			break;
		case OPTION_EMULATE:
			options->emulate = optarg != NULL ? optarg : "";
			break;
		case OPTION_JSON:
			options->job.json = true;
			break;
		case OPTION_NO_VERIFY:
			options->job.verify = false;
			break;
		case OPTION_NUMA:
			status = device_choose_numa(optarg);
			if (status != STATUS_OK) {
				return status;
			}
			break;
		case OPTION_QUIET:
		case 'q':
			options->job.quiet = true;
			break;
		case OPTION_HELP:
		case 'h':
			options->help = true;
			return STATUS_OK;
		default:
			return bad_option(argv);
		}
	}
	return parse_operands(argc - optind, argv + optind, options);
}

/** Reads the destination back. \return 0; a negative errno, said. */
static int
read_back(const struct destination *destination, struct copy_job *job)
{
	struct source back;
	struct piece piece;
	uint32_t crc = 0;
	uint8_t *buffer;
	int rc;

	if (!job->verify || destination->kind == FILE_STREAM) {
		return 0;
	}
	buffer = malloc(READ_BYTES);
	if (buffer == NULL) {
		complain("no memory to read '%s' back", destination->path);
		return -ENOMEM;
	}
	source_of_file(&back, destination->path, destination->fd, destination->kind,
		       job->result.bytes);
	if (!job->quiet) {
		progress_start("verify", job->result.bytes);
	}
	while ((rc = source_next(&back, buffer, READ_BYTES, &piece)) > 0 && !stop_requested()) {
		crc = piece.is_hole ? checksum_append_zeroes(crc, piece.length)
				    : checksum_append(crc, checksum_of(buffer, piece.length),
						      piece.length);
		progress_update(back.position);
	}
	progress_end();
	free(buffer);
	if (rc != 0) {
		return rc < 0 ? rc : -EINTR;
	}
	job->was_read_back = true;
	job->result.destination_crc = crc;
	if (crc != job->result.source_crc) {
		complain("'%s' reads back with checksum %08x, '%s' has %08x: what was written is "
			 "not what is there; check the disk",
			 destination->path, crc, job->source->name, job->result.source_crc);
		return -EIO;
	}
	return 0;
}

static int
transfer(struct copy_job *job)
{
	double start = seconds_now();
	int rc;

	if (!job->quiet) {
		progress_start("copy", job->source->size);
	}
	rc = pipeline_run(job->source, job->destination, job->channels, &job->result);
	if (rc == 0) {
		rc = destination_complete(job->destination);
	}
	job->seconds = seconds_now() - start;
	progress_end();
	if (rc == 0) {
		rc = read_back(job->destination, job);
	}
	/* The last moment at which a signal leaves the destination as it was. */
	if (rc == 0 && stop_requested()) {
		rc = -EINTR;
	}
	return rc == 0 ? destination_commit(job->destination) : rc;
}

/** What a copy that came to nothing leaves behind, where that is not nothing. */
static void
tell_of_remains(const struct copy_job *job)
{
	const struct destination *destination = job->destination;

	if (stop_signal() != 0) {
		const char *name = strsignal(stop_signal());

		if (destination->kind == FILE_REGULAR) {
			complain("stopped by signal %d (%s); '%s' is as it was", stop_signal(),
				 name, destination->path);
		} else {
			complain("stopped by signal %d (%s)", stop_signal(), name);
		}
	}
	if (destination->kind == FILE_BLOCK && destination->written > 0) {
		complain("'%s' is overwritten in part: %llu bytes from its beginning",
			 destination->path, (unsigned long long)destination->written);
	}
}

static int
copy_with(struct copy_job *job, const char *source_name, const char *destination_name)
{
	struct destination destination;
	struct source source;
	int rc;

	if (source_open(&source, source_name) != 0) {
		return STATUS_FAILED;
	}
	job->source = &source;
	if (destination_open(&destination, destination_name, &source) != 0) {
		source_close(&source);
		return STATUS_FAILED;
	}
	job->destination = &destination;
	rc = transfer(job);
	if (rc == 0 && !job->quiet) {
		copy_report(job);
	} else if (rc != 0) {
		tell_of_remains(job);
	}
	destination_close(&destination);
	source_close(&source);
	return rc == 0 ? STATUS_OK : STATUS_FAILED;
}

int
copy_main(int argc, char **argv)
{
	struct options options = {.job.verify = true, .channels = 1};
	static struct channels channels;
	int status = parse(argc, argv, &options);

	if (status != STATUS_OK) {
		return status;
	}
	if (options.help) {
		fputs(help, stdout);
		return STATUS_OK;
	}
	if (options.emulate != NULL) {
		device_emulate_channels(options.emulate, (unsigned)options.channels);
	}
	stop_catch_signals();
	status = channels_open(&channels, (unsigned)options.channels);
	if (status == STATUS_OK) {
		options.job.channels = &channels;
		status = copy_with(&options.job, options.source, options.destination);
		channels_close(&channels);
	}
	return status != STATUS_OK && stop_signal() != 0 ? STATUS_SIGNAL + stop_signal() : status;
}
