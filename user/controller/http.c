// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE	/* struct ucred */
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/common/local.h"
#include "user/controller/http.h"

/* Bodies being received by all connections together, in units of the limit of one. */
#define HTTP_BODIES 2
#define HTTP_STREAM_OCTETS 16384	/* one piece of a stream */

struct http_connection {
	struct http_connection *next;
	struct MHD_Connection *connection;
	uint64_t since;		/* milliseconds of the loop's clock */
	int is_waiting;
	int is_cut;
};

struct http_page {
	struct MHD_Response *response;
	size_t users;		/* the maker, and requests that have not ended */
};

struct http {
	struct MHD_Daemon *daemon;
	uv_loop_t *loop;
	uv_poll_t poll;
	uv_timer_t timer;	/* what the daemon wants */
	uv_timer_t sweep;	/* old connections */
	int open_handles;
	const char *body_path;	/* null: no request has a body */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];	/* "": TCP */
	uint64_t connection_seconds;
	size_t body_limit;
	size_t body_octets;	/* of all requests */
	struct http_connection *connections;
	http_handler *handler;
	void *context;
};

/* -- the loop drives the daemon -- */

static void http_run(struct http *http);

static void http_on_timer(uv_timer_t *timer)
{
	http_run(timer->data);
}

static void http_on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	http_run(poll->data);
}

static void http_run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG milliseconds;

	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &milliseconds) == MHD_YES)
		uv_timer_start(&http->timer, http_on_timer, milliseconds, 0);
	else
		uv_timer_stop(&http->timer);
}

/* Cuts connections that have not sent a whole request in time, however busily they trickle. */
static void http_on_sweep(uv_timer_t *timer)
{
	struct http *http = timer->data;
	const union MHD_ConnectionInfo *info;

	for (struct http_connection *each = http->connections; each; each = each->next) {
		if (each->is_waiting || each->is_cut || uv_now(http->loop) - each->since < http->connection_seconds * 1000)
			continue;
		info = MHD_get_connection_info(each->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info)
			shutdown(info->connect_fd, SHUT_RDWR);
		each->is_cut = 1;
	}
	http_run(http);
}

static void http_on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
			       enum MHD_ConnectionNotificationCode code)
{
	struct http *http = context;
	struct http_connection **at, *mine = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		mine = calloc(1, sizeof(*mine));
		*socket_context = mine;
		if (!mine)
			return;
		mine->connection = connection;
		mine->since = uv_now(http->loop);
		mine->next = http->connections;
		http->connections = mine;
		return;
	}
	for (at = &http->connections; *at && *at != mine; at = &(*at)->next)
		;
	if (*at)
		*at = mine->next;
	free(mine);
}

static struct http_connection *http_connection_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* -- one request -- */

