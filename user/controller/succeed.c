// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* struct ucred */
#include "user/controller/succeed.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/common/log.h"

/* As /proc has it: cut after 15. */
#define PROCESS_NAME "ecsdns-controll"
#define PATIENCE_MS 10000	/* between two words to whoever waits for us */

/* The socket of who listens there, or -errno: -ENOENT if nobody does. */
static int succeed_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, fault;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	fault = errno == ECONNREFUSED ? -ENOENT : -errno;
	close(fd);
	return fault;
}

/* Whoever else listens there, is not ended by us. */
static bool succeed_is_controller(pid_t process)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", process);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = 0;
	fclose(file);
	name[strcspn(name, "\n")] = 0;
	return !strcmp(name, PROCESS_NAME);
}

static int succeed_wait(int handle, pid_t process)
{
	struct pollfd ended = {.fd = handle, .events = POLLIN};
	int count;

	while ((count = poll(&ended, 1, PATIENCE_MS)) <= 0) {
		if (count < 0 && errno != EINTR)
			return -errno;
		if (!count)
			log_notice("--take-over: process %d has not ended yet: it finishes the push that runs", process);
	}
	return 0;
}

/* The handle is of the process that listens: as long as that lives, its number is nobody else's. */
static int succeed_end(int connection, pid_t process)
{
	struct ucred again;
	socklen_t length = sizeof(again);
	int handle = pidfd_open(process, 0), fault = 0;

	if (handle < 0)
		return errno == ESRCH ? 0 : -errno;
	if (!succeed_is_controller(process) || getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &again, &length) ||
	    again.pid != process) {
		fault = -EPERM;
	} else if (pidfd_send_signal(handle, SIGTERM, NULL, 0)) {
		fault = errno == ESRCH ? 0 : -errno;
	}
	if (!fault)
		fault = succeed_wait(handle, process);
	close(handle);
	return fault;
}

int succeed(const char *path, pid_t *process)
{
	struct ucred peer = {0};
	socklen_t length = sizeof(peer);
	int connection = succeed_connect(path), fault = 0;

	*process = 0;
	if (connection == -ENOENT) {
		log_notice("--take-over: nobody to take over from at %s", path);
		return 0;
	}
	if (connection >= 0 && getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		fault = -errno;
	if (connection >= 0 && !fault)
		fault = succeed_end(connection, peer.pid);
	if (connection >= 0)
		close(connection);
	else
		fault = connection;
	if (!fault)
		*process = peer.pid;
	else if (fault == -EPERM)
		log_error("--take-over: process %d listens on %s, and is no ecsdns-controller that this user may end", peer.pid,
			  path);
	else
		log_error("--take-over: %s: %s", path, strerror(-fault));
	return fault;
}
