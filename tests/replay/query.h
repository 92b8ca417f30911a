/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Queries of every kind, made from a seed and a number: query 17 of a seed is the same query whatever was made before.
 * What is known of each (is it well-formed, whose is it to answer, what must the reply have) is what was put into it,
 * not what any parser found there.
 */
#ifndef ECSDNS_REPLAY_QUERY_H
#define ECSDNS_REPLAY_QUERY_H

#include "tests/replay/targets.h"
#include "tests/vectors/frame.h"

/* A message that an Ethernet frame holds beside IPv6 and UDP. */
#define QUERY_ROOM 1452

/* The clock and the secrets of cookies: tests that ask for what they decide give them to the server, the first two. */
#define COOKIE_CLOCK 1767225600
#define COOKIE_SECRET(number) {{ 0x1111111111111111ULL * (number), 0x1111111111111111ULL * (number) }}

enum form {
	FORM_SERVICE,		/* well-formed, about what a service itself has or has not: the driver's to answer */
	FORM_OTHER,		/* well-formed, about anything else */
	FORM_DAMAGED,		/* perhaps still well-formed */
};

#define RCODE_ANY -1		/* whatever is right */

/* Kinds of options that stand in every order. */
enum kind { KIND_ECS4, KIND_ECS6, KIND_UNKNOWN, KIND_PADDING, KIND_KEEPALIVE, KINDS };
#define ARRANGEMENTS 326	/* of none to all of them in a row */

struct asked {
	struct ends ends;
	int tcp;		/* to be asked over TCP */
	uint8_t octets[QUERY_ROOM];
	size_t length;
	enum form form;
	const char *what;	/* for the reader: what is special */
	int rcode;		/* that the reply must have, or RCODE_ANY */
	int rcode_needs_ecs;	/* and that only from a server that reads client subnets */
	const struct targets *targets;
	const struct target *target;
	/* of a query that is not damaged: */
	uint16_t type, class;
	size_t question_end;
	int has_opt, has_do, keepalive;
	uint16_t size;
	size_t ecs_at, ecs_octets;	/* data of the first client subnet option; at 0: none */
	size_t cookie_at, cookie_octets;
	unsigned int arrangement;	/* of its options */
};

/* Everything but the MACs of asked->ends. */
void query_make(struct asked *asked, const struct targets *targets, uint64_t seed, uint64_t number);

/* Another one, drawn in the proportions of mix.c. */
void query_mix(struct asked *asked, const struct targets *targets, uint64_t seed, uint64_t number);

/* Where the dice of query `number` begin (dice.h). */
uint64_t query_random(uint64_t seed, uint64_t number);

/* One in which nothing is drawn. */
struct plain {
	const struct target *target;
	unsigned int version;		/* of IP */
	int tcp, has_opt;
	uint16_t id, flags, type, class;	/* flags with the opcode */
};

void query_plain(struct asked *asked, const struct plain *plain);

/*
 * Spoils a query, which may be spoilt already, in one way of many. Some ways are sure to be noticed and set asked->rcode;
 * after others the message may even be well-formed.
 */
void query_damage(struct asked *asked, uint64_t *random);

/* The name of the number-th way, as asked->what has it; NULL behind the last. */
const char *query_damage_name(unsigned int number);

/* Is a reply owed? To everything but responses and what is shorter than a header. */
static inline int query_is_owed(const struct asked *asked)
{
	return asked->length >= 12 && !(asked->octets[2] & 0x80);
}

#endif
