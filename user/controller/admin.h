/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Administration: what the operator says of members, pools and regions, whatever checks say. Pure, but for memory.
 *
 *	drain		no answer points there any more; checks go on
 *	disable		like drain, and it is not checked
 *	up, down	it counts as up or as down, whatever checks say; they go on
 *
 * Which setting holds. The most specific one decides about a member, alone: its own, else its pool's, else that of a
 * region. A region has the pools that it prefers first in any service of its topology, with all their members; those are
 * the site that people mean by it, and clients of other regions are not sent there either. Where regions with settings
 * share a pool, the strictest holds: disable, then down, then drain, then up. A pool is drained where all of its
 * members are; a CNAME pool has one state of its own. When every pool of a region is down by administration, that
 * is as if by checks: when_all_down of the service says what is served.
 *
 * Settings are of members alone, and what a pool makes of these holds all the same: a pool whose members are forced up is
 * down while one that it depends on is, and it is down when fewer than min_up of its members are left.
 *
 * A setting belongs to a name, not to a configuration. If a push takes the object away, the setting is kept, so that a
 * rollback or a later push finds it again.
 */
#ifndef ECSDNS_CONTROLLER_ADMIN_H
#define ECSDNS_CONTROLLER_ADMIN_H

#include <jansson.h>
#include <time.h>

#include "user/common/words.h"
#include "user/controller/config.h"

#define ADMIN_SETTINGS_MAX 10000
#define ADMIN_REASON_OCTETS 256		/* with the 0 at the end */
#define ADMIN_OBJECT_OCTETS 160		/* "member POOL/MEMBER", with the 0 at the end */

#define ADMIN_KINDS(X) X(region) X(pool) X(member)
enum admin_kind {
#define X(name) ADMIN_##name,
	ADMIN_KINDS(X)
#undef X
	ADMIN_KIND_COUNT
};

/* From the mildest to the strictest; and what it is called to be in that state. */
#define ADMIN_ACTIONS(X) X(up, "forced up") X(drain, "drained") X(down, "forced down") X(disable, "disabled")
enum admin_action {
#define X(name, state) ADMIN_##name,
	ADMIN_ACTIONS(X)
#undef X
	ADMIN_ACTION_COUNT
};
extern const char *const admin_kind_names[ADMIN_KIND_COUNT];
extern const char *const admin_action_names[ADMIN_ACTION_COUNT];
extern const char *const admin_action_states[ADMIN_ACTION_COUNT];

struct admin_setting {
	enum admin_kind kind;
	enum admin_action action;
	char object[ADMIN_OBJECT_OCTETS];	/* "member osaka1/osaka1-a", "pool osaka1", "region japan/osaka1" */
	char reason[ADMIN_REASON_OCTETS];	/* the operator's words, in UTF-8; may be empty */
	uint32_t uid;				/* who said so */
	int64_t since;				/* seconds since the epoch */
};

/* All settings; zeroed, there are none. */
struct admin {
	struct admin_setting *list;	/* in the order of their objects' names */
	size_t count;
	struct words objects;		/* numbers in `list` */
	struct words pools;		/* of which a member has a setting */
};

void admin_free(struct admin *admin);

/* Of settings in any order, whose list it takes. 0; -EEXIST: an object has two; -ENOSPC: ADMIN_SETTINGS_MAX; -ENOMEM. */
int admin_build(struct admin *admin, struct admin_setting *list, size_t count);

/*
 * *to becomes *from with this setting in place of what its object had; or, for null, with nothing for `object`. *to is
 * overwritten, not freed. 0; -ENOSPC beyond ADMIN_SETTINGS_MAX; or -ENOMEM.
 */
int admin_change(struct admin *to, const struct admin *from, const char *object, const struct admin_setting *setting);

/* Of "pool osaka1" and the like: ADMIN_KIND_COUNT if it is no such name. */
enum admin_kind admin_object_kind(const char *object);

/* The setting of an object by its whole name, or null. */
const struct admin_setting *admin_find(const struct admin *admin, const char *object);

/*
 * Lays the settings over the members' states: down[config->member_count] is what checks say, and becomes what is served.
 * `causes` (may be null) gets for each member the setting that decides about it, or null where checks do.
 */
void admin_apply(const struct admin *admin, const struct config *config, uint8_t *down,
		 const struct admin_setting **causes);

/* Is the object one of this configuration? */
bool admin_knows(const struct config *config, const struct admin_setting *setting);

/* Warns of settings whose object the configuration does not have. */
void admin_warn(const struct admin *admin, const struct config *config, struct faults *faults);

/* The pools of a region: `use` gets each of them once for every service that prefers it first there. */
void admin_each_pool(const struct config *config, uint32_t topology, uint32_t region,
		     void (*use)(void *context, uint32_t pool), void *context);

/* "pool osaka1 is drained: maintenance"; returns `text`. */
#define ADMIN_TEXT_OCTETS (ADMIN_OBJECT_OCTETS + ADMIN_REASON_OCTETS + 32)
const char *admin_text(const struct admin_setting *setting, char text[ADMIN_TEXT_OCTETS]);

/* {"object", "kind", "name", "action", "state", "reason", "text", "uid", "since"}; null for null. A new reference. */
json_t *admin_setting_json(const struct admin_setting *setting);

/* -- admin.json: {"version": 1, "settings": [{"object", "action", "reason", "uid", "since"}, ...]} -- */

/* The caller frees it; null without memory. */
char *admin_format(const struct admin *admin);

/* Into *admin, overwritten. 0; -EINVAL with an error in `faults` that names `file` and says what to do; or -ENOMEM. */
int admin_parse(struct admin *admin, const char *file, const void *octets, size_t length, struct faults *faults);

/* -- names as people write them: admin_names.c -- */

/*
 * What "osaka1", "osaka1/osaka1-a", "japan/osaka1", or the same behind "pool:", "member:" or "region:" is in this
 * configuration, or else among the settings: its whole name in object[]. 0; -ENOENT, with the nearest names in hint[], if
 * there is any; or -EEXIST if a member and a region have this name.
 */
#define ADMIN_HINT_OCTETS 640
int admin_resolve(const struct admin *admin, const struct config *config, const char *text,
		  char object[ADMIN_OBJECT_OCTETS], char hint[ADMIN_HINT_OCTETS]);

#endif
