// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "maps/wire.h"
#include "user/common/log.h"
#include "user/common/pcap.h"
#include "user/controller/api.h"
#include "user/controller/counts.h"
#include "user/controller/prefixes.h"

#define TICK_MS 20			/* between looks into the ring, which holds a few thousand exchanges */
#define LEASE_NS 2000000000ULL		/* the driver goes on without us for as long */
#define BUFFER_OCTETS (256 << 10)	/* for the reader; when it is full, the ring fills, and then the driver counts */
#define EXCHANGE_OCTETS (2 * sizeof(struct pcap_packet) + CAPTURE_QUERY_OCTETS + CAPTURE_REPLY_OCTETS)
#define SECOND_NS 1000000000ULL

struct capturing {
	struct controller *controller;
	struct http_request *request;
	struct ring_buffer *ring;
	uv_timer_t timer;
	uint64_t began;			/* CLOCK_MONOTONIC, nanoseconds */
	uint64_t since_1970;		/* what makes such a time one of the calendar */
	uint64_t length;		/* nanoseconds */
	uint32_t count, copied;		/* exchanges: asked for, and passed on */
	struct capture_counts before;	/* of the driver */
	const char *ended;		/* null: it runs */
	uint8_t octets[BUFFER_OCTETS];	/* for the reader: [at, end) */
	size_t at, end;
};

static uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* -- the driver's switch -- */

static void capture_switch(struct controller *controller, uint64_t until)
{
	__atomic_store_n(&controller->tables.control->capture_until, until, __ATOMIC_RELEASE);
}

void capture_reset(struct controller *controller)
{
	capture_switch(controller, 0);
}

json_t *capture_counts_json(const struct tables *tables)
{
	struct capture_counts counts;

	counts_capture(tables, &counts);
	return json_pack("{s:b, s:I, s:I, s:I}", "running", tables->control->capture_until != 0,
			 "copied", (json_int_t)counts.copied, "over", (json_int_t)counts.over,
			 "full", (json_int_t)counts.full);
}

/* -- from the ring to the reader's buffer -- */

static void capture_put(struct capturing *capturing, const void *octets, size_t length)
{
	memcpy(capturing->octets + capturing->end, octets, length);
	capturing->end += length;
}

static void capture_put_packet(struct capturing *capturing, uint64_t time, const uint8_t *octets, uint32_t count,
			       uint32_t length)
{
	uint64_t date = time + capturing->since_1970;
	const struct pcap_packet packet = {
		.seconds = date / SECOND_NS, .microseconds = date % SECOND_NS / 1000, .octets = count, .length = length,
	};

	capture_put(capturing, &packet, sizeof(packet));
	capture_put(capturing, octets, count);
}

static bool capture_has_room(const struct capturing *capturing)
{
	return sizeof(capturing->octets) - capturing->end >= EXCHANGE_OCTETS;
}

/* One copy. Below 0: no more for now, this one is taken. What an earlier capture left behind is nobody's. */
static int capture_on_copy(void *context, void *data, size_t size)
{
	struct capturing *capturing = context;
	const struct captured *copy = data;

	if (size < offsetof(struct captured, octets) || copy->query_octets > CAPTURE_QUERY_OCTETS ||
	    copy->reply_octets > CAPTURE_REPLY_OCTETS ||
	    offsetof(struct captured, octets) + copy->query_octets + copy->reply_octets > size ||
	    copy->asked < capturing->began)
		return 0;
	capture_put_packet(capturing, copy->asked, copy->octets, copy->query_octets, copy->query_length);
	capture_put_packet(capturing, copy->answered, copy->octets + copy->query_octets, copy->reply_octets,
			   copy->reply_octets);
	capturing->copied++;
	return capturing->copied < capturing->count && capture_has_room(capturing) ? 0 : -ENOSPC;
}

static void capture_take(struct capturing *capturing)
{
	if (capturing->copied < capturing->count && capture_has_room(capturing))
		ring_buffer__consume(capturing->ring);
}

/* -- its life -- */

/* Last of all, it wakes the reply: the request may be no more when this returns. */
static void capture_end(struct capturing *capturing, const char *why)
{
	capture_switch(capturing->controller, 0);
	if (!capturing->ended) {
		capture_take(capturing);
		capturing->ended = why;
	}
	uv_timer_stop(&capturing->timer);
	http_stream_wake(capturing->request);
}

