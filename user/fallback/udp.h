/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Queries over UDP, taken and answered in batches. */
#ifndef ECSDNS_FALLBACK_UDP_H
#define ECSDNS_FALLBACK_UDP_H

#include "user/fallback/serve.h"

/* More turns of udp_receive() than a full socket buffer takes (sockets.c): 8 MiB of at least 768 octets each. */
#define UDP_BATCHES_WAITING 1024

struct udp;

struct udp *udp_new(void);	/* the buffers of one worker; null without memory */
void udp_free(struct udp *udp);

/* Answers what waits at the socket, one batch. Returns 1 if more may be waiting, else 0. */
int udp_receive(struct udp *udp, int fd, struct serve *serve);

#endif
