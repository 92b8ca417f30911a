// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The compiler: entries to the octet, choices as DESIGN says them, and every entry of a whole configuration read back
 * by libknot's parser, which knows nothing of ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <libknot/libknot.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/controller/compile.h"

#define SERVER "server: {addresses: [198.18.0.1, \"fd00:ec5::1\"]}\n"
#define ONE "topologies: {one: {default: all}}\n"
#define TWO "topologies: {two: {default: east, prefixes: {192.0.2.0/24: west}}}\n"
#define ZONE "zones: [{name: example.com, file: z}]\n"

static const char zone_text[] =
	"$TTL 300\n"
	"@ 200 SOA ns hostmaster 7 3600 600 604800 100\n"
	"@ NS ns\n"
	"@ TXT \"apex\"\n"
	"ns A 198.18.0.1\n"
	"beside TXT \"text\"\n";

/* -- one configuration -- */

struct fixture {
	struct bundle *bundle;
	struct config *config;
	struct zone_set *zones;
	struct ids ids;
	struct faults faults;
	struct compiled *compiled;
};

static void fixture_zones(struct fixture *f)
{
	struct zone *zone;

	f->zones = zone_set_new();
	for (size_t i = 0; i < f->config->zone_count; i++) {
		assert_int_equal(zone_load(f->config->zones[i].origin.text, f->config->zones[i].file, f->bundle, &zone,
					   &f->faults), 0);
		assert_int_equal(zone_set_add(f->zones, zone), 0);
	}
}

static void fixture_begin(struct fixture *f, const char *text)
{
	memset(f, 0, sizeof(*f));
	ids_init(&f->ids, SERVICES_ENTRIES, REGIONS_ENTRIES);
	assert_int_equal(bundle_new(&f->bundle), 0);
	assert_int_equal(bundle_add(f->bundle, "t.yaml", text, strlen(text)), 0);
	assert_int_equal(bundle_add(f->bundle, "z", zone_text, strlen(zone_text)), 0);
	if (config_parse(f->bundle, 0, &f->config, &f->faults))
		faults_print(&f->faults, stderr);
	assert_non_null(f->config);
	fixture_zones(f);
}

static void fixture_compile(struct fixture *f, const struct health *health)
{
	compiled_free(f->compiled);
	if (compile(f->config, f->zones, health, &f->ids, &f->compiled, &f->faults))
		faults_print(&f->faults, stderr);
	assert_non_null(f->compiled);
}

static void fixture_end(struct fixture *f)
{
	compiled_free(f->compiled);
	zone_set_free(f->zones);
	config_free(f->config);
	bundle_free(f->bundle);
	ids_free(&f->ids);
	faults_free(&f->faults);
}

/* Compiles with the members of these numbers down; "0 3" say. */
static void fixture_down(struct fixture *f, const char *members)
{
	uint8_t down[256] = {0};
	struct health health = {down, f->config->member_count};
	char *at = (char *)members;

	for (long number = strtol(at, &at, 10); at != members; members = at, number = strtol(at, &at, 10))
		down[number] = 1;
	fixture_compile(f, &health);
}

static const struct answer *entry(const struct fixture *f, uint32_t index)
{
	uint32_t number = f->compiled->indices[index];

	assert_in_range(number, 1, f->compiled->answer_count);
	return &f->compiled->answers[number - 1];
}

static uint32_t index_of(const struct fixture *f, size_t service, uint32_t region, enum service_type type)
{
	return f->compiled->services[service].value.index + SERVICE_COMMON + region * SERVICE_TYPES + type;
}

static const struct answer *answer_of(const struct fixture *f, size_t service, uint32_t region, enum service_type type)
{
	return entry(f, index_of(f, service, region, type));
}

static const struct answer *common_of(const struct fixture *f, size_t service, enum service_common common)
{
	return entry(f, f->compiled->services[service].value.index + common);
}

static void assert_reason(const struct fixture *f, uint32_t region, enum service_type type, const char *pool,
			  enum compiled_note note)
{
	const struct compiled_reason *reason = &f->compiled->reasons[index_of(f, 0, region, type)];

	assert_int_equal(reason->note, note);
	if (pool)
		assert_string_equal(f->config->pools[reason->pool].name, pool);
	else
		assert_int_equal(reason->pool, CONFIG_NONE);
}

/* The last octets of the addresses of an entry, in its order. */
static void assert_last_octets(const struct answer *answer, const char *expected)
{
	char text[512] = "";

	for (int i = 0; i < answer->count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? " " : "",
			 answer->octets[answer->records + (i + 1) * answer->stride - 1]);
	assert_string_equal(text, expected);
}

/* -- entries to the octet -- */

