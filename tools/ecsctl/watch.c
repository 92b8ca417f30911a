// SPDX-License-Identifier: GPL-3.0-or-later
/* watch: asks once a second what has changed, and prints that alone. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/ecsctl/ecsctl.h"

static volatile sig_atomic_t is_over;

struct watch {
	struct ecsctl *ecsctl;
	const char *object;
	json_t *states;		/* "member osaka1/osaka1-a" -> {"state", "why"}; null before the first reply */
	char version[64];
	long long generation;
	int is_lost;		/* the controller does not answer */
};

/* -- what is printed -- */

static void watch_line(const struct watch *watch, const char *object, const char *from, const char *to, const char *why)
{
	time_t now = time(NULL);
	struct tm parts;
	char clock[32];
	json_t *line;

	if (watch->ecsctl->is_json) {
		line = json_pack("{s:I, s:s, s:s, s:s, s:s}", "time", (json_int_t)now, "object", object, "from", from, "to", to,
				 "why", why);
		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(line);
	} else {
		strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &parts));
		printf("%s  %s: ", clock, object);
		if (*from && strcmp(from, to))
			printf("%s -> ", from);
		printf("%s%s%s\n", to, *why ? "  " : "", why);
	}
	fflush(stdout);
}

static void watch_compare(struct watch *watch, json_t *states)
{
	const json_t *now, *before;
	const char *object;

	json_object_foreach(states, object, now) {
		before = json_object_get(watch->states, object);
		if (!before || strcmp(field_text(before, "state"), field_text(now, "state")) ||
		    strcmp(field_text(before, "why"), field_text(now, "why")))
			watch_line(watch, object, before ? field_text(before, "state") : "", field_text(now, "state"),
				   field_text(now, "why"));
	}
	json_object_foreach(watch->states, object, before)
		if (!json_object_get(states, object))
			watch_line(watch, object, field_text(before, "state"), "gone", "");
}

/* -- what is kept of a reply -- */

static void watch_keep(json_t *states, const char *kind, const char *name, const json_t *state, const char *why)
{
	json_t *object = json_sprintf("%s %s", kind, name);

	json_object_set_new(states, json_string_value(object),
			    json_pack("{s:s, s:s}", "state", field_text(state, "state"), "why", why));
	json_decref(object);
}

static void watch_keep_pool(json_t *states, const json_t *pool)
{
	const json_t *member;
	char text[256];
	size_t i;

	snprintf(text, sizeof(text), "%lld of %lld members up", field_number(pool, "members_up"),
		 field_number(pool, "members_all"));
	watch_keep(states, "pool", field_text(pool, "pool"), pool, *field_text(pool, "cname") ? field_text(pool, "why") : text);
	json_array_foreach(json_object_get(pool, "members"), i, member) {
		snprintf(text, sizeof(text), "%s/%s", field_text(pool, "pool"), field_text(member, "member"));
		watch_keep(states, "member", text, member, field_text(member, "why"));
	}
}

static json_t *watch_states(const json_t *reply)
{
	json_t *states = json_object();
	const json_t *each;
	size_t i;

	json_array_foreach(json_object_get(reply, "pools"), i, each)
		watch_keep_pool(states, each);
	json_array_foreach(json_object_get(reply, "regions"), i, each)
		watch_keep(states, "region", field_text(each, "region"), each,
			   field_text(json_object_get(each, "setting"), "text"));
	return states;
}

static void watch_take(struct watch *watch, const json_t *reply)
{
	char generation[32];
	json_t *states;

	snprintf(watch->version, sizeof(watch->version), "%s", field_text(reply, "version"));
	if (field_is(reply, "unchanged"))
		return;
	states = watch_states(reply);
	snprintf(generation, sizeof(generation), "generation %lld", field_number(reply, "generation"));
	if (!watch->states) {
		if (!watch->ecsctl->is_json)
			fprintf(stderr, "%s, %lld of %lld members up; changes follow as they come\n", generation,
				field_number(reply, "members_up"), field_number(reply, "members_all"));
	} else {
		if (watch->generation != field_number(reply, "generation"))
			watch_line(watch, generation, "", "live", "");
		watch_compare(watch, states);
	}
	watch->generation = field_number(reply, "generation");
	json_decref(watch->states);
	watch->states = states;
}

/* -- asking -- */

/* The first answer has to come; after it a controller may restart. */
static int watch_ask(struct watch *watch)
{
	struct request request = {.is_quiet = watch->states != NULL};
	json_t *reply = NULL;
	int status = 0, result;
	char *path;

	path = client_path("/v1/health", (const char *const [][2]){
		{"object", watch->object}, {"unless", *watch->version ? watch->version : NULL},
	}, 2);
	if (!path)
		return REFUSED;
	request.path = path;
	result = client_request(watch->ecsctl, &request, &reply, &status);
	free(path);
	if (!result && status == 200) {
		if (watch->is_lost)
			watch_line(watch, "controller", "", "answers again", "");
		watch->is_lost = 0;
		watch_take(watch, reply);
	} else if (!watch->states) {
		if (!result)
			output_error(watch->ecsctl, reply);
		result = REFUSED;
	} else {
		if (!watch->is_lost)
			watch_line(watch, "controller", "answers", result ? "silent" : "refuses", field_text(reply, "error"));
		watch->is_lost = 1;
		result = DONE;
	}
	json_decref(reply);
	return result;
}

static void watch_on_signal(int number)
{
	(void)number;
	is_over = 1;
}

static int watch_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = watch_on_signal};
	struct watch watch = {.ecsctl = ecsctl};
	int at = verb_options(ecsctl, argc, argv, NULL), result;

	if (at < 0)
		return -1 - at;
	if (argc - at > 1)
		return verb_usage(ecsctl, "at most one pool, member or region was expected");
	watch.object = argc > at ? argv[at] : NULL;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	do {
		result = watch_ask(&watch);
		if (!result && !is_over)
			sleep(1);
	} while (!result && !is_over && !ferror(stdout));
	json_decref(watch.states);
	return is_over ? DONE : result;
}

const struct verb verb_watch = {
	.name = "watch", .arguments = "[OBJECT]",
	.summary = "print changes of pools, members and regions as they come",
	.details = "\nOBJECT as for `ecsctl health`. Asks once a second, until it is interrupted; a controller that restarts meanwhile\n"
		   "is waited for. With --json every change is a line of its own.\n",
	.run = watch_run,
};
