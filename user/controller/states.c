// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/states.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/common/log.h"

#define FILE_NAME "admin.json"
#define HEALTH_FILE_NAME "health.json"
#define HEALTH_OCTETS_MAX (256UL << 20)
#define JOURNAL_FILE_NAME "health.journal"
/* Milliseconds: so long the journal has the changes. Of very many members writing all takes seconds, in which no answer follows. */
#define SAVE_AFTER 1000
#define SAVE_AFTER_MOST 600000
#define SAVE_SHARE 100		/* of the time at most one part in so many is for writing */
#define SAVE_AGAIN 10000	/* when that failed: a disk that was full may have room by then */
#define FILE_OCTETS_MAX (32UL << 20)	/* several times ADMIN_SETTINGS_MAX of the longest */

/* What checks say, of members of any configuration, with the lock held; those that nobody checks are up. */
static void states_verdicts(const struct states *states, const struct config *config, uint8_t *down)
{
	const struct checks *checks = states->checks;

	if (!config->member_count)
		return;
	memset(down, 0, config->member_count);
	if (checks && checks_config(checks) == config)
		memcpy(down, checks_down(checks), config->member_count);
	else if (checks && checks_down_of(checks, config, &states->saved, down))
		log_error("states of members: no memory; all count as up");
}

/* -- what settings come to -- */

static void overlay_forget(struct states_overlay *overlay)
{
	free(overlay->list);
	memset(overlay, 0, sizeof(*overlay));
}

static void states_forget(struct states *states)
{
	for (int i = 0; i < 2; i++)
		overlay_forget(&states->overlays[i]);
}

static int overlay_make(struct states_overlay *overlay, const struct admin *admin, const struct config *config)
{
	const struct admin_setting **causes = calloc(config->member_count + 1, sizeof(*causes));
	uint8_t *down = calloc(config->member_count + 1, 1);
	int fault = -ENOMEM;

	memset(overlay, 0, sizeof(*overlay));
	overlay->list = calloc(config->member_count + 1, sizeof(*overlay->list));
	if (!causes || !down || !overlay->list)
		goto out;
	admin_apply(admin, config, down, causes);
	for (uint32_t i = 0; i < config->member_count; i++)
		if (causes[i])
			overlay->list[overlay->count++] = (struct states_decided){i, down[i], causes[i]->action};
	overlay->config = config->serial;
	fault = 0;
out:
	free(causes);
	free(down);
	if (fault)
		overlay_forget(overlay);
	return fault;
}

/* With the lock held. Null without memory: then one has to do without. */
static const struct states_overlay *states_overlay(struct states *states, const struct config *config)
{
	struct states_overlay *oldest = &states->overlays[states->oldest];

	for (int i = 0; i < 2; i++)
		if (states->overlays[i].config == config->serial)
			return &states->overlays[i];
	overlay_forget(oldest);
	if (overlay_make(oldest, &states->admin, config))
		return NULL;
	states->oldest ^= 1;
	return oldest;
}

/* -- reading -- */

void states_down(void *context, const struct config *config, uint8_t *down)
{
	const struct states_overlay *overlay;
	struct states *states = context;

	pthread_mutex_lock(&states->lock);
	states_verdicts(states, config, down);
	overlay = states_overlay(states, config);
	for (size_t i = 0; overlay && i < overlay->count; i++)
		down[overlay->list[i].member] = overlay->list[i].is_down;
	if (!overlay)
		admin_apply(&states->admin, config, down, NULL);
	pthread_mutex_unlock(&states->lock);
}

void states_warn(struct states *states, const struct config *config, struct faults *faults)
{
	pthread_mutex_lock(&states->lock);
	admin_warn(&states->admin, config, faults);
	pthread_mutex_unlock(&states->lock);
}

