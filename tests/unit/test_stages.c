// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The stages of maps/ on the host: query.h, select.h, answer.h and siphash.h against tables in memory, and against
 * models that are written the slow and obvious way. Every message is parsed three times with other octets behind its
 * end: what a stage says must not depend on them.
 *
 *	ECSDNS_PROPERTY=N	rounds of the random tests (default 20000)
 *	ECSDNS_SEED=N		where their random numbers start
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sodium.h>

#include "maps/answer.h"
#include "user/controller/topology.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define INDICES 64
#define FAMILIES 4	/* topologies of the tables in memory */

/* -- Tables in memory -- */

struct lookup {
	struct settings settings;
	int has_settings;
	union name_key key;		/* the one name there is */
	int key_is_long;
	struct service service;
	struct topology_family v4[FAMILIES], v6[FAMILIES];
	struct topology4_entry entry4;
	struct topology6_entry entry6;
	uint32_t indices[INDICES];
	unsigned int asked[FAMILIES];	/* lookups of each topology */
};

static const struct settings *lookup_settings(struct lookup *lookup)
{
	return lookup->has_settings ? &lookup->settings : NULL;
}

static const struct service *lookup_service(struct lookup *lookup, const union name_key *key, int is_long)
{
	size_t octets = is_long ? sizeof(key->in_long) : sizeof(key->in_short);

	return is_long == lookup->key_is_long && !memcmp(key, &lookup->key, octets) ? &lookup->service : NULL;
}

static int block_covers(const uint8_t *block, unsigned int length, const uint8_t *address)
{
	unsigned int i;

	for (i = 0; i < length; i++)
		if ((block[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1)
			return 0;
	return 1;
}

static const struct topology_entry *longest_match(const struct topology_family *family, const uint8_t *address)
{
	const struct topology_entry *best = NULL;
	size_t i;

	for (i = 0; i < family->count; i++)
		if (block_covers(family->entries[i].address, family->entries[i].length, address) &&
		    (!best || family->entries[i].length > best->length))
			best = &family->entries[i];
	return best;
}

static const struct topology4_entry *lookup_topology4(struct lookup *lookup, __u16 topology, const __u8 *address)
{
	const struct topology_entry *entry;

	assert_true(topology < FAMILIES);
	lookup->asked[topology]++;
	entry = longest_match(&lookup->v4[topology], address);
	if (!entry)
		return NULL;
	memcpy(lookup->entry4.target, entry->target, 4);
	lookup->entry4.region = entry->region;
	lookup->entry4.region_id = 1000 + entry->region;
	lookup->entry4.length = entry->scope;
	lookup->entry4.target_length = entry->target_length;
	return &lookup->entry4;
}

static const struct topology6_entry *lookup_topology6(struct lookup *lookup, __u16 topology, const __u8 *address)
{
	const struct topology_entry *entry;

	assert_true(topology < FAMILIES);
	lookup->asked[topology]++;
	entry = longest_match(&lookup->v6[topology], address);
	if (!entry)
		return NULL;
	memcpy(lookup->entry6.target, entry->target, 16);
	lookup->entry6.region = entry->region;
	lookup->entry6.region_id = 1000 + entry->region;
	lookup->entry6.length = entry->scope;
	lookup->entry6.target_length = entry->target_length;
	return &lookup->entry6;
}

static __u32 lookup_index(struct lookup *lookup, __u32 index)
{
	return index < INDICES ? lookup->indices[index] : ANSWER_NONE;
}

/* -- Random numbers: xorshift64*, so that a seed shows the same failure anywhere -- */

static uint64_t random_state;

static uint64_t random_word(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)((random_word() >> 32) * limit >> 32);
}

static unsigned int rounds(void)
{
	const char *text = getenv("ECSDNS_PROPERTY");

	return text ? (unsigned int)strtoul(text, NULL, 10) : 20000;
}

static int set_seed(void **state)
{
	const char *text = getenv("ECSDNS_SEED");

	(void)state;
	random_state = text ? strtoull(text, NULL, 0) : 0x9e3779b97f4a7c15ULL;
	if (!random_state)
		random_state = 1;
	return 0;
}

/* -- Messages -- */

struct wire {
	uint8_t octets[1024];
	unsigned int length;
};

static struct message message;	/* 64 KiB: not for the stack */

static void put8(struct wire *wire, unsigned int value)
{
	assert_true(wire->length < sizeof(wire->octets));
	wire->octets[wire->length++] = value;
}

static void put16(struct wire *wire, unsigned int value)
{
	put8(wire, value >> 8);
	put8(wire, value & 0xff);
}

static void put_octets(struct wire *wire, const void *octets, unsigned int length)
{
	const uint8_t *from = octets;

	while (length--)
		put8(wire, *from++);
}

static void put_header(struct wire *wire, unsigned int flags, unsigned int additional)
{
	memset(wire, 0, sizeof(*wire));
	put16(wire, 0xbeef);
	put16(wire, flags);
	put16(wire, 1);
	put16(wire, 0);
	put16(wire, 0);
	put16(wire, additional);
}

/* Dotted text without escapes. */
static void put_name(struct wire *wire, const char *name)
{
	while (*name) {
		unsigned int length = strcspn(name, ".");

		put8(wire, length);
		put_octets(wire, name, length);
		name += length + (name[length] == '.');
	}
	put8(wire, 0);
}

static void put_question(struct wire *wire, const char *name, unsigned int type)
{
	put_name(wire, name);
	put16(wire, type);
	put16(wire, CLASS_IN);
}

static void put_opt(struct wire *wire, unsigned int size, unsigned int flags, const struct wire *options)
{
	put8(wire, 0);
	put16(wire, TYPE_OPT);
	put16(wire, size);
	put16(wire, 0);
	put16(wire, flags);
	put16(wire, options ? options->length : 0);
	if (options)
		put_octets(wire, options->octets, options->length);
}

static void put_option(struct wire *options, unsigned int code, const void *octets, unsigned int length)
{
	put16(options, code);
	put16(options, length);
	put_octets(options, octets, length);
}

static void put_ecs(struct wire *options, unsigned int family, unsigned int source, unsigned int scope,
		    const void *address, unsigned int octets)
{
	put16(options, OPTION_ECS);
	put16(options, ECS_HEADER_OCTETS + octets);
	put16(options, family);
	put8(options, source);
	put8(options, scope);
	put_octets(options, address, octets);
}

static void make_query(struct wire *wire, const char *name, unsigned int type, const struct wire *options)
{
	put_header(wire, HEADER_RD, options ? 1 : 0);
	put_question(wire, name, type);
	if (options)
		put_opt(wire, 1232, 0, options);
}

static void clear_query(struct query *query, const struct wire *wire, int ecs)
{
	memset(query, 0, sizeof(*query));
	query->length = wire->length;
	query->ecs_enabled = ecs;
	query->source_family = ECS_FAMILY_IPV4;
	memcpy(query->source_address, "\xc6\x12\x00\x02", 4);
	query->source_port = 40000;
}

/* Parses with three fillings behind the message's end. The buffer holds the message afterwards. */
static int parse_with(const struct wire *wire, struct query *query, int ecs)
{
	static const uint8_t fillings[] = { 0x00, 0xff, 0x08 };
	struct query seen;
	int first = -1, reason;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fillings); i++) {
		memset(message.octets, fillings[i], 2048);
		memcpy(message.octets, wire->octets, wire->length);
		clear_query(query, wire, ecs);
		reason = query_parse(&message, query);
		if (first >= 0) {
			assert_int_equal(reason, first);
			assert_memory_equal(query, &seen, sizeof(seen));
		}
		first = reason;
		seen = *query;
	}
	assert_memory_equal(message.octets, wire->octets, wire->length);
	return first;
}

static int parse(const struct wire *wire, struct query *query)
{
	return parse_with(wire, query, 1);
}

/* -- A model of the parser: one function, no regard for verifiers, same order of judgement -- */

struct model {
	const uint8_t *octets;
	unsigned int length;
	int overrun;
};

static unsigned int model8(struct model *model, unsigned int at)
{
	if (at >= model->length) {
		model->overrun = 1;
		return 0;
	}
	return model->octets[at];
}

static unsigned int model16(struct model *model, unsigned int at)
{
	return model8(model, at) << 8 | model8(model, at + 1);
}

static int model_ecs_is_good(const uint8_t *option, unsigned int length)
{
	unsigned int family, source, octets, bit;

	if (length < 4)
		return 0;
	family = option[0] << 8 | option[1];
	source = option[2];
	octets = source / 8 + (source % 8 != 0);
	if (option[3] || length - 4 != octets)
		return 0;
	if (family > 2 || source > (family == 0 ? 0 : family == 1 ? 32 : 128))
		return 0;
	for (bit = source; bit < octets * 8; bit++)
		if (option[4 + bit / 8] & 0x80 >> bit % 8)
			return 0;
	return 1;
}

