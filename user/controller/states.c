// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/states.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "admin.json"
#define FILE_OCTETS_MAX (32UL << 20)	/* several times ADMIN_SETTINGS_MAX of the longest */

/* What checks say, of members of any configuration; those that nobody checks are up. */
static void states_verdicts(const struct config *config, uint8_t *down)
{
	if (config->member_count)
		memset(down, 0, config->member_count);
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
			overlay->list[overlay->count++] = (struct states_decided){i, down[i]};
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
	states_verdicts(config, down);
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

int states_view(const struct states *states, const struct config *config, struct states_view *view)
{
	view->verdicts = calloc(config->member_count + 1, 1);
	view->down = calloc(config->member_count + 1, 1);
	view->causes = calloc(config->member_count + 1, sizeof(*view->causes));
	if (!view->verdicts || !view->down || !view->causes)
		return -ENOMEM;
	states_verdicts(config, view->verdicts);
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
	return 0;
}

int states_init(struct states *states, const struct state *state, struct faults *faults)
{
	char path[PATH_MAX];
	uint8_t *octets;
	size_t length;
	int fault;

	*states = (struct states){.state = state};
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
}
