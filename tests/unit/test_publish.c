// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Publishing into real tables: what a slot holds after any order of pushes, failures and ends of the process. Needs root; runs
 * in a mount namespace of its own, with a bpffs and a small tmpfs for the state.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/publish_fixture.h"
#include "user/common/lookup.h"
#include "user/controller/home.h"

/* -- configurations, as the compiler makes them -- */

static uint64_t random_state = 1;

static uint32_t random_number(void)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return random_state >> 33;
}

static void random_prefixes(struct topology_prefix *prefixes, size_t count, unsigned int length, unsigned int regions)
{
	memset(prefixes, 0, count * sizeof(*prefixes));
	for (size_t i = 0; i < count; i++) {
		for (unsigned int octet = 0; octet < length / 8; octet++)
			prefixes[i].address[octet] = random_number();
		prefixes[i].length = length;
		prefixes[i].region = prefixes[i].address[0] % regions;	/* duplicates agree */
	}
}

static void make_topology(struct compiled_topology *topology, uint16_t number, unsigned int regions, size_t prefixes,
			  uint32_t first_id)
{
	struct topology_prefix *v4 = calloc(prefixes + 1, sizeof(*v4)), *v6 = calloc(prefixes + 1, sizeof(*v6));

	snprintf(topology->name, sizeof(topology->name), "topology%u", number);
	topology->number = number;
	topology->regions = calloc(regions, sizeof(*topology->regions));
	topology->region_count = regions;
	for (unsigned int i = 0; i < regions; i++) {
		snprintf(topology->regions[i].name, sizeof(topology->regions[i].name), "region%u", i);
		topology->regions[i].id = number == TOPOLOGY_TRUST ? 0 : first_id + i;
	}
	random_prefixes(v4, prefixes, 24, regions);
	random_prefixes(v6, prefixes, 48, regions);
	assert_int_equal(topology_compile(v4, prefixes, v6, prefixes, 0, &topology->v4, &topology->v6), 0);
	free(v4);
	free(v6);
}

static void make_service(struct compiled_service *service, unsigned int number, unsigned int regions)
{
	static const uint8_t label[] = "\x3f" "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk";
	size_t at = 0;

	if (number % 8 == 7) {		/* a long name */
		memcpy(service->name, label, 64);
		at = 64;
	}
	service->name[at] = snprintf((char *)service->name + at + 1, 32, "host%u", number);
	at += service->name[at] + 1;
	service->name[at++] = 0;
	service->name_length = at;
	service->text = "service";
	service->value.id = number + 1;
	service->value.index = number * (SERVICE_COMMON + regions * SERVICE_TYPES);
	service->value.ttl = 10 + number;
	service->value.topology = 1;
	service->value.regions = regions;
	service->value.types = 1 << SERVICE_AAAA;
	service->value.flags = SERVICE_ECS;
}

/* Everything follows from the seed. */
static struct compiled *make_compiled(uint64_t seed, size_t services, unsigned int regions, size_t prefixes)
{
	struct compiled *compiled = calloc(1, sizeof(*compiled));

	random_state = seed;
	compiled->settings.flags = SETTINGS_ECS | SETTINGS_TRUST_ALL;
	compiled->settings.own_addresses = seed;
	compiled->address_count = 1 + seed % 3;
	compiled->addresses = calloc(compiled->address_count, sizeof(*compiled->addresses));
	for (size_t i = 0; i < compiled->address_count; i++)
		compiled->addresses[i][15] = i + 1;
	compiled->topology_count = 2;
	compiled->topologies = calloc(2, sizeof(*compiled->topologies));
	make_topology(&compiled->topologies[0], TOPOLOGY_TRUST, 2, 3, 0);
	make_topology(&compiled->topologies[1], 1, regions, prefixes, 1);
	compiled->service_count = services;
	compiled->services = calloc(services + 1, sizeof(*compiled->services));
	for (size_t i = 0; i < services; i++)
		make_service(&compiled->services[i], i, regions);
	compiled->answer_count = 1 + seed % 20;
	compiled->answers = calloc(compiled->answer_count, sizeof(*compiled->answers));
	for (size_t i = 0; i < compiled->answer_count; i++)
		for (size_t octet = 0; octet < ANSWER_OCTETS; octet++)
			compiled->answers[i].octets[octet] = random_number();
	compiled->index_count = services * (SERVICE_COMMON + regions * SERVICE_TYPES);
	compiled->indices = calloc(compiled->index_count + 1, sizeof(*compiled->indices));
	for (size_t i = 0; i < compiled->index_count; i++)
		compiled->indices[i] = random_number() % (compiled->answer_count + 1);
	return compiled;
}

