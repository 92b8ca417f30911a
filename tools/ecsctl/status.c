// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/ecsctl/ecsctl.h"
#include "user/common/readiness.h"

/* A controller that hangs is as good as none; who asks for readiness waits no longer. */
#define READY_SECONDS 2

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

static void status_print_health(const json_t *health)
{
	const json_t *age = json_object_get(health, "age");

	if (json_is_number(age))
		printf("health       %.1f s old: %lld members checked, %lld of them down%s\n", json_number_value(age),
		       field_number(health, "checked"), field_number(health, "down"),
		       field_is(health, "holding") ? "; every check fails, so states stay as they are" : "");
	else
		printf("health       nothing known\n");
}

/* Nothing to be seen before the first verdict. */
static void status_print_reactions(const json_t *reactions)
{
	if (!field_number(reactions, "count"))
		return;
	printf("reactions    %lld times, %lld answers changed\n", field_number(reactions, "count"),
	       field_number(reactions, "answers_changed"));
	if (field_number(reactions, "answers_behind"))
		printf("             %lld answers stay as they were: the table `answers` is full\n",
		       field_number(reactions, "answers_behind"));
}

static void status_print_ready(const json_t *reply)
{
	const json_t *each;
	size_t i;

	printf("ready        %s\n", field_is(reply, "ready") ? "yes" : "no");
	json_array_foreach(json_object_get(reply, "not_ready"), i, each)
		printf("  %s\n", json_string_value(each));
}

static void status_print_interface(const json_t *interface)
{
	printf("interface    %s (%lld): %s\n", field_text(interface, "interface"), field_number(interface, "ifindex"),
	       field_text(interface, "mode"));
}

static void status_print(const json_t *reply)
{
	const json_t *each;
	size_t i;

	status_print_ready(reply);
	printf("generation   %lld, published %s\n", field_number(reply, "generation"), field_time(reply, "published"));
	status_print_health(json_object_get(reply, "health"));
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
		status_print_interface(each);
	json_array_foreach(json_object_get(reply, "addresses"), i, each)
		printf("address      %s: %s\n", field_text(each, "address"),
		       field_is(each, "fallback_listens") ? "the fallback listens" : "nobody listens for what the driver passes up");
	json_array_foreach(json_object_get(reply, "tables"), i, each)
		printf("table        %-12s %lld of %lld\n", field_text(each, "table"), field_number(each, "used"),
		       field_number(each, "entries"));
}

static int status_seconds(const char *text, uint32_t *seconds)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	*seconds = value;
	return *text >= '0' && *text <= '9' && !*end && !errno && value <= UINT32_MAX;
}

/* What the tables say without a controller: the same fields, as far as they know. */
static json_t *status_of_tables(const char *pins, uint32_t age_max, char *error, size_t error_size)
{
	struct tables tables;
	json_t *status = NULL, *interfaces, *missing;
	size_t attached;

	if (!tables_open(&tables, pins, TABLES_READ, error, error_size)) {
		interfaces = readiness_interfaces(&tables, &attached);
		missing = readiness_missing(&tables, pins, attached, age_max);
		status = json_pack("{s:b, s:o, s:I, s:o, s:o, s:s, s:b}", "ready", !json_array_size(missing),
				   "not_ready", missing, "generation", (json_int_t)tables_generation(tables_control(&tables)),
				   "health", readiness_health(&tables), "interfaces", interfaces, "pins", pins,
				   "controller_answers", 0);
	}
	tables_close(&tables);
	return status;
}

static void status_print_tables(const json_t *reply)
{
	const json_t *each;
	size_t i;

	status_print_ready(reply);
	printf("generation   %lld\n", field_number(reply, "generation"));
	status_print_health(json_object_get(reply, "health"));
	printf("controller   does not answer; this is from the tables\npins         %s\n", field_text(reply, "pins"));
	json_array_foreach(json_object_get(reply, "interfaces"), i, each)
		status_print_interface(each);
}

/* No controller has answered. */
static int status_without(struct ecsctl *ecsctl, const struct request *request, const char *pins, uint32_t age_max)
{
	char error[512] = "";
	json_t *reply = status_of_tables(pins, age_max, error, sizeof(error));
	int result;

	if (!reply) {
		struct request again = *request;
		int status;

		again.is_quiet = 0;	/* it says what is wrong with the socket */
		result = client_request(ecsctl, &again, &reply, &status);
		json_decref(reply);
		fprintf(stderr, "ecsctl: and the tables cannot be asked: %s\n", error);
		return REFUSED;
	}
	output_reply(ecsctl, reply, status_print_tables);
	result = field_is(reply, "ready") ? DONE : REFUSED;
	json_decref(reply);
	return result;
}

static int status_ask(struct ecsctl *ecsctl, const struct request *request, int is_ready_asked, const char *pins,
		      uint32_t age_max)
{
	json_t *reply;
	int status = 0, result = client_request(ecsctl, request, &reply, &status);

	if (result)
		return is_ready_asked ? status_without(ecsctl, request, pins, age_max) : result;
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

static int status_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	const char *age_text = NULL, *pins = NULL;
	int is_ready_asked = 0, at;
	const struct verb_option own[] = {
		{"ready", &is_ready_asked, NULL}, {"max-age", NULL, &age_text}, {"pins", NULL, &pins}, {0},
	};
	struct request request = {0};
	uint32_t age_max = READINESS_AGE_MAX;
	char path[64];

	at = verb_options(ecsctl, argc, argv, own);
	if (at < 0)
		return -1 - at;
	if (argc != at)
		return verb_usage(ecsctl, "no argument was expected");
	if (age_text && !status_seconds(age_text, &age_max))
		return verb_usage(ecsctl, "--max-age: a number of seconds was expected, not \"%s\"", age_text);
	snprintf(path, sizeof(path), "/v1/status?max_age=%u", age_max);
	request.path = path;
	request.is_quiet = is_ready_asked;
	request.seconds = is_ready_asked ? READY_SECONDS : 0;
	return status_ask(ecsctl, &request, is_ready_asked, tables_pins(pins), age_max);
}

const struct verb verb_status = {
	.name = "status", .arguments = "[--ready] [--max-age SECONDS] [--pins DIR]",
	.summary = "what is live, what it fills, where the program is attached",
	.details = "\n  --ready            exit 1 unless this host should attract traffic: a configuration is live, the program is\n"
		   "                     attached, and the states of members are not too old. A controller that does not answer\n"
		   "                     within 2 s is done without: root is told by the tables themselves.\n"
		   "  --max-age SECONDS  of the states of members that are good enough (default: 30)\n"
		   "  --pins DIR         the tables (environment: ECSDNS_PINS; default: " ECSDNS_PINS_DEFAULT ")\n",
	.run = status_run,
};
