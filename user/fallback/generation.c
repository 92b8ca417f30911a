// SPDX-License-Identifier: GPL-3.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "user/common/bundle.h"
#include "user/common/log.h"
#include "user/controller/config.h"
#include "user/controller/origin.h"
#include "user/fallback/generation.h"

/* How often the control table is looked at: what a change of zones may lag behind a push, besides their loading. */
#define WATCH_MS 20
/* Zones that did not load are tried again after so many looks: the bundle may still be on its way. */
#define RETRY_LOOKS 50
/*
 * How long a worker waits for zones, with other queries waiting behind it. Most load in less; those that do not are
 * waited for only once.
 */
#define AWAIT_MS 100

/* Zones outlive their generation when the next one's do not load. Counted by the watching thread alone. */
struct shared_zones {
	struct zone_set *set;
	uint32_t number;
	unsigned int users;
};

static struct generation *generation_load(struct generations *generations, uint32_t number);
static int load_addresses(const struct generations *generations, struct generation *generation);
static struct shared_zones *load_zones(struct generations *generations, uint32_t number);
static struct bundle *load_bundle(const struct generations *generations, uint32_t number, struct faults *faults);
static int load_zone_set(struct bundle *bundle, struct zone_set *set, struct faults *faults);
static int load_services(const struct config *config, struct zone_set *set);
static void generation_free(struct generation *generation);
static void retire(struct generations *generations, struct generation *generation);

/* -- watching -- */

static void *watch(void *argument)
{
	struct generations *generations = argument;
	struct pollfd wake = { .fd = generations->wake, .events = POLLIN };
	uint64_t wakes;

	while (!__atomic_load_n(&generations->stop, __ATOMIC_ACQUIRE)) {
		if (generations_look(generations) && generations->changed)
			generations->changed(generations->context);
		if (poll(&wake, 1, WATCH_MS) > 0 && read(wake.fd, &wakes, sizeof(wakes)) < 0)
			log_error("watching the generation: %s", strerror(errno));
	}
	return NULL;
}

static void watch_now(const struct generations *generations)
{
	const uint64_t one = 1;

	/* A counter that is full wakes just as well. */
	if (write(generations->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("waking the watcher of the generation: %s", strerror(errno));
}

void generations_await(struct generations *generations, uint32_t number)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };

	if (!__atomic_load_n(&generations->running, __ATOMIC_ACQUIRE))
		return;
	for (int i = 0; i < AWAIT_MS; i++) {
		/* The same or a newer one; generations go round after 2^32. */
		if ((int32_t)(__atomic_load_n(&generations->settled, __ATOMIC_ACQUIRE) - number) >= 0)
			return;
		if (!i)
			watch_now(generations);
		nanosleep(&pause, NULL);
	}
}

int generations_start(struct generations *generations)
{
	int code;

	generations_look(generations);
	generations->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (generations->wake < 0)
		return -errno;
	code = -pthread_create(&generations->thread, NULL, watch, generations);
	generations->running = !code;
	return code;
}

void generations_stop_watching(struct generations *generations)
{
	__atomic_store_n(&generations->stop, 1, __ATOMIC_RELEASE);
	if (!generations->running)
		return;
	watch_now(generations);
	pthread_join(generations->thread, NULL);
	__atomic_store_n(&generations->running, 0, __ATOMIC_RELEASE);
}

void generations_free(struct generations *generations)
{
	if (generations->live)
		retire(generations, generations->live);
	generations->live = NULL;
	retire(generations, NULL);
	if (generations->wake > 0)
		close(generations->wake);
	generations->wake = -1;
}

/* Is what is live all that it should be? Zones that failed are due again now and then. */
static int is_due(struct generations *generations, uint32_t number)
{
	const struct generation *live = generations->live;

	if (!number)
		return 0;
	if (!live || live->number != number)
		return 1;
	if (live->zones && live->zones_number == number)
		return 0;
	return ++generations->looks % RETRY_LOOKS == 0;
}

static int look_at(struct generations *generations, uint32_t number)
{
	struct generation *fresh, *old = generations->live;

	retire(generations, NULL);
	if (!is_due(generations, number))
		return 0;
	fresh = generation_load(generations, number);
	if (!fresh)
		return 0;
	__atomic_store_n(&generations->live, fresh, __ATOMIC_SEQ_CST);
	if (old)
		retire(generations, old);
	return 1;
}

