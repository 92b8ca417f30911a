// SPDX-License-Identifier: GPL-3.0-or-later
/* The tables in bpffs: making them, finding them as they are, putting them under a program, removing them. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ecsdns.skel.h"
#include "tools/loader/loader.h"

#define DIRECTORY_MODE 0755
#define PIN_MODE 0640	/* group members may read: the fallback runs without root */
#define PIN_MODE_SECRET 0600
#define COMPLETE "control"	/* pinned last and removed first: where it stands, all the others do */

#define PROGRAM_PIN "program"
#define PROGRAM_PIN_NEW "program_new"	/* for a moment, until it is renamed */
#define LOCK_SECONDS 10

/* From a path to the directory that it is in; "/" and "." stay. */
static void path_up(char path[PATH_MAX])
{
	const char *parent = dirname(path);	/* cuts the path, or points to a constant */

	memmove(path, parent, strlen(parent) + 1);
}

/* The nearest existing directory above a path must be a bpffs. */
static int pins_check_bpffs(const char *pins)
{
	char path[PATH_MAX];
	struct statfs fs;

	snprintf(path, sizeof(path), "%s", pins);
	while (statfs(path, &fs)) {
		if (errno != ENOENT || !strcmp(path, "/") || !strcmp(path, ".")) {
			int code = -errno;

			fprintf(stderr, "ecsdns-loader: %s: %s\n", path, strerror(errno));
			return code;
		}
		path_up(path);
	}
	if (fs.f_type != BPF_FS_MAGIC) {
		fprintf(stderr, "ecsdns-loader: %s is not on a BPF file system; mount one:\n"
			"  mount -t bpf bpf /sys/fs/bpf\nor name another place with --pins\n", pins);
		return -ENOTDIR;
	}
	return 0;
}

/* Where the file system that the pins are in, or will be, is mounted. */
static int pins_mount_point(const char *pins, char path[PATH_MAX])
{
	char parent[PATH_MAX], given[PATH_MAX];
	struct stat here, above;

	snprintf(given, sizeof(given), "%s", pins);
	while (!realpath(given, path)) {
		if (errno != ENOENT || !strcmp(given, "/") || !strcmp(given, "."))
			return -errno;
		path_up(given);
	}
	while (strcmp(path, "/")) {
		snprintf(parent, sizeof(parent), "%s", path);
		path_up(parent);
		if (stat(path, &here) || stat(parent, &above))
			return -errno;
		if (here.st_dev != above.st_dev)
			break;
		snprintf(path, PATH_MAX, "%s", parent);
	}
	return 0;
}

int pins_check(const struct loader *loader)
{
	char mount_point[PATH_MAX];
	int code;

	if (geteuid() != 0) {
		fprintf(stderr, "ecsdns-loader: making tables and attaching programs needs root; use sudo\n");
		return -EPERM;
	}
	code = pins_check_bpffs(loader->pins);
	if (!code)
		code = pins_mount_point(loader->pins, mount_point);
	/* libxdp keeps its own pins: in the file system that ours are in, so that namespaces do not share them. */
	if (!code)
		setenv("LIBXDP_BPFFS", mount_point, 0);
	return code;
}

/*
 * One loader at a time changes what is on a bpffs. The lock is the mount point's, which is there before any pin, and
 * ends with the process, however that ends.
 */
int pins_lock(const struct loader *loader)
{
	char mount_point[PATH_MAX];
	int code, fd;

	code = pins_mount_point(loader->pins, mount_point);
	if (code)
		return code;
	fd = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		code = -errno;
		fprintf(stderr, "ecsdns-loader: %s: %s\n", mount_point, strerror(-code));
		return code;
	}
	for (int tenths = 0; flock(fd, LOCK_EX | LOCK_NB); tenths++) {
		if (errno == EWOULDBLOCK && tenths < LOCK_SECONDS * 10) {
			usleep(100000);
			continue;
		}
		code = -errno;
		fprintf(stderr, "ecsdns-loader: %s: locked for %d seconds by another ecsdns-loader\n", mount_point,
			LOCK_SECONDS);
		close(fd);
		return code;
	}
	return 0;
}

static void pin_path(const struct loader *loader, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", loader->pins, name);
}

