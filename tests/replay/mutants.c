// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Queries spoilt once or more often, over UDP: to each that is not a response and not shorter than a header a reply is owed,
 * and must come.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/replay/dice.h"
#include "tests/replay/judge.h"
#include "tests/replay/link.h"
#include "tests/replay/replay.h"
#include "tests/replay/show.h"
#include "tests/vectors/print.h"

#define DAMAGES_MAX 4
#define MISSING_MAX 4		/* replies; then it is no use going on */

struct mutant {
	struct asked asked;
	uint64_t number;
};

struct run {
	const struct options *options;
	const struct targets *targets;
	struct link link;
	uint64_t next, asked, owed, missing, wrong;
	struct mutant mutants[LINK_WINDOW];
	struct exchange exchanges[LINK_WINDOW];
	unsigned int count;		/* in the window */
};

static int run_all(struct run *run);
static void run_fill(struct run *run);
static void look(struct run *run, const struct mutant *mutant, const struct exchange *exchange);

int replay_mutants(const struct options *options, const struct targets *targets)
{
	struct run *run = calloc(1, sizeof(*run));
	int code, wrong;

	if (!run)
		return 2;
	run->options = options;
	run->targets = targets;
	run->next = options->first;
	code = link_open(&run->link, options->interface, options->server_mac);
	if (!code)
		code = run_all(run);
	run->wrong += run->link.strays;
	if (code)
		fprintf(stderr, "replay: %s\n", strerror(-code));
	else
		printf("asked %lu owed %lu missing %lu strays %lu wrong %lu\n", run->asked, run->owed, run->missing,
		       run->link.strays, run->wrong);
	wrong = run->wrong != 0;
	link_close(&run->link);
	free(run);
	return code ? 2 : wrong;
}

static int run_all(struct run *run)
{
	uint64_t end = run->options->first + run->options->count;
	unsigned int i;
	int code = 0;

	while (!code && run->next < end && run->missing < MISSING_MAX) {
		run_fill(run);
		code = link_ask(&run->link, run->exchanges, run->count);
		for (i = 0; !code && i < run->count; i++)
			look(run, &run->mutants[i], &run->exchanges[i]);
	}
	return code;
}

/* For UDP: the addresses that stand for TCP are the lab's own. */
static void mutant_make(struct mutant *mutant, const struct targets *targets, uint64_t seed, uint64_t number)
{
	uint64_t random = query_random(~seed, number);
	unsigned int times;

	do
		query_make(&mutant->asked, targets, seed, ask_random(&random));
	while (mutant->asked.tcp);
	for (times = 1 + below(&random, DAMAGES_MAX); times; times--)
		query_damage(&mutant->asked, &random);
	mutant->number = number;
}

static void run_fill(struct run *run)
{
	const struct options *options = run->options;

	for (run->count = 0; run->count < LINK_WINDOW && run->next < options->first + options->count; run->next++) {
		struct mutant *mutant = &run->mutants[run->count];

		mutant_make(mutant, run->targets, options->seed, run->next);
		if (link_is_ambiguous(run->exchanges, run->count, &mutant->asked))
			return;
		run->exchanges[run->count++].asked = &mutant->asked;
	}
}

static void look(struct run *run, const struct mutant *mutant, const struct exchange *exchange)
{
	int owed = query_is_owed(&mutant->asked), came = exchange->reply_length > 0;
	char why[JUDGE_WHY] = "a reply where none is owed";

	run->asked++;
	run->owed += owed;
	if (owed && !came) {
		run->missing++;
		snprintf(why, sizeof(why), "no reply");
	}
	if (owed == came && (!came || !judge_reply(&mutant->asked, 1, exchange->reply, exchange->reply_length, why)))
		return;
	run->wrong++;
	if (show_wrong_number(run->options->seed, mutant->number, &mutant->asked, why) && came)
		print_messages(NULL, 0, exchange->reply, exchange->reply_length);
}

/* -- for streams.py -- */

int replay_queries(const struct options *options, const struct targets *targets)
{
	struct mutant mutant;
	uint64_t i;
	size_t at;

	for (i = options->first; i < options->first + options->count; i++) {
		if (i & 1)
			mutant_make(&mutant, targets, options->seed, i);
		else
			query_make(&mutant.asked, targets, options->seed, i);
		for (at = 0; at < mutant.asked.length; at++)
			printf("%02x", mutant.asked.octets[at]);
		printf("\n");
	}
	return 0;
}
