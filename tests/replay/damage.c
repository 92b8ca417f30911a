// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "maps/wire.h"
#include "tests/replay/dice.h"
#include "tests/replay/query.h"

#define FORMERR 1
#define OPTIONS_MAX 64

/* Ways that are sure to be noticed, then those that may not be. 0: not possible here. */
static int damage_cut(struct asked *asked, uint64_t *random);
static int damage_append(struct asked *asked, uint64_t *random);
static int damage_append_much(struct asked *asked, uint64_t *random);
static int damage_ecs(struct asked *asked, uint64_t *random);
static int damage_rdlength(struct asked *asked, uint64_t *random);
static int damage_option_length(struct asked *asked, uint64_t *random);
static int damage_second_opt(struct asked *asked, uint64_t *random);
static int damage_opt_owner(struct asked *asked, uint64_t *random);
static int damage_qdcount(struct asked *asked, uint64_t *random);
static int damage_counts(struct asked *asked, uint64_t *random);
static int damage_label(struct asked *asked, uint64_t *random);
static int damage_long_name(struct asked *asked, uint64_t *random);
static int damage_record(struct asked *asked, uint64_t *random);
static int damage_response(struct asked *asked, uint64_t *random);
static int damage_bits(struct asked *asked, uint64_t *random);
static int damage_octets(struct asked *asked, uint64_t *random);
static int damage_insert(struct asked *asked, uint64_t *random);
static int damage_remove(struct asked *asked, uint64_t *random);
static int damage_header(struct asked *asked, uint64_t *random);
static int damage_noise(struct asked *asked, uint64_t *random);
static int damage_splice(struct asked *asked, uint64_t *random);

