// SPDX-License-Identifier: GPL-3.0-or-later
/* Zone data: what loads, what is refused and where, and what each name is to its zone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/bundle.h"
#include "user/common/zone.h"

#define SOA "@ 3600 SOA ns.example. host.example. 1 3600 600 604800 300\n"
#define HEAD SOA "@ 3600 NS ns.example.com.\n"

/* RFC 4592 2.2.1, with an A record for the RFC's "<SRV>" left as SRV, and some more below it. */
static const char rfc4592[] =
	"$ORIGIN example.\n$TTL 3600\n" HEAD
	"  NS ns.example.net.\n"
	"*  TXT \"this is a wildcard\"\n"
	"*  MX 10 host1.example.\n"
	"sub.* TXT \"this is not a wildcard\"\n"
	"host1 A 192.0.2.1\n"
	"_ssh._tcp.host1 SRV 0 0 22 host1\n"
	"_ssh._tcp.host2 SRV 0 0 22 host2\n"
	"subdel NS ns.example.com.\n"
	"subdel NS ns.subdel\n"
	"ns.subdel A 192.0.2.2\n"
	"moved DNAME elsewhere.example.net.\n"
	"alias CNAME Host1\n";

static const uint8_t *wire(const char *text)
{
	static uint8_t names[4][256];
	static unsigned int turn;
	uint8_t *name = names[turn++ % 4];

	assert_int_equal(zone_name_parse(text, name), 0);
	return name;
}

/* Loads `example` from files given as name, content, ..., NULL. */
static int load_files(struct zone **zone, struct faults *faults, ...)
{
	struct bundle *bundle;
	const char *name, *content;
	va_list files;
	int code;

	faults_init(faults);
	assert_int_equal(bundle_new(&bundle), 0);
	va_start(files, faults);
	while ((name = va_arg(files, const char *))) {
		content = va_arg(files, const char *);
		assert_int_equal(bundle_add(bundle, name, content, strlen(content)), 0);
	}
	va_end(files);
	*zone = NULL;
	code = zone_load("Example", "example.zone", bundle, zone, faults);
	bundle_free(bundle);	/* a zone keeps nothing of it */
	return code;
}

static struct zone *load(const char *content)
{
	struct faults faults;
	struct zone *zone;
	int code = load_files(&zone, &faults, "example.zone", content, NULL);

	if (code)
		faults_print(&faults, stderr);
	assert_int_equal(code, 0);
	assert_int_equal(faults.errors, 0);
	faults_free(&faults);
	return zone;
}

static void finds_what_rfc4592_says(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum zone_match match;
		const char *node, *encloser;
	} rows[] = {
		{ "example", ZONE_FOUND, "example", NULL },
		{ "host3.example", ZONE_WILDCARD, "*.example", "example" },
		{ "foo.bar.example", ZONE_WILDCARD, "*.example", "example" },
		{ "host1.example", ZONE_FOUND, "host1.example", NULL },
		{ "sub.*.example", ZONE_FOUND, "sub.*.example", NULL },
		{ "_telnet._tcp.host1.example", ZONE_MISSING, NULL, "_tcp.host1.example" },
		{ "host.subdel.example", ZONE_CUT, "subdel.example", NULL },
		{ "subdel.example", ZONE_CUT, "subdel.example", NULL },
		{ "ns.subdel.example", ZONE_CUT, "subdel.example", NULL },
		{ "ghost.*.example", ZONE_MISSING, NULL, "*.example" },
		{ "*.example", ZONE_FOUND, "*.example", NULL },
		{ "x.host1.example", ZONE_MISSING, NULL, "host1.example" },
		{ "_tcp.host2.example", ZONE_FOUND, "_tcp.host2.example", NULL },
		{ "host2.example", ZONE_FOUND, "host2.example", NULL },
		{ "moved.example", ZONE_FOUND, "moved.example", NULL },
		{ "a.b.moved.example", ZONE_DNAME, "moved.example", NULL },
		{ "ample", ZONE_OUTSIDE, NULL, NULL },
		{ "xexample", ZONE_OUTSIDE, NULL, NULL },
		{ ".", ZONE_OUTSIDE, NULL, NULL },
	};
	struct zone *zone = load(rfc4592);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zone_found found;
		enum zone_match match = zone_find(zone, wire(rows[i].name), &found);

		if (match != rows[i].match)
			print_error("%s\n", rows[i].name);
		assert_int_equal(match, rows[i].match);
		if (rows[i].node)
			assert_memory_equal(found.node->name, wire(rows[i].node), zone_name_length(wire(rows[i].node)));
		else
			assert_null(found.node);
		if (rows[i].encloser)
			assert_memory_equal(found.encloser->name, wire(rows[i].encloser),
					    zone_name_length(wire(rows[i].encloser)));
	}
	zone_free(zone);
}

