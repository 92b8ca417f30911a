// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What a push would change. The share of addresses against a count block by block; settings against one edit for every key
 * that there is: an edit that no diff shows would be published unseen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/controller/diff.h"
#include "user/controller/ranges.h"

/* -- addresses -- */

#define DEPTH 10		/* bits that the random prefixes differ in */
#define REGIONS 3

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (random_state >> 33) % limit;
}

static const uint32_t the_same[REGIONS] = {0, 1, RANGES_NONE};

/* Of prefixes no longer than DEPTH, with a default of region 0. */
static void family_random(struct topology_family *family, unsigned int bits, uint32_t most)
{
	struct topology_prefix prefixes[32];
	struct topology_family other;
	size_t count = 0, i, wanted = random_below(most);

	while (count < wanted) {
		struct topology_prefix *prefix = &prefixes[count];
		uint32_t top;

		memset(prefix, 0, sizeof(*prefix));
		prefix->length = random_below(DEPTH + 1);
		top = random_below(1 << DEPTH) >> (DEPTH - prefix->length) << (DEPTH - prefix->length) << (16 - DEPTH);
		prefix->address[0] = top >> 8;
		prefix->address[1] = top;
		prefix->region = random_below(REGIONS);
		for (i = 0; i < count; i++)
			if (prefixes[i].length == prefix->length && !memcmp(prefixes[i].address, prefix->address, 16))
				break;
		count += i == count;
	}
	assert_int_equal(topology_compile(bits == 32 ? prefixes : NULL, bits == 32 ? count : 0, bits == 128 ? prefixes : NULL,
					  bits == 128 ? count : 0, 0, bits == 32 ? family : &other,
					  bits == 128 ? family : &other), 0);
	topology_free(&other);
}

/* Blocks of DEPTH bits that are of another region. */
static unsigned int count_blocks(const struct topology_family *before, const struct topology_family *after, unsigned int bits)
{
	unsigned int differing = 0;
	uint32_t was, is;
	uint8_t scope;

	for (uint32_t i = 0; i < 1 << DEPTH; i++) {
		uint8_t address[16] = {i << (16 - DEPTH) >> 8, i << (16 - DEPTH), 0x5a};

		assert_int_equal(topology_lookup(before, bits, address, &was, &scope), 0);
		assert_int_equal(topology_lookup(after, bits, address, &is, &scope), 0);
		differing += the_same[was] != is;
	}
	return differing;
}

/* They add up, follow one another, and none could be a larger one with the next. */
static unsigned int check_blocks(const struct ranges_change *change)
{
	const struct ranges_block *block, *next;
	unsigned int sum = 0;
	uint32_t at, after;

	for (size_t i = 0; i < change->listed; i++) {
		block = &change->list[i];
		assert_true(block->length <= DEPTH);
		assert_int_not_equal(the_same[block->before], block->after);
		at = (block->address[0] << 8 | block->address[1]) >> (16 - DEPTH);
		assert_int_equal(at & ((1u << (DEPTH - block->length)) - 1), 0);
		sum += 1u << (DEPTH - block->length);
		if (i + 1 == change->listed)
			break;
		next = block + 1;
		after = (next->address[0] << 8 | next->address[1]) >> (16 - DEPTH);
		assert_true(after >= at + (1u << (DEPTH - block->length)));
		assert_false(block->length == next->length && block->before == next->before && block->after == next->after &&
			     block->length && (at ^ after) == 1u << (DEPTH - block->length));
	}
	return sum;
}

static void test_random_topologies(void **unused)
{
	struct topology_family before, after;
	struct ranges_change change;
	unsigned int bits, blocks;
	long double whole;

	(void)unused;
	for (int round = 0; round < 600; round++) {
		bits = round % 2 ? 128 : 32;
		family_random(&before, bits, 32);
		family_random(&after, bits, round % 3 ? 32 : 4);
		assert_int_equal(ranges_compare(&before, &after, bits, the_same, SIZE_MAX, &change), 0);
		blocks = count_blocks(&before, &after, bits);
		assert_int_equal(change.blocks, change.listed);
		assert_int_equal(check_blocks(&change), blocks);
		whole = bits == 32 ? 4294967296.0L : 4294967296.0L * 4294967296.0L * 4294967296.0L * 4294967296.0L;
		assert_true(strtold(change.addresses, NULL) == whole / (1 << DEPTH) * blocks);
		assert_true(change.percent == (double)((long double)blocks / (1 << DEPTH) * 100));
		free(change.list);
		topology_free(&before);
		topology_free(&after);
	}
}

