// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/fallback/serve.h"
#include "user/fallback/sockets.h"
#include "user/fallback/tcp.h"
#include "user/fallback/udp.h"
#include "user/fallback/worker.h"

#define EVENTS_AT_ONCE 64
/* Batches of one UDP socket before others get their turn. */
#define BATCHES_AT_ONCE 8
/* How long the worker sleeps at most: idle connections end, and addresses that could not be had are tried again. */
#define SLEEP_MS 1000

/* A server address and its sockets. */
struct endpoint {
	uint8_t address[16];
	int udp, listener;		/* -1: not open */
	int wanted;			/* by the live generation */
	int told;			/* that it could not be opened */
	struct endpoint *next;
	struct watched {
		enum { WATCHED_UDP, WATCHED_LISTENER, WATCHED_WAKE } kind;
		struct endpoint *endpoint;
	} watched_udp, watched_listener;
};

struct worker {
	struct generations *generations;
	struct serve serve;
	struct endpoint *endpoints;
	struct watched woken;
	struct udp *udp;
	struct tcp *tcp;
	uint16_t port;
	int epoll_sockets;		/* the endpoints and the wake-up; nested in epoll, beside the connections */
	int epoll;
	int wake;			/* eventfd */
	int stop;
	pthread_t thread;
	int running;
};

static void *worker_run(void *argument);
static void worker_sockets(struct worker *worker);
static void worker_follow(struct worker *worker);
static void endpoint_close(struct worker *worker, struct endpoint *endpoint);
static void worker_free(struct worker *worker);

static int watch(int epoll, int fd, void *data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = data };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int worker_start(struct generations *generations, const struct policy *policy, unsigned int number, uint16_t port,
		 struct worker **out)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int code = -ENOMEM;

	if (!worker)
		return -ENOMEM;
	worker->generations = generations;
	worker->serve.generations = generations;
	worker->serve.policy = policy;
	worker->serve.worker = number;
	worker->port = port;
	worker->woken.kind = WATCHED_WAKE;
	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	worker->epoll_sockets = epoll_create1(EPOLL_CLOEXEC);
	worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	worker->udp = udp_new();
	worker->tcp = tcp_new(worker->epoll, policy);
	if (!worker->udp || !worker->tcp)
		goto fail;
	code = watch(worker->epoll_sockets, worker->wake, &worker->woken);
	if (!code)
		code = watch(worker->epoll, worker->epoll_sockets, NULL);
	if (code)
		goto fail;
	worker_follow(worker);
	code = -pthread_create(&worker->thread, NULL, worker_run, worker);
	if (code)
		goto fail;
	worker->running = 1;
	*out = worker;
	return 0;
fail:
	worker_free(worker);
	return code;
}

void worker_wake(struct worker *worker)
{
	const uint64_t one = 1;

	/* A counter that is full wakes just as well. */
	if (write(worker->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("waking a worker: %s", strerror(errno));
}

void worker_stop(struct worker *worker)
{
	__atomic_store_n(&worker->stop, 1, __ATOMIC_RELEASE);
	worker_wake(worker);
	pthread_join(worker->thread, NULL);
	worker_free(worker);
}

static void worker_free(struct worker *worker)
{
	while (worker->endpoints) {
		struct endpoint *endpoint = worker->endpoints;

		worker->endpoints = endpoint->next;
		endpoint_close(worker, endpoint);	/* answers what its socket still holds, through udp */
		free(endpoint);
	}
	tcp_free(worker->tcp);
	udp_free(worker->udp);
	if (worker->wake >= 0)
		close(worker->wake);
	if (worker->epoll_sockets >= 0)
		close(worker->epoll_sockets);
	if (worker->epoll >= 0)
		close(worker->epoll);
	free(worker);
}

/* -- the thread -- */

/* The outer set holds the connections and, with no pointer, the inner set of everything else. */
static void *worker_run(void *argument)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct worker *worker = argument;

	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE)) {
		int count = epoll_wait(worker->epoll, events, EVENTS_AT_ONCE, SLEEP_MS);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				tcp_event(worker->tcp, events[i].data.ptr, events[i].events, &worker->serve);
			else
				worker_sockets(worker);
		}
		tcp_expire(worker->tcp);
		tcp_reap(worker->tcp);
		if (!count)
			worker_follow(worker);
	}
	return NULL;
}

