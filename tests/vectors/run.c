// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The runner of the vectors.
 *
 *	run driver --pins DIR --ifindex N FILE...	through the pinned program, by BPF_PROG_RUN
 *	run server FILE...				over UDP and TCP to the server that the vectors name
 *	run clock --pins DIR SECONDS			lets the clock of cookies stand still; 0: go on
 *	run addresses FILE...				the source addresses that `run server` binds, one a line
 *
 * Prints TAP. Last line: "N passed, N failed". Exit 0: none failed; 1: some did; 2: it could not begin.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors/run.h"

static int usage(void)
{
	fprintf(stderr, "usage: run driver --pins DIR --ifindex N FILE...\n"
			"       run server FILE...\n"
			"       run clock --pins DIR SECONDS\n"
			"       run addresses FILE...\n");
	return 2;
}

void tally_count(struct tally *tally, const struct vector *vector, const char *how, int failed)
{
	if (failed)
		tally->failed++;
	else
		tally->passed++;
	if (!failed)
		printf("ok - %s: %s, IPv%u\n", vector->name, how, vector->version);
}

static int list_addresses(const struct vectors *vectors)
{
	char text[INET6_ADDRSTRLEN];
	size_t i, j;

	for (i = 0; i < vectors->count; i++) {
		const struct vector *vector = &vectors->list[i];

		for (j = 0; j < i; j++)
			if (vectors->list[j].query.data && !memcmp(vectors->list[j].client, vector->client, 16))
				break;
		if (j < i || !vector->query.data)
			continue;
		printf("%s\n", inet_ntop(vector->version == 4 ? AF_INET : AF_INET6, vector->client, text, sizeof(text)));
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pins", required_argument, NULL, 'p' },
		{ "ifindex", required_argument, NULL, 'i' },
		{ NULL, 0, NULL, 0 },
	};
	const char *verb = argc > 1 ? argv[1] : "", *pins = NULL;
	struct vectors vectors = { 0 };
	struct tally tally = { 0 };
	unsigned int ifindex = 0, version;
	int option, code = 0, i;

	optind = 2;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			pins = optarg;
		else if (option == 'i')
			ifindex = strtoul(optarg, NULL, 10);
		else
			return usage();
	}
	if (optind >= argc)
		return usage();
	if (!strcmp(verb, "clock"))
		return !pins ? usage() : stop_clock(pins, strtoul(argv[optind], NULL, 10)) ? 2 : 0;
	for (version = 4; version <= 6; version += 2)
		for (i = optind; i < argc && !code; i++)
			code = vectors_read(&vectors, argv[i], version);
	if (code) {
		code = 2;
	} else if (!strcmp(verb, "addresses")) {
		code = list_addresses(&vectors);
	} else if ((!strcmp(verb, "driver") && pins && ifindex) || !strcmp(verb, "server")) {
		code = *verb == 'd' ? run_driver(&vectors, pins, ifindex, &tally) : run_server(&vectors, &tally);
		code = code ? 2 : tally.failed || !tally.passed;
		printf("%u passed, %u failed\n", tally.passed, tally.failed);
	} else {
		code = usage();
	}
	vectors_free(&vectors);
	return code;
}
