#include "conductord/routes.h"

#include "conductord/routes_private.h"

const struct http_route conductor_routes[N_CONDUCTOR_ROUTES] = {
	{"GET", "/v1/routers", HTTP_READS, routes_get_routers, NULL, 0},
	{"GET", "/v1/routers/{router}", HTTP_READS, routes_get_router, NULL, 0},
	{"PUT", "/v1/routers/{router}", HTTP_CHANGES, routes_put_router, NULL, 0},
	{"DELETE", "/v1/routers/{router}", HTTP_CHANGES, routes_delete_router, NULL, 0},
	{"GET", "/v1/routers/{router}/nodes/{node}", HTTP_READS, routes_get_node, NULL, 0},
	{"PUT", "/v1/routers/{router}/nodes/{node}", HTTP_CHANGES, routes_put_node, NULL, 0},
	{"DELETE", "/v1/routers/{router}/nodes/{node}", HTTP_CHANGES, routes_delete_node, NULL, 0},
	{"POST", "/v1/routers/{router}/nodes/{node}/reset", HTTP_CHANGES, routes_reset_node, NULL,
	 0},
	{"GET", "/v1/routers/{router}/configuration", HTTP_READS, routes_get_configuration, NULL,
	 0},
	{"PUT", "/v1/routers/{router}/configuration", HTTP_CHANGES, routes_put_configuration, NULL,
	 0},
	{"POST", "/v1/routers/{router}/tokens", HTTP_CHANGES, routes_post_token, NULL, 0},
	{"GET", "/v1/routers/{router}/tokens", HTTP_READS, routes_get_tokens, NULL, 0},
	{"GET", "/v1/tokens", HTTP_READS, routes_get_tokens, NULL, 0},
	{"DELETE", "/v1/tokens/{jti}", HTTP_CHANGES, routes_delete_token, NULL, 0},
	{"GET", "/v1/enrolments", HTTP_READS, routes_get_enrolments, NULL, 0},
	{"GET", "/v1/audit", HTTP_READS, routes_get_audit, NULL, 0},
	{"GET", "/v1/onboarding", HTTP_READS, routes_get_onboarding, NULL, 0},
	{"POST", "/v1/clock/reset", HTTP_CHANGES, routes_reset_clock, NULL, 0},
};
