// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdint.h>

#include "user/fallback/parse.h"

#define RECORD_OCTETS 10	/* type, class, TTL, RDLENGTH */
#define POINTER_BITS 0xc0
/* Labels and pointers in all names of a message. A message of 64 KiB has room for millions, where names share a chain. */
#define WALK_STEPS_MAX 65536

struct walk {
	const struct message *message;
	struct query *query;
	uint32_t at;
	uint32_t options, options_end;	/* of the first OPT record; end 0: none yet */
	uint32_t opt_count;
	uint32_t steps;			/* so far, of WALK_STEPS_MAX */
	int fault;			/* the first one found among the records */
};

static int walk_questions(struct walk *walk);
static void walk_records(struct walk *walk, int additional, uint32_t count);
static int walk_options(const struct walk *walk);
static int judge_no_question(const struct walk *walk);

int parse_message(const struct message *message, struct query *query)
{
	struct walk walk = { .message = message, .query = query, .at = HEADER_OCTETS };
	int fault = walk_questions(&walk);

	if (!walk.fault) {
		walk_records(&walk, 0, message_u16(message, 6) + message_u16(message, 8));
		walk_records(&walk, 1, message_u16(message, 10));
	}
	query->id = message_u16(message, 0);
	if (message_u16(message, 2) & HEADER_OPCODE)
		return REASON_OPCODE;
	if (fault)
		return fault == REASON_QDCOUNT ? judge_no_question(&walk) : fault;
	if (walk.fault)
		return walk.fault;
	if (walk.at < query->length)
		return REASON_TRAILING;
	if (query->version)
		return REASON_VERSION;
	fault = walk_options(&walk);
	return fault ? fault : query_judge(query);
}

/*
 * Steps over a name (RFC 1035 4.1.4). Pointers must lead backwards, each further than the one before, so that they end.
 * Returns the name's octets when written out, 1 for the root, or 0 if it is malformed.
 */
static uint32_t walk_name(struct walk *walk)
{
	uint32_t at = walk->at, before = walk->at, octets = 0;
	int jumped = 0;

	for (;;) {
		uint8_t label;

		if (at >= walk->query->length || walk->steps++ >= WALK_STEPS_MAX)
			return 0;
		label = message_u8(walk->message, at);
		if ((label & POINTER_BITS) == POINTER_BITS) {
			if (at + 2 > walk->query->length)
				return 0;
			if (!jumped)
				walk->at = at + 2;
			jumped = 1;
			at = message_u16(walk->message, at) & 0x3fff;
			if (at >= before || at < HEADER_OCTETS)
				return 0;
			before = at;
			continue;
		}
		octets += label + 1u;
		if (label > LABEL_OCTETS_MAX || octets > NAME_OCTETS_MAX)
			return 0;
		at += label + 1u;
		if (!label)
			break;
	}
	if (!jumped)
		walk->at = at;
	return octets;
}

/* One question is parsed as ever. Of none or several only their bounds matter, to find the OPT record behind them. */
static int walk_questions(struct walk *walk)
{
	uint32_t count = message_u16(walk->message, 4), i;
	struct query *query = walk->query;

	if (count == 1) {
		walk->fault = query_name(walk->message, query);
		if (!walk->fault && HEADER_OCTETS + query->name_length + 4u > query->length)
			walk->fault = REASON_QUESTION;
		if (walk->fault)
			return walk->fault;
		query->question_end = walk->at = HEADER_OCTETS + query->name_length + 4u;
		query->type = message_u16(walk->message, query->question_end - 4);
		query->class = message_u16(walk->message, query->question_end - 2);
		return REASON_GO;
	}
	for (i = 0; i < count && !walk->fault; i++) {
		if (!walk_name(walk) || walk->at + 4 > query->length)
			walk->fault = REASON_QUESTION;
		walk->at += 4;
	}
	return REASON_QDCOUNT;
}

/* An OPT record; the first decides what the reply's looks like. */
static int walk_opt(struct walk *walk, int additional, uint32_t owner, uint32_t fixed, uint32_t end)
{
	struct query *query = walk->query;

	if (walk->opt_count++)
		return REASON_RECORDS;
	query->flags |= QUERY_EDNS;
	query->udp_size = message_u16(walk->message, fixed + 2);
	query->version = message_u8(walk->message, fixed + 5);
	if (message_u16(walk->message, fixed + 6) & OPT_DO)
		query->flags |= QUERY_DO;
	walk->options = fixed + RECORD_OCTETS;
	walk->options_end = end;
	if (!additional)
		return REASON_RECORDS;
	if (owner != 1)
		return REASON_OPT_OWNER;
	return end > query->length ? REASON_OPT_LENGTH : REASON_GO;
}

static void walk_records(struct walk *walk, int additional, uint32_t count)
{
	uint32_t length = walk->query->length, owner, fixed, end, i;
	int fault;

	for (i = 0; i < count && walk->at <= length; i++) {
		owner = walk_name(walk);
		fixed = walk->at;
		if (!owner || fixed + RECORD_OCTETS > length) {
			walk->fault = walk->fault ? walk->fault : REASON_RECORDS;
			return;
		}
		end = fixed + RECORD_OCTETS + message_u16(walk->message, fixed + 8);
		fault = end > length ? REASON_RECORDS : REASON_GO;
		if (message_u16(walk->message, fixed) == TYPE_OPT)
			fault = walk_opt(walk, additional, owner, fixed, end);
		if (!walk->fault)
			walk->fault = fault;
		walk->at = end;
	}
}

/* As query_options(), but however many there are. */
static int walk_options(const struct walk *walk)
{
	uint32_t at = walk->options;
	int next, malformed = 0;

	while (at < walk->options_end) {
		next = query_option(walk->message, walk->query, at, walk->options_end);
		if (next == -REASON_ECS_MALFORMED) {
			malformed = 1;
			next = at + OPTION_HEADER_OCTETS + message_u16(walk->message, at + 2);
		} else if (next < 0) {
			return -next;
		}
		at = next;
	}
	return query_options_judge(walk->query, malformed);
}

/* RFC 7873 5.4: without a question a query may still be for a cookie, if nothing else is wrong with it. */
static int judge_no_question(const struct walk *walk)
{
	const struct query *query = walk->query;

	if (message_u16(walk->message, 4) || walk->fault || walk->at < query->length || query->version)
		return REASON_QDCOUNT;
	return !walk_options(walk) && query->flags & QUERY_COOKIE ? REASON_COOKIE : REASON_QDCOUNT;
}
