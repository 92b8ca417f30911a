// SPDX-License-Identifier: GPL-3.0-or-later
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/wire.h"
#include "tests/load/judge.h"

#define JUDGE_RECORDS_MAX 80
#define JUDGE_FORM_OCTETS 8192
#define JUDGE_JUMPS_MAX 16

struct judge {
	const struct expect *expect;
	const struct ask *ask;
	const uint8_t *reply;
	size_t length, at;
	char *why;
	uint8_t form[JUDGE_FORM_OCTETS];	/* what came, in the spelling of expect.h */
	size_t form_length;
	int opt_count;
	int has_subnet;
	uint8_t scope;
};

static int judge_say(struct judge *judge, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Always -1: the reply is wrong, and why. */
static int judge_say(struct judge *judge, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(judge->why, 256, format, arguments);
	va_end(arguments);
	return -1;
}

static uint16_t judge_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Header bits (RFC 1035 4.1.1): QR and AA set, RD and CD as asked, all others clear; the rcode goes into the form. */
static int judge_header(struct judge *judge)
{
	uint16_t asked = judge_u16(judge->ask->octets + 2), flags;

	if (judge->length < HEADER_OCTETS)
		return judge_say(judge, "%zu octets are no DNS message", judge->length);
	flags = judge_u16(judge->reply + 2);
	if ((flags & 0xfff0) != (HEADER_QR | HEADER_AA | (asked & (HEADER_RD | HEADER_CD))))
		return judge_say(judge, "header flags %04x to a query with %04x", flags, asked);
	if (judge_u16(judge->reply + 4) != 1)
		return judge_say(judge, "%u questions", judge_u16(judge->reply + 4));
	if (judge->length < judge->ask->question_end ||
	    memcmp(judge->reply + HEADER_OCTETS, judge->ask->octets + HEADER_OCTETS,
		   judge->ask->question_end - HEADER_OCTETS))
		return judge_say(judge, "the question came back changed");
	judge->form[0] = flags & 15;
	judge->form_length = 7;
	judge->at = judge->ask->question_end;
	return 0;
}

/* The name at *at, uncompressed and lowered, behind the form. Moves *at behind it. */
static int judge_name(struct judge *judge, size_t *at)
{
	size_t here = *at, begin = judge->form_length;
	int jumps = 0;

	for (;;) {
		uint8_t label;

		if (here >= judge->length)
			return judge_say(judge, "a name runs past the end");
		label = judge->reply[here];
		if (label >= 0xc0) {
			if (here + 1 >= judge->length || ++jumps > JUDGE_JUMPS_MAX)
				return judge_say(judge, "a bad compression pointer");
			if (jumps == 1)
				*at = here + 2;
			here = judge_u16(judge->reply + here) & 0x3fff;
			continue;
		}
		if (label > LABEL_OCTETS_MAX || here + 1 + label > judge->length ||
		    judge->form_length + 1 + label - begin > NAME_OCTETS_MAX ||
		    judge->form_length + 1 + label > JUDGE_FORM_OCTETS - 16)
			return judge_say(judge, "a bad label of %u octets", label);
		judge->form[judge->form_length++] = label;
		for (size_t i = 0; i < label; i++)
			judge->form[judge->form_length++] = tolower(judge->reply[here + 1 + i]);
		here += 1 + label;
		if (!label)
			break;
	}
	if (!jumps)
		*at = here;
	return 0;
}

static int judge_copy(struct judge *judge, size_t from, size_t length)
{
	if (judge->form_length + length > JUDGE_FORM_OCTETS - 16)
		return judge_say(judge, "more records than the test can hold");
	memcpy(judge->form + judge->form_length, judge->reply + from, length);
	judge->form_length += length;
	return 0;
}

/* Record data with its names, if the type has some that may be compressed (RFC 3597 4), uncompressed. */
static int judge_rdata(struct judge *judge, uint16_t type, size_t end)
{
	size_t length_at = judge->form_length, at = judge->at, length;
	int names = type == TYPE_SOA ? 2 : type == TYPE_NS || type == TYPE_CNAME ? 1 : 0;

	judge->form_length += 2;
	for (; names; names--)
		if (judge_name(judge, &at))
			return -1;
	if (at > end)
		return judge_say(judge, "record data of type %u runs past its length", type);
	if (judge_copy(judge, at, end - at))
		return -1;
	length = judge->form_length - length_at - 2;
	judge->form[length_at] = length >> 8;
	judge->form[length_at + 1] = length & 0xff;
	judge->at = end;
	return 0;
}

/* RFC 7871 7.2.1: family, source and address unchanged. Anything else has no place. */
static int judge_option(struct judge *judge, uint16_t code, size_t at, uint16_t length)
{
	const struct ask *ask = judge->ask;
	const uint8_t *sent = ask->octets + ask->subnet, *got = judge->reply + at;

	if (code != OPTION_ECS)
		return judge_say(judge, "option %u of %u octets", code, length);
	if (!ask->subnet)
		return judge_say(judge, "client subnet in the reply, none in the query");
	if (judge->has_subnet++)
		return judge_say(judge, "client subnet twice");
	if (length != ask->subnet_length || memcmp(got, sent, 3) || memcmp(got + 4, sent + 4, length - 4u))
		return judge_say(judge, "client subnet is not echoed as it was sent");
	judge->scope = got[3];
	return 0;
}

/* RFC 6891 6.1.2: our size, rcode and version 0, DO as asked. `at` is behind the owner, which was the root. */
static int judge_opt(struct judge *judge, size_t at, size_t end)
{
	const struct ask *ask = judge->ask;
	uint16_t asked_do = ask->has_edns ? judge_u16(ask->octets + ask->question_end + 7) : 0;

	if (!ask->has_edns)
		return judge_say(judge, "OPT in the reply, none in the query");
	if (judge->opt_count++)
		return judge_say(judge, "two OPT records");
	if (judge_u16(judge->reply + at + 2) != 1232)
		return judge_say(judge, "OPT says %u octets", judge_u16(judge->reply + at + 2));
	if (judge_u16(judge->reply + at + 4) || judge_u16(judge->reply + at + 6) != asked_do)
		return judge_say(judge, "OPT's rcode, version or flags: %04x %04x", judge_u16(judge->reply + at + 4),
				 judge_u16(judge->reply + at + 6));
	for (at += 10; at < end;) {
		uint16_t code, length;

		if (at + OPTION_HEADER_OCTETS > end)
			return judge_say(judge, "an option's header runs past OPT");
		code = judge_u16(judge->reply + at);
		length = judge_u16(judge->reply + at + 2);
		at += OPTION_HEADER_OCTETS;
		if (at + length > end)
			return judge_say(judge, "option %u runs past OPT", code);
		if (judge_option(judge, code, at, length))
			return -1;
		at += length;
	}
	judge->at = end;
	return 0;
}

/* One record into the form; OPT is looked at and left out. Returns 1 for a record, 0 for OPT, -1 for a wrong one. */
static int judge_record(struct judge *judge, int is_additional)
{
	size_t begin = judge->form_length, end;
	uint16_t type;

	if (judge_name(judge, &judge->at))
		return -1;
	if (judge->at + 10 > judge->length)
		return judge_say(judge, "a record's header runs past the end");
	type = judge_u16(judge->reply + judge->at);
	end = judge->at + 10 + judge_u16(judge->reply + judge->at + 8);
	if (end > judge->length)
		return judge_say(judge, "record data of type %u runs past the end", type);
	if (type == TYPE_OPT) {
		if (!is_additional || judge->form_length - begin != 1)
			return judge_say(judge, "OPT at the wrong place");
		judge->form_length = begin;
		return judge_opt(judge, judge->at, end);
	}
	if (judge_copy(judge, judge->at, 8))
		return -1;
	judge->at += 10;
	return judge_rdata(judge, type, end) ? -1 : 1;
}

struct judge_span {
	const uint8_t *octets;
	size_t length;
};

static int judge_compare(const void *one, const void *other)
{
	const struct judge_span *a = one, *b = other;
	int order = memcmp(a->octets, b->octets, a->length < b->length ? a->length : b->length);

	return order ? order : (a->length > b->length) - (a->length < b->length);
}

/* The records of a section, from `begin` on in the form, into ascending order. */
static void judge_sort(struct judge *judge, size_t begin, const size_t *ends, int count)
{
	struct judge_span spans[JUDGE_RECORDS_MAX];
	uint8_t sorted[JUDGE_FORM_OCTETS];
	size_t at = 0;
	int i;

	for (i = 0; i < count; i++) {
		size_t from = i ? ends[i - 1] : begin;

		spans[i] = (struct judge_span){judge->form + from, ends[i] - from};
	}
	qsort(spans, count, sizeof(spans[0]), judge_compare);
	for (i = 0; i < count; i++) {
		memcpy(sorted + at, spans[i].octets, spans[i].length);
		at += spans[i].length;
	}
	memcpy(judge->form + begin, sorted, at);
}

/* Section 0 to 2: answer, authority, additional. */
static int judge_section(struct judge *judge, int section)
{
	int left = judge_u16(judge->reply + 6 + 2 * section), count = 0, got;
	size_t begin = judge->form_length, ends[JUDGE_RECORDS_MAX];

	for (; left; left--) {
		got = judge_record(judge, section == 2);
		if (got < 0)
			return -1;
		if (!got)
			continue;
		if (count == JUDGE_RECORDS_MAX)
			return judge_say(judge, "more records than the test can hold");
		ends[count++] = judge->form_length;
	}
	if (count > 1)
		judge_sort(judge, begin, ends, count);
	judge->form[1 + 2 * section] = count >> 8;
	judge->form[2 + 2 * section] = count & 0xff;
	return 0;
}

static int judge_side(const struct judge *judge, const struct expect_side *side)
{
	uint32_t i;

	if (judge->has_subnet && judge->scope != side->scope)
		return 0;
	for (i = 0; i < side->count; i++) {
		const struct expect_form *form = &judge->expect->forms[side->forms[i]];

		if (form->length == judge->form_length && !memcmp(form->octets, judge->form, form->length))
			return 1;
	}
	return 0;
}

/* Neither: are the records at least those of a side, and is it the scope that does not belong to them? */
static int judge_neither(struct judge *judge)
{
	const struct expect_side *sides = judge->ask->row->sides;
	int had = judge->has_subnet, a, b;

	judge->has_subnet = 0;
	a = judge_side(judge, &sides[0]);
	b = judge_side(judge, &sides[1]);
	judge->has_subnet = had;
	if (a || b)
		return judge_say(judge, "a mixture: records of configuration %c with scope %u (A prescribes %u, B %u)",
				 a ? 'A' : 'B', judge->scope, sides[0].scope, sides[1].scope);
	return judge_say(judge, "neither of the two answers: rcode %u, %u answer, %u authority, %u additional records, scope %u "
			 "(A prescribes %u, B %u)", judge->form[0], judge_u16(judge->form + 1), judge_u16(judge->form + 3),
			 judge_u16(judge->form + 5), judge->scope, sides[0].scope, sides[1].scope);
}

int judge_reply(const struct expect *expect, const struct ask *ask, const uint8_t *reply, size_t length, char why[256])
{
	struct judge judge = {.expect = expect, .ask = ask, .reply = reply, .length = length, .why = why};
	int section, sides;

	if (judge_header(&judge))
		return 0;
	for (section = 0; section < 3; section++)
		if (judge_section(&judge, section))
			return 0;
	if (judge.at != length)
		judge_say(&judge, "%zu octets behind the message", length - judge.at);
	else if (judge.opt_count != ask->has_edns)
		judge_say(&judge, "no OPT in the reply");
	else if (judge.has_subnet != !!ask->subnet)
		judge_say(&judge, "no client subnet in the reply");
	else {
		sides = (judge_side(&judge, &ask->row->sides[0]) ? JUDGE_A : 0) |
			(judge_side(&judge, &ask->row->sides[1]) ? JUDGE_B : 0);
		if (!sides)
			judge_neither(&judge);
		return sides;
	}
	return 0;
}
