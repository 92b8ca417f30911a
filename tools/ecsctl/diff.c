// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "tools/ecsctl/local.h"
#include "user/controller/diff.h"

static void diff_print(const json_t *changes)
{
	if (!field_is(changes, "changed")) {
		printf("nothing would change: generation %lld is live\n", field_number(changes, "generation"));
		return;
	}
	printf("against generation %lld:\n", field_number(changes, "generation"));
	output_changes(changes, 0);
}

/* A dry run, of which only the changes are shown: it would be refused if a push would be. */
static int diff_ask(struct ecsctl *ecsctl, const struct request *request)
{
	const json_t *changes;
	int status = 0, result;
	json_t *reply;

	result = client_request(ecsctl, request, &reply, &status);
	if (result)
		return result;
	changes = json_object_get(reply, "changes");
	if (status != 200) {
		output_error(ecsctl, reply);
		result = REFUSED;
	} else {
		output_reply(ecsctl, changes, diff_print);
		result = field_is(changes, "changed") ? REFUSED : DONE;
	}
	json_decref(reply);
	return result;
}

static int diff_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	struct request request = {.is_post = 1, .doing = "compiling and comparing"};
	int is_all = 0, result;
	const struct verb_option own[] = {{"all", &is_all, NULL}, {0}};
	int at = verb_options(ecsctl, argc, argv, own);
	void *archive;
	char path[64];

	if (at < 0)
		return -1 - at;
	if (argc - at != 1)
		return verb_usage(ecsctl, "one configuration file was expected");
	result = local_bundle(ecsctl, argv[at], &archive, &request.length);
	if (result)
		return result;
	snprintf(path, sizeof(path), "/v1/push?dry_run=1&list=%d", is_all ? DIFF_LIST_MAX : DIFF_LIST);
	request.path = path;
	request.body = archive;
	result = diff_ask(ecsctl, &request);
	free(archive);
	return result;
}

const struct verb verb_diff = {
	.name = "diff", .arguments = "[--all] FILE",
	.summary = "what a push of a configuration would change, by setting, prefix, answer and record",
	.details = "\nFILE is compared with the live configuration, both compiled with the states of health of this moment. Nothing\n"
		   "is published. Objects are the same if their names are: where they stand in a file means nothing.\n\n"
		   "For a topology that changes: which prefixes, and what part of each family's addresses gets another region,\n"
		   "counted over what is looked up, so that a prefix under which nothing changes counts nothing.\n"
		   "For every service, region and type: the answer before and after.\n\n"
		   "  --all          whole lists, not the first 20 of each (at most 100,000)\n\n"
		   "Exit status: 0 nothing would change; 1 something would, or FILE was refused or could not be compared, and then\n"
		   "standard output is empty (with --json it has \"error\"); 2 wrong usage.\n",
	.run = diff_run,
};
