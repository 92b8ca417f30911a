// SPDX-License-Identifier: GPL-3.0-or-later
/* capture: what the driver answers, which tcpdump does not see; as lines, or into a file in pcap format. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maps/limits.h"
#include "tools/ecsctl/exchange.h"

#define FILE_MODE 0600		/* it says who asked for what */

static volatile sig_atomic_t is_over;

struct capture {
	const struct ecsctl *ecsctl;
	const char *file;	/* null: lines */
	int fd;
	int fault;		/* of writing to it, or -EPROTO */
	struct exchanges exchanges;
};

static void capture_on_signal(int number)
{
	(void)number;
	is_over = 1;
}

/* -- where it goes -- */

static int capture_open(struct capture *capture)
{
	if (!capture->file)
		return DONE;
	if (!strcmp(capture->file, "-")) {
		capture->fd = STDOUT_FILENO;
		if (isatty(capture->fd))
			return verb_usage(capture->ecsctl, "-w - writes no text: not to a terminal; `| tcpdump -r -` reads it");
		return DONE;
	}
	capture->fd = open(capture->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
	if (capture->fd >= 0)
		return DONE;
	fprintf(stderr, "ecsctl capture: %s: %s\n", capture->file, strerror(errno));
	return REFUSED;
}

static int capture_write(struct capture *capture, const char *octets, size_t length)
{
	ssize_t written;

	while (length) {
		written = write(capture->fd, octets, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		octets += written;
		length -= written;
	}
	return 0;
}

/* A client_stream's sink. */
static int capture_take(void *context, const void *octets, size_t length)
{
	struct capture *capture = context;

	if (capture->file)
		capture->fault = capture_write(capture, octets, length);
	else if (exchanges_take(&capture->exchanges, octets, length))
		capture->fault = -EPROTO;
	else if (ferror(stdout))
		capture->fault = -EIO;
	return capture->fault || is_over ? -1 : 0;
}

static int capture_is_over(void *context)
{
	(void)context;
	return is_over;
}

/* -- its end -- */

static void capture_summary(const json_t *end)
{
	long long over = field_number(end, "over"), full = field_number(end, "full"), copied = field_number(end, "copied");

	fprintf(stderr, "%lld exchange%s", copied, copied == 1 ? "" : "s");
	if (over)
		fprintf(stderr, "; %lld more were drawn, but a CPU copies %d a second at most", over,
			CAPTURE_SECOND_MAX);
	if (full)
		fprintf(stderr, "; %lld more were drawn, but the controller was behind", full);
	if (over || full)
		fprintf(stderr, ": a larger N of --sample 1/N, --service or --client draw fewer");
	fputc('\n', stderr);
	if (!strcmp(field_text(end, "ended"), "controller stopped"))
		fprintf(stderr, "ecsctl capture: the controller was stopped meanwhile\n");
}

static int capture_result(const struct capture *capture, int result, const json_t *end)
{
	if (capture->fault) {
		fprintf(stderr, "ecsctl capture: %s: %s\n", capture->file ? capture->file : "standard output",
			capture->fault == -EPROTO ? "the reply is not in pcap format; is this ecsdns-controller's socket?" :
			strerror(-capture->fault));
		return REFUSED;
	}
	if (end)
		capture_summary(end);
	return is_over ? DONE : result;
}

/* -- the verb -- */

/* "1/100" -> "100"; null and a message if it is none. */
static const char *capture_sample(const struct ecsctl *ecsctl, const char *text)
{
	if (!strncmp(text, "1/", 2) && text[2])
		return text + 2;
	verb_usage(ecsctl, "--sample %s: expected 1/N, such as 1/100", text);
	return NULL;
}

static int capture_ask(struct capture *capture, const char *path)
{
	const struct client_stream stream = {capture_take, capture_is_over, "Ecsdns-Capture", capture};
	const struct sigaction action = {.sa_handler = capture_on_signal};
	json_t *end = NULL;
	int result = capture_open(capture);

	if (result)
		return result;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	result = client_stream(capture->ecsctl, path, &stream, &end);
	result = capture_result(capture, result, end);
	if (capture->fd > STDOUT_FILENO && close(capture->fd) && !result) {
		fprintf(stderr, "ecsctl capture: %s: %s\n", capture->file, strerror(errno));
		result = REFUSED;
	}
	json_decref(end);
	exchanges_free(&capture->exchanges);
	return result;
}

static int capture_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	static struct capture capture = {.fd = -1};
	const char *count = NULL, *seconds = NULL, *sample = NULL, *service = NULL, *client = NULL;
	const struct verb_option own[] = {
		{"count", NULL, &count}, {"seconds", NULL, &seconds}, {"sample", NULL, &sample}, {"service", NULL, &service},
		{"client", NULL, &client}, {"w", NULL, &capture.file}, {0},
	};
	int at = verb_options(ecsctl, argc, argv, own), result;
	char *path;

	if (at < 0)
		return -1 - at;
	if (argc > at)
		return verb_usage(ecsctl, "unexpected argument: %s", argv[at]);
	if (capture.file && ecsctl->is_json)
		return verb_usage(ecsctl, "either -w or --json");
	if (sample && !(sample = capture_sample(ecsctl, sample)))
		return USAGE;
	path = client_path("/v1/capture", (const char *const [][2]){
		{"count", count}, {"seconds", seconds}, {"sample", sample}, {"service", service}, {"client", client},
	}, 5);
	if (!path)
		return REFUSED;
	capture.ecsctl = ecsctl;
	capture.exchanges.is_json = ecsctl->is_json;
	result = capture_ask(&capture, path);
	free(path);
	return result;
}

const struct verb verb_capture = {
	.name = "capture",
	.arguments = "[--count N] [--seconds N] [--sample 1/N] [--service NAME] [--client PREFIX] [-w FILE]",
	.summary = "show what the driver answers, which tcpdump does not see",
	.details = "\nA line an exchange: time, who asked, client subnet, name and type, rcode, scope, answers. What the\n"
		   "fallback answers is not there: tcpdump shows it. One capture runs at a time; it ends with this command.\n\n"
		   "  --count N         end after N exchanges (default: 100)\n"
		   "  --seconds N       end after N seconds (default: 60, at most 3600)\n"
		   "  --sample 1/N      one in N, drawn at random (default: all)\n"
		   "  --service NAME    queries for this service alone\n"
		   "  --client PREFIX   queries for clients in it alone: by client subnet, where one came, else by who asks\n"
		   "  -w FILE           no lines: both packets of each exchange in pcap format; - is standard output,\n"
		   "                    for `ecsctl capture -w - | tcpdump -nr -`\n",
	.run = capture_run,
};
