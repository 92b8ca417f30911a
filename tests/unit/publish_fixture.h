/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Real tables, pinned as the loader makes them, a state directory, and a publisher on both. Needs root, and a mount
 * namespace of its own: fixture_namespace(). Behind cmocka.h.
 */
#ifndef ECSDNS_TESTS_PUBLISH_FIXTURE_H
#define ECSDNS_TESTS_PUBLISH_FIXTURE_H

#include <bpf/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/controller/publish.h"

#define STATE_OCTETS "400k"	/* of the tmpfs: a bundle of a megabyte does not fit */

/* -- tables, as the loader makes them -- */

struct shape {
	enum bpf_map_type type;
	unsigned int flags;
	uint32_t entries;
};

static struct shape shape_of(enum table table)
{
	switch (table) {
	case TABLE_control: return (struct shape){BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 1};
	case TABLE_settings: return (struct shape){BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, GENERATION_SLOTS};
	case TABLE_addresses: return (struct shape){BPF_MAP_TYPE_HASH, 0, ADDRESSES_ENTRIES};
	case TABLE_interfaces: return (struct shape){BPF_MAP_TYPE_HASH, 0, INTERFACES_ENTRIES};
	case TABLE_names_short: return (struct shape){BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 4096};
	case TABLE_names_long: return (struct shape){BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 1024};
	case TABLE_topology4:
	case TABLE_topology6: return (struct shape){BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, 100000};
	case TABLE_indices: return (struct shape){BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 4096};
	case TABLE_answers: return (struct shape){BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 64};
	case TABLE_counters: return (struct shape){BPF_MAP_TYPE_PERCPU_ARRAY, 0, 1};
	case TABLE_service_hits: return (struct shape){BPF_MAP_TYPE_PERCPU_ARRAY, 0, 4096};
	case TABLE_region_hits: return (struct shape){BPF_MAP_TYPE_PERCPU_ARRAY, 0, 4096};
	case TABLE_fallback_counters: return (struct shape){BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, FALLBACK_WORKERS_MAX};
	case TABLE_health:
	case TABLE_cookies: return (struct shape){BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 1};
	case TABLE_capture: return (struct shape){BPF_MAP_TYPE_ARRAY, 0, 1};
	case TABLE_capture_counts: return (struct shape){BPF_MAP_TYPE_PERCPU_ARRAY, 0, 1};
	case TABLE_captured: return (struct shape){BPF_MAP_TYPE_RINGBUF, 0, CAPTURED_OCTETS};
	default: return (struct shape){BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 4096};
	}
}

struct fixture {
	char directory[64];
	char pins[80], path[80];
	struct tables tables;
	struct state state;
	struct publisher publisher;
	struct ids ids;
	struct faults faults;
};

static void make_tables(const char *pins, const uint32_t entries[TABLE_COUNT])
{
	static const struct { uint32_t key, value; } sizes[] = {
#define X(name, key, value) { key, value },
		TABLES(X)
#undef X
	};
	char path[128];

	for (int table = 0; table < TABLE_COUNT; table++) {
		struct shape shape = shape_of(table);
		LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = shape.flags);
		int map = bpf_map_create(shape.type, table_name(table), sizes[table].key, sizes[table].value,
					 entries && entries[table] ? entries[table] : shape.entries, &options);

		assert_true(map >= 0);
		snprintf(path, sizeof(path), "%s/%s", pins, table_name(table));
		assert_int_equal(bpf_obj_pin(map, path), 0);
		close(map);
	}
}

static void open_all(struct fixture *fixture)
{
	char error[512] = "";

	if (tables_open(&fixture->tables, fixture->pins, TABLES_WRITE, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(state_open(&fixture->state, fixture->path), 0);
	assert_int_equal(publisher_init(&fixture->publisher, &fixture->tables, &fixture->state, &fixture->faults), 0);
	ids_init(&fixture->ids, 4096, 4096);
}

static void close_all(struct fixture *fixture)
{
	publisher_free(&fixture->publisher);
	state_close(&fixture->state);
	tables_close(&fixture->tables);
	ids_free(&fixture->ids);
}

static struct fixture *begin(const uint32_t entries[TABLE_COUNT])
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	faults_init(&fixture->faults);
	strcpy(fixture->directory, "/tmp/test_publish.XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->pins, sizeof(fixture->pins), "%s/pins", fixture->directory);
	snprintf(fixture->path, sizeof(fixture->path), "%s/state", fixture->directory);
	assert_int_equal(mkdir(fixture->pins, 0700), 0);
	assert_int_equal(mkdir(fixture->path, 0700), 0);
	assert_int_equal(mount("bpf", fixture->pins, "bpf", 0, NULL), 0);
	assert_int_equal(mount("tmpfs", fixture->path, "tmpfs", 0, "size=" STATE_OCTETS), 0);
	make_tables(fixture->pins, entries);
	open_all(fixture);
	return fixture;
}

static void end(struct fixture *fixture)
{
	close_all(fixture);
	faults_free(&fixture->faults);
	umount2(fixture->pins, MNT_DETACH);
	umount2(fixture->path, MNT_DETACH);
	rmdir(fixture->pins);
	rmdir(fixture->path);
	rmdir(fixture->directory);
	free(fixture);
}

/* For main(): mounts that vanish with the process. False: not root. */
static bool fixture_namespace(void)
{
	if (!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return true;
	perror("this test needs root, for tables and mounts of its own");
	return false;
}

#endif