/* One prefix and what is around it; nothing; and everything, which is more than the largest number. */
static void test_whole_families(void **unused)
{
	static const uint32_t same[] = {0, 1}, crossed[] = {1, 0};
	const struct topology_prefix one = {.address = {0x24, 0x0b, 0x00, 0x10, 0x02, 0x80}, .length = 41, .region = 1};
	struct topology_family nothing4, nothing6, v4, v6;
	struct ranges_change change;

	(void)unused;
	assert_int_equal(topology_compile(NULL, 0, NULL, 0, 0, &nothing4, &nothing6), 0);
	assert_int_equal(topology_compile(NULL, 0, &one, 1, 0, &v4, &v6), 0);
	assert_int_equal(ranges_compare(&nothing6, &v6, 128, same, 9, &change), 0);
	assert_string_equal(change.addresses, "154742504910672534362390528");	/* 2^87 */
	assert_int_equal(change.listed, 1);
	assert_int_equal(change.list[0].length, 41);
	assert_memory_equal(change.list[0].address, one.address, 16);
	free(change.list);
	assert_int_equal(ranges_compare(&v6, &v6, 128, same, 9, &change), 0);
	assert_string_equal(change.addresses, "0");
	assert_int_equal(change.blocks, 0);
	assert_int_equal(ranges_compare(&v6, &v6, 128, crossed, 9, &change), 0);
	assert_string_equal(change.addresses, "340282366920938463463374607431768211456");
	assert_true(change.percent == 100);
	assert_int_equal(change.blocks, 42);
	assert_int_equal(change.listed, 9);
	free(change.list);
	assert_int_equal(ranges_compare(&nothing4, &v4, 32, crossed, 0, &change), 0);
	assert_string_equal(change.addresses, "4294967296");
	assert_int_equal(change.blocks, 1);
	assert_int_equal(change.listed, 0);
	topology_free(&nothing4);
	topology_free(&nothing6);
	topology_free(&v4);
	topology_free(&v6);
}

/* -- settings -- */

static const char base[] =
	"server:\n"
	"  addresses: [198.18.0.1, \"fd00:ec5::1\"]\n"
	"  ecs: {enabled: true, trust: [\"0.0.0.0/0\", \"::/0\"], resolver_prefixes: [/24, /40]}\n"
	"  synthetic: {nameservers: [ns.example.net.], hostmaster: root.example.net.}\n"
	"  health: {hold_when_all_fail: true, max_running: 100, max_programs: 10}\n"
	"zones: [{name: example.com, file: example.com.zone}, {name: example.org, file: example.com.zone}]\n"
	"checks:\n"
	"  web: {type: https, port: 443, path: /health, interval: 5s, timeout: 2s, rise: 2, fall: 3, status: [200, 300-302],\n"
	"        host: www.example.com, body: good, verify: true, ca_file: /etc/ca.pem, source: [192.0.2.1]}\n"
	"  regex: {type: http, body_regex: \"go+d\"}\n"
	"  name: {type: dns, query: www.example.com, query_type: A, rcode: noerror, answer: 192.0.2.1}\n"
	"  talk: {type: tcp, port: 25, send: \"EHLO\", expect: \"250\"}\n"
	"  tool: {type: exec, command: [/bin/true, one]}\n"
	"pools:\n"
	"  east: {check: web, max_answers: 4, members: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}]}\n"
	"  west: {check: web, method: weighted, min_up: 2, depends_on: [east], members: [{name: a, address: 192.0.2.3, weight: 3},\n"
	"         {name: b, address: 192.0.2.4}]}\n"
	"  hashed: {method: hash, spread: [/24, /56], members: [{name: a, address: 192.0.2.5}, {name: b, address: 192.0.2.6}]}\n"
	"  elsewhere: {cname: cdn.example.net.}\n"
	"topologies:\n"
	"  two: {default: east, prefixes: {192.0.2.0/24: west, 198.51.100.0/24: hashed}}\n"
	"  one: {default: elsewhere}\n"
	"services:\n"
	"  - {name: www.example.com, topology: two, ttl: 10, ecs: true, regions: {east: [east, west]}, when_all_down: serve-all}\n"
	"  - {name: cdn.example.com, topology: one}\n";

static const char zone_text[] =
	"$TTL 300\n"
	"@ SOA ns hostmaster 7 3600 600 604800 100\n"
	"@ NS ns\n"
	"ns A 198.18.0.1\n"
	"text TXT \"one\" \n"
	"text TXT \"two\" \n";

