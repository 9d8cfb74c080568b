/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Claims: a lock on a file named after the function, so that processes, SPDK's among them, keep out
 * of each other's way. The kernel drops it when the process dies.
 *
 * It is a POSIX record lock, as SPDK's is, and so has two oddities. It belongs to the process:
 * closing any descriptor of the file drops it, so no file is opened that we hold. And a child does
 * not inherit it, so a record that was made before a fork is none of the child's.
 */

#include "real.h"
#include "spdk/log.h"
#include "udma/pci.h"

#define CLAIM_TRIES 16

struct claim {
	struct spdk_pci_addr addr;
	int fd;
	pid_t pid; /* of the process that made it */
	LIST_ENTRY(claim) link;
};

const char *udma_pci_claim_dir = "/var/tmp";

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, claim) g_claims = LIST_HEAD_INITIALIZER(g_claims);

static struct claim *
find_claim(const struct spdk_pci_addr *addr)
{
	struct claim *claim, *next;

	LIST_FOREACH_SAFE(claim, &g_claims, link, next)
	{
		if (claim->pid != getpid()) {
			LIST_REMOVE(claim, link);
			close(claim->fd);
			free(claim);
		} else if (spdk_pci_addr_compare(&claim->addr, addr) == 0) {
			return claim;
		}
	}
	return NULL;
}

static int
lock_path(char *path, size_t size, const struct spdk_pci_addr *addr)
{
	char text[UDMA_PCI_ADDR_LEN];
	int n;

	spdk_pci_addr_fmt(text, sizeof(text), addr);
	n = snprintf(path, size, "%s/spdk_pci_lock_%s", udma_pci_claim_dir, text);
	return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

/*
 * Opens the lock file. Anybody may have put something else under its name: the directory is
 * everybody's. \return a descriptor; a negative errno.
 */
static int
open_checked(const char *path, int flags)
{
	int fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0) {
		return -errno;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink > 1) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

/*
 * O_CREAT stands alone: where the file exists and is another user's, the kernel refuses O_CREAT
 * even to root (fs.protected_regular), but not a plain open.
 */
static int
open_or_create(const char *path)
{
	for (int i = 0; i < CLAIM_TRIES; i++) {
		int fd = open_checked(path, O_RDWR);

		if (fd != -ENOENT) {
			return fd;
		}
		fd = open_checked(path, O_RDWR | O_CREAT | O_EXCL);
		if (fd != -EEXIST) {
			return fd;
		}
	}
	return -EAGAIN;
}

/* \return who holds the lock: 0 for nobody; -ESRCH for a process that we cannot see. */
static pid_t
lock_holder(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_GETLK, &lock) != 0) {
		return -errno;
	}
	if (lock.l_type == F_UNLCK) {
		return 0;
	}
	return lock.l_pid > 0 ? lock.l_pid : -ESRCH;
}

/*
 * Who holds the lock of a file that only another user may open. The kernel's own table tells, of
 * whoever it is; what the file says could be written by anybody.
 *
 * \return as lock_holder(); -EACCES if it cannot be told.
 */
static pid_t
other_users_holder(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0) {
		return errno == ENOENT ? 0 : -errno;
	}
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1) {
		return -EINVAL;
	}
	return udma_pci_find_locker(&st);
}

