// SPDX-License-Identifier: GPL-3.0-or-later
/* What a push, a rollback and the file of --config do, in the worker's thread. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"
#include "user/common/readiness.h"
#include "user/controller/changes.h"
#include "user/controller/config_file.h"
#include "user/controller/push_job.h"

static const char *push_path(const struct push *push, char *path, size_t size)
{
	snprintf(path, size, "%s/generations/%" PRIu32 ".tar", push->controller->state_path, push->of);
	return path;
}

int push_read_kept(struct push *push, uint32_t generation)
{
	char path[256];
	int fault;

	push->of = generation;
	free(push->archive);
	fault = state_bundle_read(&push->controller->state, generation, &push->archive, &push->length);
	if (fault)
		faults_error(&push->faults, &(struct place){.file = push_path(push, path, sizeof(path))}, "%s%s",
			     strerror(-fault), fault == -ENOENT ? "; `ecsctl history` lists the generations kept" : "");
	return fault;
}

/* What is wrong inside, has been said; here, where that is. */
static void push_kept_is_bad(struct push *push)
{
	char path[256];

	faults_error(&push->faults, &(struct place){.file = push_path(push, path, sizeof(path))},
		     "this bundle, kept of generation %" PRIu32 ", cannot be published again", push->of);
}

/* A push of a large file could not without taking twice as long. */
bool push_tells(const struct push *push)
{
	return push->options.is_dry || push->kind == PUSH_ROLLBACK;
}

/* archive -> generation, with a copy of the ids that is kept only if the push succeeds. */
static int push_compile_bundle(struct push *push, struct bundle *bundle)
{
	uint64_t began = uv_hrtime();
	int fault;

	publisher_set_phase(&push->controller->publisher, "compiling");
	ids_free(&push->ids);
	if (ids_copy(&push->ids, &push->controller->ids))
		return faults_memory(&push->faults);
	fault = push_tells(push) ?
		generation_make_whole(bundle, &push->controller->publisher.health, &push->ids, &push->made, &push->faults) :
		generation_make(bundle, NULL, &push->controller->publisher.health, &push->ids, &push->made, &push->faults);
	if (!fault)
		states_warn(&push->controller->states, push->made->config, &push->faults);
	push->compile_nanoseconds = uv_hrtime() - began;
	return fault;
}

int push_compile(struct push *push, struct bundle **bundle)
{
	int fault;

	publisher_set_phase(&push->controller->publisher, "reading the bundle");
	fault = bundle_read_tar(push->archive, push->length, bundle, &push->faults);
	free(push->archive);
	push->archive = NULL;
	if (!fault)
		fault = push_compile_bundle(push, *bundle);
	if (fault && push->of)
		push_kept_is_bad(push);
	return fault;
}

struct health push_health(const struct push *push)
{
	return (struct health){push->made->down, push->made->config->member_count};
}

struct publication push_publication(const struct push *push, uint32_t number, const struct health *health)
{
	return (struct publication){
		.generation = number, .config = push->made->config, .compiled = push->made->compiled, .health = health,
		.ids = &push->ids, .is_beside = push->kind == PUSH_FILL,
	};
}

int push_publish(struct push *push, uint32_t number, const struct bundle *keep)
{
	const struct health health = push_health(push);
	struct publication publication = push_publication(push, number, &health);
	uint64_t began = uv_hrtime();
	void *archive = NULL;
	int fault;

	if (keep && bundle_write_tar(keep, &archive, &publication.length))
		return faults_memory(&push->faults);
	publication.bundle = archive;
	publication.note = keep ? &push->options.note : NULL;
	push->blame = FIGURES_failed;
	fault = push->options.is_dry ? publish_try(&push->controller->publisher, &publication, &push->faults) :
		publish(&push->controller->publisher, &publication, &push->changes, &push->faults);
	free(archive);
	if (fault == -E2BIG)
		push->blame = FIGURES_refused;
	push->publish_nanoseconds = uv_hrtime() - began;
	push->made->number = push->options.is_dry ? 0 : number;
	push->made->published = time(NULL);
	return fault;
}

