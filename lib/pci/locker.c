/* SPDX-License-Identifier: BSD-3-Clause */

/* Which process has locked a file, as the kernel's table of locks has it: /proc/locks. */

#include "pci_internal.h"

#include <sys/sysmacros.h>

/* What the kernel calls the PID namespace that has all processes (PROC_PID_INIT_INO). */
#define FIRST_PID_NAMESPACE 0xeffffffc

pid_t
udma_pci_find_locker(const struct stat *file)
{
	char path[PATH_MAX], line[256];
	/* The table leaves out the locks of processes outside of the reader's PID namespace. */
	bool known = udma_pci_is_in_namespace("pid", FIRST_PID_NAMESPACE);
	pid_t locker = 0;
	FILE *table;

	snprintf(path, sizeof(path), "%s/locks", udma_pci_proc_dir);
	table = fopen(path, "re");
	if (table == NULL) {
		return -EACCES;
	}
	while (locker == 0 && fgets(line, sizeof(line), table) != NULL) {
		unsigned major, minor;
		uint64_t inode;
		int pid;

		/* "1: POSIX  ADVISORY  WRITE 123 fe:00:4711 0 EOF"; one that waits has "->". */
		if (sscanf(line, "%*d: POSIX %*s %*s %d %x:%x:%" SCNu64, &pid, &major, &minor,
			   &inode) != 4 ||
		    inode != file->st_ino) {
			continue;
		}
		if (major == major(file->st_dev) && minor == minor(file->st_dev)) {
			locker = pid;
		} else {
			/* Some file systems (btrfs, overlayfs) tell stat() another device. */
			known = false;
		}
	}
	fclose(table);
	if (locker > 0) {
		return locker;
	}
	return known && locker == 0 ? 0 : -EACCES;
}
