/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which types a service has, and which pool gives one to a region. Types exist for every client or for none, since
 * resolvers cache "no such data" for everyone; health changes which pool answers, never whether there is an answer.
 */
#ifndef ECSDNS_CONTROLLER_CHOOSE_H
#define ECSDNS_CONTROLLER_CHOOSE_H

#include <stdbool.h>

#include "user/controller/compile.h"

extern const char *const choose_type_names[SERVICE_TYPES];

/* Can the member be chosen for this type, health aside? Not in a weighted or hash pool with weight 0. */
bool choose_member_fits(const struct config_pool *pool, const struct config_member *member, enum service_type type);

bool choose_member_up(const struct config_pool *pool, size_t member, const struct health *health);

/* Can the pool give this type, when it is up? A CNAME pool gives every type: the CNAME. (min_up asks for no more than fit.) */
bool choose_pool_has(const struct config_pool *pool, enum service_type type);

/*
 * Which pools are up: config->pool_count octets, of bits (1 << enum service_type). A pool is up for a type if `min_up` of the
 * members that fit are, and if every pool that it depends on is up for some type; a CNAME pool has one state for all.
 */
void choose_pools_up(const struct config *config, const struct health *health, uint8_t *up);

/* Calls `use` with each pool of a service that can ever answer; some come several times. */
void choose_each_pool(const struct config *config, const struct config_service *service,
		      void (*use)(void *context, uint32_t pool), void *context);

/* Any CNAME pool among those that can ever answer; or nothing else. */
bool choose_any_cname(const struct config *config, const struct config_service *service);
bool choose_all_cname(const struct config *config, const struct config_service *service);

/*
 * How small its blocks have to be: the longest `spread` of its pools, whichever of them are up, since health changes no
 * scope. 0: as they are.
 */
void choose_spread(const struct config *config, const struct config_service *service, uint8_t *spread4, uint8_t *spread6);

/*
 * The types of a service as bits (1 << enum service_type). What some regions could give and others not is an error that
 * names those.
 */
uint8_t choose_types(const struct config *config, const struct config_service *service, struct faults *faults);

/* Has every pool of a region that has this type gone down? */
bool choose_region_down(const struct config_preference *preference, enum service_type type, const uint8_t *up);

/* Has every pool of every region that has this type gone down? `up` is what choose_pools_up() says. */
bool choose_all_down(const struct config *config, const struct config_service *service, enum service_type type,
		     const uint8_t *up);

/* The pool for a region and a type that the service has. `all_down` is what choose_all_down() says. */
struct compiled_reason choose_pool(const struct config *config, const struct config_service *service, uint32_t region,
				   enum service_type type, bool all_down, const uint8_t *up);

#endif
