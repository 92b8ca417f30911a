// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "tools/ecsctl/local.h"

static void push_print(const json_t *reply)
{
	const json_t *changes = json_object_get(reply, "changes");

	output_faults(json_object_get(reply, "faults"));
	if (field_is(reply, "dry_run"))
		printf("good; nothing was published: ");
	else
		printf("generation %lld is live: ", field_number(reply, "generation"));
	output_summary(json_object_get(reply, "summary"));
	output_effort(reply);
	if (!json_is_object(changes))
		return;
	printf("against generation %lld %s\n", field_number(changes, "generation"), field_is(changes, "changed") ?
	       "it would change:" : "it would change nothing");
	output_changes(changes, 1);
}

static int push_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	const char *reason = NULL;
	int is_dry = 0;
	const struct verb_option own[] = {{"dry-run", &is_dry, NULL}, {"reason", NULL, &reason}, {0}};
	int at = verb_options(ecsctl, argc, argv, own), result;
	struct request request = {.is_post = 1, .doing = "compiling and publishing"};
	void *archive;
	char *path;

	if (at < 0)
		return -1 - at;
	if (argc - at != 1)
		return verb_usage(ecsctl, "one configuration file was expected");
	result = local_bundle(ecsctl, argv[at], &archive, &request.length);
	if (result)
		return result;
	path = client_path("/v1/push", (const char *const [][2]){
		{"dry_run", is_dry ? "1" : NULL}, {"list", "0"}, {"reason", reason},
	}, 3);
	request.body = archive;
	request.path = path;
	result = path ? ecsctl_request(ecsctl, &request, push_print) : REFUSED;
	free(path);
	free(archive);
	return result;
}

const struct verb verb_push = {
	.name = "push", .arguments = "[--dry-run] [--reason TEXT] FILE",
	.summary = "publish a configuration with every file it names",
	.details = "\nFILE and what it names are read here and sent as one bundle. The controller checks and compiles all of\n"
		   "it; then all of it is live at once, or nothing has changed and the faults are named.\n\n"
		   "  --dry-run      let the controller check it and say in brief what would change; publish nothing\n"
		   "                 (`ecsctl diff FILE` says it at length)\n"
		   "  --reason TEXT  what `ecsctl history` shows beside it\n",
	.run = push_run,
};