static struct ids all_ids;

static struct generation *generation_of(const char *yaml, const char *zone)
{
	struct generation *generation = NULL;
	struct bundle *bundle;
	struct faults faults;

	faults_init(&faults);
	assert_int_equal(bundle_new(&bundle), 0);
	assert_int_equal(bundle_add(bundle, "main.yaml", yaml, strlen(yaml)), 0);
	assert_int_equal(bundle_add(bundle, "example.com.zone", zone, strlen(zone)), 0);
	if (generation_make_whole(bundle, NULL, &all_ids, &generation, &faults)) {
		faults_print(&faults, stderr);
		fail();
	}
	faults_free(&faults);
	bundle_free(bundle);
	return generation;
}

/* `text` with its first `from` replaced; the caller frees it. */
static char *edited(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	size_t octets = strlen(text) + strlen(to) + 1;
	char *result = malloc(octets);

	assert_non_null(at);
	snprintf(result, octets, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return result;
}

static json_t *diff_edited(const char *yaml_from, const char *yaml_to, const char *zone_from, const char *zone_to, size_t limit)
{
	char *yaml = edited(base, yaml_from, yaml_to), *zone = edited(zone_text, zone_from, zone_to);
	struct generation *before = generation_of(base, zone_text), *after = generation_of(yaml, zone);
	json_t *diff = diff_json(before, after, limit);

	assert_non_null(diff);
	free(yaml);
	free(zone);
	generation_free(before);
	generation_free(after);
	return diff;
}

static const json_t *field(const json_t *of, const char *path)
{
	char copy[128], *name, *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (name = strtok_r(copy, ".", &save); name && of; name = strtok_r(NULL, ".", &save))
		of = json_is_array(of) ? json_array_get(of, strtoul(name, NULL, 10)) : json_object_get(of, name);
	return of;
}

static void same_text(const json_t *of, const char *path, const char *expected)
{
	const char *got = json_string_value(field(of, path));

	if (!got || strcmp(got, expected))
		fail_msg("%s: expected \"%s\", not \"%s\"", path, expected, got ? got : "(no text)");
}

static void same_number(const json_t *of, const char *path, json_int_t expected)
{
	if (!json_is_integer(field(of, path)) || json_integer_value(field(of, path)) != expected)
		fail_msg("%s: expected %lld, not %lld", path, (long long)expected,
			 (long long)json_integer_value(field(of, path)));
}

/* One edit a key; in which part it has to be seen, and what of. */
static const struct {
	const char *from, *to, *path, *expected;
} edits[] = {
	{"198.18.0.1,", "198.18.0.9,", "server.fields.0.field", "addresses"},
	{"enabled: true", "enabled: false", "server.fields.0.field", "ecs.enabled"},
	{"\"0.0.0.0/0\"", "192.0.2.0/24", "topologies.0.topology", "server: ecs: trust"},
	{"[/24, /40]", "[/24, /48]", "server.fields.0.after", "/24, /48"},
	{"[ns.example.net.]", "[a.example.net.]", "server.fields.0.field", "synthetic.nameservers"},
	{"root.example.net.", "hm.example.net.", "server.fields.0.field", "synthetic.hostmaster"},
	{"hold_when_all_fail: true", "hold_when_all_fail: false", "server.fields.0.field", "health.hold_when_all_fail"},
	{"max_running: 100", "max_running: 101", "server.fields.0.field", "health.max_running"},
	{"max_programs: 10", "max_programs: 11", "server.fields.0.field", "health.max_programs"},
	{"port: 443", "port: 8443", "checks.list.0.fields.0.field", "port"},
	{"/health", "/alive", "checks.list.0.fields.0.after", "/alive"},
	{"interval: 5s", "interval: 6s", "checks.list.0.fields.0.before", "5000ms"},
	{"timeout: 2s", "timeout: 1s", "checks.list.0.fields.0.field", "timeout"},
	{"rise: 2", "rise: 1", "checks.list.0.fields.0.field", "rise"},
	{"fall: 3", "fall: 4", "checks.list.0.fields.0.field", "fall"},
	{"300-302", "300-303", "checks.list.0.fields.0.after", "200, 300-303"},
	{"host: www.example.com", "host: w.example.com", "checks.list.0.fields.0.field", "host"},
	{"body: good", "body: fine", "checks.list.0.fields.0.field", "body"},
	{"verify: true, ca_file: /etc/ca.pem", "verify: false", "checks.list.0.fields.0.field", "verify"},
	{"/etc/ca.pem", "/etc/cb.pem", "checks.list.0.fields.0.field", "ca_file"},
	{"source: [192.0.2.1]", "source: [192.0.2.2]", "checks.list.0.fields.0.field", "source (IPv4)"},
	{"go+d", "goo+d", "checks.list.0.fields.0.field", "body_regex"},
	{"query: www.example.com", "query: w.example.com", "checks.list.0.fields.0.field", "query"},
	{"query_type: A", "query_type: TXT", "checks.list.0.fields.0.field", "query_type"},
	{"rcode: noerror", "rcode: nxdomain", "checks.list.0.fields.0.field", "rcode"},
	{"answer: 192.0.2.1", "answer: 192.0.2.2", "checks.list.0.fields.0.field", "answer"},
	{"EHLO", "HELO", "checks.list.0.fields.0.field", "send"},
	{"\"250\"", "\"220\"", "checks.list.0.fields.0.field", "expect"},
	{"/bin/true, one", "/bin/true, two", "checks.list.0.fields.0.after", "/bin/true two"},
	{"{type: tcp, port: 25, send: \"EHLO\", expect: \"250\"}", "{type: icmp}", "checks.list.0.fields.0.field", "type"},
	{"east: {check: web, ", "east: {check: talk, ", "pools.list.0.fields.0.after", "talk"},
	{"max_answers: 4", "max_answers: 1", "pools.list.0.fields.0.field", "max_answers"},
	{"method: weighted, ", "", "pools.list.0.fields.0.before", "weighted"},
	{"min_up: 2", "min_up: 1", "pools.list.0.fields.0.field", "min_up"},
	{"depends_on: [east], ", "", "pools.list.0.fields.0.before", "east"},
	{"weight: 3", "weight: 2", "pools.list.0.fields.0.field", "member a"},
	{"name: b, address: 192.0.2.2", "name: b, address: 192.0.2.9", "pools.list.0.fields.0.after", "192.0.2.9 weight 1"},
	{"{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}", "{name: b, address: 192.0.2.2}, {name: a, address: 192.0.2.1}",
	 "pools.list.0.fields.0.after", "b, a"},
	{"[/24, /56]", "[/20, /56]", "pools.list.0.fields.0.field", "spread"},
	{"cdn.example.net.", "cdx.example.net.", "pools.list.0.fields.0.field", "cname"},
	{"192.0.2.0/24: west", "192.0.2.0/24: hashed", "topologies.0.prefixes.list.0.change", "moved"},
	{"192.0.2.0/24: west", "192.0.2.0/25: west", "topologies.0.prefixes.list.0.change", "removed"},
	{"default: elsewhere", "default: hashed", "topologies.0.default_after", "hashed"},
	{"topology: one", "topology: two", "services.list.0.fields.0.field", "topology"},
	{"ttl: 10", "ttl: 20", "services.list.0.fields.0.field", "ttl"},
	{"ecs: true,", "ecs: false,", "services.list.0.fields.0.field", "ecs"},
	{"[east, west]", "[west, east]", "services.list.0.fields.0.after", "west, east"},
	{"serve-all", "nodata", "services.list.0.fields.0.field", "when_all_down"},
	{"serve-all", "west", "services.list.0.fields.0.after", "west"},
	{"  - {name: cdn.example.com, topology: one}\n", "", "services.list.0.change", "removed"},
	{", {name: example.org, file: example.com.zone}", "", "zones.0.change", "removed"},
};

static void test_every_key(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		json_t *diff = diff_edited(edits[i].from, edits[i].to, "$TTL", "$TTL", 5);

		if (!json_is_true(json_object_get(diff, "changed")))
			fail_msg("%s -> %s: nothing seems to change", edits[i].from, edits[i].to);
		same_text(diff, edits[i].path, edits[i].expected);
		json_decref(diff);
	}
}

