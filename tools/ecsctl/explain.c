// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecsctl/ecsctl.h"

static void explain_line(const json_t *reply, const char *label, const char *field)
{
	const json_t *value = json_object_get(reply, field);

	if (json_is_string(value))
		printf("%-12s %s\n", label, json_string_value(value));
	else if (json_is_integer(value))
		printf("%-12s %lld\n", label, (long long)json_integer_value(value));
}

static void explain_print_matched(const json_t *matched)
{
	if (!json_is_object(matched))
		return;
	printf("%-12s %s is %s", "matched", field_text(matched, "prefix"), field_text(matched, "region"));
	if (*field_text(matched, "file"))
		printf(" (%s:%lld)", field_text(matched, "file"), field_number(matched, "line"));
	putchar('\n');
}

static void explain_print_choice(const json_t *choice)
{
	const json_t *each;
	size_t i;

	if (!json_is_object(choice))
		return;
	json_array_foreach(json_object_get(choice, "passed_over"), i, each)
		printf("%-12s %s: %s\n", "not", field_text(each, "pool"), field_text(each, "why"));
	printf("%-12s %s%s%s\n", "pool", field_text(choice, "pool"), *field_text(choice, "pool") ? ": " : "",
	       field_text(choice, "why"));
}

static void explain_print_records(const char *label, const json_t *records)
{
	const json_t *each;
	size_t i;

	json_array_foreach(records, i, each)
		printf("%-12s %s\n", label, json_string_value(each));
}

static void explain_print(const json_t *reply)
{
	printf("%-12s %s %s\n", "question", field_text(reply, "name"), field_text(reply, "type"));
	explain_line(reply, "subnet", "client_subnet");
	explain_line(reply, "generation", "generation");
	explain_line(reply, "answered by", "answered_by");
	printf("%-12s %s: %s\n", "reason", field_text(reply, "reason"), field_text(reply, "because"));
	explain_line(reply, "zone", "zone");
	explain_line(reply, "decided by", "decided_by");
	explain_line(reply, "address", "address");
	explain_line(reply, "topology", "topology");
	explain_print_matched(json_object_get(reply, "matched"));
	explain_line(reply, "region", "region");
	explain_line(reply, "block", "block");
	explain_line(reply, "scope", "scope");
	explain_print_choice(json_object_get(reply, "choice"));
	explain_print_records("setting", json_object_get(reply, "settings"));
	explain_print_records("answer", json_object_get(reply, "answer"));
	explain_print_records("authority", json_object_get(reply, "authority"));
}

static int explain_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	const char *prefix = NULL, *resolver = NULL;
	int is_without = 0;
	const struct verb_option own[] = {
		{"prefix", NULL, &prefix}, {"resolver", NULL, &resolver}, {"no-ecs", &is_without, NULL}, {0},
	};
	int at = verb_options(ecsctl, argc, argv, own), result;
	struct request request = {0};
	char *path;

	if (at < 0)
		return -1 - at;
	if (argc - at != 3)
		return verb_usage(ecsctl, "a client, a name and a type were expected");
	if (is_without && (prefix || resolver))
		return verb_usage(ecsctl, "--no-ecs takes CLIENT as the resolver that asks; leave out --prefix and --resolver");
	path = client_path("/v1/explain", (const char *const [][2]){
		{"client", is_without ? NULL : argv[at]}, {"resolver", is_without ? argv[at] : resolver},
		{"name", argv[at + 1]}, {"type", argv[at + 2]}, {"prefix", prefix},
	}, 5);
	if (!path)
		return REFUSED;
	request.path = path;
	result = ecsctl_request(ecsctl, &request, explain_print);
	free(path);
	return result;
}

const struct verb verb_explain = {
	.name = "explain", .arguments = "[--prefix N] [--resolver ADDRESS | --no-ecs] CLIENT NAME TYPE",
	.summary = "say what a client gets, and why",
	.details = "\nCLIENT is an address, or a prefix as resolvers send it: 240b:10:200::/40. The question goes through the\n"
		   "driver's own stages on the live tables.\n\n"
		   "  --prefix N          the client subnet's length (default: CLIENT's)\n"
		   "  --resolver ADDRESS  who asks for the client (default: CLIENT itself); see server.ecs.trust\n"
		   "  --no-ecs            no client subnet: CLIENT is the resolver that asks\n",
	.run = explain_run,
};
