// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* struct ucred */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/common/local.h"
#include "user/common/log.h"
#include "user/fallback/control.h"

int control_judge(int fd, uid_t user, pid_t *process)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		return -errno;
	*process = peer.pid;
	return !peer.uid || peer.uid == geteuid() || peer.uid == user ? 0 : -EACCES;
}

/* It may be busy with others that want to take over, and alive all the same. */
static void tell_occupied(const char *path)
{
	int fd = local_connect(path, SOCK_SEQPACKET);
	pid_t process;

	if (fd < 0 && fd != -EAGAIN) {
		log_error("--control %s: something else is there; give this one a --control of its own", path);
		return;
	}
	if (fd < 0 || control_judge(fd, -1, &process))
		log_error("an ecsdns-fallback runs already (%s); --take-over replaces it without losing a query, and one to "
			  "run beside it, on another port or other tables, needs a --control of its own", path);
	else
		log_error("ecsdns-fallback runs already as process %d (%s); --take-over replaces it without losing a query, "
			  "and one to run beside it, on another port or other tables, needs a --control of its own", process,
			  path);
	if (fd >= 0)
		close(fd);
}

int control_listen(const char *path, uid_t owner)
{
	const struct local_socket how = {
		.path = path, .type = SOCK_SEQPACKET, .mode = 0600, .owner = owner, .group = -1, .backlog = CONTROL_BACKLOG,
	};
	int fd = local_listen(&how);

	if (fd >= 0)
		return fd;
	if (fd == -EADDRINUSE) {
		tell_occupied(path);
		return fd;
	}
	log_warning("--control %s: %s; nobody will be able to take over from this process, nor be warned that it runs", path,
		    strerror(-fd));
	return -1;
}

int control_connect(const char *path, uid_t owner)
{
	int fd = local_connect(path, SOCK_SEQPACKET), code;
	pid_t process;

	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return -ENOENT;
	if (fd < 0) {
		log_error("--take-over: %s: %s", path, strerror(-fd));
		return fd;
	}
	code = control_judge(fd, owner, &process);
	if (!code)
		return fd;
	log_error("--take-over: %s: process %d is of a user whose sockets are not to be trusted; say its --user, or stop it "
		  "instead", path, process);
	close(fd);
	return code;
}