static void free_compiled(struct compiled *compiled)
{
	for (size_t i = 0; i < compiled->topology_count; i++) {
		topology_free(&compiled->topologies[i].v4);
		topology_free(&compiled->topologies[i].v6);
		free(compiled->topologies[i].regions);
	}
	free(compiled->topologies);
	free(compiled->addresses);
	free(compiled->services);
	free(compiled->answers);
	free(compiled->indices);
	free(compiled);
}

/* No pools stand behind these services: health has no say. */
static struct config_preference no_pools[16];
static struct config_topology no_topology;
static struct config_service no_service = {.regions = no_pools};
static const struct config no_config = {
	.topologies = &no_topology, .topology_count = 1, .services = &no_service, .service_count = 1,
};

static int push(struct fixture *fixture, struct compiled *compiled, struct image_changes *changes)
{
	struct image_changes ignored;
	struct publication publication = {.config = &no_config, .compiled = compiled, .ids = &fixture->ids, .bundle = "bundle", .length = 6};

	assert_int_equal(publisher_next(&fixture->publisher, &publication.generation), 0);
	return publish(&fixture->publisher, &publication, changes ? changes : &ignored, &fixture->faults);
}

/* Does the live slot serve just this? */
static bool is_live(struct fixture *fixture, struct compiled *compiled)
{
	const struct publication publication = {
		.generation = publisher_generation(&fixture->publisher), .config = &no_config, .compiled = compiled,
	};
	struct reaction_difference difference;
	int fault = publisher_adopt(&fixture->publisher, &publication, &difference, &fixture->faults);

	assert_true(!fault || fault == -EINVAL);
	return !fault && !difference.by_health && !difference.otherwise;
}

/* -- what a slot holds, seen from outside: read back and compared with a fresh publication -- */

static void assert_slot_is(struct fixture *fixture, uint32_t slot, const struct compiled *compiled)
{
	struct image images[GENERATION_SLOTS], wanted;
	const struct answer *answers = fixture->tables.answers + slot * 32 + 1;
	static const struct answer empty;

	for (int i = 0; i < GENERATION_SLOTS; i++)
		image_init(&images[i], i);
	assert_int_equal(image_read(images, &fixture->tables), 0);
	assert_int_equal(image_build(&wanted, slot, compiled, &fixture->tables, fixture->publisher.draw_key,
				     &fixture->faults), 0);
	assert_true(image_equal(&images[slot], &wanted));
	for (size_t i = 0; i < compiled->index_count; i++)
		assert_int_equal(*tables_index(&fixture->tables, slot * 2048 + i), wanted.indices[i]);
	assert_memory_equal(answers, compiled->answers, compiled->answer_count * sizeof(*answers));
	for (size_t i = compiled->index_count; i < 2048; i++)
		assert_int_equal(*tables_index(&fixture->tables, slot * 2048 + i), 0);
	for (size_t i = compiled->answer_count; i < 31; i++)
		assert_memory_equal(&answers[i], &empty, sizeof(empty));
	image_free(&wanted);
	image_free(&images[0]);
	image_free(&images[1]);
}

static void test_order_does_not_matter(void **unused)
{
	struct compiled *a = make_compiled(5, 40, 6, 300), *b = make_compiled(18, 12, 9, 500);
	struct compiled *const order[] = {a, b, a, a, b, b, b, a};
	struct fixture *fixture = begin(NULL);

	(void)unused;
	for (uint32_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		assert_int_equal(push(fixture, order[i], NULL), 0);
		assert_int_equal(publisher_generation(&fixture->publisher), i + 1);
		assert_slot_is(fixture, (i + 1) % 2, order[i]);
		if (i)
			assert_slot_is(fixture, i % 2, order[i - 1]);
		assert_true(is_live(fixture, order[i]));
		assert_false(is_live(fixture, order[i] == a ? b : a));
	}
	free_compiled(a);
	free_compiled(b);
	end(fixture);
}

