// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * From the tables of one directory to those of another, which may be of another layout: only what every layout has in
 * common is read of the old ones.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "tools/loader/loader.h"

/* The generation that tables of any layout hold: control begins with it. 0 or -errno. */
static int move_generation(const struct loader *loader, uint32_t *generation)
{
	uint8_t value[PIPE_BUF];
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	const uint32_t first = 0;
	char path[PATH_MAX];
	int map, code = 0;

	snprintf(path, sizeof(path), "%s/control", loader->pins);
	map = bpf_obj_get(path);
	if (map < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(map, &info, &length) || info.value_size > sizeof(value) ||
	    info.value_size < sizeof(*generation) || bpf_map_lookup_elem(map, &first, value))
		code = -EPROTO;
	else
		memcpy(generation, value, sizeof(*generation));
	close(map);
	return code;
}

/* Nobody is sent back to an older configuration, or to none. */
static int move_check(const struct loader *loader, const struct loader *from)
{
	uint32_t ours = 0, theirs = 0;
	int code;

	if (!strcmp(loader->pins, from->pins)) {
		fprintf(stderr, "ecsdns-loader: --from and --pins name the same tables, %s\n", from->pins);
		return -EINVAL;
	}
	code = move_generation(from, &theirs);
	if (code) {
		fprintf(stderr, "ecsdns-loader: --from %s: %s; these must be tables of ecsdns\n", from->pins, strerror(-code));
		return code;
	}
	code = move_generation(loader, &ours);
	if (code || (ours && (int32_t)(ours - theirs) >= 0) || (!ours && !theirs))
		return code;
	fprintf(stderr, "ecsdns-loader: the tables in %s hold generation %u, those in %s, which are served, generation %u; let "
		"`ecsdns-controller --take-over --pins %s` fill them first\n", loader->pins, ours, from->pins, theirs,
		loader->pins);
	return -EAGAIN;
}

/* A controller holds a lock on the directory as long as it lives. Without one the driver answers as well as before. */
static void move_warn(const struct loader *loader)
{
	int directory = open(loader->pins, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return;
	if (!flock(directory, LOCK_SH | LOCK_NB))
		fprintf(stderr, "ecsdns-loader: warning: no controller runs on the tables in %s: health and pushes do not reach them; "
			"`ecsdns-controller --take-over --pins %s`\n", loader->pins, loader->pins);
	close(directory);
}

static int move_one(const struct loader *loader, const struct loader *from, const char *name)
{
	struct attachment after;
	int ifindex = interface_find(name), code;

	if (ifindex < 0)
		return ifindex;
	code = interface_move(loader, name, ifindex);
	if (!code)
		code = hook_move(loader, from, name, ifindex);
	if (code)
		return code;
	interface_leave(from, ifindex);
	hook_find(loader, name, ifindex, &after);
	if (!loader->json)
		printf("%s: moved from %s to %s, program %u\n", name, from->pins, loader->pins, after.program_id);
	return 0;
}

/* Every interface of this namespace that carries the program of either: one may have moved before. */
static int move_found(const struct loader *loader, const struct loader *from)
{
	struct if_nameindex *all = if_nameindex();
	struct attachment old, ours;
	int code = 0, count = 0;

	for (struct if_nameindex *at = all; at && at->if_index && !code; at++) {
		hook_find(from, at->if_name, at->if_index, &old);
		hook_find(loader, at->if_name, at->if_index, &ours);
		if (old.how == ATTACHED_NOT && ours.how == ATTACHED_NOT)
			continue;
		count++;
		code = move_one(loader, from, at->if_name);
	}
	if_freenameindex(all);
	if (count)
		return code;
	fprintf(stderr, "ecsdns-loader: no interface carries the program of the tables in %s\n", from->pins);
	return -ENOENT;
}

int move_all(struct loader *loader)
{
	const struct loader from = {.pins = loader->from};
	int code = move_check(loader, &from);

	if (code)
		return code;
	move_warn(loader);
	if (!loader->interface_count)
		return move_found(loader, &from);
	for (int i = 0; i < loader->interface_count && !code; i++)
		code = move_one(loader, &from, loader->interfaces[i]);
	return code;
}
