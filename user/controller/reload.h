/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The file of --config is read again at SIGHUP and, with --watch, when it or a file that it names changes: a push like any
 * other, all of it or nothing. What is the same to the octet is not pushed.
 *
 * Watched are the folders, since editors and configuration management put a new file in the old one's place by renaming it.
 * Changes that come together are one push; one that comes while the file is read is looked at afterwards.
 */
#ifndef ECSDNS_CONTROLLER_RELOAD_H
#define ECSDNS_CONTROLLER_RELOAD_H

#include "user/controller/controller.h"

#define RELOAD_SETTLE_MILLISECONDS 300	/* without a change, before the file is read */
#define RELOAD_DELAY_MILLISECONDS 3000	/* but no longer than this after the first */
#define RELOAD_FOLDERS_MAX 256		/* each takes an inotify watch; files in others are read again at SIGHUP alone */

struct reload;

/* 0 or -ENOMEM. controller->config may be null: SIGHUP is told that there is nothing to read. */
int reload_start(struct controller *controller);

/* The loop has to run once more before it is freed; null is fine. */
void reload_stop(struct reload *reload);

/* A job of push_config() is done, and has read these files; they are the caller's. */
void reload_done(struct reload *reload, const struct words *paths);

#endif