static int model_parse(const struct wire *wire, int ecs)
{
	struct model model = { wire->octets, wire->length, 0 };
	unsigned int at = 12, type, class, end, options = 0, nsid = 0, bad_ecs = 0, labels = 0;
	int cookie = -1;

	if (wire->length < 12)
		return REASON_SHORT;
	if (model16(&model, 2) & 0x8000)
		return REASON_RESPONSE;
	if (model16(&model, 2) & 0x7800)
		return REASON_OPCODE;
	if (model16(&model, 4) != 1)
		return REASON_QDCOUNT;
	if (wire->length > QUERY_OCTETS_MAX)
		return REASON_TOO_LONG;
	while (model8(&model, at)) {
		if (model8(&model, at) > 63 || ++labels > 127)
			return REASON_QUESTION;
		at += 1 + model8(&model, at);
	}
	at++;
	if (model.overrun || at - 12 > 255 || at + 4 > wire->length)
		return REASON_QUESTION;
	type = model16(&model, at);
	class = model16(&model, at + 2);
	at += 4;
	if (model16(&model, 6) || model16(&model, 8) || model16(&model, 10) > 1)
		return REASON_RECORDS;
	if (model16(&model, 10)) {
		if (at + 11 > wire->length)
			return REASON_OPT_LENGTH;
		if (model8(&model, at))
			return REASON_OPT_OWNER;
		if (model16(&model, at + 1) != 41)
			return REASON_RECORDS;
		end = at + 11 + model16(&model, at + 9);
		if (end > wire->length)
			return REASON_OPT_LENGTH;
		if (end < wire->length)
			return REASON_TRAILING;
		if (model8(&model, at + 6))
			return REASON_VERSION;
		for (at += 11; at < end; options++) {
			unsigned int code, octets;

			if (options == QUERY_OPTIONS_MAX)
				return REASON_OPTIONS;
			if (at + 4 > end)
				return REASON_OPT_LENGTH;
			code = model16(&model, at);
			octets = model16(&model, at + 2);
			if (at + 4 + octets > end)
				return REASON_OPT_LENGTH;
			if (code == 8 && ecs && !model_ecs_is_good(wire->octets + at + 4, octets))
				bad_ecs = 1;
			if (code == 10 && cookie < 0)
				cookie = octets;	/* the first one counts */
			nsid |= code == 3;
			at += 4 + octets;
		}
	}
	if (at < wire->length)
		return REASON_TRAILING;
	if (bad_ecs)
		return REASON_ECS_MALFORMED;
	if (cookie >= 0 && cookie != 8 && (cookie < 16 || cookie > 40))
		return REASON_COOKIE_MALFORMED;
	if (class != 1)
		return REASON_CLASS;
	if (type == 41 || (type >= 128 && type <= 254))
		return REASON_META_TYPE;
	return nsid ? REASON_NSID : REASON_GO;
}

/* -- query_parse(): the reasons -- */

static void test_parse_plain(void **state)
{
	struct query query;
	struct wire wire;

	(void)state;
	make_query(&wire, "WwW.example.com", TYPE_AAAA, NULL);
	assert_int_equal(parse(&wire, &query), REASON_GO);
	assert_int_equal(query.id, 0xbeef);
	assert_int_equal(query.type, TYPE_AAAA);
	assert_int_equal(query.class, CLASS_IN);
	assert_int_equal(query.name_length, 17);
	assert_int_equal(query.question_end, 33);
	assert_int_equal(query.flags, 0);
	assert_int_equal(query.udp_size, 0);
}

static void test_parse_short(void **state)
{
	struct query query;
	struct wire wire;

	(void)state;
	make_query(&wire, "www.example.com", TYPE_A, NULL);
	for (wire.length = 0; wire.length < HEADER_OCTETS; wire.length++)
		assert_int_equal(parse(&wire, &query), REASON_SHORT);
	for (; wire.length < 33; wire.length++)
		assert_int_equal(parse(&wire, &query), REASON_QUESTION);
	assert_int_equal(parse(&wire, &query), REASON_GO);
}

static void test_parse_header(void **state)
{
	struct query query;
	struct wire wire;
	unsigned int flags;

	(void)state;
	for (flags = 0; flags < 0x10000; flags++) {
		int want = flags & 0x8000 ? REASON_RESPONSE : flags & 0x7800 ? REASON_OPCODE : REASON_GO;

		make_query(&wire, "a", TYPE_A, NULL);
		wire.octets[2] = flags >> 8;
		wire.octets[3] = flags & 0xff;
		memcpy(message.octets, wire.octets, wire.length);
		clear_query(&query, &wire, 1);
		assert_int_equal(query_parse(&message, &query), want);
	}
}

static void test_parse_counts(void **state)
{
	static const unsigned int counts[] = { 0, 1, 2, 3, 255, 256, 257, 65535 };
	struct query query;
	struct wire wire;
	unsigned int field, i;

	(void)state;
	for (field = 4; field <= 10; field += 2) {
		for (i = 0; i < ARRAY_SIZE(counts); i++) {
			int want = field == 4 ? (counts[i] == 1 ? REASON_GO : REASON_QDCOUNT) :
				   !counts[i] ? REASON_GO :
				   field == 10 && counts[i] == 1 ? REASON_OPT_LENGTH : REASON_RECORDS;

			make_query(&wire, "www.example.com", TYPE_A, NULL);
			wire.octets[field] = counts[i] >> 8;
			wire.octets[field + 1] = counts[i] & 0xff;
			assert_int_equal(parse(&wire, &query), want);
		}
	}
}

static void test_parse_type_and_class(void **state)
{
	struct query query;
	struct wire wire;
	unsigned int value;

	(void)state;
	for (value = 0; value < 0x10000; value++) {
		make_query(&wire, "a", value, NULL);
		memcpy(message.octets, wire.octets, wire.length);
		clear_query(&query, &wire, 1);
		assert_int_equal(query_parse(&message, &query),
				 value == 41 || (value >= 128 && value < 255) ? REASON_META_TYPE : REASON_GO);
		make_query(&wire, "a", TYPE_A, NULL);
		message_put_u16(&message, wire.length - 4, TYPE_A);
		message_put_u16(&message, wire.length - 2, value);
		clear_query(&query, &wire, 1);
		assert_int_equal(query_parse(&message, &query), value == CLASS_IN ? REASON_GO : REASON_CLASS);
	}
}

static void test_parse_too_long(void **state)
{
	struct wire wire, options = { .length = 0 };
	struct query query;
	static const uint8_t padding[512];

	(void)state;
	put_option(&options, 12, padding, QUERY_OCTETS_MAX - 33 - OPT_OCTETS - OPTION_HEADER_OCTETS);
	make_query(&wire, "www.example.com", TYPE_A, &options);
	assert_int_equal(wire.length, QUERY_OCTETS_MAX);
	assert_int_equal(parse(&wire, &query), REASON_GO);
	put8(&options, 0);
	options.octets[3]++;	/* no carry: 460 is 0x1cc */
	make_query(&wire, "www.example.com", TYPE_A, &options);
	assert_int_equal(wire.length, QUERY_OCTETS_MAX + 1);
	assert_int_equal(parse(&wire, &query), REASON_TOO_LONG);
}

/* Every first octet of a label: lengths to 63, then what RFC 1035 and 6891 leave to pointers and nothing. */
static void test_parse_label_octet(void **state)
{
	struct query query;
	struct wire wire;
	unsigned int first, i;

	(void)state;
	for (first = 1; first < 256; first++) {
		put_header(&wire, 0, 0);
		put8(&wire, first);
		for (i = 0; i < first; i++)
			put8(&wire, 'x');
		put8(&wire, 0);
		put16(&wire, TYPE_A);
		put16(&wire, CLASS_IN);
		assert_int_equal(parse(&wire, &query), first <= 63 ? REASON_GO : REASON_QUESTION);
	}
}

/* A name of exactly `octets` wire octets with labels of at most `label` octets. */
static void put_name_of(struct wire *wire, unsigned int octets, unsigned int label)
{
	while (octets > 1) {
		unsigned int take = octets - 2 < label ? octets - 2 : label;

		if (octets - 1 - (take + 1) == 1)	/* a label of no octets cannot follow */
			take--;
		put8(wire, take);
		octets -= take + 1;
		while (take--)
			put8(wire, "abcXYZ09-_"[random_below(10)]);
	}
	put8(wire, 0);
}

static void test_parse_every_name_length(void **state)
{
	struct query query;
	struct wire wire;
	unsigned int octets, label;

	(void)state;
	for (octets = 1; octets <= 300; octets++) {
		for (label = 2; label <= 63; label++) {
			if (octets == 2)
				continue;	/* no such name */
			put_header(&wire, 0, 0);
			put_name_of(&wire, octets, label);
			put16(&wire, TYPE_A);
			put16(&wire, CLASS_IN);
			assert_int_equal(wire.length, 16 + octets);
			if (octets > 255) {
				assert_int_equal(parse(&wire, &query), REASON_QUESTION);
				continue;
			}
			assert_int_equal(parse(&wire, &query), REASON_GO);
			assert_int_equal(query.name_length, octets);
			assert_int_equal(query.question_end, 16 + octets);
		}
	}
}

static void test_parse_every_label_count(void **state)
{
	struct query query;
	struct wire wire;
	unsigned int labels, i;

	(void)state;
	for (labels = 0; labels <= 130; labels++) {
		put_header(&wire, 0, 0);
		for (i = 0; i < labels; i++) {
			put8(&wire, 1);
			put8(&wire, 'A' + i % 26);
		}
		put8(&wire, 0);
		put16(&wire, TYPE_A);
		put16(&wire, CLASS_IN);
		assert_int_equal(parse(&wire, &query), labels <= 127 ? REASON_GO : REASON_QUESTION);
		if (labels <= 127)
			assert_int_equal(query.name_length, 2 * labels + 1);
	}
}