int pins_exist(const struct loader *loader)
{
	char path[PATH_MAX];

	pin_path(loader, COMPLETE, path);
	return access(path, F_OK) == 0;
}

static int pins_make_directory(const char *pins)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", pins);
	for (char *slash = strchr(path + 1, '/'); ; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(path, DIRECTORY_MODE) && errno != EEXIST) {
			fprintf(stderr, "ecsdns-loader: making %s: %s\n", path, strerror(errno));
			return -errno;
		}
		if (!slash)
			return 0;
		*slash = '/';
	}
}

static int pins_set_sizes(const struct loader *loader, struct bpf_object *object)
{
	for (int table = 0; table < TABLE_COUNT; table++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, table_name(table));

		if (!map)
			return -ENOENT;
		if (loader->entries[table] && bpf_map__set_max_entries(map, loader->entries[table]))
			return -EINVAL;
	}
	return 0;
}

/* Sizes that were asked for, against tables that stand already. */
static int pins_compare(const struct loader *loader, const struct tables *tables)
{
	for (int table = 0; table < TABLE_COUNT; table++) {
		if (!loader->entries[table] || loader->entries[table] == tables->entries[table])
			continue;
		fprintf(stderr, "ecsdns-loader: table %s stands with %u entries, not %u; sizes are fixed when the tables are made: "
			"`ecsdns-loader prepare --pins DIR` makes others beside them (docs/upgrade.md)\n", table_name(table),
			tables->entries[table], loader->entries[table]);
		return -EEXIST;
	}
	return 0;
}

/* Tables that are there already must be of this program's layout, each of them. */
static int pins_verify(const struct loader *loader)
{
	struct tables tables;
	char error[512];
	int code;

	code = tables_open(&tables, loader->pins, TABLES_WRITE, error, sizeof(error));
	if (code)
		fprintf(stderr, "ecsdns-loader: %s\n  these tables are not whole or not of this version; `ecsdns-loader unload` "
			"removes them\n", error);
	else
		code = pins_compare(loader, &tables);
	tables_close(&tables);
	return code;
}

static int pins_pin(const struct loader *loader, const struct bpf_object *object, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	char path[PATH_MAX];
	int code;

	pin_path(loader, name, path);
	if (bpf_obj_pin(bpf_map__fd(map), path)) {
		code = -errno;
		fprintf(stderr, "ecsdns-loader: pinning %s: %s\n", path, strerror(-code));
		return code;
	}
	if (chmod(path, strcmp(name, table_name(TABLE_cookies)) ? PIN_MODE : PIN_MODE_SECRET))
		fprintf(stderr, "ecsdns-loader: warning: chmod %s: %s\n", path, strerror(errno));
	if (!loader->owner || !chown(path, loader->owner->pw_uid, loader->owner->pw_gid))
		return 0;
	code = -errno;
	fprintf(stderr, "ecsdns-loader: giving %s to %s: %s\n", path, loader->owner->pw_name, strerror(-code));
	return code;
}

/* Makes and pins every table, or none. What a loader that was killed half-way left is removed first. */
int pins_make(const struct loader *loader)
{
	struct ecsdns_bpf *skeleton;
	int code;

	if (pins_exist(loader))
		return pins_verify(loader);
	skeleton = ecsdns_bpf__open();
	if (!skeleton)
		return -errno;
	code = pins_set_sizes(loader, skeleton->obj);
	if (!code)
		code = ecsdns_bpf__load(skeleton);
	if (code) {
		fprintf(stderr, "ecsdns-loader: the kernel refused the program or the tables: %s\n"
			"  (kernels 6.1 to 6.18 are supported; very large tables need memory)\n", strerror(-code));
		goto out;
	}
	code = pins_remove(loader);
	if (!code)
		code = pins_make_directory(loader->pins);
	for (int table = 0; table < TABLE_COUNT && !code; table++)
		if (strcmp(table_name(table), COMPLETE))
			code = pins_pin(loader, skeleton->obj, table_name(table));
	if (!code)
		code = pins_pin(loader, skeleton->obj, COMPLETE);
	if (code)
		pins_remove(loader);
out:
	ecsdns_bpf__destroy(skeleton);
	return code;
}

