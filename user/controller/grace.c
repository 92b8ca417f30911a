// SPDX-License-Identifier: GPL-3.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/controller/grace.h"

/*
 * Kernels booted with nohz_full refuse membarrier's global command. But an update of a map of maps by system call returns
 * only after a grace period (since 4.20), whatever the map.
 */
static int grace_by_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "grace_inner", 4, 4, 1, NULL), outer, fault;
	uint32_t key = 0;

	if (inner < 0)
		return inner;
	options.inner_map_fd = inner;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "grace_outer", 4, 4, 1, &options);
	fault = outer < 0 ? outer : bpf_map_update_elem(outer, &key, &inner, BPF_ANY);
	if (outer >= 0)
		close(outer);
	close(inner);
	return fault;
}

int grace_period(struct faults *faults)
{
	int fault = syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) ? -errno : 0;

	if (fault == -EINVAL || fault == -ENOSYS || fault == -EPERM)
		fault = grace_by_map();
	if (fault)
		faults_error(faults, NULL, "waiting for the driver to leave the old tables: %s", strerror(-fault));
	return fault;
}
