// SPDX-License-Identifier: GPL-3.0-or-later
/* Asking for a job, the queue of them, and what is told when one is done. */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"
#include "user/controller/beat.h"
#include "user/controller/changes.h"
#include "user/controller/home.h"
#include "user/controller/push_job.h"
#include "user/controller/reload.h"

static void push_run(struct push *push);

/* From now on these are the tables that the next start finds as this process leaves them. */
static void push_settle_home(struct controller *controller)
{
	int fault = controller->is_home ? 0 : home_write(&controller->state, &controller->tables, controller->pins);

	if (fault)
		log_warning("%s/home.json: %s; tried again with the next push", controller->state_path, strerror(-fault));
	controller->is_home = !fault;
}

static int push_do(struct push *push)
{
	switch (push->kind) {
	case PUSH_START:
	case PUSH_FILL: return push_begin(push);
	case PUSH_CONFIG: return push_file(push);
	default: return push_new(push);
	}
}

static void push_on_work(uv_work_t *work)
{
	struct push *push = work->data;
	uint64_t began = uv_hrtime();

	push->fault = push_do(push);
	push->all_nanoseconds = uv_hrtime() - began;
	if (!push->fault && push->made && !push->options.is_dry && push->kind != PUSH_FILL)
		push_settle_home(push->controller);
	publisher_set_phase(&push->controller->publisher, "");
}

/* -- back in the loop -- */

static void push_log(const struct push *push)
{
	faults_log(&push->faults);
	if (!push->fault && push->options.is_dry)
		log_info("a dry run was good; nothing was published");
	else if (!push->fault && push->made)
		log_notice("generation %" PRIu32 " %s: %zu services, %zu zones, %zu topologies; compiled in %.3f s, "
			   "published in %.3f s (%zu rows deleted, %zu written)", push->made->number, push->done,
			   push->made->config->service_count, push->made->config->zone_count,
			   push->made->config->topology_count, push->compile_nanoseconds / 1e9,
			   push->publish_nanoseconds / 1e9, push->changes.deleted, push->changes.written);
	else if (!push->fault)
		return;
	else if (push->kind == PUSH_CONFIG)
		log_error("%s was refused; nothing changed", push->controller->config);
	else if (push->kind == PUSH_FILL)
		log_error("%s: not filled", push->controller->pins);
	else if (push->kind != PUSH_START)
		log_error("a push was refused; nothing changed");
	else if (push->fault == -ENOENT && !push->faults.errors && push->controller->config)
		log_notice("nothing has been published yet: pushing %s", push->controller->config);
	else if (push->fault == -ENOENT && !push->faults.errors)
		log_notice("nothing has been published yet: waiting for a push");
	else
		log_error("the start left the tables as they are; waiting for a push");
}

static void push_count_result(const struct push *push)
{
	enum figures_result result = push->fault == -ENOMEM ? FIGURES_failed : push->fault ? push->blame : FIGURES_done;

	if (push->kind != PUSH_START && !push->options.is_dry && (push->fault || push->made))
		figures_count_push(&push->controller->figures, result, push->all_nanoseconds);
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
				  "generation", (json_int_t)push->made->number, "dry_run", push->options.is_dry,
				  "summary", generation_summary(push->made),
				  "rows_deleted", (json_int_t)push->changes.deleted,
				  "rows_written", (json_int_t)push->changes.written,
				  "compile_seconds", push->compile_nanoseconds / 1e9,
				  "publish_seconds", push->publish_nanoseconds / 1e9,
				  "faults", faults_json(&push->faults));

	if (reply && push->kind == PUSH_ROLLBACK)
		json_object_set_new(reply, "rollback_to", json_integer(push->of));
	if (reply && !error && push_tells(push))
		json_object_set_new(reply, "changes", push->differences ? json_incref(push->differences) : json_null());
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
	json_decref(push->differences);
	words_free(&push->paths);
	free(push->archive);
	free(push);
}

static void push_has_begun(struct controller *controller)
{
	controller->has_begun = true;
	if (controller->before)
		log_notice("took over from process %d: health was not followed for %.3f s at most", controller->before,
			   (uv_hrtime() - controller->before_ended) / 1e9);
}

static void push_on_done(uv_work_t *work, int status)
{
	struct push *push = work->data;
	struct controller *controller = push->controller;
	struct generation *old = controller->live;
	struct ids ids = controller->ids;

	(void)status;
	push_log(push);
	if (!push->fault && !push->options.is_dry)
		changes_log(push->differences);
	push_count(controller);
	push_count_result(push);
	push_answer(push);
	if (!push->fault && push->made && !push->options.is_dry) {
		controller->live = push->made;
		controller->states.is_behind &= push->kind == PUSH_START;
		push->made = states_load(&controller->states, controller->live->config) ? NULL : old;
		controller->ids = push->ids;
		push->ids = ids;
		controller->health_version++;
		beat_now(controller);
	}
	if (push->kind == PUSH_START)
		push_has_begun(controller);
	if (push->kind == PUSH_CONFIG && !controller->stopping)
		reload_done(controller->reload, &push->paths);
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

	if (push->controller->stopping)
		return -ESHUTDOWN;
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
		const struct push_options *options)
{
	struct push *push = push_make(controller, request, PUSH_BUNDLE);
	int fault;

	if (!push) {
		free(archive);
		return -ENOMEM;
	}
	push->options = *options;
	push->archive = archive;
	push->length = length;
	fault = push_queue(push);
	if (fault)
		push_free(push);
	return fault;
}

int push_rollback(struct controller *controller, struct http_request *request, const struct push_options *options)
{
	struct push *push = push_make(controller, request, PUSH_ROLLBACK);
	int fault;

	if (!push)
		return -ENOMEM;
	push->options = *options;
	push->of = options->note.of;
	fault = push_queue(push);
	if (fault)
		push_free(push);
	return fault;
}

static int push_queue_config(struct controller *controller, bool is_first)
{
	struct push *push = push_make(controller, NULL, PUSH_CONFIG);
	int fault;

	if (!push)
		return -ENOMEM;
	push->is_first = is_first;
	push->options.note.how = NOTE_config;
	push->options.note.file = controller->config;
	fault = push_queue(push);
	if (fault)
		push_free(push);
	return fault;
}

int push_start(struct controller *controller)
{
	struct push *push = push_make(controller, NULL, PUSH_START);

	if (!push)
		return -ENOMEM;
	push_queue(push);
	return controller->config ? push_queue_config(controller, true) : 0;
}

int push_config(struct controller *controller)
{
	return push_queue_config(controller, false);
}

int push_fill(struct controller *controller)
{
	struct push *push = push_make(controller, NULL, PUSH_FILL);
	int fault;

	if (!push)
		return -ENOMEM;
	push_on_work(&push->work);
	push_log(push);
	fault = push->fault;
	if (fault == -ENOENT && !push->faults.errors)
		log_error("nothing has been published yet from %s", controller->state_path);
	push_free(push);
	return fault;
}