static void test_records(void **state)
{
	static const uint8_t a[] = {
		0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4, 192, 0, 2, 1,
		0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4, 192, 0, 2, 2,
		0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4, 192, 0, 2, 3,
	};
	static const uint8_t aaaa[] = {
		0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 10, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	};
	const struct answer *answer;
	struct fixture f;

	(void)state;
	fixture_begin(
		&f, SERVER ONE
		"pools: {all: {max_answers: 2, members: [{name: a, address: 192.0.2.1}, "
		"{name: b, address: 192.0.2.2}, {name: c, address: \"2001:db8::1\"}, {name: d, address: 192.0.2.3}]}}\n"
		"services: [{name: www.example.com, topology: one, ttl: 10}]\n");
	fixture_compile(&f, NULL);
	assert_int_equal(f.compiled->services[0].value.types, 1 << SERVICE_A | 1 << SERVICE_AAAA);
	assert_int_equal(f.compiled->services[0].value.ttl, 10);
	assert_int_equal(f.compiled->services[0].value.flags, SERVICE_ECS);
	assert_int_equal(f.compiled->services[0].value.topology, 1);
	assert_int_equal(f.compiled->services[0].value.regions, 1);
	answer = answer_of(&f, 0, 0, SERVICE_A);
	assert_int_equal(answer->count, 3);
	assert_int_equal(answer->send, 2);
	assert_int_equal(answer->stride, 16);
	assert_int_equal(answer->method, ANSWER_ALL);
	assert_int_equal(answer->tail_length, 0);
	assert_int_equal(answer->authority + answer->additional, 0);
	assert_memory_equal(answer->octets + answer->records, a, sizeof(a));
	answer = answer_of(&f, 0, 0, SERVICE_AAAA);
	assert_int_equal(answer->count, 1);
	assert_int_equal(answer->send, 1);
	assert_int_equal(answer->stride, sizeof(aaaa));
	assert_memory_equal(answer->octets + answer->records, aaaa, sizeof(aaaa));
	assert_int_equal(f.compiled->indices[index_of(&f, 0, 0, SERVICE_CNAME)], ANSWER_NONE);
	fixture_end(&f);
}

static void test_cname(void **state)
{
	static const uint8_t cname[] = "\xc0\x0c\0\5\0\1\0\0\0\x1e\0\x11\3cdn\7example\3net";
	const struct answer *answer;
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ZONE ONE "pools: {all: {cname: CDN.example.net}}\n"
		      "services: [{name: www.example.com, topology: one, ecs: false}]\n");
	fixture_compile(&f, NULL);
	assert_int_equal(f.compiled->services[0].value.types, 7);
	assert_int_equal(f.compiled->services[0].value.flags, 0);
	answer = answer_of(&f, 0, 0, SERVICE_CNAME);
	assert_int_equal(answer->count, 1);
	assert_int_equal(answer->send, 1);
	assert_int_equal(answer->stride, sizeof(cname));
	assert_memory_equal(answer->octets, cname, sizeof(cname));
	assert_ptr_equal(answer_of(&f, 0, 0, SERVICE_A), answer);
	assert_ptr_equal(answer_of(&f, 0, 0, SERVICE_AAAA), answer);
	fixture_end(&f);
}

/* Mixed with addresses: by region for A and AAAA, and no CNAME to ask for. */
static void test_cname_mixed(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ZONE TWO "pools:\n  west: {cname: cdn.example.net}\n"
		      "  east: {members: [{name: a, address: 192.0.2.1}, {name: b, address: \"2001:db8::1\"}]}\n"
		      "services: [{name: www.example.com, topology: two}]\n");
	fixture_compile(&f, NULL);
	assert_int_equal(f.compiled->services[0].value.types, 1 << SERVICE_A | 1 << SERVICE_AAAA);
	assert_int_equal(answer_of(&f, 0, 0, SERVICE_A)->stride, 16);
	assert_int_equal(answer_of(&f, 0, 0, SERVICE_AAAA)->stride, 28);
	assert_int_equal(answer_of(&f, 0, 1, SERVICE_A)->octets[3], 5);
	assert_int_equal(answer_of(&f, 0, 1, SERVICE_AAAA)->octets[3], 5);
	assert_int_equal(f.compiled->indices[index_of(&f, 0, 1, SERVICE_CNAME)], ANSWER_NONE);
	assert_reason(&f, 1, SERVICE_CNAME, NULL, COMPILED_ABSENT);
	fixture_end(&f);
}

/* It has a state as a member has: number 0 here, as it comes first. */
static void test_cname_down(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ZONE TWO "pools:\n  cdn: {cname: cdn.example.net}\n"
		      "  east: {members: [{name: a, address: 192.0.2.1}, {name: b, address: \"2001:db8::1\"}]}\n"
		      "services:\n- name: www.example.com\n  topology: two\n  regions: {east: [east, cdn], west: [cdn, east]}\n");
	fixture_down(&f, "");
	assert_reason(&f, 1, SERVICE_A, "cdn", COMPILED_PREFERRED);
	fixture_down(&f, "0");
	assert_reason(&f, 1, SERVICE_A, "east", COMPILED_FAILED_OVER);
	assert_last_octets(answer_of(&f, 0, 1, SERVICE_A), "1");
	fixture_down(&f, "1");
	assert_reason(&f, 0, SERVICE_A, "cdn", COMPILED_FAILED_OVER);
	assert_reason(&f, 0, SERVICE_AAAA, "east", COMPILED_PREFERRED);
	fixture_down(&f, "0 1");
	assert_reason(&f, 1, SERVICE_A, "cdn", COMPILED_SERVE_ALL);
	assert_int_equal(answer_of(&f, 0, 1, SERVICE_A)->octets[3], 5);
	fixture_end(&f);
}