/* What is written into tables that are no longer pinned, nobody would ever serve. */
static int push_check_pins(struct push *push)
{
	const struct controller *controller = push->controller;

	if (tables_are_pinned(&controller->tables, controller->pins))
		return 0;
	return faults_error(&push->faults, &(struct place){.file = controller->pins}, READINESS_TABLES_GONE);
}

/*
 * Of a rollback it is told when it is done, which is what matters, and if it is not known, that is no reason not to roll
 * back: a lost bundle may be why. The zones were kept for it alone.
 */
static int push_compare(struct push *push, uint32_t before)
{
	struct faults faults;
	int fault;

	if (!push_tells(push))
		return 0;
	faults_init(&faults);
	fault = changes_find(push->controller, before, push->made, push->options.list, &push->differences,
			     push->options.is_dry ? &push->faults : &faults);
	for (size_t i = 0; i < faults.count; i++)
		faults_warning(&push->faults, NULL, "%s", faults.list[i].text);
	faults_free(&faults);
	zone_set_free(push->made->zones);
	push->made->zones = NULL;
	return push->options.is_dry ? fault : 0;
}

int push_new(struct push *push)
{
	uint32_t number, before = publisher_generation(&push->controller->publisher);
	struct bundle *bundle = NULL;
	int fault = push_check_pins(push);

	push->blame = fault ? FIGURES_failed : FIGURES_refused;
	if (!fault && push->kind == PUSH_ROLLBACK)
		fault = push_read_kept(push, push->of);
	if (!fault)
		fault = push_compile(push, &bundle);
	if (!fault)
		fault = publisher_next(&push->controller->publisher, &number);
	if (!fault)
		fault = push_publish(push, number, bundle);
	bundle_free(bundle);
	if (!fault)
		fault = push_compare(push, before);
	push->done = "published";
	return fault;
}

static int push_file_bundle(struct push *push, struct bundle *bundle)
{
	uint32_t number;
	int fault = push_compile_bundle(push, bundle);

	if (!fault)
		fault = publisher_next(&push->controller->publisher, &number);
	if (!fault)
		fault = push_publish(push, number, bundle);
	push->done = "published";
	return fault;
}

/*
 * Made of this file already: nothing is to be done, and push->made stays null. What came after the live generation could not
 * be brought into these tables, and is tried again.
 */
static bool push_is_known(struct push *push, struct bundle *bundle)
{
	struct controller *controller = push->controller;
	uint32_t live = publisher_generation(&controller->publisher);
	uint32_t of = push->is_first ? config_file_pushed(controller) : 0;

	push->of = live && config_file_same(controller, live, bundle) ? live :
		   of && (int32_t)(live - of) > 0 && config_file_same(controller, of, bundle) ? of : 0;
	if (live && push->of == live)
		log_info("%s is what generation %" PRIu32 " was made of, which is live", controller->config, live);
	else if (live && push->of)
		log_notice("%s was pushed already, as generation %" PRIu32 "; generation %" PRIu32 ", which came after it, stays "
			   "live (SIGHUP pushes the file again)", controller->config, push->of, live);
	return live && push->of;
}

int push_file(struct push *push)
{
	struct bundle *bundle = NULL;
	int fault = push_check_pins(push);

	push->blame = fault ? FIGURES_failed : FIGURES_refused;
	publisher_set_phase(&push->controller->publisher, "reading the configuration");
	if (!fault)
		fault = bundle_read_disk(push->controller->config, CONFIG_FILE_OCTETS_MAX, &bundle, &push->faults);
	if (!fault && !push_is_known(push, bundle))
		fault = push_file_bundle(push, bundle);
	config_file_paths(bundle, &push->paths);
	bundle_free(bundle);
	return fault;
}
