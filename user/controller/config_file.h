/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file of --config: was it pushed already, and whereabouts is all that it names. For the job's thread. */
#ifndef ECSDNS_CONTROLLER_CONFIG_FILE_H
#define ECSDNS_CONTROLLER_CONFIG_FILE_H

#include "user/controller/controller.h"

/* The newest kept generation that was made of this file, as its note says; 0: none. */
uint32_t config_file_pushed(const struct controller *controller);

/*
 * Is the file, and every one that it names, to the octet what generation N was made of? `bundle` is the file, read from
 * the disk; it fetches the others.
 */
bool config_file_same(const struct controller *controller, uint32_t generation, struct bundle *bundle);

/*
 * The paths of all files of the bundle, as far as they are known. Adds none twice. Without memory some are missing, and a change
 * of those is not seen.
 */
void config_file_paths(const struct bundle *bundle, struct words *paths);

#endif
