// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Whom prefixes and regions reach: random topologies and cuts against the definitions, applied to every address from
 * which on anything may differ from the one before; and a million prefixes.
 *
 *	ECSDNS_PROPERTY=N	how many random topologies (default 5000)
 *	ECSDNS_SEED=N		the first one; a failure prints the seed that shows it alone
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/model.h"
#include "user/controller/reach.h"

#define NONE SIZE_MAX
#define REGIONS_MAX 8
#define POINTS_MAX (6 * MAX_PREFIXES + 1)

static const char *const verdict_names[] = {"good", "swallowed", "covered", "missed", "spread"};

/* -- the definitions -- */

/* A family: its prefixes sorted and each once, and the addresses to look at, in order. */
struct naive {
	struct model *model;
	unsigned int cut;
	size_t count;
	bool swallowed[MAX_PREFIXES];
	struct point {
		u128 address;
		size_t owner;		/* the longest prefix around it, of those not swallowed; or NONE */
		uint32_t region;	/* its own */
		uint32_t gets;		/* that of the first address of its block */
	} points[POINTS_MAX];
	size_t point_count;
};

static int prefix_order(const void *left, const void *right)
{
	const struct topology_prefix *a = left, *b = right;
	int order = memcmp(a->address, b->address, sizeof(a->address));

	return order ? order : a->length - b->length;
}

static size_t naive_prefixes(struct naive *naive, struct topology_prefix *out)
{
	struct model *m = naive->model, sorted = {.bits = m->bits};
	size_t count = model_prefixes(m, out);

	qsort(out, count, sizeof(*out), prefix_order);
	for (size_t i = 0; i < count; i++)
		if (!i || prefix_order(&out[i - 1], &out[i]))
			model_add(&sorted, address_number(out[i].address, m->bits), out[i].length, out[i].region);
	model_finish(&sorted);
	*m = sorted;
	return naive->count = model_prefixes(m, out);
}

static bool naive_inside(const struct naive *naive, size_t prefix, u128 address)
{
	return address >= naive->model->prefix[prefix].first && address <= naive->model->prefix[prefix].last;
}

/* The longest prefix around the address that is shorter than `limit`. */
static size_t naive_around(const struct naive *naive, u128 address, unsigned int limit, bool with_swallowed)
{
	size_t best = NONE;

	for (size_t i = 0; i < naive->count; i++)
		if (naive_inside(naive, i, address) && naive->model->prefix[i].length < limit &&
		    (with_swallowed || !naive->swallowed[i]) &&
		    (best == NONE || naive->model->prefix[i].length > naive->model->prefix[best].length))
			best = i;
	return best;
}

static uint32_t naive_region(const struct naive *naive, size_t prefix)
{
	return prefix == NONE ? 0 : naive->model->prefix[prefix].region;
}

static void naive_point(struct naive *naive, u128 address)
{
	struct point *point = &naive->points[naive->point_count++];
	u128 first = block_first(address, naive->model->bits, naive->cut);

	point->address = address;
	point->owner = naive_around(naive, address, 129, false);
	point->region = model_region(naive->model, address);
	point->gets = model_region(naive->model, first);
	assert_int_equal(point->region, naive_region(naive, point->owner));
}