static enum MHD_Result http_send_json(struct http_request *request)
{
	char *text = request->reply ? json_dumps(request->reply, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
	struct MHD_Response *response;
	enum MHD_Result result = MHD_NO;
	size_t length;

	if (!text) {
		request->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
		text = strdup("{\"error\": \"no memory\"}");
	}
	if (!text)
		return MHD_NO;
	length = strlen(text);
	text[length++] = '\n';		/* in place of the terminating zero, which is not sent */
	response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	if (!*request->http->path)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	result = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result http_send_file(struct http_request *request)
{
	enum MHD_Result result = MHD_queue_response(request->connection, MHD_HTTP_OK, request->file);

	MHD_destroy_response(request->file);
	request->file = NULL;
	return result;
}

/* libmicrohttpd asks again at once unless it is told to wait. */
static ssize_t http_on_read(void *context, uint64_t at, char *to, size_t room)
{
	struct http_request *request = context;
	ssize_t got = request->stream.read(request->stream.context, to, room);

	(void)at;
	if (got < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!got) {
		request->is_waiting = 1;
		MHD_suspend_connection(request->connection);
	}
	return got;
}

static enum MHD_Result http_send_stream(struct http_request *request)
{
	struct http_connection *connection = http_connection_of(request->connection);
	struct MHD_Response *response;
	enum MHD_Result result;

	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_STREAM_OCTETS, http_on_read, request, NULL);
	if (!response)
		return MHD_NO;
	if (connection)
		connection->is_waiting = 1;	/* it takes as long as it takes */
	request->response = response;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->stream.type);
	result = MHD_queue_response(request->connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result http_send(struct http_request *request)
{
	if (request->page)
		return MHD_queue_response(request->connection, request->status, request->page->response);
	if (request->file)
		return http_send_file(request);
	if (request->stream.read)
		return http_send_stream(request);
	return http_send_json(request);
}

/* What is to be sent has been set. */
static void http_replied(struct http_request *request)
{
	struct http_connection *connection;

	request->owner = NULL;
	if (!request->is_waiting)
		return;
	request->is_waiting = 0;
	connection = http_connection_of(request->connection);
	if (connection) {
		connection->is_waiting = 0;
		connection->since = uv_now(request->http->loop);
	}
	MHD_resume_connection(request->connection);
	http_run(request->http);
}

void http_stream(struct http_request *request, const struct http_stream *stream)
{
	request->status = MHD_HTTP_OK;
	request->stream = *stream;
}

void http_stream_wake(struct http_request *request)
{
	if (!request->is_waiting)
		return;
	request->is_waiting = 0;
	MHD_resume_connection(request->connection);
	http_run(request->http);
}

void http_stream_footer(struct http_request *request, const char *name, const char *text)
{
	MHD_add_response_footer(request->response, name, text);
}

bool http_is_gone(const struct http_request *request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd end = {.fd = info ? info->connect_fd : -1};

	return !info || (poll(&end, 1, 0) == 1 && end.revents & (POLLHUP | POLLERR));
}

void http_reply(struct http_request *request, int status, json_t *reply)
{
	request->status = status;
	request->reply = reply;
	http_replied(request);
}

void http_reply_page(struct http_request *request, struct http_page *page)
{
	request->status = MHD_HTTP_OK;
	request->page = page;
	http_page_keep(page);
	http_replied(request);
}

struct http_page *http_page_new(char *text, size_t length, const char *type)
{
	struct http_page *page = calloc(1, sizeof(*page));

	if (page)
		page->response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
	if (!page || !page->response) {
		free(text);
		free(page);
		return NULL;
	}
	MHD_add_response_header(page->response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(page->response, MHD_HTTP_HEADER_CONNECTION, "close");
	page->users = 1;
	return page;
}

void http_page_keep(struct http_page *page)
{
	page->users++;
}

void http_page_drop(struct http_page *page)
{
	if (!page || --page->users)
		return;
	MHD_destroy_response(page->response);
	free(page);
}

void http_reply_file(struct http_request *request, const char *type, int file, size_t octets)
{
	request->file = MHD_create_response_from_fd64(octets, file);
	if (request->file) {
		MHD_add_response_header(request->file, MHD_HTTP_HEADER_CONTENT_TYPE, type);
		return;
	}
	close(file);
	http_reply(request, 500, NULL);
}

void http_wait(struct http_request *request)
{
	struct http_connection *connection = http_connection_of(request->connection);

	request->is_waiting = 1;
	if (connection)
		connection->is_waiting = 1;
	MHD_suspend_connection(request->connection);
}

const char *http_argument(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

int http_peer(const struct http_request *request, uint32_t *uid)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		return info ? -errno : -ENOTCONN;
	*uid = peer.uid;
	return 0;
}

/* Takes a piece of the body. Returns 0, or the status to refuse it with. */
static int http_body_add(struct http_request *request, const char *octets, size_t length)
{
	struct http *http = request->http;
	size_t room = request->room ? request->room : 65536;
	uint8_t *more;

	if (length > request->limit - request->length)
		return MHD_HTTP_CONTENT_TOO_LARGE;
	while (room < request->length + length)
		room *= 2;
	if (room != request->room) {
		if (http->body_octets + (room - request->room) > HTTP_BODIES * http->body_limit)
			return MHD_HTTP_SERVICE_UNAVAILABLE;
		more = realloc(request->body, room);
		if (!more)
			return MHD_HTTP_SERVICE_UNAVAILABLE;
		http->body_octets += room - request->room;
		request->body = more;
		request->room = room;
	}
	memcpy(request->body + request->length, octets, length);
	request->length += length;
	return 0;
}

static void http_body_refused(struct http_request *request, int status)
{
	request->status = status;
	if (status == MHD_HTTP_CONTENT_TOO_LARGE)
		request->reply = json_pack("{s:o}", "error", json_sprintf("the body is larger than %zu octets",
								      request->limit));
	else
		request->reply = json_pack("{s:s}", "error", "too many uploads at once; try again");
}

static int http_declares_too_much(const struct http_request *request)
{
	const char *length = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return length && strtoull(length, NULL, 10) > request->limit;
}

static size_t http_body_limit(const struct http *http, const char *path, const char *method)
{
	if (!http->body_path)
		return 0;
	return !strcmp(path, http->body_path) && !strcmp(method, MHD_HTTP_METHOD_POST) ? http->body_limit : HTTP_BODY_OCTETS;
}

static enum MHD_Result http_begin(struct http *http, struct MHD_Connection *connection, const char *path,
				  const char *method, void **request_context)
{
	struct http_request *request = calloc(1, sizeof(*request));

	if (!request)
		return MHD_NO;
	*request_context = request;
	request->http = http;
	request->connection = connection;
	request->method = strdup(method);
	request->path = strdup(path);
	if (!request->method || !request->path)
		return MHD_NO;
	request->limit = http_body_limit(http, path, method);
	if (!http_declares_too_much(request))
		return MHD_YES;
	http_body_refused(request, MHD_HTTP_CONTENT_TOO_LARGE);
	return http_send(request);
}

/* libmicrohttpd calls it with the headers, for every piece of the body, at the end, and after a resumption. */
static enum MHD_Result http_access(void *context, struct MHD_Connection *connection, const char *path,
				   const char *method, const char *version, const char *upload, size_t *upload_length,
				   void **request_context)
{
	struct http_request *request = *request_context;
	struct http *http = context;
	int refused;

	(void)version;
	if (!request)
		return http_begin(http, connection, path, method, request_context);
	if (*upload_length) {
		refused = request->status ? 0 : http_body_add(request, upload, *upload_length);
		if (refused)
			http_body_refused(request, refused);
		*upload_length = 0;
		return MHD_YES;
	}
	if (!request->status)
		http->handler(http->context, request);
	if (request->is_waiting)
		return MHD_YES;
	return http_send(request);
}

/* A stream's connection may carry another request behind it. */
static void http_stream_over(struct http_request *request)
{
	struct http_connection *connection = http_connection_of(request->connection);

	if (connection) {
		connection->is_waiting = 0;
		connection->since = uv_now(request->http->loop);
	}
	request->stream.over(request->stream.context);
}

static void http_completed(void *context, struct MHD_Connection *connection, void **request_context,
			   enum MHD_RequestTerminationCode code)
{
	struct http_request *request = *request_context;
	struct http *http = context;

	(void)connection;
	(void)code;
	if (!request)
		return;
	if (request->stream.over)
		http_stream_over(request);
	http->body_octets -= request->room;
	free(request->body);
	free(request->method);
	free(request->path);
	json_decref(request->reply);
	http_page_drop(request->page);
	free(request);
	*request_context = NULL;
}

/* -- the socket -- */

struct http_limits {
	unsigned int connections, of_address, idle_seconds, connection_seconds;	/* of_address 0: all of them */
	size_t body;
};

static int http_listen(const char *path, int group)
{
	const struct local_socket local = {
		.path = path, .type = SOCK_STREAM, .mode = 0660, .owner = -1, .group = group, .backlog = HTTP_CONNECTIONS_MAX,
	};

	return local_listen(&local);
}

static int http_listen_tcp(const struct sockaddr *address, socklen_t length)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, fault;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));	/* a restart does not wait for the last scrape */
	if (!bind(fd, address, length) && !listen(fd, HTTP_TCP_CONNECTIONS_MAX))
		return fd;
	fault = -errno;
	close(fd);
	return fault;
}

