// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What a reader remembers of blocks of addresses (user/common/blocks_cache.h) beside a reader that remembers nothing: random
 * prefixes of all lengths, asked for at their edges, in several topologies and generations.
 *
 *	ECSDNS_SEED=N	where the random numbers start
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <time.h>

#include "tests/serve_fixture.h"

#define TOPOLOGIES 4		/* the first has no prefixes */
#define PREFIXES 40		/* of each family */
#define GENERATIONS 5
#define LOOKUPS 6000		/* a generation */

static const char regions[][4] = { "one", "two", "six" };
static struct prefix {
	uint8_t address[16], family, length;
} asked[TOPOLOGIES * PREFIXES * 2];
static unsigned int count;

static unsigned int below(unsigned int limit)
{
	return (unsigned int)random() % limit;
}

/* Few different octets, so that prefixes lie within each other. */
static struct prefix make_prefix(uint8_t family)
{
	uint8_t bits = family == ECS_FAMILY_IPV4 ? 32 : 128;
	struct prefix prefix = { .family = family, .length = 1 + below(bits) };

	if (!below(8))
		prefix.length = bits;
	for (unsigned int i = 0; i < 16 && i * 8 < prefix.length; i++)
		prefix.address[i] = 0x20 | below(2) << below(8);
	if (prefix.length % 8)
		prefix.address[prefix.length / 8] &= 0xff00 >> prefix.length % 8;
	return prefix;
}

/* One that the topology does not have yet. */
static void put_prefix(char *yaml, uint8_t family)
{
	unsigned int first = count / (2 * PREFIXES) * 2 * PREFIXES, i;
	char text[INET6_ADDRSTRLEN];

	do {
		asked[count] = make_prefix(family);
		for (i = first; i < count && memcmp(&asked[i], &asked[count], sizeof(asked[i])); i++)
			;
	} while (i < count);
	inet_ntop(family == ECS_FAMILY_IPV4 ? AF_INET : AF_INET6, asked[count].address, text, sizeof(text));
	sprintf(yaml + strlen(yaml), "%s\"%s/%u\": %s", count == first ? "" : ", ", text, asked[count].length, regions[below(3)]);
	count++;
}

static void push(void)
{
	static char yaml[65536];
	const struct fixture_file file = { "main.yaml", yaml };

	strcpy(yaml, "server: {addresses: [198.18.0.1]}\npools:\n");
	for (unsigned int i = 0; i < 3; i++)
		sprintf(yaml + strlen(yaml), "  %s: {members: [{name: m, address: 192.0.2.%u}]}\n", regions[i], i + 1);
	strcat(yaml, "topologies:\n  t0: {default: one}\n");
	count = 0;
	for (unsigned int topology = 1; topology < TOPOLOGIES; topology++) {
		sprintf(yaml + strlen(yaml), "  t%u: {default: %s, prefixes: {", topology, regions[below(3)]);
		for (unsigned int i = 0; i < 2 * PREFIXES; i++)
			put_prefix(yaml, i < PREFIXES ? ECS_FAMILY_IPV4 : ECS_FAMILY_IPV6);
		strcat(yaml, "}}\n");
	}
	strcat(yaml, "services:\n");
	for (unsigned int topology = 0; topology < TOPOLOGIES; topology++)
		sprintf(yaml + strlen(yaml), "  - {name: s%u.example, topology: t%u}\n", topology, topology);
	fixture_push(&file, 1);
}

/* Around a prefix's edge: some bit of it is another one. */
static void choose(struct selection *selection)
{
	unsigned int which = below(count), bit = below(128);

	selection->family = asked[which].family;
	memcpy(selection->address, asked[which].address, 16);
	if (selection->family == ECS_FAMILY_IPV4)
		bit %= 32;
	selection->address[bit / 8] ^= below(3) ? 0x80 >> bit % 8 : 0;
}

static void remembers_what_is_there(void **state)
{
	static struct lookup_cache cache;
	unsigned int looks[2] = {0};

	(void)state;
	for (int generation = 0; generation < GENERATIONS; generation++) {
		push();
		for (int i = 0; i < LOOKUPS; i++) {
			struct selection selections[2] = {0};
			uint16_t topology = TOPOLOGY_TRUST + below(TOPOLOGIES + 1);

			choose(&selections[0]);
			selections[1] = selections[0];
			for (int remembers = 0; remembers < 2; remembers++) {
				struct lookup lookup = { .cache = remembers ? &cache : NULL };
				unsigned int before = fixture.lookups;

				assert_int_equal(lookup_begin(&lookup, &fixture.tables), REASON_GO);
				assert_int_equal(select_region(&selections[remembers], &lookup, topology), REASON_GO);
				looks[remembers] += fixture.lookups - before;
			}
			assert_int_equal(selections[1].region, selections[0].region);
			assert_int_equal(selections[1].region_id, selections[0].region_id);
			assert_int_equal(selections[1].block, selections[0].block);
		}
	}
	print_message("%u looks into the tables instead of %u\n", looks[1], looks[0]);
	assert_in_range(looks[1], 1, looks[0] / 2);
}

/*
 * A reader that slept while its slot was filled anew may see an entry without the one that lies at its target: a block of
 * more bits than addresses have. Nobody believes what is kept of it, but it has to be kept somewhere.
 */
static void keeps_torn_blocks(void **state)
{
	static const uint8_t address[16] = { 0x20, [15] = 1 };
	static struct blocks_cache cache;
	struct block_key key = { .family = ECS_FAMILY_IPV6, .topology = 1, .generation = 1 };

	(void)state;
	assert_null(blocks_cache_find(&cache, &key, address, 16));
	assert_non_null(blocks_cache_keep(&cache, &key, address, 16, 129));
	assert_int_equal(key.length, 128);
	key.family = ECS_FAMILY_IPV4;
	assert_non_null(blocks_cache_keep(&cache, &key, address, 4, 33));
	assert_int_equal(key.length, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_what_is_there),
		cmocka_unit_test(keeps_torn_blocks),
	};
	unsigned int seed = getenv("ECSDNS_SEED") ? strtoul(getenv("ECSDNS_SEED"), NULL, 0) : (unsigned int)time(NULL);
	int failed;

	print_message("ECSDNS_SEED=%u\n", seed);
	srandom(seed);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	fixture_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fixture_stop();
	return failed;
}
