// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>

#include "tools/ecsctl/ecsctl.h"

static void stats_print_reasons(const json_t *reasons, int is_all)
{
	size_t i, hidden = 0;
	const json_t *each;

	printf("%-15s %-5s %12s %12s\n", "REASON", "DOES", "DRIVER", "FALLBACK");
	json_array_foreach(reasons, i, each) {
		if (!is_all && !field_number(each, "driver") && !field_number(each, "fallback")) {
			hidden++;
			continue;
		}
		printf("%-15s %-5s %12lld %12lld  %s\n", field_text(each, "reason"), field_text(each, "outcome"),
		       field_number(each, "driver"), field_number(each, "fallback"), field_text(each, "help"));
	}
	if (hidden)
		printf("(%zu reasons have not occurred; --all shows them)\n", hidden);
}

static void stats_print_rest(const json_t *reply)
{
	const json_t *each;
	size_t i;

	printf("\n%-6s %12s  %s\n", "ID", "ANSWERED", "SERVICE");
	json_array_foreach(json_object_get(reply, "services"), i, each)
		printf("%-6lld %12lld  %s\n", field_number(each, "id"), field_number(each, "packets"), field_text(each, "service"));
	printf("\n%-6s %12s  %s\n", "ID", "ANSWERED", "TOPOLOGY/REGION");
	json_array_foreach(json_object_get(reply, "regions"), i, each)
		printf("%-6lld %12lld  %s/%s\n", field_number(each, "id"), field_number(each, "packets"),
		       field_text(each, "topology"), field_text(each, "region"));
}

static void stats_print_capture(const json_t *capture)
{
	printf("\ncaptures: %lld exchanges copied, %lld not for the limit a second, %lld not for a reader that was behind\n",
	       field_number(capture, "copied"), field_number(capture, "over"), field_number(capture, "full"));
}

static void stats_print(const json_t *reply)
{
	stats_print_reasons(json_object_get(reply, "reasons"), 0);
	stats_print_rest(reply);
}

static void stats_print_all(const json_t *reply)
{
	stats_print_reasons(json_object_get(reply, "reasons"), 1);
	stats_print_rest(reply);
	stats_print_capture(json_object_get(reply, "capture"));
}

static int stats_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	const struct request request = {.path = "/v1/stats"};
	int is_all = 0;
	const struct verb_option own[] = {{"all", &is_all, NULL}, {0}};
	int at = verb_options(ecsctl, argc, argv, own);

	if (at < 0)
		return -1 - at;
	if (argc != at)
		return verb_usage(ecsctl, "no argument was expected");
	return ecsctl_request(ecsctl, &request, is_all ? stats_print_all : stats_print);
}

const struct verb verb_stats = {
	.name = "stats", .arguments = "[--all]",
	.summary = "count what was answered, passed up and dropped, and why",
	.details = "\nPackets since the tables were made: by reason for the driver and the fallback, and the driver's answers by\n"
		   "service and by region.\n\n"
		   "  --all          also the reasons that have not occurred, and what captures copied; JSON has them always\n",
	.run = stats_run,
};
