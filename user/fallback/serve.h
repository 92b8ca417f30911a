/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one answer function behind both transports. It runs the same stages as the driver on the same tables, so the
 * replies are equal octet for octet; what the stages leave over, zone data and error replies answer.
 */
#ifndef ECSDNS_FALLBACK_SERVE_H
#define ECSDNS_FALLBACK_SERVE_H

#include <stdint.h>

#include "user/common/lookup.h"
#include "user/fallback/client.h"
#include "user/fallback/generation.h"
#include "user/fallback/options.h"
#include "user/fallback/response.h"

/* One worker's state; a query leaves nothing in it that the next one reads. */
struct serve {
	struct generations *generations;
	const struct policy *policy;
	unsigned int worker;	/* column of fallback_counters */
	struct query query;
	struct lookup lookup;
	struct lookup_cache cache;
	struct selection selection;
	struct options options;
	struct response response;
	uint32_t waited;	/* the generation for whose zones this worker has waited; once is enough */
};

/* Answers the message of `length` octets in place. Returns the octets of the reply, or 0 for none. */
uint32_t serve_query(struct serve *serve, struct message *message, uint32_t length, const struct client *client);

#endif