static int point_order(const void *left, const void *right)
{
	const struct point *a = left, *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

/* Regions change where a prefix begins or has ended, what clients get at the edges of the blocks around there. */
static void naive_points(struct naive *naive)
{
	const struct model *m = naive->model;
	u128 last;

	for (size_t i = 0; i < naive->count; i++)
		naive->swallowed[i] = m->prefix[i].region ==
				      naive_region(naive, naive_around(naive, m->prefix[i].first, m->prefix[i].length,
								       true));
	naive->point_count = 0;
	naive_point(naive, 0);
	for (size_t i = 0; i < m->points; i++) {
		naive_point(naive, m->point[i].address);
		naive_point(naive, block_first(m->point[i].address, m->bits, naive->cut));
		last = block_last(m->point[i].address, m->bits, naive->cut);
		if (last != host_mask(m->bits, 0))
			naive_point(naive, last + 1);
	}
	qsort(naive->points, naive->point_count, sizeof(naive->points[0]), point_order);
}

static struct reach_prefix naive_spread(const struct naive *naive, size_t prefix, u128 first, u128 last)
{
	struct reach_prefix verdict = {.verdict = REACH_GOOD};
	const struct point *point;

	for (size_t i = 0; i < naive->point_count; i++) {
		point = &naive->points[i];
		if (point->address < first || point->address > last || naive_inside(naive, prefix, point->address) ||
		    point->region == naive_region(naive, prefix))
			continue;
		if (verdict.verdict == REACH_GOOD)
			verdict = (struct reach_prefix){point->region, REACH_SPREAD, false};
		verdict.more |= point->region != verdict.region;
	}
	return verdict;
}

static struct reach_prefix naive_verdict(const struct naive *naive, size_t prefix)
{
	const struct model *m = naive->model;
	u128 first = block_first(m->prefix[prefix].first, m->bits, naive->cut);
	bool owns = false;
	size_t decides;

	if (naive->swallowed[prefix])
		return (struct reach_prefix){.verdict = REACH_SWALLOWED};
	for (size_t i = 0; i < naive->point_count; i++)
		owns |= naive->points[i].owner == prefix;
	if (!owns)
		return (struct reach_prefix){.verdict = REACH_COVERED};
	if (m->prefix[prefix].length <= naive->cut)
		return (struct reach_prefix){.verdict = REACH_GOOD};
	decides = naive_around(naive, first, 129, false);
	if (decides == prefix)
		return naive_spread(naive, prefix, first, block_last(first, m->bits, naive->cut));
	if (naive_region(naive, decides) == naive_region(naive, prefix))
		return (struct reach_prefix){.verdict = REACH_GOOD};
	return (struct reach_prefix){naive_region(naive, decides), REACH_MISSED, false};
}

static void naive_regions(const struct naive *naive, unsigned int family, struct reach_region *regions)
{
	const struct point *point;
	struct reach_region *region;
	struct block at = {0};
	uint8_t octets[16];

	for (size_t i = 0; i < naive->count; i++) {
		region = &regions[naive->model->prefix[i].region];
		if (!naive->swallowed[i] && !region->first.found)
			region->first = (struct reach_place){.found = true, .family = family, .prefix = i};
	}
	for (size_t i = 0; i < naive->point_count; i++) {
		point = &naive->points[i];
		region = &regions[point->region];
		region->owns[family] = true;
		regions[point->gets].reached = true;
		if (point->region == point->gets || region->missed.found)
			continue;
		address_octets(point->address, naive->model->bits, octets);
		block_read(&at, octets, naive->model->bits);
		region->missed = (struct reach_place){
			true, family, point->owner == NONE ? REACH_DEFAULT : point->owner, at, point->gets,
		};
	}
}

/* -- both -- */

static bool place_agrees(const struct reach_place *place, const struct reach_place *naive, bool missed)
{
	return place->found == naive->found &&
	       (!place->found ||
		(place->family == naive->family && place->prefix == naive->prefix &&
		 (!missed || (place->gets == naive->gets && place->at.high == naive->at.high &&
			      place->at.low == naive->at.low))));
}

static bool regions_agree(const struct reach_region *regions, const struct reach_region *naive)
{
	bool good = true;

	for (size_t i = 0; i < REGIONS_MAX; i++) {
		if (regions[i].owns[0] == naive[i].owns[0] && regions[i].owns[1] == naive[i].owns[1] &&
		    regions[i].reached == naive[i].reached &&
		    place_agrees(&regions[i].first, &naive[i].first, false) &&
		    place_agrees(&regions[i].missed, &naive[i].missed, true))
			continue;
		print_error("region %zu: owns %d %d, reached %d, first %d, missed %d; by the definitions owns %d %d, "
			    "reached %d, first %d, missed %d\n", i, regions[i].owns[0], regions[i].owns[1],
			    regions[i].reached, (int)regions[i].first.prefix, (int)regions[i].missed.prefix,
			    naive[i].owns[0], naive[i].owns[1], naive[i].reached, (int)naive[i].first.prefix,
			    (int)naive[i].missed.prefix);
		good = false;
	}
	return good;
}

static bool verdicts_agree(const struct naive *naive, const struct reach_prefix *verdicts, size_t *seen)
{
	bool good = true;

	for (size_t i = 0; i < naive->count; i++) {
		struct reach_prefix expected = naive_verdict(naive, i);

		seen[expected.verdict]++;
		if (!memcmp(&expected, &verdicts[i], sizeof(expected)))
			continue;
		print_error("%s/%u cut at /%u: %s, region %u, more %d; by the definitions %s, region %u, more %d\n",
			    address_text(naive->model->prefix[i].first, naive->model->bits),
			    naive->model->prefix[i].length, naive->cut, verdict_names[verdicts[i].verdict],
			    verdicts[i].region, verdicts[i].more, verdict_names[expected.verdict], expected.region,
			    expected.more);
		good = false;
	}
	return good;
}

/* Around the lengths of the prefixes, where it matters; none at all now and then. */
static unsigned int random_cut(const struct model *m)
{
	unsigned int length = m->n ? m->prefix[random_below(m->n)].length : 0;

	if (!random_below(8))
		return m->bits;
	if (!random_below(4))
		return 1 + random_below(m->bits);
	length = length > 4 ? length - random_below(4) : 1;
	return length + random_below(2) < m->bits ? length : m->bits;
}

static bool reach_check(struct model *models, size_t *seen)
{
	struct reach_region regions[REGIONS_MAX] = {0}, expected[REGIONS_MAX] = {0};
	static struct topology_prefix prefixes[MAX_PREFIXES];
	static struct reach_prefix verdicts[MAX_PREFIXES];
	static struct naive naive;
	bool good = true;

	for (unsigned int family = 0; family < 2; family++) {
		memset(verdicts, 0xff, sizeof(verdicts));
		naive.model = &models[family];
		naive.cut = random_cut(naive.model);
		naive_prefixes(&naive, prefixes);
		naive_points(&naive);
		reach_family(prefixes, naive.count, family, naive.cut, verdicts, regions);
		naive_regions(&naive, family, expected);
		good &= verdicts_agree(&naive, verdicts, seen);
	}
	return regions_agree(regions, expected) && good;
}

static void test_property(void **state)
{
	uint64_t count = setting("ECSDNS_PROPERTY", 5000), seed = setting("ECSDNS_SEED", 1);
	size_t seen[5] = {0};
	static struct model models[2];

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		random_state = seed + i;
		for (int family = 0; family < 2; family++) {
			model_random(&models[family], family ? 128 : 32);
			models[family].fallback = 0;
			model_finish(&models[family]);
		}
		if (!reach_check(models, seen)) {
			model_print(&models[0]);
			model_print(&models[1]);
			fail_msg("ECSDNS_SEED=%" PRIu64 " ECSDNS_PROPERTY=1 shows it again", seed + i);
		}
	}
	print_message("%" PRIu64 " topologies from seed %" PRIu64 ":", count, seed);
	for (int verdict = 0; verdict < 5; verdict++)
		print_message(" %zu %s", seen[verdict], verdict_names[verdict]);
	print_message("\n");
	for (int verdict = 0; verdict < 5 && count >= 1000; verdict++)
		assert_true(seen[verdict] > count / 10);
}

