// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "user/common/log.h"
#include "user/fallback/crew.h"

/* The watcher of the generation looks at the count, too. */
int crew_start(struct crew *crew, struct generations *generations, const struct policy *policy, unsigned int count,
	       uint16_t port, int news)
{
	for (unsigned int i = 0; i < count; i++) {
		int code = worker_start(generations, policy, i, port, news, &crew->workers[i]);

		if (code) {
			log_error("starting worker %u: %s", i, strerror(-code));
			return code;
		}
		__atomic_store_n(&crew->count, i + 1, __ATOMIC_RELEASE);
	}
	return 0;
}

void crew_wake(struct crew *crew)
{
	unsigned int count = __atomic_load_n(&crew->count, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < count; i++)
		worker_wake(crew->workers[i]);
}

void crew_order(struct crew *crew, enum worker_order order)
{
	for (unsigned int i = 0; i < crew->count; i++)
		worker_order(crew->workers[i], order);
}

int crew_has_done(const struct crew *crew, enum worker_order order)
{
	for (unsigned int i = 0; i < crew->count; i++)
		if (!worker_has_done(crew->workers[i], order))
			return 0;
	return 1;
}

int crew_has_moved(struct crew *crew)
{
	for (unsigned int i = 0; i < crew->count; i++)
		if (worker_rounds(crew->workers[i]) == crew->rounds[i] && !worker_has_done(crew->workers[i], WORKER_ENDED))
			return 0;
	for (unsigned int i = 0; i < crew->count; i++)
		crew->rounds[i] = worker_rounds(crew->workers[i]);
	return 1;
}

struct crew_addresses crew_addresses(const struct crew *crew)
{
	struct crew_addresses all = {0};
	uint32_t wanted, open;

	for (unsigned int i = 0; i < crew->count; i++) {
		worker_addresses(crew->workers[i], &wanted, &open);
		if (wanted > all.wanted)
			all.wanted = wanted;
		if (open > all.some)
			all.some = open;
		if (!i || open < all.whole)
			all.whole = open;
	}
	return all;
}

size_t crew_sockets(const struct crew *crew, int *fds, size_t room)
{
	size_t count = 0;

	for (unsigned int i = 0; i < crew->count; i++)
		count += worker_sockets(crew->workers[i], fds + (count < room ? count : room), count < room ? room - count : 0);
	return count;
}

void crew_end(struct crew *crew)
{
	for (unsigned int i = 0; i < crew->count; i++)
		worker_end(crew->workers[i]);
	crew->count = 0;
}
