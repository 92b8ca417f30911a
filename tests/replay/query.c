// SPDX-License-Identifier: GPL-3.0-or-later
#include <arpa/inet.h>
#include <string.h>

#include "maps/cookie.h"
#include "tests/replay/compose.h"
#include "tests/replay/dice.h"
#include "tests/replay/query.h"

#define OPTION_PADDING 12	/* RFC 7830 */
#define SERVER_4 "198.18.0.1"
#define SERVER_6 "fd00:ec5::1"
#define CLIENT_TCP_4 "198.18.0.2"	/* the lab's own: TCP needs a kernel at its other end */
#define CLIENT_TCP_6 "fd00:ec5::2"
#define PLAIN_CLIENT_4 "198.18.0.129"
#define PLAIN_CLIENT_6 "fd00:ec5::8000:0:0:1"
#define PLAIN_PORT 5353
#define TYPE_IXFR 251
#define TYPE_AXFR 252
/* One query in so many is of make_sweep(): with a million, all sizes are. */
#define SWEEP_EVERY 15
enum { NOERROR = 0, NOTIMP = 4, REFUSED = 5, BADVERS = 16 };

static void make_header(struct asked *asked, uint64_t *random);
static void make_question(struct asked *asked, uint64_t *random);
static void make_opt(struct asked *asked, uint16_t size, uint64_t *random);

uint64_t query_random(uint64_t seed, uint64_t number)
{
	const __u64 key[2] = { seed, 0 };

	return siphash_three(key, number, 0, 0) | 1;
}

/* The plainest question to a service, with every size in turn: those that are drawn would leave some out. */
static void make_sweep(struct asked *asked, uint64_t number, uint64_t *random)
{
	const struct target *target = &asked->targets->services[0];

	asked->target = target;
	put_header(asked, ask_random(random), HEADER_RD);
	put_question(asked, target->type_count ? target->types[0] : TYPE_AAAA, CLASS_IN);
	put_opt(asked, number, 0, 0, 0);
	classify(asked);
}

static void make_drawn(struct asked *asked, uint16_t size, uint64_t *random)
{
	static const uint16_t edges[] = { 0, 1, 511, 512, 513, 1231, 1232, 1233, 1472, 4096, 65535 };

	if (one_in(random, 8))
		size = edges[below(random, sizeof(edges) / sizeof(edges[0]))];
	make_header(asked, random);
	make_question(asked, random);
	if (!one_in(random, 8))
		make_opt(asked, size, random);
	classify(asked);
	if (one_in(random, 8))
		query_damage(asked, random);
}

void query_make(struct asked *asked, const struct targets *targets, uint64_t seed, uint64_t number)
{
	uint64_t random = query_random(seed, number);

	memset(asked, 0, sizeof(*asked));
	asked->targets = targets;
	make_ends(asked, number % SWEEP_EVERY, &random);
	if (number % SWEEP_EVERY)
		make_drawn(asked, number * 40503 + seed, &random);	/* by odd steps */
	else
		make_sweep(asked, number / SWEEP_EVERY, &random);
}

void query_plain(struct asked *asked, const struct plain *plain)
{
	struct ends *ends = &asked->ends;

	memset(asked, 0, sizeof(*asked));
	asked->target = plain->target;
	asked->tcp = plain->tcp;
	ends->version = plain->version;
	ends->port = PLAIN_PORT;
	if (plain->version == 4) {
		inet_pton(AF_INET, SERVER_4, ends->server);
		inet_pton(AF_INET, plain->tcp ? CLIENT_TCP_4 : PLAIN_CLIENT_4, ends->client);
	} else {
		inet_pton(AF_INET6, SERVER_6, ends->server);
		inet_pton(AF_INET6, plain->tcp ? CLIENT_TCP_6 : PLAIN_CLIENT_6, ends->client);
	}
	put_header(asked, plain->id, plain->flags);
	put_question(asked, plain->type, plain->class);
	if (plain->has_opt)
		put_opt(asked, REPLY_OCTETS_MAX, 0, 0, 0);
	classify(asked);
}

