// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/metrics_text.h"

#include <inttypes.h>
#include <stdarg.h>

static const struct {
	const char *name, *type, *help;
} metrics[METRIC_COUNT] = {
#define METRIC(name, type, help) [METRIC_##name] = {"ecsdns_" #name, #type, help},
#include "user/controller/metrics.def"
#undef METRIC
};

void metric_begin(FILE *out, enum metric metric)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[metric].name, metrics[metric].help, metrics[metric].name,
		metrics[metric].type);
}

/* A label's value between its quotes. */
static void text_escape(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*value == '\\' || *value == '"')
			putc_unlocked('\\', out);
		putc_unlocked(*value, out);
	}
}

static void text_name(FILE *out, enum metric metric, va_list labels)
{
	const char *name;
	char before = '{';

	fputs(metrics[metric].name, out);
	while ((name = va_arg(labels, const char *))) {
		putc_unlocked(before, out);
		fputs(name, out);
		fputs("=\"", out);
		text_escape(out, va_arg(labels, const char *));
		putc_unlocked('"', out);
		before = ',';
	}
	fputs(before == ',' ? "} " : " ", out);
}

void metric_count(FILE *out, enum metric metric, uint64_t value, ...)
{
	va_list labels;

	va_start(labels, value);
	text_name(out, metric, labels);
	va_end(labels);
	fprintf(out, "%" PRIu64 "\n", value);
}

void metric_seconds(FILE *out, enum metric metric, double value, ...)
{
	va_list labels;

	va_start(labels, value);
	text_name(out, metric, labels);
	va_end(labels);
	fprintf(out, "%.9g\n", value);
}

void metric_histogram(FILE *out, enum metric metric, const struct figures_durations *durations, const double *bounds)
{
	const char *name = metrics[metric].name;
	uint64_t sum = 0;

	metric_begin(out, metric);
	for (int i = 0; i < FIGURES_BOUNDS; i++) {
		sum += durations->counts[i];
		fprintf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, bounds[i], sum);
	}
	sum += durations->counts[FIGURES_BOUNDS];
	fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, sum);
	fprintf(out, "%s_sum %.9g\n%s_count %" PRIu64 "\n", name, durations->nanoseconds / 1e9, name, sum);
}
