/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First stage: the octets of a message -> struct query, or the reason why not.
 *
 * query_parse() takes the one shape that hot queries have: a header, one question, at most one OPT record. Faults are
 * judged in the order DESIGN.md fixes, so that driver and fallback name the same one. NSID comes last: the query is
 * complete then, and who can answer it goes on.
 */
#ifndef ECSDNS_QUERY_H
#define ECSDNS_QUERY_H

#include "wire.h"

#define QUERY_EDNS 0x01		/* an OPT record came: the reply has one */
#define QUERY_DO 0x02		/* its DO flag, copied to the reply */
#define QUERY_ECS 0x04		/* a client subnet option to echo */
#define QUERY_COOKIE 0x08
#define QUERY_NSID 0x10
#define QUERY_TCP 0x20		/* input: came over TCP, so that the reply may be as long as it is */
#define QUERY_KEEPALIVE 0x40	/* asks how long an idle connection stays */

struct query {
	__u8 source_address[16];	/* who asked: UDP or TCP source; IPv4 in the first four octets, rest zero */
	__u8 ecs_address[16];		/* zero-extended */
	__u16 length;			/* octets of the message */
	__u16 id;			/* as the two octets read, big-endian value */
	__u16 question_end;		/* offset behind the question: where an answer begins */
	__u16 name_length;		/* octets of the wire name with its root label */
	__u16 type;
	__u16 class;
	__u16 udp_size;			/* as advertised; 0 without OPT */
	__u16 source_port;
	__u8 source_family;		/* ECS_FAMILY_IPV4 or ECS_FAMILY_IPV6 */
	__u8 flags;			/* QUERY_* */
	__u8 version;			/* EDNS version asked for */
	__u8 ecs_enabled;		/* input: 0 ignores client subnet options, even malformed ones */
	__u16 ecs_family;
	__u8 ecs_source;
	__u8 ecs_octets;		/* address octets of the option, as many as the source length needs */
	__u16 cookie_at;		/* offset of the first COOKIE option's data */
	__u16 cookie_octets;
	__u16 more_octets;		/* for answer_opt(): of further options, which the caller appends to the reply */
};

/* The lowered name, zero-padded: the key of a table. Which one depends on the length. */
union name_key {
	struct name_short_key in_short;
	struct name_long_key in_long;
	__u64 words[33];
};

/*
 * Walks the labels of the question's name from octet 12 (RFC 1035 3.1). Sets name_length. A compression pointer in a
 * question points nowhere sensible: malformed, like a label or a name that is too long or runs past the message.
 */
STAGE int query_name(const struct message *message, struct query *query)
{
	__u32 at = HEADER_OCTETS, i;

	STAGE_NEEDS(message && query, REASON_QUESTION);
	for (i = 0; i < NAME_LABELS_MAX; i++) {
		__u8 label = message_u8(message, at);

		if (label > LABEL_OCTETS_MAX)
			return REASON_QUESTION;
		at += label + 1;
		if (at > query->length || at > HEADER_OCTETS + NAME_OCTETS_MAX)
			return REASON_QUESTION;
		if (!label) {
			query->name_length = at - HEADER_OCTETS;
			return REASON_GO;
		}
	}
	return REASON_QUESTION;
}

/* Are there non-zero bits in the option's last address octet past the source length? RFC 7871 6: they MUST be zero. */
PIECE int query_ecs_bits_past(const struct message *message, __u32 address, __u8 source, __u8 octets)
{
	return source & 7 && message_u8(message, address + octets - 1) & (0xff >> (source & 7));
}

/*
 * One client subnet option of `length` octets at `at` (RFC 7871 6 and 7.1.2). The first one decides and is echoed; later
 * ones must be well-formed. Family 0 without an address is what some releases of dig send for +subnet=0.
 */
