// SPDX-License-Identifier: GPL-3.0-or-later
/* ecsdns-controller: options, start, loop, end. */
#include "user/controller/api.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/common/version.h"
#include "user/controller/beat.h"
#include "user/controller/capture.h"
#include "user/controller/cookies.h"
#include "user/controller/follow.h"
#include "user/controller/metrics.h"
#include "user/controller/push.h"
#include "user/controller/reload.h"
#include "user/controller/succeed.h"

#define IDS_OCTETS_MAX (64UL << 20)
/* A controller that was killed holds its locks until the kernel has freed its memory, which may be a gigabyte. */
#define LOCK_TRIES 30
#define LOCK_TRY_MICROSECONDS 100000

static void usage(FILE *to)
{
	fprintf(to, "Usage: ecsdns-controller [OPTION...]\n\n"
		"Publishes configurations into the tables of the driver, and serves the control socket.\n\n"
		"  --pins DIR          the tables (environment: ECSDNS_PINS; default: " ECSDNS_PINS_DEFAULT ")\n"
		"  --state DIR         bundles, settings, ids and key (default: " STATE_DEFAULT ")\n"
		"  --socket PATH       the control socket (environment: ECSDNS_SOCKET; default: " CONTROL_SOCKET_DEFAULT ")\n"
		"  --socket-group NAME may use the socket, beside the owner\n"
		"  --config FILE       push this file at start, unless it was pushed before and has not changed since, and again\n"
		"                      at SIGHUP; a file with faults changes nothing\n"
		"  --watch             and whenever it, or a file that it names, changes\n"
		"  --metrics ADDRESS:PORT  serve http://ADDRESS:PORT/metrics for Prometheus; [ADDRESS]:PORT for IPv6. The control\n"
		"                      socket has /metrics always\n"
		"  --metrics-services all|answered|none  services that have counters there (default: all); answered: by the\n"
		"                      driver, since its tables were made\n"
		"  --take-over         ask the controller that runs to end, when its pushes are done, and go on from there\n"
		"  --fill              only fill the tables with what is live, beside the controller that runs; then end\n"
		"  --cookie-secrets FILE  sign DNS cookies (RFC 9018) with the first secret in FILE and believe those of all, 1\n"
		"                      to 3 lines of 32 hexadecimal digits; SIGHUP reads it again. Servers of one anycast\n"
		"                      address need the same. Without it the tables keep what they have, at first cookie.key of\n"
		"                      the state directory, a random one\n"
		"  --help, --version\n");
}

/* The group's number, or exits. */
static int main_group(const char *name)
{
	const struct group *group = getgrnam(name);
	char *end;
	long number = strtol(name, &end, 10);

	if (group)
		return group->gr_gid;
	if (*name && !*end && number >= 0)
		return number;
	fprintf(stderr, "ecsdns-controller: no such group: %s\n", name);
	exit(2);
}

/* The choice of this name, or exits. */
static int main_services(const char *name)
{
	static const char *const names[METRICS_SERVICES_COUNT] = {
#define X(choice) #choice,
		METRICS_SERVICES(X)
#undef X
	};

	for (int i = 0; i < METRICS_SERVICES_COUNT; i++)
		if (!strcmp(names[i], name))
			return i;
	fprintf(stderr, "ecsdns-controller: --metrics-services %s: all, answered or none was expected\n", name);
	exit(2);
}

static void main_check_options(const struct controller *controller)
{
	if (controller->watch && !controller->config) {
		fprintf(stderr, "ecsdns-controller: --watch needs --config FILE, which is what is watched\n");
		exit(2);
	}
	if (controller->fill && (controller->take_over || controller->config)) {
		fprintf(stderr, "ecsdns-controller: --fill goes without --take-over and --config\n");
		exit(2);
	}
}

