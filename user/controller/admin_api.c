// SPDX-License-Identifier: GPL-3.0-or-later
/* POST admin: the operator's word about a member, a pool or a region. */
#include "user/controller/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"
#include "user/controller/admin_effects.h"
#include "user/controller/follow.h"

#define OBJECTS "a pool (osaka1), a member (osaka1/osaka1-a) or a region (japan/osaka1)"

/* -- what is asked -- */

/* UTF-8 that stays on its line, in a log and in a table. */
static bool admin_is_text(const char *text)
{
	json_t *string = json_string(text);
	bool is_text = string;

	json_decref(string);
	for (; is_text && *text; text++)
		is_text = (unsigned char)*text >= ' ' && *text != 0x7f;
	return is_text;
}

bool admin_is_live(struct controller *controller, struct http_request *request)
{
	if (controller->live)
		return true;
	api_refuse(request, controller->pushes ? 503 : 404, "%s", controller->pushes ?
		   "no configuration is live yet; try again when the start or the push is done" :
		   publisher_generation(&controller->publisher) ?
		   "the live generation's bundle is not in the state directory: push it again" :
		   "no configuration is live; `ecsctl push FILE`");
	return false;
}

const char *admin_argument(struct controller *controller, struct http_request *request, char object[ADMIN_OBJECT_OCTETS])
{
	const char *text = http_argument(request, "object");
	char hint[ADMIN_HINT_OCTETS];
	int fault;

	if (!text || !*text || strlen(text) >= ADMIN_OBJECT_OCTETS || !admin_is_text(text)) {
		api_refuse(request, 400, "object: " OBJECTS " was expected");
		return NULL;
	}
	if (!admin_is_live(controller, request))
		return NULL;
	fault = admin_resolve(&controller->states.admin, controller->live->config, text, object, hint);
	if (!fault)
		return object;
	if (fault == -EEXIST)
		api_refuse(request, 400, "%s is a member and a region; write member:%s or region:%s", text, text, text);
	else if (*hint)
		api_refuse(request, 404, "there is no %s; did you mean %s? `ecsctl health` lists all", text, hint);
	else
		api_refuse(request, 404, "there is no %s; " OBJECTS " was expected, and `ecsctl health` lists all", text);
	return NULL;
}

/* The action of a setting, or ADMIN_ACTION_COUNT for enable. False: its fault has been replied. */
static bool admin_action(struct http_request *request, enum admin_action *action)
{
	const char *text = http_argument(request, "action");

	for (unsigned int i = 0; text && i <= ADMIN_ACTION_COUNT; i++) {
		*action = i;
		if (!strcmp(text, i < ADMIN_ACTION_COUNT ? admin_action_names[i] : "enable"))
			return true;
	}
	api_refuse(request, 400, "action: drain, disable, up, down or enable was expected");
	return false;
}

bool admin_reason(struct http_request *request, char reason[ADMIN_REASON_OCTETS])
{
	const char *text = http_argument(request, "reason");

	if (text && (strlen(text) >= ADMIN_REASON_OCTETS || !admin_is_text(text))) {
		api_refuse(request, 400, "reason: one line of UTF-8 of at most %d octets was expected", ADMIN_REASON_OCTETS - 1);
		return false;
	}
	strcpy(reason, text ? text : "");
	return true;
}

/* -- what is done -- */

struct admin_work {
	struct controller *controller;
	struct http_request *request;
	char object[ADMIN_OBJECT_OCTETS];
	struct admin_setting setting;
	struct admin_setting replaced;
	bool is_enable, has_replaced;
	struct states_view before, after;
	struct reaction_counts counts;
	struct faults faults;
};

static bool admin_read(struct admin_work *work)
{
	struct admin_setting *setting = &work->setting;
	const struct admin_setting *old;
	int fault;

	if (!admin_argument(work->controller, work->request, work->object) ||
	    !admin_action(work->request, &setting->action) || !admin_reason(work->request, setting->reason))
		return false;
	fault = http_peer(work->request, &setting->uid);
	if (fault) {
		api_refuse(work->request, 500, "who asks? %s", strerror(-fault));
		return false;
	}
	work->is_enable = setting->action == ADMIN_ACTION_COUNT;
	setting->kind = admin_object_kind(work->object);
	strcpy(setting->object, work->object);
	setting->since = time(NULL);
	old = admin_find(&work->controller->states.admin, work->object);
	work->has_replaced = old;
	if (old)
		work->replaced = *old;
	if (old && old->action == setting->action)
		setting->since = old->since;	/* other words for what has been so all the time */
	return true;
}

