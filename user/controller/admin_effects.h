/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a change of a setting does that the operator may not have meant, as warnings: services whose last member goes down,
 * and what is served then; members of the object about which other settings decide; regions that share a region's
 * pools. Pure.
 */
#ifndef ECSDNS_CONTROLLER_ADMIN_EFFECTS_H
#define ECSDNS_CONTROLLER_ADMIN_EFFECTS_H

#include "user/controller/compile.h"
#include "user/controller/states.h"

/* `before` and `after` the change of `object`, which has `setting` now, or none. 0, or -ENOMEM with an error. */
int admin_effects(const struct config *config, const struct compiled *compiled, const char *object,
		  const struct admin_setting *setting, const struct states_view *before, const struct states_view *after,
		  struct faults *faults);

/* covers[config->member_count] of them, not 0: the member is one of the object's. 0 or -ENOMEM. */
int admin_covers(const struct config *config, const char *object, uint8_t *covers);

#endif
