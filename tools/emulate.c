/* SPDX-License-Identifier: BSD-3-Clause */

/* udma emulate: I/OAT functions for anybody, by vfio-user. */

#include "emulate.h"
#include "stop.h"
#include "tool.h"

#include "spdk/string.h"
#include "vfio_user/dma.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STATUS_LINE_MS 500

/* Mappings of the kernel (vm.max_map_count): what it has if it does not say, and what is kept for
 * the process, and for each function beside its client's memory. */
#define USUAL_MAP_COUNT   65530
#define OWN_MAPPINGS      1024
#define FUNCTION_MAPPINGS 128
#define FEWEST_MAPPINGS   16

static const char help[] =
	"udma emulate - serve emulated I/OAT functions over vfio-user\n"
	"\n"
	"Usage: udma emulate [OPTION]... --socket-path=PATH [--socket-path=PATH]...\n"
	"       udma emulate [OPTION]... --fd=N\n"
	"\n"
	"Each socket is a PCI function with one channel, for one client at a time: QEMU, which\n"
	"gives it to a virtual machine, or a program that speaks vfio-user. A client that leaves\n"
	"and comes back finds the function as it was. It stays in the foreground; SIGTERM and\n"
	"Ctrl-C end it. Sockets have mode 0600 and are gone afterwards.\n"
	"\n"
	"Options:\n"
	"  --socket-path=PATH   listen at PATH; as often as there are functions\n"
	"  --fd=N               serve the socket that is open as descriptor N\n"
	"  --generation=NAME    snb, ivb, hsw, bdx, bwd, bdxde, skx (default) or icx, or a device\n"
	"                       id such as 0c50\n"
	"  --interrupts=LIST    what is offered, of msix, msi and intx (default msix,intx)\n"
	"  --polled             let clients map the registers and watch them, instead of hearing\n"
	"                       of each access by a message; without msi and intx\n"
	"  --xfercap=N          log2 of the largest transfer, 12 to 31 (default 20)\n"
	"  --flip=N             spoil one byte in every N-th descriptor\n"
	"  --error=BIT/N        end every N-th descriptor with this bit of CHANERR (0: source\n"
	"                       address, 8: read data, 9: write data, 10: operation, ...)\n"
	"  --fault=FAULT        do wrong what FAULT says, as often as given: KIND[:NAME=VALUE]...\n"
	"                       kinds: error, halt, hang, delay, flip, late-store, early-source,\n"
	"                       lost-word, doubled-word, wrong-word, lost-interrupt,\n"
	"                       spurious-interrupt, reset, ones, removal, config; names: at=N "
	"(the\n"
	"                       N-th descriptor), every=N, random=N (one in N), seed, times,\n"
	"                       source and destination=ADDRESS+LENGTH; for some bit, step (fetch,\n"
	"                       read, write, status, interrupt), us, word or offset\n"
	"  --control            read faults from standard input while serving, one a line:\n"
	"                       [FUNCTION] FAULT, or withdraw for the end of all faults\n"
	"  --json               print each event as one line of JSON\n"
	"  --quiet              print nothing but errors\n"
	"  --help               print this\n"
	"\n"
	"Example:\n"
	"  udma emulate --socket-path=/tmp/ioat.sock &\n"
	"  qemu-system-x86_64 -machine q35,memory-backend=m \\\n"
	"    -object memory-backend-memfd,id=m,size=1G,share=on -m 1G ... \\\n"
	"    -device '{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\n"
	"             \"path\":\"/tmp/ioat.sock\"}}'\n"
	"\n"
	"Exit status: 0 ended by a signal, or the client of --fd has left; 1 failed, also if\n"
	"standard output does not take what is told: at once if it cannot be told that a\n"
	"function is ready; 2 wrong usage.\n";

struct options {
	struct served served[MAX_FUNCTIONS];
	unsigned count;
	const char *generation;
	struct udma_emu_config device;
	struct udma_fault faults[UDMA_FAULTS_MAX];
	unsigned fault_count;
	bool control;
	bool interrupts_given;
	bool polled;
	bool json;
	bool quiet;
	bool help;
};