static void main_options(struct controller *controller, int argc, char **argv)
{
	static const struct option options[] = {
		{"pins", required_argument, NULL, 'p'}, {"state", required_argument, NULL, 's'},
		{"socket", required_argument, NULL, 'c'}, {"socket-group", required_argument, NULL, 'g'},
		{"config", required_argument, NULL, 'f'}, {"watch", no_argument, NULL, 'w'},
		{"metrics", required_argument, NULL, 'm'}, {"metrics-services", required_argument, NULL, 'M'},
		{"take-over", no_argument, NULL, 't'}, {"fill", no_argument, NULL, 'F'},
		{"cookie-secrets", required_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'}, {0},
	};
	const char *environment = getenv("ECSDNS_SOCKET"), *pins = NULL;
	int option;

	controller->state_path = STATE_DEFAULT;
	controller->socket = environment && *environment ? environment : CONTROL_SOCKET_DEFAULT;
	controller->group = -1;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'p': pins = optarg; break;
		case 's': controller->state_path = optarg; break;
		case 'c': controller->socket = optarg; break;
		case 'g': controller->group = main_group(optarg); break;
		case 'f': controller->config = optarg; break;
		case 'w': controller->watch = true; break;
		case 'm': controller->metrics_address = optarg; break;
		case 'M': controller->metrics_services = main_services(optarg); break;
		case 't': controller->take_over = true; break;
		case 'F': controller->fill = true; break;
		case 'k': controller->cookie_secrets = optarg; break;
		case 'h': usage(stdout); exit(0);
		case 'v': printf("ecsdns-controller %s (ABI %d)\n", ECSDNS_VERSION, ECSDNS_ABI_VERSION); exit(0);
		default: usage(stderr); exit(2);
		}
	}
	if (controller->metrics_address && !metrics_is_address(controller->metrics_address)) {
		fprintf(stderr, "ecsdns-controller: --metrics %s: an address and a port were expected, as in 127.0.0.1:9530 or "
			"[::1]:9530\n", controller->metrics_address);
		exit(2);
	}
	if (optind < argc) {
		fprintf(stderr, "ecsdns-controller: unexpected argument: %s\n", argv[optind]);
		usage(stderr);
		exit(2);
	}
	main_check_options(controller);
	controller->pins = tables_pins(pins);
}

