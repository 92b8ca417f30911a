// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>

#include "tools/ecsctl/ecsctl.h"

static void status_print_summary(const json_t *summary)
{
	static const char *const fields[] = {
		"services", "zones", "pools", "topologies", "topology4_entries", "topology6_entries", "answers", "files", "octets",
	};

	if (!json_is_object(summary))
		return;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		printf("  %-18s %lld\n", fields[i], field_number(summary, fields[i]));
}

/* Nothing to be seen before the first verdict. */
static void status_print_reactions(const json_t *reactions)
{
	if (!field_number(reactions, "count"))
		return;
	printf("health       %lld times, %lld answers changed\n", field_number(reactions, "count"),
	       field_number(reactions, "answers_changed"));
	if (field_number(reactions, "answers_behind"))
		printf("             %lld answers stay as they were: the table `answers` is full\n",
		       field_number(reactions, "answers_behind"));
}

static void status_print(const json_t *reply)
{
	const json_t *each;
	size_t i;

	printf("ready        %s\n", field_is(reply, "ready") ? "yes" : "no");
	json_array_foreach(json_object_get(reply, "not_ready"), i, each)
		printf("  %s\n", json_string_value(each));
	printf("generation   %lld, published %s\n", field_number(reply, "generation"), field_time(reply, "published"));
	status_print_summary(json_object_get(reply, "summary"));
	json_array_foreach(json_object_get(reply, "settings"), i, each)
		output_setting("setting      ", each);
	if (*field_text(reply, "doing"))
		printf("doing        %s\n", field_text(reply, "doing"));
	printf("controller   %s, ABI %lld, since %s\n", field_text(reply, "version"), field_number(reply, "abi"),
	       field_time(reply, "started"));
	printf("pins         %s\nstate        %s\n", field_text(reply, "pins"), field_text(reply, "state"));
	status_print_reactions(json_object_get(reply, "reactions"));
	json_array_foreach(json_object_get(reply, "interfaces"), i, each)
		printf("interface    %s (%lld): %s\n", field_text(each, "interface"), field_number(each, "ifindex"),
		       field_text(each, "mode"));
	json_array_foreach(json_object_get(reply, "addresses"), i, each)
		printf("address      %s: %s\n", field_text(each, "address"),
		       field_is(each, "fallback_listens") ? "the fallback listens" : "nobody listens for what the driver passes up");
	json_array_foreach(json_object_get(reply, "tables"), i, each)
		printf("table        %-12s %lld of %lld\n", field_text(each, "table"), field_number(each, "used"),
		       field_number(each, "entries"));
}

static int status_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	int is_ready_asked = 0, status = 0, result;
	const struct verb_option own[] = {{"ready", &is_ready_asked, NULL}, {0}};
	const struct request request = {.path = "/v1/status"};
	int at = verb_options(ecsctl, argc, argv, own);
	json_t *reply;

	if (at < 0)
		return -1 - at;
	if (argc != at)
		return verb_usage(ecsctl, "no argument was expected");
	result = client_request(ecsctl, &request, &reply, &status);
	if (result)
		return result;
	if (status != 200) {
		output_error(ecsctl, reply);
		result = REFUSED;
	} else {
		output_reply(ecsctl, reply, status_print);
		result = is_ready_asked && !field_is(reply, "ready") ? REFUSED : DONE;
	}
	json_decref(reply);
	return result;
}

const struct verb verb_status = {
	.name = "status", .arguments = "[--ready]",
	.summary = "what is live, what it fills, where the program is attached",
	.details = "\n  --ready        exit 1 unless this host should attract traffic: a configuration is live and the program is\n"
		   "                 attached\n",
	.run = status_run,
};