static void capture_on_tick(uv_timer_t *timer)
{
	struct capturing *capturing = timer->data;
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	capture_take(capturing);
	if (http_is_gone(capturing->request)) {
		capture_end(capturing, "reader gone");
	} else if (capturing->copied >= capturing->count) {
		capture_end(capturing, "count");
	} else if (now - capturing->began >= capturing->length) {
		capture_end(capturing, "seconds");
	} else {
		capture_switch(capturing->controller, now + LEASE_NS);
		if (capturing->end > capturing->at)
			http_stream_wake(capturing->request);
	}
}

void capture_stop(struct controller *controller)
{
	if (controller->capturing)
		capture_end(controller->capturing, "controller stopped");
}

/* What is not in the file although it was drawn, as the last words of the reply. */
static void capture_last_words(struct capturing *capturing)
{
	struct capture_counts now;
	json_t *words;
	char *text;

	counts_capture(&capturing->controller->tables, &now);
	words = json_pack("{s:s, s:I, s:I, s:I}", "ended", capturing->ended, "copied", (json_int_t)capturing->copied,
			  "over", (json_int_t)(now.over - capturing->before.over),
			  "full", (json_int_t)(now.full - capturing->before.full));
	text = words ? json_dumps(words, JSON_COMPACT) : NULL;
	if (text)
		http_stream_footer(capturing->request, "Ecsdns-Capture", text);
	free(text);
	json_decref(words);
}

/* An http_stream's source. */
static ssize_t capture_read(void *context, void *to, size_t room)
{
	struct capturing *capturing = context;
	size_t length = capturing->end - capturing->at;

	if (!length && capturing->ended) {
		capture_last_words(capturing);
		return -1;
	}
	if (length > room)
		length = room;
	memcpy(to, capturing->octets + capturing->at, length);
	capturing->at += length;
	if (capturing->at == capturing->end)
		capturing->at = capturing->end = 0;
	return length;
}

static void capture_on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* The reader has it all, or is gone. */
static void capture_over(void *context)
{
	struct capturing *capturing = context;

	capture_switch(capturing->controller, 0);
	log_notice("capture ended after %u exchanges: %s", capturing->copied,
		   capturing->ended ? capturing->ended : "reader gone");
	ring_buffer__free(capturing->ring);
	capturing->controller->capturing = NULL;
	uv_close((uv_handle_t *)&capturing->timer, capture_on_closed);
}

/* -- what is asked for -- */

static bool capture_read_number(struct http_request *request, const char *name, uint32_t most, uint32_t *number)
{
	const char *text = http_argument(request, name);

	if (!text || (!api_number(text, most, number) && *number))
		return true;
	api_refuse(request, 400, "%s: a number from 1 to %u was expected", name, most);
	return false;
}

static bool capture_read_service(struct controller *controller, struct http_request *request, struct capture *wanted)
{
	const struct compiled *compiled = controller->live ? controller->live->compiled : NULL;
	const char *text = http_argument(request, "service");
	uint8_t name[NAME_OCTETS_MAX + 1] = {0};

	if (!text)
		return true;
	if (!*text || zone_name_parse(text, name)) {
		api_refuse(request, 400, "service: a domain name was expected, such as www.example.com");
		return false;
	}
	for (size_t i = 0; compiled && i < compiled->service_count; i++) {
		const struct compiled_service *service = &compiled->services[i];

		if (service->name_length != zone_name_length(name) || memcmp(service->name, name, service->name_length))
			continue;
		wanted->flags |= CAPTURE_SERVICE;
		wanted->service = service->value.id;
		return true;
	}
	api_refuse(request, 404, "service: the live configuration has no service of this name; what the fallback answers from "
		   "zones, tcpdump shows");
	return false;
}