static void keeps_records_in_wire_form(void **state)
{
	(void)state;
	struct zone *zone = load(rfc4592);
	const struct zone_rrset *rrset = zone_rrset(zone, wire("alias.example"), 5);

	assert_non_null(rrset);
	assert_int_equal(rrset->count, 1);
	assert_int_equal(rrset->ttl, 3600);
	assert_int_equal(rrset->records[0].length, 15);
	assert_memory_equal(rrset->records[0].octets, "\x05Host1\x07" "example\x00", 15);
	assert_string_equal(rrset->file, "example.zone");
	assert_int_equal(rrset->line, 16);
	rrset = zone_rrset(zone, wire("example"), 2);
	assert_int_equal(rrset->count, 2);
	assert_memory_equal(rrset->records[1].octets, "\x02ns\x07" "example\x03net", 16);
	assert_null(zone_rrset(zone, wire("example"), 1));
	assert_null(zone_rrset(zone, wire("nothing.example"), 1));
	/* glue is seen past the delegation */
	assert_non_null(zone_rrset(zone, wire("ns.subdel.example"), 1));
	assert_int_equal(zone_node(zone, wire("host2.example"))->rrset_count, 0);
	zone_free(zone);
}

static void services_exist(void **state)
{
	(void)state;
	struct zone *zone = load(rfc4592);
	struct zone_found found;

	assert_int_equal(zone_add_service(zone, wire("www.dc.example")), 0);
	assert_int_equal(zone_add_service(zone, wire("host1.example")), 0);
	assert_int_equal(zone_add_service(zone, wire("www.other")), -EDOM);
	assert_int_equal(zone_find(zone, wire("www.dc.example"), &found), ZONE_FOUND);
	assert_int_equal(found.node->flags, ZONE_NODE_SERVICE);
	/* the empty non-terminal above it hides the wildcard, and so does the service */
	assert_int_equal(zone_find(zone, wire("dc.example"), &found), ZONE_FOUND);
	assert_int_equal(found.node->rrset_count, 0);
	assert_int_equal(zone_find(zone, wire("x.dc.example"), &found), ZONE_MISSING);
	assert_int_equal(zone_find(zone, wire("x.www.dc.example"), &found), ZONE_MISSING);
	assert_int_equal(zone_find(zone, wire("host1.example"), &found), ZONE_FOUND);
	assert_int_equal(found.node->flags, ZONE_NODE_SERVICE);
	assert_non_null(zone_node_rrset(found.node, 1));
	zone_free(zone);
}