static void test_parse_opt(void **state)
{
	struct wire wire, options = { .length = 0 };
	struct query query;
	unsigned int at, i;

	(void)state;
	make_query(&wire, "www.example.com", TYPE_A, &options);
	at = wire.length - OPT_OCTETS;
	assert_int_equal(parse(&wire, &query), REASON_GO);
	assert_int_equal(query.flags, QUERY_EDNS);
	assert_int_equal(query.udp_size, 1232);

	for (i = 0; i < 0x10000; i++) {	/* DO alone is ours, whatever the other flags (requirement 15) */
		wire.octets[at + 7] = i >> 8;
		wire.octets[at + 8] = i & 0xff;
		memcpy(message.octets, wire.octets, wire.length);
		clear_query(&query, &wire, 1);
		assert_int_equal(query_parse(&message, &query), REASON_GO);
		assert_int_equal(query.flags, QUERY_EDNS | (i & 0x8000 ? QUERY_DO : 0));
	}
	for (i = 0; i < 256; i++) {
		wire.octets[at + 6] = i;
		assert_int_equal(parse(&wire, &query), i ? REASON_VERSION : REASON_GO);
		assert_int_equal(query.version, i);
	}
	wire.octets[at + 6] = 0;
	for (i = 1; i < 256; i++) {
		wire.octets[at] = i;
		assert_int_equal(parse(&wire, &query), REASON_OPT_OWNER);
	}
	wire.octets[at] = 0;
	for (i = 0; i < 256; i++) {
		wire.octets[at + 2] = i;
		assert_int_equal(parse(&wire, &query), i == TYPE_OPT ? REASON_GO : REASON_RECORDS);
	}
	wire.octets[at + 2] = TYPE_OPT;
	for (i = 1; i < 20; i++) {
		wire.octets[at + 10] = i;
		assert_int_equal(parse(&wire, &query), REASON_OPT_LENGTH);
	}
	wire.octets[at + 10] = 0;
	for (i = 1; i < OPT_OCTETS; i++) {
		wire.length = at + i;
		assert_int_equal(parse(&wire, &query), REASON_OPT_LENGTH);
	}
	wire.length = at;
	assert_int_equal(parse(&wire, &query), REASON_OPT_LENGTH);
	wire.length = at + OPT_OCTETS;
	put8(&wire, 0);
	assert_int_equal(parse(&wire, &query), REASON_TRAILING);
	make_query(&wire, "www.example.com", TYPE_A, NULL);
	put8(&wire, 0);
	assert_int_equal(parse(&wire, &query), REASON_TRAILING);
}

/* Any number of options up to the bound, the client subnet at any place among them. */
static void test_parse_options(void **state)
{
	struct wire wire, options;
	struct query query;
	unsigned int count, place, i;

	(void)state;
	for (count = 1; count <= QUERY_OPTIONS_MAX + 3; count++) {
		for (place = 0; place < count; place++) {
			options.length = 0;
			for (i = 0; i < count; i++) {
				if (i == place)
					put_ecs(&options, 2, 40, 0, "\x24\x0b\x00\x10\x03", 5);
				else
					put_option(&options, 100 + i, "padding", i % 8);
			}
			make_query(&wire, "www.example.com", TYPE_A, &options);
			if (count > QUERY_OPTIONS_MAX) {
				assert_int_equal(parse(&wire, &query), REASON_OPTIONS);
				continue;
			}
			assert_int_equal(parse(&wire, &query), REASON_GO);
			assert_int_equal(query.flags, QUERY_EDNS | QUERY_ECS);
			assert_int_equal(query.ecs_octets, 5);
			assert_memory_equal(query.ecs_address, "\x24\x0b\x00\x10\x03\0\0\0\0\0\0\0\0\0\0\0", 16);
		}
	}
}

/* Every length an option can claim, at every place where the record may end. */
static void test_parse_option_overruns(void **state)
{
	struct wire wire, options;
	struct query query;
	unsigned int claimed, code, end;

	(void)state;
	for (code = 0; code < 16; code++) {
		for (claimed = 0; claimed < 24; claimed++) {
			for (end = 0; end <= 24; end++) {
				options.length = 0;
				put16(&options, code == 8 ? 100 : code);
				put16(&options, claimed);
				while (options.length < 24)
					put8(&options, 0);
				options.length = end;
				make_query(&wire, "a", TYPE_A, &options);
				assert_int_equal(parse(&wire, &query), model_parse(&wire, 1));
				if (end && end < 4 + claimed)
					assert_int_equal(parse(&wire, &query), REASON_OPT_LENGTH);
			}
		}
	}
	options.length = 0;	/* a malformed client subnet before an overrun: the overrun is judged first */
	put_ecs(&options, 9, 0, 0, NULL, 0);
	put16(&options, 100);
	put16(&options, 1);
	make_query(&wire, "a", TYPE_A, &options);
	assert_int_equal(parse(&wire, &query), REASON_OPT_LENGTH);
}

static void test_parse_cookie_and_nsid(void **state)
{
	static const struct {
		unsigned int codes[2];
		int reason;
		unsigned int flags;
	} rows[] = {
		{ { OPTION_COOKIE, 100 }, REASON_GO, QUERY_COOKIE },
		{ { 100, OPTION_COOKIE }, REASON_GO, QUERY_COOKIE },
		{ { OPTION_NSID, 100 }, REASON_NSID, QUERY_NSID },
		{ { OPTION_NSID, OPTION_COOKIE }, REASON_NSID, QUERY_COOKIE | QUERY_NSID },
		{ { OPTION_COOKIE, OPTION_NSID }, REASON_NSID, QUERY_COOKIE | QUERY_NSID },
	};
	struct wire wire, options;
	struct query query;
	unsigned int i, before;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (before = 0; before < 2; before++) {	/* client subnet first or last (requirement 13) */
			options.length = 0;
			if (before)
				put_ecs(&options, 1, 24, 0, "\xc6\x33\x64", 3);
			put_option(&options, rows[i].codes[0], "12345678", 8);
			put_option(&options, rows[i].codes[1], "12345678", 8);
			if (!before)
				put_ecs(&options, 1, 24, 0, "\xc6\x33\x64", 3);
			make_query(&wire, "www.example.com", TYPE_A, &options);
			assert_int_equal(parse(&wire, &query), rows[i].reason);
			assert_int_equal(query.flags, QUERY_EDNS | QUERY_ECS | rows[i].flags);
			assert_int_equal(query.ecs_source, 24);
			assert_int_equal(query.question_end, 33);
		}
	}
}

/* The order in which faults are judged (DESIGN.md, Choices): each message has the fault of its row and all later ones. */
static void test_parse_order(void **state)
{
	static const int order[] = {
		REASON_RESPONSE, REASON_OPCODE, REASON_QDCOUNT, REASON_QUESTION, REASON_RECORDS, REASON_OPT_OWNER,
		REASON_OPT_LENGTH, REASON_TRAILING, REASON_VERSION, REASON_ECS_MALFORMED, REASON_COOKIE_MALFORMED, REASON_CLASS,
		REASON_META_TYPE, REASON_NSID, REASON_GO,
	};
	struct wire wire, options;
	struct query query;
	unsigned int i, at;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		unsigned int rank = i;

		options.length = 0;
		put_header(&wire, 0, 1);
		if (rank <= 0)
			wire.octets[2] |= 0x80;
		if (rank <= 1)
			wire.octets[2] |= 0x28;
		if (rank <= 2)
			wire.octets[5] = 2;
		if (rank <= 4)
			wire.octets[7] = 1;
		if (rank <= 3)
			put16(&wire, 0xc00c);
		else
			put_name(&wire, "www.example.com");
		put16(&wire, rank <= 12 ? 252 : TYPE_A);
		put16(&wire, rank <= 11 ? 3 : CLASS_IN);
		put_option(&options, 100, "x", 1);
		if (rank <= 9)
			put_ecs(&options, 1, 33, 0, "12345", 5);
		if (rank <= 12)
			put_option(&options, OPTION_COOKIE, "12345678", rank <= 10 ? 7 : 8);
		if (rank <= 13)
			put_option(&options, OPTION_NSID, NULL, 0);
		at = wire.length;
		put_opt(&wire, 1232, 0, &options);
		if (rank <= 5)
			wire.octets[at] = 3;
		if (rank <= 6)
			wire.octets[at + 9] = 0xff;
		if (rank <= 7)
			put8(&wire, 0);
		if (rank <= 8)
			wire.octets[at + 6] = 1;
		assert_int_equal(parse(&wire, &query), order[i]);
		assert_int_equal(model_parse(&wire, 1), order[i]);
	}
}

/* -- query_parse(): client subnet -- */

static void test_ecs_every_shape(void **state)
{
	static const unsigned int families[] = { 0, 1, 2, 3, 256, 513, 65535 }, scopes[] = { 0, 1, 24, 255 };
	static const uint8_t zeros[32];
	struct wire wire, options;
	struct query query;
	unsigned int f, source, s, octets;

	(void)state;
	for (f = 0; f < ARRAY_SIZE(families); f++)
	for (source = 0; source < 256; source++)
	for (s = 0; s < ARRAY_SIZE(scopes); s++)
	for (octets = 0; octets <= 33 && octets <= sizeof(zeros); octets++) {
		int is_good = octets == (source + 7) / 8 && !scopes[s] &&
			      ((families[f] == 0 && !source) || (families[f] == 1 && source <= 32) ||
			       (families[f] == 2 && source <= 128));

		options.length = 0;
		put_ecs(&options, families[f], source, scopes[s], zeros, octets);
		make_query(&wire, "a", TYPE_A, &options);
		memcpy(message.octets, wire.octets, wire.length);
		clear_query(&query, &wire, 1);
		assert_int_equal(query_parse(&message, &query), is_good ? REASON_GO : REASON_ECS_MALFORMED);
		clear_query(&query, &wire, 0);	/* switched off: ignored, even malformed (requirement 5) */
		assert_int_equal(query_parse(&message, &query), REASON_GO);
		assert_int_equal(query.flags, QUERY_EDNS);
	}
}

static void test_ecs_short_options(void **state)
{
	struct wire wire, options;
	struct query query;
	unsigned int length;

	(void)state;
	for (length = 0; length < ECS_HEADER_OCTETS; length++) {
		options.length = 0;
		put_option(&options, OPTION_ECS, "\0\1\0\0", length);
		make_query(&wire, "a", TYPE_A, &options);
		assert_int_equal(parse(&wire, &query), REASON_ECS_MALFORMED);
		put_option(&options, 100, "behind", 6);
		make_query(&wire, "a", TYPE_A, &options);
		assert_int_equal(parse(&wire, &query), REASON_ECS_MALFORMED);
	}
}