/* SOA of the zone around it: owner compressed into the question, TTL the lesser of 200 and 100. */
static void test_nodata(void **state)
{
	static const uint8_t soa[] =
		"\xc0\x10\0\6\0\1\0\0\0\x64\0\x3c"
		"\2ns\7example\3com\0\x0ahostmaster\7example\3com\0"
		"\0\0\0\7\0\0\x0e\x10\0\0\2\x58\0\x09\x3a\x80\0\0\0\x64";
	static const uint8_t hinfo[] = "\xc0\x0c\0\x0d\0\1\0\0\0\x1e\0\x09\7RFC8482";
	const struct answer *answer;
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ZONE ONE "pools: {all: {members: [{name: a, address: 192.0.2.1}]}}\n"
		      "services: [{name: www.example.com, topology: one}, {name: a.bb.example.com, topology: one}]\n");
	fixture_compile(&f, NULL);
	answer = common_of(&f, 0, SERVICE_NODATA);
	assert_int_equal(answer->count, 0);
	assert_int_equal(answer->send, 0);
	assert_int_equal(answer->authority, 1);
	assert_int_equal(answer->additional, 0);
	assert_int_equal(answer->tail_length, sizeof(soa) - 1);
	assert_memory_equal(answer->octets + answer->tail, soa, sizeof(soa) - 1);
	assert_ptr_equal(common_of(&f, 0, SERVICE_SOA), answer);
	assert_ptr_equal(common_of(&f, 0, SERVICE_NS), answer);
	assert_int_equal(common_of(&f, 1, SERVICE_NODATA)->octets[1], 12 + 5);
	answer = common_of(&f, 0, SERVICE_ANY);
	assert_int_equal(answer->count, 1);
	assert_int_equal(answer->stride, sizeof(hinfo));
	assert_memory_equal(answer->octets, hinfo, sizeof(hinfo));
	assert_ptr_equal(common_of(&f, 1, SERVICE_ANY), answer);
	fixture_end(&f);
}

static void test_outside_zones(void **state)
{
	static const uint8_t soa[] =
		"\xc0\x0c\0\6\0\1\0\0\x0e\x10\0\x32"
		"\2ns\1a\4test\0\x0ahostmaster\1a\4test\0"
		"\0\0\0\1\0\0\x0e\x10\0\0\2\x58\0\x09\x3a\x80\0\0\0\x3c";
	static const uint8_t ns[] = "\xc0\x0c\0\2\0\1\0\0\x0e\x10\0\x0b\2ns\1a\4test";
	const struct answer *answer;
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ONE "pools: {all: {members: [{name: a, address: 192.0.2.1}]}}\n"
		      "services: [{name: a.test, topology: one}, {name: ., topology: one}]\n");
	fixture_compile(&f, NULL);
	answer = common_of(&f, 0, SERVICE_SOA);
	assert_int_equal(answer->count, 1);
	assert_int_equal(answer->send, 1);
	assert_int_equal(answer->stride, sizeof(soa) - 1);
	assert_memory_equal(answer->octets, soa, sizeof(soa) - 1);
	answer = common_of(&f, 0, SERVICE_NS);
	assert_int_equal(answer->stride, sizeof(ns));
	assert_memory_equal(answer->octets, ns, sizeof(ns));
	answer = common_of(&f, 0, SERVICE_NODATA);
	assert_int_equal(answer->count, 0);
	assert_memory_equal(answer->octets, "\xc0\x0c\0\6\0\1\0\0\0\x3c", 10);
	assert_memory_equal(answer->octets + 10, soa + 10, sizeof(soa) - 11);
	/* the root's owner is written out, one octet */
	answer = common_of(&f, 1, SERVICE_NODATA);
	assert_memory_equal(answer->octets, "\0\0\6\0\1\0\0\0\x3c", 9);
	fixture_end(&f);
}

static void test_synthetic(void **state)
{
	static const uint8_t ns[] =
		"\xc0\x0c\0\2\0\1\0\0\x0e\x10\0\x09\3ns1\3net\0\xc0\x0c\0\2\0\1\0\0\x0e\x10\0\x09\3ns2\3net";
	const struct answer *answer;
	struct fixture f;

	(void)state;
	fixture_begin(&f, "server:\n  addresses: [198.18.0.1]\n"
		      "  synthetic: {nameservers: [ns1.net., ns2.net], hostmaster: root.net}\n"
		      ONE "pools: {all: {members: [{name: a, address: 192.0.2.1}]}}\n"
		      "services: [{name: a.test, topology: one}]\n");
	fixture_compile(&f, NULL);
	answer = common_of(&f, 0, SERVICE_NS);
	assert_int_equal(answer->count, 2);
	assert_int_equal(answer->send, 2);
	assert_memory_equal(answer->octets, ns, sizeof(ns));
	answer = common_of(&f, 0, SERVICE_SOA);
	assert_memory_equal(answer->octets + 12, "\3ns1\3net\0\4root\3net\0\0\0\0\1", 23);
	fixture_end(&f);
}

