/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is kept beside a bundle: how its generation came to be, who wanted it, and why. generations/N.json */
#ifndef ECSDNS_CONTROLLER_NOTE_H
#define ECSDNS_CONTROLLER_NOTE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "user/controller/admin.h"
#include "user/controller/state.h"

#define NOTE_HOWS(X) X(push) X(rollback) X(config)
enum note_how {
#define X(name) NOTE_##name,
	NOTE_HOWS(X)
#undef X
	NOTE_HOW_COUNT
};

struct note {
	enum note_how how;
	uint32_t of;			/* NOTE_rollback: whose configuration it is */
	const char *file;		/* NOTE_config: the controller's --config; or null */
	bool has_uid;
	uint32_t uid;			/* who asked for it through the socket */
	char reason[ADMIN_REASON_OCTETS];
};

/* 0 or -errno */
int note_write(const struct state *state, uint32_t generation, const struct note *note);

/* Puts "how", "rollback_to", "file", "uid" and "reason" into an object; null or "" where that is not known. */
void note_read(const struct state *state, uint32_t generation, json_t *into);

#endif
