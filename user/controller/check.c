// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/check_kind.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const check_reason_names[] = {
#define X(name, text) #name,
	CHECK_REASONS(X)
#undef X
};

static const struct check_kind *const kinds[CONFIG_CHECK_TYPE_COUNT] = {
	[CONFIG_CHECK_http] = &check_http, [CONFIG_CHECK_https] = &check_http, [CONFIG_CHECK_tcp] = &check_tcp,
	[CONFIG_CHECK_dns] = &check_dns, [CONFIG_CHECK_icmp] = &check_icmp, [CONFIG_CHECK_exec] = &check_exec,
	[CONFIG_CHECK_file] = &check_file,
};

/* -- from start to end -- */

static void check_on_timeout(uv_timer_t *timer);
static void check_on_result(uv_timer_t *timer);
static void check_stop(struct check *check);
static void check_close(struct check *check);

struct check *check_start(struct check_engine *engine, const struct check_target *target, check_done *done, void *context)
{
	const struct check_kind *kind = kinds[target->check->type];
	struct check *check = calloc(1, kind->size);

	if (!check)
		return NULL;
	check->kind = kind;
	check->engine = engine;
	check->target = *target;
	check->done = done;
	check->context = context;
	check->file = -1;
	uv_update_time(engine->loop);	/* many may start in one turn, and a time-out counts from here */
	uv_timer_init(engine->loop, &check->timer);
	check->timer.data = check;
	check->open_handles = 1;
	check->deadline = uv_now(engine->loop) + target->check->timeout;
	uv_timer_start(&check->timer, check_on_timeout, target->check->timeout, 0);
	kind->start(check);
	return check;
}

void check_retarget(struct check *check, const struct check_target *target, void *context)
{
	check->target = *target;
	check->context = context;
}

/*
 * The loop looks at timers before it looks at sockets. When it was kept from both, by a long push or because this host
 * stood still, the reply may be there: a check gets back the time that the loop was late, and one turn at least.
 */
static void check_on_timeout(uv_timer_t *timer)
{
	struct check *check = timer->data;
	uint32_t timeout = check->target.check->timeout;
	uint64_t late = uv_now(check->engine->loop) - check->deadline;

	if (!check->is_prolonged) {
		check->is_prolonged = true;
		uv_timer_start(timer, check_on_timeout, late < 1 ? 1 : late < timeout ? late : timeout, 0);
		return;
	}
	if (timeout % 1000)
		check_over(check, CHECK_timeout, "timed out after %u ms", timeout);
	else
		check_over(check, CHECK_timeout, "timed out after %u s", timeout / 1000);
}

/* The owner hears of it in the loop's next turn, so that no type's function is on the stack then. */
void check_over(struct check *check, enum check_reason reason, const char *format, ...)
{
	va_list arguments;

	if (check->is_over)
		return;
	check->is_over = true;
	check->result.reason = reason;
	va_start(arguments, format);
	vsnprintf(check->result.text, sizeof(check->result.text), format, arguments);
	va_end(arguments);
	check_stop(check);
	uv_timer_start(&check->timer, check_on_result, 0, 0);
}

static void check_on_result(uv_timer_t *timer)
{
	struct check *check = timer->data;

	check->done(check->context, &check->result);
	check_close(check);
}

void check_cancel(struct check *check)
{
	if (!check->is_over) {
		check->is_over = true;
		check_stop(check);
	}
	check_close(check);
}

void check_closed(uv_handle_t *handle)
{
	struct check *check = handle->data;

	if (!--check->open_handles)
		free(check);
}

static void check_stop(struct check *check)
{
	if (check->kind->stop)
		check->kind->stop(check);
	if (check->file < 0)
		return;
	uv_close((uv_handle_t *)&check->poll, check_closed);
	close(check->file);
	check->file = -1;
}

static void check_close(struct check *check)
{
	uv_close((uv_handle_t *)&check->timer, check_closed);
}

/* -- sockets -- */