/* Zone data at the same name: what the service lacks is the fallback's. The apex has SOA and NS of the zone. */
static void test_beside_data(void **state)
{
	const struct service *service;
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ZONE ONE "checks: {c: {type: icmp}}\n"
		      "pools: {all: {check: c, members: [{name: a, address: 192.0.2.1}]}}\n"
		      "services: [{name: beside.example.com, topology: one, when_all_down: nodata},\n"
		      "           {name: example.com, topology: one}]\n");
	fixture_compile(&f, NULL);
	for (int i = 0; i < 2; i++) {
		service = &f.compiled->services[i].value;
		assert_int_equal(service->flags, SERVICE_ECS | SERVICE_STATIC | SERVICE_LACKS_A | SERVICE_LACKS_AAAA |
				 SERVICE_LACKS_HTTPS);
		assert_int_equal(common_of(&f, i, SERVICE_NODATA)->count, 0);
		assert_int_equal(f.compiled->indices[service->index + SERVICE_SOA], ANSWER_NONE);
		assert_int_equal(f.compiled->indices[service->index + SERVICE_NS], ANSWER_NONE);
		assert_int_equal(common_of(&f, i, SERVICE_ANY)->count, 1);
	}
	/* Its own type is the service's even when there is no data left. */
	fixture_down(&f, "0");
	assert_reason(&f, 0, SERVICE_A, NULL, COMPILED_NODATA);
	assert_int_equal(answer_of(&f, 0, 0, SERVICE_A)->count, 0);
	assert_int_equal(answer_of(&f, 0, 0, SERVICE_A)->octets[1], 12 + 7);
	fixture_end(&f);
}

static void test_long_names(void **state)
{
	char text[1024], label[64];
	struct fixture f;

	(void)state;
	memset(label, 'x', 63);
	label[63] = 0;
	snprintf(text, sizeof(text), SERVER ONE "pools: {all: {members: [{name: a, address: 192.0.2.1}]}}\n"
		 "services: [{name: %s.%s.%s.%.61s, topology: one}]\n", label, label, label, label);
	fixture_begin(&f, text);
	fixture_compile(&f, NULL);
	assert_int_equal(f.compiled->services[0].name_length, 255);
	assert_int_equal(common_of(&f, 0, SERVICE_NS)->stride, 12 + 255);
	assert_int_equal(common_of(&f, 0, SERVICE_SOA)->stride, 12 + 255 + 255 + 20);
	fixture_end(&f);
}

/* -- methods -- */

#define FOUR "members: [{name: a, address: 192.0.2.1, weight: 1}, {name: b, address: 192.0.2.2, weight: 0}, " \
	     "{name: c, address: 192.0.2.3, weight: 2}, {name: d, address: 192.0.2.4, weight: 5}]"
#define CHECKED "checks: {c: {type: icmp}}\n"
#define SERVICE "services: [{name: www.example.com, topology: one}]\n"

static void test_failover(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ONE CHECKED "pools: {all: {check: c, method: failover, " FOUR "}}\n" SERVICE);
	fixture_compile(&f, NULL);
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "1");
	fixture_down(&f, "0 1");
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "3");
	assert_reason(&f, 0, SERVICE_A, "all", COMPILED_PREFERRED);
	fixture_down(&f, "0 1 2 3");
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "1");
	assert_reason(&f, 0, SERVICE_A, "all", COMPILED_SERVE_ALL);
	fixture_end(&f);
}

static void test_all(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ONE CHECKED "pools: {all: {check: c, " FOUR "}}\n" SERVICE);
	fixture_down(&f, "2");
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "1 2 4");
	fixture_down(&f, "0 1 2 3");
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "1 2 3 4");
	fixture_end(&f);
	/* also without a check: somebody may have drained them */
	fixture_begin(&f, SERVER ONE "pools: {all: {" FOUR "}}\n" SERVICE);
	fixture_down(&f, "0 1 3");
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "3");
	fixture_down(&f, "0 1 2 3");
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "1 2 3 4");
	assert_reason(&f, 0, SERVICE_A, "all", COMPILED_SERVE_ALL);
	fixture_end(&f);
}

static void assert_thresholds(const struct answer *answer, const uint32_t *expected, size_t count)
{
	assert_int_equal(answer->method, ANSWER_WEIGHTED);
	assert_int_equal(answer->send, 1);
	assert_int_equal(answer->count, count);
	assert_int_equal(answer->records, count * 4);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(((const uint32_t *)answer->octets)[i], expected[i]);
}

