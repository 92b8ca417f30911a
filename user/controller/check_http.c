// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* memmem() */
/*
 * One GET over a connection of its own, by libcurl's multi interface, whose sockets and timer the loop watches. The
 * address is the member's whatever the name: no resolver is asked, no proxy used, no redirect followed, and no TLS
 * session resumed.
 */
#include "user/controller/check_kind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_OCTETS 512
/* Of OpenSSL's X509_V_ERR_*, which CURLINFO_SSL_VERIFYRESULT gives. */
#define X509_UNSPECIFIED 1
#define X509_NOT_YET_VALID 9
#define X509_EXPIRED 10

struct http {
	struct check check;
	CURL *curl;
	struct curl_slist *connect_to;
	char *body;		/* kept if something is looked for in it */
	size_t length;		/* of all that came */
	char error[CURL_ERROR_SIZE];
};

struct watch {			/* one of libcurl's sockets */
	uv_poll_t poll;
	struct check_engine *engine;
	curl_socket_t file;
};

static void http_over(struct http *http, CURLcode code);

/* -- the loop drives libcurl -- */

static void engine_results(struct check_engine *engine)
{
	struct http *http;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(engine->curl, &left)))
		if (message->msg == CURLMSG_DONE) {
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&http);
			http_over(http, message->data.result);
		}
}

static void engine_act(struct check_engine *engine, curl_socket_t file, int action)
{
	int running;

	curl_multi_socket_action(engine->curl, file, action, &running);
	engine_results(engine);
}

static void engine_on_timer(uv_timer_t *timer)
{
	engine_act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int engine_set_timer(CURLM *curl, long milliseconds, void *context)
{
	struct check_engine *engine = context;

	(void)curl;
	if (milliseconds < 0)
		uv_timer_stop(&engine->curl_timer);
	else
		uv_timer_start(&engine->curl_timer, engine_on_timer, milliseconds, 0);
	return 0;
}

static void watch_on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;

	engine_act(watch->engine, watch->file, status < 0 ? CURL_CSELECT_ERR :
		   (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0));
}

static void watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* libcurl forgets a socket before it closes it. */
static int engine_set_socket(CURL *curl, curl_socket_t file, int what, void *context, void *of_socket)
{
	struct check_engine *engine = context;
	struct watch *watch = of_socket;

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			uv_close((uv_handle_t *)&watch->poll, watch_closed);
		curl_multi_assign(engine->curl, file, NULL);
		return 0;
	}
	if (!watch) {
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return -1;
		if (uv_poll_init(engine->loop, &watch->poll, file)) {
			free(watch);
			return -1;
		}
		watch->poll.data = watch;
		watch->engine = engine;
		watch->file = file;
		curl_multi_assign(engine->curl, file, watch);
	}
	uv_poll_start(&watch->poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
		      watch_on_ready);
	return 0;
}

static bool engine_ready(struct check_engine *engine)
{
	struct curl_slist *headers;

	if (engine->curl)
		return true;
	curl_global_init(CURL_GLOBAL_ALL);
	headers = curl_slist_append(NULL, "Connection: close");
	engine->curl = headers ? curl_multi_init() : NULL;
	if (!engine->curl) {
		curl_slist_free_all(headers);
		return false;
	}
	engine->headers = headers;
	curl_multi_setopt(engine->curl, CURLMOPT_SOCKETFUNCTION, engine_set_socket);
	curl_multi_setopt(engine->curl, CURLMOPT_SOCKETDATA, engine);
	curl_multi_setopt(engine->curl, CURLMOPT_TIMERFUNCTION, engine_set_timer);
	curl_multi_setopt(engine->curl, CURLMOPT_TIMERDATA, engine);
	return true;
}

void check_http_free(struct check_engine *engine)
{
	if (engine->curl)
		curl_multi_cleanup(engine->curl);
	curl_slist_free_all(engine->headers);
	engine->curl = NULL;
	engine->headers = NULL;
}

/* -- the request -- */