static void test_restart_reads_back(void **unused)
{
	struct compiled *a = make_compiled(5, 40, 6, 300), *b = make_compiled(18, 12, 9, 500);
	struct fixture *fixture = begin(NULL);
	struct image_changes changes;

	(void)unused;
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(push(fixture, b, NULL), 0);
	close_all(fixture);
	open_all(fixture);
	assert_int_equal(publisher_generation(&fixture->publisher), 2);
	assert_int_equal(publisher_read(&fixture->publisher, &fixture->faults), 0);
	assert_true(is_live(fixture, b));
	assert_int_equal(push(fixture, a, &changes), 0);	/* slot 1 holds a */
	assert_int_equal(changes.written, 0);
	assert_int_equal(changes.deleted, 0);
	assert_slot_is(fixture, 1, a);
	assert_slot_is(fixture, 0, b);
	free_compiled(a);
	free_compiled(b);
	end(fixture);
}

/* A process that ends at any moment leaves the live slot whole, and the next one repairs the other. */
static void test_killed_at_any_moment(void **unused)
{
	struct compiled *a = make_compiled(5, 40, 6, 3000), *b = make_compiled(18, 12, 9, 3000);
	struct fixture *fixture = begin(NULL);
	int cut_short = 0;

	(void)unused;
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(push(fixture, a, NULL), 0);
	for (int i = 0; i < 30; i++) {
		uint32_t before = publisher_generation(&fixture->publisher), after;
		pid_t child = fork();
		int status;

		if (!child) {
			_exit(push(fixture, b, NULL) ? 1 : 0);
		}
		usleep(i * 700);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		cut_short += WIFSIGNALED(status);
		after = publisher_generation(&fixture->publisher);
		assert_true(after == before || after == before + 1);
		assert_slot_is(fixture, after % 2, after == before ? a : b);
		publisher_free(&fixture->publisher);	/* a new process knows nothing */
		assert_int_equal(push(fixture, a, NULL), 0);
		assert_slot_is(fixture, publisher_generation(&fixture->publisher) % 2, a);
		assert_int_equal(push(fixture, a, NULL), 0);
		assert_slot_is(fixture, publisher_generation(&fixture->publisher) % 2, a);
	}
	assert_true(cut_short > 0);
	free_compiled(a);
	free_compiled(b);
	end(fixture);
}

static void assert_fault_says(struct fixture *fixture, const char *text)
{
	for (size_t i = 0; i < fixture->faults.count; i++)
		if (strstr(fixture->faults.list[i].text, text))
			return;
	fail_msg("no fault says \"%s\"", text);
}

static void test_table_too_small(void **unused)
{
	struct compiled *small = make_compiled(5, 10, 6, 100), *large = make_compiled(6, 10, 6, 1000);
	uint32_t entries[TABLE_COUNT] = {[TABLE_topology6] = 1000};
	struct fixture *fixture = begin(entries);

	(void)unused;
	assert_int_equal(push(fixture, small, NULL), 0);
	assert_int_equal(push(fixture, large, NULL), -E2BIG);
	assert_fault_says(fixture, "--topology6");
	assert_fault_says(fixture, "it has 1000 entries");
	assert_int_equal(publisher_generation(&fixture->publisher), 1);
	assert_slot_is(fixture, 1, small);
	assert_int_equal(push(fixture, small, NULL), 0);
	assert_slot_is(fixture, 0, small);
	free_compiled(small);
	free_compiled(large);
	end(fixture);
}

