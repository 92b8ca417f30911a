/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The state directory: what outlives a reboot.
 *
 *	lock			held (flock) while a controller runs on this directory
 *	draw.key		16 random octets, mode 0600: copy it to servers that shall select alike
 *	cookie.key		likewise, the secret of DNS cookies where no file gives others
 *	ids.json		stable ids of services and regions
 *	admin.json		what the operator said of members, pools and regions
 *	health.json		what checks said of members, as of a moment ago
 *	health.journal		and since then
 *	home.json		the tables that the last controller worked on
 *	generations/N.tar	the bundle of generation N
 *	generations/N.json	how it came to be, who wanted it and why (note.h); not all have one
 *	generations/live	symbolic link to the bundle that was published last
 *
 * Every file but the journal is written under a temporary name, synced, and renamed: it is there whole or not at all.
 * Functions return 0 or -errno.
 */
#ifndef ECSDNS_CONTROLLER_STATE_H
#define ECSDNS_CONTROLLER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define STATE_DEFAULT "/var/lib/ecsdns"
#define STATE_BUNDLES_KEPT 32	/* generations that can be rolled back to */
#define STATE_KEY_OCTETS 16

struct state {
	const char *path;	/* the caller's */
	int directory;
	int generations;
	int lock;		/* -1: another's */
};

struct state_bundle {
	uint32_t generation;
	time_t written;
	size_t octets;
};

/* Makes what is missing and takes the lock: -EWOULDBLOCK if another controller holds it. */
int state_open(struct state *state, const char *path);
/* To read beside the controller that holds the lock: makes nothing, and -ENOENT if there is nothing. */
int state_open_beside(struct state *state, const char *path);
static inline bool state_is_beside(const struct state *state)
{
	return state->lock < 0;
}

void state_close(struct state *state);

/* Reads draw.key, or makes it. -EINVAL if it is not 16 octets long. */
int state_draw_key(const struct state *state, uint8_t key[STATE_KEY_OCTETS]);

/* cookie.key, in the same way; -ENOENT if it is not there and may not be made. */
int state_cookie_key(const struct state *state, uint8_t key[STATE_KEY_OCTETS], bool may_make);

/* A file of the directory, whole. The caller frees *octets. */
int state_read(const struct state *state, const char *name, size_t limit, uint8_t **octets, size_t *length);
int state_write(const struct state *state, const char *name, const void *octets, size_t length, unsigned int mode);

/* A file that grows at its end, and is not synced: a killed process loses nothing of it. A descriptor or -errno. */
int state_append(const struct state *state, const char *name, unsigned int mode);

/* The bundles, oldest first. The caller frees *bundles. */
int state_bundles(const struct state *state, struct state_bundle **bundles, size_t *count);
int state_bundle_read(const struct state *state, uint32_t generation, uint8_t **octets, size_t *length);
int state_bundle_write(const struct state *state, uint32_t generation, const void *octets, size_t length);
int state_bundle_remove(const struct state *state, uint32_t generation);	/* and its note */

/* The bundle's file, to be sent: a descriptor for the caller to close, and its octets; or -errno. */
int state_bundle_open(const struct state *state, uint32_t generation, size_t *octets);

/* The note beside it: any octets. */
int state_note_read(const struct state *state, uint32_t generation, size_t limit, uint8_t **octets, size_t *length);
int state_note_write(const struct state *state, uint32_t generation, const void *octets, size_t length);

/* The generation published last, as the directory knows it: -ENOENT if none was. */
int state_live(const struct state *state, uint32_t *generation);
int state_set_live(const struct state *state, uint32_t generation);

/* Removes all but the newest `keep` bundles and the live one, and all newer than the live one: never published. */
int state_prune(const struct state *state, uint32_t live, size_t keep);

#endif