static void test_weighted(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ONE CHECKED "pools: {all: {check: c, method: weighted, " FOUR "}}\n" SERVICE);
	fixture_compile(&f, NULL);
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "1 3 4");
	assert_thresholds(answer_of(&f, 0, 0, SERVICE_A), (uint32_t[]){0x20000000, 0x60000000, 0xffffffff}, 3);
	fixture_down(&f, "0");
	assert_thresholds(answer_of(&f, 0, 0, SERVICE_A), (uint32_t[]){1227133513, 0xffffffff}, 2);
	/* what weighs nothing cannot keep a pool up */
	fixture_down(&f, "0 2 3");
	assert_reason(&f, 0, SERVICE_A, "all", COMPILED_SERVE_ALL);
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "1 3 4");
	fixture_end(&f);
}

/* Shares are near the weights; a member that goes moves its own slots and no others. */
static void test_hash(void **state)
{
	size_t shares[256] = {0}, moved = 0;
	uint8_t before[ANSWER_HASH_SLOTS];
	const struct answer *answer;
	struct fixture f;
	uint8_t now;

	(void)state;
	fixture_begin(&f, SERVER ONE CHECKED "pools: {all: {check: c, method: hash, " FOUR "}}\n" SERVICE);
	fixture_compile(&f, NULL);
	answer = answer_of(&f, 0, 0, SERVICE_A);
	assert_int_equal(answer->method, ANSWER_HASH);
	assert_int_equal(answer->records, ANSWER_HASH_SLOTS);
	assert_int_equal(answer->send, 1);
	assert_last_octets(answer, "1 3 4");
	for (int slot = 0; slot < ANSWER_HASH_SLOTS; slot++) {
		assert_in_range(answer->octets[slot], 0, 2);
		before[slot] = answer->octets[answer->records + (answer->octets[slot] + 1) * 16 - 1];
		shares[before[slot]]++;
	}
	/* expected 32, 64 and 160; four standard deviations of a binomial distribution */
	assert_in_range(shares[1], 32 - 21, 32 + 21);
	assert_in_range(shares[3], 64 - 28, 64 + 28);
	assert_in_range(shares[4], 160 - 31, 160 + 31);
	fixture_down(&f, "2");
	answer = answer_of(&f, 0, 0, SERVICE_A);
	for (int slot = 0; slot < ANSWER_HASH_SLOTS; slot++) {
		now = answer->octets[answer->records + (answer->octets[slot] + 1) * 16 - 1];
		assert_int_not_equal(now, 3);
		if (now != before[slot]) {
			assert_int_equal(before[slot], 3);
			moved++;
		}
	}
	assert_int_equal(moved, shares[3]);
	fixture_end(&f);
}

/* -- which pool -- */

#define POOLS CHECKED "pools:\n" \
	"  p4: {check: c, members: [{name: a, address: 192.0.2.1}]}\n" \
	"  q4: {check: c, members: [{name: a, address: 192.0.2.2}]}\n" \
	"  both: {check: c, members: [{name: a, address: 192.0.2.3}, {name: b, address: \"2001:db8::3\"}]}\n" \
	"  sorry: {members: [{name: a, address: 192.0.2.4}, {name: b, address: \"2001:db8::4\"}]}\n"

static void test_order_of_pools(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER TWO POOLS "services:\n  - name: www.example.com\n    topology: two\n"
		      "    regions: {east: [p4, q4, both], west: [both, p4]}\n");
	fixture_compile(&f, NULL);
	assert_reason(&f, 0, SERVICE_A, "p4", COMPILED_PREFERRED);
	assert_reason(&f, 0, SERVICE_AAAA, "both", COMPILED_LACKS_TYPE);
	assert_reason(&f, 0, SERVICE_CNAME, NULL, COMPILED_ABSENT);
	assert_reason(&f, 1, SERVICE_A, "both", COMPILED_PREFERRED);
	assert_reason(&f, 1, SERVICE_AAAA, "both", COMPILED_PREFERRED);
	fixture_down(&f, "0");
	assert_reason(&f, 0, SERVICE_A, "q4", COMPILED_FAILED_OVER);
	assert_reason(&f, 0, SERVICE_AAAA, "both", COMPILED_LACKS_TYPE);
	/* one type of a pool may be down */
	fixture_down(&f, "2");
	assert_reason(&f, 1, SERVICE_A, "p4", COMPILED_FAILED_OVER);
	assert_reason(&f, 1, SERVICE_AAAA, "both", COMPILED_PREFERRED);
	/* all of them: each region its first that has the type, as if it were up */
	fixture_down(&f, "0 1 2 3");
	assert_reason(&f, 0, SERVICE_A, "p4", COMPILED_SERVE_ALL);
	assert_reason(&f, 0, SERVICE_AAAA, "both", COMPILED_SERVE_ALL);
	assert_reason(&f, 1, SERVICE_A, "both", COMPILED_SERVE_ALL);
	assert_last_octets(answer_of(&f, 0, 1, SERVICE_A), "3");
	assert_int_equal(f.compiled->services[0].value.types, 3);
	fixture_end(&f);
}

