// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>

#include "tools/ecsctl/ecsctl.h"

static void stats_print(const json_t *reply)
{
	const json_t *each;
	size_t i;

	printf("%-15s %-5s %12s %12s  %s\n", "REASON", "DOES", "DRIVER", "FALLBACK", "");
	json_array_foreach(json_object_get(reply, "reasons"), i, each)
		printf("%-15s %-5s %12lld %12lld  %s\n", field_text(each, "reason"), field_text(each, "outcome"),
		       field_number(each, "driver"), field_number(each, "fallback"), field_text(each, "help"));
	printf("\n%-6s %12s  %s\n", "ID", "ANSWERED", "SERVICE");
	json_array_foreach(json_object_get(reply, "services"), i, each)
		printf("%-6lld %12lld  %s\n", field_number(each, "id"), field_number(each, "packets"), field_text(each, "service"));
	printf("\n%-6s %12s  %s\n", "ID", "ANSWERED", "TOPOLOGY/REGION");
	json_array_foreach(json_object_get(reply, "regions"), i, each)
		printf("%-6lld %12lld  %s/%s\n", field_number(each, "id"), field_number(each, "packets"),
		       field_text(each, "topology"), field_text(each, "region"));
}

static int stats_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	const struct request request = {.path = "/v1/stats"};
	int at = verb_options(ecsctl, argc, argv, NULL);

	if (at < 0)
		return -1 - at;
	if (argc != at)
		return verb_usage(ecsctl, "no argument was expected");
	return ecsctl_request(ecsctl, &request, stats_print);
}

const struct verb verb_stats = {
	.name = "stats", .arguments = "",
	.summary = "count what was answered, passed up and dropped, and why",
	.details = "\nPackets since the tables were made: by reason for the driver and the fallback, and the driver's answers by\n"
		   "service and by region.\n",
	.run = stats_run,
};