/* -- who asks -- */

/* Clients of 198.18.8/24 and fd00:ec5:8::/48 are not trusted, those of .7 and :7: have a region of their own. */
void make_ends(struct asked *asked, int may_tcp, uint64_t *random)
{
	uint32_t net = below(random, 10);
	struct ends *ends = &asked->ends;
	uint64_t host = ask_random(random);

	ends->version = one_in(random, 2) ? 4 : 6;
	ends->port = one_in(random, 50) ? (one_in(random, 2) ? 53 : 65535) : 1 + below(random, 65535);
	asked->tcp = one_in(random, 16) && may_tcp;
	inet_pton(AF_INET, SERVER_4, ends->server);
	inet_pton(AF_INET, asked->tcp ? CLIENT_TCP_4 : "198.18.0.0", ends->client);
	if (ends->version == 6) {
		inet_pton(AF_INET6, SERVER_6, ends->server);
		inet_pton(AF_INET6, asked->tcp ? CLIENT_TCP_6 : "fd00:ec5::8000:0:0:0", ends->client);
	}
	if (asked->tcp)
		return;
	if (ends->version == 4) {
		ends->client[2] = net < 6 ? 0 : net < 9 ? 7 : 8;
		ends->client[3] = 128 + host % 127;
	} else {
		ends->client[5] = net < 6 ? 0 : net < 9 ? 7 : 8;
		memcpy(ends->client + 9, &host, 7);
	}
}

/* -- the message -- */

static void put_u8(struct asked *asked, uint8_t value)
{
	if (asked->length < QUERY_ROOM)
		asked->octets[asked->length++] = value;
}

void put_u16(struct asked *asked, uint16_t value)
{
	put_u8(asked, value >> 8);
	put_u8(asked, value & 0xff);
}

void set_u16(struct asked *asked, size_t at, uint16_t value)
{
	asked->octets[at] = value >> 8;
	asked->octets[at + 1] = value & 0xff;
}

void put_header(struct asked *asked, uint16_t id, uint16_t flags)
{
	put_u16(asked, id);
	put_u16(asked, flags);
	put_u16(asked, 1);
	put_u16(asked, 0);
	put_u16(asked, 0);
	put_u16(asked, 0);
}

/* RFC 1035 4.1.1: flags that mean nothing in a query are set as often as those that do. */
static void make_header(struct asked *asked, uint64_t *random)
{
	uint16_t flags = ask_random(random) & ~(HEADER_QR | HEADER_OPCODE | 0xf);

	if (one_in(random, 2))
		flags &= HEADER_RD;
	if (one_in(random, 100))
		flags |= (1 + below(random, 15)) << 11;
	if (one_in(random, 100))
		flags |= below(random, 16);	/* a query's rcode */
	put_header(asked, ask_random(random), flags);
}

void put_question(struct asked *asked, uint16_t type, uint16_t class)
{
	unsigned int i;

	for (i = 0; i < asked->target->name_octets; i++)
		put_u8(asked, asked->target->name[i]);
	put_u16(asked, type);
	put_u16(asked, class);
	asked->type = type;
	asked->class = class;
	asked->question_end = asked->length;
}

/* 0x20: label lengths are below 'A', so that every octet in the range is a letter. */
static void mix_case(struct asked *asked, uint64_t *random)
{
	uint32_t mode = below(random, 4);
	unsigned int i;

	for (i = 12; i < asked->question_end - 4; i++)
		if (asked->octets[i] >= 'a' && asked->octets[i] <= 'z' && (mode == 1 || (mode > 1 && one_in(random, 2))))
			asked->octets[i] -= 'a' - 'A';
}

