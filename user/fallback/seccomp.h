/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a process that answers strangers may ask of the kernel, whatever they make of it: read files, look into its
 * tables, serve its sockets. A system call that is not on the list fails with EPERM, so that a newer libc cannot take the
 * service down; one that only an intruder makes kills the process. Either is in the kernel's log, or
 * auditd's, as type=1326 with the number of the call (`scmp_sys_resolver NUMBER` names it).
 */
#ifndef ECSDNS_FALLBACK_SECCOMP_H
#define ECSDNS_FALLBACK_SECCOMP_H

/*
 * For all threads at once, for good; no thread can be started afterwards. 0, or -errno: -EINVAL from a kernel without
 * seccomp.
 */
int seccomp_confine(void);

#endif
