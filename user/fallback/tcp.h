/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Queries over TCP (RFC 7766): many on one connection, pipelined, answered in order; a length may come apart from its
 * message. One worker's connections, in the epoll set that the worker waits on.
 */
#ifndef ECSDNS_FALLBACK_TCP_H
#define ECSDNS_FALLBACK_TCP_H

#include <stdint.h>

#include "user/fallback/serve.h"

/* Connections taken before others get their turn, and how many turns it takes to have all that can wait (sockets.c). */
#define TCP_ACCEPTS_AT_ONCE 64
#define TCP_ACCEPTS_WAITING 17

struct tcp;
struct connection;

/* `epoll`: the worker's set; connections are added with data.ptr = the connection. Null without memory. */
struct tcp *tcp_new(int epoll, const struct policy *policy);
void tcp_free(struct tcp *tcp);		/* closes all connections */

/*
 * Takes the connections that wait at a listening socket. Where the policy's census says that there are enough, the one
 * of this worker that has been idle longest makes room: of the same network if that is full, else of any. Returns 1 if more
 * may be waiting, else 0.
 */
int tcp_accept(struct tcp *tcp, int listener);

/* A connection is ready as `events` (epoll) says: reads, answers, writes; closes it when it is over. */
void tcp_event(struct tcp *tcp, struct connection *connection, uint32_t events, struct serve *serve);

/*
 * The end has come: what has arrived is answered, and behind its replies each client finds the end of its connection.
 * From then on tcp_event() only waits for clients to take their replies and close. tcp_is_empty(): all have.
 */
void tcp_finish(struct tcp *tcp, struct serve *serve);
int tcp_is_empty(const struct tcp *tcp);

/* Closes what has been idle for too long. */
void tcp_expire(struct tcp *tcp);

/* Frees connections closed since the last call: not before the events of one epoll_wait() are all handled. */
void tcp_reap(struct tcp *tcp);

#endif
