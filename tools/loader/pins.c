// SPDX-License-Identifier: GPL-3.0-or-later
/* The tables in bpffs: making them, finding them as they are, putting them under a program, removing them. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "build/ecsdns.skel.h"
#include "tools/loader/loader.h"

#define DIRECTORY_MODE 0755
#define PIN_MODE 0640	/* group members may read: the fallback runs without root */

/* The nearest existing directory above a path must be a bpffs. */
static int pins_check_bpffs(const char *pins)
{
	char path[PATH_MAX];
	struct statfs fs;

	snprintf(path, sizeof(path), "%s", pins);
	while (statfs(path, &fs)) {
		if (errno != ENOENT || !strcmp(path, "/") || !strcmp(path, "."))
			return -errno;
		memmove(path, dirname(path), strlen(dirname(path)) + 1);
	}
	if (fs.f_type != BPF_FS_MAGIC) {
		fprintf(stderr, "ecsdns-loader: %s is not on a BPF file system; mount one:\n"
			"  mount -t bpf bpf /sys/fs/bpf\nor name another place with --pins\n", pins);
		return -ENOTDIR;
	}
	return 0;
}

/* libxdp keeps its own pins: in the file system that ours are in, so that namespaces do not share them. */
static void pins_point_libxdp(const char *pins)
{
	char path[PATH_MAX], parent[PATH_MAX];
	struct stat here, above;

	snprintf(path, sizeof(path), "%s", pins);
	while (stat(path, &here) && strcmp(path, "/"))
		memmove(path, dirname(path), strlen(dirname(path)) + 1);
	for (;;) {
		snprintf(parent, sizeof(parent), "%s", path);
		memmove(parent, dirname(parent), strlen(dirname(parent)) + 1);
		if (stat(path, &here) || stat(parent, &above) || here.st_dev != above.st_dev || !strcmp(path, "/"))
			break;
		snprintf(path, sizeof(path), "%s", parent);
	}
	setenv("LIBXDP_BPFFS", path, 0);
}

int pins_check(const struct loader *loader)
{
	int code;

	if (geteuid() != 0) {
		fprintf(stderr, "ecsdns-loader: making tables and attaching programs needs root; use sudo\n");
		return -EPERM;
	}
	code = pins_check_bpffs(loader->pins);
	if (!code)
		pins_point_libxdp(loader->pins);
	return code;
}

static void pin_path(const struct loader *loader, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", loader->pins, name);
}

int pins_exist(const struct loader *loader)
{
	char path[PATH_MAX];

	pin_path(loader, "control", path);
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
			"`ecsdns-loader unload` removes them\n", table_name(table), tables->entries[table],
			loader->entries[table]);
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
		fprintf(stderr, "ecsdns-loader: %s\n", error);
	else
		code = pins_compare(loader, &tables);
	tables_close(&tables);
	return code;
}

/* Makes and pins every table at once, or none. */
int pins_make(const struct loader *loader)
{
	struct ecsdns_bpf *skeleton;
	char path[PATH_MAX];
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
	code = pins_make_directory(loader->pins);
	for (int table = 0; table < TABLE_COUNT && !code; table++) {
		struct bpf_map *map = bpf_object__find_map_by_name(skeleton->obj, table_name(table));

		pin_path(loader, table_name(table), path);
		code = bpf_obj_pin(bpf_map__fd(map), path) ? -errno : 0;
		if (code)
			fprintf(stderr, "ecsdns-loader: pinning %s: %s\n", path, strerror(-code));
		else if (chmod(path, PIN_MODE))
			fprintf(stderr, "ecsdns-loader: warning: chmod %s: %s\n", path, strerror(errno));
	}
	if (code)
		pins_remove(loader);
out:
	ecsdns_bpf__destroy(skeleton);
	return code;
}

int pins_remove(const struct loader *loader)
{
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *directory = opendir(loader->pins);
	int code = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		pin_path(loader, entry->d_name, path);
		if (unlink(path)) {
			code = -errno;
			fprintf(stderr, "ecsdns-loader: removing %s: %s\n", path, strerror(errno));
		}
	}
	closedir(directory);
	if (!code && rmdir(loader->pins))
		code = -errno;
	return code;
}

struct bpf_object *pins_open_program(const struct loader *loader)
{
	size_t size;
	const void *bytes = ecsdns_bpf__elf_bytes(&size);
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = PROGRAM_NAME);
	struct bpf_object *object = bpf_object__open_mem(bytes, size, &options);
	char path[PATH_MAX];
	int fd, code;

	if (!object) {
		fprintf(stderr, "ecsdns-loader: opening the program: %s\n", strerror(errno));
		return NULL;
	}
	for (int table = 0; table < TABLE_COUNT; table++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, table_name(table));

		pin_path(loader, table_name(table), path);
		fd = bpf_obj_get(path);
		code = fd < 0 ? -errno : map ? bpf_map__reuse_fd(map, fd) : -ENOENT;
		if (fd >= 0)
			close(fd);	/* the object has its own copy */
		if (code) {
			fprintf(stderr, "ecsdns-loader: table %s: %s\n", path, strerror(-code));
			bpf_object__close(object);
			return NULL;
		}
	}
	return object;
}

int pins_keep_program(const struct loader *loader, int fd)
{
	char path[PATH_MAX], fresh[PATH_MAX];

	pin_path(loader, "program", path);
	pin_path(loader, "program_new", fresh);
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
