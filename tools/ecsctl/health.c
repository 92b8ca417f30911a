// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecsctl/ecsctl.h"

/* What stands behind the state: why, by whom and since when, as far as there is anything. */
static void health_print_why(const json_t *of)
{
	const json_t *setting = json_object_get(of, "setting");

	if (*field_text(of, "why"))
		printf("  %s", field_text(of, "why"));
	if (json_is_object(setting))
		printf("  (%s, by %s)", *field_text(of, "decided_by") ? field_text(of, "decided_by") : field_text(setting, "object"),
		       field_user(setting, "uid"));
	if (json_is_object(setting) && strcmp(field_text(of, "verdict"), "none"))
		printf("  checks say %s", field_text(of, "verdict"));
	if (field_number(of, "since"))
		printf("  since %s", field_time(of, "since"));
	putchar('\n');
}

/* A setting of a pool or a region, which may have been overruled for its members. */
static void health_print_setting(const json_t *of)
{
	if (json_is_object(json_object_get(of, "setting")))
		output_setting("  ", json_object_get(of, "setting"));
}

/* Wide enough for the longest name of a list, within reason. */
static int health_width(const json_t *list, const char *field, int least)
{
	const json_t *each;
	int width = least, length;
	size_t i;

	json_array_foreach(list, i, each) {
		length = strlen(field_text(each, field));
		width = length > width && length <= 40 ? length : width;
	}
	return width;
}

static void health_print_pool(const json_t *pool)
{
	const json_t *members = json_object_get(pool, "members"), *member;
	int name = health_width(members, "member", 12), address = health_width(members, "address", 15);
	size_t i;

	if (*field_text(pool, "cname")) {
		printf("pool %s: %s, CNAME %s", field_text(pool, "pool"), field_text(pool, "state"), field_text(pool, "cname"));
		health_print_why(pool);
		return;
	}
	printf("pool %s: %s, %lld of %lld members up%s%s\n", field_text(pool, "pool"), field_text(pool, "state"),
	       field_number(pool, "members_up"), field_number(pool, "members_all"), *field_text(pool, "why") ? ": " : "",
	       field_text(pool, "why"));
	health_print_setting(pool);
	json_array_foreach(members, i, member) {
		printf("  %-*s  %-*s  %-11s", name, field_text(member, "member"), address, field_text(member, "address"),
		       field_text(member, "state"));
		health_print_why(member);
	}
}

static void health_print_region(const json_t *region)
{
	const json_t *pools = json_object_get(region, "pools"), *pool;
	size_t i;

	printf("region %s: %s%s", field_text(region, "region"), field_text(region, "state"), json_array_size(pools) ? "," : "");
	json_array_foreach(pools, i, pool)
		printf(" %s", json_string_value(pool));
	putchar('\n');
	health_print_setting(region);
}

static void health_print(const json_t *reply)
{
	const json_t *each;
	size_t i;

	printf("generation %lld: %lld of %lld members up\n", field_number(reply, "generation"), field_number(reply, "members_up"),
	       field_number(reply, "members_all"));
	json_array_foreach(json_object_get(reply, "pools"), i, each)
		health_print_pool(each);
	json_array_foreach(json_object_get(reply, "regions"), i, each)
		health_print_region(each);
	json_array_foreach(json_object_get(reply, "settings"), i, each)
		if (!field_is(each, "known"))
			output_setting("", each);
	if (!field_is(reply, "answers_follow"))
		printf("answers do not follow these states before the next push\n");
}

static int health_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	int at = verb_options(ecsctl, argc, argv, NULL), result;
	struct request request = {0};
	char *path;

	if (at < 0)
		return -1 - at;
	if (argc - at > 1)
		return verb_usage(ecsctl, "at most one pool, member or region was expected");
	path = client_path("/v1/health", &(const char *const [2]){"object", argc > at ? argv[at] : NULL}, 1);
	if (!path)
		return REFUSED;
	request.path = path;
	result = ecsctl_request(ecsctl, &request, health_print);
	free(path);
	return result;
}

const struct verb verb_health = {
	.name = "health", .arguments = "[OBJECT]",
	.summary = "which pools and members are up, why, and since when",
	.details = "\nOBJECT is a pool (osaka1), a member (osaka1/osaka1-a) or a region (japan/osaka1); without it, all are shown.\n"
		   "Settings of `ecsctl drain` and its like are shown with who made them and why.\n",
	.run = health_run,
};