int states_glance(struct states *states, const struct config *config, struct states_glance *glance)
{
	bool is_checked = states->checks && checks_config(states->checks) == config;
	const struct states_overlay *overlay;

	glance->down = malloc(config->member_count + 1);
	glance->actions = malloc(config->member_count + 1);
	glance->results = malloc(config->member_count + 1);
	if (!glance->down || !glance->actions || !glance->results)
		return -ENOMEM;
	states_down(states, config, glance->down);
	memset(glance->actions, ADMIN_ACTION_COUNT, config->member_count);
	pthread_mutex_lock(&states->lock);
	overlay = states_overlay(states, config);
	for (size_t i = 0; overlay && i < overlay->count; i++)
		glance->actions[overlay->list[i].member] = overlay->list[i].action;
	pthread_mutex_unlock(&states->lock);
	for (uint32_t i = 0; i < config->member_count; i++)
		glance->results[i] = is_checked ? checks_last(states->checks, i) : CHECK_REASON_COUNT;
	return overlay ? 0 : -ENOMEM;
}

void states_glance_free(struct states_glance *glance)
{
	free(glance->down);
	free(glance->actions);
	free(glance->results);
	memset(glance, 0, sizeof(*glance));
}

int states_view(const struct states *states, const struct config *config, struct states_view *view)
{
	view->verdicts = calloc(config->member_count + 1, 1);
	view->down = calloc(config->member_count + 1, 1);
	view->causes = calloc(config->member_count + 1, sizeof(*view->causes));
	if (!view->verdicts || !view->down || !view->causes)
		return -ENOMEM;
	states_verdicts(states, config, view->verdicts);
	memcpy(view->down, view->verdicts, config->member_count);
	admin_apply(&states->admin, config, view->down, view->causes);
	return 0;
}

void states_view_free(struct states_view *view)
{
	free(view->verdicts);
	free(view->down);
	free(view->causes);
	memset(view, 0, sizeof(*view));
}

/* -- verdicts -- */

/* Half of them would pass for all, after the next start: those that are behind are not saved. */
static int states_save_verdicts(struct states *states)
{
	const struct config *config = states->is_behind ? NULL : checks_config(states->checks);
	char *text = config ? health_save_text(config, checks_member(states->checks, 0)) : NULL;
	int fault = text ? state_write(states->state, HEALTH_FILE_NAME, text, strlen(text), 0640) : -ENOMEM;

	if (config && fault && !states->save_fails)
		log_error("%s/" HEALTH_FILE_NAME ": %s; until it can be written the changes pile up in " JOURNAL_FILE_NAME,
			  states->state->path, strerror(-fault));
	else if (config && !fault && states->journal >= 0 && ftruncate(states->journal, 0))
		log_error("%s/" JOURNAL_FILE_NAME ": %s", states->state->path, strerror(errno));
	free(text);
	return config ? fault : 0;
}

static void states_on_saving(uv_timer_t *timer)
{
	struct states *states = timer->data;
	bool failed = states->save_fails;
	uint64_t began = uv_hrtime();

	states->save_fails = states_save_verdicts(states);
	states->save_milliseconds = (uv_hrtime() - began) / 1000000;
	if (states->save_fails) {
		uv_timer_start(timer, states_on_saving, SAVE_AGAIN, 0);
		return;
	}
	states->journal_fails = false;
	if (failed)
		log_notice("%s/" HEALTH_FILE_NAME " is written again", states->state->path);
}

static void states_save_soon(struct states *states)
{
	uint64_t after = states->save_milliseconds * SAVE_SHARE;

	after = after < SAVE_AFTER ? SAVE_AFTER : after < SAVE_AFTER_MOST ? after : SAVE_AFTER_MOST;
	if (!uv_is_active((uv_handle_t *)&states->saving))
		uv_timer_start(&states->saving, states_on_saving, after, 0);
}

/* The whole line or nothing of it: the next one shall begin a line. 0 or -errno. */
static int journal_write(const struct states *states, const char *line)
{
	ssize_t length = strlen(line), wrote = write(states->journal, line, length);

	if (wrote == length)
		return 0;
	if (wrote < 0)
		return -errno;
	return ftruncate(states->journal, lseek(states->journal, 0, SEEK_END) - wrote) ? -errno : -ENOSPC;
}

