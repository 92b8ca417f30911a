// SPDX-License-Identifier: GPL-3.0-or-later
/* What a push changes, for people: a line for each part that changes, and below it, unless it is to be brief, what. */
#include <stdio.h>
#include <string.h>

#include "tools/ecsctl/ecsctl.h"

static char sign_of(const json_t *entry)
{
	const char *change = field_text(entry, "change");

	return !strcmp(change, "added") ? '+' : !strcmp(change, "removed") ? '-' : '~';
}

/* The value of a field that may be null. */
static const char *value_of(const json_t *entry, const char *field)
{
	const json_t *value = json_object_get(entry, field);

	return json_is_string(value) ? json_string_value(value) : "(none)";
}

static void print_left_out(const json_t *of, int indent)
{
	long long more = field_number(of, "left_out");

	if (more)
		printf("%*s... and %lld more\n", indent, "", more);
}

static void print_fields(const json_t *fields, int indent)
{
	const json_t *each;
	size_t i;

	json_array_foreach(fields, i, each)
		printf("%*s%s: %s -> %s\n", indent, "", field_text(each, "field"), value_of(each, "before"),
		       value_of(each, "after"));
}

static int has_counts(const json_t *of)
{
	return field_number(of, "added") || field_number(of, "removed") || field_number(of, "changed");
}

static void print_counts(const char *name, const json_t *of)
{
	printf("%s: %lld added, %lld removed, %lld changed\n", name, field_number(of, "added"), field_number(of, "removed"),
	       field_number(of, "changed"));
}

/* checks, pools, services: `what` is the field with the name. */
static void print_objects(const json_t *of, const char *name, const char *what, int is_brief)
{
	const json_t *each;
	size_t i;

	if (!has_counts(of))
		return;
	print_counts(name, of);
	if (is_brief)
		return;
	json_array_foreach(json_object_get(of, "list"), i, each) {
		printf("  %c %s\n", sign_of(each), field_text(each, what));
		print_fields(json_object_get(each, "fields"), 6);
	}
	print_left_out(of, 2);
}

static void print_prefixes(const json_t *prefixes)
{
	const json_t *each;
	size_t i;

	json_array_foreach(json_object_get(prefixes, "list"), i, each) {
		if (json_is_string(json_object_get(each, "before")) && json_is_string(json_object_get(each, "after")))
			printf("      ~ %s: %s -> %s\n", field_text(each, "prefix"), field_text(each, "before"),
			       field_text(each, "after"));
		else
			printf("      %c %s: %s\n", sign_of(each), field_text(each, "prefix"),
			       json_is_string(json_object_get(each, "before")) ? field_text(each, "before") :
			       field_text(each, "after"));
	}
	print_left_out(prefixes, 6);
}

static void print_family(const json_t *family, int is_brief)
{
	const json_t *each;
	size_t i;

	printf("    %s: %.4g %% of all addresses change their region (%s addresses, %lld blocks)\n",
	       field_text(family, "family"), json_real_value(json_object_get(family, "percent")),
	       field_text(family, "addresses"), field_number(family, "blocks"));
	if (is_brief)
		return;
	json_array_foreach(json_object_get(family, "list"), i, each)
		printf("      %s: %s -> %s\n", field_text(each, "block"), field_text(each, "before"), field_text(each, "after"));
	print_left_out(family, 6);
}

static void print_topology(const json_t *topology, int is_brief)
{
	const json_t *prefixes = json_object_get(topology, "prefixes"), *family;
	const char *was = value_of(topology, "default_before"), *is = value_of(topology, "default_after");
	size_t i;

	printf("  %c %s: prefixes: %lld added, %lld removed, %lld moved to another region", sign_of(topology),
	       field_text(topology, "topology"), field_number(prefixes, "added"), field_number(prefixes, "removed"),
	       field_number(prefixes, "moved"));
	if (strcmp(was, is))
		printf("; default: %s -> %s", was, is);
	putchar('\n');
	if (!is_brief)
		print_prefixes(prefixes);
	json_array_foreach(json_object_get(topology, "families"), i, family)
		print_family(family, is_brief);
}

static void print_answers(const json_t *answers, int is_brief)
{
	const json_t *each;
	size_t i;

	if (!has_counts(answers))
		return;
	print_counts("answers", answers);
	if (is_brief)
		return;
	json_array_foreach(json_object_get(answers, "list"), i, each)
		printf("  %s %s, %s: %s -> %s\n", field_text(each, "service"), field_text(each, "type"),
		       *field_text(each, "region") ? field_text(each, "region") : "every client", value_of(each, "before"),
		       value_of(each, "after"));
	print_left_out(answers, 2);
}

static void print_serial(const json_t *zone, const char *field)
{
	if (json_is_integer(json_object_get(zone, field)))
		printf("%lld", field_number(zone, field));
	else
		printf("(none)");
}

static void print_zone(const json_t *zone, int is_brief)
{
	const json_t *each;
	size_t i;

	printf("  %c %s: records: %lld added, %lld removed; serial ", sign_of(zone), field_text(zone, "zone"),
	       field_number(zone, "records_added"), field_number(zone, "records_removed"));
	print_serial(zone, "serial_before");
	printf(" -> ");
	print_serial(zone, "serial_after");
	printf("%s\n", field_is(zone, "serial_grew") ? "" : ", which has not grown: who compares serials sees no change");
	if (is_brief)
		return;
	json_array_foreach(json_object_get(zone, "list"), i, each)
		printf("      %c %s\n", sign_of(each), field_text(each, "record"));
	print_left_out(zone, 6);
}

static void print_server(const json_t *server, int is_brief)
{
	const json_t *fields = json_object_get(server, "fields");

	if (!json_array_size(fields))
		return;
	printf("server: %zu settings changed\n", json_array_size(fields));
	if (!is_brief)
		print_fields(fields, 2);
}

void output_changes(const json_t *changes, int is_brief)
{
	const json_t *topologies = json_object_get(changes, "topologies"), *zones = json_object_get(changes, "zones"), *each;
	size_t i;

	print_server(json_object_get(changes, "server"), is_brief);
	print_objects(json_object_get(changes, "checks"), "checks", "check", is_brief);
	print_objects(json_object_get(changes, "pools"), "pools", "pool", is_brief);
	if (json_array_size(topologies))
		printf("topologies: %zu changed\n", json_array_size(topologies));
	json_array_foreach(topologies, i, each)
		print_topology(each, is_brief);
	print_objects(json_object_get(changes, "services"), "services", "service", is_brief);
	print_answers(json_object_get(changes, "answers"), is_brief);
	if (json_array_size(zones))
		printf("zones: %zu changed\n", json_array_size(zones));
	json_array_foreach(zones, i, each)
		print_zone(each, is_brief);
}
