// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/changes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"
#include "user/controller/diff.h"

/* -- the same states for both: a verdict that comes between the two would look like a change of theirs -- */

struct made_states {
	const struct generation *made;
	const struct health_source *source;
};

/* "pool/member", as checks know them; a CNAME pool has its own name alone. */
static size_t member_text(const struct config_pool *pool, size_t member, char text[256])
{
	return snprintf(text, 256, "%s/%s", pool->name, pool->cname ? "" : pool->members[member].name);
}

/* Numbers in the order in which they are found: names are one in a configuration. */
static void members_name(const struct config *config, struct words *names)
{
	char text[256];

	for (size_t i = 0; i < config->pool_count; i++)
		for (size_t j = 0; j < config_pool_states(&config->pools[i]); j++)
			words_set(names, config->pools[i].first_member + j, text, member_text(&config->pools[i], j, text));
}

static void made_states_read(void *context, const struct config *config, uint8_t *down)
{
	const struct made_states *states = context;
	struct words names;
	char text[256];
	uint32_t number;

	if (states->source->read)
		states->source->read(states->source->context, config, down);
	words_init(&names);
	members_name(states->made->config, &names);
	for (size_t i = 0; i < config->pool_count; i++)
		for (size_t j = 0; j < config_pool_states(&config->pools[i]); j++) {
			number = words_find(&names, text, member_text(&config->pools[i], j, text));
			if (number != WORDS_NONE)
				down[config->pools[i].first_member + j] = states->made->down[number];
		}
	words_free(&names);
}

/* -- what was or is live -- */

/* Its warnings were told when it was pushed; ids are not compared. */
static int changes_compile(struct controller *controller, const struct generation *made, const uint8_t *archive, size_t length,
			   struct generation **out)
{
	struct made_states states = {made, &controller->publisher.health};
	const struct health_source source = {made_states_read, &states};
	struct bundle *bundle = NULL;
	struct faults quiet;
	struct ids ids;
	int fault;

	faults_init(&quiet);
	fault = ids_copy(&ids, &controller->ids);
	if (fault)
		return fault;
	fault = bundle_read_tar(archive, length, &bundle, &quiet);
	if (!fault)
		fault = generation_make_whole(bundle, &source, &ids, out, &quiet);
	bundle_free(bundle);
	ids_free(&ids);
	faults_free(&quiet);
	return fault;
}

static int changes_read(struct controller *controller, uint32_t number, const struct generation *made, struct generation **out,
			struct faults *faults)
{
	uint8_t *archive;
	size_t length;
	int fault = state_bundle_read(&controller->state, number, &archive, &length);

	if (!fault)
		fault = changes_compile(controller, made, archive, length, out);
	if (!fault) {
		(*out)->number = number;
		free(archive);
		return 0;
	}
	free(archive);
	faults_error(faults, NULL, "what would change is not known: the bundle of generation %" PRIu32 ", which is live, cannot be "
		     "read from %s/generations: %s; a push without --dry-run mends that", number, controller->state_path,
		     strerror(-fault));
	return fault;
}

int changes_find(struct controller *controller, uint32_t before, const struct generation *made, size_t limit,
		 json_t **changes, struct faults *faults)
{
	struct generation *was = NULL;
	int fault;

	publisher_set_phase(&controller->publisher, "comparing");
	fault = before ? changes_read(controller, before, made, &was, faults) : 0;
	if (!fault) {
		*changes = diff_json(was, made, limit);
		fault = *changes ? 0 : faults_memory(faults);
	}
	generation_free(was);
	return fault;
}

/* "1 added, 2 changed" of each part would be a long line: answers and zones are what clients see. */
void changes_log(const json_t *changes)
{
	const json_t *answers = json_object_get(changes, "answers");

	if (!changes)
		return;
	log_notice("it changed %lld answers, added %lld and removed %lld; %zu topologies and %zu zones are others",
		   (long long)json_integer_value(json_object_get(answers, "changed")),
		   (long long)json_integer_value(json_object_get(answers, "added")),
		   (long long)json_integer_value(json_object_get(answers, "removed")),
		   json_array_size(json_object_get(changes, "topologies")), json_array_size(json_object_get(changes, "zones")));
}
