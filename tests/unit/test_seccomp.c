// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The filter of system calls, as the fallback installs it: each row is a child that is confined and then does one thing.
 * What passes the filter gets the kernel's own answer, what does not gets EPERM or its death.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "user/fallback/seccomp.h"

#define NOT_CONFINED 200

static pid_t parent;
static char scratch[] = "/tmp/test_seccomp.XXXXXX";

/* What an act came to: 0, or errno. */
static int result(long returned)
{
	return returned < 0 ? errno : 0;
}

static int open_with(int flags)
{
	int fd = open(scratch, flags, 0600);

	return result(fd);
}

static int bpf_with(int command)
{
	union bpf_attr attr = {.map_fd = -1};

	return result(syscall(SYS_bpf, command, &attr, sizeof(attr)));
}

static int bind_to(int family, int type)
{
	struct sockaddr_in6 address = {.sin6_family = family};	/* any address, any port, in either family */
	int fd = socket(family, type, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)))
		return errno;
	if (bind(fd, (struct sockaddr *)&address, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(address)))
		return errno;
	return type == SOCK_STREAM ? result(listen(fd, 1)) : 0;
}

static int map_with(int protection)
{
	return mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static void *do_nothing(void *argument)
{
	return argument;
}

static int act_read(void) { return open_with(O_RDONLY | O_CLOEXEC); }
static int act_udp4(void) { return bind_to(AF_INET, SOCK_DGRAM); }
static int act_udp6(void) { return bind_to(AF_INET6, SOCK_DGRAM); }
static int act_tcp4(void) { return bind_to(AF_INET, SOCK_STREAM | SOCK_NONBLOCK); }
static int act_tcp6(void) { return bind_to(AF_INET6, SOCK_STREAM); }
static int act_notify(void) { return result(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }
static int act_lookup(void) { return bpf_with(BPF_MAP_LOOKUP_ELEM); }
static int act_next_key(void) { return bpf_with(BPF_MAP_GET_NEXT_KEY); }
static int act_isatty(void) { struct termios to; return result(ioctl(0, TCGETS, &to)) == EPERM; }
/* What malloc(3), malloc_trim(3) and threads' arenas do. */
static int act_memory(void)
{
	void *pages = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (pages == MAP_FAILED || mprotect(pages, 8192, PROT_READ | PROT_WRITE) || madvise(pages, 4096, MADV_DONTNEED))
		return errno;
	if (mmap(pages, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED || munmap(pages, 4096))
		return errno;
	if (mremap((char *)pages + 4096, 4096, 65536, MREMAP_MAYMOVE) == MAP_FAILED)
		return errno;
	return sbrk(4096) == (void *)-1 || sbrk(-4096) == (void *)-1 ? errno : 0;
}
static int act_sysinfo(void) { struct sysinfo facts; return result(sysinfo(&facts)); }
static int act_random(void) { char octet; return result(getrandom(&octet, 1, 0)); }
static int act_abort(void) { signal(SIGABRT, SIG_DFL); abort(); }

static int act_write(void) { return open_with(O_WRONLY); }
static int act_read_write(void) { return open_with(O_RDWR); }
static int act_create(void) { return open_with(O_RDONLY | O_CREAT); }
static int act_truncate(void) { return open_with(O_RDONLY | O_TRUNC); }
static int act_temporary(void) { return result(open("/tmp", O_RDWR | O_TMPFILE, 0600)); }
static int act_unlink(void) { return result(unlink(scratch)); }
static int act_rename(void) { return result(rename(scratch, scratch)); }
static int act_mkdir(void) { return result(mkdir(scratch, 0700)); }
static int act_chmod(void) { return result(chmod(scratch, 0777)); }
static int act_memfd(void) { return result(memfd_create("x", 0)); }
static int act_packet(void) { return result(socket(AF_PACKET, SOCK_RAW, 0)); }
static int act_netlink(void) { return result(socket(AF_NETLINK, SOCK_DGRAM, 0)); }
static int act_raw(void) { return result(socket(AF_INET, SOCK_RAW, IPPROTO_UDP)); }
static int act_unix_stream(void) { return result(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int act_connect(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};

	return result(connect(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&to, sizeof(to)));
}
static int act_update(void) { return bpf_with(BPF_MAP_UPDATE_ELEM); }
static int act_delete(void) { return bpf_with(BPF_MAP_DELETE_ELEM); }
static int act_make_map(void) { return bpf_with(BPF_MAP_CREATE); }
static int act_load(void) { return bpf_with(BPF_PROG_LOAD); }
static int act_pin(void) { return bpf_with(BPF_OBJ_GET); }
static int act_by_id(void) { return bpf_with(BPF_MAP_GET_FD_BY_ID); }
static int act_code(void) { return map_with(PROT_READ | PROT_EXEC); }
static int act_protect(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}
static int act_kill(void) { return result(kill(parent, 0)); }
static int act_tgkill(void) { return result(syscall(SYS_tgkill, parent, parent, 0)); }
static int act_setuid(void) { return result(syscall(SYS_setresuid, -1, -1, -1)); }
static int act_prctl(void) { return result(prctl(PR_SET_DUMPABLE, 1)); }
static int act_inject(void) { return result(ioctl(0, TIOCSTI, "x")); }
static int act_thread(void) { pthread_t thread; return pthread_create(&thread, NULL, do_nothing, NULL); }

static int act_execve(void) { char *none[] = {NULL}; return result(execve("/bin/true", none, none)); }
static int act_fork(void) { return result(fork()); }
static int act_clone(void) { return result(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }
static int act_ptrace(void) { return result(ptrace(PTRACE_TRACEME, 0, 0, 0)); }
static int act_unshare(void) { return result(unshare(CLONE_NEWUSER)); }

#define KILLED(signal) (1000 + (signal))

static const struct row {
	const char *name;
	int (*act)(void);
	int expected;		/* 0, an errno, or KILLED() */
} rows[] = {
	{"read a file", act_read, 0}, {"bind for UDP, IPv4", act_udp4, 0}, {"bind for UDP, IPv6", act_udp6, 0},
	{"listen, IPv4", act_tcp4, 0}, {"listen, IPv6", act_tcp6, 0}, {"a socket to notify with", act_notify, 0},
	{"look into a map", act_lookup, EBADF}, {"walk a map", act_next_key, EBADF}, {"isatty", act_isatty, 0},
	{"memory", act_memory, 0}, {"how much memory there is, for qsort", act_sysinfo, 0},
	{"random octets", act_random, 0}, {"abort", act_abort, KILLED(SIGABRT)},

	{"write a file", act_write, EPERM}, {"open to read and write", act_read_write, EPERM},
	{"make a file", act_create, EPERM}, {"cut a file", act_truncate, EPERM}, {"a nameless file", act_temporary, EPERM},
	{"unlink", act_unlink, EPERM}, {"rename", act_rename, EPERM}, {"mkdir", act_mkdir, EPERM},
	{"chmod", act_chmod, EPERM}, {"memfd", act_memfd, EPERM}, {"packet socket", act_packet, EPERM},
	{"netlink socket", act_netlink, EPERM}, {"raw socket", act_raw, EPERM}, {"Unix stream", act_unix_stream, EPERM},
	{"connect", act_connect, EPERM}, {"write into a map", act_update, EPERM}, {"delete in a map", act_delete, EPERM},
	{"make a map", act_make_map, EPERM}, {"load a program", act_load, EPERM}, {"open a pin", act_pin, EPERM},
	{"a map by its id", act_by_id, EPERM}, {"map code", act_code, EPERM}, {"make data code", act_protect, EPERM},
	{"signal another", act_kill, EPERM}, {"signal another's thread", act_tgkill, EPERM},
	{"change the user", act_setuid, EPERM}, {"prctl", act_prctl, EPERM}, {"type for a terminal", act_inject, EPERM},
	{"start a thread", act_thread, EPERM},

	{"execve", act_execve, KILLED(SIGSYS)}, {"fork", act_fork, KILLED(SIGSYS)}, {"clone", act_clone, KILLED(SIGSYS)},
	{"ptrace", act_ptrace, KILLED(SIGSYS)}, {"unshare", act_unshare, KILLED(SIGSYS)},
};

/* What comes of it in a confined child. */
static int in_child(int (*act)(void))
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(seccomp_confine() ? NOT_CONFINED : act());
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED(WTERMSIG(status));
}

static void each_call(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int got = in_child(rows[i].act);

		if (got == rows[i].expected)
			continue;
		print_error("%s: expected %d, got %d (errno, or 1000 + signal; %d: not confined)\n", rows[i].name,
			    rows[i].expected, got, NOT_CONFINED);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* -- a thread that was there before -- */

static int go_on[2];

static void *act_when_told(void *argument)
{
	char octet;

	if (read(go_on[0], &octet, 1) == 1)
		*(int *)argument = act_packet();
	return NULL;
}

static int act_in_thread(void)
{
	static int came_to = -1;
	pthread_t thread;

	if (pipe(go_on) || pthread_create(&thread, NULL, act_when_told, &came_to))
		return NOT_CONFINED;
	if (seccomp_confine() || write(go_on[1], "x", 1) != 1 || pthread_join(thread, NULL))
		return NOT_CONFINED;
	return came_to;
}

static void threads(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (!child)
		_exit(act_in_thread());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EPERM);
}

static int make_scratch(void **state)
{
	(void)state;
	parent = getpid();
	return mkstemp(scratch) < 0;
}

static int remove_scratch(void **state)
{
	(void)state;
	return unlink(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_call), cmocka_unit_test(threads)};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
