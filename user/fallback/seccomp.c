// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* O_TMPFILE, CLONE_THREAD */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/fallback/seccomp.h"

/* What tells open(2) to write, make or cut a file. */
#define OPEN_WRITES (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
/* socket(2)'s type without its flags */
#define SOCKET_TYPE 0xf

/* libseccomp's own macros leave a field out, of which clang warns. */
#define IS(argument, value) {.arg = (argument), .op = SCMP_CMP_EQ, .datum_a = (value)}
#define IS_WITHIN(argument, mask, value) {.arg = (argument), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value)}

static const int allowed[] = {
	/* sockets; none is ever connected */
	SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
	/* waiting */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(futex), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_yield),
	/* files that are open */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(lseek),
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(fadvise64), SCMP_SYS(close),
	/* memory; mmap and mprotect are below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* time, chance, who and where we are */
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(sched_getaffinity), SCMP_SYS(sysinfo),
	SCMP_SYS(rseq),
	/* signals and the end */
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Allowed with such arguments alone. */
static const struct {
	int call;
	struct scmp_arg_cmp arguments[2];
} allowed_with[] = {
	{SCMP_SYS(bpf), {IS(0, BPF_MAP_LOOKUP_ELEM)}},
	{SCMP_SYS(bpf), {IS(0, BPF_MAP_GET_NEXT_KEY)}},
	{SCMP_SYS(open), {IS_WITHIN(1, OPEN_WRITES, O_RDONLY)}},
	{SCMP_SYS(openat), {IS_WITHIN(2, OPEN_WRITES, O_RDONLY)}},
	{SCMP_SYS(mmap), {IS_WITHIN(2, PROT_EXEC, 0)}},
	{SCMP_SYS(mprotect), {IS_WITHIN(2, PROT_EXEC, 0)}},
	{SCMP_SYS(ioctl), {IS(1, TCGETS)}},	/* isatty(3) */
	{SCMP_SYS(fcntl), {IS(1, F_GETFL)}},
	{SCMP_SYS(fcntl), {IS(1, F_SETFL)}},
	{SCMP_SYS(fcntl), {IS(1, F_SETFD)}},
	{SCMP_SYS(socket), {IS(0, AF_INET), IS_WITHIN(1, SOCKET_TYPE, SOCK_DGRAM)}},
	{SCMP_SYS(socket), {IS(0, AF_INET), IS_WITHIN(1, SOCKET_TYPE, SOCK_STREAM)}},
	{SCMP_SYS(socket), {IS(0, AF_INET6), IS_WITHIN(1, SOCKET_TYPE, SOCK_DGRAM)}},
	{SCMP_SYS(socket), {IS(0, AF_INET6), IS_WITHIN(1, SOCKET_TYPE, SOCK_STREAM)}},
	{SCMP_SYS(socket), {IS(0, AF_UNIX), IS_WITHIN(1, SOCKET_TYPE, SOCK_DGRAM)}},
};

/* No part of us, in no version, has a reason for these. */
static const int deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(mount), SCMP_SYS(umount2),
	SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static int add_allowed(scmp_filter_ctx filter)
{
	int code = 0;

	for (size_t i = 0; i < COUNT(allowed) && !code; i++)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < COUNT(allowed_with) && !code; i++)
		code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, allowed_with[i].call,
					      allowed_with[i].arguments[1].op ? 2 : 1, allowed_with[i].arguments);
	/* abort(3) signals itself */
	if (!code)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
					(struct scmp_arg_cmp)IS(0, getpid()));
	return code;
}

/* A clone that is no thread is a fork; where clone3 keeps its flags no filter can look, so it fails like the rest. */
static int add_deadly(scmp_filter_ctx filter)
{
	int code = 0;

	for (size_t i = 0; i < COUNT(deadly) && !code; i++)
		code = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	if (!code)
		code = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
					(struct scmp_arg_cmp)IS_WITHIN(0, CLONE_THREAD, 0));
	return code;
}

/* Each query looks into maps: bpf(2) is judged first. */
int seccomp_confine(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int code;

	if (!filter)
		return -ENOMEM;
	code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!code)
		code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	if (!code)
		code = seccomp_syscall_priority(filter, SCMP_SYS(bpf), 255);
	if (!code)
		code = add_allowed(filter);
	if (!code)
		code = add_deadly(filter);
	if (!code)
		code = seccomp_load(filter);
	seccomp_release(filter);
	return code;
}