/* No data only where there is none for anyone. */
static void test_nodata_when_all_down(void **state)
{
	const struct answer *answer;
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER TWO POOLS "services:\n  - name: www.example.com\n    topology: two\n"
		      "    regions: {east: [p4], west: [q4]}\n    when_all_down: nodata\n");
	fixture_down(&f, "0");
	assert_reason(&f, 0, SERVICE_A, "p4", COMPILED_SERVE_ALL);
	assert_reason(&f, 1, SERVICE_A, "q4", COMPILED_PREFERRED);
	fixture_down(&f, "0 1");
	assert_reason(&f, 0, SERVICE_A, NULL, COMPILED_NODATA);
	assert_reason(&f, 1, SERVICE_A, NULL, COMPILED_NODATA);
	answer = answer_of(&f, 0, 0, SERVICE_A);
	assert_int_equal(answer->count, 0);
	assert_ptr_equal(answer, common_of(&f, 0, SERVICE_NODATA));
	assert_ptr_equal(answer, answer_of(&f, 0, 1, SERVICE_A));
	fixture_end(&f);
}

static void test_pool_when_all_down(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER TWO POOLS "services:\n  - name: www.example.com\n    topology: two\n"
		      "    regions: {east: [both], west: [p4, both]}\n    when_all_down: sorry\n");
	fixture_down(&f, "2 3");
	assert_reason(&f, 0, SERVICE_A, "sorry", COMPILED_ALL_DOWN_POOL);
	assert_reason(&f, 0, SERVICE_AAAA, "sorry", COMPILED_ALL_DOWN_POOL);
	assert_reason(&f, 1, SERVICE_A, "p4", COMPILED_PREFERRED);
	assert_reason(&f, 1, SERVICE_AAAA, "sorry", COMPILED_ALL_DOWN_POOL);
	fixture_end(&f);
}

/* A quorum is of the members of one type; below it the pool is down, and served whole if there is no other. */
static void test_min_up(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ONE "checks: {web: {type: tcp, port: 80}}\npools:\n"
		      "  main: {check: web, min_up: 2, members: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}, "
		      "{name: c, address: 192.0.2.3}, {name: d, address: \"2001:db8::1\"}, {name: e, address: \"2001:db8::2\"}]}\n"
		      "  spare: {check: web, members: [{name: a, address: 192.0.2.9}, {name: b, address: \"2001:db8::9\"}]}\n"
		      "services: [{name: www.example.com, topology: one, regions: {all: [main, spare]}}]\n");
	fixture_down(&f, "0");
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "2 3");
	assert_reason(&f, 0, SERVICE_A, "main", COMPILED_PREFERRED);
	fixture_down(&f, "0 2");
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "9");
	assert_reason(&f, 0, SERVICE_A, "spare", COMPILED_FAILED_OVER);
	assert_reason(&f, 0, SERVICE_AAAA, "main", COMPILED_PREFERRED);
	fixture_down(&f, "3");
	assert_reason(&f, 0, SERVICE_A, "main", COMPILED_PREFERRED);
	assert_reason(&f, 0, SERVICE_AAAA, "spare", COMPILED_FAILED_OVER);
	fixture_down(&f, "0 2 5 6");
	assert_last_octets(answer_of(&f, 0, 0, SERVICE_A), "1 2 3");
	assert_reason(&f, 0, SERVICE_A, "main", COMPILED_SERVE_ALL);
	fixture_end(&f);
}

/* Down with what it depends on, over any number of pools; up as long as that answers for some type. */
static void test_depends_on(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER ONE "checks: {web: {type: tcp, port: 80}}\npools:\n"
		      "  web: {depends_on: [api], members: [{name: a, address: 192.0.2.1}]}\n"
		      "  api: {check: web, depends_on: [base], members: [{name: a, address: 192.0.2.2}]}\n"
		      "  base: {check: web, members: [{name: a, address: 192.0.2.3}, {name: b, address: \"2001:db8::3\"}]}\n"
		      "  spare: {members: [{name: a, address: 192.0.2.9}]}\n"
		      "services: [{name: www.example.com, topology: one, regions: {all: [web, spare]}}]\n");
	fixture_down(&f, "2");
	assert_reason(&f, 0, SERVICE_A, "web", COMPILED_PREFERRED);
	fixture_down(&f, "2 3");
	assert_reason(&f, 0, SERVICE_A, "spare", COMPILED_FAILED_OVER);
	fixture_down(&f, "1");
	assert_reason(&f, 0, SERVICE_A, "spare", COMPILED_FAILED_OVER);
	fixture_down(&f, "0");
	assert_reason(&f, 0, SERVICE_A, "spare", COMPILED_FAILED_OVER);
	fixture_end(&f);
}

/* What fits only as long as somebody is down, does not fit. */
static void test_too_long_when_up(void **state)
{
	char text[8192] = SERVER ONE "checks: {web: {type: tcp, port: 80}}\npools:\n  all:\n    check: web\n    members:\n";
	uint8_t down[65] = {1, 1, 1};
	struct health health = {down, 65};
	struct compiled *compiled;
	struct fixture f;

	(void)state;
	for (int i = 0; i < 65; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "    - {name: m%d, address: 192.0.2.%d}\n", i, i);
	strcat(text, "services: [{name: www.example.com, topology: one}]\n");
	fixture_begin(&f, text);
	assert_int_equal(compile(f.config, f.zones, &health, &f.ids, &compiled, &f.faults), -EINVAL);
	assert_int_equal(f.faults.errors, 1);
	fixture_end(&f);
}