/* Two controllers with one set of tables would undo each other's work, whatever their state directories. */
static int main_lock_pins(const char *pins)
{
	int directory = open(pins, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fault = 0;

	for (int i = 0; directory >= 0 && i < LOCK_TRIES; i++) {
		fault = flock(directory, LOCK_EX | LOCK_NB) ? -errno : 0;
		if (fault != -EWOULDBLOCK)
			break;
		usleep(LOCK_TRY_MICROSECONDS);
	}
	if (fault == -EWOULDBLOCK) {
		log_error("another ecsdns-controller runs on the tables in %s; stop it, or give this one --pins of its own", pins);
		close(directory);
		return -EWOULDBLOCK;
	}
	return 0;	/* what is missing, tables_open() says; the descriptor stays open as long as the process */
}

static int main_open_state(struct controller *controller)
{
	int fault = controller->fill ? state_open_beside(&controller->state, controller->state_path) :
		state_open(&controller->state, controller->state_path);

	for (int i = 0; fault == -EWOULDBLOCK && i < LOCK_TRIES; i++) {
		usleep(LOCK_TRY_MICROSECONDS);
		fault = state_open(&controller->state, controller->state_path);
	}
	if (fault == -EWOULDBLOCK)
		log_error("another ecsdns-controller runs on %s; stop it, or give this one --state of its own",
			  controller->state_path);
	else if (fault)
		log_error("state directory %s: %s; it must be a directory that this user can write, see --state",
			  controller->state_path, strerror(-fault));
	return fault;
}

static int main_read_ids(struct controller *controller, struct faults *faults)
{
	char path[PATH_MAX];
	uint8_t *octets;
	size_t length;
	int fault;

	snprintf(path, sizeof(path), "%s/ids.json", controller->state_path);
	ids_init(&controller->ids, controller->tables.entries[TABLE_service_hits],
		 controller->tables.entries[TABLE_region_hits]);
	fault = state_read(&controller->state, "ids.json", IDS_OCTETS_MAX, &octets, &length);
	if (fault == -ENOENT)
		return 0;
	if (fault)
		return faults_error(faults, &(struct place){.file = path}, "%s", strerror(-fault));
	fault = ids_parse(&controller->ids, path, octets, length, faults);
	free(octets);
	return fault;
}

/* Those of the file. Without one what is in the tables stays; into empty ones goes that of the state directory. */
static int main_give_secrets(struct controller *controller, struct faults *faults)
{
	struct cookies *cookies = controller->tables.cookies;
	struct cookie_key key;
	int fault;

	cookies_follow_clock(cookies);
	if (controller->cookie_secrets)
		return cookies_load(cookies, controller->cookie_secrets, faults);
	if (cookies->changes)
		return 0;
	fault = state_cookie_key(&controller->state, (uint8_t *)&key, !controller->fill);
	if (fault == -ENOENT)
		return 0;	/* beside a controller of before cookies: the one that takes over makes it */
	if (fault)
		return faults_error(faults, NULL, "cookie.key in the state directory: %s",
				    fault == -EINVAL ? "expected 16 octets; remove it to have another made" : strerror(-fault));
	fault = cookies_give(cookies, &(struct cookie_secrets){.count = 1, .keys = {key}}, faults);
	explicit_bzero(&key, sizeof(key));
	return fault;
}

static int main_listen(struct controller *controller)
{
	int fault;

	fault = http_start(&controller->http, &controller->loop, controller->socket, controller->group, "/v1/push",
			   BUNDLE_OCTETS_MAX + (BUNDLE_OCTETS_MAX >> 4), api_handle, controller);

	if (fault == -EADDRINUSE)
		log_error("%s: another program listens there, or it is no socket; stop it or remove it, or give this one "
			  "--socket PATH", controller->socket);
	else if (fault)
		log_error("control socket %s: %s%s", controller->socket, strerror(-fault),
			  fault == -ENOENT ? "; the directory above its own must exist" : "");
	return fault;
}

static int main_take_over(struct controller *controller)
{
	controller->before_ended = uv_hrtime();
	return succeed(controller->socket, &controller->before);
}

static void main_on_verdict(void *context)
{
	follow_health(context, NULL);
}

/* Whatever asks it for something, and what it does first of all. */
static int main_serve(struct controller *controller)
{
	int fault;

	page_init(&controller->stats, &stats_kind, &controller->loop, &controller->tables);
	fault = metrics_init(controller, controller->metrics_services);
	if (!fault && controller->metrics_address)
		fault = metrics_listen(controller, controller->metrics_address);
	if (!fault)
		fault = main_listen(controller);
	if (!fault)
		fault = reload_start(controller);
	return fault ? fault : push_start(controller);
}

static int main_start(struct controller *controller)
{
	struct faults faults;
	char error[512];
	int fault;

	faults_init(&faults);
	fault = tables_open(&controller->tables, controller->pins, TABLES_WRITE, error, sizeof(error));
	if (fault) {
		log_error("%s", error);
		goto out;
	}
	if (controller->take_over)
		fault = main_take_over(controller);
	if (!fault)
		fault = main_lock_pins(controller->pins);
	if (!fault && !controller->fill)
		capture_reset(controller);
	if (!fault)
		fault = main_open_state(controller);
	if (!fault)
		fault = publisher_init(&controller->publisher, &controller->tables, &controller->state, &faults);
	if (!fault)
		fault = states_init(&controller->states, &controller->state, &faults);
	if (!fault)
		fault = states_watch(&controller->states, &controller->loop, main_on_verdict, controller, &faults);
	controller->publisher.health = (struct health_source){states_down, &controller->states};
	if (!fault)
		fault = main_read_ids(controller, &faults);
	if (!fault)
		fault = main_give_secrets(controller, &faults);
	if (!fault && controller->fill) {
		fault = push_fill(controller);
		states_stop(&controller->states);
		uv_run(&controller->loop, UV_RUN_DEFAULT);
		goto out;
	}
	if (!fault)
		fault = main_serve(controller);
out:
	faults_log(&faults);
	faults_free(&faults);
	return fault;
}

/* A job that runs is finished first: half a publication is repaired at the next start, but a whole one is better. */
static void main_on_signal(uv_signal_t *signal, int number)
{
	struct controller *controller = signal->data;

	(void)number;
	if (!controller->stopping && controller->pushes)
		log_notice("stopping when the running push is done");
	controller->stopping = true;
	announce_stop();
	if (!controller->pushes)
		uv_stop(&controller->loop);
}

static void main_run(struct controller *controller)
{
	uv_signal_t signals[2];

	for (int i = 0; i < 2; i++) {
		uv_signal_init(&controller->loop, &signals[i]);
		signals[i].data = controller;
		uv_signal_start(&signals[i], main_on_signal, i ? SIGTERM : SIGINT);
	}
	beat_start(controller);
	announce_start(controller);
	log_notice("ecsdns-controller %s listens on %s", ECSDNS_VERSION, controller->socket);
	uv_run(&controller->loop, UV_RUN_DEFAULT);
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&signals[i], NULL);
	beat_stop(controller);
	capture_stop(controller);
	announce_end(controller);
	page_stop(&controller->stats);
	metrics_stop(controller);
	http_stop(controller->http);
	reload_stop(controller->reload);
	states_stop(&controller->states);
	uv_run(&controller->loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
	static struct controller controller;
	int fault;

	main_options(&controller, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);	/* until reload_start(): the files are read after this anyway */
	/* Rights that a service manager gives (CAP_BPF, CAP_NET_RAW) are ours, not those of programs that checks run. */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	controller.state = (struct state){.directory = -1, .generations = -1, .lock = -1};
	controller.started = time(NULL);
	memset(controller.tables.fd, -1, sizeof(controller.tables.fd));
	uv_loop_init(&controller.loop);
	fault = main_start(&controller);
	if (!fault && !controller.fill)
		main_run(&controller);
	page_free(&controller.stats);
	metrics_free(&controller);
	generation_free(controller.live);
	publisher_free(&controller.publisher);
	states_free(&controller.states);
	ids_free(&controller.ids);
	state_close(&controller.state);
	tables_close(&controller.tables);
	uv_loop_close(&controller.loop);
	return fault ? 1 : 0;
}
