// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * admin.json. It is written whole or not at all, so that only an editor breaks it; then nobody knows what was drained, and
 * to answer from there again unasked would be worse than not to start: the driver goes on answering as it did.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/admin.h"
#include "user/controller/tree.h"

#define VERSION 1

static json_t *save_setting(const struct admin_setting *setting)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I}", "object", setting->object,
			 "action", admin_action_names[setting->action], "reason", setting->reason,
			 "uid", (json_int_t)setting->uid, "since", (json_int_t)setting->since);
}

char *admin_format(const struct admin *admin)
{
	json_t *list = json_array(), *root;
	char *text;

	for (size_t i = 0; list && i < admin->count; i++) {
		if (!json_array_append_new(list, save_setting(&admin->list[i])))
			continue;
		json_decref(list);
		list = NULL;
	}
	root = json_pack("{s:i, s:o}", "version", VERSION, "settings", list);
	text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
	json_decref(root);
	return text;
}

/* "pool osaka1", "member osaka1/osaka1-a", "region japan/osaka1". */
static bool parse_object(const char *object, struct admin_setting *setting)
{
	const char *name, *slash;

	setting->kind = admin_object_kind(object);
	if (setting->kind == ADMIN_KIND_COUNT || strlen(object) >= sizeof(setting->object))
		return false;
	strcpy(setting->object, object);
	name = object + strlen(admin_kind_names[setting->kind]) + 1;
	slash = strchr(name, '/');
	if (setting->kind == ADMIN_pool)
		return tree_label_ok(name, strlen(name));
	return slash && tree_label_ok(name, slash - name) && tree_label_ok(slash + 1, strlen(slash + 1));
}

static bool parse_action(const char *name, struct admin_setting *setting)
{
	for (int action = 0; action < ADMIN_ACTION_COUNT; action++) {
		if (strcmp(name, admin_action_names[action]))
			continue;
		setting->action = action;
		return true;
	}
	return false;
}

/* What is wrong with it, or null. */
static const char *parse_setting(json_t *value, struct admin_setting *setting)
{
	const char *object, *action, *reason;
	json_int_t uid, since;

	memset(setting, 0, sizeof(*setting));
	if (json_unpack(value, "{s:s, s:s, s:s, s:I, s:I!}", "object", &object, "action", &action, "reason", &reason,
			"uid", &uid, "since", &since))
		return "expected \"object\", \"action\", \"reason\", \"uid\" and \"since\", and nothing else";
	if (!parse_object(object, setting))
		return "expected an \"object\" such as \"pool osaka1\", \"member osaka1/osaka1-a\" or \"region japan/osaka1\"";
	if (!parse_action(action, setting))
		return "expected the \"action\" drain, disable, up or down";
	if (strlen(reason) >= sizeof(setting->reason))
		return "the \"reason\" is too long";
	if (uid < 0 || uid > UINT32_MAX || since < 0)
		return "expected numbers from 0 for \"uid\" and \"since\"";
	strcpy(setting->reason, reason);
	setting->uid = uid;
	setting->since = since;
	return NULL;
}

static int parse_corrupt(struct faults *faults, const char *file, size_t line, const char *why)
{
	return faults_error(faults, &(struct place){.file = file, .line = line},
			    "not the settings that ecsdns saved (%s): mend or restore the file, or remove it to go on without any "
			    "setting, and whatever was drained is answered with again", why);
}

static int parse_list(struct admin *admin, const char *file, json_t *list, struct faults *faults)
{
	size_t count = json_array_size(list);
	struct admin_setting *settings = calloc(count + 1, sizeof(*settings));
	const char *wrong = NULL;
	char why[256];
	int fault;

	if (!settings)
		return faults_memory(faults);
	for (size_t i = 0; i < count && !wrong; i++) {
		wrong = parse_setting(json_array_get(list, i), &settings[i]);
		if (wrong)
			snprintf(why, sizeof(why), "setting %zu: %s", i + 1, wrong);
	}
	if (wrong) {
		free(settings);
		return parse_corrupt(faults, file, 0, why);
	}
	fault = admin_build(admin, settings, count);
	if (fault == -ENOMEM)
		return faults_memory(faults);
	return fault ? parse_corrupt(faults, file, 0, fault == -EEXIST ? "an object has two settings" : "too many") : 0;
}

int admin_parse(struct admin *admin, const char *file, const void *octets, size_t length, struct faults *faults)
{
	json_error_t error;
	json_t *root = json_loadb(octets, length, JSON_REJECT_DUPLICATES, &error), *list = json_object_get(root, "settings");
	int fault;

	memset(admin, 0, sizeof(*admin));
	if (!root)
		return parse_corrupt(faults, file, error.line > 0 ? error.line : 0, error.text);
	if (json_integer_value(json_object_get(root, "version")) != VERSION || !json_is_array(list))
		fault = parse_corrupt(faults, file, 0, "expected \"version\": 1 and a list \"settings\"");
	else
		fault = parse_list(admin, file, list, faults);
	json_decref(root);
	if (fault)
		admin_free(admin);
	return fault;
}