/* One bit set in the address: inside the prefix it is kept, past it the option is malformed. */
static void test_ecs_every_bit(void **state)
{
	struct wire wire, options;
	struct query query;
	unsigned int family, source, bit;

	(void)state;
	for (family = 1; family <= 2; family++)
	for (source = 1; source <= (family == 1 ? 32u : 128u); source++)
	for (bit = 0; bit < (source + 7) / 8 * 8; bit++) {
		uint8_t address[16] = { 0 };

		address[bit / 8] = 0x80 >> bit % 8;
		options.length = 0;
		put_ecs(&options, family, source, 0, address, (source + 7) / 8);
		make_query(&wire, "a", TYPE_A, &options);
		assert_int_equal(parse(&wire, &query), bit < source ? REASON_GO : REASON_ECS_MALFORMED);
		if (bit >= source)
			continue;
		assert_int_equal(query.ecs_family, family);
		assert_int_equal(query.ecs_source, source);
		assert_int_equal(query.ecs_octets, (source + 7) / 8);
		assert_memory_equal(query.ecs_address, address, 16);
	}
}

/* Several options (requirement 4): the first decides and leaves nothing behind in the second or the reverse. */
static void test_ecs_several(void **state)
{
	struct wire wire, options;
	struct query query;

	(void)state;
	options.length = 0;
	put_ecs(&options, 1, 24, 0, "\xc6\x33\x64", 3);
	put_ecs(&options, 2, 128, 0, "\x24\x0b\x00\x10\x03\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf", 16);
	make_query(&wire, "a", TYPE_A, &options);
	assert_int_equal(parse(&wire, &query), REASON_GO);
	assert_int_equal(query.ecs_family, 1);
	assert_int_equal(query.ecs_octets, 3);
	assert_memory_equal(query.ecs_address, "\xc6\x33\x64\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);

	put_ecs(&options, 1, 24, 1, "\xc6\x33\x64", 3);		/* a third, malformed */
	make_query(&wire, "a", TYPE_A, &options);
	assert_int_equal(parse(&wire, &query), REASON_ECS_MALFORMED);

	options.length = 0;
	put_ecs(&options, 3, 24, 0, "\xc6\x33\x64", 3);
	put_ecs(&options, 1, 24, 0, "\xc6\x33\x64", 3);
	make_query(&wire, "a", TYPE_A, &options);
	assert_int_equal(parse(&wire, &query), REASON_ECS_MALFORMED);

	options.length = 0;
	put_ecs(&options, 0, 0, 0, NULL, 0);
	put_ecs(&options, 2, 16, 0, "\x24\x0b", 2);
	make_query(&wire, "a", TYPE_A, &options);
	assert_int_equal(parse(&wire, &query), REASON_GO);
	assert_int_equal(query.ecs_family, 0);
	assert_int_equal(query.ecs_octets, 0);
	assert_memory_equal(query.ecs_address, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

/* Whole queries with octets changed, cut and added, against the model. */
static void test_parse_random(void **state)
{
	struct wire wire, options;
	unsigned int round, changes, seen[REASON_COUNT] = { 0 }, i;
	struct query query;

	(void)state;
	for (round = 0; round < 10 * rounds(); round++) {
		int ecs = round % 8 != 0, reason;

		options.length = 0;
		for (i = random_below(4); i; i--) {
			static const unsigned int codes[] = { 3, 8, 8, 8, 10, 12, 100 };
			unsigned int code = codes[random_below(ARRAY_SIZE(codes))];

			if (code == 8)
				put_ecs(&options, 1 + random_below(2), 8 * random_below(5), 0, "\x0a\x01\x02\x03\x04",
					random_below(5));
			else
				put_option(&options, code, "abcdefghabcdefghabcdefghabcdefghabcdefghabcdefgh",
					   random_below(2) ? 8 : random_below(49));
		}
		make_query(&wire, "Www.Example.COM", random_below(300), random_below(4) ? &options : NULL);
		for (changes = random_below(4); changes; changes--) {
			unsigned int at = random_below(wire.length);

			if (!random_below(10))
				wire.length = at;
			else if (!random_below(10))
				put8(&wire, random_below(256));
			else
				wire.octets[at] = random_below(3) ? random_below(256) : wire.octets[at] ^ 1u << random_below(8);
			if (!wire.length)
				break;
		}
		reason = parse_with(&wire, &query, ecs);
		assert_int_equal(reason, model_parse(&wire, ecs));
		seen[reason]++;
	}
	for (i = 0; rounds() >= 20000 && i < REASON_COUNT; i++)	/* the test has teeth: it met every reason of the parser */
		if ((i == REASON_GO || (i >= REASON_SHORT && i <= REASON_NSID && i != REASON_COOKIE) || i == REASON_COOKIE_MALFORMED) &&
		    i != REASON_TOO_LONG && i != REASON_OPTIONS && !seen[i])
			fail_msg("reason %u was never met", i);
}

/* -- query_name_key() -- */

static void test_name_key(void **state)
{
	static union name_key key, want;
	unsigned int round, i;
	struct query query;
	struct wire wire;
	int is_long;

	(void)state;
	for (round = 0; round < rounds(); round++) {
		uint32_t slot = round & 1;

		put_header(&wire, 0, 0);
		while (random_below(6) && wire.length < 12 + 190) {
			unsigned int label = 1 + random_below(round % 3 ? 15 : 63);

			put8(&wire, label);
			while (label--)
				put8(&wire, random_below(256));
		}
		put8(&wire, 0);
		put16(&wire, TYPE_A);
		put16(&wire, CLASS_IN);
		assert_int_equal(parse(&wire, &query), REASON_GO);

		memset(&want, 0, sizeof(want));
		memset(&key, 0xaa, sizeof(key));
		for (i = 0; i < query.name_length; i++)		/* fields of one union: the names start together */
			want.in_long.name[i] = wire.octets[12 + i] >= 'A' && wire.octets[12 + i] <= 'Z' ?
					       wire.octets[12 + i] + 32 : wire.octets[12 + i];
		is_long = query_name_key(&message, &query, &key, slot);
		assert_int_equal(is_long, query.name_length > NAME_SHORT_OCTETS);
		if (is_long) {
			want.in_long.slot = slot;
			assert_memory_equal(&key, &want, sizeof(want.in_long));
		} else {
			want.in_short.slot = slot;
			assert_memory_equal(&key, &want, sizeof(want.in_short));
		}
	}
}

/* Exactly at the border between the tables, and the longest name. */
static void test_name_key_border(void **state)
{
	static const unsigned int octets[] = { 1, 3, 7, 8, 9, 55, 56, 57, 59, 60, 61, 63, 64, 65, 253, 254, 255 };
	union name_key key;
	struct query query;
	struct wire wire;
	unsigned int i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(octets); i++) {
		put_header(&wire, 0, 0);
		put_name_of(&wire, octets[i], 63);
		put16(&wire, 0xffff);
		put16(&wire, CLASS_IN);
		assert_int_equal(parse(&wire, &query), REASON_GO);
		memset(&key, 0xaa, sizeof(key));
		assert_int_equal(query_name_key(&message, &query, &key, 1), octets[i] > 60);
		for (j = 0; j < octets[i]; j++)
			assert_int_equal(key.in_long.name[j], tolower(wire.octets[12 + j]));
		for (; j < (octets[i] > 60 ? 256u : 60u); j++)
			assert_int_equal(key.in_long.name[j], 0);
		assert_int_equal(octets[i] > 60 ? key.in_long.slot : key.in_short.slot, 1);
	}
}

static void test_lower_every_octet(void **state)
{
	unsigned int octet, place;

	(void)state;
	for (octet = 0; octet < 256; octet++) {
		for (place = 0; place < 8; place++) {
			uint64_t others = random_word() & ~(0xffULL << (place * 8));
			uint64_t lowered = query_lower(others | (uint64_t)octet << (place * 8));
			unsigned int want = octet >= 'A' && octet <= 'Z' ? octet + 32 : octet;

			assert_int_equal(lowered >> (place * 8) & 0xff, want);
		}
	}
}

/* -- select_* -- */

/* The common stock: www.example.com with A in every region of topology 1, ECS on, everyone trusted. */
static void make_tables(struct lookup *lookup)
{
	struct query query;
	struct wire wire;
	unsigned int i;

	memset(lookup, 0, sizeof(*lookup));
	lookup->has_settings = 1;
	lookup->settings.flags = SETTINGS_ECS | SETTINGS_TRUST_ALL;
	make_query(&wire, "www.example.com", TYPE_A, NULL);
	parse(&wire, &query);
	lookup->key_is_long = query_name_key(&message, &query, &lookup->key, 0);
	lookup->service.topology = 1;
	lookup->service.regions = 16;
	lookup->service.types = 1 << SERVICE_A;
	lookup->service.flags = SERVICE_ECS;
	for (i = 0; i < INDICES; i++)
		lookup->indices[i] = 100 + i;
}

static void free_tables(struct lookup *lookup)
{
	unsigned int i;

	for (i = 0; i < FAMILIES; i++) {
		topology_free(&lookup->v4[i]);
		topology_free(&lookup->v6[i]);
	}
}

static struct topology_prefix prefix(const char *text, unsigned int length, uint32_t region)
{
	struct topology_prefix made = { .length = length, .region = region };

	assert_int_equal(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, made.address), 1);
	return made;
}

static void compile_into(struct lookup *lookup, unsigned int topology, const struct topology_prefix *v4, size_t n4,
			 const struct topology_prefix *v6, size_t n6)
{
	assert_int_equal(topology_compile(v4, n4, v6, n6, 0, &lookup->v4[topology], &lookup->v6[topology]), 0);
}

/* Asks with one client subnet; family 0xffff: none. */
static int ask(struct lookup *lookup, struct query *query, struct selection *selection, unsigned int type,
	       unsigned int family, unsigned int source, const uint8_t *address)
{
	struct wire wire, options = { .length = 0 };

	if (family != 0xffff)
		put_ecs(&options, family, source, 0, address, (source + 7) / 8);
	make_query(&wire, "www.example.com", type, &options);
	assert_int_equal(parse(&wire, query), REASON_GO);
	memset(selection, 0xaa, sizeof(*selection));
	return select_answer(&message, query, selection, lookup, 0);
}

static int ask_text(struct lookup *lookup, struct selection *selection, const char *text, unsigned int source)
{
	uint8_t address[16] = { 0 };
	struct query query;
	int six = strchr(text, ':') != NULL;

	assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, text, address), 1);
	return ask(lookup, &query, selection, TYPE_A, six ? 2 : 1, source, address);
}

