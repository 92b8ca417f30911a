// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "tools/ecsctl/ecsctl.h"

/* "push by root", "rollback to 7 by root", "config /etc/ecsdns/site.yaml"; nothing where it is not known. */
static void history_print_how(const json_t *each)
{
	const char *how = field_text(each, "how");

	if (*how)
		printf("  %s", how);
	if (json_is_integer(json_object_get(each, "rollback_to")))
		printf(" to %lld", field_number(each, "rollback_to"));
	if (*field_text(each, "file"))
		printf(" %s", field_text(each, "file"));
	if (json_is_integer(json_object_get(each, "uid")))
		printf(" by %s", field_user(each, "uid"));
	if (*field_text(each, "reason"))
		printf(": %s", field_text(each, "reason"));
}

static void history_print(const json_t *reply)
{
	const json_t *each;
	size_t i;

	json_array_foreach(json_object_get(reply, "generations"), i, each) {
		printf("%6lld  %s  %9lld octets  %-4s", field_number(each, "generation"), field_time(each, "published"),
		       field_number(each, "octets"), field_is(each, "live") ? "live" : "");
		history_print_how(each);
		putchar('\n');
	}
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
	.summary = "list the generations that are kept: when, by whom and why",
	.details = "\nOldest first; any of them can be made live again with `ecsctl rollback N`, and looked at with `ecsctl dump N`.\n"
		   "What a push or rollback was given with --reason comes last.\n",
	.run = history_run,
};
