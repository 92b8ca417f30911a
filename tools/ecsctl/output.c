// SPDX-License-Identifier: GPL-3.0-or-later
#include <pwd.h>
#include <stdio.h>
#include <time.h>

#include "tools/ecsctl/ecsctl.h"

static void output_json(const json_t *reply)
{
	json_dumpf(reply, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
}

void output_reply(const struct ecsctl *ecsctl, const json_t *reply, verb_print *print)
{
	if (ecsctl->is_json)
		output_json(reply);
	else
		print(reply);
}

void output_faults(const json_t *faults)
{
	const json_t *fault;
	size_t i;

	json_array_foreach(faults, i, fault) {
		if (*field_text(fault, "file"))
			fprintf(stderr, "%s:", field_text(fault, "file"));
		if (field_number(fault, "line"))
			fprintf(stderr, "%lld:", field_number(fault, "line"));
		if (field_number(fault, "column"))
			fprintf(stderr, "%lld:", field_number(fault, "column"));
		fprintf(stderr, "%s%s: %s\n", *field_text(fault, "file") ? " " : "", field_text(fault, "severity"),
			field_text(fault, "text"));
	}
}

void output_error(const struct ecsctl *ecsctl, const json_t *reply)
{
	if (ecsctl->is_json)
		output_json(reply);
	output_faults(json_object_get(reply, "faults"));
	fprintf(stderr, "ecsctl %s: %s\n", ecsctl->verb->name, field_text(reply, "error"));
}

void output_setting(const char *before, const json_t *setting)
{
	printf("%s%s (by %s since %s)%s\n", before, field_text(setting, "text"), field_user(setting, "uid"),
	       field_time(setting, "since"), json_is_false(json_object_get(setting, "known")) ?
	       "; unknown object: the live configuration does not have it" : "");
}

void output_summary(const json_t *summary)
{
	printf("%lld services, %lld zones, %lld pools, %lld topologies (%lld + %lld entries), %lld answers, %lld files, "
	       "%lld octets\n",
	       field_number(summary, "services"), field_number(summary, "zones"), field_number(summary, "pools"),
	       field_number(summary, "topologies"), field_number(summary, "topology4_entries"),
	       field_number(summary, "topology6_entries"), field_number(summary, "answers"), field_number(summary, "files"),
	       field_number(summary, "octets"));
}

void output_effort(const json_t *reply)
{
	printf("%lld rows written, %lld deleted; compiled in %.3f s, published in %.3f s\n", field_number(reply, "rows_written"),
	       field_number(reply, "rows_deleted"), json_number_value(json_object_get(reply, "compile_seconds")),
	       json_number_value(json_object_get(reply, "publish_seconds")));
}

const char *field_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

long long field_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

int field_is(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

const char *field_user(const json_t *object, const char *name)
{
	static char text[64];
	const struct passwd *user = getpwuid(field_number(object, name));

	if (user)
		snprintf(text, sizeof(text), "%s", user->pw_name);
	else
		snprintf(text, sizeof(text), "uid %lld", field_number(object, name));
	return text;
}

const char *field_time(const json_t *object, const char *name)
{
	static char text[64];
	time_t seconds = field_number(object, name);
	struct tm parts;

	if (!seconds || !localtime_r(&seconds, &parts) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &parts))
		return "never";
	return text;
}