static bool capture_read_client(struct http_request *request, struct capture *wanted)
{
	const char *text = http_argument(request, "client");
	struct topology_prefix prefix = {0};
	struct config_address address;
	unsigned int bits = 0;
	struct faults faults;
	bool fits = true;

	if (!text)
		return true;
	faults_init(&faults);
	/* one address needs no length here */
	if (address_parse(text, &address)) {
		memcpy(prefix.address, address.octets, sizeof(prefix.address));
		bits = prefix.length = address.length * 8;
	} else if (!prefix_parse(text, strlen(text), &(struct place){.file = "client"}, &prefix, &bits, &faults)) {
		api_refuse(request, 400, "client: %s", faults.count ? faults.list[0].text :
			   "an address or a prefix was expected, such as 203.0.113.0/24");
		fits = false;
	}
	faults_free(&faults);
	if (!fits)
		return false;	/* what is in `prefix` then is nothing to count with */
	wanted->flags |= CAPTURE_CLIENT;
	wanted->family = bits == 32 ? ECS_FAMILY_IPV4 : ECS_FAMILY_IPV6;
	memcpy(wanted->client, prefix.address, sizeof(wanted->client));
	for (unsigned int bit = 0; bit < prefix.length; bit++)
		wanted->mask[bit / 8] |= 0x80 >> bit % 8;
	return true;
}

static bool capture_read_arguments(struct controller *controller, struct http_request *request,
				   struct capturing *capturing, struct capture *wanted)
{
	uint32_t seconds = CAPTURE_SECONDS, sample = 1;

	capturing->count = CAPTURE_COUNT;
	if (!capture_read_number(request, "count", CAPTURE_COUNT_MAX, &capturing->count) ||
	    !capture_read_number(request, "seconds", CAPTURE_SECONDS_MAX, &seconds) ||
	    !capture_read_number(request, "sample", CAPTURE_SAMPLE_MAX, &sample) ||
	    !capture_read_service(controller, request, wanted) || !capture_read_client(request, wanted))
		return false;
	capturing->length = seconds * SECOND_NS;
	wanted->draw = (1ULL << 32) / sample - 1;
	return true;
}

/* -- its beginning -- */

static int capture_begin(struct capturing *capturing, const struct capture *wanted)
{
	struct controller *controller = capturing->controller;
	const struct pcap_file file = {
		.magic = PCAP_MAGIC, .major = 2, .minor = 4, .link = PCAP_LINK_ETHERNET, .snap = CAPTURE_REPLY_OCTETS,
	};
	uint32_t zero = 0;
	int fault = counts_capture(&controller->tables, &capturing->before);

	if (!fault)
		fault = bpf_map_update_elem(controller->tables.fd[TABLE_capture], &zero, wanted, BPF_ANY);
	if (fault)
		return fault;
	capturing->ring = ring_buffer__new(controller->tables.fd[TABLE_captured], capture_on_copy, capturing, NULL);
	if (!capturing->ring)
		return -errno;
	capturing->began = clock_now(CLOCK_MONOTONIC);
	capturing->since_1970 = clock_now(CLOCK_REALTIME) - capturing->began;
	capture_put(capturing, &file, sizeof(file));
	ring_buffer__consume(capturing->ring);
	capture_switch(controller, capturing->began + LEASE_NS);
	return 0;
}

static void capture_start(struct controller *controller, struct http_request *request, struct capturing *capturing)
{
	controller->capturing = capturing;
	uv_timer_init(&controller->loop, &capturing->timer);
	capturing->timer.data = capturing;
	uv_timer_start(&capturing->timer, capture_on_tick, TICK_MS, TICK_MS);
	http_stream(request, &(struct http_stream){
		.type = "application/vnd.tcpdump.pcap", .read = capture_read, .over = capture_over, .context = capturing,
	});
}

void capture_handle(struct controller *controller, struct http_request *request)
{
	struct capturing *capturing;
	struct capture wanted = {0};
	int fault;

	if (controller->stopping) {
		api_refuse(request, 503, "this controller is about to end; try again when the next one listens");
		return;
	}
	if (controller->capturing) {
		api_refuse(request, 503, "another capture runs; there is one at a time: try again when it has ended");
		return;
	}
	capturing = calloc(1, sizeof(*capturing));
	if (!capturing) {
		http_reply(request, 500, NULL);
		return;
	}
	capturing->controller = controller;
	capturing->request = request;
	if (!capture_read_arguments(controller, request, capturing, &wanted)) {
		free(capturing);
		return;
	}
	fault = capture_begin(capturing, &wanted);
	if (fault) {
		api_refuse(request, 500, "the tables of captures: %s", strerror(-fault));
		free(capturing);
		return;
	}
	capture_start(controller, request, capturing);
}