/* Comments, order and ways of writing are no changes. */
static void test_nothing(void **unused)
{
	static const char *const same[][2] = {
		{"server:", "# a comment\nserver:"},
		{"192.0.2.0/24: west, 198.51.100.0/24: hashed", "198.51.100.0/24: hashed, 192.0.2.0/24: west"},
		{"interval: 5s", "interval: 5000ms"},
		{"  two: {default: east, prefixes: {192.0.2.0/24: west, 198.51.100.0/24: hashed}}\n  one: {default: elsewhere}\n",
		 "  one: {default: elsewhere}\n  two: {default: east, prefixes: {192.0.2.0/24: west, 198.51.100.0/24: hashed}}\n"},
		{"ecs: true, regions", "regions"},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		json_t *diff = diff_edited(same[i][0], same[i][1], "\"one\" \ntext TXT \"two\"", "\"two\" \ntext TXT \"one\"", 5);

		if (!json_is_false(json_object_get(diff, "changed")))
			fail_msg("%s: %s", same[i][1], json_dumps(diff, 0));
		json_decref(diff);
	}
}

/* What comes of one edit: the answers of the regions that the pool stands in, and no others. */
static void test_answers(void **unused)
{
	json_t *diff = diff_edited("address: 192.0.2.3, weight: 3", "address: 192.0.2.33, weight: 3", "$TTL", "$TTL", 5);

	(void)unused;
	same_number(diff, "answers.changed", 1);
	same_number(diff, "answers.added", 0);
	same_text(diff, "answers.list.0.service", "www.example.com");
	same_text(diff, "answers.list.0.region", "west");
	same_text(diff, "answers.list.0.type", "A");
	same_text(diff, "answers.list.0.before", "ttl 10: 192.0.2.3 (75 %), 192.0.2.4 (25 %)");
	same_text(diff, "answers.list.0.after", "ttl 10: 192.0.2.33 (75 %), 192.0.2.4 (25 %)");
	json_decref(diff);
	/* A region goes: its answers, too. */
	diff = diff_edited("192.0.2.0/24: west, ", "", "$TTL", "$TTL", 5);
	same_number(diff, "answers.removed", 1);
	same_number(diff, "answers.changed", 0);
	same_text(diff, "topologies.0.families.0.addresses", "256");
	same_text(diff, "topologies.0.families.0.list.0.block", "192.0.2.0/24");
	same_text(diff, "topologies.0.families.0.list.0.after", "east");
	same_text(diff, "topologies.0.families.1.addresses", "0");
	json_decref(diff);
}