static uint16_t draw_type(uint64_t *random)
{
	static const uint16_t known[] = {
		TYPE_CNAME, TYPE_ANY, TYPE_SOA, TYPE_NS, 0, 12, 13, 15, 16, 17, 24, 25, 29, 33, 35, 39, 43, 44, 45, 46, 47, 48,
		50, 52, 59, 60, 61, 64, 65, 99, 108, 109, 256, 257, 1000, 32769, 65280, 65534, 65535,
	};

	switch (below(random, 8)) {
	case 0:
	case 1:
	case 2:
		return TYPE_AAAA;
	case 3:
	case 4:
		return TYPE_A;
	case 5:
		return one_in(random, 4) ? ask_random(random) : known[below(random, 4)];
	default:
		return known[below(random, sizeof(known) / sizeof(known[0]))];
	}
}

static void make_question(struct asked *asked, uint64_t *random)
{
	const struct targets *targets = asked->targets;
	int is_service = !one_in(random, 10);
	uint16_t type, class = CLASS_IN;

	asked->target = is_service ? &targets->services[below(random, targets->service_count)] :
				     &targets->others[below(random, targets->other_count)];
	if (one_in(random, 80))
		class = one_in(random, 2) ? below(random, 5) : ask_random(random);
	type = draw_type(random);
	if (one_in(random, 100))
		type = one_in(random, 4) ? TYPE_OPT : 128 + below(random, 128);
	put_question(asked, type, class);
	mix_case(asked, random);
}

/* -- EDNS -- */

static void cut_address(uint8_t *address, unsigned int length)
{
	unsigned int bit;

	for (bit = length; bit < 128; bit++)
		address[bit / 8] &= ~(0x80 >> bit % 8);
}

/* Around the places where a topology changes, or anywhere. */
void draw_address(const struct targets *targets, int i, uint8_t address[16], uint64_t *random)
{
	const struct prefix *prefix = &targets->prefixes[i][below(random, targets->prefix_count[i])];
	uint64_t bits[2] = { ask_random(random), ask_random(random) };
	uint8_t base[16];
	int bit;

	memcpy(address, bits, 16);
	if (one_in(random, 4))
		return;
	memcpy(base, prefix->address, 16);
	if (prefix->length && one_in(random, 3))	/* its neighbour */
		base[(prefix->length - 1) / 8] ^= 0x80 >> (prefix->length - 1) % 8;
	for (bit = 0; bit < prefix->length; bit++)
		address[bit / 8] = (address[bit / 8] & ~(0x80 >> bit % 8)) | (base[bit / 8] & 0x80 >> bit % 8);
}

void put_subnet(struct asked *asked, uint16_t family, unsigned int source, uint8_t address[16])
{
	unsigned int octets = (source + 7) / 8, at;

	cut_address(address, source);
	put_u16(asked, OPTION_ECS);
	put_u16(asked, ECS_HEADER_OCTETS + octets);
	if (!asked->ecs_at) {
		asked->ecs_at = asked->length;
		asked->ecs_octets = ECS_HEADER_OCTETS + octets;
	}
	put_u16(asked, family);
	put_u8(asked, source);
	put_u8(asked, 0);
	for (at = 0; at < octets; at++)
		put_u8(asked, address[at]);
}

/* `i`: 0 for IPv4, 1 for IPv6. */
static void put_ecs(struct asked *asked, int i, uint64_t *random)
{
	unsigned int source = below(random, i ? 129 : 33);
	uint16_t family = i ? ECS_FAMILY_IPV6 : ECS_FAMILY_IPV4;
	uint8_t address[16];

	draw_address(asked->targets, i, address, random);
	if (one_in(random, 50))
		family = source = ECS_FAMILY_NONE;	/* dig +subnet=0 */
	put_subnet(asked, family, source, address);
}

static void put_octets(struct asked *asked, uint16_t code, unsigned int octets, int random_octets, uint64_t *random)
{
	put_u16(asked, code);
	put_u16(asked, octets);
	while (octets--)
		put_u8(asked, random_octets ? ask_random(random) >> 32 : 0);
}

/* LLQ, UL, DAU to N3U, EXPIRE, CHAIN, key tags, EDE, ... and codes that nobody has */
static void put_unknown(struct asked *asked, uint64_t *random)
{
	static const uint16_t codes[] = { 0, 1, 2, 4, 5, 6, 7, 9, 13, 14, 15, 16, 17, 18, 100, 20292, 26946, 65001, 65535 };

	put_octets(asked, codes[below(random, sizeof(codes) / sizeof(codes[0]))], one_in(random, 4) ? 0 : below(random, 41), 1,
		   random);
}