/* ECS.md section 1 and the golden scopes of section 2. */
static void test_select_scenario(void **state)
{
	static const struct {
		const char *text;
		uint8_t source, region, scope;
	} rows[] = {
		{ "240b:10::", 40, 0, 39 }, { "240b:10:200::", 40, 1, 41 }, { "240b:10:300::", 40, 3, 40 },
		{ "240b:10:400::", 40, 4, 39 }, { "240b:10:500::", 40, 4, 39 }, { "240b:10:280::", 41, 2, 41 },
		{ "240b:10:600::", 40, 0, 39 }, { "240b:11::", 40, 0, 32 }, { "2400::", 40, 0, 13 },
		{ "2001:db8::", 32, 0, 6 }, { "2c00::", 40, 0, 5 }, { "240b::", 16, 0, 28 }, { "8000::", 1, 0, 1 },
		{ "240b:10:2ff::1", 128, 2, 41 }, { "240b:10:27f::1", 128, 1, 41 }, { "240b:10:3ff::1", 128, 3, 40 },
		{ "240b:10:5ff::1", 128, 4, 39 }, { "203.0.113.0", 24, 0, 1 }, { "10.0.0.0", 8, 0, 1 },
	};
	const struct topology_prefix v6[] = {
		prefix("240b:10:200::", 41, 1), prefix("240b:10:280::", 41, 2), prefix("240b:10:300::", 40, 3),
		prefix("240b:10:400::", 39, 4),
	};
	struct selection selection;
	struct lookup lookup;
	unsigned int i;

	(void)state;
	make_tables(&lookup);
	compile_into(&lookup, 1, NULL, 0, v6, ARRAY_SIZE(v6));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ask_text(&lookup, &selection, rows[i].text, rows[i].source), REASON_GO);
		assert_int_equal(selection.client, CLIENT_ECS);
		assert_int_equal(selection.region, rows[i].region);
		assert_int_equal(selection.region_id, 1000 + rows[i].region);
		assert_int_equal(selection.scope, rows[i].scope);
		assert_int_equal(selection.block, rows[i].scope);
		assert_int_equal(selection.answer, 100 + SERVICE_COMMON + rows[i].region * SERVICE_TYPES + SERVICE_A);
	}
	assert_int_equal(lookup.asked[TOPOLOGY_TRUST], 0);
	free_tables(&lookup);
}

static void test_select_golden4(void **state)
{
	static const struct {
		const char *text;
		uint8_t source, region, scope;
	} rows[] = {
		{ "1.2.0.0", 24, 1, 23 }, { "1.2.2.0", 24, 1, 24 }, { "1.2.4.0", 24, 1, 22 }, { "1.2.8.0", 24, 1, 21 },
		{ "1.2.3.0", 24, 2, 24 }, { "10.2.3.0", 24, 3, 15 }, { "10.1.3.0", 24, 4, 16 },
	};
	const struct topology_prefix v4[] = {
		prefix("1.2.0.0", 20, 1), prefix("1.2.3.0", 24, 2), prefix("10.0.0.0", 8, 3), prefix("10.1.0.0", 16, 4),
	};
	struct selection selection;
	struct lookup lookup;
	unsigned int i;

	(void)state;
	make_tables(&lookup);
	compile_into(&lookup, 1, v4, ARRAY_SIZE(v4), NULL, 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ask_text(&lookup, &selection, rows[i].text, rows[i].source), REASON_GO);
		assert_int_equal(selection.region, rows[i].region);
		assert_int_equal(selection.scope, rows[i].scope);
	}
	free_tables(&lookup);
}

/* Requirement 8: only wholly inside, scope the block's own length, the resolver's address decides. */
static void test_select_special(void **state)
{
	static const struct {
		const char *text;
		uint8_t source, special;
	} rows[] = {
		{ "127.0.0.1", 32, 8 }, { "127.0.0.0", 8, 8 }, { "127.255.255.255", 32, 8 }, { "126.0.0.0", 7, 0 },
		{ "0.0.0.0", 8, 8 }, { "0.0.0.0", 32, 8 }, { "0.255.0.0", 16, 8 }, { "0.0.0.0", 7, 0 },
		{ "169.254.0.0", 16, 16 }, { "169.254.9.1", 32, 16 }, { "169.254.0.0", 15, 0 }, { "169.255.0.0", 16, 0 },
		{ "128.0.0.0", 8, 0 }, { "1.0.0.0", 8, 0 }, { "10.0.0.0", 8, 0 }, { "192.168.0.0", 16, 0 },
		{ "::1", 128, 128 }, { "::", 128, 128 }, { "::", 127, 0 }, { "::", 1, 0 }, { "::2", 128, 0 },
		{ "::3", 128, 0 }, { "0:0:0:1::", 128, 0 }, { "0:0:0:1::1", 128, 0 }, { "0:0:0:0:1::1", 128, 0 },
		{ "fe80::", 10, 10 }, { "fe80::1", 128, 10 }, { "febf:ffff::", 64, 10 }, { "fe80::", 9, 0 },
		{ "fec0::", 10, 0 }, { "fe40::", 10, 0 }, { "fc00::", 7, 0 }, { "fd00::", 8, 0 },
		{ "::ffff:127.0.0.1", 128, 0 },
	};
	const struct topology_prefix v4[] = { prefix("198.18.0.0", 24, 7) };
	struct selection selection;
	struct lookup lookup;
	unsigned int i;

	(void)state;
	make_tables(&lookup);
	compile_into(&lookup, 1, v4, 1, NULL, 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ask_text(&lookup, &selection, rows[i].text, rows[i].source), REASON_GO);
		if (rows[i].special) {
			assert_int_equal(selection.client, CLIENT_SPECIAL);
			assert_int_equal(selection.scope, rows[i].special);
			assert_int_equal(selection.region, 7);	/* by 198.18.0.2 */
		} else {
			assert_int_equal(selection.client, CLIENT_ECS);
			assert_int_equal(selection.region, 0);
		}
	}
	free_tables(&lookup);
}

/* Every way to be answered by the resolver's own address. */
static void test_select_resolver(void **state)
{
	static const uint8_t zero[16], other[4] = { 203, 0, 113, 0 };
	const struct topology_prefix v4[] = { prefix("198.18.0.0", 24, 7) };
	struct selection selection;
	struct lookup lookup;
	struct query query;
	unsigned int family;

	(void)state;
	make_tables(&lookup);
	compile_into(&lookup, 1, v4, 1, NULL, 0);
	assert_int_equal(ask(&lookup, &query, &selection, TYPE_A, 0xffff, 0, NULL), REASON_GO);
	assert_int_equal(selection.client, CLIENT_RESOLVER);
	assert_int_equal(selection.region, 7);
	assert_int_equal(selection.scope, 0);
	assert_int_equal(selection.block, 24);
	for (family = 0; family <= 2; family++) {	/* source 0, requirement 7 */
		assert_int_equal(ask(&lookup, &query, &selection, TYPE_A, family, 0, zero), REASON_GO);
		assert_int_equal(selection.client, CLIENT_RESOLVER);
		assert_int_equal(selection.region, 7);
		assert_int_equal(selection.scope, 0);
	}
	lookup.service.flags = 0;
	assert_int_equal(ask(&lookup, &query, &selection, TYPE_A, 1, 24, other), REASON_GO);
	assert_int_equal(selection.client, CLIENT_SERVICE_OFF);
	assert_int_equal(selection.region, 7);
	assert_int_equal(selection.scope, 0);
	free_tables(&lookup);
}

static void test_select_trust(void **state)
{
	static const uint8_t client[4] = { 203, 0, 113, 0 };
	const struct topology_prefix v4[] = { prefix("203.0.113.0", 24, 5) };
	const struct topology_prefix trusted[] = { prefix("198.18.0.0", 30, 1) };
	struct selection selection;
	struct lookup lookup;
	struct query query;

	(void)state;
	make_tables(&lookup);
	lookup.settings.flags = SETTINGS_ECS;
	compile_into(&lookup, 1, v4, 1, NULL, 0);
	compile_into(&lookup, TOPOLOGY_TRUST, trusted, 1, NULL, 0);
	assert_int_equal(ask(&lookup, &query, &selection, TYPE_A, 1, 24, client), REASON_GO);
	assert_int_equal(selection.client, CLIENT_ECS);
	assert_int_equal(selection.region, 5);
	assert_int_equal(selection.scope, 24);
	assert_int_equal(lookup.asked[TOPOLOGY_TRUST], 1);

	query.source_address[3] = 4;	/* 198.18.0.4: the next block */
	assert_int_equal(select_answer(&message, &query, &selection, &lookup, 0), REASON_GO);
	assert_int_equal(selection.client, CLIENT_UNTRUSTED);
	assert_int_equal(selection.region, 0);
	assert_int_equal(selection.scope, 0);

	lookup.has_settings = 0;	/* nothing published where there should be: believe nobody */
	query.source_address[3] = 2;
	assert_int_equal(select_answer(&message, &query, &selection, &lookup, 0), REASON_GO);
	assert_int_equal(selection.client, CLIENT_UNTRUSTED);
	free_tables(&lookup);
}

