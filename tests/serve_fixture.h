/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The fallback's answer function without a kernel, for test_serve and fuzz_serve: a configuration goes the whole way
 * (bundle, parser, zones, compiler, image of a slot) into tables that are memory, and the two calls that read keyed maps
 * are defined here in place of libbpf's. Include it in one file of a program.
 */
#ifndef ECSDNS_TESTS_SERVE_FIXTURE_H
#define ECSDNS_TESTS_SERVE_FIXTURE_H

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/common/bundle.h"
#include "user/controller/image.h"
#include "user/fallback/serve.h"

#define FIXTURE_INDICES 4096
#define FIXTURE_ANSWERS 256

struct fixture_file {
	const char *name, *content;
};

struct fixture {
	char state[PATH_MAX];
	struct tables tables;
	struct control control;
	struct settings settings[GENERATION_SLOTS];
	uint64_t indices[FIXTURE_INDICES];
	struct answer answers[FIXTURE_ANSWERS];
	struct reasons counters[FALLBACK_WORKERS_MAX];
	struct image images[GENERATION_SLOTS];
	struct generations generations;
	struct cookies cookies;
	struct policy policy;
	struct serve serve;
	struct message message;
	unsigned int lookups;		/* made so far */
	void (*on_lookup)(void);	/* called before each; may be null */
};

static struct fixture fixture;

static void __attribute__((noreturn)) fixture_fail(const char *what, const struct faults *faults)
{
	fprintf(stderr, "fixture: %s\n", what);
	if (faults)
		faults_print(faults, stderr);
	abort();
}

static void fixture_start(void)
{
	struct tables *tables = &fixture.tables;

	memset(tables->fd, -1, sizeof(tables->fd));
	for (int table = 0; table < TABLE_COUNT; table++) {
		tables->fd[table] = table;
		tables->entries[table] = 1024;
	}
	tables->entries[TABLE_indices] = FIXTURE_INDICES;
	tables->entries[TABLE_answers] = FIXTURE_ANSWERS;
	tables->control = &fixture.control;
	tables->settings = fixture.settings;
	tables->indices = (uint32_t *)fixture.indices;
	tables->answers = fixture.answers;
	tables->fallback_counters = fixture.counters;
	tables->cookies = &fixture.cookies;
	snprintf(fixture.state, sizeof(fixture.state), "/tmp/serve_fixture.XXXXXX");
	if (!mkdtemp(fixture.state))
		fixture_fail("no directory below /tmp", NULL);
	for (uint32_t slot = 0; slot < GENERATION_SLOTS; slot++)
		image_init(&fixture.images[slot], slot);
	fixture.generations.tables = tables;
	fixture.generations.state = fixture.state;
	fixture.serve.generations = &fixture.generations;
	fixture.serve.policy = &fixture.policy;
	fixture.policy.tcp_idle_ms = 10000;
	fixture.cookies.changes = 1;
	fixture.cookies.sets[1] = (struct cookie_secrets){ .count = 1, .keys = {{{ 0x0123456789abcdef, 0xfedcba9876543210 }}} };
}

static void fixture_path(char path[PATH_MAX], uint32_t generation)
{
	if (snprintf(path, PATH_MAX, "%s/generations/%u.tar", fixture.state, generation) >= PATH_MAX)
		fixture_fail("path too long", NULL);
}

static void fixture_keep(const struct bundle *bundle, uint32_t generation)
{
	char path[PATH_MAX];
	size_t length;
	void *archive;
	FILE *to;

	fixture_path(path, generation);
	*strrchr(path, '/') = 0;
	mkdir(path, 0700);
	fixture_path(path, generation);
	to = fopen(path, "w");
	if (!to || bundle_write_tar(bundle, &archive, &length) || fwrite(archive, 1, length, to) != length || fclose(to))
		fixture_fail("keeping the bundle", NULL);
	free(archive);
}

/* Writes a configuration into the slot of the next generation; files[0] is the main file. Not live yet. */
static void fixture_write(const struct fixture_file *files, size_t count)
{
	uint32_t generation = fixture.control.generation + 1, slot = generation % GENERATION_SLOTS;
	const uint64_t draw_key[2] = { 0x0123456789abcdef, 0xfedcba9876543210 };
	struct image *image = &fixture.images[slot];
	struct zone_set *zones = zone_set_new();
	struct compiled *compiled = NULL;
	struct config *config = NULL;
	struct bundle *bundle = NULL;
	struct faults faults;
	struct zone *zone;
	struct ids ids;

	faults_init(&faults);
	ids_init(&ids, 1024, 1024);
	if (!zones || bundle_new(&bundle))
		fixture_fail("memory", NULL);
	for (size_t i = 0; i < count; i++)
		if (bundle_add(bundle, files[i].name, files[i].content, strlen(files[i].content)))
			fixture_fail("bundle", NULL);
	if (config_parse(bundle, 0, &config, &faults))
		fixture_fail("configuration", &faults);
	for (size_t i = 0; i < config->zone_count; i++)
		if (zone_load(config->zones[i].origin.text, config->zones[i].file, bundle, &zone, &faults) ||
		    zone_set_add(zones, zone))
			fixture_fail("zone", &faults);
	if (compile(config, zones, NULL, &ids, &compiled, &faults))
		fixture_fail("compiler", &faults);
	image_free(image);
	image_init(image, slot);
	if (image_build(image, slot, compiled, &fixture.tables, draw_key, &faults))
		fixture_fail("image", &faults);
	fixture.settings[slot] = image->settings;
	for (size_t i = 0; i < image->index_count; i++)
		*tables_index(&fixture.tables, slot * (FIXTURE_INDICES / GENERATION_SLOTS) + i) = image->indices[i];
	memcpy(&fixture.answers[slot * (FIXTURE_ANSWERS / GENERATION_SLOTS) + 1], compiled->answers,
	       compiled->answer_count * sizeof(struct answer));
	fixture_keep(bundle, generation);
	compiled_free(compiled);
	config_free(config);
	zone_set_free(zones);
	bundle_free(bundle);
	ids_free(&ids);
	faults_free(&faults);
}