static void refuses_bad_zones(void **state)
{
	(void)state;
	static const struct {
		const char *content;
		unsigned int line;
		const char *says;
	} rows[] = {
		{ "", 0, "empty" },
		{ "; nothing\n", 0, "no SOA" },
		{ "@ NS ns.example.com.\n", 0, "no SOA" },
		{ SOA, 0, "no NS" },
		{ HEAD "@ SOA ns host 2 3600 600 604800 300\n", 1, "2 SOA" },
		{ HEAD "sub SOA ns host 2 3600 600 604800 300\n", 3, "SOA" },
		{ HEAD "www.example.com. A 192.0.2.1\n", 3, "not in the zone" },
		{ HEAD "a A 192.0.2.1\nb A 192.0.2.300\n", 4, "IPv4" },
		{ HEAD "a A\n", 3, "" },
		{ HEAD "a BOGUS x\n", 3, "in \"a BOGUS x\"" },
		{ HEAD "a WKSX x\n", 3, "record type such as" },
		{ HEAD "a CH A 192.0.2.1\n", 3, "" },
		{ HEAD "a 3000000000 A 192.0.2.1\n", 3, "TTL" },
		{ HEAD "a CNAME b\na A 192.0.2.1\n", 3, "CNAME" },
		{ HEAD "a CNAME b\na CNAME c\n", 3, "CNAME" },
		{ HEAD "a DNAME b\na DNAME c\n", 3, "DNAME" },
		{ HEAD "a DNAME b\nx.y.a A 192.0.2.1\n", 4, "below the DNAME" },
		{ HEAD "a DNAME b\na NS c\n", 3, "DNAME" },
		{ HEAD "*.a NS b\n", 3, "wildcard" },
		{ HEAD "*.a DNAME b\n", 3, "wildcard" },
		{ HEAD "a TYPE2 \\# 3 026e73\n", 3, "not a record of this type" },
		{ HEAD "a TYPE6 \\# 4 00000000\n", 3, "" },
		{ HEAD "a TYPE255 \\# 0\n", 3, "for queries" },
		{ HEAD "a TXT (\"x\"\n", 4, "" },
		{ HEAD "$ORIGIN sub\n", 3, "final dot" },
		{ HEAD "a A 192.0.2.1\r\n", 3, "line feed" },
		{ HEAD "$INCLUDE none.zone\n", 3, "none.zone" },
		{ HEAD "$INCLUDE example.zone\n", 3, "$INCLUDE" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct faults faults;
		struct zone *zone;
		int code = load_files(&zone, &faults, "example.zone", rows[i].content, NULL);
		size_t found = 0;

		for (size_t j = 0; j < faults.count; j++)
			if (!faults.list[j].warning && faults.list[j].line == rows[i].line &&
			    strstr(faults.list[j].text, rows[i].says))
				found++;
		if (!code || !found) {
			print_error("row %zu: %d\n%s", i, code, rows[i].content);
			faults_print(&faults, stderr);
		}
		assert_true(code < 0);
		assert_null(zone);
		assert_true(found);
		faults_free(&faults);
	}
}

static void shows_all_faults(void **state)
{
	(void)state;
	struct faults faults;
	struct zone *zone;

	assert_int_equal(load_files(&zone, &faults, "example.zone", HEAD "a A 1.2.3\nb AAAA ::g\nc MX x y\n", NULL), -EINVAL);
	assert_int_equal(faults.errors, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_string_equal(faults.list[i].file, "example.zone");
		assert_int_equal(faults.list[i].line, 3 + i);
	}
	faults_free(&faults);
}

static void includes_from_the_bundle_alone(void **state)
{
	(void)state;
	struct faults faults;
	struct zone *zone;

	assert_int_equal(load_files(&zone, &faults, "example.zone", "$TTL 60\n" HEAD "$INCLUDE sub/more.zone Deep.Example.\n"
				    "after A 192.0.2.9", "sub/more.zone", "a A 192.0.2.1\n$INCLUDE \"third.zone\"\n",
				    "sub/third.zone", "b A 192.0.2.2\n@ TXT x\n", NULL), 0);
	assert_int_equal(faults.errors, 0);
	assert_non_null(zone_rrset(zone, wire("a.deep.example"), 1));
	assert_int_equal(zone_rrset(zone, wire("a.deep.example"), 1)->ttl, 60);
	assert_string_equal(zone_rrset(zone, wire("b.deep.example"), 1)->file, "sub/third.zone");
	assert_non_null(zone_rrset(zone, wire("deep.example"), 16));
	assert_non_null(zone_rrset(zone, wire("after.example"), 1));
	zone_free(zone);
	faults_free(&faults);
	/* a file that the disk has and the bundle has not */
	assert_true(load_files(&zone, &faults, "example.zone", HEAD "$INCLUDE /etc/passwd\n", NULL) < 0);
	assert_int_equal(faults.list[0].line, 3);
	faults_free(&faults);
}

static void mends_what_rfc2181_says(void **state)
{
	(void)state;
	struct faults faults;
	struct zone *zone;
	const struct zone_rrset *rrset;

	assert_int_equal(load_files(&zone, &faults, "example.zone", HEAD "a 60 A 192.0.2.2\na 50 A 192.0.2.1\n"
				    "a 70 A 192.0.2.2\nsub NS ns.sub\nhidden.sub TXT x\n", NULL), 0);
	rrset = zone_rrset(zone, wire("a.example"), 1);
	assert_int_equal(rrset->count, 2);
	assert_int_equal(rrset->ttl, 50);
	assert_memory_equal(rrset->records[0].octets, "\xc0\x00\x02\x02", 4);
	assert_memory_equal(rrset->records[1].octets, "\xc0\x00\x02\x01", 4);
	assert_int_equal(faults.warnings, 3);	/* two TTLs, one hidden record */
	zone_free(zone);
	faults_free(&faults);
}

/* Names are compared without case, other data with it; names in data of unknown types are no names. */
static void counts_equal_records_once(void **state)
{
	(void)state;
	struct zone *zone = load(HEAD "mx MX 65 Mail\nmx MX 97 mail\nmx MX 65 mAIL\nmx MX 65 mail2\n"
				 "txt TXT a\ntxt TXT A\ntxt TXT a\n"
				 "soft NAPTR 1 1 \"s\" \"a\" \"\" X\nsoft NAPTR 1 1 \"s\" \"A\" \"\" x\nsoft NAPTR 1 1 \"s\" \"a\" \"\" x\n"
				 "new TYPE65280 \\# 3 016100\nnew TYPE65280 \\# 3 014100\n");
	const struct zone_rrset *rrset = zone_rrset(zone, wire("mx.example"), 15);

	assert_int_equal(rrset->count, 3);
	assert_memory_equal(rrset->records[0].octets, "\0A\4Mail\7" "example", 16);
	assert_memory_equal(rrset->records[1].octets, "\0a\4mail\7" "example", 16);
	assert_memory_equal(rrset->records[2].octets, "\0A\5mail2\7" "example", 17);
	assert_int_equal(zone_rrset(zone, wire("txt.example"), 16)->count, 2);
	assert_int_equal(zone_rrset(zone, wire("soft.example"), 35)->count, 2);
	assert_int_equal(zone_rrset(zone, wire("new.example"), 65280)->count, 2);
	zone_free(zone);
}

#define SIGNED "RRSIG %s 13 1 300 20300101000000 20260101000000 1 example. AAAA\n"
#define HASH "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"

/* RFC 5155 7.2.8: hashes are no names. That answers are not signed, is said. */
static void knows_signed_zones(void **state)
{
	(void)state;
	struct zone_found found;
	struct faults faults;
	struct zone *zone;
	char content[1024];

	snprintf(content, sizeof(content), HEAD "a A 192.0.2.1\na " SIGNED HASH ".a NSEC3 1 0 0 - " HASH " A\n" HASH ".a " SIGNED,
		 "A", "NSEC3");
	assert_int_equal(load_files(&zone, &faults, "example.zone", content, NULL), 0);
	assert_int_equal(faults.warnings, 0);
	assert_int_equal(zone_find(zone, wire(HASH ".a.example"), &found), ZONE_MISSING);
	assert_non_null(zone_rrset(zone, wire("a.example"), 46));
	zone_free(zone);
	faults_free(&faults);
	snprintf(content, sizeof(content), HEAD "@ " SIGNED, "SOA");
	assert_int_equal(load_files(&zone, &faults, "example.zone", content, NULL), 0);
	assert_int_equal(faults.warnings, 1);
	assert_int_equal(faults.list[0].line, 3);
	assert_non_null(strstr(faults.list[0].text, "signed"));
	zone_free(zone);
	faults_free(&faults);
}

static void grows(void **state)
{
	(void)state;
	enum { NAMES = 20000 };
	char *content = malloc(NAMES * 40 + sizeof(HEAD)), *at = content, text[64];
	struct zone *zone;
	struct zone_found found;

	at += sprintf(at, "%s", HEAD);
	for (int i = 0; i < NAMES; i++)
		at += sprintf(at, "n%d.d%d A 192.0.2.1\n", i, i % 100);
	zone = load(content);
	for (int i = 0; i < NAMES; i++) {
		snprintf(text, sizeof(text), "n%d.d%d.example", i, i % 100);
		assert_int_equal(zone_find(zone, wire(text), &found), ZONE_FOUND);
		snprintf(text, sizeof(text), "n%d.d%d.example", i, (i + 1) % 100);
		assert_int_equal(zone_find(zone, wire(text), &found), ZONE_MISSING);
	}
	zone_free(zone);
	free(content);
}

static void takes_the_longest_names(void **state)
{
	(void)state;
	struct zone *zone = load(HEAD);
	struct zone_found found;
	uint8_t name[256];
	unsigned int at;

	/* 123 labels of one octet, then "example": 255 octets, 124 labels */
	for (at = 0; at + 9 < 255; at += 2) {
		name[at] = 1;
		name[at + 1] = 'a';
	}
	memcpy(name + at, "\x07" "example", 9);
	assert_int_equal(at + 9, 255);
	assert_int_equal(zone_find(zone, name, &found), ZONE_MISSING);
	assert_int_equal(zone_add_service(zone, name), 0);
	assert_int_equal(zone_find(zone, name, &found), ZONE_FOUND);
	assert_int_equal(zone_find(zone, name + 2, &found), ZONE_FOUND);
	zone_free(zone);
}

static struct zone *load_as(const char *origin)
{
	struct faults faults;
	struct bundle *bundle;
	struct zone *zone;

	faults_init(&faults);
	assert_int_equal(bundle_new(&bundle), 0);
	assert_int_equal(bundle_add(bundle, "z", HEAD, strlen(HEAD)), 0);
	assert_int_equal(zone_load(origin, "z", bundle, &zone, &faults), 0);
	bundle_free(bundle);
	faults_free(&faults);
	return zone;
}

/*
 * A client may ask for a long label with the hash of a short one. Only what the zone has of the short one is looked at, which
 * ASan sees where that is the last in its chunk of memory: at one of these counts of names before it.
 */
static void labels_of_one_hash_differ(void **state)
{
	struct zone_found found;

	(void)state;
	for (int others = 0; others < 64; others++) {
		struct zone *zone = zone_make(wire("example"), 60, (const uint8_t *)"soa", 3);
		char name[16];

		assert_non_null(zone);
		for (int i = 0; i < others; i++) {
			snprintf(name, sizeof(name), "n%d.example", i);
			assert_int_equal(zone_add_service(zone, wire(name)), 0);
		}
		assert_int_equal(zone_add_service(zone, wire("a.example")), 0);
		assert_int_equal(zone_find(zone, wire("a.example"), &found), ZONE_FOUND);
		assert_int_equal(zone_find(zone, wire("a-label-as-long-as-can-be-with-a-hash-like-that-of-a-xxvjbkabcw"
						      ".example"), &found), ZONE_MISSING);
		zone_free(zone);
	}
}

static void sets_find_the_closest(void **state)
{
	(void)state;
	static const char *const origins[] = { "example.com", "a.example.com", "org", "b.c.example.com", "net" };
	static const struct {
		const char *name, *origin;
	} rows[] = {
		{ "example.com", "example.com" },	{ "www.example.com", "example.com" },
		{ "a.example.com", "a.example.com" },	{ "x.y.a.example.com", "a.example.com" },
		{ "xa.example.com", "example.com" },	{ "c.example.com", "example.com" },
		{ "q.b.c.example.com", "b.c.example.com" }, { "com", NULL }, { ".", NULL }, { "x.org", "org" },
		{ "example.co", NULL },
	};
	struct zone_set *set = zone_set_new();
	struct zone *twice = load_as("ORG"), *root = load_as(".");

	assert_null(zone_set_find(set, wire("org")));
	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++)
		assert_int_equal(zone_set_add(set, load_as(origins[i])), 0);
	assert_int_equal(zone_set_add(set, twice), -EEXIST);
	zone_free(twice);
	assert_int_equal(zone_set_count(set), 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zone *zone = zone_set_find(set, wire(rows[i].name));

		assert_int_equal(zone != NULL, rows[i].origin != NULL);
		if (zone)
			assert_memory_equal(zone_apex(zone)->name, wire(rows[i].origin),
					    zone_name_length(wire(rows[i].origin)));
	}
	assert_int_equal(zone_set_add(set, root), 0);
	assert_ptr_equal(zone_set_find(set, wire("com")), root);
	assert_ptr_equal(zone_set_find(set, wire(".")), root);
	zone_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_rfc4592_says),
		cmocka_unit_test(keeps_records_in_wire_form),
		cmocka_unit_test(services_exist),
		cmocka_unit_test(refuses_bad_zones),
		cmocka_unit_test(shows_all_faults),
		cmocka_unit_test(includes_from_the_bundle_alone),
		cmocka_unit_test(mends_what_rfc2181_says),
		cmocka_unit_test(counts_equal_records_once),
		cmocka_unit_test(knows_signed_zones),
		cmocka_unit_test(grows),
		cmocka_unit_test(takes_the_longest_names),
		cmocka_unit_test(labels_of_one_hash_differ),
		cmocka_unit_test(sets_find_the_closest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
