/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_VERSION_H
#define ECSDNS_VERSION_H

#define ECSDNS_VERSION "0.1.0"

#endif
