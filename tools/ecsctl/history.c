// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>

#include "tools/ecsctl/ecsctl.h"

static void history_print(const json_t *reply)
{
	const json_t *each;
	size_t i;

	json_array_foreach(json_object_get(reply, "generations"), i, each)
		printf("%6lld  %s  %lld octets%s\n", field_number(each, "generation"), field_time(each, "published"),
		       field_number(each, "octets"), field_is(each, "live") ? "  live" : "");
}

static int history_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	const struct request request = {.path = "/v1/history"};
	int at = verb_options(ecsctl, argc, argv, NULL);

	if (at < 0)
		return -1 - at;
	if (argc != at)
		return verb_usage(ecsctl, "no argument was expected");
	return ecsctl_request(ecsctl, &request, history_print);
}

const struct verb verb_history = {
	.name = "history", .arguments = "",
	.summary = "list the generations that are kept",
	.details = "\nOldest first; any of them can be made live again with `ecsctl rollback N`.\n",
	.run = history_run,
};
