/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Third stage: query, selection and answer entry -> the reply, written over the query in its own buffer. Header id and
 * question stay as they came (0x20 case and all); the answer begins behind the question.
 */
#ifndef ECSDNS_ANSWER_H
#define ECSDNS_ANSWER_H

#include "select.h"
#include "siphash.h"

/* What the reply may hold: ECS.md requirement 16. */
PIECE __u32 answer_limit(const struct query *query)
{
	if (query->flags & QUERY_TCP)
		return 65535;
	if (!(query->flags & QUERY_EDNS) || query->udp_size < REPLY_OCTETS_MIN)
		return REPLY_OCTETS_MIN;
	return query->udp_size < REPLY_OCTETS_MAX ? query->udp_size : REPLY_OCTETS_MAX;
}

/* Octets of the reply's OPT record; 0 when none came. */
PIECE __u32 answer_opt_octets(const struct query *query)
{
	if (!(query->flags & QUERY_EDNS))
		return 0;
	if (!(query->flags & QUERY_ECS))
		return OPT_OCTETS + query->more_octets;
	return OPT_OCTETS + OPTION_HEADER_OCTETS + ECS_HEADER_OCTETS + query->ecs_octets + query->more_octets;
}

/*
 * Writes the OPT record at `at` with our size, the extended rcode's upper octet, DO as it came, and the client subnet
 * echoed with this scope (RFC 7871 7.2.1: family, source and address unchanged). Returns the offset behind it, where the
 * caller puts the options of query->more_octets.
 */
STAGE int answer_opt(struct message *message, const struct query *query, __u32 at, __u32 scope, __u32 rcode)
{
	__u32 i, octets;

	STAGE_NEEDS(message && query, 0);
	if (!(query->flags & QUERY_EDNS))
		return at;
	octets = answer_opt_octets(query);
	message_put_u8(message, at, 0);
	message_put_u16(message, at + 1, TYPE_OPT);
	message_put_u16(message, at + 3, REPLY_OCTETS_MAX);
	message_put_u8(message, at + 5, rcode >> 4);
	message_put_u8(message, at + 6, 0);
	message_put_u16(message, at + 7, query->flags & QUERY_DO ? OPT_DO : 0);
	message_put_u16(message, at + 9, octets - OPT_OCTETS);
	at += OPT_OCTETS;
	if (!(query->flags & QUERY_ECS))
		return at;
	message_put_u16(message, at, OPTION_ECS);
	message_put_u16(message, at + 2, ECS_HEADER_OCTETS + query->ecs_octets);
	message_put_u16(message, at + 4, query->ecs_family);
	message_put_u8(message, at + 6, query->ecs_source);
	message_put_u8(message, at + 7, scope);
	at += OPTION_HEADER_OCTETS + ECS_HEADER_OCTETS;
	for (i = 0; i < sizeof(query->ecs_address) && i < query->ecs_octets; i++)
		message_put_u8(message, at + i, query->ecs_address[i]);
	return at + query->ecs_octets;
}

/* Copies `length` octets of the entry, eight at a time: what lies behind them is written later. */
STAGE int answer_copy(struct message *message, __u32 to, const struct answer *answer, __u32 from, __u32 length)
{
	__u32 i;

	STAGE_NEEDS(message && answer, 0);
	for (i = 0; i < ANSWER_OCTETS && i < length; i += 8)
		wire_store64(&message->octets[wire_masked(to + i, MESSAGE_OCTETS)],
			     wire_load64(&answer->octets[wire_masked(from + i, ANSWER_OCTETS)]));
	return 0;
}

/*
 * The draw of selection: from what one query has and the next has not, never from the client subnet, so that both
 * paths agree and a cache that asks again draws again. Sticky hashing draws from the client's block instead.
 */
PIECE __u32 answer_draw(const struct query *query, const struct settings *settings)
{
	return siphash_three(settings->draw_key, wire_load64(query->source_address),
			     wire_load64(query->source_address + 8),
			     (__u64)query->source_family << 32 | (__u64)query->source_port << 16 | query->id);
}

/* 64 leading bits of an address half, cut after `length` bits; in memory order on a little-endian host. */
PIECE __u64 answer_cut(const __u8 *half, __u32 length)
{
	__u64 mask = length >= 64 ? ~0ULL : length ? ~0ULL << (64 - length) : 0;

	return wire_load64(half) & wire_swap64(mask);
}

