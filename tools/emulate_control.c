/* SPDX-License-Identifier: BSD-3-Clause */

/* Faults while udma emulate serves: a line of standard input each. */

#include "emulate.h"
#include "tool.h"

#include "spdk/string.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 512
#define WITHDRAW   "withdraw"

static struct {
	char line[LINE_BYTES];
	size_t used;
	bool too_long; /* its beginning has been thrown away */
} g_input;

int
emulate_fault(const char *what, const char *text, struct udma_fault *fault)
{
	char why[UDMA_FAULT_WHY_SIZE];
	int rc = udma_fault_parse(text, fault, why, sizeof(why));

	if (rc != 0) {
		complain("%s is '%s': %s", what, text, why);
	}
	return rc;
}

/** One function, or all. */
static void
inject(struct served *list, unsigned count, const struct udma_fault *fault, const char *text)
{
	for (unsigned i = 0; i < count; i++) {
		int rc = udma_vu_server_inject(list[i].server, fault);

		if (rc == 0) {
			emulate_report_fault(&list[i], fault != NULL ? text : NULL);
		} else {
			complain("fault '%s' cannot be injected into function %u: %s", text,
				 list[i].index,
				 rc == -ENOSPC ? "it has as many as it can have; 'withdraw' them"
					       : spdk_strerror(-rc));
		}
	}
}

/** A line: [FUNCTION ]FAULT, or "withdraw" in place of a fault. */
static void
obey(char *line, struct served *list, unsigned count)
{
	struct udma_fault fault;
	const struct udma_fault *injected = &fault;
	uint64_t function;

	line[strcspn(line, "\r")] = '\0';
	line += strspn(line, " ");
	if (line[0] == '\0') {
		return;
	}
	if (isdigit((unsigned char)line[0])) {
		char *rest = line + strcspn(line, " ");

		if (*rest != '\0') {
			*rest++ = '\0';
		}
		if (option_number("the function", line, 0, count - 1, &function) != STATUS_OK) {
			return;
		}
		list += function;
		count = 1;
		line = rest + strspn(rest, " ");
	}
	if (strcmp(line, WITHDRAW) == 0) {
		injected = NULL;
	} else if (emulate_fault("the fault", line, &fault) != 0) {
		return;
	}
	inject(list, count, injected, line);
}

bool
emulate_control(struct served *list, unsigned count)
{
	char *end;
	ssize_t n = read(STDIN_FILENO, g_input.line + g_input.used, LINE_BYTES - g_input.used);

	if (n <= 0) {
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	}
	g_input.used += (size_t)n;
	while ((end = memchr(g_input.line, '\n', g_input.used)) != NULL) {
		size_t length = (size_t)(end - g_input.line);

		*end = '\0';
		if (memchr(g_input.line, '\0', length) != NULL || g_input.too_long) {
			complain("a line of standard input is no text, or longer than %d bytes",
				 LINE_BYTES - 1);
		} else {
			obey(g_input.line, list, count);
		}
		g_input.too_long = false;
		g_input.used -= length + 1;
		memmove(g_input.line, end + 1, g_input.used);
	}
	if (g_input.used == LINE_BYTES) {
		g_input.too_long = true;
		g_input.used = 0;
	}
	return true;
}