STAGE int query_ecs(const struct message *message, struct query *query, __u32 at, __u32 length)
{
	__u32 i, octets;
	__u16 family;
	__u8 source;

	STAGE_NEEDS(message && query, REASON_ECS_MALFORMED);
	if (length < ECS_HEADER_OCTETS)
		return REASON_ECS_MALFORMED;
	family = message_u16(message, at);
	source = message_u8(message, at + 2);
	octets = (source + 7u) / 8;
	if (length != ECS_HEADER_OCTETS + octets || message_u8(message, at + 3) != 0)
		return REASON_ECS_MALFORMED;
	if (!(family == ECS_FAMILY_IPV4 && source <= 32) && !(family == ECS_FAMILY_IPV6 && source <= 128) &&
	    !(family == ECS_FAMILY_NONE && source == 0))
		return REASON_ECS_MALFORMED;
	at += ECS_HEADER_OCTETS;
	if (query_ecs_bits_past(message, at, source, octets))
		return REASON_ECS_MALFORMED;
	if (query->flags & QUERY_ECS)
		return REASON_GO;
	query->flags |= QUERY_ECS;
	query->ecs_family = family;
	query->ecs_source = source;
	query->ecs_octets = octets;
	for (i = 0; i < 16; i++)
		query->ecs_address[i] = i < octets ? message_u8(message, at + i) : 0;
	return REASON_GO;
}

/* RFC 7873 5.2: of several COOKIE options only the first counts. */
PIECE void query_cookie(struct query *query, __u32 at, __u32 length)
{
	if (query->flags & QUERY_COOKIE)
		return;
	query->flags |= QUERY_COOKIE;
	query->cookie_at = at;
	query->cookie_octets = length;
}

/* One option at `at`; the record data ends at `end`. Returns the offset behind it, or -reason. */
STAGE int query_option(const struct message *message, struct query *query, __u32 at, __u32 end)
{
	__u32 code, length;
	int fault;

	STAGE_NEEDS(message && query, -REASON_OPT_LENGTH);
	if (at + OPTION_HEADER_OCTETS > end)
		return -REASON_OPT_LENGTH;
	code = message_u16(message, at);
	length = message_u16(message, at + 2);
	at += OPTION_HEADER_OCTETS;
	if (at + length > end)
		return -REASON_OPT_LENGTH;
	if (code == OPTION_ECS && query->ecs_enabled) {
		fault = query_ecs(message, query, at, length);
		if (fault)
			return -fault;
	} else if (code == OPTION_COOKIE) {
		query_cookie(query, at, length);
	} else if (code == OPTION_NSID) {
		query->flags |= QUERY_NSID;
	} else if (code == OPTION_KEEPALIVE) {
		query->flags |= QUERY_KEEPALIVE;
	}
	return at + length;
}

/* Faults within options that are sound as options: client subnet first, then the cookie's length (RFC 7873 5.2.2). */
PIECE int query_options_judge(const struct query *query, int ecs_malformed)
{
	__u32 server_octets = query->cookie_octets - COOKIE_CLIENT_OCTETS;

	if (ecs_malformed)
		return REASON_ECS_MALFORMED;
	if (query->flags & QUERY_COOKIE && server_octets &&
	    (server_octets < COOKIE_SERVER_OCTETS_MIN || server_octets > COOKIE_SERVER_OCTETS_MAX))
		return REASON_COOKIE_MALFORMED;
	return REASON_GO;
}

/*
 * The options between `at` and `end`. An option that overruns is a fault of the record and judged before a malformed
 * client subnet, so the first ECS fault waits until all options have been walked.
 */
STAGE int query_options(const struct message *message, struct query *query, __u32 at, __u32 end)
{
	int next, malformed = 0, i;

	STAGE_NEEDS(message && query, REASON_OPT_LENGTH);
	for (i = 0; i < QUERY_OPTIONS_MAX && at < end; i++) {
		next = query_option(message, query, at, end);
		if (next == -REASON_ECS_MALFORMED) {
			malformed = 1;
			next = at + OPTION_HEADER_OCTETS + message_u16(message, at + 2);
		} else if (next < 0) {
			return -next;
		}
		at = next;
	}
	if (at < end)
		return REASON_OPTIONS;
	return query_options_judge(query, malformed);
}

/* The OPT record that follows the question (RFC 6891 6.1.2), which must end the message. */
PIECE int query_opt(const struct message *message, struct query *query)
{
	__u32 at = query->question_end, end;

	if (at + OPT_OCTETS > query->length)
		return REASON_OPT_LENGTH;
	if (message_u8(message, at) != 0)
		return REASON_OPT_OWNER;	/* or another record: the fallback looks closer */
	if (message_u16(message, at + 1) != TYPE_OPT)
		return REASON_RECORDS;
	end = at + OPT_OCTETS + message_u16(message, at + 9);
	if (end > query->length)
		return REASON_OPT_LENGTH;
	query->flags |= QUERY_EDNS;
	query->udp_size = message_u16(message, at + 3);
	query->version = message_u8(message, at + 6);
	if (message_u16(message, at + 7) & OPT_DO)
		query->flags |= QUERY_DO;
	if (end < query->length)
		return REASON_TRAILING;
	if (query->version)
		return REASON_VERSION;
	return query_options(message, query, at + OPT_OCTETS, end);
}