/* Before answers follow it: whoever starts after us knows what they are of. */
static void states_on_verdict(void *context, uint32_t member)
{
	struct states *states = context;
	char *line;
	int fault;

	states->has_changed = true;
	if (states->journal < 0 || states->is_behind)
		return;
	line = health_save_change(checks_config(states->checks), member, &checks_member(states->checks, member)->record);
	fault = line ? journal_write(states, line) : -ENOMEM;
	if (fault && !states->journal_fails)
		log_error("%s/" JOURNAL_FILE_NAME ": %s; if this process is killed now, the last states of members are lost",
			  states->state->path, strerror(-fault));
	states->journal_fails |= fault != 0;
	free(line);
}

/* What nobody has saved is known again when every check has told. */
static void states_end_round(struct states *states)
{
	if (states->has_round || !checks_have_told(states->checks))
		return;
	states->has_round = true;
	states->has_changed |= states->is_behind;
	states->is_behind = false;
	states_save_soon(states);
}

static void states_on_settled(void *context)
{
	struct states *states = context;

	states_end_round(states);
	if (!states->has_changed || states->is_behind)
		return;
	states->has_changed = false;
	states->changed(states->context);
	states_save_soon(states);
}

static void states_read_journal(struct states *states)
{
	uint8_t *octets;
	size_t length;
	int fault = state_read(states->state, JOURNAL_FILE_NAME, HEALTH_OCTETS_MAX, &octets, &length);
	bool is_torn = !fault && length && octets[length - 1] != '\n';

	if (!fault) {
		health_saved_add(&states->saved, (const char *)octets, length);
		free(octets);
	} else if (fault != -ENOENT) {
		log_error("%s/" JOURNAL_FILE_NAME ": %s; the last states of members are found anew", states->state->path,
			  strerror(-fault));
	}
	if (state_is_beside(states->state))
		return;
	states->journal = state_append(states->state, JOURNAL_FILE_NAME, 0640);
	if (states->journal < 0)
		log_error("%s/" JOURNAL_FILE_NAME ": %s", states->state->path, strerror(-states->journal));
	else if (is_torn && (fault = journal_write(states, "\n")))
		log_error("%s/" JOURNAL_FILE_NAME ": %s", states->state->path, strerror(-fault));
}

/* Nothing that is spoilt here is worth being down for: the first result of each check decides. */
static int states_read_verdicts(struct states *states, struct faults *faults)
{
	char path[PATH_MAX];
	uint8_t *octets;
	size_t length;
	int fault;

	snprintf(path, sizeof(path), "%s/" HEALTH_FILE_NAME, states->state->path);
	fault = state_read(states->state, HEALTH_FILE_NAME, HEALTH_OCTETS_MAX, &octets, &length);
	if (!fault) {
		fault = health_saved_parse(&states->saved, path, octets, length, faults);
		free(octets);
		states->are_verdicts_saved = !fault;
	} else if (fault == -ENOENT) {
		fault = 0;
	} else {
		log_error("%s: %s", path, strerror(-fault));
	}
	if (fault == -ENOMEM)
		return fault;
	if (fault)
		log_warning("states of members are found anew, by their checks");
	states_read_journal(states);
	return 0;
}

int states_watch(struct states *states, uv_loop_t *loop, void (*changed)(void *context), void *context,
		 struct faults *faults)
{
	const struct checks_owner owner = {
		.changed = states_on_verdict, .settled = states_on_settled, .lock = &states->lock, .context = states,
	};
	int fault = states_read_verdicts(states, faults);

	if (fault)
		return faults_memory(faults);
	states->changed = changed;
	states->context = context;
	states->checks = checks_new(loop, &owner);
	if (!states->checks)
		return faults_memory(faults);
	uv_timer_init(loop, &states->saving);
	states->saving.data = states;
	return 0;
}