/* -- server and topologies -- */

static void test_server(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 198, 18, 0, 1};
	struct fixture f;

	(void)state;
	fixture_begin(&f, "server:\n  addresses: [198.18.0.1, \"fd00:ec5::47\"]\n"
		      "  ecs: {trust: [192.0.2.0/24, \"::/0\"]}\n" TWO);
	fixture_compile(&f, NULL);
	assert_int_equal(f.compiled->settings.flags, SETTINGS_ECS);
	assert_int_equal(f.compiled->settings.own_addresses, 1ULL << 1 | 1ULL << 7);
	assert_int_equal(f.compiled->address_count, 2);
	assert_memory_equal(f.compiled->addresses[0], mapped, 16);
	assert_int_equal(f.compiled->addresses[1][15], 0x47);
	assert_int_equal(f.compiled->topology_count, 2);
	assert_int_equal(f.compiled->topologies[0].number, TOPOLOGY_TRUST);
	assert_int_equal(f.compiled->topologies[0].region_count, 2);
	assert_int_equal(f.compiled->topologies[0].v4.count, 2);
	assert_int_equal(f.compiled->topologies[0].v4.entries[1].region, 1);
	assert_int_equal(f.compiled->topologies[0].v6.count, 1);
	assert_int_equal(f.compiled->topologies[0].v6.entries[0].region, 1);
	assert_string_equal(f.compiled->topologies[1].name, "two");
	assert_int_equal(f.compiled->topologies[1].number, 1);
	assert_string_equal(f.compiled->topologies[1].regions[0].name, "east");
	assert_int_equal(f.compiled->topologies[1].regions[1].id, 2);
	assert_int_equal(f.compiled->topologies[1].v4.count, 2);
	fixture_end(&f);
	fixture_begin(&f, "server: {addresses: [198.18.0.1], ecs: {enabled: false}}\n");
	fixture_compile(&f, NULL);
	assert_int_equal(f.compiled->settings.flags, SETTINGS_TRUST_ALL);
	assert_int_equal(f.compiled->service_count + f.compiled->answer_count + f.compiled->index_count, 0);
	fixture_end(&f);
	fixture_begin(&f, "server: {addresses: [198.18.0.1], ecs: {trust: []}}\n");
	fixture_compile(&f, NULL);
	assert_int_equal(f.compiled->settings.flags, SETTINGS_ECS);
	fixture_end(&f);
}

/* The same input gives the same octets, and ids outlive what they name. */
static void test_stable(void **state)
{
	struct compiled *other;
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER TWO POOLS "services:\n"
		      "  - {name: www.example.com, topology: two, regions: {east: [p4], west: [q4]}}\n"
		      "  - {name: web.example.com, topology: two, regions: {east: [p4], west: [q4]}}\n");
	fixture_compile(&f, NULL);
	assert_int_equal(compile(f.config, f.zones, NULL, &f.ids, &other, &f.faults), 0);
	assert_int_equal(other->answer_count, f.compiled->answer_count);
	assert_memory_equal(other->answers, f.compiled->answers, other->answer_count * sizeof(*other->answers));
	assert_memory_equal(other->indices, f.compiled->indices, other->index_count * sizeof(*other->indices));
	assert_int_equal(other->services[1].value.id, 2);
	assert_int_equal(other->services[1].value.index, SERVICE_COMMON + 2 * SERVICE_TYPES);
	/* two services of one length in no zone share all but what carries their names */
	assert_int_equal(other->indices[index_of(&f, 0, 0, SERVICE_A)], other->indices[index_of(&f, 1, 0, SERVICE_A)]);
	compiled_free(other);
	fixture_end(&f);
}

static void test_no_id_left(void **state)
{
	struct compiled *compiled;
	struct fixture f;

	(void)state;
	fixture_begin(&f, SERVER TWO POOLS "services:\n"
		      "  - {name: www.example.com, topology: two, regions: {east: [p4], west: [q4]}}\n"
		      "  - {name: web.example.com, topology: two, regions: {east: [p4], west: [q4]}}\n");
	ids_free(&f.ids);
	ids_init(&f.ids, 2, 16);
	assert_int_equal(compile(f.config, f.zones, NULL, &f.ids, &compiled, &f.faults), -ENOSPC);
	assert_null(compiled);
	assert_int_equal(f.faults.errors, 1);
	fixture_end(&f);
}

/* -- whole configurations, read back -- */

