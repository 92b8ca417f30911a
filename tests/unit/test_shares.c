// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Who gets how much: a million queries against the entries of the compiler, drawn as both paths draw, beside the weights;
 * and what moves when a member of a hash pool comes, goes or changes its weight.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "maps/answer.h"
#include "tests/unit/model.h"
#include "user/controller/answers.h"

#define QUERIES 1000000
#define MEMBERS_MAX 12

/* No lookups are made here. */
struct lookup {
	int unused;
};
static inline const struct service *lookup_service(struct lookup *lookup, const union name_key *key, int is_long)
{
	(void)lookup, (void)key, (void)is_long;
	return NULL;
}
static inline const struct topology4_entry *lookup_topology4(struct lookup *lookup, __u16 topology, const __u8 *address)
{
	(void)lookup, (void)topology, (void)address;
	return NULL;
}
static inline const struct topology6_entry *lookup_topology6(struct lookup *lookup, __u16 topology, const __u8 *address)
{
	(void)lookup, (void)topology, (void)address;
	return NULL;
}
static inline __u32 lookup_index(struct lookup *lookup, __u32 index)
{
	(void)lookup, (void)index;
	return ANSWER_NONE;
}
static inline const struct settings *lookup_settings(struct lookup *lookup)
{
	(void)lookup;
	return NULL;
}

static const struct settings settings = {.draw_key = {0x0123456789abcdefULL, 0xfedcba9876543210ULL}};

/* -- pools -- */

struct pool {
	struct config_pool pool;
	struct config_member members[MEMBERS_MAX];
	char names[MEMBERS_MAX][16];
	uint8_t down[MEMBERS_MAX];
};

static void pool_make(struct pool *pool, enum config_method method, const uint32_t *weights, size_t count)
{
	memset(pool, 0, sizeof(*pool));
	pool->pool = (struct config_pool){.method = method, .max_answers = 1, .min_up = 1, .members = pool->members};
	for (size_t i = 0; i < count; i++) {
		snprintf(pool->names[i], sizeof(pool->names[i]), "site-%zu", i);
		pool->members[i] = (struct config_member){
			.name = pool->names[i], .weight = weights[i],
			.address = {.octets = {192, 0, 2, i}, .length = 4},
		};
	}
	pool->pool.member_count = count;
}

static void pool_answer(const struct pool *pool, struct answer *answer)
{
	const struct health health = {pool->down, pool->pool.member_count};

	assert_int_equal(answer_pool(answer, &pool->pool, SERVICE_A, 30, &health), 0);
}

/* The member of a record, which is its address's last octet. */
static unsigned int member_at(const struct answer *answer, unsigned int record)
{
	return answer->octets[answer->records + (record + 1) * answer->stride - 1];
}

/* -- shares of methods that draw by query -- */

enum kind { SEQUENTIAL, ONE_RESOLVER, RANDOM, KINDS };
static const char *const kind_names[KINDS] = {
	"sequential ids from a fixed port of 16 resolvers", "the same from one resolver", "random ids and ports",
};

static void query_make(struct query *query, enum kind kind, uint32_t number)
{
	memset(query, 0, sizeof(*query));
	query->source_family = ECS_FAMILY_IPV4;
	query->source_port = kind == RANDOM ? random_next() & 0xffff : 53535;
	query->id = kind == RANDOM ? random_next() & 0xffff : number & 0xffff;
	memcpy(query->source_address, (uint8_t[]){198, 18, 0, kind == SEQUENTIAL ? number >> 16 : 1}, 4);
}

static void count_draws(const struct answer *answer, enum kind kind, uint32_t counts[MEMBERS_MAX])
{
	const struct selection selection = {0};
	struct query query;

	memset(counts, 0, MEMBERS_MAX * sizeof(*counts));
	for (uint32_t i = 0; i < QUERIES; i++) {
		query_make(&query, kind, i);
		counts[member_at(answer, answer_first(&query, &selection, answer, &settings))]++;
	}
}

/* The largest distance of a share from its weight's, as a part of all queries. */
static double distance(const uint32_t *counts, const uint32_t *weights, size_t members)
{
	double total = 0, most = 0, apart;

	for (size_t i = 0; i < members; i++)
		total += weights[i];
	for (size_t i = 0; i < members; i++) {
		apart = fabs((double)counts[i] / QUERIES - weights[i] / total);
		most = apart > most ? apart : most;
	}
	return most;
}

static void test_weights(void **state)
{
	static const uint32_t weights[] = {1, 2, 5, 0, 3, 9, 1}, alike[] = {1, 1, 1, 1, 1, 1, 1};
	uint32_t counts[MEMBERS_MAX];
	struct answer answer;
	struct pool pool;

	(void)state;
	for (int kind = 0; kind < KINDS; kind++) {
		pool_make(&pool, CONFIG_METHOD_weighted, weights, 7);
		pool_answer(&pool, &answer);
		count_draws(&answer, kind, counts);
		print_message("# weighted, %s: at most %.3f %% from the weights\n", kind_names[kind],
			      100 * distance(counts, weights, 7));
		assert_true(distance(counts, weights, 7) < 0.01);
		assert_int_equal(counts[3], 0);
		pool_make(&pool, CONFIG_METHOD_all, alike, 7);
		pool_answer(&pool, &answer);
		count_draws(&answer, kind, counts);
		assert_true(distance(counts, alike, 7) < 0.01);
	}
}