static void test_too_many_answers_and_ids(void **unused)
{
	struct compiled *good = make_compiled(5, 10, 6, 10), *bad = make_compiled(5, 10, 6, 10);
	struct fixture *fixture = begin(NULL);

	(void)unused;
	assert_int_equal(push(fixture, good, NULL), 0);
	bad->answers = reallocarray(bad->answers, 32, sizeof(*bad->answers));
	bad->answer_count = 32;		/* of 64, half is a slot's, and number 0 is nobody's */
	bad->services[3].value.id = 4096;
	assert_int_equal(push(fixture, bad, NULL), -E2BIG);
	assert_fault_says(fixture, "--answers");
	assert_fault_says(fixture, "--services");
	assert_int_equal(publisher_generation(&fixture->publisher), 1);
	free_compiled(good);
	free_compiled(bad);
	end(fixture);
}

/* Before Linux 6.13 an entry of a full LPM trie cannot be updated. */
static void test_full_trie_changes(void **unused)
{
	struct compiled *a = make_compiled(5, 10, 6, 100), *b = make_compiled(5, 10, 6, 100);
	size_t count = a->topologies[0].v6.count + a->topologies[1].v6.count;
	uint32_t entries[TABLE_COUNT] = {[TABLE_topology6] = 2 * count};
	struct fixture *fixture = begin(entries);

	(void)unused;
	for (unsigned int i = 0; i < 6; i++)
		b->topologies[1].regions[i].id += 100;
	for (int i = 0; i < 6; i++) {
		assert_int_equal(push(fixture, i / 2 % 2 ? b : a, NULL), 0);
		assert_slot_is(fixture, (i + 1) % 2, i / 2 % 2 ? b : a);
	}
	free_compiled(a);
	free_compiled(b);
	end(fixture);
}

static void test_disk_full(void **unused)
{
	struct compiled *a = make_compiled(5, 10, 6, 100), *b = make_compiled(6, 10, 6, 100);
	struct fixture *fixture = begin(NULL);
	struct publication publication = {.generation = 2, .config = &no_config, .compiled = b, .ids = &fixture->ids, .length = 1 << 20};
	struct image_changes changes;
	struct state_bundle *bundles;
	uint32_t linked;
	size_t count;
	void *bundle = calloc(1, publication.length);

	(void)unused;
	publication.bundle = bundle;
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(publish(&fixture->publisher, &publication, &changes, &fixture->faults), -ENOSPC);
	assert_fault_says(fixture, "nothing was published");
	assert_int_equal(publisher_generation(&fixture->publisher), 1);
	assert_slot_is(fixture, 1, a);
	assert_int_equal(state_bundles(&fixture->state, &bundles, &count), 0);
	assert_int_equal(count, 1);
	free(bundles);
	assert_int_equal(state_live(&fixture->state, &linked), 0);
	assert_int_equal(linked, 1);
	assert_int_equal(push(fixture, b, NULL), 0);
	assert_slot_is(fixture, 0, b);
	free(bundle);
	free_compiled(a);
	free_compiled(b);
	end(fixture);
}

/* An address near a prefix of either family and topology, and what the compiler says of it. */
struct near {
	uint8_t topology, family, address[16], scope;
	uint32_t region;
};

static struct near make_near(const struct compiled *compiled)
{
	int is_v6 = random_number() % 2, topology = random_number() % 2;
	const struct topology_family *family = is_v6 ? &compiled->topologies[topology].v6 : &compiled->topologies[topology].v4;
	struct near near = { .topology = topology, .family = is_v6 ? ECS_FAMILY_IPV6 : ECS_FAMILY_IPV4 };

	memcpy(near.address, family->entries[random_number() % family->count].address, sizeof(near.address));
	for (int octet = random_number() % 7; octet < (is_v6 ? 16 : 4); octet++)
		near.address[octet] = random_number();
	assert_int_equal(topology_lookup(family, is_v6 ? 128 : 32, near.address, &near.region, &near.scope), 0);
	return near;
}

/* Whether the tables or what is remembered of them have an entry; it must be the right one. */
static int near_is_found(const struct near *near, struct lookup *lookup)
{
	struct selection selection = { .family = near->family };

	memcpy(selection.address, near->address, sizeof(selection.address));
	if (select_region(&selection, lookup, near->topology) != REASON_GO)
		return 0;
	assert_int_equal(selection.region, near->region);
	assert_int_equal(selection.block, near->scope);
	return 1;
}