/* The reply that sends all records of an entry, as if it were the answer to its service's name. */
static knot_pkt_t *reply_parse(const struct compiled_service *service, uint16_t type, const struct answer *answer,
			       uint8_t *wire)
{
	size_t length = 12;
	knot_pkt_t *packet;

	memset(wire, 0, 12);
	wire[2] = 0x84;
	wire[5] = 1;
	wire[7] = answer->count;
	wire[9] = answer->authority;
	wire[11] = answer->additional;
	memcpy(wire + length, service->name, service->name_length);
	length += service->name_length;
	memcpy(wire + length, (uint8_t[]){type >> 8, type, 0, 1}, 4);
	length += 4;
	memcpy(wire + length, answer->octets + answer->records, answer->count * answer->stride);
	length += answer->count * answer->stride;
	memcpy(wire + length, answer->octets + answer->tail, answer->tail_length);
	length += answer->tail_length;
	packet = knot_pkt_new(wire, length, NULL);
	assert_non_null(packet);
	if (knot_pkt_parse(packet, 0))
		fail_msg("%s type %u: libknot cannot parse the reply", service->text, type);
	assert_int_equal(packet->parsed, length);
	return packet;
}

static void reply_check(const struct compiled_service *service, uint16_t type, const struct answer *answer)
{
	uint8_t wire[4096];
	knot_pkt_t *packet = reply_parse(service, type, answer, wire);
	const knot_pktsection_t *records = knot_pkt_section(packet, KNOT_ANSWER);
	const knot_pktsection_t *authority = knot_pkt_section(packet, KNOT_AUTHORITY);
	const knot_rrset_t *rrset;

	assert_int_equal(records->count, answer->count);
	for (int i = 0; i < records->count; i++) {
		rrset = knot_pkt_rr(records, i);
		assert_true(knot_dname_is_equal(rrset->owner, service->name));
		assert_true(rrset->type == type || rrset->type == KNOT_RRTYPE_CNAME ||
			    (type == KNOT_RRTYPE_ANY && rrset->type == KNOT_RRTYPE_HINFO));
		assert_int_equal(rrset->rclass, KNOT_CLASS_IN);
	}
	assert_int_equal(authority->count, answer->count ? 0 : 1);
	if (!answer->count) {
		rrset = knot_pkt_rr(authority, 0);
		assert_int_equal(rrset->type, KNOT_RRTYPE_SOA);
		assert_true(knot_dname_in_bailiwick(service->name, rrset->owner) >= 0);
		assert_in_range(rrset->ttl, 0, knot_soa_minimum(rrset->rrs.rdata));
	}
	knot_pkt_free(packet);
}

static void service_check(const struct compiled *compiled, const struct compiled_service *service)
{
	static const uint16_t common_types[SERVICE_COMMON] = {
		KNOT_RRTYPE_MX, KNOT_RRTYPE_ANY, KNOT_RRTYPE_SOA, KNOT_RRTYPE_NS,
	};
	static const uint16_t types[SERVICE_TYPES] = {KNOT_RRTYPE_A, KNOT_RRTYPE_AAAA, KNOT_RRTYPE_CNAME};
	uint32_t index = service->value.index, number;

	for (int i = 0; i < SERVICE_COMMON; i++, index++) {
		number = compiled->indices[index];
		assert_true(number || service->value.flags & SERVICE_STATIC);
		if (number)
			reply_check(service, common_types[i], &compiled->answers[number - 1]);
	}
	for (int i = 0; i < service->value.regions * SERVICE_TYPES; i++, index++) {
		number = compiled->indices[index];
		assert_int_equal(!number, !(service->value.types & 1 << i % SERVICE_TYPES));
		if (number)
			reply_check(service, types[i % SERVICE_TYPES], &compiled->answers[number - 1]);
	}
}

/* All members up, and every one of them down in turn. */
static void test_whole(void **state)
{
	uint8_t down[1024] = {0};
	struct health health = {down, 0};
	struct fixture f;

	memset(&f, 0, sizeof(f));
	ids_init(&f.ids, SERVICES_ENTRIES, REGIONS_ENTRIES);
	assert_int_equal(config_read_disk(*state, &f.bundle, &f.config, &f.faults), 0);
	fixture_zones(&f);
	health.count = f.config->member_count;
	for (uint32_t member = 0; member <= f.config->member_count; member++) {
		for (size_t i = 0; i < f.config->pool_count; i++)
			f.config->pools[i].check = 0;
		down[member] = 1;
		fixture_compile(&f, &health);
		down[member] = 0;
		for (size_t i = 0; i < f.compiled->service_count; i++)
			service_check(f.compiled, &f.compiled->services[i]);
	}
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_cname),
		cmocka_unit_test(test_cname_mixed),
		cmocka_unit_test(test_cname_down),
		cmocka_unit_test(test_nodata),
		cmocka_unit_test(test_outside_zones),
		cmocka_unit_test(test_synthetic),
		cmocka_unit_test(test_beside_data),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_failover),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_weighted),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_order_of_pools),
		cmocka_unit_test(test_nodata_when_all_down),
		cmocka_unit_test(test_pool_when_all_down),
		cmocka_unit_test(test_min_up),
		cmocka_unit_test(test_depends_on),
		cmocka_unit_test(test_too_long_when_up),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_stable),
		cmocka_unit_test(test_no_id_left),
		{"japan.yaml", test_whole, NULL, NULL, "examples/japan.yaml"},
		{"minimal.yaml", test_whole, NULL, NULL, "examples/minimal.yaml"},
		{"vectors.yaml", test_whole, NULL, NULL, "tests/vectors/vectors.yaml"},
	};

	return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
