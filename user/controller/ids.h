/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stable numbers for services and regions, so that counters mean the same after a push. A new name gets the lowest
 * number that was never given away; one that vanished keeps its number, in case it comes back, until only a sixteenth
 * of the table is left. Then the numbers of vanished names are given again, lowest first. Numbers begin at 1.
 */
#ifndef ECSDNS_CONTROLLER_IDS_H
#define ECSDNS_CONTROLLER_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/common/faults.h"
#include "user/common/words.h"

struct ids_entry {
	const char *name;	/* null: never given */
	bool used;		/* since ids_begin() */
};

struct ids_table {
	struct ids_entry *entries;	/* by number; entries[0] stays empty */
	size_t count, room;	/* numbers below `count` may be given, none above */
	size_t limit;		/* entries of the table in the maps: numbers stay below */
	size_t given;		/* entries with a name */
	struct words words;	/* finds and owns the names, by the same numbers */
};

struct ids {
	struct ids_table services;	/* "www.example.com" */
	struct ids_table regions;	/* "topology/region" */
};

/* The limits are the entries of service_hits and region_hits. */
void ids_init(struct ids *ids, size_t services_limit, size_t regions_limit);
void ids_free(struct ids *ids);

/* A copy to try a configuration with; `to` is overwritten, not freed. 0 or -ENOMEM. */
int ids_copy(struct ids *to, const struct ids *from);

/* A new configuration begins: no name is used until it is asked for. compile() does this. */
void ids_begin(struct ids *ids);

/* The number of a name, which is used from now on. 0, -ENOSPC if all numbers are in use, or -ENOMEM. */
int ids_number(struct ids_table *table, const char *name, uint32_t *number);

/*
 * The contents of ids.json, which was `file` for messages, into initialised ids. Numbers beyond the limits are dropped.
 * 0; or -EINVAL with an error that says what to do; or -ENOMEM.
 */
int ids_parse(struct ids *ids, const char *file, const void *octets, size_t length, struct faults *faults);

/* The text of ids.json; the caller frees it. Null without memory. */
char *ids_format(const struct ids *ids);

#endif
