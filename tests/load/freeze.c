// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * freeze [--lookup] TID COMMAND...: stops one thread of a process in mid-work, runs the command, lets the thread go on.
 *
 * SIGSTOP would stop the whole process; ptrace stops one thread. It is stopped at random moments until it is caught at
 * work: in its own instructions, or on its way out of a look into a map (bpf(2)), not while it waits for a query or sends
 * a reply; with --lookup, only on its way out of a map. Says on standard output where that was. Exit: the command's; 125 if the thread could not be caught at work.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __x86_64__
#error "where a thread stands is read from x86-64 registers"
#endif

#define TRIES_MAX 20000
#define CANNOT 125

static int freeze_stop(pid_t thread)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, thread, 0, 0))
		return -errno;
	if (waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status))
		return -ESRCH;
	return 0;
}

/* In user space by an interrupt (no system call to restart), or behind a look into a map. */
static int freeze_is_at_work(const struct user_regs_struct *registers, int only_lookups)
{
	return registers->orig_rax == SYS_bpf || (!only_lookups && (long)registers->orig_rax == -1);
}

static void freeze_sleep(void)
{
	struct timespec time = {.tv_nsec = random() % 300000};

	nanosleep(&time, NULL);
}

static int freeze_catch(pid_t thread, int only_lookups, struct user_regs_struct *registers)
{
	int fault = ptrace(PTRACE_SEIZE, thread, 0, 0) ? -errno : 0, tries;

	for (tries = 0; !fault && tries < TRIES_MAX; tries++) {
		fault = freeze_stop(thread);
		if (!fault && ptrace(PTRACE_GETREGS, thread, 0, registers))
			fault = -errno;
		if (fault || freeze_is_at_work(registers, only_lookups))
			return fault;
		if (ptrace(PTRACE_CONT, thread, 0, 0))
			fault = -errno;
		freeze_sleep();
	}
	return fault ? fault : -ETIME;
}

static int freeze_run(char **command)
{
	pid_t child = fork();
	int status;

	if (!child) {
		execvp(*command, command);
		fprintf(stderr, "freeze: %s: %s\n", *command, strerror(errno));
		_exit(CANNOT);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return CANNOT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CANNOT;
}

int main(int argc, char **argv)
{
	int only_lookups = argc > 1 && !strcmp(argv[1], "--lookup"), fault, code;
	struct user_regs_struct registers;
	pid_t thread;

	argc -= only_lookups;
	argv += only_lookups;
	if (argc < 3) {
		fprintf(stderr, "usage: freeze [--lookup] TID COMMAND...\n");
		return 2;
	}
	thread = atoi(argv[1]);
	srandom(getpid());
	fault = freeze_catch(thread, only_lookups, &registers);
	if (fault) {
		fprintf(stderr, "freeze: thread %d was not caught at work: %s\n", thread, strerror(-fault));
		return CANNOT;
	}
	printf("stopped %s at %#llx\n", registers.orig_rax == SYS_bpf ? "behind a look into a map" : "in its own code",
	       registers.rip);
	fflush(stdout);
	code = freeze_run(argv + 2);
	ptrace(PTRACE_DETACH, thread, 0, 0);
	return code;
}