static void worker_sockets(struct worker *worker)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = epoll_wait(worker->epoll_sockets, events, EVENTS_AT_ONCE, 0), woken = 0;

	for (int i = 0; i < count; i++) {
		struct watched *watched = events[i].data.ptr;
		uint64_t wakes;

		switch (watched->kind) {
		case WATCHED_UDP:
			for (int more = BATCHES_AT_ONCE; more; more--)
				if (!udp_receive(worker->udp, watched->endpoint->udp, &worker->serve))
					break;
			break;
		case WATCHED_LISTENER:
			tcp_accept(worker->tcp, watched->endpoint->listener);
			break;
		case WATCHED_WAKE:
			woken = read(worker->wake, &wakes, sizeof(wakes)) > 0;
			break;
		}
	}
	if (woken)
		worker_follow(worker);	/* last: it frees endpoints */
}

/* -- addresses -- */

static int endpoint_open_one(struct worker *worker, struct endpoint *endpoint, int type, int *fd, struct watched *watched)
{
	int opened, code;

	if (*fd >= 0)
		return 0;
	opened = socket_open(endpoint->address, worker->port, type);
	if (opened < 0)
		return opened;
	code = watch(worker->epoll_sockets, opened, watched);
	if (code) {
		close(opened);
		return code;
	}
	*fd = opened;
	return 0;
}

/* Opens what is not open. One worker speaks for all. */
static void endpoint_open(struct worker *worker, struct endpoint *endpoint)
{
	int was_open = endpoint->udp >= 0 && endpoint->listener >= 0, code;
	char text[SOCKETS_TEXT_OCTETS];

	if (was_open)
		return;
	code = endpoint_open_one(worker, endpoint, SOCK_DGRAM, &endpoint->udp, &endpoint->watched_udp);
	if (!code)
		code = endpoint_open_one(worker, endpoint, SOCK_STREAM, &endpoint->listener, &endpoint->watched_listener);
	socket_text(endpoint->address, worker->port, text);
	if (!code && !worker->serve.worker)
		log_info("listening on %s", text);
	if (code && !endpoint->told && !worker->serve.worker)
		log_error("cannot listen on %s: %s%s; trying on", text, strerror(-code),
			  code == -EACCES ? "; ports below 1024 need CAP_NET_BIND_SERVICE" :
			  code == -EADDRINUSE ? "; another program is there" : "");
	endpoint->told = code != 0;
}

/* What still waits in the socket is answered first: it was sent to an address of ours. */
static void endpoint_close(struct worker *worker, struct endpoint *endpoint)
{
	if (endpoint->udp >= 0) {
		while (worker->running && udp_receive(worker->udp, endpoint->udp, &worker->serve))
			;
		close(endpoint->udp);
	}
	if (endpoint->listener >= 0)
		close(endpoint->listener);
	endpoint->udp = endpoint->listener = -1;
}

static struct endpoint *endpoint_find(struct worker *worker, const uint8_t address[16])
{
	struct endpoint *endpoint;

	for (endpoint = worker->endpoints; endpoint; endpoint = endpoint->next)
		if (!memcmp(endpoint->address, address, sizeof(endpoint->address)))
			return endpoint;
	endpoint = calloc(1, sizeof(*endpoint));
	if (!endpoint)
		return NULL;
	memcpy(endpoint->address, address, sizeof(endpoint->address));
	endpoint->udp = endpoint->listener = -1;
	endpoint->watched_udp = (struct watched){ .kind = WATCHED_UDP, .endpoint = endpoint };
	endpoint->watched_listener = (struct watched){ .kind = WATCHED_LISTENER, .endpoint = endpoint };
	endpoint->next = worker->endpoints;
	worker->endpoints = endpoint;
	return endpoint;
}

/* Goes where the live generation is. The new addresses are opened before the old ones are closed. */
static void worker_follow(struct worker *worker)
{
	const struct generation *generation = generation_hold(worker->generations, worker->serve.worker);
	struct endpoint *endpoint, **where;

	for (endpoint = worker->endpoints; endpoint; endpoint = endpoint->next)
		endpoint->wanted = 0;
	for (size_t i = 0; generation && i < generation->address_count; i++) {
		endpoint = endpoint_find(worker, generation->addresses[i]);
		if (!endpoint)
			continue;
		endpoint->wanted = 1;
		endpoint_open(worker, endpoint);
	}
	generation_release(worker->generations, worker->serve.worker);
	for (where = &worker->endpoints; *where;) {
		endpoint = *where;
		if (endpoint->wanted) {
			where = &endpoint->next;
			continue;
		}
		*where = endpoint->next;
		endpoint_close(worker, endpoint);
		free(endpoint);
	}
}
