/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What both daemons tell systemd (sd_notify(3)), if it asked by NOTIFY_SOCKET and WATCHDOG_USEC; otherwise these do
 * nothing. When there is something to tell, each daemon knows by itself.
 */
#ifndef ECSDNS_SERVICE_H
#define ECSDNS_SERVICE_H

#include <stdint.h>

#define SERVICE_STATUS_OCTETS 256

/* Milliseconds between two signs of life, so that so many may go missing before it is too late; 0: nobody waits for them. */
int64_t service_alive_every(unsigned int spare);
void service_alive(void);

/* Also of a process that took the place of another in that one's unit, and behind service_reloading(). */
void service_ready(void);
void service_reloading(void);
void service_stopping(const char *status);

/* In one line for `systemctl status`; told only if it differs from `last`, which it replaces. */
void service_status(char last[SERVICE_STATUS_OCTETS], const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