static const struct way {
	const char *name;
	int (*damage)(struct asked *asked, uint64_t *random);
	int rcode;
	int needs_form;		/* the message must be as query_make() has made it */
} ways[] = {
	{ "cut off", damage_cut, FORMERR, 0 },
	{ "octets behind", damage_append, FORMERR, 0 },
	{ "many octets behind", damage_append_much, FORMERR, 0 },
	{ "client subnet", damage_ecs, FORMERR, 1 },
	{ "RDLENGTH", damage_rdlength, FORMERR, 1 },
	{ "an option's length", damage_option_length, FORMERR, 1 },
	{ "two OPT records", damage_second_opt, FORMERR, 1 },
	{ "OPT's owner", damage_opt_owner, FORMERR, 1 },
	{ "QDCOUNT", damage_qdcount, FORMERR, 1 },
	{ "counts", damage_counts, FORMERR, 1 },
	{ "a label", damage_label, FORMERR, 1 },
	{ "a name too long", damage_long_name, FORMERR, 1 },
	{ "a record more", damage_record, RCODE_ANY, 1 },
	{ "a response", damage_response, RCODE_ANY, 0 },
	{ "bits turned", damage_bits, RCODE_ANY, 0 },
	{ "octets overwritten", damage_octets, RCODE_ANY, 0 },
	{ "octets between", damage_insert, RCODE_ANY, 0 },
	{ "octets missing", damage_remove, RCODE_ANY, 0 },
	{ "header", damage_header, RCODE_ANY, 0 },
	{ "noise", damage_noise, RCODE_ANY, 0 },
	{ "two queries spliced", damage_splice, RCODE_ANY, 0 },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

const char *query_damage_name(unsigned int number)
{
	return number < WAYS ? ways[number].name : NULL;
}

/* The opcode is judged before anything else but the length, the version before the options. */
static int rcode_after(const struct asked *asked, const struct way *way)
{
	if (way->rcode == RCODE_ANY || asked->form == FORM_DAMAGED)
		return RCODE_ANY;
	if (asked->octets[2] & HEADER_OPCODE >> 8)
		return asked->rcode;
	if ((way->damage == damage_ecs || way->damage == damage_option_length) && asked->octets[asked->question_end + 6])
		return asked->rcode;
	return way->rcode;
}

void query_damage(struct asked *asked, uint64_t *random)
{
	const struct way *way;
	int rcode;

	do {
		way = &ways[below(random, WAYS)];
		rcode = rcode_after(asked, way);
	} while ((way->needs_form && asked->form == FORM_DAMAGED) || !way->damage(asked, random));
	asked->rcode_needs_ecs = way->damage == damage_ecs && rcode == FORMERR;
	asked->rcode = rcode;
	asked->form = FORM_DAMAGED;
	asked->what = way->name;
}

/* -- tools -- */

static uint16_t get(const struct asked *asked, size_t at)
{
	return asked->octets[at] << 8 | asked->octets[at + 1];
}

static void set(struct asked *asked, size_t at, uint16_t value)
{
	asked->octets[at] = value >> 8;
	asked->octets[at + 1] = value & 0xff;
}

/* Room for `count` octets at `at`, with what stands there moved behind it. 0: there is none. */
static int make_gap(struct asked *asked, size_t at, size_t count)
{
	if (asked->length + count > QUERY_ROOM)
		return 0;
	memmove(asked->octets + at + count, asked->octets + at, asked->length - at);
	asked->length += count;
	return 1;
}

static void take_out(struct asked *asked, size_t at, size_t count)
{
	memmove(asked->octets + at, asked->octets + at + count, asked->length - at - count);
	asked->length -= count;
}

static void fill(struct asked *asked, size_t at, size_t count, uint64_t *random)
{
	while (count--)
		asked->octets[at++] = ask_random(random) >> 32;
}

/* A length field, after what it counts has grown by `by` octets. */
static void count_more(struct asked *asked, size_t at, int by)
{
	set(asked, at, get(asked, at) + by);
}

static size_t rdlength_at(const struct asked *asked)
{
	return asked->question_end + 9;
}

/* Where one of the options with this code stands, or of all for -1; 0: there is none. */
static size_t draw_option(const struct asked *asked, int code, uint64_t *random)
{
	size_t found[OPTIONS_MAX], at = asked->question_end + OPT_OCTETS;
	unsigned int count = 0;

	for (; asked->has_opt && at < asked->length && count < OPTIONS_MAX; at += OPTION_HEADER_OCTETS + get(asked, at + 2))
		if (code < 0 || get(asked, at) == code)
			found[count++] = at;
	return count ? found[below(random, count)] : 0;
}

/* -- what is noticed -- */

static int damage_cut(struct asked *asked, uint64_t *random)
{
	if (!asked->length)
		return 0;
	asked->length = below(random, asked->length);
	return 1;
}

static int append(struct asked *asked, size_t count, uint64_t *random)
{
	if (!make_gap(asked, asked->length, count))
		return 0;
	fill(asked, asked->length - count, count, random);
	return 1;
}

static int damage_append(struct asked *asked, uint64_t *random)
{
	return append(asked, 1 + below(random, 8), random);
}

static int damage_append_much(struct asked *asked, uint64_t *random)
{
	return append(asked, 9 + below(random, 1200), random);
}

/* RFC 7871 6 and 7.1.2, each of its musts. */
static int damage_ecs(struct asked *asked, uint64_t *random)
{
	size_t at = draw_option(asked, OPTION_ECS, random), data = at + OPTION_HEADER_OCTETS, octets;
	uint8_t source;

	if (!at)
		return 0;
	octets = get(asked, at + 2);
	source = asked->octets[data + 2];
	switch (below(random, 7)) {
	case 0:		/* an address of another length, or a source longer than any address */
		asked->octets[data + 2] = source + 8 + below(random, 240);
		return 1;
	case 1:
		asked->octets[data + 3] = 1 + below(random, 255);
		return 1;
	case 2:		/* no such family */
		set(asked, data, source ? below(random, 2) * 3 : 3 + below(random, 65533));
		return 1;
	case 3:		/* bits past the source length */
		if (!(source & 7))
			return 0;
		asked->octets[data + octets - 1] |= 1 << below(random, 8 - (source & 7));
		return 1;
	case 4:		/* less than family, source and scope */
		source = octets - below(random, ECS_HEADER_OCTETS);
		break;
	case 5:
		source = 1;
		if (octets == ECS_HEADER_OCTETS)
			return 0;
		break;
	default:
		if (!make_gap(asked, data + octets, 1))
			return 0;
		asked->octets[data + octets] = 0;
		count_more(asked, at + 2, 1);
		count_more(asked, rdlength_at(asked), 1);
		return 1;
	}
	take_out(asked, data + octets - source, source);
	count_more(asked, at + 2, -source);
	count_more(asked, rdlength_at(asked), -source);
	return 1;
}

static int damage_rdlength(struct asked *asked, uint64_t *random)
{
	if (!asked->has_opt)
		return 0;
	count_more(asked, rdlength_at(asked), one_in(random, 2) ? 1 + below(random, 65535) : 1u << below(random, 16));
	return 1;
}

static int damage_option_length(struct asked *asked, uint64_t *random)
{
	size_t at = draw_option(asked, -1, random), left;

	if (!at)
		return 0;
	left = asked->length - at - OPTION_HEADER_OCTETS;
	set(asked, at + 2, one_in(random, 2) ? left + 1 : left + 1 + below(random, 65535 - left));
	return 1;
}

static int damage_second_opt(struct asked *asked, uint64_t *random)
{
	uint8_t *opt = asked->octets + asked->question_end;

	(void)random;
	if (!asked->has_opt || !make_gap(asked, asked->question_end, OPT_OCTETS))
		return 0;
	memcpy(opt, opt + OPT_OCTETS, OPT_OCTETS - 2);
	set(asked, rdlength_at(asked), 0);
	set(asked, 10, 2);
	return 1;
}

static int damage_opt_owner(struct asked *asked, uint64_t *random)
{
	size_t at = asked->question_end;

	if (!asked->has_opt)
		return 0;
	if (asked->octets[12] && one_in(random, 2)) {
		if (!make_gap(asked, at, 1))
			return 0;
		set(asked, at, 0xc00c);		/* the question's name */
		return 1;
	}
	if (!make_gap(asked, at, 2))
		return 0;
	asked->octets[at] = 1;
	fill(asked, at + 1, 1, random);
	return 1;
}

static int damage_qdcount(struct asked *asked, uint64_t *random)
{
	set(asked, 4, one_in(random, 3) ? 0 : 2 + below(random, 65534));
	return 1;
}

static int damage_counts(struct asked *asked, uint64_t *random)
{
	size_t at = 6 + 2 * below(random, 3);

	set(asked, at, get(asked, at) + 1 + (one_in(random, 2) ? 0 : below(random, 65534)));
	return 1;
}

/* A label longer than 63, of the types that RFC 6891 5 has given up, or a pointer. */
static int damage_label(struct asked *asked, uint64_t *random)
{
	size_t at = 12;

	while (asked->octets[at] && !one_in(random, 3))
		at += asked->octets[at] + 1;
	asked->octets[at] = 64 + below(random, 192);
	return 1;
}

static int damage_long_name(struct asked *asked, uint64_t *random)
{
	unsigned int i;

	if (!make_gap(asked, 12, 4 * 64))
		return 0;
	fill(asked, 12, 4 * 64, random);
	for (i = 0; i < 4; i++)
		asked->octets[12 + i * 64] = 63;
	return 1;
}

/* -- what may not be noticed -- */

/* A, SOA, SIG(0), TSIG, one that nobody knows: in any section, before the OPT record or behind it. */
static int damage_record(struct asked *asked, uint64_t *random)
{
	static const uint16_t types[] = { 1, 6, 24, 250, 1000 };
	size_t section = below(random, 3), data = below(random, 30), at = asked->question_end, owner;

	if (section == 2 && one_in(random, 2))
		at = asked->length;
	owner = one_in(random, 2) ? 2 : 1;
	if (!make_gap(asked, at, owner + 10 + data))
		return 0;
	fill(asked, at, owner + 10 + data, random);
	if (owner == 2)
		set(asked, at, 0xc00c);
	else
		asked->octets[at] = 0;
	set(asked, at + owner, types[below(random, sizeof(types) / sizeof(types[0]))]);
	set(asked, at + owner + 8, data);
	count_more(asked, 6 + 2 * section, 1);
	return 1;
}

static int damage_response(struct asked *asked, uint64_t *random)
{
	(void)random;
	if (asked->length < 3)
		return 0;
	asked->octets[2] |= 0x80;
	return 1;
}

static int damage_bits(struct asked *asked, uint64_t *random)
{
	unsigned int count = 1 + below(random, 8);

	while (asked->length && count--)
		asked->octets[below(random, asked->length)] ^= 1 << below(random, 8);
	return asked->length > 0;
}

static int damage_octets(struct asked *asked, uint64_t *random)
{
	static const uint8_t edges[] = { 0, 1, 12, 63, 64, 0x7f, 0x80, 0xbf, 0xc0, 0xff };
	unsigned int count = 1 + below(random, 4);

	while (asked->length && count--)
		asked->octets[below(random, asked->length)] =
			one_in(random, 2) ? ask_random(random) >> 32 : edges[below(random, sizeof(edges))];
	return asked->length > 0;
}

static int damage_insert(struct asked *asked, uint64_t *random)
{
	size_t at = below(random, asked->length + 1), count = 1 + below(random, one_in(random, 4) ? 100 : 8);

	if (!make_gap(asked, at, count))
		return 0;
	fill(asked, at, count, random);
	return 1;
}

static int damage_remove(struct asked *asked, uint64_t *random)
{
	size_t at, count;

	if (!asked->length)
		return 0;
	at = below(random, asked->length);
	count = 1 + below(random, one_in(random, 4) ? asked->length - at : 4);
	take_out(asked, at, count < asked->length - at ? count : asked->length - at);
	return 1;
}

static int damage_header(struct asked *asked, uint64_t *random)
{
	size_t at = below(random, 12);

	if (at >= asked->length)
		return 0;
	asked->octets[at] = one_in(random, 4) ? ask_random(random) >> 32 : below(random, 4);
	return 1;
}

/* Of the message, of what is behind its header, or of what is behind its question. */
static int damage_noise(struct asked *asked, uint64_t *random)
{
	size_t at = one_in(random, 3) ? 0 : one_in(random, 2) ? 12 : asked->question_end;

	if (at >= asked->length)
		return 0;
	fill(asked, at, asked->length - at, random);
	return 1;
}

/* The front of one and the back of another. */
static int damage_splice(struct asked *asked, uint64_t *random)
{
	size_t front = below(random, asked->length + 1), back;
	struct asked other;

	query_make(&other, asked->targets, ask_random(random), 0);
	back = below(random, other.length + 1);
	if (front + back > QUERY_ROOM)
		return 0;
	memcpy(asked->octets + front, other.octets + other.length - back, back);
	asked->length = front + back;
	return 1;
}