PIECE __u32 answer_draw_block(const struct selection *selection, const struct settings *settings)
{
	__u32 block = selection->block;

	return siphash_three(settings->draw_key, answer_cut(selection->address, block),
			     answer_cut(selection->address + 8, block > 64 ? block - 64 : 0),
			     (__u64)selection->family << 8 | block);
}

/* The first member whose cumulative threshold lies above the draw. */
PIECE __u32 answer_weighted(const struct answer *answer, __u32 draw)
{
	__u32 i;

	if (draw == 0xffffffff)
		draw--;		/* the last threshold is 2^32 - 1 */
	for (i = 0; i < ANSWER_RECORDS_MAX && i < answer->count; i++)
		if (draw < ((const __u32 *)answer->octets)[i])
			return i;
	return 0;
}

/* Which record comes first. */
STAGE __u32 answer_first(const struct query *query, const struct selection *selection, const struct answer *answer,
			 const struct settings *settings)
{
	__u32 first;

	STAGE_NEEDS(query && selection && answer && settings, 0);
	if (answer->method == ANSWER_HASH)
		first = answer->octets[answer_draw_block(selection, settings) & (ANSWER_HASH_SLOTS - 1)];
	else if (answer->method == ANSWER_WEIGHTED)
		first = answer_weighted(answer, answer_draw(query, settings));
	else if (answer->send < answer->count)
		first = (__u64)answer_draw(query, settings) * answer->count >> 32;
	else
		first = 0;
	return first < answer->count ? first : 0;
}

/* Records first, first + 1, ... of the entry, around its end, then its authority and additional records. */
PIECE __u32 answer_records(struct message *message, const struct answer *answer, __u32 at, __u32 first, __u32 send)
{
	__u32 straight = answer->count - first < send ? answer->count - first : send;
	__u32 stride = answer->stride;

	answer_copy(message, at, answer, answer->records + first * stride, straight * stride);
	at += straight * stride;
	if (straight < send) {
		answer_copy(message, at, answer, answer->records, (send - straight) * stride);
		at += (send - straight) * stride;
	}
	if (answer->tail_length)
		answer_copy(message, at, answer, answer->tail, answer->tail_length);
	return at + answer->tail_length;
}

/* RFC 1035 4.1.1, with RD and CD as they came and everything else ours (ECS.md requirement 15). */
PIECE void answer_header(struct message *message, __u16 ours, __u32 answers, __u32 authority, __u32 additional)
{
	message_put_u16(message, 2, ours | (message_u16(message, 2) & (HEADER_RD | HEADER_CD)));
	message_put_u16(message, 6, answers);
	message_put_u16(message, 8, authority);
	message_put_u16(message, 10, additional);
}

PIECE __u8 answer_outcome(const struct query *query, const struct answer *answer)
{
	if (!answer->count)
		return REASON_NODATA;
	return query->type == TYPE_ANY ? REASON_ANY : REASON_ANSWERED;
}

/*
 * Writes the whole reply. What does not fit becomes TC=1 without records, OPT and client subnet kept (requirement 11).
 * A negative answer is the same for everyone: scope 0 (requirement 9). Returns the reply's octets (without
 * query->more_octets, which are the caller's), or 0 if the entry makes no sense; selection->outcome is the reason to
 * count it under.
 */
STAGE int answer_write(struct message *message, const struct query *query, struct selection *selection,
		       const struct answer *answer, const struct settings *settings)
{
	__u32 at, first, send, edns;

	STAGE_NEEDS(message && query && selection && answer && settings, 0);
	if (answer->count > ANSWER_RECORDS_MAX || answer->send > answer->count || answer->tail_length > ANSWER_OCTETS ||
	    answer->stride > ANSWER_OCTETS)
		return 0;
	edns = query->flags & QUERY_EDNS ? 1 : 0;
	send = answer->send;
	at = query->question_end;
	if (!answer->count)
		selection->scope = 0;
	if (at + send * answer->stride + answer->tail_length + answer_opt_octets(query) > answer_limit(query)) {
		selection->outcome = REASON_TRUNCATED;
		answer_header(message, HEADER_QR | HEADER_AA | HEADER_TC, 0, 0, edns);
		return answer_opt(message, query, at, selection->scope, 0);
	}
	selection->outcome = answer_outcome(query, answer);
	first = answer_first(query, selection, answer, settings);
	at = answer_records(message, answer, at, first, send);
	answer_header(message, HEADER_QR | HEADER_AA, send, answer->authority, answer->additional + edns);
	return answer_opt(message, query, at, selection->scope, 0);
}

#endif
