// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/common/readiness.h"
#include "user/controller/beat.h"
#include "user/controller/push.h"

enum push_kind { PUSH_BUNDLE, PUSH_DRY, PUSH_ROLLBACK, PUSH_START };

struct push {
	struct push *next;
	uv_work_t work;
	struct controller *controller;
	struct http_request *request;	/* null: nobody asked */
	enum push_kind kind;
	uint32_t of;			/* the generation whose bundle was read, 0 if none */
	uint8_t *archive;
	size_t length;
	/* results */
	int fault;
	struct faults faults;
	struct ids ids;
	struct generation *made;
	struct image_changes changes;
	uint64_t compile_nanoseconds, publish_nanoseconds;
	const char *done;		/* "published", "adopted", ...: for the log */
};

static void push_run(struct push *push);

/* -- in the worker's thread -- */

static const char *push_path(const struct push *push, char *path, size_t size)
{
	snprintf(path, size, "%s/generations/%" PRIu32 ".tar", push->controller->state_path, push->of);
	return path;
}

static int push_read_kept(struct push *push, uint32_t generation)
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

/* archive -> generation, with a copy of the ids that is kept only if the push succeeds. */
static int push_compile_bundle(struct push *push, struct bundle *bundle)
{
	uint64_t began = uv_hrtime();
	int fault;

	publisher_set_phase(&push->controller->publisher, "compiling");
	ids_free(&push->ids);
	if (ids_copy(&push->ids, &push->controller->ids))
		return faults_memory(&push->faults);
	fault = generation_make(bundle, NULL, &push->controller->publisher.health, &push->ids, &push->made, &push->faults);
	if (!fault)
		states_warn(&push->controller->states, push->made->config, &push->faults);
	push->compile_nanoseconds = uv_hrtime() - began;
	return fault;
}

static int push_compile(struct push *push, struct bundle **bundle)
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

static struct health push_health(const struct push *push)
{
	return (struct health){push->made->down, push->made->config->member_count};
}

static struct publication push_publication(const struct push *push, uint32_t number, const struct health *health)
{
	return (struct publication){
		.generation = number, .config = push->made->config, .compiled = push->made->compiled, .health = health,
		.ids = &push->ids,
	};
}