/* Without a log: what hostile clients do would fill it. */
static int http_start_daemon(struct http *http, int listener, const struct http_limits *limits)
{
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
					http_access, http,
					MHD_OPTION_LISTEN_SOCKET, listener,
					MHD_OPTION_CONNECTION_LIMIT, limits->connections,
					MHD_OPTION_PER_IP_CONNECTION_LIMIT, limits->of_address,
					MHD_OPTION_CONNECTION_TIMEOUT, limits->idle_seconds,
					MHD_OPTION_NOTIFY_COMPLETED, http_completed, http,
					MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, http,
					MHD_OPTION_END);
	return http->daemon ? 0 : -EIO;
}

static void http_watch(struct http *http, uv_loop_t *loop)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	uv_timer_init(loop, &http->timer);
	uv_timer_init(loop, &http->sweep);
	uv_poll_init(loop, &http->poll, info->epoll_fd);
	http->timer.data = http->sweep.data = http->poll.data = http;
	http->open_handles = 3;
	uv_timer_start(&http->sweep, http_on_sweep, 1000, 1000);
	uv_poll_start(&http->poll, UV_READABLE, http_on_poll);
}

/* Serves what comes over the listener, which is closed if that fails. */
static int http_serve(struct http **out, uv_loop_t *loop, int listener, const struct http_limits *limits,
		      http_handler *handler, void *context)
{
	struct http *http = calloc(1, sizeof(*http));
	int fault = http ? 0 : -ENOMEM;

	if (http) {
		http->loop = loop;
		http->body_limit = limits->body;
		http->connection_seconds = limits->connection_seconds;
		http->handler = handler;
		http->context = context;
		fault = http_start_daemon(http, listener, limits);
	}
	if (fault) {
		close(listener);
		free(http);
		return fault;
	}
	http_watch(http, loop);
	*out = http;
	return 0;
}