/* Which index each type takes, for every set of types that a service can have. */
static void test_select_types(void **state)
{
	static const uint8_t client[4] = { 203, 0, 113, 0 };
	struct selection selection;
	struct lookup lookup;
	struct query query;
	unsigned int type, types;

	(void)state;
	make_tables(&lookup);
	compile_into(&lookup, 1, NULL, 0, NULL, 0);
	for (types = 0; types < 1 << SERVICE_TYPES; types++) {
		lookup.service.types = types;
		for (type = 0; type < 300; type++) {
			uint32_t want = 100 + (type == 255 ? SERVICE_ANY : type == 6 ? SERVICE_SOA : type == 2 ? SERVICE_NS :
					       SERVICE_NODATA);
			int tailored = 1;

			if (type == 41 || (type >= 128 && type < 255))
				continue;
			if (type == 1 && types & 1)
				want = 100 + SERVICE_COMMON + 0;
			else if (type == 28 && types & 2)
				want = 100 + SERVICE_COMMON + 1;
			else if (type == 5 && types & 4)
				want = 100 + SERVICE_COMMON + 2;
			else
				tailored = 0;
			assert_int_equal(ask(&lookup, &query, &selection, type, 1, 24, client), REASON_GO);
			assert_int_equal(selection.answer, want);
			assert_int_equal(selection.tailored, tailored);
			if (!tailored)
				assert_int_equal(selection.scope, 0);
		}
	}
	free_tables(&lookup);
}

static void test_select_missing(void **state)
{
	static const uint8_t client[4] = { 203, 0, 113, 0 };
	struct selection selection;
	struct lookup lookup;
	struct query query;
	struct wire wire;

	(void)state;
	make_tables(&lookup);
	assert_int_equal(ask(&lookup, &query, &selection, TYPE_A, 1, 24, client), REASON_NO_REGION);
	assert_int_equal(ask(&lookup, &query, &selection, TYPE_A, 2, 24, client), REASON_NO_REGION);
	compile_into(&lookup, 1, NULL, 0, NULL, 0);
	lookup.indices[SERVICE_NODATA] = ANSWER_NONE;
	assert_int_equal(ask(&lookup, &query, &selection, TYPE_AAAA, 1, 24, client), REASON_STATIC);
	lookup.indices[SERVICE_COMMON] = ANSWER_NONE;
	assert_int_equal(ask(&lookup, &query, &selection, TYPE_A, 1, 24, client), REASON_NO_ANSWER);
	make_query(&wire, "wwx.example.com", TYPE_A, NULL);
	assert_int_equal(parse(&wire, &query), REASON_GO);
	assert_int_equal(select_answer(&message, &query, &selection, &lookup, 0), REASON_NAME);
	make_query(&wire, "www.example.com", TYPE_A, NULL);	/* the other generation has no such name */
	assert_int_equal(parse(&wire, &query), REASON_GO);
	assert_int_equal(select_answer(&message, &query, &selection, &lookup, 1), REASON_NAME);
	free_tables(&lookup);
}

/* Random topologies: region and scope of select_answer() are those of topology_lookup(). */
static void random_prefixes(struct topology_prefix *prefixes, unsigned int *count, unsigned int bits)
{
	unsigned int i, j, room = *count;

	*count = 0;
	for (i = 0; i < room; i++) {
		struct topology_prefix *made = &prefixes[*count];

		memset(made, 0, sizeof(*made));
		made->length = random_below(4) ? 1 + random_below(bits) : 8 * (1 + random_below(bits / 8));
		made->region = random_below(8);
		for (j = 0; j < 16u && j < bits / 8; j++)	/* near each other: scopes of every length */
			made->address[j] = random_below(3) ? 0x20 : 1u << random_below(8);
		for (j = made->length; j < bits; j++)
			made->address[j / 8] &= ~(0x80 >> j % 8);
		for (j = 0; j < *count; j++)
			if (prefixes[j].length == made->length && !memcmp(prefixes[j].address, made->address, 16))
				break;
		if (j == *count)
			++*count;
	}
}

static void test_select_random_topologies(void **state)
{
	static struct topology_prefix v4[24], v6[24];
	unsigned int round, n4, n6, i, j;
	struct selection selection;
	struct lookup lookup;
	struct query query;

	(void)state;
	for (round = 0; round < rounds() / 20; round++) {
		make_tables(&lookup);
		n4 = random_below(ARRAY_SIZE(v4));
		n6 = random_below(ARRAY_SIZE(v6));
		random_prefixes(v4, &n4, 32);
		random_prefixes(v6, &n6, 128);
		compile_into(&lookup, 1, v4, n4, v6, n6);
		lookup.service.spread4 = random_below(2) ? random_below(33) : 0;
		lookup.service.spread6 = random_below(2) ? random_below(129) : 0;
		for (i = 0; i < 40; i++) {
			unsigned int family = 1 + random_below(2), bits = family == 1 ? 32 : 128;
			unsigned int source = 1 + random_below(bits);
			uint8_t address[16] = { 0 }, scope, spread;
			uint32_t region;

			if (family == 1 && n4)
				memcpy(address, v4[random_below(n4)].address, 4);
			if (family == 2 && n6)
				memcpy(address, v6[random_below(n6)].address, 16);
			for (j = random_below(4); j; j--) {
				unsigned int bit = random_below(bits);

				address[bit / 8] ^= 0x80 >> bit % 8;
			}
			for (j = source; j < bits; j++)
				address[j / 8] &= ~(0x80 >> j % 8);
			assert_int_equal(ask(&lookup, &query, &selection, TYPE_A, family, source, address), REASON_GO);
			if (selection.client == CLIENT_SPECIAL) {
				assert_int_equal(topology_lookup(&lookup.v4[1], 32, query.source_address, &region, &scope), 0);
				assert_int_equal(selection.region, region);
				spread = lookup.service.spread4;	/* of the resolver's address, and the scope is not its own */
				assert_int_equal(selection.block, scope > spread ? scope : spread);
				assert_int_equal(selection.scope, select_special(&query));
				continue;
			}
			assert_int_equal(topology_lookup(family == 1 ? &lookup.v4[1] : &lookup.v6[1], bits, address, &region,
							 &scope), 0);
			spread = family == 1 ? lookup.service.spread4 : lookup.service.spread6;
			assert_int_equal(selection.region, region);
			assert_int_equal(selection.scope, scope > spread ? scope : spread);
			assert_int_equal(selection.block, selection.scope);
		}
		free_tables(&lookup);
	}
}

static void test_select_common_bits(void **state)
{
	unsigned int round, i;

	(void)state;
	for (round = 0; round < rounds(); round++) {
		uint8_t one[16], other[16];
		unsigned int bit = random_below(129), naive4 = 0, naive6 = 0;

		for (i = 0; i < 16; i++)
			one[i] = other[i] = random_below(256);
		if (bit < 128)
			other[bit / 8] ^= 0x80 >> bit % 8;
		for (i = bit + 1; i < 128; i++)
			other[i / 8] ^= random_below(2) ? 0x80 >> i % 8 : 0;
		while (naive4 < 32 && !((one[naive4 / 8] ^ other[naive4 / 8]) & 0x80 >> naive4 % 8))
			naive4++;
		while (naive6 < 128 && !((one[naive6 / 8] ^ other[naive6 / 8]) & 0x80 >> naive6 % 8))
			naive6++;
		assert_int_equal(select_common4(one, other), naive4);
		assert_int_equal(select_common6(one, other), naive6);
	}
}

/* -- answer_* -- */

#define RECORD_A 16	/* octets of an A record with a compressed owner */

/* An entry of `count` A records 10.0.0.i, `send` at a time, with a table of `table` octets before and a tail behind. */
static void make_answer(struct answer *answer, unsigned int count, unsigned int send, unsigned int table,
			unsigned int tail)
{
	unsigned int i;

	memset(answer, 0, sizeof(*answer));
	answer->count = count;
	answer->send = send;
	answer->stride = RECORD_A;
	answer->records = table;
	answer->tail = table + count * RECORD_A;
	answer->tail_length = tail;
	answer->authority = tail != 0;
	assert_true(answer->tail + tail <= ANSWER_OCTETS);
	for (i = 0; i < count; i++) {
		uint8_t record[RECORD_A] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 0, 0, i };

		memcpy(&answer->octets[table + i * RECORD_A], record, RECORD_A);
	}
	for (i = 0; i < tail; i++)
		answer->octets[answer->tail + i] = 0x80 + i % 100;
}

/* Writes a reply over `wire`'s query and returns its length; the question and id must survive. */
static int write_reply(const struct wire *wire, struct query *query, struct selection *selection,
		       const struct answer *answer, const struct settings *settings)
{
	int length;

	assert_int_equal(parse(wire, query), REASON_GO);
	length = answer_write(&message, query, selection, answer, settings);
	if (length) {
		assert_memory_equal(message.octets, wire->octets, 2);
		assert_memory_equal(message.octets + 4, wire->octets + 4, 2);
		assert_memory_equal(message.octets + 12, wire->octets + 12, query->question_end - 12);
	}
	return length;
}

static unsigned int reply16(unsigned int at)
{
	return message_u16(&message, at);
}

static void test_answer_header_bits(void **state)
{
	struct selection selection = { .scope = 0 };
	struct settings settings = { 0 };
	struct answer answer;
	struct query query;
	struct wire wire;
	unsigned int flags;

	(void)state;
	make_answer(&answer, 2, 2, 0, 0);
	for (flags = 0; flags < 0x0800; flags++) {	/* all that has QR 0 and opcode 0 */
		make_query(&wire, "WwW.eXample.com", TYPE_A, NULL);
		wire.octets[2] = flags >> 8;
		wire.octets[3] = flags & 0xff;
		assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings), 33 + 32);
		assert_int_equal(reply16(2), 0x8400 | (flags & 0x0110));
		assert_int_equal(reply16(6), 2);
		assert_int_equal(reply16(8), 0);
		assert_int_equal(reply16(10), 0);
		assert_int_equal(selection.outcome, REASON_ANSWERED);
		assert_memory_equal(message.octets + 33, answer.octets, 32);
	}
}