/* -- a million -- */

static void test_large(void **state)
{
	size_t count = 1000000, spread = 0;
	struct topology_prefix *prefixes = calloc(count, sizeof(*prefixes));
	struct reach_prefix *verdicts = calloc(count, sizeof(*verdicts));
	struct reach_region regions[4] = {0};
	struct timespec from, to;

	(void)state;
	random_state = 1;
	for (size_t i = 0; i < count; i++) {
		prefixes[i].length = 48;
		prefixes[i].region = 1 + random_below(3);
		address_octets(block_first(random_address(128), 128, 48), 128, prefixes[i].address);
	}
	qsort(prefixes, count, sizeof(*prefixes), prefix_order);
	for (size_t i = 1; i < count; i++)
		assert_true(prefix_order(&prefixes[i - 1], &prefixes[i]) < 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	reach_family(prefixes, count, 1, 40, verdicts, regions);
	clock_gettime(CLOCK_MONOTONIC, &to);
	for (size_t i = 0; i < count; i++)
		spread += verdicts[i].verdict == REACH_SPREAD || verdicts[i].verdict == REACH_MISSED;
	print_message("%zu random /48 cut at /40: %zu warned of, %.3f s\n", count, spread,
		      to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9);
	assert_true(spread > count / 2);
	free(prefixes);
	free(verdicts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
