/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unix sockets in the file system, as both daemons serve their control sockets. */
#ifndef ECSDNS_LOCAL_H
#define ECSDNS_LOCAL_H

#include <sys/types.h>

struct local_socket {
	const char *path;
	int type;		/* SOCK_STREAM, SOCK_SEQPACKET */
	mode_t mode;
	uid_t owner;		/* -1: the process's */
	gid_t group;		/* -1: the process's */
	int backlog;
};

/*
 * Listens, non-blocking. /run is empty after a reboot, so the directory is made. A stale socket is replaced; where
 * somebody listens, or something else stands: -EADDRINUSE. Returns the descriptor or -errno.
 */
int local_listen(const struct local_socket *socket);

/*
 * Connects, without waiting for a place in a long queue (-EAGAIN); the socket blocks. -ENOENT, -ECONNREFUSED: nobody is
 * there. Returns the descriptor or -errno.
 */
int local_connect(const char *path, int type);

#endif