int generations_look(struct generations *generations)
{
	uint32_t number = tables_generation(tables_control(generations->tables));
	int moved = look_at(generations, number);

	__atomic_store_n(&generations->settled, number, __ATOMIC_RELEASE);
	return moved;
}

/* -- holding -- */

/*
 * The announcement must be seen by the watching thread before the worker trusts it: if `live` is still the same after
 * the announcement, a thread that replaces it later finds the announcement (both are sequentially consistent).
 */
const struct generation *generation_hold(struct generations *generations, unsigned int holder)
{
	struct generation *generation, *again = __atomic_load_n(&generations->live, __ATOMIC_SEQ_CST);

	do {
		generation = again;
		__atomic_store_n(&generations->held[holder], generation, __ATOMIC_SEQ_CST);
		again = __atomic_load_n(&generations->live, __ATOMIC_SEQ_CST);
	} while (again != generation);
	return generation;
}

void generation_release(struct generations *generations, unsigned int holder)
{
	__atomic_store_n(&generations->held[holder], NULL, __ATOMIC_RELEASE);
}

static int is_held(const struct generations *generations, const struct generation *generation)
{
	for (unsigned int holder = 0; holder < GENERATION_HOLDERS; holder++)
		if (__atomic_load_n(&generations->held[holder], __ATOMIC_SEQ_CST) == generation)
			return 1;
	return 0;
}

/* Adds one (or none) to those that wait for their holders, and frees those that nobody holds. */
static void retire(struct generations *generations, struct generation *generation)
{
	struct generation **where = &generations->retired;

	if (generation) {
		generation->retired = generations->retired;
		generations->retired = generation;
	}
	while (*where) {
		generation = *where;
		if (is_held(generations, generation)) {
			where = &generation->retired;
			continue;
		}
		*where = generation->retired;
		generation_free(generation);
		malloc_trim(0);
	}
}

static void shared_zones_put(struct shared_zones *shared)
{
	if (!shared || --shared->users)
		return;
	zone_set_free(shared->set);
	free(shared);
}

static void generation_free(struct generation *generation)
{
	shared_zones_put(generation->shared);
	free(generation->addresses);
	free(generation);
}

/* -- loading -- */

/* Addresses of the tables, zones of the bundle; if those fail, the zones that we have stay. */
static struct generation *generation_load(struct generations *generations, uint32_t number)
{
	struct generation *generation = calloc(1, sizeof(*generation));
	struct shared_zones *shared;

	if (!generation)
		return NULL;
	generation->number = number;
	if (load_addresses(generations, generation)) {
		generation_free(generation);
		return NULL;
	}
	shared = load_zones(generations, number);
	if (!shared && generations->live) {
		/* The same zones once more are no news. */
		if (generations->live->number == number) {
			generation_free(generation);
			return NULL;
		}
		shared = generations->live->shared;
	}
	if (shared) {
		shared->users++;
		generation->shared = shared;
		generation->zones = shared->set;
		generation->zones_number = shared->number;
	}
	return generation;
}

static int address_compare(const void *one, const void *other)
{
	return memcmp(one, other, 16);
}

/* The server's addresses of the slot. A push meanwhile makes the list worthless: then the next look does better. */
static int load_addresses(const struct generations *generations, struct generation *generation)
{
	const struct tables *tables = generations->tables;
	struct address_key key, *before = NULL;
	size_t room = tables->entries[TABLE_addresses];

	generation->addresses = calloc(room ? room : 1, sizeof(generation->addresses[0]));
	if (!generation->addresses)
		return -ENOMEM;
	while (generation->address_count < room &&
	       !bpf_map_get_next_key(tables->fd[TABLE_addresses], before, &key)) {
		before = &key;
		if (key.slot == generation->number % GENERATION_SLOTS)
			memcpy(generation->addresses[generation->address_count++], key.address, sizeof(key.address));
	}
	qsort(generation->addresses, generation->address_count, sizeof(generation->addresses[0]), address_compare);
	return tables_generation(tables_control(tables)) == generation->number ? 0 : -EAGAIN;
}

/* Zones of a generation, with the names of its services marked in them; logs why not, once a generation. */
static struct shared_zones *load_zones(struct generations *generations, uint32_t number)
{
	struct shared_zones *shared = calloc(1, sizeof(*shared));
	struct bundle *bundle = NULL;
	struct faults faults;
	int code = -ENOMEM;

