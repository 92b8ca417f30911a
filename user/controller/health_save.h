/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Verdicts and their history as JSON, so that they survive a restart: {"version": 1, "members": [{"pool", "member",
 * "address", "state": "up" | "down", "changes": [{"at": milliseconds since 1970, "state", "reason"}, ...]}, ...]}, the
 * oldest change first. Members whose verdict is unknown are left out.
 *
 * Writing all of that takes too long to wait for it before answers follow a verdict, so a journal has the changes since, a line
 * of JSON each: {"pool", "member", "address", "at", "state", "reason"}. A change may be in both.
 */
#ifndef ECSDNS_CONTROLLER_HEALTH_SAVE_H
#define ECSDNS_CONTROLLER_HEALTH_SAVE_H

#include "user/common/words.h"
#include "user/controller/config.h"
#include "user/controller/health.h"

struct health_saved {
	struct words names;		/* health_name() of each */
	struct health_record *records;	/* by number in `names` */
	size_t room;
};

/* What tells members apart beyond one configuration: pool, name and address. */
#define HEALTH_NAME_OCTETS 192
const char *health_name(const struct config_pool *pool, const struct config_member *member, char text[HEALTH_NAME_OCTETS]);

/* members[config->member_count]. The caller frees it; null without memory. */
char *health_save_text(const struct config *config, const struct health_member *members);

/* 0; -EINVAL, and nothing is saved, with an error in `faults` that names `file`; -ENOMEM. */
int health_saved_parse(struct health_saved *saved, const char *file, const void *octets, size_t length,
		       struct faults *faults);
void health_saved_free(struct health_saved *saved);

/* The line, with its end, of the last change of this member. The caller frees it; null without memory. */
char *health_save_change(const struct config *config, uint32_t member, const struct health_record *record);

/* Adds what a journal has, without lines that are none: a full disk leaves half ones. How many it took, or -ENOMEM. */
int health_saved_add(struct health_saved *saved, const char *journal, size_t length);

/* Null: nothing is known of it. */
const struct health_record *health_saved_find(const struct health_saved *saved, const char *name);

#endif