static void put_kind(struct asked *asked, enum kind kind, uint64_t *random)
{
	switch (kind) {
	case KIND_ECS4:
	case KIND_ECS6:
		put_ecs(asked, kind == KIND_ECS6, random);
		break;
	case KIND_PADDING:
		put_octets(asked, OPTION_PADDING, below(random, 100), 0, random);
		break;
	case KIND_KEEPALIVE:
		asked->keepalive = 1;
		put_octets(asked, OPTION_KEEPALIVE, one_in(random, 8) ? 2 : 0, 1, random);
		break;
	default:
		put_unknown(asked, random);
	}
}

/* The number-th of the ways to put none, some or all of the kinds in a row. Returns how many. */
static unsigned int arrange(unsigned int number, enum kind row[KINDS])
{
	enum kind left[KINDS] = { KIND_ECS4, KIND_ECS6, KIND_UNKNOWN, KIND_PADDING, KIND_KEEPALIVE };
	unsigned int length = 0, ways = 1, i, pick;

	while (number >= ways) {
		number -= ways;
		ways *= KINDS - length++;
	}
	for (i = 0; i < length; i++) {
		ways /= KINDS - i;
		pick = number / ways;
		number %= ways;
		row[i] = left[pick];
		memmove(&left[pick], &left[pick + 1], (KINDS - 1 - pick) * sizeof(left[0]));
	}
	return length;
}

/*
 * RFC 9018 4, as the server makes them of the secrets that the test gave it: the first, the second, or one that is not its;
 * of any age around those that count.
 */
static void put_server_cookie(struct asked *asked, uint64_t *random)
{
	static const int32_t ages[] = { -301, -300, -1, 0, 1, 1799, 1800, 1801, 3599, 3600, 3601, 100000 };
	struct query query = { .source_family = asked->ends.version == 4 ? ECS_FAMILY_IPV4 : ECS_FAMILY_IPV6 };
	int32_t age = one_in(random, 2) ? ages[below(random, sizeof(ages) / sizeof(ages[0]))] : (int32_t)below(random, 4200) - 400;
	struct cookie_key secret = COOKIE_SECRET(1 + below(random, 3));
	struct cookie cookie;

	memcpy(query.source_address, asked->ends.client, query.source_family == ECS_FAMILY_IPV4 ? 4 : 16);
	memcpy(&cookie.client, asked->octets + asked->cookie_at, sizeof(cookie.client));
	cookie.head = COOKIE_VERSION | (uint64_t)cookie_swap32(COOKIE_CLOCK - age) << 32;
	if (one_in(random, 8))
		cookie.head ^= 0x100ULL << below(random, 24);	/* reserved octets count as they come */
	cookie.hash = cookie_hash(&secret, &query, cookie.client, cookie.head);
	memcpy(asked->octets + asked->cookie_at, &cookie, sizeof(cookie));
	if (one_in(random, 8))
		asked->octets[asked->cookie_at + below(random, COOKIE_OCTETS)] ^= 1 << below(random, 8);
}

/* A client's part alone, one that looks as we make them, or any octets behind the client's. */
void put_cookie(struct asked *asked, uint64_t *random)
{
	static const unsigned int lengths[] = { COOKIE_CLIENT_OCTETS, COOKIE_OCTETS, COOKIE_OCTETS, 16 };
	unsigned int kind = below(random, 4), i;

	put_u16(asked, OPTION_COOKIE);
	asked->cookie_octets = lengths[kind] + (kind == 3 ? below(random, 25) : 0);
	put_u16(asked, asked->cookie_octets);
	asked->cookie_at = asked->length;
	for (i = 0; i < asked->cookie_octets; i++)
		put_u8(asked, ask_random(random) >> 32);
	if (asked->cookie_octets == COOKIE_OCTETS && !one_in(random, 8))
		put_server_cookie(asked, random);
}

