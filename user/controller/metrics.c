// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/metrics.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"
#include "user/controller/api.h"
#include "user/controller/metrics_text.h"

struct metrics {
	struct controller *controller;
	enum metrics_services services;
	struct http *http;		/* over TCP; null: no such */
	uv_work_t work;
	bool is_making;
	struct metrics_snapshot snapshot;	/* while one is made */
	int fault;
	char *text;
	size_t length;
	struct http_request *waiting;	/* linked by their `owner` */
	struct http_page *page;		/* the last one; null: none */
	uint64_t made;			/* when, in milliseconds of the loop's clock */
};

/* -- a page -- */

static void metrics_on_work(uv_work_t *work)
{
	struct metrics *metrics = work->data;

	metrics->fault = metrics_page(&metrics->snapshot, &metrics->text, &metrics->length);
}

/* Takes the first of a list. */
static struct http_request *metrics_next(struct http_request **list)
{
	struct http_request *request = *list;

	if (request)
		*list = request->owner;
	return request;
}

/* Replying may bring the next request, and with it the next page: so all is in order before, and the list is a copy. */
static void metrics_on_done(uv_work_t *work, int status)
{
	struct metrics *metrics = work->data;
	struct http_request *waiting = metrics->waiting, *request;
	struct http_page *page = metrics->fault ? NULL : http_page_new(metrics->text, metrics->length, METRICS_TYPE);
	int fault = metrics->fault ? metrics->fault : page ? 0 : -ENOMEM;

	(void)status;
	metrics_snapshot_free(&metrics->snapshot);
	http_page_drop(metrics->page);
	metrics->page = page;
	metrics->made = uv_now(&metrics->controller->loop);
	metrics->waiting = NULL;
	metrics->is_making = false;
	if (page)
		http_page_keep(page);
	while ((request = metrics_next(&waiting))) {
		if (fault)
			api_refuse(request, 500, "reading the counters: %s", strerror(-fault));
		else
			http_reply_page(request, page);
	}
	http_page_drop(page);
}

static int metrics_make(struct metrics *metrics)
{
	int fault = metrics_snapshot(&metrics->snapshot, metrics->controller, metrics->services);

	if (!fault)
		fault = uv_queue_work(&metrics->controller->loop, &metrics->work, metrics_on_work, metrics_on_done);
	if (fault)
		metrics_snapshot_free(&metrics->snapshot);
	else
		metrics->is_making = true;
	return fault;
}

static void metrics_wait(struct metrics *metrics, struct http_request *request)
{
	int fault = metrics->is_making ? 0 : metrics_make(metrics);

	if (fault) {
		api_refuse(request, 500, "%s", strerror(-fault));
		return;
	}
	request->owner = metrics->waiting;
	metrics->waiting = request;
	http_wait(request);
}

void metrics_handle(struct controller *controller, struct http_request *request)
{
	metrics_wait(controller->metrics, request);
}

/* -- over TCP -- */

static void metrics_on_tcp(void *context, struct http_request *request)
{
	struct metrics *metrics = context;
	uint64_t now = uv_now(&metrics->controller->loop);

	if (strcmp(request->path, "/metrics"))
		api_refuse(request, 404, "there is nothing here but /metrics");
	else if (strcmp(request->method, "GET") && strcmp(request->method, "HEAD"))
		api_refuse(request, 405, "/metrics takes GET and HEAD");
	else if (metrics->page && now - metrics->made < METRICS_PAGE_MILLISECONDS)
		http_reply_page(request, metrics->page);
	else
		metrics_wait(metrics, request);
}

/* "127.0.0.1:9530" or "[::1]:9530". 0 with *out for freeaddrinfo(), or -EINVAL. */
static int metrics_address(const char *text, struct addrinfo **out)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	};
	const char *port = strrchr(text, ':'), *end = port;
	char address[NI_MAXHOST];

	if (!port || (size_t)(port - text) >= sizeof(address) || port[1] < '1' || port[1] > '9')
		return -EINVAL;
	if (*text == '[') {
		text++;
		if (end == text || *--end != ']' || !memchr(text, ':', end - text))
			return -EINVAL;
	} else if (memchr(text, ':', end - text)) {
		return -EINVAL;
	}
	if (end <= text)
		return -EINVAL;
	memcpy(address, text, end - text);
	address[end - text] = 0;
	return getaddrinfo(address, port + 1, &hints, out) ? -EINVAL : 0;
}

bool metrics_is_address(const char *text)
{
	struct addrinfo *address;

	if (metrics_address(text, &address))
		return false;
	freeaddrinfo(address);
	return true;
}

int metrics_listen(struct controller *controller, const char *text)
{
	struct metrics *metrics = controller->metrics;
	struct addrinfo *address;
	int fault = metrics_address(text, &address);

	if (!fault) {
		fault = http_start_tcp(&metrics->http, &controller->loop, address->ai_addr, address->ai_addrlen, metrics_on_tcp,
				       metrics);
		freeaddrinfo(address);
	}
	if (fault)
		log_error("--metrics %s: %s%s", text, strerror(-fault), fault == -EADDRINUSE ?
			  "; another program listens there: stop it, or choose another port" : fault == -EADDRNOTAVAIL ?
			  "; no interface of this host has that address" : "");
	else
		log_notice("metrics are served at http://%s/metrics", text);
	return fault;
}

/* -- from beginning to end -- */

int metrics_init(struct controller *controller, enum metrics_services services)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return -ENOMEM;
	metrics->controller = controller;
	metrics->services = services;
	metrics->work.data = metrics;
	controller->metrics = metrics;
	return 0;
}

void metrics_stop(struct controller *controller)
{
	struct metrics *metrics = controller->metrics;
	struct http_request *request;

	while ((request = metrics_next(&metrics->waiting)))
		api_refuse(request, 503, "the controller is stopping");
	if (metrics->http)
		http_stop(metrics->http);
}

void metrics_free(struct controller *controller)
{
	if (!controller->metrics)
		return;
	http_page_drop(controller->metrics->page);
	free(controller->metrics);
	controller->metrics = NULL;
}