/* The OPT of a reply: size ours, DO as it came, nothing else, the client subnet octet for octet. */
static void test_answer_opt_echo(void **state)
{
	struct settings settings = { 0 };
	struct selection selection;
	struct wire wire, options;
	struct answer answer;
	struct query query;
	unsigned int family, source, i;

	(void)state;
	make_answer(&answer, 1, 1, 0, 0);
	for (family = 0; family <= 2; family++)
	for (source = 0; source <= (family == 0 ? 0u : family == 1 ? 32u : 128u); source++) {
		uint8_t address[16], want[64] = { 0, 0, 41, 1232 >> 8, 1232 & 0xff, 0, 0, source & 1 ? 0x80 : 0, 0, 0, 0 };
		unsigned int octets = (source + 7) / 8;

		for (i = 0; i < 16; i++)
			address[i] = random_below(256);
		if (source % 8)
			address[octets - 1] &= 0xff << (8 - source % 8);
		options.length = 0;
		put_option(&options, 100, "unknown", 7);
		put_ecs(&options, family, source, 0, address, octets);
		put_option(&options, 12, "pad", 3);
		put_header(&wire, 0, 1);
		put_question(&wire, "www.example.com", TYPE_A);
		put_opt(&wire, 4096, source & 1 ? 0xffff : 0x7fff, &options);
		memset(&selection, 0, sizeof(selection));
		selection.scope = source ^ 0x55;
		assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings), 33 + 16 + 11 + 8 + octets);
		want[10] = 8 + octets;
		want[12] = 8;
		want[14] = 4 + octets;
		want[16] = family;
		want[17] = source;
		want[18] = source ^ 0x55;
		memcpy(want + 19, address, octets);
		assert_memory_equal(message.octets + 33 + 16, want, 19 + octets);
		assert_int_equal(reply16(10), 1);
	}
}

/* Requirement 16: every advertised size, and none. */
static void test_answer_sizes(void **state)
{
	struct settings settings = { 0 };
	struct selection selection;
	struct wire wire, options;
	struct answer answer;
	struct query query;
	unsigned int size, octets, count;

	(void)state;
	for (count = 1; count <= 64; count += 9) {
		make_answer(&answer, count, count, 0, 20);
		octets = 33 + count * RECORD_A + 20 + OPT_OCTETS + 11;
		for (size = 0; size <= 65535; size += size < 1400 ? 1 : 1009) {
			unsigned int limit = size < 512 ? 512 : size > 1232 ? 1232 : size;
			int length;

			options.length = 0;
			put_ecs(&options, 1, 24, 0, "\xc6\x33\x64", 3);
			put_header(&wire, 0, 1);
			put_question(&wire, "www.example.com", TYPE_A);
			put_opt(&wire, size, 0, &options);
			memset(&selection, 0, sizeof(selection));
			selection.scope = 21;
			length = write_reply(&wire, &query, &selection, &answer, &settings);
			if (octets <= limit) {
				assert_int_equal(length, octets);
				assert_int_equal(selection.outcome, REASON_ANSWERED);
				assert_int_equal(reply16(2), 0x8400);
				assert_int_equal(reply16(8), 1);
			} else {
				assert_int_equal(length, 33 + OPT_OCTETS + 11);
				assert_int_equal(selection.outcome, REASON_TRUNCATED);
				assert_int_equal(reply16(2), 0x8600);
				assert_int_equal(reply16(6), 0);
				assert_int_equal(reply16(8), 0);
				assert_int_equal(reply16(10), 1);
				assert_int_equal(message.octets[33 + OPT_OCTETS + 7], 21);	/* requirement 11 */
			}
		}
	}
}

static void test_answer_without_edns(void **state)
{
	struct settings settings = { 0 };
	struct selection selection = { .scope = 0 };
	struct answer answer;
	struct query query;
	struct wire wire;
	unsigned int count;

	(void)state;
	make_query(&wire, "www.example.com", TYPE_A, NULL);
	for (count = 1; count <= 64; count++) {
		int fits = 33 + count * RECORD_A <= 512;

		make_answer(&answer, count, count, 0, 0);
		assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings),
				 fits ? 33 + count * RECORD_A : 33);
		assert_int_equal(reply16(2), fits ? 0x8500 : 0x8700);
		assert_int_equal(reply16(6), fits ? count : 0);
		assert_int_equal(reply16(10), 0);
	}
}

static void test_answer_over_tcp(void **state)
{
	struct settings settings = { 0 };
	struct selection selection = { .scope = 0 };
	struct answer answer;
	struct query query;
	struct wire wire;
	int length;

	(void)state;
	make_answer(&answer, 64, 64, 0, 500);
	make_query(&wire, "www.example.com", TYPE_A, NULL);
	assert_int_equal(parse(&wire, &query), REASON_GO);
	query.flags |= QUERY_TCP;
	length = answer_write(&message, &query, &selection, &answer, &settings);
	assert_int_equal(length, 33 + 64 * RECORD_A + 500);
	assert_int_equal(reply16(2), 0x8500);
	assert_memory_equal(message.octets + 33, answer.octets, 64 * RECORD_A + 500);
}

/* Requirement 9: a negative answer is echo/0, its tail alone is copied, and it is counted as NODATA. */
static void test_answer_nodata(void **state)
{
	struct settings settings = { 0 };
	struct selection selection = { .scope = 40 };
	struct wire wire, options = { .length = 0 };
	struct answer answer;
	struct query query;
	unsigned int tail;

	(void)state;
	put_ecs(&options, 2, 40, 0, "\x24\x0b\x00\x10\x03", 5);
	for (tail = 0; tail <= 400; tail++) {
		make_answer(&answer, 0, 0, 8, tail);
		make_query(&wire, "www.example.com", 16, &options);
		selection.scope = 40;
		assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings), 33 + tail + 11 + 13);
		assert_int_equal(selection.outcome, REASON_NODATA);
		assert_int_equal(selection.scope, 0);
		assert_int_equal(reply16(6), 0);
		assert_int_equal(reply16(8), tail != 0);
		assert_memory_equal(message.octets + 33, answer.octets + 8, tail);
		assert_int_equal(message.octets[33 + tail + 11 + 7], 0);
	}
}

/* What the tables must never hold is refused, not followed. */
static void test_answer_nonsense(void **state)
{
	struct settings settings = { 0 };
	struct selection selection = { .scope = 0 };
	struct answer answer;
	struct query query;
	struct wire wire;

	(void)state;
	make_query(&wire, "www.example.com", TYPE_A, NULL);
	make_answer(&answer, 2, 2, 0, 0);
	answer.count = 65;
	assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings), 0);
	answer.count = 1;
	assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings), 0);
	answer.count = 2;
	answer.stride = ANSWER_OCTETS + 1;
	assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings), 0);
	answer.stride = RECORD_A;
	answer.tail_length = ANSWER_OCTETS + 1;
	assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings), 0);
}

/* Entries of random octets: whatever they say, nothing outside the buffers is touched (ASan watches), and it ends. */
static void test_answer_random_entries(void **state)
{
	struct settings settings = { .draw_key = { 1, 2 } };
	struct selection selection;
	struct wire wire, options = { .length = 0 };
	struct answer answer;
	struct query query;
	unsigned int round, i;

	(void)state;
	put_ecs(&options, 2, 40, 0, "\x24\x0b\x00\x10\x03", 5);
	make_query(&wire, "www.example.com", TYPE_A, &options);
	for (round = 0; round < rounds(); round++) {
		uint16_t *fields = (uint16_t *)&answer;
		int length;

		memset(&answer, random_below(256), sizeof(answer));
		for (i = 0; i < 8; i++)
			fields[i] = random_below(3) ? random_below(70) : random_below(65536);
		if (random_below(2))
			answer.send = answer.count ? random_below(answer.count + 1) : 0;
		answer.method = random_below(5);
		memset(&selection, 0, sizeof(selection));
		selection.family = 2;
		selection.block = random_below(129);
		assert_int_equal(parse(&wire, &query), REASON_GO);
		if (random_below(2))
			query.flags |= QUERY_TCP;
		length = answer_write(&message, &query, &selection, &answer, &settings);
		assert_true(length == 0 || (length >= 12 && (query.flags & QUERY_TCP || length <= 1232)));
	}
}

/* Which record stands at `place` of the reply. */
static unsigned int record_at(unsigned int place)
{
	return message.octets[33 + place * RECORD_A + 15];
}

/* A rotated window: `send` records in a row, around the end, from a start that every draw can give. */
static void test_answer_rotation(void **state)
{
	struct settings settings = { .draw_key = { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL } };
	struct selection selection = { .scope = 0 };
	unsigned int count, send, i, tries;
	struct answer answer;
	struct query query;
	struct wire wire;

	(void)state;
	for (count = 1; count <= 20; count++)
	for (send = 1; send <= count; send++) {
		unsigned int seen[20] = { 0 }, met = 0;

		make_answer(&answer, count, send, 0, 13);
		for (tries = 0; tries < 400; tries++) {
			unsigned int first;

			make_query(&wire, "www.example.com", TYPE_A, NULL);
			wire.octets[0] = tries >> 8;
			wire.octets[1] = tries & 0xff;
			assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings),
					 33 + send * RECORD_A + 13);
			first = record_at(0);
			for (i = 0; i < send; i++)
				assert_int_equal(record_at(i), (first + i) % count);
			assert_memory_equal(message.octets + 33 + send * RECORD_A, answer.octets + answer.tail, 13);
			if (send == count)
				assert_int_equal(first, 0);
			seen[first]++;
		}
		for (i = 0; i < count; i++)
			met += seen[i] > 0;
		assert_int_equal(met, send == count ? 1 : count);
	}
}

