/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GET capture: copies of what the driver was asked and answered, as a stream in pcap format. This switches the driver's
 * copying on, for as long as somebody reads and at most as long as he asked for, and off; bpf/capture.h copies.
 */
#ifndef ECSDNS_CONTROLLER_CAPTURE_H
#define ECSDNS_CONTROLLER_CAPTURE_H

#include "user/controller/controller.h"

#define CAPTURE_COUNT 100		/* exchanges, if nothing else is asked for */
#define CAPTURE_COUNT_MAX 1000000
#define CAPTURE_SECONDS 60
#define CAPTURE_SECONDS_MAX 3600
#define CAPTURE_SAMPLE_MAX 1000000	/* one in as many */

void capture_handle(struct controller *controller, struct http_request *request);

/* Switches off what an earlier controller may have left on. */
void capture_reset(struct controller *controller);

/* Ends the one that runs, if any: its reader gets what is there. */
void capture_stop(struct controller *controller);

/* The driver's counts since the tables were made: a new reference, or null without memory. */
json_t *capture_counts_json(const struct tables *tables);

#endif