/* Publishes push->made; `keep` is the bundle to keep, null if it is kept already. */
static int push_publish(struct push *push, uint32_t number, const struct bundle *keep)
{
	const struct health health = push_health(push);
	struct publication publication = push_publication(push, number, &health);
	uint64_t began = uv_hrtime();
	void *archive = NULL;
	int fault;

	if (keep && bundle_write_tar(keep, &archive, &publication.length))
		return faults_memory(&push->faults);
	publication.bundle = archive;
	fault = push->kind == PUSH_DRY ? publish_try(&push->controller->publisher, &publication, &push->faults) :
		publish(&push->controller->publisher, &publication, &push->changes, &push->faults);
	free(archive);
	push->publish_nanoseconds = uv_hrtime() - began;
	push->made->number = push->kind == PUSH_DRY ? 0 : number;
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

static int push_new(struct push *push)
{
	struct bundle *bundle = NULL;
	uint32_t number;
	int fault = push_check_pins(push);

	if (!fault && push->kind == PUSH_ROLLBACK)
		fault = push_read_kept(push, push->of);
	if (!fault)
		fault = push_compile(push, &bundle);
	if (!fault)
		fault = publisher_next(&push->controller->publisher, &number);
	if (!fault)
		fault = push_publish(push, number, bundle);
	bundle_free(bundle);
	push->done = "published";
	return fault;
}

static time_t push_written(const struct push *push, uint32_t generation)
{
	struct state_bundle *bundles;
	time_t written = 0;
	size_t count;

	if (!state_bundles(&push->controller->state, &bundles, &count))
		for (size_t i = 0; i < count; i++)
			if (bundles[i].generation == generation)
				written = bundles[i].written;
	free(bundles);
	return written;
}

/*
 * The controller before may have ended between saving a state and moving the answers, or between the answers and saving a
 * verdict: what is saved, holds. Without any the answers know better.
 */
static void push_settle(struct push *push, uint32_t by_health)
{
	struct controller *controller = push->controller;
	struct reaction_counts counts;

	if (!states_are_known(&controller->states, push->made->config)) {
		controller->states.is_behind = true;
		log_notice("%" PRIu32 " answers are of states of health that nobody has saved; they stay until every check has "
			   "told once, or the next push", by_health);
		return;
	}
	publisher_react(&controller->publisher, &counts);
	log_notice("%" PRIu32 " answers were of other states of health than those that were saved, and follow these now",
		   counts.indices);
}

/* What health has moved since, and what nothing explains, is told: no answer changes because of a start. */
static int push_take_over(struct push *push)
{
	const struct health health = push_health(push);
	const struct publication publication = push_publication(push, push->made->number, &health);
	struct reaction_difference difference;
	int fault = publisher_adopt(&push->controller->publisher, &publication, &difference, &push->faults);

	if (fault == -EINVAL)
		faults_warning(&push->faults, NULL, "the tables hold something else than generation %" PRIu32 " compiles to "
			       "now; they stay as they are until the next push, and health does not change them",
			       push->made->number);
	else if (!fault && difference.otherwise)
		faults_warning(&push->faults, NULL, "the tables hold something else than generation %" PRIu32 " compiles to "
			       "now: %" PRIu32 " answers stay as they are until the next push or a change of their pools' health",
			       push->made->number, difference.otherwise);
	else if (!fault && difference.by_health)
		push_settle(push, difference.by_health);
	return fault == -EINVAL ? 0 : fault;
}

/* The live generation stays as it is; its bundle is compiled only to know what it is. */
static int push_adopt(struct push *push, uint32_t generation)
{
	struct publisher *publisher = &push->controller->publisher;
	struct bundle *bundle = NULL;
	uint32_t linked;
	int fault;

	if (state_live(&push->controller->state, &linked) || linked != generation)
		state_set_live(&push->controller->state, generation);
	state_prune(&push->controller->state, generation, STATE_BUNDLES_KEPT);
	fault = publisher_read(publisher, &push->faults);
	if (!fault)
		fault = push_read_kept(push, generation);
	if (!fault)
		fault = push_compile(push, &bundle);
	bundle_free(bundle);
	push->done = "adopted";
	if (fault)
		return fault;
	push->made->number = generation;
	push->made->published = push_written(push, generation);
	return push_take_over(push);
}

/* After a reboot the tables are empty: the same generation again, so that no answer changes. */
static int push_again(struct push *push, uint32_t generation)
{
	struct bundle *bundle = NULL;
	time_t written = push_written(push, generation);
	int fault = push_read_kept(push, generation);

	if (!fault)
		fault = push_compile(push, &bundle);
	if (!fault)
		fault = push_publish(push, generation, NULL);
	bundle_free(bundle);
	if (push->made && !fault)
		push->made->published = written;
	push->done = "published again";
	return fault;
}

/* The generation that was live, or else the newest older one that is still good. */
static int push_again_newest(struct push *push)
{
	struct state_bundle *bundles;
	uint32_t live = UINT32_MAX;
	size_t count;
	int fault = state_bundles(&push->controller->state, &bundles, &count);

	state_live(&push->controller->state, &live);
	if (!fault)
		fault = -ENOENT;
	for (size_t i = count; i-- && fault; ) {
		if (bundles[i].generation > live)
			continue;
		generation_free(push->made);
		push->made = NULL;
		fault = push_again(push, bundles[i].generation);
	}
	free(bundles);
	return fault;
}

static int push_config(struct push *push)
{
	struct bundle *bundle = NULL;
	uint32_t number;
	int fault = bundle_read_disk(push->controller->config, CONFIG_FILE_OCTETS_MAX, &bundle, &push->faults);

	if (!fault)
		fault = push_compile_bundle(push, bundle);
	if (!fault)
		fault = publisher_next(&push->controller->publisher, &number);
	if (!fault)
		fault = push_publish(push, number, bundle);
	bundle_free(bundle);
	push->done = "published";
	return fault;
}

static int push_begin(struct push *push)
{
	uint32_t generation = publisher_generation(&push->controller->publisher);
	int fault;

	if (generation) {
		fault = push_adopt(push, generation);
		if (fault != -ENOENT)
			return fault;		/* good or bad, its answers stay */
	} else {
		fault = publisher_read(&push->controller->publisher, &push->faults);
		if (!fault)
			fault = push_again_newest(push);
	}
	if (fault && push->controller->config) {
		generation_free(push->made);
		push->made = NULL;
		fault = push_config(push);
	}
	return fault;
}

static void push_on_work(uv_work_t *work)
{
	struct push *push = work->data;

	push->fault = push->kind == PUSH_START ? push_begin(push) : push_new(push);
	publisher_set_phase(&push->controller->publisher, "");
}

/* -- back in the loop -- */

static void push_log(const struct push *push)
{
	faults_log(&push->faults);
	if (!push->fault && push->kind == PUSH_DRY)
		log_info("a dry run was good; nothing was published");
	else if (!push->fault && push->made)
		log_notice("generation %" PRIu32 " %s: %zu services, %zu zones, %zu topologies; compiled in %.3f s, "
			   "published in %.3f s (%zu rows deleted, %zu written)", push->made->number, push->done,
			   push->made->config->service_count, push->made->config->zone_count,
			   push->made->config->topology_count, push->compile_nanoseconds / 1e9,
			   push->publish_nanoseconds / 1e9, push->changes.deleted, push->changes.written);
	else if (push->kind != PUSH_START)
		log_error("a push was refused; nothing changed");
	else if (push->fault == -ENOENT && !push->faults.errors)
		log_notice("nothing has been published yet: waiting for a push");
	else
		log_error("the start left the tables as they are; waiting for a push");
}

/* Entries in use, for status: what the images hold. */
static void push_count(struct controller *controller)
{
	const struct publisher *publisher = &controller->publisher;

	if (!publisher->known)
		return;
	memset(controller->used, 0, sizeof(controller->used));
	for (int slot = 0; slot < GENERATION_SLOTS; slot++) {
		for (int which = 0; which < IMAGE_TABLE_COUNT; which++)
			controller->used[image_table(which)] += publisher->images[slot].rows[which].count;
		controller->used[TABLE_indices] += publisher->images[slot].index_count;
		controller->used[TABLE_answers] += publisher->images[slot].answer_count;
	}
}

static json_t *push_reply(const struct push *push, const char *error)
{
	json_t *reply = error ? json_pack("{s:s, s:o}", "error", error, "faults", faults_json(&push->faults)) :
			json_pack("{s:I, s:b, s:o, s:I, s:I, s:f, s:f, s:o}",
				  "generation", (json_int_t)push->made->number, "dry_run", push->kind == PUSH_DRY,
				  "summary", generation_summary(push->made),
				  "rows_deleted", (json_int_t)push->changes.deleted,
				  "rows_written", (json_int_t)push->changes.written,
				  "compile_seconds", push->compile_nanoseconds / 1e9,
				  "publish_seconds", push->publish_nanoseconds / 1e9,
				  "faults", faults_json(&push->faults));

	if (reply && push->kind == PUSH_ROLLBACK)
		json_object_set_new(reply, "rollback_to", json_integer(push->of));
	return reply;
}

static void push_answer(struct push *push)
{
	int status = !push->fault ? 200 : push->fault == -ENOENT && push->kind == PUSH_ROLLBACK ? 404 : 400;

	if (push->request)
		http_reply(push->request, status, push_reply(push, push->fault ? "refused; nothing was changed" : NULL));
}

static void push_free(struct push *push)
{
	generation_free(push->made);
	ids_free(&push->ids);
	faults_free(&push->faults);
	free(push->archive);
	free(push);
}

static void push_on_done(uv_work_t *work, int status)
{
	struct push *push = work->data;
	struct controller *controller = push->controller;
	struct generation *old = controller->live;
	struct ids ids = controller->ids;

	(void)status;
	push_log(push);
	push_count(controller);
	push_answer(push);
	if (!push->fault && push->kind != PUSH_DRY) {
		controller->live = push->made;
		controller->states.is_behind &= push->kind == PUSH_START;
		push->made = states_load(&controller->states, controller->live->config) ? NULL : old;
		controller->ids = push->ids;
		push->ids = ids;
		controller->health_version++;
		beat_now(controller);
	}
	controller->pushes = push->next;
	push_free(push);
	malloc_trim(0);		/* a large configuration's leavings, in every thread's arena */
	if (controller->pushes)
		push_run(controller->pushes);
	else if (controller->stopping)
		uv_stop(&controller->loop);
	announce_state(controller);
}

static void push_run(struct push *push)
{
	uv_queue_work(&push->controller->loop, &push->work, push_on_work, push_on_done);
}

/* -- asking for one -- */

static struct push *push_make(struct controller *controller, struct http_request *request, enum push_kind kind)
{
	struct push *push = calloc(1, sizeof(*push));

	if (!push)
		return NULL;
	push->controller = controller;
	push->request = request;
	push->kind = kind;
	push->work.data = push;
	faults_init(&push->faults);
	ids_init(&push->ids, controller->tables.entries[TABLE_service_hits], controller->tables.entries[TABLE_region_hits]);
	return push;
}

static int push_queue(struct push *push)
{
	struct push **at = &push->controller->pushes;
	int waiting = 0;

	for (; *at; at = &(*at)->next)
		waiting++;
	if (waiting >= PUSHES_MAX)
		return -EBUSY;
	*at = push;
	if (push->request)
		http_wait(push->request);
	if (!waiting)
		push_run(push);
	return 0;
}

int push_bundle(struct controller *controller, struct http_request *request, uint8_t *archive, size_t length,
		bool is_dry)
{
	struct push *push = push_make(controller, request, is_dry ? PUSH_DRY : PUSH_BUNDLE);
	int fault;

	if (!push) {
		free(archive);
		return -ENOMEM;
	}
	push->archive = archive;
	push->length = length;
	fault = push_queue(push);
	if (fault)
		push_free(push);
	return fault;
}

int push_rollback(struct controller *controller, struct http_request *request, uint32_t generation)
{
	struct push *push = push_make(controller, request, PUSH_ROLLBACK);
	int fault;

	if (!push)
		return -ENOMEM;
	push->of = generation;
	fault = push_queue(push);
	if (fault)
		push_free(push);
	return fault;
}

int push_start(struct controller *controller)
{
	struct push *push = push_make(controller, NULL, PUSH_START);

	return push ? push_queue(push) : -ENOMEM;
}
