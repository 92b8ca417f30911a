// SPDX-License-Identifier: GPL-3.0-or-later
/* The control socket's client: libcurl over a Unix socket. */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tools/ecsctl/ecsctl.h"
#include "user/common/bundle.h"

#define HOST "http://ecsdns"	/* never looked up; HTTP wants one */
#define CONNECT_SECONDS 10L
#define CLIENT_BUNDLE_OCTETS_MAX (BUNDLE_OCTETS_MAX + (BUNDLE_OCTETS_MAX >> 4))	/* what a push may hold, a dump does, too */
#define REPLY_OCTETS_MAX (256UL << 20)	/* several times the health of a hundred thousand members */

struct client {
	const struct ecsctl *ecsctl;
	const struct request *request;
	char *text;
	size_t length;
	const struct client_stream *stream;	/* null: the reply is kept as text */
	int is_stopped;	/* by the stream's sink */
	CURL *curl;
	time_t began;
	int shown;	/* a progress line stands on the terminal */
};

static size_t client_receive(char *octets, size_t one, size_t count, void *context)
{
	struct client *client = context;
	size_t most = client->request->octets ? CLIENT_BUNDLE_OCTETS_MAX : REPLY_OCTETS_MAX;
	char *more = NULL;
	long status = 0;

	if (client->stream)
		curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200) {
		client->is_stopped = client->stream->take(client->stream->context, octets, one * count) < 0;
		return client->is_stopped ? 0 : one * count;
	}
	if (client->length + one * count <= most)
		more = realloc(client->text, client->length + one * count + 1);
	if (!more)
		return 0;
	client->text = more;
	memcpy(more + client->length, octets, one * count);
	client->length += one * count;
	more[client->length] = 0;
	return one * count;
}

static int client_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct client *client = context;
	long seconds = time(NULL) - client->began;

	(void)down_total;
	(void)down;
	if (client->stream) {
		client->is_stopped |= client->stream->is_over(client->stream->context);
		return client->is_stopped;
	}
	if (!client->request->doing || seconds < 1 || !(isatty(STDERR_FILENO) || client->ecsctl->is_progress_wanted))
		return 0;
	if (up < up_total)
		fprintf(stderr, "\rsending: %lld of %lld octets", (long long)up, (long long)up_total);
	else
		fprintf(stderr, "\r%s: %ld s\033[K", client->request->doing, seconds);
	client->shown = 1;
	return 0;
}

/* An error of our own, printed as the controller's are. Takes the text; null if a path in it is not UTF-8. */
static void client_error(const struct ecsctl *ecsctl, json_t *text)
{
	json_t *reply = json_pack("{s:o}", "error", text ? text : json_string("no controller at that --socket PATH"));

	output_error(ecsctl, reply);
	json_decref(reply);
}

static void client_explain(const struct ecsctl *ecsctl, CURL *curl, CURLcode code)
{
	long error = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
	if (code == CURLE_WRITE_ERROR) {
		client_error(ecsctl, json_sprintf("%s: the reply is longer than %lu MiB, or than there is memory; is this "
						  "ecsdns-controller's socket?", ecsctl->socket, REPLY_OCTETS_MAX >> 20));
		return;
	}
	if (code != CURLE_COULDNT_CONNECT) {
		client_error(ecsctl, json_sprintf("%s: %s", ecsctl->socket, curl_easy_strerror(code)));
		return;
	}
	if (access(ecsctl->socket, F_OK) && errno == ENOENT)
		error = ENOENT;
	if (error == EACCES || error == EPERM || (error != ENOENT && access(ecsctl->socket, W_OK) && errno == EACCES))
		client_error(ecsctl, json_sprintf("%s: permission denied; run as root, or as a member of the group that "
						  "ecsdns-controller was given with --socket-group", ecsctl->socket));
	else
		client_error(ecsctl, json_sprintf("no controller listens at %s; start it with `systemctl start "
						  "ecsdns-controller` or `ecsdns-controller`, or say where its socket is "
						  "with --socket PATH", ecsctl->socket));
}

static void client_set(CURL *curl, struct client *client, const char *url)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->ecsctl->socket);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, client->request->seconds);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, client_receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, client_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	if (!client->request->is_post)
		return;
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)client->request->length);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, client->request->body ? client->request->body : "");
}

static int client_footer(CURL *curl, struct client *client, CURLcode code, json_t **end);