/* Makes what was written live, in the tables alone. */
static void fixture_flip(void)
{
	__atomic_store_n(&fixture.control.generation, fixture.control.generation + 1, __ATOMIC_RELEASE);
}

static inline void fixture_push(const struct fixture_file *files, size_t count)
{
	fixture_write(files, count);
	fixture_flip();
	if (!generations_look(&fixture.generations) || fixture.generations.live->zones_number != fixture.control.generation)
		fixture_fail("the generation did not load", NULL);
}

static void fixture_stop(void)
{
	char path[PATH_MAX];

	generations_free(&fixture.generations);
	for (uint32_t slot = 0; slot < GENERATION_SLOTS; slot++)
		image_free(&fixture.images[slot]);
	for (uint32_t generation = 1; generation <= fixture.control.generation + 1; generation++) {
		fixture_path(path, generation);
		unlink(path);
	}
	*strrchr(path, '/') = 0;
	rmdir(path);
	rmdir(fixture.state);
}

/* -- libbpf's place -- */

static const struct rows *fixture_rows(int fd, uint32_t slot)
{
	for (int which = 0; which < IMAGE_TABLE_COUNT; which++)
		if ((int)image_table(which) == fd)
			return &fixture.images[slot].rows[which];
	fixture_fail("a look-up in a table that has no keys", NULL);
}

/* Longest match: `fixed` octets of slot and topology, then the address. */
static int fixture_match(const uint8_t *row, const uint8_t *key, uint32_t octets)
{
	uint32_t length, bit;

	memcpy(&length, row, sizeof(length));
	if (memcmp(row + 4, key + 4, 4) || length < TOPOLOGY_KEY_BITS || length > (octets - 4) * 8)
		return -1;
	for (bit = TOPOLOGY_KEY_BITS; bit < length; bit++)
		if ((row[4 + bit / 8] ^ key[4 + bit / 8]) & 0x80 >> bit % 8)
			return -1;
	return length;
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	int best = -1, is_trie = fd == TABLE_topology4 || fd == TABLE_topology6;

	fixture.lookups++;
	if (fixture.on_lookup)
		fixture.on_lookup();
	for (uint32_t slot = 0; slot < GENERATION_SLOTS; slot++) {
		const struct rows *rows = fixture_rows(fd, slot);

		for (size_t i = 0; i < rows->count; i++) {
			int match = is_trie ? fixture_match(rows_key(rows, i), key, rows->key_octets) :
				    memcmp(rows_key(rows, i), key, rows->key_octets) ? -1 : 0;

			if (match <= best)
				continue;
			best = match;
			memcpy(value, rows_value(rows, i), rows->value_octets);
		}
	}
	return best < 0 ? -ENOENT : 0;
}

/* Keys of both slots, the first slot's first. */
int bpf_map_get_next_key(int fd, const void *key, void *next)
{
	int found = !key;

	for (uint32_t slot = 0; slot < GENERATION_SLOTS; slot++) {
		const struct rows *rows = fixture_rows(fd, slot);

		for (size_t i = 0; i < rows->count; i++) {
			if (found) {
				memcpy(next, rows_key(rows, i), rows->key_octets);
				return 0;
			}
			found = !memcmp(rows_key(rows, i), key, rows->key_octets);
		}
	}
	return -ENOENT;
}

/* -- queries -- */

/* The usual client: 198.18.0.2, port 5353, UDP. */
static const struct client fixture_client = { .address = { 198, 18, 0, 2 }, .family = ECS_FAMILY_IPV4, .port = 5353 };

/* Header (id 0x1234, flags) and question into fixture.message; returns the octets. */
static inline uint32_t fixture_question(const char *name, uint16_t type, uint16_t flags)
{
	struct message *message = &fixture.message;
	uint8_t wire[256];
	size_t length;

	if (zone_name_parse(name, wire))
		fixture_fail(name, NULL);
	length = zone_name_length(wire);
	memset(message->octets, 0, HEADER_OCTETS);
	message_put_u16(message, 0, 0x1234);
	message_put_u16(message, 2, flags);
	message_put_u16(message, 4, 1);
	memcpy(message->octets + HEADER_OCTETS, wire, length);
	message_put_u16(message, HEADER_OCTETS + length, type);
	message_put_u16(message, HEADER_OCTETS + length + 2, CLASS_IN);
	return HEADER_OCTETS + length + 4;
}

static uint32_t fixture_append(uint32_t at, const void *octets, size_t length)
{
	memcpy(fixture.message.octets + at, octets, length);
	return at + length;
}

/* An OPT record with these options behind the question; counts it. */
static inline uint32_t fixture_opt(uint32_t at, uint16_t size, const void *options, size_t length)
{
	const uint8_t opt[OPT_OCTETS] = { 0, 0, TYPE_OPT, size >> 8, size & 0xff, 0, 0, 0, 0, length >> 8, length & 0xff };

	at = fixture_append(at, opt, sizeof(opt));
	message_put_u16(&fixture.message, 10, message_u16(&fixture.message, 10) + 1);
	return length ? fixture_append(at, options, length) : at;
}

#endif
