// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "tools/ecsctl/ecsctl.h"

static void rollback_print(const json_t *reply)
{
	output_faults(json_object_get(reply, "faults"));
	printf("generation %lld is live: the configuration of generation %lld\n", field_number(reply, "generation"),
	       field_number(reply, "rollback_to"));
}

static int rollback_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	struct request request = {.is_post = 1, .doing = "compiling and publishing"};
	int at = verb_options(ecsctl, argc, argv, NULL), result;
	char *path;

	if (at < 0)
		return -1 - at;
	if (argc - at > 1)
		return verb_usage(ecsctl, "at most one generation was expected");
	path = client_path("/v1/rollback", &(const char *const [2]){"generation", argc > at ? argv[at] : NULL}, 1);
	if (!path)
		return REFUSED;
	request.path = path;
	result = ecsctl_request(ecsctl, &request, rollback_print);
	free(path);
	return result;
}

const struct verb verb_rollback = {
	.name = "rollback", .arguments = "[GENERATION]",
	.summary = "publish a kept generation again",
	.details = "\nWithout GENERATION, the one before the live one. It becomes a new generation: `ecsctl history` lists them.\n",
	.run = rollback_run,
};