static int g_stop_fd = -1; /* readable for ever once all shall stop */
static int g_done_fd = -1; /* written to by a function that has ended */
static int g_signal_fd = -1;

/* ---- Options ---- */

static int
add_function(struct options *options, const char *path, int fd)
{
	struct served *served;

	if (options->count == MAX_FUNCTIONS) {
		complain("more than %d functions are not possible in one process", MAX_FUNCTIONS);
		return STATUS_USAGE;
	}
	for (unsigned i = 0; i < options->count; i++) {
		if (path != NULL && options->served[i].path != NULL &&
		    strcmp(path, options->served[i].path) == 0) {
			complain("--socket-path=%s is given twice; each function needs its own",
				 path);
			return STATUS_USAGE;
		}
	}
	served = &options->served[options->count];
	*served = (struct served){.index = options->count, .path = path, .given_fd = fd};
	served->listen_fd = -1;
	options->count++;
	return STATUS_OK;
}

static int
parse_interrupts(const char *text, struct options *options)
{
	static const struct {
		const char *name;
		enum udma_emu_interrupt_kind kind;
	} kinds[] = {{"msix", UDMA_EMU_MSIX}, {"msi", UDMA_EMU_MSI}, {"intx", UDMA_EMU_INTX}};
	char copy[32], *next = copy, *word;

	options->interrupts_given = true;
	options->device.interrupts = 0;
	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&next, ",")) != NULL) {
		unsigned i = 0;

		while (i < 3 && strcmp(word, kinds[i].name) != 0) {
			i++;
		}
		if (i == 3) {
			complain("--interrupts is '%s'; a list of msix, msi and intx is expected",
				 text);
			return STATUS_USAGE;
		}
		options->device.interrupts |= kinds[i].kind;
	}
	return STATUS_OK;
}

/** BIT/N */
static int
parse_error(const char *text, struct udma_emu_config *device)
{
	char copy[32], *slash;
	uint64_t bit, every;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (slash == NULL) {
		complain("--error is '%s'; BIT/N is expected, as in 8/1000", text);
		return STATUS_USAGE;
	}
	*slash = '\0';
	if (option_number("--error", copy, 0, 31, &bit) != STATUS_OK ||
	    option_number("--error", slash + 1, 1, UINT32_MAX, &every) != STATUS_OK) {
		return STATUS_USAGE;
	}
	device->error = 1u << bit;
	device->error_every = (uint32_t)every;
	return STATUS_OK;
}

static int
add_fault(const char *text, struct options *options)
{
	if (options->fault_count == UDMA_FAULTS_MAX) {
		complain("more than %d faults are not possible", UDMA_FAULTS_MAX);
		return STATUS_USAGE;
	}
	return emulate_fault("--fault", text, &options->faults[options->fault_count++]) == 0
		       ? STATUS_OK
		       : STATUS_USAGE;
}

enum option_id {
	OPTION_SOCKET_PATH = 256,
	OPTION_FD,
	OPTION_GENERATION,
	OPTION_INTERRUPTS,
	OPTION_POLLED,
	OPTION_XFERCAP,
	OPTION_FLIP,
	OPTION_ERROR,
	OPTION_FAULT,
	OPTION_CONTROL,
	OPTION_JSON,
	OPTION_QUIET,
	OPTION_HELP,
};

/** One option with a value. */
static int
parse_value(int option, const char *value, struct options *options)
{
	uint64_t number = 0;
	int status;

	switch (option) {
	case OPTION_SOCKET_PATH:
		return add_function(options, value, -1);
	case OPTION_FD:
		status = option_number("--fd", value, 0, INT32_MAX, &number);
		return status != STATUS_OK ? status : add_function(options, NULL, (int)number);
	case OPTION_GENERATION:
		options->generation = value;
		if (udma_emu_device_id(value, 0) == 0) {
			complain("--generation is '%s'; snb, ivb, hsw, bdx, bwd, bdxde, skx, icx "
				 "or a device id such as 0c50 is expected",
				 value);
			return STATUS_USAGE;
		}
		return STATUS_OK;
	case OPTION_INTERRUPTS:
		return parse_interrupts(value, options);
	case OPTION_XFERCAP:
		status = option_number("--xfercap", value, 12, 31, &number);
		options->device.xfercap = (uint8_t)number;
		return status;
	case OPTION_FLIP:
		status = option_number("--flip", value, 0, UINT32_MAX, &number);
		options->device.flip_every = (uint32_t)number;
		return status;
	case OPTION_FAULT:
		return add_fault(value, options);
	default:
		return parse_error(value, &options->device);
	}
}