static void test_zones(void **unused)
{
	json_t *diff = diff_edited("server:", "server:", "hostmaster 7", "hostmaster 8", 5);

	(void)unused;
	same_number(diff, "zones.0.records_added", 1);
	same_number(diff, "zones.0.records_removed", 1);
	same_number(diff, "zones.0.serial_before", 7);
	same_number(diff, "zones.0.serial_after", 8);
	assert_true(json_is_true(field(diff, "zones.0.serial_grew")));
	json_decref(diff);
	diff = diff_edited("server:", "server:", "\"one\"", "\"three\"", 1);
	assert_true(json_is_false(field(diff, "zones.0.serial_grew")));
	same_text(diff, "zones.0.list.0.record", "text.example.com. 300 TXT \"one\"");
	same_text(diff, "zones.0.list.0.change", "removed");
	same_number(diff, "zones.0.left_out", 1);
	json_decref(diff);
	/* A TTL is every record's. */
	diff = diff_edited("server:", "server:", "text TXT \"one\" \ntext TXT", "text 60 TXT \"one\" \ntext 60 TXT", 5);
	same_number(diff, "zones.0.records_added", 2);
	same_number(diff, "zones.0.records_removed", 2);
	json_decref(diff);
	diff = diff_edited("server:", "server:", "text TXT \"one\" \n", "deep.er A 192.0.2.1\n", 5);
	same_text(diff, "zones.0.list.1.record", "deep.er.example.com. 300 A 192.0.2.1");
	json_decref(diff);
}

/* Against nothing everything is new, and lists end where they are told to. */
static void test_first(void **unused)
{
	struct generation *after = generation_of(base, zone_text);
	json_t *diff = diff_json(NULL, after, 2);

	(void)unused;
	assert_true(json_is_true(field(diff, "changed")));
	same_number(diff, "generation", 0);
	same_number(diff, "services.added", 2);
	same_number(diff, "pools.added", 4);
	assert_int_equal(json_array_size(field(diff, "pools.list")), 2);
	same_number(diff, "pools.left_out", 2);
	same_number(diff, "checks.added", 5);
	same_number(diff, "answers.removed", 0);
	assert_int_equal(json_array_size(field(diff, "topologies")), 3);
	same_text(diff, "topologies.1.change", "added");
	same_number(diff, "zones.0.records_added", 5);
	json_decref(diff);
	generation_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_topologies),
		cmocka_unit_test(test_whole_families),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_first),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	ids_init(&all_ids, 4096, 4096);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	ids_free(&all_ids);
	return failed;
}
