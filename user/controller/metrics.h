/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GET /metrics, on the control socket and, if asked for, on a TCP address of its own, where there is nothing else. Over TCP,
 * where anybody may ask, a page serves for METRICS_PAGE_MILLISECONDS.
 */
#ifndef ECSDNS_CONTROLLER_METRICS_H
#define ECSDNS_CONTROLLER_METRICS_H

#include "user/controller/metrics_page.h"

#define METRICS_PAGE_MILLISECONDS 1000

/* 0 or -ENOMEM. */
int metrics_init(struct controller *controller, enum metrics_services services);

/* Is this ADDRESS:PORT or [ADDRESS]:PORT? */
bool metrics_is_address(const char *text);

/* Serves it there, too. 0 or -errno, told in the log. */
int metrics_listen(struct controller *controller, const char *address);

/* Before the control socket's http_stop(): nobody waits any more. The loop has to run until it ends by itself. */
void metrics_stop(struct controller *controller);
void metrics_free(struct controller *controller);

/* A request of the control socket. */
void metrics_handle(struct controller *controller, struct http_request *request);

#endif
