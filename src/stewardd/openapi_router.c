/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardd/openapi_router.h"

#include "base/embed.h"

EMBED_FILE(openapi_router, OPENAPI_ROUTER_FILE);
