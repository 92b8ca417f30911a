/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HTTP with JSON over a Unix socket, or a page to read over TCP: libmicrohttpd, driven by libuv's loop. Whoever serves it
 * sees whole requests and answers them at once or later. A client that is slow, half-sent or hostile meets a limit and
 * holds up nobody.
 */
#ifndef ECSDNS_CONTROLLER_HTTP_H
#define ECSDNS_CONTROLLER_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_BODY_OCTETS 4096	/* where no body means anything: some clients send one all the same */
#define HTTP_IDLE_SECONDS 15		/* without an octet */
#define HTTP_CONNECTION_SECONDS 120	/* from connecting to the whole request; an upload at disk speed takes a few */

/* Over TCP, where anybody may be: a request is a few hundred octets, and Prometheus asks every few seconds. */
#define HTTP_TCP_CONNECTIONS_MAX 16
#define HTTP_TCP_CONNECTIONS_OF_ADDRESS 4
#define HTTP_TCP_IDLE_SECONDS 5
#define HTTP_TCP_CONNECTION_SECONDS 10	/* to the whole request, and from then on to the end of the reply */

struct http;
struct MHD_Connection;
struct MHD_Response;

/* A reply that comes piece by piece, as long as its source likes. */
struct http_stream {
	const char *type;	/* Content-Type */
	ssize_t (*read)(void *context, void *to, size_t room);	/* octets; 0: none now; below 0: that was all */
	void (*over)(void *context);	/* it was all, or the client is gone; the request ends now */
	void *context;
};

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
	struct http_page *page;	/* in place of it */
	int is_waiting;		/* suspended until http_reply() or http_stream_wake() */
	struct http_stream stream;	/* in place of `reply`, if it has a `read` */
	struct MHD_Response *response;	/* of the stream */
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

/* The same over TCP, where a request has no body and a connection one request. */
int http_start_tcp(struct http **http, uv_loop_t *loop, const struct sockaddr *address, socklen_t length,
		   http_handler *handler, void *context);

/* Closes connections and the socket, and removes it. No request may be waiting. The loop must run once more before *http is freed by it. */
void http_stop(struct http *http);

void http_wait(struct http_request *request);

/* Sends the reply, and takes `reply`. A null one becomes status 500: no memory. */
void http_reply(struct http_request *request, int status, json_t *reply);

/* Sends a file, status 200, and closes it. */
void http_reply_file(struct http_request *request, const char *type, int file, size_t octets);
/* A text that many replies share. Takes `text`, of malloc(); null without memory. Dropped when nobody sends it any more. */
struct http_page *http_page_new(char *text, size_t length, const char *type);
void http_page_keep(struct http_page *page);		/* one http_page_drop() more */
void http_page_drop(struct http_page *page);		/* null is fine */

/* The page with status 200; the connection ends behind it. */
void http_reply_page(struct http_request *request, struct http_page *page);
/* Replies with a stream, in place of http_reply(). `over` is called in any case, but not before this returns. */
void http_stream(struct http_request *request, const struct http_stream *stream);
/* There is something to read again, or the end of it. The request may be over and gone when this returns. */
void http_stream_wake(struct http_request *request);
/* From `read`, before it says that that was all: a field behind the body. */
void http_stream_footer(struct http_request *request, const char *name, const char *text);
/* Has the client closed its end? A waiting request is told nothing of it. */
bool http_is_gone(const struct http_request *request);

/* Who is at the other end of the socket. 0 or -errno. */
int http_peer(const struct http_request *request, uint32_t *uid);

/* An argument behind the question mark, or null. */
const char *http_argument(const struct http_request *request, const char *name);

#endif
