/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The control API: paths below /v1/, answered with JSON.
 *
 *	POST push[?dry_run=1][&list=N][&reason=]	body: a bundle; replies when it is live
 *	POST rollback[?generation=N][&dry_run=1][&list=N][&reason=]	default: the generation before the live one
 *	GET  status, stats, history
 *	GET  dump[?generation=N]		a kept bundle, as it was pushed; default: the live one
 *	GET  explain?name=&type=[&client=][&prefix=][&resolver=]
 *	GET  health[?object=][&unless=VERSION]	states of pools, members and regions; {"version", "unchanged": true} if
 *						the version is this one
 *	POST admin?object=&action=[&reason=]	action: drain, disable, up, down, or enable to remove the setting; replies when
 *						it is saved and the answers have followed
 *
 *	GET  capture[?count=][&seconds=][&sample=N][&service=][&client=]
 *						what the driver answers from now on, as a stream in pcap format: two packets an
 *						exchange, one exchange in N, those of a service, those of clients in a prefix.
 *						Ends by itself; a field behind the body, Ecsdns-Capture, says why, as JSON
 *
 * docs/api.md says more. Errors are {"error": text} with "faults" where a file is at fault; status 400 refused, 404, 405, 413, 503 busy.
 *
 * Beside them GET /metrics, in Prometheus' text format (metrics.h).
 */
#ifndef ECSDNS_CONTROLLER_API_H
#define ECSDNS_CONTROLLER_API_H

#include "user/controller/controller.h"
#include "user/controller/page.h"

/* An http_handler; the context is the controller. */
void api_handle(void *context, struct http_request *request);

/* Replies {"error": text}. */
void api_refuse(struct http_request *request, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A decimal number within limits: 0, or -EINVAL. */
int api_number(const char *text, uint32_t most, uint32_t *number);

/*
 * New references, or null without memory: status.c (age_max: seconds, of health data that are good enough); the settings as
 * a list, health_api.c.
 */
json_t *status_json(const struct controller *controller, uint32_t age_max);
json_t *health_settings(const struct controller *controller);

/* Of GET stats, with the tables as its context: stats.c. */
extern const struct page_kind stats_kind;

/* Replies to GET explain: explain.c; to POST admin: admin_api.c; to GET health: health_api.c. */
void explain_handle(struct controller *controller, struct http_request *request);
void admin_handle(struct controller *controller, struct http_request *request);
void health_handle(struct controller *controller, struct http_request *request);

/* The argument `reason`, "" without it: a line of UTF-8. False: its fault has been replied. */
bool admin_reason(struct http_request *request, char reason[ADMIN_REASON_OCTETS]);

/* Is any generation live? False: that has been replied. */
bool admin_is_live(struct controller *controller, struct http_request *request);

/*
 * The argument `object` of a request as one of the live generation's objects or settings. Null: its fault has been
 * replied, or that nothing is live.
 */
const char *admin_argument(struct controller *controller, struct http_request *request, char object[ADMIN_OBJECT_OCTETS]);

#endif