static int
check_options(struct options *options, int operands)
{
	unsigned given = 0;

	if (operands > 0) {
		complain("there are no operands; sockets are named by --socket-path=PATH");
		return STATUS_USAGE;
	}
	for (unsigned i = 0; i < options->count; i++) {
		given += options->served[i].path == NULL;
	}
	if (options->count == 0 || (given > 0 && options->count > 1)) {
		complain(options->count == 0
				 ? "a socket is missing: --socket-path=PATH; --help explains it"
				 : "--fd is for one function, and not together with --socket-path");
		return STATUS_USAGE;
	}
	if (!options->interrupts_given) {
		options->device.interrupts =
			options->polled ? UDMA_EMU_MSIX : UDMA_EMU_MSIX | UDMA_EMU_INTX;
	}
	/* Their status register clears when it is read, which a memory does not. */
	if (options->polled && (options->device.interrupts & ~(uint32_t)UDMA_EMU_MSIX) != 0) {
		complain("--polled goes with --interrupts=msix only");
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

static int
parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"socket-path", required_argument, NULL, OPTION_SOCKET_PATH},
		{"fd", required_argument, NULL, OPTION_FD},
		{"generation", required_argument, NULL, OPTION_GENERATION},
		{"interrupts", required_argument, NULL, OPTION_INTERRUPTS},
		{"polled", no_argument, NULL, OPTION_POLLED},
		{"xfercap", required_argument, NULL, OPTION_XFERCAP},
		{"flip", required_argument, NULL, OPTION_FLIP},
		{"error", required_argument, NULL, OPTION_ERROR},
		{"fault", required_argument, NULL, OPTION_FAULT},
		{"control", no_argument, NULL, OPTION_CONTROL},
		{"json", no_argument, NULL, OPTION_JSON},
		{"quiet", no_argument, NULL, OPTION_QUIET},
		{"help", no_argument, NULL, OPTION_HELP},
		{NULL, 0, NULL, 0},
	};
	int option, status = STATUS_OK;

	while (status == STATUS_OK && (option = getopt_long(argc, argv, "hq", known, NULL)) != -1) {
		switch (option) {
		case OPTION_POLLED:
			options->polled = true;
			break;
		case OPTION_CONTROL:
			options->control = true;
			break;
		case OPTION_JSON:
			options->json = true;
			break;
		case OPTION_QUIET:
		case 'q':
			options->quiet = true;
			break;
		case OPTION_HELP:
		case 'h':
			options->help = true;
			return STATUS_OK;
		case '?':
		case ':':
			return bad_option(argv);
		default:
			status = parse_value(option, optarg, options);
			break;
		}
	}
	return status != STATUS_OK ? status : check_options(options, argc - optind);
}

/* ---- Serving ---- */

static void *
serve(void *arg)
{
	struct served *served = arg;
	const uint64_t one = 1;

	served->result =
		udma_vu_server_run(served->server, served->listen_fd, served->client_fd, g_stop_fd);
	(void)!write(g_done_fd, &one, sizeof(one));
	return NULL;
}

/**
 * How many mappings a function may make: the kernel has a limit for all of the process together,
 * and no client may take what another one, or the process itself, is in need of.
 */
static unsigned
share_of_mappings(unsigned functions)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	long limit;

	if (file == NULL || fscanf(file, "%ld", &limit) != 1) {
		limit = USUAL_MAP_COUNT;
	}
	if (file != NULL) {
		fclose(file);
	}
	limit = (limit - OWN_MAPPINGS) / (long)functions - FUNCTION_MAPPINGS;
	return limit > FEWEST_MAPPINGS ? (unsigned)limit : FEWEST_MAPPINGS;
}

