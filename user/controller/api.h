/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The control API: paths below /v1/, answered with JSON.
 *
 *	POST push[?dry_run=1]			body: a bundle; replies when it is live
 *	POST rollback[?generation=N]		default: the generation before the live one
 *	GET  status, stats, history
 *	GET  explain?name=&type=[&client=][&prefix=][&resolver=]
 *
 * Errors are {"error": text} with "faults" where a file is at fault; status 400 refused, 404, 405, 413, 503 busy.
 */
#ifndef ECSDNS_CONTROLLER_API_H
#define ECSDNS_CONTROLLER_API_H

#include "user/controller/controller.h"

/* An http_handler; the context is the controller. */
void api_handle(void *context, struct http_request *request);

/* Replies {"error": text}. */
void api_refuse(struct http_request *request, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* New references, or null without memory: status.c, stats.c. */
json_t *status_json(const struct controller *controller);
json_t *stats_json(const struct controller *controller);

/* Replies to GET explain: explain.c. */
void explain_handle(struct controller *controller, struct http_request *request);

#endif