static int client_perform(CURL *curl, struct client *client, json_t **reply, int *status, json_t **end)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/x-tar");
	CURLcode code;
	long got = 0;

	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	client->began = time(NULL);
	code = curl_easy_perform(curl);
	if (client->shown)
		fprintf(stderr, "\r\033[K");
	curl_slist_free_all(headers);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &got);
	*status = got;
	*reply = NULL;
	if (client->stream && (got == 200 || client->is_stopped))
		return client_footer(curl, client, code, end);
	if (client->request->octets && got == 200 && !code) {
		*client->request->octets = (struct octets){client->text, client->length};
		client->text = NULL;
		return DONE;
	}
	*reply = client->text && code != CURLE_WRITE_ERROR ? json_loads(client->text, 0, NULL) : NULL;
	if (*reply)
		return DONE;	/* even if sending was cut short: the controller said why */
	if (client->request->is_quiet)
		return REFUSED;
	if (code)
		client_explain(client->ecsctl, curl, code);
	else
		client_error(client->ecsctl, json_sprintf("%s: the reply (status %ld) is not JSON; is this ecsdns-controller's "
							  "socket?", client->ecsctl->socket, got));
	return REFUSED;
}

/* -- whole replies and streams -- */

static int client_run(struct client *client, json_t **reply, int *status, json_t **end);

int client_request(const struct ecsctl *ecsctl, const struct request *request, json_t **reply, int *status)
{
	struct client client = {.ecsctl = ecsctl, .request = request};

	return client_run(&client, reply, status, NULL);
}

/* A refusal comes as a whole reply. */
int client_stream(const struct ecsctl *ecsctl, const char *path, const struct client_stream *stream, json_t **end)
{
	struct request request = {.path = path};
	struct client client = {.ecsctl = ecsctl, .request = &request, .stream = stream};
	json_t *reply;
	int status, result = client_run(&client, &reply, &status, end);

	if (reply) {
		output_error(ecsctl, reply);
		result = REFUSED;
	}
	json_decref(reply);
	return result;
}

/* What stands behind a stream that ended, or that it did not. */
static int client_footer(CURL *curl, struct client *client, CURLcode code, json_t **end)
{
	struct curl_header *footer;

	if (!code && !curl_easy_header(curl, client->stream->footer, 0, CURLH_TRAILER, -1, &footer))
		*end = json_loads(footer->value, 0, NULL);
	if (*end || client->is_stopped)
		return DONE;
	client_error(client->ecsctl, json_sprintf("%s: the controller ended in the middle of its reply",
						  client->ecsctl->socket));
	return REFUSED;
}

static int client_run(struct client *client, json_t **reply, int *status, json_t **end)
{
	const struct ecsctl *ecsctl = client->ecsctl;
	const struct request *request = client->request;
	CURL *curl = NULL;
	char *url = NULL;
	int result = REFUSED;

	*reply = NULL;
	if (strlen(ecsctl->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		client_error(ecsctl, json_sprintf("--socket %s: a socket's path has at most %zu octets", ecsctl->socket,
						  sizeof(((struct sockaddr_un *)0)->sun_path) - 1));
		return REFUSED;
	}
	if (curl_global_init(CURL_GLOBAL_NOTHING) || !(curl = curl_easy_init()) ||
	    asprintf(&url, HOST "%s", request->path) < 0) {
		fprintf(stderr, "ecsctl: no memory\n");
		goto out;
	}
	client->curl = curl;
	client_set(curl, client, url);
	result = client_perform(curl, client, reply, status, end);
out:
	free(client->text);
	free(url);
	curl_easy_cleanup(curl);
	curl_global_cleanup();
	return result;
}

int ecsctl_request(struct ecsctl *ecsctl, const struct request *request, verb_print *print)
{
	json_t *reply;
	int status = 0, result = client_request(ecsctl, request, &reply, &status);

	if (result)
		return result;
	if (status >= 200 && status < 300) {
		output_reply(ecsctl, reply, print);
	} else {
		output_error(ecsctl, reply);
		result = REFUSED;
	}
	json_decref(reply);
	return result;
}

char *client_path(const char *path, const char *const (*arguments)[2], size_t count)
{
	char *whole = strdup(path), *longer, *escaped, separator = '?';

	for (size_t i = 0; whole && i < count; i++) {
		if (!arguments[i][1])
			continue;
		escaped = curl_easy_escape(NULL, arguments[i][1], 0);
		if (!escaped || asprintf(&longer, "%s%c%s=%s", whole, separator, arguments[i][0], escaped) < 0)
			longer = NULL;
		curl_free(escaped);
		free(whole);
		whole = longer;
		separator = '&';
	}
	if (!whole)
		fprintf(stderr, "ecsctl: no memory\n");
	return whole;
}
