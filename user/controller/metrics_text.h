/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prometheus' text format, version 0.0.4. Names and help are those of metrics.def. Labels are pairs of name and value, both
 * UTF-8, that end with a null; of a metric, all samples follow its beginning.
 */
#ifndef ECSDNS_CONTROLLER_METRICS_TEXT_H
#define ECSDNS_CONTROLLER_METRICS_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "user/controller/figures.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric {
#define METRIC(name, type, help) METRIC_##name,
#include "user/controller/metrics.def"
#undef METRIC
	METRIC_COUNT
};

void metric_begin(FILE *out, enum metric metric);
void metric_count(FILE *out, enum metric metric, uint64_t value, ...) __attribute__((sentinel));
void metric_seconds(FILE *out, enum metric metric, double value, ...) __attribute__((sentinel));

/* The histogram as a whole, with its beginning. `bounds` are FIGURES_BOUNDS seconds, rising. */
void metric_histogram(FILE *out, enum metric metric, const struct figures_durations *durations, const double *bounds);

#endif
