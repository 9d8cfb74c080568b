/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Runs a program and kills it, as kill -9 does, right before its N-th change to files: what it
 * would have created, written, renamed, removed or given away. Between two changes there is
 * nothing that a crash could leave otherwise, so all N together are every crash. Standard output
 * does not count, and neither do programs that it starts.
 *
 * killed_at N PROGRAM [ARGUMENT]...
 *
 * Exit status: 137 if it was killed; that of the program if it ended before; 125 if neither can be.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_KILLED 137
#define STATUS_FAILED 125
/* The kernel tells a stop at a call of the kernel from one for a signal. */
#define AT_CALL (SIGTRAP | 0x80)

static void
fail(const char *what)
{
	perror(what);
	exit(STATUS_FAILED);
}

/** Whether the call that a process is about to make changes a file. */
static bool
is_change(pid_t pid)
{
	struct __ptrace_syscall_info call;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(call), &call) < 0) {
		fail("PTRACE_GET_SYSCALL_INFO");
	}
	if (call.op != PTRACE_SYSCALL_INFO_ENTRY) {
		return false;
	}
	switch (call.entry.nr) {
	case SYS_openat:
		return (call.entry.args[2] & O_CREAT) != 0;
	case SYS_write:
		return call.entry.args[0] > STDERR_FILENO;
#ifdef SYS_rename /* the older half of the calls, which newer architectures do without */
	case SYS_rename:
	case SYS_unlink:
	case SYS_mkdir:
	case SYS_chown:
	case SYS_lchown:
#endif
#ifdef SYS_renameat
	case SYS_renameat:
#endif
	case SYS_renameat2:
	case SYS_unlinkat:
	case SYS_mkdirat:
	case SYS_fchownat:
	case SYS_ftruncate:
		return true;
	default:
		return false;
	}
}

/** Lets a stopped process go on to its next stop. \return false if it has ended. */
static bool
go_on(pid_t pid, int signal, int *status)
{
	if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signal) < 0) {
		fail("PTRACE_SYSCALL");
	}
	if (waitpid(pid, status, 0) != pid) {
		fail("waitpid");
	}
	return WIFSTOPPED(*status);
}

/** \return the exit status. */
static int
run(pid_t pid, unsigned long n)
{
	unsigned long changes = 0;
	int status, signal = 0;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0) {
		fail("the program");
	}
	while (go_on(pid, signal, &status)) {
		signal = WSTOPSIG(status);
		if (signal == AT_CALL) {
			signal = 0;
			if (is_change(pid) && ++changes == n) {
				/* Killed at its entry, the call is not made any more. */
				kill(pid, SIGKILL);
				waitpid(pid, &status, 0);
				return STATUS_KILLED;
			}
		} else if (signal == SIGTRAP) {
			signal = 0; /* it has become the program */
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
main(int argc, char **argv)
{
	unsigned long n = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	pid_t pid;

	if (n == 0) {
		fprintf(stderr, "usage: killed_at N PROGRAM [ARGUMENT]...\n");
		return STATUS_FAILED;
	}
	pid = fork();
	if (pid < 0) {
		fail("fork");
	}
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
			fail("PTRACE_TRACEME");
		}
		raise(SIGSTOP);
		execvp(argv[2], argv + 2);
		fail(argv[2]);
	}
	return run(pid, n);
}
