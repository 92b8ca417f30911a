/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages for people: one line each to standard error, with the level prefixes that journald reads (sd-daemon(3)). */
#ifndef ECSDNS_LOG_H
#define ECSDNS_LOG_H

/* Prefixes are left out when standard error is a terminal. Each call writes one line with one write(2). */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
