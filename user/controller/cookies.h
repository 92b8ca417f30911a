/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The secrets of DNS cookies (maps/cookie.h), in the table that the driver and the fallback read.
 *
 * The file of secrets: one a line, 32 hexadecimal digits; blank lines and what begins with # are nothing. The first
 * signs, all are believed. To roll over without a lost client (RFC 9018 5): add the new secret as second, everywhere;
 * then make it the first, everywhere; an hour later drop the old one.
 */
#ifndef ECSDNS_CONTROLLER_COOKIES_H
#define ECSDNS_CONTROLLER_COOKIES_H

#include "maps/abi.h"
#include "user/common/faults.h"

/* Puts secrets into the table, unless they are there. 0, or -errno with errors and the table as it was. */
int cookies_give(struct cookies *cookies, const struct cookie_secrets *secrets, struct faults *faults);

/* Likewise those of a file. */
int cookies_load(struct cookies *cookies, const char *path, struct faults *faults);

/* How far CLOCK_TAI is ahead, which changes with a leap second, or when a time daemon has found it out. */
void cookies_follow_clock(struct cookies *cookies);

#endif
