// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * replay: queries generated from a seed, to the driver and to servers, and what must be so of the replies.
 *
 *	replay driver	through the pinned program by BPF_PROG_RUN; its answers go into --answers
 *	replay fallback	to the server behind --interface; the same where --answers has one
 *	replay matrix	every opcode, flag, type and class about the targets to the server behind --interface
 *	replay mutants	spoilt queries to the server behind --interface
 *	replay queries	prints queries in hex, one a line, every other one spoilt
 *
 * Last line: figures. Exit 0: all is well; 1: something is wrong, which is shown; 2: it could not begin.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/replay/replay.h"

static struct options given = { .sample_one_in = 8 };

static const struct argument {
	const char *name;
	const char **text;
	uint64_t *number;
} arguments[] = {
	{ "targets", &given.targets, NULL },		/* of targets.py */
	{ "seed", NULL, &given.seed },
	{ "first", NULL, &given.first },		/* number of the first query (0) */
	{ "count", NULL, &given.count },
	{ "ecs", NULL, &given.ecs },			/* 1: the server reads client subnets */
	{ "answers", &given.answers, NULL },
	{ "pins", &given.pins, NULL },
	{ "ifindex", NULL, &given.ifindex },		/* that the driver is attached to */
	{ "interface", &given.interface, NULL },	/* of the client's side */
	{ "server-mac", &given.server_mac, NULL },
	{ "sample", &given.sample, NULL },		/* for sample.py, mix_judge.py */
	{ "sample-one-in", NULL, &given.sample_one_in },	/* so many (8) */
	{ "mix", NULL, &given.mix },			/* 1: queries of mix.c */
};
#define ARGUMENTS (sizeof(arguments) / sizeof(arguments[0]))

static const struct verb {
	const char *name;
	int (*run)(const struct options *options, const struct targets *targets);
	const char *needs;
} verbs[] = {
	{ "driver", replay_driver, "targets seed count answers pins ifindex" },
	{ "fallback", replay_fallback, "targets seed count ecs answers interface server-mac sample" },
	{ "matrix", replay_matrix, "targets interface server-mac" },
	{ "mutants", replay_mutants, "targets seed count interface server-mac" },
	{ "queries", replay_queries, "targets seed count" },
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void __attribute__((noreturn)) usage(void)
{
	unsigned int i;

	for (i = 0; i < VERBS; i++)
		fprintf(stderr, "usage: replay %s, with --%s\n", verbs[i].name, verbs[i].needs);
	exit(2);
}

static void take_arguments(int argc, char **argv, const struct verb *verb)
{
	struct option options[ARGUMENTS + 1] = { 0 };
	uint8_t seen[ARGUMENTS] = { 0 };
	size_t i;
	int at;

	for (i = 0; i < ARGUMENTS; i++)
		options[i] = (struct option){ arguments[i].name, required_argument, NULL, i };
	while ((at = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (at == '?')
			usage();
		seen[at] = 1;
		if (arguments[at].text)
			*arguments[at].text = optarg;
		else
			*arguments[at].number = strtoull(optarg, NULL, 10);
	}
	for (i = 0; i < ARGUMENTS; i++)
		if (!seen[i] && strstr(verb->needs, arguments[i].name))
			usage();
}

int main(int argc, char **argv)
{
	const struct verb *verb = NULL;
	struct targets targets;
	size_t i;
	int code;

	for (i = 0; argc > 1 && i < VERBS; i++)
		if (!strcmp(argv[1], verbs[i].name))
			verb = &verbs[i];
	if (!verb)
		usage();
	take_arguments(argc - 1, argv + 1, verb);
	code = targets_read(&targets, given.targets);
	code = code ? 2 : verb->run(&given, &targets);
	targets_free(&targets);
	return code;
}
