// SPDX-License-Identifier: GPL-3.0-or-later
/* drain, disable, force-up, force-down and enable: one request, five words for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecsctl/ecsctl.h"

static void admin_print(const json_t *reply)
{
	const json_t *setting = json_object_get(reply, "setting"), *replaced = json_object_get(reply, "replaced");

	output_faults(json_object_get(reply, "faults"));
	if (json_is_object(setting))
		printf("%s", field_text(setting, "text"));
	else
		printf("%s is enabled", field_text(reply, "object"));
	printf("; changed: %lld of the members' states, %lld answers\n", field_number(reply, "members_changed"),
	       field_number(reply, "answers_changed"));
	if (json_is_object(replaced))
		output_setting("so far: ", replaced);
}

/* The actions have the verbs' names, but for the forced ones. */
static const char *admin_action(const char *verb)
{
	return strncmp(verb, "force-", 6) ? verb : verb + 6;
}

static int admin_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	const char *reason = NULL;
	const struct verb_option own[] = {{"reason", NULL, &reason}, {0}};
	int at = verb_options(ecsctl, argc, argv, own), result;
	struct request request = {.is_post = 1};
	char *path;

	if (at < 0)
		return -1 - at;
	if (argc - at != 1)
		return verb_usage(ecsctl, "one pool, member or region was expected");
	path = client_path("/v1/admin", (const char *const [][2]){
		{"object", argv[at]}, {"action", admin_action(ecsctl->verb->name)}, {"reason", reason},
	}, 3);
	if (!path)
		return REFUSED;
	request.path = path;
	result = ecsctl_request(ecsctl, &request, admin_print);
	free(path);
	return result;
}

#define OBJECTS														\
	"\nOBJECT is a pool (osaka1), a member (osaka1/osaka1-a), or a region (japan/osaka1): the pools that it prefers\n"	\
	"first in any service. A member's setting goes before its pool's, and that before a region's. It is saved\n"	\
	"before this returns, and lasts until `ecsctl enable OBJECT`, over restarts and pushes.\n\n"
#define REASON "  --reason TEXT  what `ecsctl health`, status and explain show beside it\n"

const struct verb verb_drain = {
	.name = "drain", .arguments = "[--reason TEXT] OBJECT",
	.summary = "point no more answers there; checks go on",
	.details = OBJECTS REASON, .run = admin_run,
};
const struct verb verb_disable = {
	.name = "disable", .arguments = "[--reason TEXT] OBJECT",
	.summary = "point no more answers there, and do not check it",
	.details = OBJECTS REASON, .run = admin_run,
};
const struct verb verb_force_up = {
	.name = "force-up", .arguments = "[--reason TEXT] OBJECT",
	.summary = "count it as up, whatever checks say",
	.details = OBJECTS REASON, .run = admin_run,
};
const struct verb verb_force_down = {
	.name = "force-down", .arguments = "[--reason TEXT] OBJECT",
	.summary = "count it as down, whatever checks say",
	.details = OBJECTS REASON, .run = admin_run,
};
const struct verb verb_enable = {
	.name = "enable", .arguments = "[--reason TEXT] OBJECT",
	.summary = "let checks decide again: remove its setting",
	.details = "\nOBJECT is a pool, a member or a region, also one that the live configuration does not have any more:\n"
		   "`ecsctl health` lists the settings. Settings of what is in it, or what it is in, stay.\n\n"
		   "  --reason TEXT  what the controller's log says beside it\n",
	.run = admin_run,
};