/* What is asked, once the message is known to be well-formed. */
PIECE int query_judge(const struct query *query)
{
	if (query->class != CLASS_IN)
		return REASON_CLASS;
	if (query->type == TYPE_OPT ||
	    (query->type >= TYPE_META_FIRST && query->type <= TYPE_META_LAST && query->type != TYPE_ANY))
		return REASON_META_TYPE;
	if (query->flags & QUERY_NSID)
		return REASON_NSID;
	return REASON_GO;
}

/*
 * Parses a message of query->length octets. The caller has set length, source_* and ecs_enabled and cleared the rest.
 * Returns REASON_GO or the reason; fields found before the fault are set (question_end is 0 until the question is whole).
 */
STAGE int query_parse(const struct message *message, struct query *query)
{
	__u16 flags;
	int fault;

	STAGE_NEEDS(message && query, REASON_SHORT);
	if (query->length < HEADER_OCTETS)
		return REASON_SHORT;
	query->id = message_u16(message, 0);
	flags = message_u16(message, 2);
	if (flags & HEADER_QR)
		return REASON_RESPONSE;
	if (flags & HEADER_OPCODE)
		return REASON_OPCODE;
	if (message_u16(message, 4) != 1)
		return REASON_QDCOUNT;
	if (query->length > QUERY_OCTETS_MAX)
		return REASON_TOO_LONG;
	fault = query_name(message, query);
	if (fault)
		return fault;
	if (HEADER_OCTETS + query->name_length + 4 > query->length)
		return REASON_QUESTION;
	query->question_end = HEADER_OCTETS + query->name_length + 4;
	query->type = message_u16(message, query->question_end - 4);
	query->class = message_u16(message, query->question_end - 2);
	if (message_u16(message, 6) || message_u16(message, 8) || message_u16(message, 10) > 1)
		return REASON_RECORDS;
	if (message_u16(message, 10)) {
		fault = query_opt(message, query);
		if (fault)
			return fault;
	} else if (query->question_end < query->length) {
		return REASON_TRAILING;
	}
	return query_judge(query);
}

/* A to Z lowered in eight octets at once. Label lengths (0 to 63) lie below 'A' and pass untouched (RFC 4343). */
PIECE __u64 query_lower(__u64 word)
{
	const __u64 each = 0x0101010101010101ULL;
	__u64 low7 = word & 0x7f * each;
	__u64 from_a = low7 + (0x80 - 'A') * each;	/* high bit: >= 'A' */
	__u64 past_z = low7 + (0x7f - 'Z') * each;	/* high bit: > 'Z' */

	return word | ((from_a & ~past_z & ~word & 0x80 * each) >> 2);
}

/* Word `i` of the name, octets past its end zeroed. Little-endian: the first octet is the lowest. */
PIECE __u64 query_name_word(const struct message *message, __u32 length, __u32 i)
{
	__u32 left;

	if (i * 8 >= length)
		return 0;
	left = length - i * 8;
	return query_lower(wire_load64(&message->octets[HEADER_OCTETS + i * 8])) & (left >= 8 ? ~0ULL : (1ULL << (left * 8)) - 1);
}

/* Fills the key of the table that holds names of this length. Returns 1 if that is the long one. */
STAGE int query_name_key(const struct message *message, const struct query *query, union name_key *key, __u32 slot)
{
	__u32 i;

	STAGE_NEEDS(message && query && key, 0);
	if (query->name_length <= NAME_SHORT_OCTETS) {
		UNROLLED
		for (i = 0; i < sizeof(key->in_short) / 8; i++)
			key->words[i] = query_name_word(message, query->name_length, i);
		key->in_short.slot = slot;	/* over the last word's end, which no short name reaches */
		return 0;
	}
	UNROLLED
	for (i = 0; i < sizeof(key->in_long.name) / 8; i++)
		key->words[i] = query_name_word(message, query->name_length, i);
	key->in_long.slot = slot;
	return 1;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "names are lowered by little-endian words");

#endif
