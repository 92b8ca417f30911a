/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a server says of itself in class CH (RFC 4892): id.server and hostname.bind, version.server and version.bind. */
#ifndef ECSDNS_FALLBACK_CHAOS_H
#define ECSDNS_FALLBACK_CHAOS_H

#include "maps/query.h"
#include "user/fallback/policy.h"

#define CLASS_CH 3

/* The text that answers the query; null if it is not such a query, or the operator gave no text. */
const char *chaos_text(const struct policy *policy, const struct message *message, const struct query *query);

/* Writes the record behind the question. Returns the offset behind it. */
uint32_t chaos_write(struct message *message, const struct query *query, const char *text);

#endif