/* Everything is taken, up to a limit at which enough is known. */
static size_t http_on_body(char *octets, size_t size, size_t count, void *context)
{
	struct http *http = context;
	const struct config_check *config = http->check.target.check;
	size_t length = size * count, room = CONFIG_BODY_OCTETS_MAX - http->length;
	char *more;

	if (length > room)
		length = room;
	if (config->body || config->regex) {
		more = realloc(http->body, http->length + length + 1);
		if (!more)
			return 0;
		http->body = more;
		memcpy(more + http->length, octets, length);
		more[http->length + length] = 0;
	}
	http->length += length;
	return length == size * count ? length : 0;
}

static void http_set_options(struct http *http, const char *url)
{
	const struct config_check *config = http->check.target.check;
	const struct config_address *source = check_source(&http->check);
	char text[ADDRESS_TEXT_OCTETS], interface[ADDRESS_TEXT_OCTETS + 8];
	CURL *curl = http->curl;

	curl_easy_setopt(curl, CURLOPT_PRIVATE, http);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->error);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_REQUEST_TARGET, config->path);
	curl_easy_setopt(curl, CURLOPT_CONNECT_TO, http->connect_to);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->check.engine->headers);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "ecsdns");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, http_on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
	/* Addresses are cached, too, and each transfer walks through the whole cache: at 4,000 everything stands still. */
	curl_easy_setopt(curl, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, config->timeout * 2L + 1000);	/* after check.c's own */
	curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);	/* a resumed session's certificate is not looked at */
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, config->verify ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, config->verify ? 2L : 0L);
	if (config->ca_file) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, config->ca_file);
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	}
	if (source) {
		snprintf(interface, sizeof(interface), "host!%s", address_text(source, text));
		curl_easy_setopt(curl, CURLOPT_INTERFACE, interface);
	}
}

/* The name in the URL becomes the Host header and the TLS server name; the connection goes to the address. */
static bool http_prepare(struct http *http)
{
	const struct check_target *target = &http->check.target;
	char address[ADDRESS_TEXT_OCTETS], literal[ADDRESS_TEXT_OCTETS + 2], url[URL_OCTETS], connect_to[128];

	address_text(&target->address, address);
	snprintf(literal, sizeof(literal), target->address.length == 16 ? "[%s]" : "%s", address);
	snprintf(url, sizeof(url), "%s://%s:%u/", target->check->type == CONFIG_CHECK_https ? "https" : "http",
		 target->check->host ? target->check->host : literal, target->check->port);
	snprintf(connect_to, sizeof(connect_to), "::%s:%u", literal, target->check->port);
	http->curl = curl_easy_init();
	http->connect_to = curl_slist_append(NULL, connect_to);
	if (!http->curl || !http->connect_to)
		return false;
	http_set_options(http, url);
	return curl_multi_add_handle(http->check.engine->curl, http->curl) == CURLM_OK;
}

static void http_start(struct check *check)
{
	if (!engine_ready(check->engine) || !http_prepare((struct http *)check))
		check_over(check, CHECK_unable, "no memory for a request");
}

static void http_stop(struct check *check)
{
	struct http *http = (struct http *)check;

	if (http->curl) {
		curl_multi_remove_handle(check->engine->curl, http->curl);
		curl_easy_cleanup(http->curl);
	}
	curl_slist_free_all(http->connect_to);
	free(http->body);
	http->curl = NULL;
	http->connect_to = NULL;
	http->body = NULL;
}

/* -- the result -- */

static bool http_status_is_expected(const struct config_check *config, long status)
{
	for (size_t i = 0; i < config->status_count; i++)
		if (status >= config->statuses[i].first && status <= config->statuses[i].last)
			return true;
	return false;
}

