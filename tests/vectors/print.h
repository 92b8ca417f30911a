/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a failure prints: two messages side by side, taken apart as far as they can be. */
#ifndef ECSDNS_TESTS_PRINT_H
#define ECSDNS_TESTS_PRINT_H

#include <stddef.h>
#include <stdint.h>

/* Expected and received, and where they part. `got` NULL: nothing came. Messages may be malformed or empty. */
void print_messages(const uint8_t *expected, size_t expected_length, const uint8_t *got, size_t got_length);

/* The same for frames, in hexadecimal only. */
void print_octets(const uint8_t *expected, size_t expected_length, const uint8_t *got, size_t got_length);

#endif
