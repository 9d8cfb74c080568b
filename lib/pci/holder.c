/* SPDX-License-Identifier: BSD-3-Clause */

/* Which process has a file open, as far as this user may know, and what else /proc tells of them.
 */

#include "real.h"

const char *udma_pci_proc_dir = "/proc";

/* \return the number that a name is; 0 if it is none. */
static pid_t
process_of(const char *name)
{
	char *end;
	long pid = strtol(name, &end, 10);

	return isdigit((unsigned char)name[0]) && *end == '\0' && pid <= INT_MAX ? (pid_t)pid : 0;
}

static bool
has_open(pid_t pid, const char *path)
{
	char name[PATH_MAX], target[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *fds;

	snprintf(name, sizeof(name), "%s/%d/fd", udma_pci_proc_dir, (int)pid);
	fds = opendir(name);
	while (fds != NULL && !found && (entry = readdir(fds)) != NULL) {
		ssize_t n = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);

		if (n > 0) {
			target[n] = '\0';
			found = strcmp(target, path) == 0;
		}
	}
	if (fds != NULL) {
		closedir(fds);
	}
	return found;
}

pid_t
udma_pci_find_holder(const char *path)
{
	DIR *processes = opendir(udma_pci_proc_dir);
	struct dirent *entry;
	pid_t holder = 0;

	while (processes != NULL && holder == 0 && (entry = readdir(processes)) != NULL) {
		pid_t pid = process_of(entry->d_name);

		if (pid != 0 && has_open(pid, path)) {
			holder = pid;
		}
	}
	if (processes != NULL) {
		closedir(processes);
	}
	return holder;
}

void
udma_pci_process_name(pid_t pid, char *name, size_t size)
{
	char path[PATH_MAX];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%d/comm", udma_pci_proc_dir, (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, name, size - 1);
		close(fd);
	}
	if (n <= 0) {
		snprintf(name, size, "?");
		return;
	}
	name[n] = '\0';
	for (ssize_t i = 0; i < n; i++) {
		if (!isprint((unsigned char)name[i])) {
			name[i] = i == n - 1 ? '\0' : '?';
		}
	}
}

bool
udma_pci_is_in_namespace(const char *kind, ino_t number)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/self/ns/%s", udma_pci_proc_dir, kind);
	return stat(path, &st) == 0 && st.st_ino == number;
}