/* The kernel's longest match over what was published is what the compiler says, for 10,000 random prefixes a family. */
static void test_ten_thousand_prefixes(void **unused)
{
	struct compiled *a = make_compiled(7, 10, 12, 10000);
	struct fixture *fixture = begin(NULL);
	struct lookup lookup = { .cache = calloc(1, sizeof(struct lookup_cache)) };

	(void)unused;
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(lookup_begin(&lookup, &fixture->tables), REASON_GO);
	for (int i = 0; i < 20000; i++) {
		struct near near = make_near(a);
		struct lookup plain = lookup;

		plain.cache = NULL;
		assert_true(near_is_found(&near, &plain));
		assert_true(near_is_found(&near, &lookup));
		assert_true(near_is_found(&near, &lookup));
	}
	free(lookup.cache);
	free_compiled(a);
	end(fixture);
}

#define NEARS 100

/* Another address of the same part of the block. */
static struct near make_neighbour(const struct near *near)
{
	struct near neighbour = *near;

	for (int bit = (near->scope + 3) / 4 * 4; bit < (near->family == ECS_FAMILY_IPV6 ? 128 : 32); bit++)
		neighbour.address[bit / 8] ^= (random_number() & 1) << (7 - bit % 8);
	return neighbour;
}

/*
 * What a reader remembers of a block needs no table, is right for every address of it, and is forgotten with its generation,
 * although the generation after the next has the same slot.
 */
static void test_blocks_are_remembered(void **unused)
{
	struct compiled *const order[] = {make_compiled(5, 10, 6, 100), make_compiled(6, 10, 9, 100), make_compiled(7, 10, 4, 100)};
	struct fixture *fixture = begin(NULL);
	struct lookup lookup = { .cache = calloc(1, sizeof(struct lookup_cache)) };
	struct near nears[NEARS], neighbour;

	(void)unused;
	for (int push_number = 0; push_number < 9; push_number++) {
		struct tables none = fixture->tables;
		int remembered = 0, i;

		none.fd[TABLE_topology4] = none.fd[TABLE_topology6] = -1;
		assert_int_equal(push(fixture, order[push_number % 3], NULL), 0);
		for (i = 0; i < NEARS; i++)
			nears[i] = make_near(order[push_number % 3]);
		assert_int_equal(lookup_begin(&lookup, &none), REASON_GO);
		for (i = 0; i < NEARS; i++)
			assert_false(near_is_found(&nears[i], &lookup));
		assert_int_equal(lookup_begin(&lookup, &fixture->tables), REASON_GO);
		for (i = 0; i < NEARS; i++)
			assert_true(near_is_found(&nears[i], &lookup));
		assert_int_equal(lookup_begin(&lookup, &none), REASON_GO);
		for (i = 0; i < NEARS; i++) {
			neighbour = make_neighbour(&nears[i]);
			remembered += near_is_found(&neighbour, &lookup);
		}
		assert_in_range(remembered, NEARS * 3 / 4, NEARS);	/* but for those whose place another one took */
	}
	free(lookup.cache);
	for (int i = 0; i < 3; i++)
		free_compiled(order[i]);
	end(fixture);
}

static void test_small_change_is_small(void **unused)
{
	struct compiled *a = make_compiled(7, 10, 12, 10000), *b = make_compiled(7, 10, 12, 10000);
	struct fixture *fixture = begin(NULL);
	struct image_changes changes;

	(void)unused;
	b->topologies[1].v6.entries[4711].region = (b->topologies[1].v6.entries[4711].region + 1) % 12;
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(push(fixture, b, &changes), 0);
	assert_int_equal(changes.written, 1);
	assert_int_equal(changes.deleted, 1);
	assert_slot_is(fixture, 1, b);
	free_compiled(a);
	free_compiled(b);
	end(fixture);
}