int http_start(struct http **out, uv_loop_t *loop, const char *path, int group, const char *body_path, size_t body_limit,
	       http_handler *handler, void *context)
{
	const struct http_limits limits = {
		.connections = HTTP_CONNECTIONS_MAX, .idle_seconds = HTTP_IDLE_SECONDS,
		.connection_seconds = HTTP_CONNECTION_SECONDS, .body = body_limit,
	};
	int listener = http_listen(path, group), fault;

	if (listener < 0)
		return listener;
	fault = http_serve(out, loop, listener, &limits, handler, context);
	if (fault) {
		unlink(path);
		return fault;
	}
	strcpy((*out)->path, path);
	(*out)->body_path = body_path;
	return 0;
}

int http_start_tcp(struct http **out, uv_loop_t *loop, const struct sockaddr *address, socklen_t length,
		   http_handler *handler, void *context)
{
	const struct http_limits limits = {
		.connections = HTTP_TCP_CONNECTIONS_MAX, .of_address = HTTP_TCP_CONNECTIONS_OF_ADDRESS,
		.idle_seconds = HTTP_TCP_IDLE_SECONDS, .connection_seconds = HTTP_TCP_CONNECTION_SECONDS,
	};
	int listener = http_listen_tcp(address, length);

	return listener < 0 ? listener : http_serve(out, loop, listener, &limits, handler, context);
}

static void http_on_closed(uv_handle_t *handle)
{
	struct http *http = handle->data;

	if (!--http->open_handles)
		free(http);
}

void http_stop(struct http *http)
{
	uv_poll_stop(&http->poll);
	MHD_stop_daemon(http->daemon);	/* closes the socket, too */
	if (*http->path)
		unlink(http->path);
	uv_close((uv_handle_t *)&http->poll, http_on_closed);
	uv_close((uv_handle_t *)&http->timer, http_on_closed);
	uv_close((uv_handle_t *)&http->sweep, http_on_closed);
}