/* Who is disabled is not checked. */
static void states_pause(struct states *states)
{
	const struct config *config = states->checks ? checks_config(states->checks) : NULL;
	const struct admin_setting **causes = config ? calloc(config->member_count + 1, sizeof(*causes)) : NULL;
	uint8_t *down = config ? calloc(config->member_count + 1, 1) : NULL;

	if (causes && down) {
		admin_apply(&states->admin, config, down, causes);
		for (uint32_t i = 0; i < config->member_count; i++)
			checks_pause(states->checks, i, causes[i] && causes[i]->action == ADMIN_disable);
	}
	free(causes);
	free(down);
}

int states_load(struct states *states, const struct config *config)
{
	int fault;

	pthread_mutex_lock(&states->lock);
	fault = checks_load(states->checks, config, &states->saved);
	if (!fault)
		health_saved_free(&states->saved);	/* of who comes back later it would tell what was long ago */
	pthread_mutex_unlock(&states->lock);
	states->has_round = false;
	if (fault)
		log_error("checks of the new configuration: %s; those before go on", strerror(-fault));
	states_pause(states);
	if (!states->are_verdicts_saved && !states->is_behind)
		states->are_verdicts_saved = !states_save_verdicts(states);	/* a journal alone does not tell of all */
	return fault;
}

bool states_are_known(const struct states *states, const struct config *config)
{
	bool are_checked = false;

	for (size_t i = 0; i < config->pool_count; i++)
		are_checked |= config->pools[i].check != CONFIG_NONE;
	return are_checked ? states->are_verdicts_saved : states->is_saved;
}

void states_stop(struct states *states)
{
	if (!states->checks)
		return;
	states_save_verdicts(states);
	uv_close((uv_handle_t *)&states->saving, NULL);
	checks_stop(states->checks);
	states->checks = NULL;
}

const struct health_member *states_member(const struct states *states, const struct config *config, uint32_t number)
{
	const struct health_member *member;

	if (!states->checks || checks_config(states->checks) != config)
		return NULL;
	member = checks_member(states->checks, number);
	return member->is_checked ? member : NULL;
}

/* -- settings -- */

static int states_save(const struct states *states, const struct admin *admin)
{
	char *text = admin_format(admin);
	int fault = -ENOMEM;

	if (text)
		fault = state_write(states->state, FILE_NAME, text, strlen(text), 0640);
	free(text);
	return fault;
}

int states_administer(struct states *states, const char *object, const struct admin_setting *setting)
{
	struct admin next, old;
	int fault = admin_change(&next, &states->admin, object, setting);

	if (fault)
		return fault;
	fault = states_save(states, &next);
	if (fault) {
		admin_free(&next);
		return fault;
	}
	pthread_mutex_lock(&states->lock);
	old = states->admin;
	states->admin = next;
	states_forget(states);
	states->is_saved = true;
	pthread_mutex_unlock(&states->lock);
	admin_free(&old);
	states_pause(states);
	return 0;
}

int states_init(struct states *states, const struct state *state, struct faults *faults)
{
	char path[PATH_MAX];
	uint8_t *octets;
	size_t length;
	int fault;

	*states = (struct states){.state = state, .journal = -1};
	pthread_mutex_init(&states->lock, NULL);
	snprintf(path, sizeof(path), "%s/" FILE_NAME, state->path);
	fault = state_read(state, FILE_NAME, FILE_OCTETS_MAX, &octets, &length);
	if (fault == -ENOENT)
		return 0;
	if (fault)
		return faults_error(faults, &(struct place){.file = path}, "%s; without it nobody knows what was drained",
				    strerror(-fault));
	states->is_saved = true;
	fault = admin_parse(&states->admin, path, octets, length, faults);
	free(octets);
	return fault;
}

void states_free(struct states *states)
{
	states_forget(states);
	admin_free(&states->admin);
	health_saved_free(&states->saved);
	if (states->state && states->journal >= 0)
		close(states->journal);
}
