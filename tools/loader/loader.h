/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ecsdns-loader: makes and pins the tables, attaches the XDP program to interfaces, upgrades and removes it. It runs
 * for a moment with root's rights; nothing of it stays but pins:
 *
 *   PINS/<table>         every map of maps/tables.h
 *   PINS/program         the program last attached, for bpftool and tests
 *   PINS/link_<IFACE>    where the program is attached alone (":" for "." in the name, which pins cannot have);
 *                        behind libxdp's dispatcher libxdp keeps its own pins
 *
 * Tables of another layout or size stand beside these, in a directory of their own (prepare); upgrade --from moves the
 * interfaces from the ones to the others (move.c).
 *
 * Functions return 0 or -errno and have said on standard error what went wrong and what to do.
 */
#ifndef ECSDNS_LOADER_H
#define ECSDNS_LOADER_H

#include <bpf/libbpf.h>
#include <jansson.h>
#include <pwd.h>
#include <stdbool.h>
#include <xdp/libxdp.h>

#include "user/common/tables.h"

#define PROGRAM_NAME "ecsdns"
#define LINK_PREFIX "link_"

enum loader_mode { MODE_AUTO, MODE_NATIVE, MODE_GENERIC };
enum loader_chain { CHAIN_AUTO, CHAIN_YES, CHAIN_NO };

struct loader {
	const char *pins;
	const char *from;			/* --from: the pins whose program upgrade replaces; null: the same */
	enum loader_mode mode;
	enum loader_chain chain;		/* libxdp's dispatcher */
	uint8_t macs[INTERFACE_MACS][6];	/* --mac, besides the interface's own */
	unsigned int mac_count;
	uint32_t entries[TABLE_COUNT];		/* --names, --topology4, ...; 0 where not given */
	const struct passwd *owner;		/* --owner, or NULL: who we are */
	bool json;
	char **interfaces;
	int interface_count;
};

/* One interface that carries our program. */
enum attachment_how { ATTACHED_NOT, ATTACHED_LINK, ATTACHED_DISPATCHER };
struct attachment {
	enum attachment_how how;
	bool generic;
	uint32_t program_id;
};

/* verbs: one a file */
int loader_prepare(struct loader *loader);
int loader_attach(struct loader *loader);
int loader_detach(struct loader *loader);
int loader_unload(struct loader *loader);
int loader_upgrade(struct loader *loader);
int loader_status(struct loader *loader);
int loader_preflight(struct loader *loader);

/* pins.c: the tables and the program's object */
int pins_check(const struct loader *loader);
int pins_lock(const struct loader *loader);	/* until the process ends */
int pins_make(const struct loader *loader);
int pins_exist(const struct loader *loader);	/* 1, 0: the whole set */
int pins_remove(const struct loader *loader);
/* The object with every pinned map put in, not loaded; free with bpf_object__close(). NULL after a message. */
struct bpf_object *pins_open_program(const struct loader *loader);
int pins_keep_program(const struct loader *loader, int fd);
/* Does the program use these very tables? Two instances may serve two interfaces of one host. */
bool pins_program_is_ours(const struct loader *loader, int fd);

/* move.c: from the tables of --from to these. No interfaces named: all that carry the program of the others. */
int move_all(struct loader *loader);

/* interface.c */
int interface_find(const char *name);	/* ifindex, or -ENODEV after a message */
/* With --mac as given; interface_refresh() keeps those of before if none were given. */
int interface_register(const struct loader *loader, const char *name, int ifindex);
int interface_refresh(const struct loader *loader, const char *name, int ifindex);
/* With --mac as given, or else with those that the tables of --from have. */
int interface_move(const struct loader *loader, const char *name, int ifindex);
void interface_forget(const struct loader *loader, int ifindex);
void interface_leave(const struct loader *from, int ifindex);	/* the same, of tables of any layout */
void interface_warn(const char *name, FILE *to, json_t *into);	/* preflight's findings: text, JSON, or both */

/* hook.c: how the program hangs on an interface */
int hook_attach(const struct loader *loader, const char *name, int ifindex);
int hook_upgrade(const struct loader *loader, const char *name, int ifindex);
/* The program of these tables in place of that of `from`. Ended at any point, the same call again completes it. */
int hook_move(const struct loader *loader, const struct loader *from, const char *name, int ifindex);
int hook_detach(const struct loader *loader, const char *name, int ifindex);
int hook_find(const struct loader *loader, const char *name, int ifindex, struct attachment *out);

#endif
