/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "pci/pci_internal.h"
#include "udma/pci.h"

#include <sys/sysmacros.h>

#define NOBODY 65534

#define LOCK_FILE "spdk_pci_lock_0000:80:04.1"

static struct spdk_pci_device g_dev;

static int
setup(void **state)
{
	(void)state;
	make_tree();
	udma_pci_claim_dir = g_tree;
	g_dev = (struct spdk_pci_device){.addr = {0, 0x80, 4, 1}, .type = "pci"};
	udma_pci_proc_dir = "/proc";
	capture_log();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	spdk_pci_device_unclaim(&g_dev);
	remove_tree();
	spdk_log_close();
	return 0;
}

/* Another process, which does what it is told by a pipe: one letter, one answer. */
struct peer {
	pid_t pid;
	int to, from;
};

static void
serve(int in, int out)
{
	char order;

	while (read(in, &order, 1) == 1) {
		int answer = 0;

		if (order == 'c') {
			answer = spdk_pci_device_claim(&g_dev);
		} else if (order == 'u') {
			spdk_pci_device_unclaim(&g_dev);
		} else if (order == 'h') {
			answer = udma_pci_claim_holder(&g_dev.addr);
		} else if (order == 'n') {
			answer = setresuid(NOBODY, NOBODY, NOBODY);
		} else if (order == 'l') { /* whether the log names its parent */
			char pid[40];

			snprintf(pid, sizeof(pid), "process %d (%s)", getppid(), own_name());
			answer = strstr(g_logged, pid) != NULL;
		}
		if (write(out, &answer, sizeof(answer)) != sizeof(answer)) {
			break;
		}
	}
	_exit(0);
}

