/* SPDX-License-Identifier: BSD-3-Clause */

/* udma setup reset and cleanup: back to what the journal has, and away with what is left over. */

#include "setup.h"
#include "tool.h"

#include "env/sysfs.h"
#include "spdk/string.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/** \return 0; a negative errno, said. */
static int
restore_function(const struct setup_machine *machine, const struct setup_record *record)
{
	const struct setup_function *function = setup_find(machine, record->target);
	int rc;

	if (function == NULL) {
		setup_say("%s: no longer there", record->target);
		return 0;
	}
	if (strcmp(function->pci.driver, record->first) == 0 &&
	    strcmp(function->override_driver, record->second) == 0) {
		return 0;
	}
	if (function->used_by_process) {
		complain("%s: %s has it, and it is left alone; end that one, then 'udma setup "
			 "reset' again",
			 function->name, function->user);
		return -EBUSY;
	}
	rc = setup_bind(function->name, record->first, record->second);
	if (rc == 0) {
		setup_say("%s: %s -> %s", function->name,
			  function->pci.driver[0] != '\0' ? function->pci.driver : "no driver",
			  record->first[0] != '\0' ? record->first : "no driver");
	}
	return rc;
}

static int
restore(const struct setup_machine *machine, const struct setup_record *record)
{
	switch (record->kind) {
	case SETUP_FUNCTION:
		return restore_function(machine, record);
	case SETUP_PAGES:
		return setup_restore_pages(record);
	case SETUP_OWNER:
	default:
		return setup_restore_owner(record);
	}
}

/** Backwards; what cannot be restored stays in the journal. */
static int
reset(const struct setup_machine *machine)
{
	int status = STATUS_OK;

	if (setup_journal_count() == 0) {
		setup_say("nothing to reset: udma setup has changed nothing");
		return STATUS_OK;
	}
	if (setup_journal_count() < 0) {
		setup_say("nothing to reset: the changes ended with the last boot");
		return setup_journal_discard() == 0 ? STATUS_OK : STATUS_FAILED;
	}
	for (unsigned i = (unsigned)setup_journal_count(); i-- > 0;) {
		struct setup_record record = *setup_journal_record(i);

		if (restore(machine, &record) != 0 || setup_journal_forget(&record) != 0) {
			status = STATUS_FAILED;
		}
	}
	return status;
}

int
setup_reset(const struct setup_options *options)
{
	struct setup_machine machine;
	int status = setup_journal_open(true);

	(void)options;
	if (status != STATUS_OK) {
		return status;
	}
	/* Behind the lock: until then another run may change what is read. */
	status = setup_machine_read(&machine);
	if (status == STATUS_OK) {
		status = reset(&machine);
		setup_machine_free(&machine);
	}
	setup_journal_close();
	return status;
}
