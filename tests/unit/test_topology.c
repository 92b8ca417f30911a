// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The topology compiler against known scopes and against the naive model of model.h.
 *
 *	ECSDNS_PROPERTY=N	how many random topologies (default 5000, about a second)
 *	ECSDNS_SEED=N		the first one; a failure prints the seed that shows it alone
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/model.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Returns the family's bits. */
static unsigned int address_parse(const char *text, uint8_t octets[16])
{
	unsigned int bits = strchr(text, ':') ? 128 : 32;

	memset(octets, 0, 16);
	if (inet_pton(bits == 32 ? AF_INET : AF_INET6, text, octets) != 1)
		fail_msg("not an address: %s", text);
	return bits;
}

/* ---- Golden values (RFC 7871's own example among them) ---- */

struct golden_prefix {
	const char *address;
	uint8_t length;
	uint32_t region;
};

struct golden_answer {
	const char *address;
	uint32_t region;
	uint8_t scope;
};

struct golden {
	const char *name;
	uint32_t fallback;
	struct golden_prefix prefixes[8];	/* up to one without address */
	struct golden_answer answers[24];
};

enum { TOKYO, OSAKA1, OSAKA2, OSAKA3, KYUSHU };
enum { A, B, X, Y, Z };

static const struct golden goldens[] = {
	{
		"japan", TOKYO,
		{
			{ "240b:10:200::", 41, OSAKA1 },
			{ "240b:10:280::", 41, OSAKA2 },
			{ "240b:10:300::", 40, OSAKA3 },
			{ "240b:10:400::", 39, KYUSHU },
		},
		{
			{ "240b:10::", TOKYO, 39 },
			{ "240b:10:200::", OSAKA1, 41 },
			{ "240b:10:280::", OSAKA2, 41 },
			{ "240b:10:300::", OSAKA3, 40 },
			{ "240b:10:400::", KYUSHU, 39 },
			{ "240b:10:500::", KYUSHU, 39 },
			{ "240b:10:600::", TOKYO, 39 },
			{ "240b:10:27f:ffff:ffff:ffff:ffff:ffff", OSAKA1, 41 },
			{ "240b:10:2ff:1234::5", OSAKA2, 41 },
			{ "240b:10:3ff:ffff:ffff:ffff:ffff:ffff", OSAKA3, 40 },
			{ "240b:10:5ff:ffff::1", KYUSHU, 39 },
			{ "240b:10:1ff:ffff:ffff:ffff:ffff:ffff", TOKYO, 39 },
			{ "240b:11::", TOKYO, 32 },
			{ "2400::", TOKYO, 13 },
			{ "2001:db8::", TOKYO, 6 },
			{ "2c00::", TOKYO, 5 },
			{ "240b::", TOKYO, 28 },
			{ "8000::", TOKYO, 1 },
			/* no IPv4 prefix at all, but not scope 0 beside the other family */
			{ "198.18.0.2", TOKYO, 1 },
			{ "0.0.0.0", TOKYO, 1 },
			{ "255.255.255.255", TOKYO, 1 },
		},
	},
	{
		"RFC 7871", A,
		{ { "1.2.0.0", 20, A }, { "1.2.3.0", 24, B } },
		{
			{ "1.2.0.0", A, 23 },
			{ "1.2.2.0", A, 24 },
			{ "1.2.4.0", A, 22 },
			{ "1.2.8.0", A, 21 },
			{ "1.2.3.0", B, 24 },
			{ "1.2.3.255", B, 24 },
			{ "::1", A, 1 },
		},
	},
	{
		"nested", Z,
		{ { "10.0.0.0", 8, X }, { "10.1.0.0", 16, Y } },
		{
			{ "10.2.3.0", X, 15 },
			{ "10.1.3.0", Y, 16 },
			{ "172.20.0.0", Z, 1 },
			{ "10.0.0.0", X, 16 },
			{ "10.128.0.0", X, 9 },
			{ "11.0.0.0", Z, 8 },
		},
	},
	{
		"nothing configured", A, { { NULL, 0, 0 } },
		{ { "1.2.3.4", A, 0 }, { "2400::", A, 0 } },
	},
	{
		"both folded into one region", A,
		{
			{ "0.0.0.0", 0, B }, { "10.0.0.0", 8, B },
			{ "::", 1, B }, { "8000::", 1, B },
		},
		{ { "1.2.3.4", B, 0 }, { "10.1.1.1", B, 0 }, { "2400::", B, 0 } },
	},
	{
		"one region a family, not the same", A,
		{ { "0.0.0.0", 0, B } },
		{ { "1.2.3.4", B, 1 }, { "200.2.3.4", B, 1 }, { "2400::", A, 1 } },
	},
	{
		"siblings merge upwards", A,
		{
			{ "192.0.2.0", 26, B }, { "192.0.2.64", 26, B }, { "192.0.2.128", 25, B },
			{ "192.0.3.0", 24, B }, { "192.0.3.128", 25, B },
		},
		{
			{ "192.0.2.1", B, 23 },
			{ "192.0.3.200", B, 23 },
			{ "192.0.0.1", A, 23 },
			{ "192.0.4.1", A, 22 },
		},
	},
	{
		"host routes at the ends", A,
		{
			{ "0.0.0.0", 32, B }, { "255.255.255.255", 32, B },
			{ "::", 128, B },
			{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128, B },
		},
		{
			{ "0.0.0.0", B, 32 },
			{ "0.0.0.1", A, 32 },
			{ "0.0.0.2", A, 31 },
			{ "127.255.255.255", A, 2 },
			{ "255.255.255.254", A, 32 },
			{ "255.255.255.255", B, 32 },
			{ "::", B, 128 },
			{ "::1", A, 128 },
			{ "::2", A, 127 },
			{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", A, 128 },
			{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", B, 128 },
		},
	},
};

static void golden_check(const struct golden *golden)
{
	struct topology_prefix prefixes[2][8] = { 0 };
	struct topology_family families[2];
	size_t counts[2] = { 0, 0 }, i;

	for (i = 0; i < ARRAY_SIZE(golden->prefixes) && golden->prefixes[i].address; i++) {
		uint8_t octets[16];
		int six = address_parse(golden->prefixes[i].address, octets) == 128;
		struct topology_prefix *prefix = &prefixes[six][counts[six]++];

		memcpy(prefix->address, octets, sizeof(octets));
		prefix->length = golden->prefixes[i].length;
		prefix->region = golden->prefixes[i].region;
	}
	assert_int_equal(topology_compile(prefixes[0], counts[0], prefixes[1], counts[1],
					  golden->fallback, &families[0], &families[1]), 0);

	for (i = 0; i < ARRAY_SIZE(golden->answers) && golden->answers[i].address; i++) {
		const struct golden_answer *answer = &golden->answers[i];
		uint32_t region;
		uint8_t octets[16], scope;
		unsigned int bits = address_parse(answer->address, octets);

		assert_int_equal(topology_lookup(&families[bits == 128], bits, octets, &region,
						 &scope), 0);
		if (region != answer->region || scope != answer->scope)
			fail_msg("%s: %s is region %u scope %u, expected region %u scope %u",
				 golden->name, answer->address, region, scope, answer->region,
				 answer->scope);
	}
	topology_free(&families[0]);
	topology_free(&families[1]);
}

static void test_golden(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(goldens); i++)
		golden_check(&goldens[i]);
}

/* The entries themselves, where they can be written down by hand. */
static void test_entries(void **state)
{
	static const struct topology_prefix prefixes[] = {
		{ .address = { 10, 1 }, .length = 16, .region = Y },
		{ .address = { 10 }, .length = 8, .region = X },
	};
	static const struct topology_entry expected[] = {
		{ .length = 0, .scope = 0, .region = Z, .target = { 10 }, .target_length = 8 },
		{ .address = { 10 }, .length = 8, .scope = 8, .region = X,
		  .target = { 10, 1 }, .target_length = 16 },
		{ .address = { 10, 1 }, .length = 16, .scope = 16, .region = Y },
	};
	struct topology_family v4, v6;

	(void)state;
	assert_int_equal(topology_compile(prefixes, 2, NULL, 0, Z, &v4, &v6), 0);
	assert_int_equal(v4.count, ARRAY_SIZE(expected));
	assert_memory_equal(v4.entries, expected, sizeof(expected));
	assert_int_equal(v6.count, 1);
	assert_int_equal(v6.entries->length, 0);
	assert_int_equal(v6.entries->target_length, 0);
	assert_int_equal(v6.entries->scope, 1);
	assert_int_equal(v6.entries->region, Z);
	topology_free(&v4);
	topology_free(&v6);
}

/* ---- What is refused ---- */

static void refused(const struct topology_prefix *v4, size_t n4, const struct topology_prefix *v6,
		    size_t n6, int expected)
{
	struct topology_family out4, out6;

	assert_int_equal(topology_compile(v4, n4, v6, n6, 0, &out4, &out6), expected);
	assert_null(out4.entries);
	assert_null(out6.entries);
	assert_int_equal(out4.count, 0);
	assert_int_equal(out6.count, 0);
}

static void test_refused(void **state)
{
	static const struct topology_prefix
		fine = { .address = { 10 }, .length = 8, .region = 1 },
		other = { .address = { 10 }, .length = 8, .region = 2 },
		host_bits = { .address = { 10, 0, 0, 1 }, .length = 31, .region = 1 },
		host_bits6 = { .address = { [15] = 1 }, .length = 127, .region = 1 },
		any_bits = { .address = { [8] = 1 }, .length = 0, .region = 1 },
		long4 = { .address = { 10 }, .length = 33, .region = 1 },
		long6 = { .address = { 10 }, .length = 129, .region = 1 };
	struct topology_prefix twice[3] = { fine, { .length = 0, .region = 3 }, fine };
	struct topology_family v4, v6;
	uint8_t octets[16] = { 10 }, scope;
	uint32_t region;

	(void)state;
	refused(&long4, 1, NULL, 0, -EINVAL);
	refused(NULL, 0, &long6, 1, -EINVAL);
	refused(&host_bits, 1, NULL, 0, -EINVAL);
	refused(&fine, 1, &host_bits6, 1, -EINVAL);
	refused(NULL, 0, &any_bits, 1, -EINVAL);

	assert_int_equal(topology_compile(twice, 3, NULL, 0, 0, &v4, &v6), 0);
	assert_int_equal(topology_lookup(&v4, 32, octets, &region, &scope), 0);
	assert_int_equal(region, 1);
	topology_free(&v4);
	topology_free(&v6);
	assert_int_equal(topology_lookup(&v4, 32, octets, &region, &scope), -ENOENT);

	twice[2] = other;
	refused(twice, 3, NULL, 0, -EEXIST);
	refused(&fine, 1, twice, 3, -EEXIST);
}

/* The same topology in other words: shuffled, repeated, split, with needless lines. */
static void model_reword(const struct model *m, struct model *out)
{
	size_t order[MAX_PREFIXES], i;

	memset(out, 0, offsetof(struct model, prefix));
	out->bits = m->bits;
	out->fallback = m->fallback;
	for (i = 0; i < m->n; i++) {
		size_t other = random_below(i + 1);

		order[i] = order[other];
		order[other] = i;
	}
	for (i = 0; i < m->n; i++)
		model_add(out, m->prefix[order[i]].first, m->prefix[order[i]].length,
			  m->prefix[order[i]].region);
	for (i = 0; i < 16; i++) {
		u128 address = random_address(m->bits);
		unsigned int length = random_below(m->bits + 1);

		if (m->n && random_below(4)) {
			size_t kin = random_below(m->n);

			address = m->prefix[kin].first | (address & host_mask(m->bits,
							  m->prefix[kin].length));
			length = m->prefix[kin].length +
				 random_below(m->bits - m->prefix[kin].length + 1);
		}
		address = block_first(address, m->bits, length);
		model_add(out, address, length, model_region_to(m, address, length));
	}
}

/* ---- The property ---- */

struct answer {
	u128 first, last;
	uint32_t region;
};

static int answer_compare(const void *left, const void *right)
{
	const struct answer *a = left, *b = right;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->last < b->last ? -1 : a->last > b->last;
}

#define MUST(condition, ...)							\
	do {									\
		if (!(condition)) {						\
			print_error("not so: %s\n  at ", #condition);		\
			print_error(__VA_ARGS__);				\
			print_error("\n");					\
			return false;						\
		}								\
	} while (0)

/* alone: nothing but this family's region in the other one, so that scope 0 is right */
static bool answer_check(const struct model *m, const struct topology_family *family, bool alone,
			 u128 address, struct answer *answer)
{
	const char *text = address_text(address, m->bits);
	uint8_t octets[16], scope;
	uint32_t region;

	address_octets(address, m->bits, octets);
	MUST(topology_lookup(family, m->bits, octets, &region, &scope) == 0, "%s", text);
	MUST(region == model_region(m, address), "%s region %u", text, region);
	MUST(scope <= m->bits, "%s scope %u", text, scope);
	MUST(model_uniform(m, address, scope), "%s scope %u", text, scope);
	if (scope == 0)
		MUST(alone, "%s", text);
	else if (scope == 1 && model_uniform(m, address, 0))
		MUST(!alone, "%s", text);
	else
		MUST(!model_uniform(m, address, scope - 1), "%s scope %u", text, scope);
	answer->first = block_first(address, m->bits, scope);
	answer->last = block_last(address, m->bits, scope);
	answer->region = region;
	return true;
}

static bool answers_check(const struct model *m, const struct topology_family *family, bool alone)
{
	static struct answer answers[8 * MAX_PREFIXES + 64];
	u128 all = host_mask(m->bits, 0);
	size_t n = 0, i;

	for (i = 0; i < m->n; i++) {
		u128 first = m->prefix[i].first, last = m->prefix[i].last;
		u128 at[] = {
			(first - 1) & all, first, (first + 1) & all, (last - 1) & all, last,
			(last + 1) & all, first + (last - first) / 2,
			first | (random_address(m->bits) & (last - first)),
		};
		size_t k;

		for (k = 0; k < ARRAY_SIZE(at); k++)
			if (!answer_check(m, family, alone, at[k], &answers[n++]))
				return false;
	}
	for (i = 0; i < 32; i++) {
		u128 corner = i < 2 ? (i ? all : 0) : random_address(m->bits);

		if (!answer_check(m, family, alone, corner, &answers[n++]))
			return false;
	}

	/* The blocks of two answers are the same one or apart. */
	qsort(answers, n, sizeof(*answers), answer_compare);
	for (i = 1; i < n; i++)
		MUST(answers[i].first > answers[i - 1].last ||
		     !answer_compare(&answers[i], &answers[i - 1]),
		     "%s overlaps %s", address_text(answers[i].first, m->bits),
		     address_text(answers[i - 1].first, m->bits));
	return true;
}

/* Do entries of their own cover this whole block? Entries are narrowed to those inside it. */
static bool block_covered(const struct topology_entry *entries, size_t n, unsigned int bits,
			  u128 first, unsigned int length)
{
	u128 last = block_last(first, bits, length);

	while (n && address_number(entries->address, bits) < first) {
		entries++;
		n--;
	}
	while (n && address_number(entries[n - 1].address, bits) > last)
		n--;
	while (n && entries->length < length) {
		entries++;
		n--;
	}
	if (!n)
		return false;
	if (entries->length == length && address_number(entries->address, bits) == first)
		return true;
	if (length == bits)
		return false;
	return block_covered(entries, n, bits, first, length + 1) &&
	       block_covered(entries, n, bits, first + (last - first) / 2 + 1, length + 1);
}

static bool entries_check(const struct model *m, const struct topology_family *family)
{
	size_t i;

	MUST(family->count >= 1 && family->count <= 3 * m->n + 1, "%zu entries", family->count);
	for (i = 0; i < family->count; i++) {
		const struct topology_entry *e = &family->entries[i];
		u128 key = address_number(e->address, m->bits);
		u128 target = address_number(e->target, m->bits);

		MUST(e->length <= m->bits, "%zu", i);
		MUST(key == block_first(key, m->bits, e->length), "%zu", i);
		if (i) {
			u128 before = address_number(e[-1].address, m->bits);

			MUST(before < key || (before == key && e[-1].length < e->length),
			     "%zu not sorted", i);
		}
		if (!e->target_length) {
			MUST(target == 0, "%zu", i);
			MUST(model_uniform(m, key, e->length), "%zu", i);
			MUST(e->scope == e->length || (family->count == 1 && e->scope == 1),
			     "%zu", i);
			continue;
		}
		MUST(e->scope == e->length, "%zu", i);
		MUST(e->target_length <= m->bits, "%zu", i);
		MUST(e->target_length > e->length, "%zu", i);
		MUST(target == block_first(target, m->bits, e->target_length), "%zu", i);
		MUST(key == block_first(target, m->bits, e->length), "%zu", i);
		MUST(block_covered(e + 1, family->count - i - 1, m->bits, target,
				   e->target_length), "%zu target is not covered", i);
	}
	return true;
}

static bool topology_check(const struct model *m4, const struct model *m6)
{
	static struct topology_prefix prefixes[2][MAX_PREFIXES];
	static struct model reworded;
	struct topology_family v4, v6, again4, again6;
	size_t n4 = model_prefixes(m4, prefixes[0]), n6 = model_prefixes(m6, prefixes[1]);
	bool alone = model_uniform(m4, 0, 0) && model_uniform(m6, 0, 0) &&
		     model_region(m4, 0) == model_region(m6, 0);
	bool good;

	MUST(!topology_compile(prefixes[0], n4, prefixes[1], n6, m4->fallback, &v4, &v6), "once");
	good = entries_check(m4, &v4) && entries_check(m6, &v6) &&
	       answers_check(m4, &v4, alone) && answers_check(m6, &v6, alone);

	model_reword(m4, &reworded);
	n4 = model_prefixes(&reworded, prefixes[0]);
	model_reword(m6, &reworded);
	n6 = model_prefixes(&reworded, prefixes[1]);
	MUST(!topology_compile(prefixes[0], n4, prefixes[1], n6, m4->fallback, &again4, &again6),
	     "again");
	MUST(!good || (v4.count == again4.count && v6.count == again6.count &&
		       !memcmp(v4.entries, again4.entries, v4.count * sizeof(*v4.entries)) &&
		       !memcmp(v6.entries, again6.entries, v6.count * sizeof(*v6.entries))),
	     "equal topologies, other entries");
	topology_free(&v4);
	topology_free(&v6);
	topology_free(&again4);
	topology_free(&again6);
	return good;
}

static void test_property(void **state)
{
	static struct model m4, m6;
	uint64_t count = setting("ECSDNS_PROPERTY", 5000), seed = setting("ECSDNS_SEED", 1), i;

	(void)state;
	for (i = 0; i < count; i++) {
		random_state = seed + i;
		model_random(&m4, 32);
		model_random(&m6, 128);
		m6.fallback = m4.fallback;
		model_finish(&m6);
		if (!topology_check(&m4, &m6)) {
			model_print(&m4);
			model_print(&m6);
			fail_msg("ECSDNS_SEED=%" PRIu64 " ECSDNS_PROPERTY=1 shows it again",
				 seed + i);
		}
	}
	print_message("%" PRIu64 " topologies from seed %" PRIu64 "\n", count, seed);
}

/* Every topology of blocks down to /3 with two regions: 256 patterns, no luck in it. */
static void test_exhaustive(void **state)
{
	static struct model m4, m6;
	unsigned int pattern, i;

	(void)state;
	random_state = 1;
	for (pattern = 0; pattern < 256; pattern++) {
		memset(&m4, 0, sizeof(m4));
		memset(&m6, 0, sizeof(m6));
		m4.bits = 32;
		m6.bits = 128;
		for (i = 0; i < 8; i++) {
			if (pattern >> i & 1) {
				model_add(&m4, (u128)i << 29, 3, 1);
				model_add(&m6, (u128)i << 125, 3, 1);
			}
		}
		model_finish(&m4);
		model_finish(&m6);
		if (!topology_check(&m4, &m6))
			fail_msg("pattern %#x", pattern);
	}
}

/* ---- Large tables, each in a process of its own so that its memory is its own ---- */

struct large {
	const char *name;
	size_t n;
	unsigned int bits, length;
	unsigned int entries_percent;	/* of the prefixes, at most */
};

/* A random /48 makes 2.245 entries (its leaf, the edge to it, and to 0.245 forks). */
static const struct large larges[] = {
	{ "1,000,000 random IPv6 /48", 1000000, 128, 48, 228 },
	{ "250,000 random IPv6 /48", 250000, 128, 48, 228 },
	{ "10,000 random IPv6 /48", 10000, 128, 48, 230 },
	{ "1,000,000 random IPv4 /24", 1000000, 32, 24, 228 },
	{ "1,000,000 random IPv6 /128", 1000000, 128, 128, 228 },
};

/* What compiling each took, written by its process. */
static struct cost {
	double seconds;		/* of the processor */
	long kilobytes;		/* beyond what the process held before */
} *large_costs;

static struct topology_prefix *large_prefixes(const struct large *large)
{
	struct topology_prefix *prefixes = calloc(large->n, sizeof(*prefixes));
	size_t i;

	if (!prefixes)
		return NULL;
	random_state = 48;
	for (i = 0; i < large->n; i++) {
		u128 address = block_first(random_address(large->bits), large->bits,
					   large->length);

		address_octets(address, large->bits, prefixes[i].address);
		prefixes[i].length = large->length;
		/* by address, so that a repeated prefix agrees with itself */
		prefixes[i].region = 1 + (uint32_t)((address >> (large->bits - large->length)) *
						    2654435761u >> 8) % 7;
	}
	return prefixes;
}

/* The model of what lies in or around one block. */
static void large_model(const struct large *large, const struct topology_prefix *prefixes,
			u128 address, unsigned int length, struct model *m)
{
	u128 first = block_first(address, large->bits, length);
	u128 last = block_last(address, large->bits, length);
	size_t i;

	memset(m, 0, sizeof(*m));
	m->bits = large->bits;
	for (i = 0; i < large->n && m->n < MAX_PREFIXES; i++) {
		u128 prefix = address_number(prefixes[i].address, large->bits);

		if (prefix <= last && block_last(prefix, large->bits, large->length) >= first)
			model_add(m, prefix, large->length, prefixes[i].region);
	}
	model_finish(m);
}

static bool large_sample(const struct large *large, const struct topology_prefix *prefixes,
			 const struct topology_family *family, u128 address)
{
	static struct model m;
	uint8_t octets[16], scope;
	uint32_t region;

	address_octets(address, large->bits, octets);
	MUST(!topology_lookup(family, large->bits, octets, &region, &scope), "lookup");
	MUST(scope > 0 && scope <= large->length, "scope %u", scope);
	large_model(large, prefixes, address, scope - 1, &m);
	MUST(region == model_region(&m, address), "%s", address_text(address, m.bits));
	MUST(model_uniform(&m, address, scope), "%s", address_text(address, m.bits));
	MUST(!model_uniform(&m, address, scope - 1), "%s", address_text(address, m.bits));
	return true;
}

static bool large_check(const struct large *large)
{
	struct topology_prefix *prefixes = large_prefixes(large);
	struct topology_family out[2];
	struct topology_family *family = &out[large->bits == 128];
	struct cost *cost = &large_costs[large - larges];
	struct timespec start, end;
	struct rusage before, usage;
	size_t i;

	MUST(prefixes, "no memory");
	getrusage(RUSAGE_SELF, &before);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	if (large->bits == 128)
		MUST(!topology_compile(NULL, 0, prefixes, large->n, 0, &out[0], &out[1]), "v6");
	else
		MUST(!topology_compile(prefixes, large->n, NULL, 0, 0, &out[0], &out[1]), "v4");
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	getrusage(RUSAGE_SELF, &usage);
	cost->seconds = end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
	cost->kilobytes = usage.ru_maxrss - before.ru_maxrss;
	print_message("%s: %zu entries (%.3f a prefix), %.2f s, peak %ld MB\n", large->name,
		      family->count, (double)family->count / large->n,
		      cost->seconds, usage.ru_maxrss / 1024);

	MUST(family->count <= large->n * large->entries_percent / 100, "%zu", family->count);
	MUST(SANITIZED || cost->seconds < 2, "%f", cost->seconds);
	MUST(SANITIZED || usage.ru_maxrss < 400 * 1024, "%ld", usage.ru_maxrss);
	for (i = 0; i < large->n; i++) {
		uint32_t region;
		uint8_t scope;

		MUST(!topology_lookup(family, large->bits, prefixes[i].address, &region, &scope) &&
		     region == prefixes[i].region && scope <= large->length, "%zu", i);
	}
	for (i = 0; i < 20; i++) {
		u128 near = address_number(prefixes[random_below(large->n)].address, large->bits);

		if (!large_sample(large, prefixes, family, near) ||
		    !large_sample(large, prefixes, family, near ^ (u128)1 <<
				  (large->bits - large->length + random_below(4))) ||
		    !large_sample(large, prefixes, family, random_address(large->bits)))
			return false;
	}
	topology_free(&out[0]);
	topology_free(&out[1]);
	free(prefixes);
	return true;
}

/* Half the memory it takes: refused cleanly, not killed. */
static bool starved_check(const struct large *large)
{
	struct topology_prefix *prefixes = large_prefixes(large);
	struct rlimit limit = { 128 << 20, 128 << 20 };
	struct topology_family v4, v6;

	MUST(prefixes, "no memory");
	MUST(!setrlimit(RLIMIT_AS, &limit), "setrlimit");
	MUST(topology_compile(NULL, 0, prefixes, large->n, 0, &v4, &v6) == -ENOMEM, "128 MB");
	MUST(!v4.entries && !v6.entries && !v4.count && !v6.count, "leftovers");
	free(prefixes);
	return true;
}

static void run_apart(bool (*check)(const struct large *), const struct large *large)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		bool good = check(large);

		fflush(NULL);
		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("%s: status %#x", large->name, (unsigned int)status);
}

static void test_large(void **state)
{
	size_t i;

	(void)state;
	large_costs = mmap(NULL, sizeof(*large_costs) * ARRAY_SIZE(larges), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(large_costs, MAP_FAILED);
	for (i = 0; i < ARRAY_SIZE(larges); i++)
		run_apart(large_check, &larges[i]);
	if (SANITIZED)
		return;
	/* Linear: four times the prefixes take about four times as much; what is quadratic would take sixteen times. */
	assert_true(large_costs[0].seconds < 8 * large_costs[1].seconds);
	assert_true(large_costs[0].kilobytes < 6 * large_costs[1].kilobytes);
}

static void test_starved(void **state)
{
	(void)state;
	run_apart(starved_check, &larges[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_starved),	/* last: sanitizers need the memory that it takes away */
	};

	return _cmocka_run_group_tests("tests", tests, sizeof(tests) / sizeof(tests[0]) - SANITIZED, NULL, NULL);
}