/* Ours, in a directory where others may have pinned something too. */
static bool pins_is_ours(const char *name)
{
	for (int table = 0; table < TABLE_COUNT; table++)
		if (!strcmp(table_name(table), name))
			return true;
	return !strcmp(name, PROGRAM_PIN) || !strcmp(name, PROGRAM_PIN_NEW) ||
	       !strncmp(name, LINK_PREFIX, strlen(LINK_PREFIX));
}

static int pins_remove_one(const struct loader *loader, const char *name)
{
	char path[PATH_MAX];
	int code;

	pin_path(loader, name, path);
	if (!unlink(path) || errno == ENOENT)
		return 0;
	code = -errno;
	fprintf(stderr, "ecsdns-loader: removing %s: %s\n", path, strerror(-code));
	return code;
}

int pins_remove(const struct loader *loader)
{
	struct dirent *entry;
	DIR *directory = opendir(loader->pins);
	int code;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	code = pins_remove_one(loader, COMPLETE);
	while (!code && (entry = readdir(directory)))
		if (pins_is_ours(entry->d_name))
			code = pins_remove_one(loader, entry->d_name);
	closedir(directory);
	if (code)
		return code;
	if (rmdir(loader->pins) && errno != ENOTEMPTY)
		return -errno;
	return 0;
}

/* A pinned table in place of the object's own, if it is of the same kind; its sizes have been compared before. */
static int pins_put(const struct loader *loader, struct bpf_object *object, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	char path[PATH_MAX];
	int fd, code;

	pin_path(loader, name, path);
	fd = bpf_obj_get(path);
	if (fd < 0) {
		code = -errno;
	} else if (!map || bpf_obj_get_info_by_fd(fd, &info, &length) || info.type != bpf_map__type(map) ||
		   info.map_flags != bpf_map__map_flags(map)) {
		code = -EPROTO;
	} else {
		code = bpf_map__reuse_fd(map, fd);
	}
	if (fd >= 0)
		close(fd);	/* the object has its own copy */
	if (code == -EPROTO)
		fprintf(stderr, "ecsdns-loader: %s is not the kind of table that this version makes; `ecsdns-loader unload` "
			"removes it\n", path);
	else if (code)
		fprintf(stderr, "ecsdns-loader: table %s: %s\n", path, strerror(-code));
	return code;
}

struct bpf_object *pins_open_program(const struct loader *loader)
{
	size_t size;
	const void *bytes = ecsdns_bpf__elf_bytes(&size);
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = PROGRAM_NAME);
	struct bpf_object *object = bpf_object__open_mem(bytes, size, &options);

	if (!object) {
		fprintf(stderr, "ecsdns-loader: opening the program: %s\n", strerror(errno));
		return NULL;
	}
	for (int table = 0; table < TABLE_COUNT; table++) {
		if (pins_put(loader, object, table_name(table))) {
			bpf_object__close(object);
			return NULL;
		}
	}
	return object;
}

int pins_keep_program(const struct loader *loader, int fd)
{
	char path[PATH_MAX], fresh[PATH_MAX];

	pin_path(loader, PROGRAM_PIN, path);
	pin_path(loader, PROGRAM_PIN_NEW, fresh);
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh) || rename(fresh, path)) {
		fprintf(stderr, "ecsdns-loader: pinning %s: %s\n", path, strerror(errno));
		return -errno;
	}
	return 0;
}

static uint32_t pins_control_id(const struct loader *loader)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	char path[PATH_MAX];
	int fd;

	pin_path(loader, "control", path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		info.id = 0;
	close(fd);
	return info.id;
}

bool pins_program_is_ours(const struct loader *loader, int fd)
{
	uint32_t ids[2 * TABLE_COUNT] = {}, control = pins_control_id(loader);
	struct bpf_prog_info info = {
		.nr_map_ids = 2 * TABLE_COUNT, .map_ids = (uintptr_t)ids,
	};
	__u32 length = sizeof(info);

	if (!control || bpf_obj_get_info_by_fd(fd, &info, &length) || strcmp(info.name, PROGRAM_NAME))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < 2 * TABLE_COUNT; i++)
		if (ids[i] == control)
			return true;
	return false;
}