/* The draw is of id, port, source address and key, and of nothing else: not of the client subnet. */
static void test_answer_draw(void **state)
{
	struct settings settings = { .draw_key = { 3, 4 } };
	struct wire wire, options = { .length = 0 };
	struct query query, other;
	uint32_t draw;

	(void)state;
	make_query(&wire, "www.example.com", TYPE_A, NULL);
	assert_int_equal(parse(&wire, &query), REASON_GO);
	draw = answer_draw(&query, &settings);
	put_ecs(&options, 1, 24, 0, "\xc6\x33\x64", 3);
	make_query(&wire, "other.example.net", TYPE_AAAA, &options);
	assert_int_equal(parse(&wire, &other), REASON_GO);
	assert_int_equal(answer_draw(&other, &settings), draw);
	other = query;
	other.id++;
	assert_int_not_equal(answer_draw(&other, &settings), draw);
	other = query;
	other.source_port++;
	assert_int_not_equal(answer_draw(&other, &settings), draw);
	other = query;
	other.source_address[3]++;
	assert_int_not_equal(answer_draw(&other, &settings), draw);
	settings.draw_key[1]++;
	assert_int_not_equal(answer_draw(&query, &settings), draw);
}

/* Thresholds: the first that lies above the draw, to the last draw; shares come out as weights say. */
static void test_answer_weighted(void **state)
{
	static const uint32_t weights[] = { 1, 0, 2, 5 };
	struct settings settings = { .draw_key = { 5, 6 } };
	unsigned int counts[4] = { 0 }, tries, i;
	uint32_t thresholds[4];
	uint64_t sum = 0;
	struct selection selection = { .scope = 0 };
	struct answer answer;
	struct query query;
	struct wire wire;

	(void)state;
	make_answer(&answer, 4, 1, 16, 0);
	answer.method = ANSWER_WEIGHTED;
	for (i = 0; i < 4; i++) {
		sum += weights[i];
		thresholds[i] = sum * 0xffffffffULL / 8;
		memcpy(answer.octets + 4 * i, &thresholds[i], 4);
	}
	assert_int_equal(answer_weighted(&answer, 0), 0);
	assert_int_equal(answer_weighted(&answer, 0xffffffff), 3);
	assert_int_equal(answer_weighted(&answer, 0xfffffffe), 3);
	for (i = 0; i < 4; i++) {
		unsigned int next = i == 0 ? 2 : i + 1;	/* the member of weight 0 is never chosen */

		if (weights[i])
			assert_int_equal(answer_weighted(&answer, thresholds[i] - 1), i == 3 ? 3 : i);
		if (i < 3)
			assert_int_equal(answer_weighted(&answer, thresholds[i]), i == 1 ? 2 : next);
	}
	for (tries = 0; tries < 8000; tries++) {
		make_query(&wire, "www.example.com", TYPE_A, NULL);
		wire.octets[0] = tries >> 8;
		wire.octets[1] = tries & 0xff;
		assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings), 33 + RECORD_A);
		counts[record_at(0)]++;
	}
	for (i = 0; i < 4; i++)
		assert_in_range(counts[i], weights[i] ? weights[i] * 900 : 0, weights[i] * 1100);
}

/* Sticky: every client of one block gets one member, whoever asks; slots go where the table says. */
static void test_answer_hash(void **state)
{
	struct settings settings = { .draw_key = { 7, 8 } };
	unsigned int slot, family, block, round, i, seen[ANSWER_HASH_SLOTS] = { 0 };
	struct selection selection;
	struct answer answer;
	struct query query;
	struct wire wire;

	(void)state;
	make_answer(&answer, 64, 1, ANSWER_HASH_SLOTS, 0);
	answer.method = ANSWER_HASH;
	for (slot = 0; slot < ANSWER_HASH_SLOTS; slot++)
		answer.octets[slot] = slot % 64;
	make_query(&wire, "www.example.com", TYPE_A, NULL);
	assert_int_equal(parse(&wire, &query), REASON_GO);
	for (round = 0; round < rounds(); round++) {
		unsigned int bits, first;
		uint8_t data[24] = { 0 };
		uint64_t hash;

		family = 1 + random_below(2);
		bits = family == 1 ? 32 : 128;
		block = random_below(bits + 1);
		memset(&selection, 0, sizeof(selection));
		selection.family = family;
		selection.block = block;
		for (i = 0; i < bits / 8; i++)
			selection.address[i] = random_below(256);
		memcpy(data, selection.address, 16);
		for (i = block; i < 128; i++)
			data[i / 8] &= ~(0x80 >> i % 8);
		data[16] = block;
		data[17] = family;
		crypto_shorthash((unsigned char *)&hash, data, sizeof(data), (unsigned char *)settings.draw_key);
		first = answer_first(&query, &selection, &answer, &settings);
		assert_int_equal(first, (hash & 0xff) % 64);
		seen[hash & 0xff] = 1;
		for (i = block; i < bits; i++)	/* any other client of the block, any other query */
			if (random_below(2))
				selection.address[i / 8] ^= 0x80 >> i % 8;
		query.id++;
		assert_int_equal(answer_first(&query, &selection, &answer, &settings), first);
	}
	for (slot = 0; rounds() >= 20000 && slot < ANSWER_HASH_SLOTS; slot++)
		assert_true(seen[slot]);
	for (slot = 0; slot < ANSWER_HASH_SLOTS; slot++)
		answer.octets[slot] = 200;	/* a member there is not */
	assert_int_equal(answer_first(&query, &selection, &answer, &settings), 0);
}

static void test_answer_any(void **state)
{
	struct settings settings = { 0 };
	struct selection selection = { .scope = 0 };
	struct answer answer;
	struct query query;
	struct wire wire;

	(void)state;
	make_answer(&answer, 1, 1, 0, 0);
	make_query(&wire, "www.example.com", TYPE_ANY, NULL);
	assert_int_equal(write_reply(&wire, &query, &selection, &answer, &settings), 33 + RECORD_A);
	assert_int_equal(selection.outcome, REASON_ANY);
}

/* -- siphash_three() against libsodium's SipHash-2-4 -- */

static void test_siphash(void **state)
{
	unsigned int round;

	(void)state;
	assert_int_equal(crypto_shorthash_KEYBYTES, 16);
	for (round = 0; round < rounds(); round++) {
		__u64 key[2] = { random_word(), random_word() };
		__u64 words[3] = { random_word(), random_word(), random_word() }, want;

		crypto_shorthash((unsigned char *)&want, (unsigned char *)words, sizeof(words), (unsigned char *)key);
		assert_true(siphash_three(key, words[0], words[1], words[2]) == want);
	}
}

static void test_leading_zeros(void **state)
{
	unsigned int zeros;

	(void)state;
	assert_int_equal(wire_leading_zeros(0), 64);
	for (zeros = 0; zeros < 64; zeros++) {
		assert_int_equal(wire_leading_zeros(1ULL << (63 - zeros)), zeros);
		assert_int_equal(wire_leading_zeros(~0ULL >> zeros), zeros);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_parse_plain, set_seed),
		cmocka_unit_test_setup(test_parse_short, set_seed),
		cmocka_unit_test_setup(test_parse_header, set_seed),
		cmocka_unit_test_setup(test_parse_counts, set_seed),
		cmocka_unit_test_setup(test_parse_type_and_class, set_seed),
		cmocka_unit_test_setup(test_parse_too_long, set_seed),
		cmocka_unit_test_setup(test_parse_label_octet, set_seed),
		cmocka_unit_test_setup(test_parse_every_name_length, set_seed),
		cmocka_unit_test_setup(test_parse_every_label_count, set_seed),
		cmocka_unit_test_setup(test_parse_opt, set_seed),
		cmocka_unit_test_setup(test_parse_options, set_seed),
		cmocka_unit_test_setup(test_parse_option_overruns, set_seed),
		cmocka_unit_test_setup(test_parse_cookie_and_nsid, set_seed),
		cmocka_unit_test_setup(test_parse_order, set_seed),
		cmocka_unit_test_setup(test_parse_random, set_seed),
		cmocka_unit_test_setup(test_ecs_every_shape, set_seed),
		cmocka_unit_test_setup(test_ecs_short_options, set_seed),
		cmocka_unit_test_setup(test_ecs_every_bit, set_seed),
		cmocka_unit_test_setup(test_ecs_several, set_seed),
		cmocka_unit_test_setup(test_name_key, set_seed),
		cmocka_unit_test_setup(test_name_key_border, set_seed),
		cmocka_unit_test_setup(test_lower_every_octet, set_seed),
		cmocka_unit_test_setup(test_select_scenario, set_seed),
		cmocka_unit_test_setup(test_select_golden4, set_seed),
		cmocka_unit_test_setup(test_select_special, set_seed),
		cmocka_unit_test_setup(test_select_resolver, set_seed),
		cmocka_unit_test_setup(test_select_trust, set_seed),
		cmocka_unit_test_setup(test_select_types, set_seed),
		cmocka_unit_test_setup(test_select_missing, set_seed),
		cmocka_unit_test_setup(test_select_random_topologies, set_seed),
		cmocka_unit_test_setup(test_select_common_bits, set_seed),
		cmocka_unit_test_setup(test_answer_header_bits, set_seed),
		cmocka_unit_test_setup(test_answer_opt_echo, set_seed),
		cmocka_unit_test_setup(test_answer_sizes, set_seed),
		cmocka_unit_test_setup(test_answer_without_edns, set_seed),
		cmocka_unit_test_setup(test_answer_over_tcp, set_seed),
		cmocka_unit_test_setup(test_answer_nodata, set_seed),
		cmocka_unit_test_setup(test_answer_nonsense, set_seed),
		cmocka_unit_test_setup(test_answer_random_entries, set_seed),
		cmocka_unit_test_setup(test_answer_rotation, set_seed),
		cmocka_unit_test_setup(test_answer_draw, set_seed),
		cmocka_unit_test_setup(test_answer_weighted, set_seed),
		cmocka_unit_test_setup(test_answer_hash, set_seed),
		cmocka_unit_test_setup(test_answer_any, set_seed),
		cmocka_unit_test_setup(test_siphash, set_seed),
		cmocka_unit_test_setup(test_leading_zeros, set_seed),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("stages", tests, NULL, NULL);
}
