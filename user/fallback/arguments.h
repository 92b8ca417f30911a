/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line. */
#ifndef ECSDNS_FALLBACK_ARGUMENTS_H
#define ECSDNS_FALLBACK_ARGUMENTS_H

#include <stdint.h>

struct arguments {
	const char *pins, *state;
	const char *user;		/* null: stay who we are */
	const char *identity, *version;	/* null: not told */
	const char *control;		/* path of a socket */
	uint32_t take_over, no_seccomp;	/* flags: 0 or 1 */
	uint32_t workers, port;
	uint32_t tcp_idle;		/* seconds */
	uint32_t tcp_connections, tcp_per_network;
};

/* Fills in what is said and the defaults; --help, --version and wrong usage end the program. */
void arguments_parse(struct arguments *arguments, int argc, char **argv);

#endif
