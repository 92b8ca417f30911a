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

/* -- reading -- */

void states_down(void *context, const struct config *config, uint8_t *down)
{
	struct states *states = context;

	pthread_mutex_lock(&states->lock);
	states_verdicts(config, down);
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
	admin_free(&states->admin);
}