static bool http_body_matches(const struct http *http)
{
	const struct config_check *config = http->check.target.check;
	const char *body = http->body ? http->body : "";
	size_t length = http->length < CONFIG_REGEX_OCTETS_MAX ? http->length : CONFIG_REGEX_OCTETS_MAX;
	regmatch_t whole = {0, length};		/* octets 0 in it do not end it */

	if (config->body && !memmem(body, http->length, config->body, strlen(config->body)))
		return false;
	return !config->regex || !regexec(config->regex, body, 1, &whole, REG_STARTEND);
}

static void http_judge(struct http *http)
{
	long status = 0;

	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	if (!http_status_is_expected(http->check.target.check, status))
		check_over(&http->check, CHECK_status, "status %ld", status);
	else if (!http_body_matches(http))
		check_over(&http->check, CHECK_content, "body does not match");
	else
		check_over(&http->check, CHECK_ok, "status %ld", status);
}

/* What libcurl says, without the words before the colon that repeat what it is about, nor OpenSSL's numbers. */
static void http_over_text(struct http *http, enum check_reason reason, const char *what, CURLcode code)
{
	const char *text = *http->error ? http->error : curl_easy_strerror(code), *colon = strstr(text, ": ");
	char line[HEALTH_REASON_OCTETS];

	text = colon ? colon + 2 : text;
	colon = strncmp(text, "error:", strlen("error:")) ? NULL : strstr(text, "::");
	text = colon ? colon + 2 : text;
	check_printable(line, sizeof(line), text, strlen(text));
	check_over(&http->check, reason, "%s: %s", what, line);
}

static void http_over_certificate(struct http *http, CURLcode code)
{
	long result = 0;

	curl_easy_getinfo(http->curl, CURLINFO_SSL_VERIFYRESULT, &result);
	if (result == X509_EXPIRED)
		check_over(&http->check, CHECK_certificate, "certificate expired");
	else if (result == X509_NOT_YET_VALID)
		check_over(&http->check, CHECK_certificate, "certificate is not yet valid");
	else if (result <= X509_UNSPECIFIED)	/* OpenSSL has nothing against the chain: libcurl minds the name */
		check_over(&http->check, CHECK_certificate, "certificate is for another name");
	else
		http_over_text(http, CHECK_certificate, "certificate", code);
}

static void http_over_connect(struct http *http, CURLcode code)
{
	long error = 0;

	curl_easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &error);
	if (error)
		check_over_errno(&http->check, error);
	else
		http_over_text(http, CHECK_unreachable, "no connection", code);
}

static void http_over(struct http *http, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		http_judge(http);
		break;
	case CURLE_WRITE_ERROR:		/* ours: the body is longer than what is read of it */
		if (http->length == CONFIG_BODY_OCTETS_MAX)
			http_judge(http);
		else
			check_over(&http->check, CHECK_unable, "no memory for the body");
		break;
	case CURLE_OPERATION_TIMEDOUT:
		check_over(&http->check, CHECK_timeout, "timed out");
		break;
	case CURLE_COULDNT_CONNECT:
		http_over_connect(http, code);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		http_over_certificate(http, code);
		break;
	case CURLE_SSL_CONNECT_ERROR:
		http_over_text(http, CHECK_tls, "TLS", code);
		break;
	case CURLE_GOT_NOTHING:
		check_over(&http->check, CHECK_closed, "closed without a reply");
		break;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		check_over(&http->check, CHECK_closed, "connection reset");
		break;
	case CURLE_PARTIAL_FILE:
		check_over(&http->check, CHECK_closed, "closed within the body");
		break;
	case CURLE_INTERFACE_FAILED:
		http_over_text(http, CHECK_unable, "source", code);
		break;
	case CURLE_SSL_CACERT_BADFILE:
		http_over_text(http, CHECK_unable, "ca_file", code);
		break;
	case CURLE_OUT_OF_MEMORY:
		check_over(&http->check, CHECK_unable, "no memory for a request");
		break;
	default:
		http_over_text(http, CHECK_protocol, "not HTTP", code);
		break;
	}
}

const struct check_kind check_http = {.size = sizeof(struct http), .start = http_start, .stop = http_stop};
