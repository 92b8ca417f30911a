// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Octets off the wire through all three stages: query_parse(), select_answer(), answer_write(). The tables are made of
 * the input, too: every name is a service, and entries of tries and answers hold whatever the input says, so that the
 * stages are fuzzed against inconsistent tables as well. Beside the sanitizers, what must always hold is asserted.
 *
 *	clang -std=gnu11 -g -O1 -I. -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_query.c -o build/fuzz_query
 *	build/fuzz_query -max_len=700 -max_total_time=60
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/answer.h"

#define MUST(condition) do { if (!(condition)) { fprintf(stderr, "not so: %s\n", #condition); abort(); } } while (0)

/* What the input decides besides the message; its first octets. */
struct choices {
	uint8_t ecs_enabled, over_tcp, family, settings_flags, has_settings;
	uint8_t is_service, service_flags, types, is_answer_sane;
	uint8_t source[16];
	uint8_t target[16];
	uint8_t length, target_length, region, method;
	uint8_t fields[16];	/* the first eight of struct answer */
	uint8_t filling;
};

struct lookup {
	const struct choices *choices;
	struct settings settings;
	struct service service;
	struct topology4_entry entry4;
	struct topology6_entry entry6;
};

static inline const struct settings *lookup_settings(struct lookup *lookup)
{
	return lookup->choices->has_settings & 1 ? &lookup->settings : NULL;
}

static inline const struct service *lookup_service(struct lookup *lookup, const union name_key *key, int is_long)
{
	unsigned int i, octets = is_long ? NAME_OCTETS_MAX : NAME_SHORT_OCTETS;

	for (i = 0; i < octets; i++)
		MUST(key->in_long.name[i] < 'A' || key->in_long.name[i] > 'Z');
	MUST(is_long ? key->in_long.slot == 1 : key->in_short.slot == 1);
	return lookup->choices->is_service % 8 ? &lookup->service : NULL;
}

static inline const struct topology4_entry *lookup_topology4(struct lookup *lookup, __u16 topology, const __u8 *address)
{
	(void)topology, (void)address;
	return lookup->choices->length == 255 ? NULL : &lookup->entry4;
}

static inline const struct topology6_entry *lookup_topology6(struct lookup *lookup, __u16 topology, const __u8 *address)
{
	(void)topology, (void)address;
	return lookup->choices->length == 255 ? NULL : &lookup->entry6;
}

static inline __u32 lookup_index(struct lookup *lookup, __u32 index)
{
	(void)lookup;
	return index % 251;
}

static void lookup_fill(struct lookup *lookup, const struct choices *choices)
{
	memset(lookup, 0, sizeof(*lookup));
	lookup->choices = choices;
	lookup->settings.flags = choices->settings_flags;
	lookup->settings.draw_key[0] = choices->filling;
	lookup->service.flags = choices->service_flags;
	lookup->service.types = choices->types;
	lookup->service.regions = 256;
	memcpy(lookup->entry4.target, choices->target, 4);
	memcpy(lookup->entry6.target, choices->target, 16);
	lookup->entry4.region = lookup->entry6.region = choices->region;
	lookup->entry4.length = choices->length % 33;
	lookup->entry6.length = choices->length % 129;
	lookup->entry4.target_length = choices->target_length % 33;
	lookup->entry6.target_length = choices->target_length % 129;
}

static void answer_fill(struct answer *answer, const struct choices *choices)
{
	memset(answer, choices->filling, sizeof(*answer));
	memcpy(answer, choices->fields, sizeof(choices->fields));
	answer->method = choices->method % 4;
	if (!(choices->is_answer_sane & 1))
		return;
	answer->count %= ANSWER_RECORDS_MAX + 1;
	answer->send = answer->count ? 1 + answer->send % answer->count : 0;
	answer->stride = 12 + answer->stride % 17;
	answer->records = 0;
	answer->tail = answer->count * answer->stride;
	answer->tail_length %= ANSWER_OCTETS - answer->tail + 1;
}

/* What a complete query says of itself. */
static void check_query(const struct query *query)
{
	MUST(query->name_length >= 1 && query->name_length <= NAME_OCTETS_MAX);
	MUST(query->question_end == HEADER_OCTETS + query->name_length + 4);
	MUST(query->question_end <= query->length);
	MUST(query->length <= QUERY_OCTETS_MAX);
	MUST(query->version == 0);
	if (!(query->flags & QUERY_ECS))
		return;
	MUST(query->flags & QUERY_EDNS && query->ecs_enabled);
	MUST(query->ecs_family <= ECS_FAMILY_IPV6);
	MUST(query->ecs_source <= (query->ecs_family == 0 ? 0 : query->ecs_family == 1 ? 32 : 128));
	MUST(query->ecs_octets == (query->ecs_source + 7) / 8);
}

static void check_reply(const struct message *message, const struct query *query, const uint8_t *asked, int length)
{
	uint32_t limit = answer_limit(query);

	MUST(length >= query->question_end && (uint32_t)length <= limit);
	MUST(!memcmp(message->octets, asked, 2));
	MUST(!memcmp(message->octets + HEADER_OCTETS, asked + HEADER_OCTETS, query->question_end - HEADER_OCTETS));
	MUST(message->octets[2] & 0x80 && !(message->octets[2] & 0x78));
	MUST((message->octets[2] & 0x01) == (asked[2] & 0x01) && (message->octets[3] & 0x10) == (asked[3] & 0x10));
	MUST(!(message->octets[3] & 0xef));
	if (query->flags & QUERY_ECS) {	/* the echo ends the reply */
		const uint8_t *echo = message->octets + length - query->ecs_octets - ECS_HEADER_OCTETS;

		MUST(echo[0] == 0 && echo[1] == query->ecs_family && echo[2] == query->ecs_source);
		MUST(!memcmp(echo + ECS_HEADER_OCTETS, query->ecs_address, query->ecs_octets));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct message message;
	static uint8_t asked[QUERY_OCTETS_MAX];
	struct choices choices;
	struct query query = { 0 };
	struct selection selection;
	struct answer answer;
	struct lookup lookup;
	int length;

	if (size < sizeof(choices) || size - sizeof(choices) > 65535)
		return 0;
	memcpy(&choices, data, sizeof(choices));
	query.length = size - sizeof(choices);
	memset(message.octets, choices.filling, 2048);
	memcpy(message.octets, data + sizeof(choices), query.length);
	query.ecs_enabled = choices.ecs_enabled & 1;
	query.flags = choices.over_tcp & 1 ? QUERY_TCP : 0;
	query.source_family = choices.family & 1 ? ECS_FAMILY_IPV4 : ECS_FAMILY_IPV6;
	memcpy(query.source_address, choices.source, query.source_family == ECS_FAMILY_IPV4 ? 4 : 16);
	if (query_parse(&message, &query))
		return 0;
	check_query(&query);
	memcpy(asked, message.octets, query.length);
	lookup_fill(&lookup, &choices);
	memset(&selection, choices.filling, sizeof(selection));
	if (select_answer(&message, &query, &selection, &lookup, 1))
		return 0;
	MUST(!memcmp(asked, message.octets, query.length));	/* until here nothing is written */
	/* One more than an address has only where a target is the very address, which no compiled topology has. */
	MUST(selection.scope <= (query.ecs_family == ECS_FAMILY_IPV4 ? 33 : 129));
	MUST(!selection.scope || query.flags & QUERY_ECS);
	answer_fill(&answer, &choices);
	length = answer_write(&message, &query, &selection, &answer, &lookup.settings);
	if (length)
		check_reply(&message, &query, asked, length);
	return 0;
}