static int
create(struct options *options, struct served *served)
{
	struct udma_vu_server_options server = {
		.device = options->device,
		.faults = options->faults,
		.fault_count = options->fault_count,
		.polled = options->polled,
		.max_mappings = share_of_mappings(options->count),
		.event = emulate_report_event,
		.ctx = served,
	};

	server.device.device_id = udma_emu_device_id(options->generation, served->index);
	server.device.seed = served->index;
	served->server = udma_vu_server_create(&server);
	if (served->server == NULL) {
		complain("cannot make function %u: %s", served->index, spdk_strerror(errno));
		return -errno;
	}
	return emulate_socket_open(served);
}

static int
start(struct options *options, struct served *served)
{
	int rc;

	/* Before anybody can connect: what is told of a function begins with this. */
	emulate_report_ready(served, udma_emu_device_id(options->generation, served->index));
	/* Whoever follows the lines would wait for it for ever. */
	rc = emulate_report_check();
	if (rc == 0) {
		rc = stop_start_thread(&served->thread, "udma-function", serve, served);
	}
	if (rc != 0) {
		return rc;
	}
	served->running = true;
	return 0;
}

/** Waits for a signal, or until every function has ended by itself. */
static void
wait_for_end(struct options *options)
{
	struct pollfd fds[] = {
		{.fd = g_done_fd, .events = POLLIN},
		{.fd = options->control ? STDIN_FILENO : -1, .events = POLLIN},
		{.fd = g_signal_fd, .events = POLLIN},
	};
	int timeout = terminal_width(stderr) > 0 ? STATUS_LINE_MS : -1;
	uint64_t ended = 0, more;

	while (ended < options->count && fds[2].revents == 0) {
		emulate_report_status(options->served, options->count);
		if (poll(fds, 3, timeout) <= 0) {
			continue;
		}
		if (fds[1].revents != 0 && !emulate_control(options->served, options->count)) {
			fds[1].fd = -1; /* its end; the functions are served on */
		}
		if (fds[0].revents != 0 && read(g_done_fd, &more, sizeof(more)) > 0) {
			ended += more;
		}
	}
}

static int
serve_all(struct options *options)
{
	const uint64_t one = 1;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < options->count; i++) {
		rc = create(options, &options->served[i]);
	}
	for (unsigned i = 0; rc == 0 && i < options->count; i++) {
		rc = start(options, &options->served[i]);
	}
	if (rc == 0) {
		wait_for_end(options);
	}
	(void)!write(g_stop_fd, &one, sizeof(one));
	for (unsigned i = 0; i < options->count; i++) {
		if (options->served[i].running) {
			pthread_join(options->served[i].thread, NULL);
			rc = rc == 0 ? options->served[i].result : rc;
		}
	}
	return rc;
}

static void
clean_up(struct options *options)
{
	for (unsigned i = 0; i < options->count; i++) {
		emulate_socket_close(&options->served[i]);
		if (options->served[i].server != NULL) {
			udma_vu_server_destroy(options->served[i].server);
		}
	}
	close(g_stop_fd);
	close(g_done_fd);
	close(g_signal_fd);
}

int
emulate_main(int argc, char **argv)
{
	static struct options options = {.generation = "skx"};
	int status = parse(argc, argv, &options), rc;

	if (status != STATUS_OK) {
		return status;
	}
	if (options.help) {
		fputs(help, stdout);
		return STATUS_OK;
	}
	g_signal_fd = stop_open_signals();
	emulate_report_init(options.json, options.quiet);
	g_stop_fd = eventfd(0, EFD_CLOEXEC);
	g_done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = udma_vu_dma_guard_process();
	rc = g_signal_fd < 0 ? g_signal_fd : rc;
	if (g_stop_fd < 0 || g_done_fd < 0 || rc != 0) {
		complain("cannot prepare: %s", spdk_strerror(rc != 0 ? -rc : errno));
		return STATUS_FAILED;
	}
	rc = serve_all(&options);
	if (rc == 0) {
		emulate_report_end(options.served, options.count);
		rc = emulate_report_check();
	}
	clean_up(&options);
	return rc == 0 ? STATUS_OK : STATUS_FAILED;
}
