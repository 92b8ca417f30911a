/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A client's sockets: from the address and port that a query says, over UDP and TCP. */
#ifndef ECSDNS_TESTS_CONNECT_H
#define ECSDNS_TESTS_CONNECT_H

#include <sys/types.h>

#include "tests/vectors/frame.h"

#define MESSAGE_ROOM 65536

/*
 * A socket from the client to its server, or -errno; connected, so that a reply from elsewhere is none (requirement 21).
 * The client's address must stand on an interface of this host. TCP is ended by a reset: the same ports are used again at
 * once. Sending and connecting wait three seconds at most.
 */
int ends_connect(const struct ends *ends, int type);

/* Is there something to read within so many milliseconds? */
int readable(int fd, int milliseconds);

/* A message with its length: in one piece, or in two behind the `split`-th octet (3: in the middle). 0 or -errno. */
int tcp_send(int fd, const uint8_t *message, size_t length, unsigned int split);

/*
 * One message with its length into received[2 + MESSAGE_ROOM]. Its octets without that, 0 when the peer ended, -1 when
 * nothing came in time.
 */
ssize_t tcp_receive(int fd, int milliseconds, uint8_t *received);

#endif
