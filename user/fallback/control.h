/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The control socket: by it the next process finds this one, to take over from it or to leave it alone. SOCK_SEQPACKET, for
 * the user we run as, and root. It goes along with the sockets, so a process that was taken over from has none any more.
 */
#ifndef ECSDNS_FALLBACK_CONTROL_H
#define ECSDNS_FALLBACK_CONTROL_H

#include <sys/types.h>

#define CONTROL_DEFAULT "/run/ecsdns/fallback.sock"
#define CONTROL_BACKLOG 8

/*
 * Listens for `owner` (-1: the process's user). The descriptor, or after a line in the log: -EADDRINUSE, another process
 * runs there, or -1 if there cannot be one: nobody will be able to take over, but queries are answered.
 */
int control_listen(const char *path, uid_t owner);

/*
 * Connects to whoever runs, as the user we are now. The descriptor, or -ENOENT: nobody does; other -errno after a line in
 * the log.
 */
int control_connect(const char *path, uid_t owner);

/* The process at the other end: 0 if it runs as root, as us or as `user` (-1: nobody else), or -EACCES. */
int control_judge(int fd, uid_t user, pid_t *process);

#endif