/* A cookie, and what the driver leaves to the fallback: NSID, too many options, too many octets. */
static void put_rare(struct asked *asked, uint64_t *random)
{
	unsigned int more;

	if (one_in(random, 3))
		put_cookie(asked, random);
	if (one_in(random, 150))
		put_octets(asked, OPTION_NSID, 0, 0, random);
	if (one_in(random, 400))
		for (more = 1 + below(random, 20); more; more--)
			put_octets(asked, 100, below(random, 4), 1, random);
	if (one_in(random, 300))
		put_octets(asked, OPTION_PADDING, 100 + below(random, 600), 0, random);
}

/* The rare ones stand before, between or behind the others. */
static void put_options(struct asked *asked, uint64_t *random)
{
	enum kind row[KINDS];
	unsigned int count, rare, i;

	asked->arrangement = below(random, ARRANGEMENTS);
	count = arrange(asked->arrangement, row);
	rare = below(random, count + 1);
	for (i = 0; i <= count; i++) {
		if (i == rare)
			put_rare(asked, random);
		if (i < count)
			put_kind(asked, row[i], random);
	}
	if (one_in(random, 20))
		put_ecs(asked, one_in(random, 2), random);
}

/* RFC 6891 6.1.2, without options. The extended rcode is nothing in a query. */
void put_opt(struct asked *asked, uint16_t size, uint8_t rcode, uint8_t version, uint16_t flags)
{
	asked->has_opt = 1;
	asked->has_do = flags & OPT_DO ? 1 : 0;
	asked->size = size;
	set_u16(asked, 10, 1);
	put_u8(asked, 0);
	put_u16(asked, TYPE_OPT);
	put_u16(asked, size);
	put_u8(asked, rcode);
	put_u8(asked, version);
	put_u16(asked, flags);
	put_u16(asked, 0);
}

static void make_opt(struct asked *asked, uint16_t size, uint64_t *random)
{
	uint16_t flags = one_in(random, 8) ? ask_random(random) & ~OPT_DO : 0;
	uint8_t rcode = one_in(random, 100) ? ask_random(random) : 0;
	uint8_t version = one_in(random, 100) ? 1 + below(random, 255) : 0;
	size_t begin;

	put_opt(asked, size, rcode, version, flags | (one_in(random, 2) ? OPT_DO : 0));
	begin = asked->length;
	put_options(asked, random);
	set_u16(asked, begin - 2, asked->length - begin);
}

/* -- what is known of it -- */

/* Does the service decide about this type, or the zone data beside it? */
static int is_own(const struct asked *asked)
{
	unsigned int i;

	for (i = 0; i < asked->target->type_count; i++)
		if (asked->target->types[i] == asked->type)
			return 1;
	return !asked->target->type_count;
}

static void is_other(struct asked *asked, const char *what, int rcode)
{
	asked->form = FORM_OTHER;
	asked->what = what;
	asked->rcode = rcode;
}

/* In the order in which faults are judged. */
void classify(struct asked *asked)
{
	if (asked->octets[2] & HEADER_OPCODE >> 8)
		is_other(asked, "opcode", NOTIMP);
	else if (asked->has_opt && asked->octets[asked->question_end + 6])
		is_other(asked, "EDNS version", BADVERS);
	else if (asked->class != CLASS_IN)
		is_other(asked, "class", REFUSED);
	else if (asked->type == TYPE_AXFR || asked->type == TYPE_IXFR)
		is_other(asked, "zone transfer", REFUSED);
	else if (asked->type == TYPE_OPT || (asked->type >= TYPE_META_FIRST && asked->type < TYPE_ANY))
		is_other(asked, "meta type", NOTIMP);
	else if (!asked->target->is_service)
		is_other(asked, "no service", RCODE_ANY);
	else if (!is_own(asked))
		is_other(asked, "zone data at a service's name", NOERROR);
	else
		asked->what = "a service";	/* FORM_SERVICE, NOERROR */
}
