/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The control API: paths below /v1/, answered with JSON.
 *
 *	POST push[?dry_run=1]			body: a bundle; replies when it is live
 *	POST rollback[?generation=N]		default: the generation before the live one
 *	GET  status, stats, history
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

/* A decimal number within limits: 0, or -EINVAL. */
int api_number(const char *text, uint32_t most, uint32_t *number);

/* A per-CPU value's sum, word by word: stats.c. 0 or -errno. */
int stats_sum(int map, uint32_t key, size_t words, uint64_t *sums);

/*
 * New references, or null without memory: status.c (age_max: seconds, of health data that are good enough), stats.c; the
 * settings as a list, health_api.c.
 */
json_t *status_json(const struct controller *controller, uint32_t age_max);
json_t *stats_json(const struct controller *controller);
json_t *health_settings(const struct controller *controller);

/* Replies to GET explain: explain.c; to POST admin: admin_api.c; to GET health: health_api.c. */
void explain_handle(struct controller *controller, struct http_request *request);
void admin_handle(struct controller *controller, struct http_request *request);
void health_handle(struct controller *controller, struct http_request *request);

/* Is any generation live? False: that has been replied. */
bool admin_is_live(struct controller *controller, struct http_request *request);

/*
 * The argument `object` of a request as one of the live generation's objects or settings. Null: its fault has been
 * replied, or that nothing is live.
 */
const char *admin_argument(struct controller *controller, struct http_request *request, char object[ADMIN_OBJECT_OCTETS]);

#endif
