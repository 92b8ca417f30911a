// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/api.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/readiness.h"
#include "user/controller/diff.h"
#include "user/controller/metrics.h"
#include "user/controller/capture.h"
#include "user/controller/push.h"

void api_refuse(struct http_request *request, int status, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	http_reply(request, status, json_pack("{s:s}", "error", text));
}

/* A push or rollback could not even wait. */
static void api_busy(struct http_request *request, int fault)
{
	if (fault == -EBUSY)
		api_refuse(request, 503, "%d pushes run or wait already; try again when they are done", PUSHES_MAX);
	else if (fault == -ESHUTDOWN)
		api_refuse(request, 503, "this controller is about to end; try again when the next one listens");
	else
		api_refuse(request, 500, "%s", strerror(-fault));
}

static int api_is_set(const struct http_request *request, const char *name)
{
	const char *value = http_argument(request, name);

	return value && strcmp(value, "0");
}

/* A decimal number within limits: 0, or -EINVAL. */
int api_number(const char *text, uint32_t most, uint32_t *number)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value > most)
		return -EINVAL;
	*number = value;
	return 0;
}

/* What push and rollback take. False: a fault has been replied. */
static bool api_options(struct http_request *request, struct push_options *options)
{
	const char *list = http_argument(request, "list");
	uint32_t entries = DIFF_LIST;

	if (list && api_number(list, DIFF_LIST_MAX, &entries)) {
		api_refuse(request, 400, "list: a number from 0 to %d was expected", DIFF_LIST_MAX);
		return false;
	}
	options->list = entries;
	options->is_dry = api_is_set(request, "dry_run");
	options->note.has_uid = !http_peer(request, &options->note.uid);
	return admin_reason(request, options->note.reason);
}

static void api_push(struct controller *controller, struct http_request *request)
{
	struct push_options options = {.note.how = NOTE_push};
	uint8_t *archive = request->body;
	int fault;

	if (!request->length) {
		api_refuse(request, 400, "the body is empty; a bundle (a tar archive) was expected");
		return;
	}
	if (!api_options(request, &options))
		return;
	request->body = NULL;
	fault = push_bundle(controller, request, archive, request->length, &options);
	if (fault)
		api_busy(request, fault);
}

/* The newest kept generation before the live one; 0: none. */
static uint32_t api_previous(struct controller *controller)
{
	uint32_t live = publisher_generation(&controller->publisher), previous = 0;
	struct state_bundle *bundles;
	size_t count;

	if (state_bundles(&controller->state, &bundles, &count))
		return 0;
	for (size_t i = 0; i < count && bundles[i].generation < live; i++)
		previous = bundles[i].generation;
	free(bundles);
	return previous;
}

static void api_rollback(struct controller *controller, struct http_request *request)
{
	struct push_options options = {.note.how = NOTE_rollback};
	const char *wanted = http_argument(request, "generation");
	uint32_t generation;
	int fault;

	if (wanted && (api_number(wanted, UINT32_MAX, &generation) || !generation)) {
		api_refuse(request, 400, "generation: a number from 1 was expected; `ecsctl history` lists those that are kept");
		return;
	}
	if (!wanted)
		generation = api_previous(controller);
	if (!generation) {
		api_refuse(request, 404, "no generation before the live one is kept");
		return;
	}
	if (!api_options(request, &options))
		return;
	options.note.of = generation;
	fault = push_rollback(controller, request, &options);
	if (fault)
		api_busy(request, fault);
}

static void api_status(struct controller *controller, struct http_request *request)
{
	const char *wanted = http_argument(request, "max_age");
	uint32_t age_max = READINESS_AGE_MAX;

	if (wanted && api_number(wanted, UINT32_MAX, &age_max))
		api_refuse(request, 400, "max_age: a number of seconds was expected, not \"%.64s\"", wanted);
	else
		http_reply(request, 200, status_json(controller, age_max));
}

static void api_stats(struct controller *controller, struct http_request *request)
{
	page_reply(&controller->stats, request, 0);
}

static json_t *api_generation(const struct controller *controller, const struct state_bundle *bundle, uint32_t live)
{
	json_t *json = json_pack("{s:I, s:I, s:I, s:b}", "generation", (json_int_t)bundle->generation,
				 "published", (json_int_t)bundle->written, "octets", (json_int_t)bundle->octets,
				 "live", bundle->generation == live);

	if (json)
		note_read(&controller->state, bundle->generation, json);
	return json;
}

static void api_history(struct controller *controller, struct http_request *request)
{
	uint32_t live = publisher_generation(&controller->publisher);
	json_t *list = json_array();
	struct state_bundle *bundles;
	size_t count;
	int fault = state_bundles(&controller->state, &bundles, &count);

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, api_generation(controller, &bundles[i], live));
	free(bundles);
	if (fault) {
		json_decref(list);
		api_refuse(request, 500, "reading the state directory: %s", strerror(-fault));
		return;
	}
	http_reply(request, 200, json_pack("{s:o}", "generations", list));
}

/* The bundle as it is kept: the file is sent from the disk. */
static void api_dump(struct controller *controller, struct http_request *request)
{
	const char *wanted = http_argument(request, "generation");
	uint32_t generation = publisher_generation(&controller->publisher);
	size_t octets = 0;
	int file;

	if (wanted && (api_number(wanted, UINT32_MAX, &generation) || !generation)) {
		api_refuse(request, 400, "generation: a number from 1 was expected; `ecsctl history` lists those that are kept");
		return;
	}
	file = generation ? state_bundle_open(&controller->state, generation, &octets) : -ENOENT;
	if (file >= 0)
		http_reply_file(request, "application/x-tar", file, octets);
	else if (!generation)
		api_refuse(request, 404, "no configuration has been published; `ecsctl push FILE`");
	else
		api_refuse(request, file == -ENOENT ? 404 : 500, "%s/generations/%" PRIu32 ".tar: %s; `ecsctl history` lists the "
			   "generations kept", controller->state_path, generation, strerror(-file));
}

static const struct {
	const char *path;
	const char *method;
	void (*handle)(struct controller *controller, struct http_request *request);
} routes[] = {
	{"/v1/push", "POST", api_push},
	{"/v1/rollback", "POST", api_rollback},
	{"/v1/status", "GET", api_status},
	{"/v1/stats", "GET", api_stats},
	{"/v1/history", "GET", api_history},
	{"/v1/dump", "GET", api_dump},
	{"/v1/explain", "GET", explain_handle},
	{"/v1/health", "GET", health_handle},
	{"/v1/admin", "POST", admin_handle},
	{"/metrics", "GET", metrics_handle},
	{"/v1/capture", "GET", capture_handle},
};

void api_handle(void *context, struct http_request *request)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(routes[i].path, request->path))
			continue;
		if (strcmp(routes[i].method, request->method))
			api_refuse(request, 405, "%s takes %s", routes[i].path, routes[i].method);
		else
			routes[i].handle(context, request);
		return;
	}
	api_refuse(request, 404, "no such path; there are /v1/push, rollback, status, stats, history, dump, explain, health, admin and "
		   "capture, and /metrics");
}