static struct peer
start_peer(void)
{
	int to[2], from[2];
	struct peer peer;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	peer.pid = fork();
	assert_true(peer.pid >= 0);
	if (peer.pid == 0) {
		close(to[1]);
		close(from[0]);
		serve(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	peer.to = to[1];
	peer.from = from[0];
	return peer;
}

static int
tell(const struct peer *peer, char order)
{
	int answer;

	assert_int_equal(write(peer->to, &order, 1), 1);
	assert_int_equal(read(peer->from, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

static void
stop_peer(struct peer *peer, int sig)
{
	if (sig != 0) {
		kill(peer->pid, sig);
	}
	close(peer->to);
	waitpid(peer->pid, NULL, 0);
	close(peer->from);
}

static void
a_claim_keeps_others_out(void **state)
{
	struct peer peer = start_peer();
	char pid[40];

	(void)state;
	assert_int_equal(udma_pci_claim_holder(&g_dev.addr), 0);
	assert_int_equal(tell(&peer, 'c'), 0);
	assert_int_equal(spdk_pci_device_claim(&g_dev), -EACCES);
	snprintf(pid, sizeof(pid), "%d (%s)", peer.pid, own_name());
	assert_logged_once(pid);
	assert_int_equal(udma_pci_claim_holder(&g_dev.addr), peer.pid);
	assert_int_equal(tell(&peer, 'u'), 0);
	assert_int_equal(udma_pci_claim_holder(&g_dev.addr), 0);
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
	assert_int_equal(tell(&peer, 'c'), -EACCES);
	assert_int_equal(tell(&peer, 'h'), getpid());
	stop_peer(&peer, 0);
}

static void
the_file_is_as_spdk_has_it(void **state)
{
	struct stat st;
	int pid = 0, fd;

	(void)state;
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
	assert_int_equal(lstat(tree_path(LOCK_FILE), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, sizeof(int));
	/* Through the claim's own descriptor: another one, closed, would drop the lock. */
	fd = g_dev.internal.claim_fd;
	assert_int_equal(pread(fd, &pid, sizeof(pid), 0), sizeof(pid));
	assert_int_equal(pid, getpid());
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	spdk_pci_device_unclaim(&g_dev);
	assert_int_equal(lstat(tree_path(LOCK_FILE), &st), -1);
	assert_int_equal(g_dev.internal.claim_fd, -1);
	spdk_pci_device_unclaim(&g_dev); /* harmless */
}

static void
claiming_twice_and_asking_keep_the_lock(void **state)
{
	struct peer peer = start_peer();

	(void)state;
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
	assert_int_equal(udma_pci_claim_holder(&g_dev.addr), getpid());
	assert_int_equal(tell(&peer, 'c'), -EACCES);
	spdk_pci_device_unclaim(&g_dev); /* once is enough */
	assert_int_equal(tell(&peer, 'c'), 0);
	assert_int_equal(spdk_pci_device_claim(&g_dev), -EACCES);
	stop_peer(&peer, 0);
}

static void
death_releases(void **state)
{
	struct peer peer = start_peer();
	struct stat st;

	(void)state;
	assert_int_equal(tell(&peer, 'c'), 0);
	stop_peer(&peer, SIGKILL);
	assert_int_equal(lstat(tree_path(LOCK_FILE), &st), 0); /* the file has stayed */
	assert_int_equal(udma_pci_claim_holder(&g_dev.addr), 0);
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
}

static void
a_child_has_no_part_in_the_claim(void **state)
{
	struct peer child, third = start_peer();

	(void)state;
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
	child = start_peer(); /* forked while it is claimed */
	assert_int_equal(tell(&child, 'h'), getpid());
	assert_int_equal(tell(&child, 'c'), -EACCES);
	assert_int_equal(tell(&child, 'u'), 0);
	assert_int_equal(tell(&third, 'c'), -EACCES);
	stop_peer(&child, 0);
	assert_int_equal(tell(&third, 'c'), -EACCES);
	stop_peer(&third, 0);
}

static void
what_root_holds_is_held_for_other_users_too(void **state)
{
	struct peer user = start_peer();

	(void)state;
	assert_int_equal(chmod(g_tree, 01777), 0);
	if (tell(&user, 'n') != 0) {
		stop_peer(&user, 0);
		skip(); /* another user takes root */
	}
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
	assert_int_equal(tell(&user, 'h'), getpid());
	assert_int_equal(tell(&user, 'c'), -EACCES);
	assert_int_equal(tell(&user, 'l'), 1);
	spdk_pci_device_unclaim(&g_dev);
	assert_int_equal(tell(&user, 'h'), 0);
	assert_int_equal(tell(&user, 'c'), 0);
	stop_peer(&user, 0);
}

/** What the kernel's table of locks says, and what a user makes of it that may not open the file.
 */
static int
holder_by_table(const char *table)
{
	struct peer user;
	int holder;

	tree_file("proc/locks", table);
	user = start_peer();
	holder = tell(&user, 'n') == 0 ? tell(&user, 'h') : INT_MIN;
	stop_peer(&user, 0);
	return holder;
}

static void
the_table_of_locks_is_believed_as_far_as_it_goes(void **state)
{
	char proc[96], line[256];
	struct stat st;

	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(chmod(g_tree, 01777), 0);
	tree_file(LOCK_FILE, "");
	assert_int_equal(chmod(tree_path(LOCK_FILE), 0600), 0);
	assert_int_equal(stat(tree_path(LOCK_FILE), &st), 0);
	snprintf(proc, sizeof(proc), "%s/proc", g_tree);
	udma_pci_proc_dir = proc;
	/* In a namespace of its own it says nothing of those outside. */
	assert_int_equal(holder_by_table(""), -EACCES);
	tree_link("proc/self", "/proc/self");
	assert_int_equal(holder_by_table(""), 0);
	snprintf(line, sizeof(line),
		 "1: FLOCK  ADVISORY  WRITE 11 %02x:%02x:%lu 0 EOF\n"
		 "2: -> POSIX ADVISORY  WRITE 12 %02x:%02x:%lu 0 EOF\n"
		 "3: POSIX  ADVISORY  WRITE 13 %02x:%02x:%lu 0 EOF\n",
		 major(st.st_dev), minor(st.st_dev), st.st_ino, major(st.st_dev), minor(st.st_dev),
		 st.st_ino, major(st.st_dev), minor(st.st_dev), st.st_ino + 1);
	assert_int_equal(holder_by_table(line), 0);
	snprintf(line, sizeof(line), "1: POSIX  ADVISORY  WRITE 14 %02x:%02x:%lu 0 EOF\n",
		 major(st.st_dev), minor(st.st_dev), st.st_ino);
	assert_int_equal(holder_by_table(line), 14);
	/* The same file, or another one of the same number. */
	snprintf(line, sizeof(line), "1: POSIX  ADVISORY  WRITE 15 %02x:%02x:%lu 0 EOF\n",
		 major(st.st_dev), minor(st.st_dev) + 1, st.st_ino);
	assert_int_equal(holder_by_table(line), -EACCES);
	/* A name that leads to another's file is not asked about. */
	snprintf(line, sizeof(line), "%s/second", g_tree);
	assert_int_equal(link(tree_path(LOCK_FILE), line), 0);
	assert_int_equal(holder_by_table(""), -EINVAL);
}

static void
what_is_no_plain_file_is_refused(void **state)
{
	struct stat st;
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s", tree_path("victim"));
	tree_file("victim", "precious");
	tree_link(LOCK_FILE, path);
	assert_int_equal(spdk_pci_device_claim(&g_dev), -ELOOP);
	assert_logged_once("remove it");
	assert_true(udma_pci_claim_holder(&g_dev.addr) < 0);
	unlink(tree_path(LOCK_FILE));

	assert_int_equal(link(path, tree_path(LOCK_FILE)), 0);
	assert_int_equal(spdk_pci_device_claim(&g_dev), -EINVAL);
	assert_true(udma_pci_claim_holder(&g_dev.addr) < 0);
	unlink(tree_path(LOCK_FILE));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, strlen("precious"));

	assert_int_equal(mkfifo(tree_path(LOCK_FILE), 0600), 0);
	assert_int_equal(spdk_pci_device_claim(&g_dev), -EINVAL);
	assert_true(udma_pci_claim_holder(&g_dev.addr) < 0);
	unlink(tree_path(LOCK_FILE));

	assert_int_equal(mkdir(tree_path(LOCK_FILE), 0700), 0);
	assert_true(spdk_pci_device_claim(&g_dev) < 0);
	assert_int_equal(rmdir(tree_path(LOCK_FILE)), 0);

	udma_pci_claim_dir = "/nonexistent";
	assert_int_equal(spdk_pci_device_claim(&g_dev), -ENOENT);
	assert_int_equal(udma_pci_claim_holder(&g_dev.addr), 0);
}

static void
a_stale_file_of_any_contents_will_do(void **state)
{
	(void)state;
	tree_file(LOCK_FILE, "more than the four bytes of a process id");
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
	assert_int_equal(lseek(g_dev.internal.claim_fd, 0, SEEK_END), sizeof(int));
	assert_int_equal(g_log_lines, 0);
}

static void
emulated_functions_need_no_file(void **state)
{
	struct peer peer;
	struct stat st;

	(void)state;
	g_dev.type = "emulated";
	peer = start_peer();
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
	assert_int_equal(tell(&peer, 'c'), 0); /* its own emulated one of the same address */
	assert_int_equal(lstat(tree_path(LOCK_FILE), &st), -1);
	spdk_pci_device_unclaim(&g_dev);
	stop_peer(&peer, 0);
}

/* Descriptor 0 in a device that was never claimed is the program's standard input. */
static void
unclaiming_closes_nothing_of_the_programs(void **state)
{
	int flags = fcntl(STDIN_FILENO, F_GETFD);

	(void)state;
	assert_int_equal(g_dev.internal.claim_fd, 0);
	spdk_pci_device_unclaim(&g_dev);
	assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), flags);
}

static void
functions_are_claimed_one_by_one(void **state)
{
	struct spdk_pci_device other = {.addr = {0, 0x80, 4, 2}, .type = "pci"};
	struct peer peer = start_peer();

	(void)state;
	assert_int_equal(tell(&peer, 'c'), 0);
	assert_int_equal(spdk_pci_device_claim(&other), 0);
	assert_int_equal(udma_pci_claim_holder(&other.addr), getpid());
	assert_int_equal(udma_pci_claim_holder(&g_dev.addr), peer.pid);
	spdk_pci_device_unclaim(&other);
	stop_peer(&peer, 0);
}

static int
map(struct spdk_pci_device *dev, uint32_t bar, void **addr, uint64_t *phys, uint64_t *size)
{
	(void)dev, (void)bar, (void)addr, (void)phys, (void)size;
	return -ENODEV;
}

static int
unmap(struct spdk_pci_device *dev, uint32_t bar, void *addr)
{
	(void)dev, (void)bar, (void)addr;
	return -ENODEV;
}

static int
access_cfg(struct spdk_pci_device *dev, void *value, uint32_t len, uint32_t offset)
{
	(void)dev, (void)value, (void)len, (void)offset;
	return -ENODEV;
}

static void
detaching_and_unhooking_release(void **state)
{
	(void)state;
	g_dev.map_bar = map;
	g_dev.unmap_bar = unmap;
	g_dev.cfg_read = access_cfg;
	g_dev.cfg_write = access_cfg;
	assert_int_equal(spdk_pci_hook_device(spdk_pci_ioat_get_driver(), &g_dev), 0);
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
	spdk_pci_device_detach(&g_dev);
	assert_int_equal(udma_pci_claim_holder(&g_dev.addr), 0);
	assert_int_equal(spdk_pci_device_claim(&g_dev), 0);
	spdk_pci_unhook_device(&g_dev);
	assert_int_equal(udma_pci_claim_holder(&g_dev.addr), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_claim_keeps_others_out),
		CASE(the_file_is_as_spdk_has_it),
		CASE(claiming_twice_and_asking_keep_the_lock),
		CASE(death_releases),
		CASE(a_child_has_no_part_in_the_claim),
		CASE(what_root_holds_is_held_for_other_users_too),
		CASE(the_table_of_locks_is_believed_as_far_as_it_goes),
		CASE(what_is_no_plain_file_is_refused),
		CASE(a_stale_file_of_any_contents_will_do),
		CASE(emulated_functions_need_no_file),
		CASE(unclaiming_closes_nothing_of_the_programs),
		CASE(functions_are_claimed_one_by_one),
		CASE(detaching_and_unhooking_release),
	};

	return cmocka_run_group_tests_name("claim", tests, NULL, NULL);
}