/* -- hash -- */

static void slots_of(const struct answer *answer, unsigned int slots[ANSWER_HASH_SLOTS])
{
	for (unsigned int i = 0; i < ANSWER_HASH_SLOTS; i++)
		slots[i] = member_at(answer, answer->octets[i]);
}

static void random_pool(struct pool *pool)
{
	uint32_t weights[MEMBERS_MAX];
	size_t count = 2 + random_below(MEMBERS_MAX - 1);

	for (size_t i = 0; i < count; i++)
		weights[i] = 1 + random_below(9);
	pool_make(pool, CONFIG_METHOD_hash, weights, count);
}

/* Slots that differ must be the changed member's, before or after. Returns how many do. */
static unsigned int moved(const unsigned int *before, const unsigned int *after, unsigned int member)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < ANSWER_HASH_SLOTS; i++) {
		if (before[i] == after[i])
			continue;
		if (before[i] != member && after[i] != member)
			fail_msg("slot %u went from member %u to %u when %u changed", i, before[i], after[i], member);
		count++;
	}
	return count;
}

static void test_hash_moves_one_share(void **state)
{
	unsigned int before[ANSWER_HASH_SLOTS], after[ANSWER_HASH_SLOTS], member, share, at;
	struct answer answer;
	struct pool pool;

	(void)state;
	for (int round = 0; round < 500; round++) {
		random_pool(&pool);
		member = random_below(pool.pool.member_count);
		pool_answer(&pool, &answer);
		slots_of(&answer, before);
		for (at = share = 0; at < ANSWER_HASH_SLOTS; at++)
			share += before[at] == member;
		pool.down[member] = 1;
		pool.pool.check = 0;
		pool_answer(&pool, &answer);
		slots_of(&answer, after);
		assert_int_equal(moved(before, after, member), share);
		for (at = 0; at < ANSWER_HASH_SLOTS; at++)
			assert_int_not_equal(after[at], member);
		pool.down[member] = 0;
		pool.members[member].weight += 1 + random_below(9);
		pool_answer(&pool, &answer);
		slots_of(&answer, after);
		moved(before, after, member);
		for (at = 0; at < ANSWER_HASH_SLOTS; at++)	/* it only wins */
			assert_true(before[at] != member || after[at] == member);
	}
}

/* Blocks go to slots evenly, so that a member's share of many blocks is that of its slots. */
static void test_hash_spreads_blocks(void **state)
{
	uint32_t slots[MEMBERS_MAX] = {0}, counts[MEMBERS_MAX] = {0};
	unsigned int owners[ANSWER_HASH_SLOTS];
	const struct query query = {0};
	struct selection selection;
	struct answer answer;
	struct pool pool;

	(void)state;
	random_pool(&pool);
	pool_answer(&pool, &answer);
	slots_of(&answer, owners);
	for (unsigned int i = 0; i < ANSWER_HASH_SLOTS; i++)
		slots[owners[i]]++;
	for (uint32_t i = 0; i < QUERIES; i++) {
		memset(&selection, 0, sizeof(selection));
		selection.family = ECS_FAMILY_IPV4;
		selection.block = 24;
		memcpy(selection.address, (uint8_t[]){i >> 16, i >> 8, i, random_next()}, 4);
		counts[member_at(&answer, answer_first(&query, &selection, &answer, &settings))]++;
	}
	print_message("# hash, a million blocks of /24: at most %.3f %% from the slots\n",
		      100 * distance(counts, slots, pool.pool.member_count));
	assert_true(distance(counts, slots, pool.pool.member_count) < 0.01);
}

/* What 256 slots can do: their shares beside the weights, for people; rendezvous keeps to them on average. */
static void test_hash_weights(void **state)
{
	double total, most = 0, sum = 0, apart;
	unsigned int owners[ANSWER_HASH_SLOTS], share;
	struct answer answer;
	struct pool pool;

	(void)state;
	for (int round = 0; round < 500; round++) {
		double worst = 0;

		random_pool(&pool);
		pool_answer(&pool, &answer);
		slots_of(&answer, owners);
		total = 0;
		for (size_t i = 0; i < pool.pool.member_count; i++)
			total += pool.members[i].weight;
		for (size_t i = 0; i < pool.pool.member_count; i++) {
			share = 0;
			for (unsigned int at = 0; at < ANSWER_HASH_SLOTS; at++)
				share += owners[at] == i;
			apart = fabs(share / 256.0 - pool.members[i].weight / total);
			worst = apart > worst ? apart : worst;
		}
		most = worst > most ? worst : most;
		sum += worst;
	}
	print_message("# hash, slots of 500 pools: the worst member %.1f %% from its weight on average, %.1f %% at most\n",
		      100 * sum / 500, 100 * most);
	assert_true(sum / 500 < 0.05 && most < 0.15);
}

static int seed(void **state)
{
	(void)state;
	random_state = 1;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_weights, seed),
		cmocka_unit_test_setup(test_hash_moves_one_share, seed),
		cmocka_unit_test_setup(test_hash_spreads_blocks, seed),
		cmocka_unit_test_setup(test_hash_weights, seed),
	};

	return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}