/* Whether the name still leads to the file: its last holder may have removed it meanwhile. */
static bool
is_current(int fd, const char *path)
{
	struct stat opened, named;

	return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/*
 * \return a descriptor that holds the lock; -EACCES and the holder; -EPERM if the file is another
 * user's, and no holder is known; a negative errno.
 */
static int
take_lock(const char *path, pid_t *holder)
{
	for (int i = 0; i < CLAIM_TRIES; i++) {
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		int fd = open_or_create(path);
		int rc;

		if (fd == -EACCES) {
			*holder = other_users_holder(path);
			return *holder > 0 ? -EACCES : -EPERM;
		}
		if (fd < 0) {
			return fd;
		}
		if (fcntl(fd, F_SETLK, &lock) == 0) {
			if (is_current(fd, path)) {
				return fd;
			}
			rc = 0;
		} else {
			rc = errno == EAGAIN ? -EACCES : -errno;
			*holder = lock_holder(fd);
		}
		close(fd);
		/* One that has let go since is asked again. */
		if (rc != 0 && !(rc == -EACCES && *holder == 0)) {
			return rc;
		}
	}
	return -EAGAIN;
}

static void
log_holder(const char *addr, pid_t holder)
{
	char name[32];

	if (holder <= 0) {
		SPDK_ERRLOG("cannot claim %s: a process outside this PID namespace has claimed it; "
			    "end that one, or leave the device to it (pci_blocked)\n",
			    addr);
		return;
	}
	udma_pci_process_name(holder, name, sizeof(name));
	SPDK_ERRLOG("cannot claim %s: process %d (%s) has claimed it; end that one, or leave the "
		    "device to it (pci_blocked)\n",
		    addr, holder, name);
}

static void
log_failure(const char *addr, const char *path, pid_t holder, int rc)
{
	if (rc == -EACCES) {
		log_holder(addr, holder);
	} else if (rc == -EINVAL || rc == -ELOOP || rc == -EPERM) {
		SPDK_ERRLOG("cannot claim %s: %s is %s; remove it if no process uses the device\n",
			    addr, path,
			    rc == -EPERM ? "another user's" : "not a plain file of one name");
	} else {
		SPDK_ERRLOG("cannot claim %s: lock file %s: %s\n", addr, path, strerror(-rc));
	}
}

/* Under the lock. */
static int
add_claim(const struct spdk_pci_addr *addr, const char *path, pid_t *holder)
{
	struct claim *claim = calloc(1, sizeof(*claim));
	int pid = getpid();
	int fd;

	if (claim == NULL) {
		return -ENOMEM;
	}
	fd = take_lock(path, holder);
	if (fd < 0) {
		free(claim);
		return fd;
	}
	/* For the eyes of SPDK, which reads an int. The lock is what counts: a full disk is no
	 * harm. */
	if (ftruncate(fd, sizeof(pid)) != 0 || pwrite(fd, &pid, sizeof(pid), 0) < 0) {
		SPDK_WARNLOG("cannot write the process id to %s: %s\n", path, strerror(errno));
	}
	claim->addr = *addr;
	claim->fd = fd;
	claim->pid = pid;
	LIST_INSERT_HEAD(&g_claims, claim, link);
	return 0;
}

/* Emulated functions live in one process: there is nobody to keep out. */
static bool
needs_claim(const struct spdk_pci_device *dev)
{
	return dev->type == NULL || strcmp(dev->type, "emulated") != 0;
}

int
spdk_pci_device_claim(struct spdk_pci_device *dev)
{
	char path[PATH_MAX], addr[UDMA_PCI_ADDR_LEN];
	pid_t holder = 0;
	int rc;

	if (!needs_claim(dev)) {
		return 0;
	}
	rc = lock_path(path, sizeof(path), &dev->addr);
	pthread_mutex_lock(&g_lock);
	if (rc == 0 && find_claim(&dev->addr) == NULL) {
		rc = add_claim(&dev->addr, path, &holder);
	}
	if (rc == 0) {
		dev->internal.claim_fd = find_claim(&dev->addr)->fd;
	}
	pthread_mutex_unlock(&g_lock);
	if (rc != 0) {
		spdk_pci_addr_fmt(addr, sizeof(addr), &dev->addr);
		log_failure(addr, path, holder, rc);
	}
	return rc;
}

void
spdk_pci_device_unclaim(struct spdk_pci_device *dev)
{
	char path[PATH_MAX];
	struct claim *claim;

	pthread_mutex_lock(&g_lock);
	claim = find_claim(&dev->addr);
	if (claim != NULL && needs_claim(dev)) {
		/* The name goes while the lock is held: whoever waits at the file sees it gone. */
		if (lock_path(path, sizeof(path), &dev->addr) == 0 && is_current(claim->fd, path)) {
			unlink(path);
		}
		LIST_REMOVE(claim, link);
		close(claim->fd);
		free(claim);
	}
	dev->internal.claim_fd = -1;
	pthread_mutex_unlock(&g_lock);
}

pid_t
udma_pci_claim_holder(const struct spdk_pci_addr *addr)
{
	char path[PATH_MAX];
	pid_t holder;
	int fd;

	pthread_mutex_lock(&g_lock);
	if (find_claim(addr) != NULL) {
		holder = getpid();
	} else if ((holder = lock_path(path, sizeof(path), addr)) == 0) {
		fd = open_checked(path, O_RDONLY);
		holder = fd == -ENOENT ? 0 : fd;
		if (fd >= 0) {
			holder = lock_holder(fd);
			close(fd);
		} else if (fd == -EACCES) {
			holder = other_users_holder(path);
		}
	}
	pthread_mutex_unlock(&g_lock);
	return holder;
}
