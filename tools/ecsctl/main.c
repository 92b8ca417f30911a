// SPDX-License-Identifier: GPL-3.0-or-later
/* ecsctl: the operator's command line. This file holds the table of verbs; every verb is a file. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecsctl/ecsctl.h"
#include "user/common/version.h"

#define SOCKET_DEFAULT "/run/ecsdns/control.sock"
#define VERB_OPTIONS_MAX 16

static const struct verb *const verbs[] = {
	&verb_push,
	&verb_check,
	&verb_diff,
	&verb_rollback,
	&verb_history,
	&verb_dump,
	&verb_status,
	&verb_stats,
	&verb_top,
	&verb_explain,
	&verb_health,
	&verb_watch,
	&verb_drain,
	&verb_disable,
	&verb_enable,
	&verb_force_up,
	&verb_force_down,
	&verb_capture,
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static void usage(FILE *to)
{
	fprintf(to, "Usage: ecsctl [--socket PATH] [--json] [--progress] VERB [OPTION...] [ARGUMENT...]\n\nVerbs:\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(to, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	fprintf(to, "\n`ecsctl VERB --help` says more. Options of all verbs:\n"
		"  --json         print JSON\n"
		"  --progress     show what takes longer than a second also if standard error is no terminal\n"
		"  --socket PATH  the controller's socket (environment: ECSDNS_SOCKET; default: " SOCKET_DEFAULT ")\n"
		"  --help\n\nIn place of a verb:\n"
		"  --version\n"
		"\nExit status: 0 done, 1 refused or not so (diff: something would change), 2 wrong usage.\n");
}

static void verb_help(const struct verb *verb)
{
	printf("Usage: ecsctl %s [--json] [--socket PATH]%s%s\n\n%s.\n%s", verb->name, *verb->arguments ? " " : "",
	       verb->arguments, verb->summary, verb->details);
}

int verb_usage(const struct ecsctl *ecsctl, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "ecsctl %s: ", ecsctl->verb->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\nUsage: ecsctl %s%s%s\n", ecsctl->verb->name, *ecsctl->verb->arguments ? " " : "",
		ecsctl->verb->arguments);
	return USAGE;
}

int verb_options(struct ecsctl *ecsctl, int argc, char **argv, const struct verb_option *own)
{
	struct option options[VERB_OPTIONS_MAX] = {
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{"socket", required_argument, NULL, 's'},
		{"progress", no_argument, NULL, 'p'},
	};
	char letters[8 + 2 * VERB_OPTIONS_MAX] = ":hj", *letter = letters + strlen(letters);
	int count = 4, option, i;

	for (i = 0; own && own[i].name; i++) {
		if (own[i].name[1])
			options[count++] = (struct option){own[i].name, own[i].flag ? no_argument : required_argument, NULL, 256 + i};
		else
			letter += sprintf(letter, "%s%s", own[i].name, own[i].flag ? "" : ":");
	}
	optind = 0;		/* again from the start, glibc's way */
	opterr = 0;
	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		for (i = 0; own && own[i].name; i++)
			option = !own[i].name[1] && own[i].name[0] == option ? 256 + i : option;
		if (option == 'h') {
			verb_help(ecsctl->verb);
			return -1 - DONE;
		}
		if (option == ':')
			return -1 - verb_usage(ecsctl, "%s needs a value", argv[optind - 1]);
		if (option == '?')
			return -1 - verb_usage(ecsctl, "unknown option %s", argv[optind - 1]);
		if (option == 'j')
			ecsctl->is_json = 1;
		else if (option == 's')
			ecsctl->socket = optarg;
		else if (option == 'p')
			ecsctl->is_progress_wanted = 1;
		else if (own[option - 256].flag)
			*own[option - 256].flag = 1;
		else
			*own[option - 256].argument = optarg;
	}
	return optind;
}

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static int main_options(struct ecsctl *ecsctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, 'j'},
		{"socket", required_argument, NULL, 's'}, {"progress", no_argument, NULL, 'p'},
		{"version", no_argument, NULL, 'v'}, {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "+hj", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			usage(stdout);
			exit(DONE);
		case 'v':
			printf("ecsctl %s\n", ECSDNS_VERSION);
			exit(DONE);
		case 'j':
			ecsctl->is_json = 1;
			break;
		case 'p':
			ecsctl->is_progress_wanted = 1;
			break;
		case 's':
			ecsctl->socket = optarg;
			break;
		default:
			usage(stderr);
			exit(USAGE);
		}
	}
	return optind;
}

int main(int argc, char **argv)
{
	const char *environment = getenv("ECSDNS_SOCKET");
	struct ecsctl ecsctl = {.socket = environment && *environment ? environment : SOCKET_DEFAULT};
	int at = main_options(&ecsctl, argc, argv);

	if (at == argc) {
		usage(stderr);
		return USAGE;
	}
	ecsctl.verb = verb_find(argv[at]);
	if (!ecsctl.verb) {
		fprintf(stderr, "ecsctl: unknown verb %s; `ecsctl --help` lists them\n", argv[at]);
		return USAGE;
	}
	return ecsctl.verb->run(&ecsctl, argc - at, argv + at);
}
