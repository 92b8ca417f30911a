/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets on the server's addresses. Every worker has its own: the kernel spreads clients over them (SO_REUSEPORT). */
#ifndef ECSDNS_FALLBACK_SOCKETS_H
#define ECSDNS_FALLBACK_SOCKETS_H

#include <stdint.h>
#include <sys/socket.h>

#include "user/fallback/serve.h"

/* "[address]:port" at most, with the 0 */
#define SOCKETS_TEXT_OCTETS 64

/*
 * A non-blocking socket bound to an address (IPv4 as ::ffff:a.b.c.d), which need not be on any interface yet.
 * `type`: SOCK_DGRAM, or SOCK_STREAM to listen. Returns the descriptor, or -errno.
 */
int socket_open(const uint8_t address[16], uint16_t port, int type);

/*
 * Where a socket that is open already is bound, and whether it is one for UDP or one that listens for TCP, as above. 0 or
 * -errno: it is neither.
 */
int socket_facts(int fd, uint8_t address[16], uint16_t *port, int *type);

/* Takes a connection, non-blocking; client->tcp is the caller's. Returns the descriptor, or -errno as accept(2). */
int socket_accept(int listener, struct client *client);

/* Client of a socket address. -EAFNOSUPPORT for other families, -EINVAL for port 0, which cannot be answered. */
int socket_client(const struct sockaddr_storage *from, struct client *client);

const char *socket_text(const uint8_t address[16], uint16_t port, char text[SOCKETS_TEXT_OCTETS]);

#endif