static void test_dry_run_changes_nothing(void **unused)
{
	struct compiled *a = make_compiled(5, 10, 6, 100), *b = make_compiled(6, 10, 6, 100);
	struct fixture *fixture = begin(NULL);
	struct publication publication = {.generation = 3, .config = &no_config, .compiled = b, .ids = &fixture->ids, .bundle = "x", .length = 1};

	(void)unused;
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(publish_try(&fixture->publisher, &publication, &fixture->faults), 0);
	assert_int_equal(publisher_generation(&fixture->publisher), 2);
	assert_slot_is(fixture, 0, a);
	assert_slot_is(fixture, 1, a);
	publication.generation = 4;	/* the live slot's parity */
	assert_int_equal(publish_try(&fixture->publisher, &publication, &fixture->faults), -EINVAL);
	free_compiled(a);
	free_compiled(b);
	end(fixture);
}

/* An id that goes to another name begins to count anew. */
static void test_names_and_counters(void **unused)
{
	struct compiled *a = make_compiled(5, 2, 2, 10);
	struct fixture *fixture = begin(NULL);
	struct service_name name;
	uint64_t *counts = calloc(256, sizeof(*counts));
	struct region_name region;
	uint32_t id = 1;

	(void)unused;
	assert_int_equal(ids_number(&fixture->ids.services, "one.example", &id), 0);
	a->services[0].text = "one.example";
	a->services[0].value.id = id;
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(bpf_map_lookup_elem(fixture->tables.fd[TABLE_service_names], &id, &name), 0);
	assert_string_equal(name.name, "one.example");
	counts[0] = 17;
	assert_int_equal(bpf_map_update_elem(fixture->tables.fd[TABLE_service_hits], &id, counts, BPF_ANY), 0);
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(bpf_map_lookup_elem(fixture->tables.fd[TABLE_service_hits], &id, counts), 0);
	assert_int_equal(counts[0], 17);
	a->services[0].text = "two.example";
	assert_int_equal(push(fixture, a, NULL), 0);
	assert_int_equal(bpf_map_lookup_elem(fixture->tables.fd[TABLE_service_hits], &id, counts), 0);
	assert_int_equal(counts[0], 0);
	id = 2;		/* never given by the ids: dropped behind the push */
	assert_int_equal(bpf_map_lookup_elem(fixture->tables.fd[TABLE_service_names], &id, &name), -ENOENT);
	id = 1;
	assert_int_equal(bpf_map_lookup_elem(fixture->tables.fd[TABLE_region_names], &id, &region), -ENOENT);
	free(counts);
	free_compiled(a);
	end(fixture);
}

