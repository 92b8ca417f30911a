// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "tools/ecsctl/ecsctl.h"

static void rollback_print(const json_t *reply)
{
	const json_t *changes = json_object_get(reply, "changes");
	int is_dry = field_is(reply, "dry_run");

	output_faults(json_object_get(reply, "faults"));
	if (is_dry)
		printf("good; nothing was published: the configuration of generation %lld\n", field_number(reply, "rollback_to"));
	else
		printf("generation %lld is live: the configuration of generation %lld\n", field_number(reply, "generation"),
		       field_number(reply, "rollback_to"));
	output_summary(json_object_get(reply, "summary"));
	output_effort(reply);
	if (!json_is_object(changes))
		return;
	printf("against generation %lld %s %s\n", field_number(changes, "generation"), is_dry ? "it would change" : "it changed",
	       field_is(changes, "changed") ? "this:" : "nothing");
	output_changes(changes, !is_dry);
}

static int rollback_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	struct request request = {.is_post = 1, .doing = "compiling and publishing"};
	const char *reason = NULL;
	int is_dry = 0;
	const struct verb_option own[] = {{"dry-run", &is_dry, NULL}, {"reason", NULL, &reason}, {0}};
	int at = verb_options(ecsctl, argc, argv, own), result;
	char *path;

	if (at < 0)
		return -1 - at;
	if (argc - at > 1)
		return verb_usage(ecsctl, "at most one generation was expected");
	path = client_path("/v1/rollback", (const char *const [][2]){
		{"generation", argc > at ? argv[at] : NULL}, {"dry_run", is_dry ? "1" : NULL}, {"list", is_dry ? NULL : "0"},
		{"reason", reason},
	}, 4);
	if (!path)
		return REFUSED;
	request.path = path;
	result = ecsctl_request(ecsctl, &request, rollback_print);
	free(path);
	return result;
}

const struct verb verb_rollback = {
	.name = "rollback", .arguments = "[--dry-run] [--reason TEXT] [GENERATION]",
	.summary = "publish a kept generation again, at once, and say what that changed",
	.details = "\nWithout GENERATION, the one before the live one. It becomes a new generation: `ecsctl history` lists them.\n"
		   "Nothing is asked; a second `ecsctl rollback` undoes the first.\n\n"
		   "  --dry-run      say at length what it would change, and publish nothing\n"
		   "  --reason TEXT  what `ecsctl history` shows beside it\n",
	.run = rollback_run,
};
