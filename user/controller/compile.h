/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The compiler: configuration, zones and health -> what the tables shall hold. Pure: it reads nothing else and writes
 * nothing but its result and the ids. Equal inputs compile to equal results.
 *
 * Numbers are relative to a slot: index numbers count from 0, answer numbers from 1 (answers[0] is number 1). The
 * publisher adds where the slot's halves begin; ANSWER_NONE stays as it is.
 */
#ifndef ECSDNS_CONTROLLER_COMPILE_H
#define ECSDNS_CONTROLLER_COMPILE_H

#include <stddef.h>
#include <stdint.h>

#include "maps/abi.h"
#include "user/common/faults.h"
#include "user/common/zone.h"
#include "user/controller/config.h"
#include "user/controller/ids.h"
#include "user/controller/topology.h"

/* Which members are up, by number over all pools; a CNAME pool has one number, as if the CNAME were a member. */
struct health {
	const uint8_t *down;	/* member_count of them, not 0: down; null: all are up */
	size_t count;
};

/*
 * Where the members' states come from. `read` fills `down`, all of config->member_count; any thread may call it, at any
 * time. Null: all are up.
 */
struct health_source {
	void (*read)(void *context, const struct config *config, uint8_t *down);
	void *context;
};

/* *down for the caller to free(). 0 or -ENOMEM. */
int health_source_read(const struct health_source *source, const struct config *config, uint8_t **down);

/* Why this pool answers for a region and type: what explain says. */
#define COMPILED_NOTES(X)											\
	X(COMMON, "the same answer for every client")								\
	X(ABSENT, "the service does not have this type")							\
	X(PREFERRED, "the region's preferred pool")								\
	X(LACKS_TYPE, "the first of the region's pools that has this type")					\
	X(FAILED_OVER, "every pool that the region prefers to it is down")					\
	X(SERVE_ALL, "all pools of the region are down: the first is served as if it were up")			\
	X(NODATA, "all pools of all regions are down: no data")							\
	X(ALL_DOWN_POOL, "all pools of the region are down: the pool of when_all_down")
enum compiled_note {
#define X(name, text) COMPILED_##name,
	COMPILED_NOTES(X)
#undef X
	COMPILED_NOTE_COUNT
};

struct compiled_reason {
	uint32_t pool;		/* in config->pools; CONFIG_NONE: none */
	enum compiled_note note;
};

struct compiled_service {
	uint8_t name[NAME_OCTETS_MAX + 1];	/* lowered wire name, padded with zeros */
	uint8_t name_length;			/* octets with the root */
	const char *text;			/* the configuration's; as service_names shows it */
	struct service value;			/* value.index counts from 0 */
	uint32_t config;			/* in config->services */
	uint32_t nodata;			/* number of the answer when all is down, where that is no data; else ANSWER_NONE */
};

struct compiled_region {
	char name[REGION_TEXT_OCTETS];
	uint32_t id;
};

struct compiled_topology {
	char name[REGION_TEXT_OCTETS];
	uint16_t number;		/* 0: TOPOLOGY_TRUST, regions "untrusted" and "trusted" with id 0 */
	struct compiled_region *regions;
	size_t region_count;
	struct topology_family v4, v6;	/* their entries' regions are numbers in `regions` */
};

struct compiled {
	struct settings settings;		/* draw_key is the publisher's */
	uint8_t (*addresses)[16];		/* the server's; IPv4 as ::ffff:a.b.c.d */
	size_t address_count;
	struct compiled_service *services;
	size_t service_count;
	uint32_t *indices;
	struct compiled_reason *reasons;	/* parallel to indices */
	size_t index_count;
	struct answer *answers;			/* no two are equal */
	size_t answer_count;
	struct compiled_topology *topologies;	/* topologies[n].number is n; config->topologies[n - 1] */
	size_t topology_count;
};

extern const char *const compiled_note_texts[COMPILED_NOTE_COUNT];

/*
 * `zones` may be null (no zones). The ids are changed even when it fails: give a copy and keep it after success.
 * The result points into `config`, which must live as long. 0 with *out for the caller to compiled_free(), maybe with
 * warnings; else -EINVAL, -ENOSPC or -ENOMEM with errors in `faults`.
 */
int compile(const struct config *config, const struct zone_set *zones, const struct health *health, struct ids *ids,
	    struct compiled **out, struct faults *faults);
void compiled_free(struct compiled *compiled);	/* null is fine */

#endif