	faults_init(&faults);
	if (!shared)
		goto out;
	shared->number = number;
	shared->set = zone_set_new();
	bundle = load_bundle(generations, number, &faults);
	code = bundle && shared->set ? load_zone_set(bundle, shared->set, &faults) : -ENOENT;
	if (code && generations->failed != number) {
		log_error("generation %u: its zones cannot be loaded; %s", number,
			  generations->live && generations->live->zones ? "the ones before it stay" :
			  "only services are answered");
		faults_log(&faults);
		generations->failed = number;
	}
	if (!code)
		log_info("generation %u: %zu zones", number, zone_set_count(shared->set));
out:
	if (code && shared) {
		zone_set_free(shared->set);
		free(shared);
		shared = NULL;
	}
	bundle_free(bundle);
	faults_free(&faults);
	malloc_trim(0);		/* what reading took; the zones are less */
	return shared;
}

static int read_whole(int fd, uint8_t *octets, size_t length)
{
	size_t at = 0;

	while (at < length) {
		ssize_t got = read(fd, octets + at, length - at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EIO;
		at += got;
	}
	return 0;
}

/* generations/N.tar below the state directory. */
static struct bundle *load_bundle(const struct generations *generations, uint32_t number, struct faults *faults)
{
	struct bundle *bundle = NULL;
	struct place place = {};
	char path[PATH_MAX];
	uint8_t *octets = NULL;
	struct stat status;
	int fd, code;

	snprintf(path, sizeof(path), "%s/generations/%u.tar", generations->state, number);
	place.file = path;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status)) {
		faults_error(faults, &place, "%s; the controller keeps the published configuration there (--state)",
			     strerror(errno));
		goto out;
	}
	if (!S_ISREG(status.st_mode) || status.st_size < 0 || (uint64_t)status.st_size > 2 * BUNDLE_OCTETS_MAX) {
		faults_error(faults, &place, "not a bundle that the controller wrote");
		goto out;
	}
	octets = malloc(status.st_size ? status.st_size : 1);
	code = octets ? read_whole(fd, octets, status.st_size) : -ENOMEM;
	if (code)
		faults_error(faults, &place, "%s", strerror(-code));
	else if (bundle_read_tar(octets, status.st_size, &bundle, faults))
		bundle = NULL;
out:
	free(octets);
	if (fd >= 0)
		close(fd);
	return bundle;
}

/* Outside every zone a service's name is a zone of its own: what does not exist below it needs an SOA (RFC 2308 3). */
static int load_made_zone(struct zone_set *set, const struct config *config, const struct config_service *service)
{
	struct origin origin;
	struct zone *zone;
	int code;

	origin_make(&origin, &config->server, service);
	zone = zone_make(service->name.name, ORIGIN_MADE_TTL, origin.soa.octets, origin.soa.length);
	if (!zone)
		return -ENOMEM;
	code = zone_add_service(zone, service->name.name);
	if (!code)
		code = zone_set_add(set, zone);
	if (code)
		zone_free(zone);
	return code;
}

/* Marks services in the zones around them. Only then come zones for the others, so that none is taken to be in another. */
static int load_services(const struct config *config, struct zone_set *set)
{
	uint8_t *outside = calloc(config->service_count ? config->service_count : 1, 1);
	struct zone *zone;
	int code = outside ? 0 : -ENOMEM;

	for (size_t i = 0; i < config->service_count && !code; i++) {
		zone = zone_set_find(set, config->services[i].name.name);
		if (zone)
			code = zone_add_service(zone, config->services[i].name.name);
		else
			outside[i] = 1;
	}
	for (size_t i = 0; i < config->service_count && !code; i++)
		if (outside[i])
			code = load_made_zone(set, config, &config->services[i]);
	free(outside);
	return code;
}

static int load_zone_set(struct bundle *bundle, struct zone_set *set, struct faults *faults)
{
	struct config *config;
	struct zone *zone;
	int code = config_parse(bundle, CONFIG_WITHOUT_PREFIXES, &config, faults);

	if (code)
		return code;
	for (size_t i = 0; i < config->zone_count && !code; i++) {
		code = zone_load(config->zones[i].origin.text, config->zones[i].file, bundle, &zone, faults);
		if (code)
			break;
		code = zone_set_add(set, zone);
		if (code) {
			faults_error(faults, &config->zones[i].place, "zone %s: %s", config->zones[i].origin.text,
				     code == -EEXIST ? "is there twice" : strerror(-code));
			zone_free(zone);
		}
	}
	if (!code)
		code = load_services(config, set);
	config_free(config);
	return code;
}
