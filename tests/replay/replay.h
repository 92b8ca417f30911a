/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_REPLAY_REPLAY_H
#define ECSDNS_REPLAY_REPLAY_H

#include "tests/replay/query.h"

/* The command line; each verb takes its own of it. */
struct options {
	const char *targets, *pins, *interface, *server_mac, *answers, *sample;
	uint64_t ifindex, seed, first, count, ecs, mix, sample_one_in;
};

/* Of query_make(), or query_mix() with --mix 1 */
static inline void replay_query(const struct options *options, struct asked *asked, const struct targets *targets,
				uint64_t number)
{
	if (options->mix)
		query_mix(asked, targets, options->seed, number);
	else
		query_make(asked, targets, options->seed, number);
}

/* Verbs. Exit status: 0 all is well, 1 something is wrong and was shown, 2 it could not begin. */
int replay_driver(const struct options *options, const struct targets *targets);
int replay_fallback(const struct options *options, const struct targets *targets);
int replay_matrix(const struct options *options, const struct targets *targets);
int replay_mutants(const struct options *options, const struct targets *targets);
int replay_queries(const struct options *options, const struct targets *targets);

#endif
