// SPDX-License-Identifier: GPL-3.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/common/tables.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the control word is read as one integer");

static const struct {
	const char *name;
	uint32_t key, value;
} layouts[TABLE_COUNT] = {
#define X(map, key_size, value_size) { #map, key_size, value_size },
	TABLES(X)
#undef X
};

const char *table_name(enum table table)
{
	return layouts[table].name;
}

const char *tables_pins(const char *option)
{
	const char *environment = getenv("ECSDNS_PINS");

	if (option)
		return option;
	return environment && *environment ? environment : ECSDNS_PINS_DEFAULT;
}

static int table_is_writable(enum table table, enum tables_access access)
{
	return access == TABLES_WRITE || (access == TABLES_FALLBACK && table == TABLE_fallback_counters);
}

/* Secrets are for those that use them. */
static int table_is_closed(enum table table, enum tables_access access)
{
	return access == TABLES_READ && table == TABLE_cookies;
}

static int table_get(enum table table, const char *pins, int writable, char *error, size_t error_size)
{
	LIBBPF_OPTS(bpf_obj_get_opts, options, .file_flags = writable ? 0 : BPF_F_RDONLY);
	char path[PATH_MAX];
	int fd, code;

	snprintf(path, sizeof(path), "%s/%s", pins, layouts[table].name);
	fd = bpf_obj_get_opts(path, &options);
	if (fd >= 0)
		return fd;
	code = -errno;
	snprintf(error, error_size, "%s: %s%s", path, strerror(-code),
		 code == -ENOENT ? "; `ecsdns-loader attach IFACE` makes the tables" :
		 code == -EACCES || code == -EPERM ? "; this needs root, or CAP_BPF and rights to the pins" : "");
	return code;
}

static int table_open(struct tables *tables, enum table table, const char *pins, enum tables_access access,
		      char *error, size_t error_size)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	int fd = table_get(table, pins, table_is_writable(table, access), error, error_size);

	if (fd < 0)
		return fd;
	tables->fd[table] = fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &length)) {
		snprintf(error, error_size, "%s/%s: not a map: %s", pins, layouts[table].name, strerror(errno));
		return -EINVAL;
	}
	if (info.key_size != layouts[table].key || info.value_size != layouts[table].value) {
		snprintf(error, error_size, "%s/%s: keys of %u and values of %u octets, but this program (ABI %d) has %u and %u; "
			 "use programs and tables of one version", pins, layouts[table].name, info.key_size, info.value_size,
			 ECSDNS_ABI_VERSION, layouts[table].key, layouts[table].value);
		return -EPROTO;
	}
	tables->entries[table] = info.max_entries;
	return 0;
}

/* Array values lie eight-aligned, one behind the other, from the start of the mapping. */
static size_t table_mapped_size(const struct tables *tables, enum table table)
{
	size_t stride = (layouts[table].value + 7) & ~(size_t)7, page = sysconf(_SC_PAGESIZE);

	return (stride * tables->entries[table] + page - 1) / page * page;
}

/*
 * The kernel maps only through a writable descriptor, even for reading (it asks for VM_SHARED, which a read-only one
 * loses). It is closed at once; pages mapped for reading cannot be made writable later.
 */
static int table_map(struct tables *tables, enum table table, void **where, const char *pins, enum tables_access access,
		     char *error, size_t error_size)
{
	int protection = PROT_READ | (table_is_writable(table, access) ? PROT_WRITE : 0);
	int fd = table_get(table, pins, 1, error, error_size), code = 0;
	void *mapping;

	if (fd < 0)
		return fd;
	mapping = mmap(NULL, table_mapped_size(tables, table), protection, MAP_SHARED, fd, 0);
	if (mapping == MAP_FAILED) {
		code = -errno;
		snprintf(error, error_size, "mapping table %s: %s", layouts[table].name, strerror(-code));
	} else {
		*where = mapping;
	}
	close(fd);
	return code;
}

int tables_open(struct tables *tables, const char *pins, enum tables_access access, char *error, size_t error_size)
{
	const struct {
		enum table table;
		void **where;
	} mapped[] = {
		{ TABLE_control, (void **)&tables->control },
		{ TABLE_settings, (void **)&tables->settings },
		{ TABLE_indices, (void **)&tables->indices },
		{ TABLE_answers, (void **)&tables->answers },
		{ TABLE_fallback_counters, (void **)&tables->fallback_counters },
		{ TABLE_health, (void **)&tables->health },
		{ TABLE_cookies, (void **)&tables->cookies },
	};
	int code;

	memset(tables, 0, sizeof(*tables));
	memset(tables->fd, -1, sizeof(tables->fd));
	for (int table = 0; table < TABLE_COUNT; table++) {
		if (table_is_closed(table, access))
			continue;
		code = table_open(tables, table, pins, access, error, error_size);
		if (code)
			return code;
	}
	for (size_t i = 0; i < sizeof(mapped) / sizeof(mapped[0]); i++) {
		if (table_is_closed(mapped[i].table, access))
			continue;
		code = table_map(tables, mapped[i].table, mapped[i].where, pins, access, error, error_size);
		if (code)
			return code;
	}
	return 0;
}

static uint32_t table_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &length) ? 0 : info.id;
}

uint32_t tables_id(const struct tables *tables)
{
	return table_id(tables->fd[TABLE_control]);
}

bool tables_are_pinned(const struct tables *tables, const char *pins)
{
	char ignored[PATH_MAX + 128];
	int fd = table_get(TABLE_control, pins, 0, ignored, sizeof(ignored));
	bool same = fd >= 0 && table_id(fd) && table_id(fd) == table_id(tables->fd[TABLE_control]);

	if (fd >= 0)
		close(fd);
	return same;
}

static void table_unmap(struct tables *tables, enum table table, const volatile void *mapping)
{
	if (mapping)
		munmap((void *)mapping, table_mapped_size(tables, table));
}

void tables_close(struct tables *tables)
{
	table_unmap(tables, TABLE_control, tables->control);
	table_unmap(tables, TABLE_settings, tables->settings);
	table_unmap(tables, TABLE_indices, tables->indices);
	table_unmap(tables, TABLE_answers, tables->answers);
	table_unmap(tables, TABLE_fallback_counters, tables->fallback_counters);
	table_unmap(tables, TABLE_health, tables->health);
	table_unmap(tables, TABLE_cookies, tables->cookies);
	for (int table = 0; table < TABLE_COUNT; table++)
		if (tables->fd[table] >= 0)
			close(tables->fd[table]);
	memset(tables, 0, sizeof(*tables));
	memset(tables->fd, -1, sizeof(tables->fd));
}
