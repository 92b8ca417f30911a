// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The mix: queries in the proportions of a busy server of services, as stub resolvers and large public ones ask.
 * tests/replay/mix_judge.py counts the shares anew in what was sent.
 */
#include <math.h>
#include <string.h>

#include "maps/wire.h"
#include "tests/replay/compose.h"
#include "tests/replay/dice.h"

#define TYPE_MX 15
#define TYPE_TXT 16
#define TYPE_SRV 33
#define TYPE_HTTPS 65

/* Percents */
#define OTHER_NAMES 3		/* zone data beside services, names below, zones of nobody */
#define MALFORMED 1
#define MIXED_CASE 20
#define WITH_COOKIE 50
#define WITH_ECS 50
#define WITH_DO 60

#define RANK_STEP 7919		/* a prime */
#define SOURCE_4 24
#define SOURCE_6 56

static int percent(uint64_t *random, uint32_t share)
{
	return below(random, 100) < share;
}

/* The k-th of n with a weight near 1 / k: Zipf's law, as the integral of 1 / x has it. Ranks are in no order of names. */
static const struct target *draw_service(const struct targets *targets, uint64_t *random)
{
	double even = (ask_random(random) >> 11) * 0x1p-53;
	size_t rank = pow(targets->service_count + 1, even) - 1;

	return &targets->services[(rank + 1) * RANK_STEP % targets->service_count];
}

static uint16_t draw_mixed_type(uint64_t *random)
{
	static const uint16_t rest[] = { TYPE_CNAME, TYPE_NS, TYPE_SOA, TYPE_MX, TYPE_TXT, TYPE_SRV, TYPE_ANY };
	uint32_t share = below(random, 100);

	if (share < 40)
		return TYPE_A;
	if (share < 70)
		return TYPE_AAAA;
	return share < 90 ? TYPE_HTTPS : rest[below(random, sizeof(rest) / sizeof(rest[0]))];
}

/* 0x20: every letter as a coin falls. Label lengths are below 'A'. */
static void flip_case(struct asked *asked, uint64_t *random)
{
	size_t i;

	for (i = 12; i < asked->question_end - 4; i++)
		if (asked->octets[i] >= 'a' && asked->octets[i] <= 'z' && one_in(random, 2))
			asked->octets[i] -= 'a' - 'A';
}

static void mix_question(struct asked *asked, uint64_t *random)
{
	const struct targets *targets = asked->targets;

	put_header(asked, ask_random(random), one_in(random, 4) ? HEADER_RD : 0);
	asked->target = percent(random, OTHER_NAMES) ? &targets->others[below(random, targets->other_count)] :
						       draw_service(targets, random);
	put_question(asked, draw_mixed_type(random), CLASS_IN);
	if (percent(random, MIXED_CASE))
		flip_case(asked, random);
}

/* Who has nothing to say in OPT, and wants no more than 512 octets, sends none. */
static void mix_opt(struct asked *asked, uint64_t *random)
{
	static const uint16_t sizes[] = { 512, 1232, 4096 };
	int has_cookie = percent(random, WITH_COOKIE), has_ecs = percent(random, WITH_ECS), has_do = percent(random, WITH_DO);
	uint16_t size = sizes[below(random, sizeof(sizes) / sizeof(sizes[0]))];
	int i = one_in(random, 2);
	uint8_t address[16];
	size_t begin;

	if (!has_cookie && !has_ecs && !has_do && size == REPLY_OCTETS_MIN)
		return;
	put_opt(asked, size, 0, 0, has_do ? OPT_DO : 0);
	begin = asked->length;
	if (has_ecs) {
		draw_address(asked->targets, i, address, random);
		put_subnet(asked, i ? ECS_FAMILY_IPV6 : ECS_FAMILY_IPV4, i ? SOURCE_6 : SOURCE_4, address);
	}
	if (has_cookie)
		put_cookie(asked, random);
	set_u16(asked, begin - 2, asked->length - begin);
}

void query_mix(struct asked *asked, const struct targets *targets, uint64_t seed, uint64_t number)
{
	uint64_t random = query_random(seed, number);

	memset(asked, 0, sizeof(*asked));
	asked->targets = targets;
	make_ends(asked, 0, &random);
	mix_question(asked, &random);
	mix_opt(asked, &random);
	classify(asked);
	if (percent(&random, MALFORMED))
		query_damage(asked, &random);
}
