/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HTTP with JSON over a Unix socket: libmicrohttpd, driven by libuv's loop. Whoever serves it sees whole requests and
 * answers them at once or later. A client that is slow, half-sent or hostile meets a limit and holds up nobody.
 */
#ifndef ECSDNS_CONTROLLER_HTTP_H
#define ECSDNS_CONTROLLER_HTTP_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_BODY_OCTETS 4096	/* where no body means anything: some clients send one all the same */
#define HTTP_IDLE_SECONDS 15		/* without an octet */
#define HTTP_CONNECTION_SECONDS 120	/* from connecting to the whole request; an upload at disk speed takes a few */

struct http;
struct MHD_Connection;
struct MHD_Response;

struct http_request {
	struct http *http;
	struct MHD_Connection *connection;
	char *method;
	char *path;
	uint8_t *body;		/* whole; a handler that wants to keep it takes it and leaves null */
	size_t length;
	size_t room;
	size_t limit;		/* of the body */
	void *owner;		/* the handler's, while it has not answered */
	int status;		/* of the reply */
	json_t *reply;
	struct MHD_Response *file;	/* in place of a reply */
	int is_waiting;		/* suspended until http_reply() */
};

/* A request is whole. Call http_reply(), or http_wait() and http_reply() later. */
typedef void http_handler(void *context, struct http_request *request);

/*
 * Listens on a Unix socket; `group` (or -1) may connect beside the owner. A stale socket is replaced, one that somebody
 * listens on is not: -EADDRINUSE. Only POSTs to `body_path` may have bodies of more than HTTP_BODY_OCTETS, and those of at
 * most body_limit; others get status 413. 0 or -errno.
 */
int http_start(struct http **http, uv_loop_t *loop, const char *path, int group, const char *body_path, size_t body_limit,
	       http_handler *handler, void *context);

/* Closes connections and the socket, and removes it. The loop must run once more before *http is freed by it. */
void http_stop(struct http *http);

void http_wait(struct http_request *request);

/* Sends the reply, and takes `reply`. A null one becomes status 500: no memory. */
void http_reply(struct http_request *request, int status, json_t *reply);

/* Sends a file, status 200, and closes it. */
void http_reply_file(struct http_request *request, const char *type, int file, size_t octets);

/* Who is at the other end of the socket. 0 or -errno. */
int http_peer(const struct http_request *request, uint32_t *uid);

/* An argument behind the question mark, or null. */
const char *http_argument(const struct http_request *request, const char *name);

#endif