static void test_state_directory(void **unused)
{
	struct fixture *fixture = begin(NULL);
	uint8_t key[STATE_KEY_OCTETS], again[STATE_KEY_OCTETS];
	struct state_bundle *bundles;
	struct state second;
	struct stat facts;
	char path[128];
	size_t count;
	uint32_t live;

	(void)unused;
	assert_int_equal(state_open(&second, fixture->path), -EWOULDBLOCK);
	assert_int_equal(state_draw_key(&fixture->state, key), 0);
	assert_int_equal(state_draw_key(&fixture->state, again), 0);
	assert_memory_equal(key, again, sizeof(key));
	snprintf(path, sizeof(path), "%s/draw.key", fixture->path);
	assert_int_equal(stat(path, &facts), 0);
	assert_int_equal(facts.st_mode & 0777, 0600);
	assert_int_equal(state_live(&fixture->state, &live), -ENOENT);
	for (uint32_t i = 1; i <= 12; i++)
		assert_int_equal(state_bundle_write(&fixture->state, i, "x", 1), 0);
	assert_int_equal(state_set_live(&fixture->state, 11), 0);
	assert_int_equal(state_live(&fixture->state, &live), 0);
	assert_int_equal(live, 11);
	assert_int_equal(state_prune(&fixture->state, 11, 3), 0);
	assert_int_equal(state_bundles(&fixture->state, &bundles, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(bundles[0].generation, 9);
	assert_int_equal(bundles[2].generation, 11);	/* 12 was never live */
	free(bundles);
	end(fixture);
}

/* -- tables beside those that are served -- */

static uint32_t next_number(const struct fixture *fixture)
{
	uint32_t number = 0;

	assert_int_equal(publisher_next(&fixture->publisher, &number), 0);
	return number;
}

/* Above all that were published, and never of the slot that is read. */
static void test_next_number(void **unused)
{
	struct fixture *fixture = begin(NULL);
	volatile uint32_t *held = &fixture->tables.control->generation;

	(void)unused;
	assert_int_equal(next_number(fixture), 1);
	assert_int_equal(state_bundle_write(&fixture->state, 8, "x", 1), 0);
	assert_int_equal(state_set_live(&fixture->state, 8), 0);
	assert_int_equal(next_number(fixture), 9);
	*held = 8;
	assert_int_equal(next_number(fixture), 9);
	*held = 4;	/* left behind by an upgrade */
	assert_int_equal(next_number(fixture), 9);
	*held = 5;
	assert_int_equal(next_number(fixture), 10);
	*held = 9;	/* the directory is the older one */
	assert_int_equal(next_number(fixture), 10);
	end(fixture);
}

/* Published from another controller's directory: nothing there is touched. */
static void test_beside(void **unused)
{
	struct compiled *a = make_compiled(5, 10, 6, 100);
	struct fixture *fixture = begin(NULL);
	struct publication publication = {
		.generation = 7, .config = &no_config, .compiled = a, .ids = &fixture->ids, .is_beside = true,
	};
	struct image_changes ignored;
	struct state_bundle *bundles;
	uint32_t live;
	size_t count;

	(void)unused;
	assert_int_equal(state_bundle_write(&fixture->state, 6, "x", 1), 0);
	assert_int_equal(state_bundle_write(&fixture->state, 9, "x", 1), 0);
	assert_int_equal(publish(&fixture->publisher, &publication, &ignored, &fixture->faults), 0);
	assert_int_equal(publisher_generation(&fixture->publisher), 7);
	assert_slot_is(fixture, 1, a);
	assert_int_equal(state_live(&fixture->state, &live), -ENOENT);
	assert_int_equal(state_bundles(&fixture->state, &bundles, &count), 0);
	assert_int_equal(count, 2);
	free(bundles);
	assert_int_equal(faccessat(fixture->state.directory, "ids.json", F_OK, 0), -1);
	free_compiled(a);
	end(fixture);
}

static void test_home(void **unused)
{
	struct fixture *fixture = begin(NULL), *other = begin(NULL);
	struct state beside;

	(void)unused;
	assert_false(home_is_elsewhere(&fixture->state, &fixture->tables));	/* not known */
	assert_int_equal(home_write(&fixture->state, &fixture->tables, "here"), 0);
	assert_false(home_is_elsewhere(&fixture->state, &fixture->tables));
	assert_true(home_is_elsewhere(&fixture->state, &other->tables));
	assert_int_equal(home_write(&fixture->state, &other->tables, "there"), 0);
	assert_true(home_is_elsewhere(&fixture->state, &fixture->tables));
	assert_int_equal(state_write(&fixture->state, "home.json", "{", 1, 0640), 0);
	assert_false(home_is_elsewhere(&fixture->state, &fixture->tables));	/* spoilt: not known */
	assert_int_equal(state_open_beside(&beside, fixture->path), 0);		/* while it is locked */
	state_close(&beside);
	assert_int_equal(state_open_beside(&beside, "/nowhere"), -ENOENT);
	end(fixture);
	end(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_restart_reads_back),
		cmocka_unit_test(test_killed_at_any_moment),
		cmocka_unit_test(test_table_too_small),
		cmocka_unit_test(test_too_many_answers_and_ids),
		cmocka_unit_test(test_full_trie_changes),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_ten_thousand_prefixes),
		cmocka_unit_test(test_blocks_are_remembered),
		cmocka_unit_test(test_small_change_is_small),
		cmocka_unit_test(test_dry_run_changes_nothing),
		cmocka_unit_test(test_names_and_counters),
		cmocka_unit_test(test_state_directory),
		cmocka_unit_test(test_next_number),
		cmocka_unit_test(test_beside),
		cmocka_unit_test(test_home),
	};

	if (!fixture_namespace())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
