/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DNS cookies (RFC 7873, RFC 9018): what a client that has one cannot have forged is its address. Servers that share
 * their secrets, an anycast site say, take each other's cookies.
 *
 * The file of secrets: one a line, 32 hexadecimal digits; blank lines and what begins with # are nothing. The first
 * signs, all are believed. To roll over without a lost client (RFC 9018 5): add the new secret as second, everywhere;
 * then make it the first, everywhere; an hour later drop the old one.
 */
#ifndef ECSDNS_FALLBACK_COOKIES_H
#define ECSDNS_FALLBACK_COOKIES_H

#include <stdint.h>

#include "user/common/faults.h"
#include "user/fallback/client.h"

#define COOKIE_SECRETS_MAX 3
#define COOKIE_SECRET_OCTETS 16
/* RFC 9018 4: client's part, version, reserved, time, hash */
#define COOKIE_OCTETS 24

/* RFC 9018 4.3: a cookie of the last hour is believed, and of the next five minutes, for clocks that are off. Seconds. */
#define COOKIE_BELIEVED_BEFORE 3600
#define COOKIE_BELIEVED_AFTER 300
/* Half of that: what is older is believed, and replaced. */
#define COOKIE_FRESH 1800

struct cookie_secrets;

/* Workers read while others are put in their place: what was live once is freed only with everything. */
struct cookies {
	const struct cookie_secrets *live;
};

/* The secrets of a file, or without one (path null) a random one: good for a server that is alone. 0, or -errno with errors. */
int cookies_load(struct cookies *cookies, const char *path, struct faults *faults);
void cookies_free(struct cookies *cookies);

enum cookie_verdict {
	COOKIE_NEW,		/* the client's part alone came */
	COOKIE_VALID,
	COOKIE_INVALID,		/* too old, of another address or secret, of another making */
};

/*
 * Judges the `octets` of a COOKIE option, 8 or 16 to 40, and writes what the reply's says: the same again while it is fresh,
 * else one made now, in seconds since 1970.
 */
enum cookie_verdict cookies_judge(const struct cookies *cookies, const struct client *client, const uint8_t *option,
				  uint32_t octets, uint32_t now, uint8_t reply[COOKIE_OCTETS]);

#endif