static void admin_log(const struct admin_work *work)
{
	char text[ADMIN_TEXT_OCTETS], old[ADMIN_TEXT_OCTETS] = "";

	if (work->has_replaced)
		admin_text(&work->replaced, old);
	if (work->is_enable && work->has_replaced)
		log_notice("uid %u: %s is enabled%s%s; so far %s", work->setting.uid, work->object,
			   *work->setting.reason ? ": " : "", work->setting.reason, old);
	else if (!work->is_enable)
		log_notice("uid %u: %s%s%s", work->setting.uid, admin_text(&work->setting, text), *old ? "; so far " : "", old);
}

static void admin_refuse_save(struct admin_work *work, int fault)
{
	if (fault == -ENOSPC && work->controller->states.admin.count == ADMIN_SETTINGS_MAX && !work->has_replaced)
		api_refuse(work->request, 400, "there are %d settings already; `ecsctl enable` removes one", ADMIN_SETTINGS_MAX);
	else
		api_refuse(work->request, 500, "saving admin.json in %s: %s%s; nothing was changed", work->controller->state_path,
			   strerror(-fault), fault == -ENOENT ? " (the directory was removed: restart ecsdns-controller, which "
			   "makes a new one)" : "");
}

/* What else there is to know: reached or not, and what it leads to. */
static void admin_warnings(struct admin_work *work)
{
	struct controller *controller = work->controller;
	const struct generation *live = controller->live;
	const struct admin_setting *setting = work->is_enable ? NULL : &work->setting;

	if (work->is_enable && !work->has_replaced)
		faults_warning(&work->faults, NULL, "%s had no setting of its own", work->object);
	if (!publisher_follows(&controller->publisher))
		faults_warning(&work->faults, NULL, "it is saved, but answers do not follow before the next push: the tables "
			       "hold something else than the live generation compiles to");
	if (work->counts.missing)
		faults_warning(&work->faults, NULL, "table answers has no free entry: %u answers stay as they were; make the "
			       "tables larger (`ecsdns-loader attach --answers`)", work->counts.missing);
	admin_effects(live->config, live->compiled, work->object, setting, &work->before, &work->after, &work->faults);
}

static json_t *admin_reply(const struct admin_work *work)
{
	const struct config *config = work->controller->live->config;
	json_int_t changed = 0;

	for (uint32_t i = 0; i < config->member_count; i++)
		changed += work->before.down[i] != work->after.down[i];
	return json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:o}", "object", work->object,
			 "action", work->is_enable ? "enable" : admin_action_names[work->setting.action],
			 "setting", admin_setting_json(work->is_enable ? NULL : &work->setting),
			 "replaced", admin_setting_json(work->has_replaced ? &work->replaced : NULL),
			 "members_changed", changed, "answers_changed", (json_int_t)work->counts.indices,
			 "faults", faults_json(&work->faults));
}

/* Saved, then in the answers, then acknowledged. */
static void admin_run(struct admin_work *work)
{
	struct controller *controller = work->controller;
	const struct config *config = controller->live->config;
	int fault = states_view(&controller->states, config, &work->before);

	if (!fault && !(work->is_enable && !work->has_replaced)) {
		fault = states_administer(&controller->states, work->object, work->is_enable ? NULL : &work->setting);
		if (fault) {
			admin_refuse_save(work, fault);
			return;
		}
		admin_log(work);
		follow_health(controller, &work->counts);
	}
	if (!fault)
		fault = states_view(&controller->states, config, &work->after);
	if (fault) {
		http_reply(work->request, 500, NULL);
		return;
	}
	admin_warnings(work);
	http_reply(work->request, 200, admin_reply(work));
}

void admin_handle(struct controller *controller, struct http_request *request)
{
	struct admin_work *work = calloc(1, sizeof(*work));

	if (!work) {
		http_reply(request, 500, NULL);
		return;
	}
	work->controller = controller;
	work->request = request;
	faults_init(&work->faults);
	if (admin_read(work))
		admin_run(work);
	faults_free(&work->faults);
	states_view_free(&work->before);
	states_view_free(&work->after);
	free(work);
}
