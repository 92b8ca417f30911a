/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What would change if one generation took another's place: by what the operator wrote (services, pools, prefixes, zones),
 * and by what comes of it (whose region changes, which answers). Pure. docs/api.md has the fields.
 *
 * Objects are the same if their names are: where a list begins in a file, or the order of services, changes nothing.
 */
#ifndef ECSDNS_CONTROLLER_DIFF_H
#define ECSDNS_CONTROLLER_DIFF_H

#include <jansson.h>

#include "user/controller/generation.h"

#define DIFF_LIST 20		/* of each list, unless the caller says otherwise */
#define DIFF_LIST_MAX 100000	/* at most: some 10 MB of JSON a list */

/*
 * `before` may be null: nothing is live. Both with their zones (generation_make_whole()). At most `limit` of each list are told
 * one by one, the others counted. A new reference, or null without memory.
 */
json_t *diff_json(const struct generation *before, const struct generation *after, size_t limit);

/* -- the parts: diff_*.c -- */

/* Objects of the same name before and after, by name. */
struct diff_pair {
	const char *name;
	uint32_t before, after;		/* numbers; CONFIG_NONE: is not there */
};
struct diff_pairs {
	struct diff_pair *list;		/* the caller frees it */
	size_t count;
};
/* 0 or -ENOMEM */
int diff_pairs(struct diff_pairs *pairs, const char *(*name)(const struct config *config, size_t number),
	       size_t before_count, const struct config *before, size_t after_count, const struct config *after);

/* A list that is cut at a limit: {..., "list": [...], "left_out": N}. */
struct diff_list {
	json_t *list;
	size_t limit, left_out;
};
struct diff_list diff_list(size_t limit);
bool diff_list_has_room(struct diff_list *list);	/* false: one more is left out */
void diff_list_add(struct diff_list *list, json_t *entry);
/* Puts both fields into the object. */
void diff_list_end(struct diff_list *list, json_t *into);

/* One each; *changed becomes true if there is any. Null without memory. */
json_t *diff_topologies(const struct generation *before, const struct generation *after, size_t limit, bool *changed);
json_t *diff_answers(const struct generation *before, const struct generation *after, size_t limit, bool *changed);
json_t *diff_zones(const struct generation *before, const struct generation *after, size_t limit, bool *changed);

/*
 * An object's settings as a flat object of texts: describe.c. With `into` an empty object; texts that are no UTF-8 come
 * with their octets in \DDD.
 */
const char *describe_check_name(const struct config *config, size_t number);
const char *describe_pool_name(const struct config *config, size_t number);
const char *describe_topology_name(const struct config *config, size_t number);
const char *describe_service_name(const struct config *config, size_t number);
const char *describe_zone_name(const struct config *config, size_t number);
void describe_server(json_t *into, const struct config *config);
void describe_check(json_t *into, const struct config *config, size_t number);
void describe_pool(json_t *into, const struct config *config, size_t number);
void describe_service(json_t *into, const struct config *config, size_t number);
/* An entry's records: "ttl 10: 192.0.2.1, 192.0.2.2". A new reference. */
json_t *describe_answer(const struct answer *answer);

#endif
