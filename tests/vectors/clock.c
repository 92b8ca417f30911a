// SPDX-License-Identifier: GPL-3.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "maps/abi.h"
#include "tests/vectors/run.h"

int stop_clock(const char *pins, uint32_t seconds)
{
	long page = sysconf(_SC_PAGESIZE);
	struct cookies *cookies;
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/cookies", pins);
	fd = bpf_obj_get(path);
	cookies = fd < 0 ? MAP_FAILED : mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cookies == MAP_FAILED) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -ENOENT;
	}
	cookies->stopped = seconds;
	munmap(cookies, page);
	close(fd);
	return 0;
}
