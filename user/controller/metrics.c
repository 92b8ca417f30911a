// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/metrics.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/log.h"
#include "user/controller/api.h"
#include "user/controller/metrics_text.h"
#include "user/controller/page.h"

struct metrics {
	struct controller *controller;
	enum metrics_services services;
	struct http *http;			/* over TCP; null: no such */
	struct metrics_snapshot snapshot;	/* while a page is made */
	struct page page;
};

/* -- a page -- */

static int metrics_prepare(void *context)
{
	struct metrics *metrics = context;

	return metrics_snapshot(&metrics->snapshot, metrics->controller, metrics->services);
}

static int metrics_make(void *context, char **text, size_t *length)
{
	const struct metrics *metrics = context;

	return metrics_page(&metrics->snapshot, text, length);
}

static void metrics_clean(void *context)
{
	struct metrics *metrics = context;

	metrics_snapshot_free(&metrics->snapshot);
}

static const struct page_kind metrics_kind = {
	.type = METRICS_TYPE, .prepare = metrics_prepare, .make = metrics_make, .clean = metrics_clean,
};

void metrics_handle(struct controller *controller, struct http_request *request)
{
	page_reply(&controller->metrics->page, request, 0);
}

/* -- over TCP -- */

static void metrics_on_tcp(void *context, struct http_request *request)
{
	struct metrics *metrics = context;

	if (strcmp(request->path, "/metrics"))
		api_refuse(request, 404, "there is nothing here but /metrics");
	else if (strcmp(request->method, "GET") && strcmp(request->method, "HEAD"))
		api_refuse(request, 405, "/metrics takes GET and HEAD");
	else
		page_reply(&metrics->page, request, METRICS_PAGE_MILLISECONDS);
}

/* "127.0.0.1:9530" or "[::1]:9530". 0 with *out for freeaddrinfo(), or -EINVAL. */
static int metrics_address(const char *text, struct addrinfo **out)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	};
	const char *port = strrchr(text, ':'), *end = port;
	char address[NI_MAXHOST], *rest;

	if (!port || (size_t)(port - text) >= sizeof(address) || port[1] < '1' || port[1] > '9' ||
	    strtoul(port + 1, &rest, 10) > 65535 || *rest)
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
	page_init(&metrics->page, &metrics_kind, &controller->loop, metrics);
	controller->metrics = metrics;
	return 0;
}

void metrics_stop(struct controller *controller)
{
	page_stop(&controller->metrics->page);
	if (controller->metrics->http)
		http_stop(controller->metrics->http);
}

void metrics_free(struct controller *controller)
{
	if (!controller->metrics)
		return;
	page_free(&controller->metrics->page);
	free(controller->metrics);
	controller->metrics = NULL;
}
