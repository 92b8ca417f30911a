// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/common/local.h"

#define LOCK_TRIES 50
#define LOCK_TRY_MICROSECONDS 20000

static int address_of(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

int local_connect(const char *path, int type)
{
	struct sockaddr_un address;
	int code = address_of(path, &address), fd;

	if (code)
		return code;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)&address, sizeof(address)) && !fcntl(fd, F_SETFL, 0))
		return fd;
	code = -errno;
	close(fd);
	return code;
}

/* A socket that nobody listens on. A plain file refuses connections, too, but is somebody's. */
static int is_stale(const struct local_socket *how)
{
	struct stat facts;
	int probe;

	if (lstat(how->path, &facts) || !S_ISSOCK(facts.st_mode))
		return 0;
	probe = local_connect(how->path, how->type);
	if (probe >= 0)
		close(probe);
	return probe == -ECONNREFUSED;
}

static int bind_over_stale(int fd, const struct local_socket *how, const struct sockaddr_un *address)
{
	mode_t mask = umask(0777 & ~how->mode);
	int code = 0;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		code = -errno;
	if (code == -EADDRINUSE && is_stale(how) && !unlink(how->path))
		code = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
	umask(mask);
	return code;
}

/*
 * What stands in the way of making it, binding the socket says. Locked, so that of two starts at once one finds the other;
 * but anybody can lock a directory, so nobody waits for long.
 */
static int directory_lock(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX] = ".";
	int fd;

	if (slash && (size_t)(slash - path) < sizeof(directory)) {
		snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
		mkdir(directory, 0755);
	}
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < LOCK_TRIES && fd >= 0 && flock(fd, LOCK_EX | LOCK_NB); i++)
		usleep(LOCK_TRY_MICROSECONDS);
	return fd;
}

int local_listen(const struct local_socket *how)
{
	struct sockaddr_un address;
	int code = address_of(how->path, &address), lock, fd;

	if (code)
		return code;
	fd = socket(AF_UNIX, how->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	lock = directory_lock(how->path);
	code = bind_over_stale(fd, how, &address);
	if (!code && ((how->owner != (uid_t)-1 || how->group != (gid_t)-1) && lchown(how->path, how->owner, how->group)))
		code = -errno;
	if (!code && listen(fd, how->backlog))
		code = -errno;
	if (lock >= 0)
		close(lock);
	if (!code)
		return fd;
	close(fd);
	return code;
}