void check_over_errno(struct check *check, int error)
{
	switch (error) {
	case ECONNREFUSED:
		check_over(check, CHECK_refused, "connection refused");
		break;
	case ETIMEDOUT:
		check_over(check, CHECK_timeout, "timed out by the network");
		break;
	case ECONNRESET:
	case EPIPE:
		check_over(check, CHECK_closed, "connection reset");
		break;
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
	case EAGAIN:
		check_over(check, CHECK_unable, "%s", strerror(error));
		break;
	case EADDRNOTAVAIL:
		check_over(check, CHECK_unable, "no port is free to connect from");
		break;
	default:
		check_over(check, CHECK_unreachable, "%s", strerror(error));
		break;
	}
}

static socklen_t socket_address(struct sockaddr_storage *out, const struct config_address *address, uint16_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (address->length == 4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, address->octets, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, address->octets, 16);
	return sizeof(*in6);
}

const struct config_address *check_source(const struct check *check)
{
	const struct config_check *config = check->target.check;
	const struct config_address *source = check->target.address.length == 4 ? &config->source4 : &config->source6;

	return source->length ? source : NULL;
}

/* The port is chosen when connecting: then it need only differ from others with the same destination. */
static bool check_bind(struct check *check, int file)
{
	const struct config_address *source = check_source(check);
	struct sockaddr_storage address;
	char text[ADDRESS_TEXT_OCTETS];
	int on = 1;

	if (!source)
		return true;
	setsockopt(file, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (!bind(file, (struct sockaddr *)&address, socket_address(&address, source, 0)))
		return true;
	check_over(check, CHECK_unable, "source %s: %s", address_text(source, text), strerror(errno));
	return false;
}

bool check_connect(struct check *check, int type, int protocol, uint16_t port)
{
	int family = check->target.address.length == 4 ? AF_INET : AF_INET6;
	int file = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (file >= 0)
		return check_connect_file(check, file, port);
	check_over(check, CHECK_unable, "%s", strerror(errno));
	return false;
}

bool check_connect_file(struct check *check, int file, uint16_t port)
{
	struct sockaddr_storage address;

	if (check_bind(check, file)) {
		if (!connect(file, (struct sockaddr *)&address, socket_address(&address, &check->target.address, port)) ||
		    errno == EINPROGRESS)
			return check_watch(check, file, UV_WRITABLE);
		check_over_errno(check, errno);
	}
	close(file);
	return false;
}

/* -- files -- */

static void check_on_ready(uv_poll_t *poll, int status, int events)
{
	struct check *check = poll->data;

	if (check->is_over)
		return;
	check->kind->ready(check, status < 0 ? UV_READABLE | UV_WRITABLE : events);
}

bool check_watch(struct check *check, int file, int events)
{
	int fault = uv_poll_init(check->engine->loop, &check->poll, file);

	if (fault) {
		close(file);
		check_over(check, CHECK_unable, "%s", uv_strerror(fault));
		return false;
	}
	check->poll.data = check;
	check->file = file;
	check->open_handles++;
	check_watch_for(check, events);
	return true;
}

void check_watch_for(struct check *check, int events)
{
	if (events)
		uv_poll_start(&check->poll, events, check_on_ready);
	else
		uv_poll_stop(&check->poll);
}

void check_printable(char *text, size_t room, const char *octets, size_t length)
{
	size_t used = 0;

	for (; length && used + 1 < room && *octets != '\n' && *octets != '\r'; octets++, length--)
		text[used++] = *octets >= ' ' && *octets < 0x7f ? *octets : '?';
	while (used && text[used - 1] == ' ')
		used--;
	text[used] = 0;
}

/* -- what is shared -- */

struct check_engine *check_engine_new(uv_loop_t *loop)
{
	struct check_engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return NULL;
	engine->loop = loop;
	uv_timer_init(loop, &engine->curl_timer);
	engine->curl_timer.data = engine;
	return engine;
}

static void check_engine_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void check_engine_free(struct check_engine *engine)
{
	check_http_free(engine);
	uv_close((uv_handle_t *)&engine->curl_timer, check_engine_closed);
}
